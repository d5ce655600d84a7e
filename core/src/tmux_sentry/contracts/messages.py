"""Messages to people, and what became of them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum
from typing import Protocol, runtime_checkable


class Level(IntEnum):
    """How urgent a Message is. APPROVAL: nothing is wrong, and a person is waited for."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    APPROVAL = 35
    ERROR = 40
    CRITICAL = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One notification, already sanitised and redacted; what its channel must escape is the channel's own mark-up.

    `id` is the same on every attempt and by every channel: receivers tell a repetition by it. `event` is a dotted word
    ("stage.succeeded"). `fields` says where, in the order to show it; its names are `host`, `pane`, `pipeline`,
    `stage`, `run` and the like. Messages with the same `thread` (a Run's id; "" is none) belong together.
    """

    id: str
    at: float  # epoch seconds
    level: Level
    event: str
    title: str
    text: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    answer: str = ""  # how to answer, one way a line; "" when nothing is asked
    link: str = ""  # the lines that `answer` begins with: the address of our own page, and its code where it has one
    links: Mapping[str, str] = field(default_factory=dict)  # recipient -> such lines for them alone; see `to`
    output: str = ""  # the last lines of the pane, where the policy wants them told
    thread: str = ""
    subject: str = ""  # of the thread: the same in each of its messages
    first: str = ""  # the receipt of the thread's first message by this channel, once it has been delivered
    ends: str = ""  # the receipt of the message whose matter this one ends: to be edited, or answered in its thread
    language: str = "en"  # of the words around: "en" or "zh"
    zone: str = ""  # the time zone of people, as in "Europe/Berlin"; "" is the system's

    @property
    def short(self) -> str:
        """Six characters that name the message for people, derived from `id`."""
        digest = hashlib.sha256(self.id.encode("utf-8", "surrogatepass")).digest()
        return base64.b32encode(digest)[:6].decode().lower()

    def to(self, recipient: str) -> Message:
        """The message as this recipient alone may see it: with their own link, where there is one."""
        link = self.links.get(recipient, "")
        if not link:
            return replace(self, links={})
        return replace(self, link=link, links={}, answer=f"{link}\n{self.answer}".strip("\n"))


class Delivery(str, Enum):
    """What a Notifier knows about one attempt; UNKNOWN means sent, answer lost."""

    DELIVERED = "delivered"
    RETRY = "retry"
    PERMANENT = "permanent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryResult:
    """The outcome of one attempt, with the provider's own words and when to try again (seconds).

    `receipt` is the channel's own name for the message (a Message-ID, a timestamp), which later messages of its thread
    bring along. With `whole_channel` the outcome is about the channel and not about this message: RETRY lets the
    channel rest for `retry_after` (a rate limit, a quota), PERMANENT turns it off until a person has tested it
    (a revoked key).
    """

    outcome: Delivery
    detail: str = ""
    retry_after: float | None = None
    receipt: str = ""
    whole_channel: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most `messages` in any `seconds`. What waits beyond that is told in one message together."""

    messages: int
    seconds: float


@runtime_checkable
class Notifier(Protocol):
    """Delivers Messages over one channel. May block; the core bounds each call to 60 seconds.

    It may also have `problem() -> str`: what is missing or wrong in its settings, "" when nothing is. That is told
    before anything is sent: by `check`, by `doctor` and at the start of `run`. One that knows whom it sends to has
    `recipients() -> Sequence[str]`: a message that asks for an approval then brings `links`, one for each of them.
    """

    def send(self, message: Message) -> DeliveryResult:
        """Deliver one message and say truthfully what became of it."""
