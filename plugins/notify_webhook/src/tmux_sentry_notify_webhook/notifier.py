"""Posts each message as a webhook, signed."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit, urlunsplit

from tmux_sentry import Answer, Delivery, DeliveryResult, HttpError, Message, Notifier, exchange, refusal
from tmux_sentry_notify_webhook import payload, signing

#: Seconds to let a receiver rest that is overloaded and does not say for how long.
REST = 30.0
#: The receiver is not set up as it should be, and will be: a message may wait for that.
_NOT_YET = {401, 403, 404, 405, 407, 421, 423}


class WrongUrl(Exception):
    """WEBHOOK_URL cannot be used: why, and what to do."""


def make(settings: Mapping[str, str], clock: Callable[[], float] = time.time) -> Notifier:
    """The channel that the settings ask for."""
    try:
        address = read(settings.get("WEBHOOK_URL", ""))
        return WebhookNotifier(address, signing.keys(settings.get("WEBHOOK_SECRET", "")), clock)
    except (WrongUrl, signing.BadSecret) as wrong:
        return NotSetUp(str(wrong))


@dataclass(frozen=True)
class NotSetUp:
    """Says of every message what is wrong with the settings."""

    why: str

    def problem(self) -> str:
        """What is wrong with the settings."""
        return self.why

    def send(self, message: Message) -> DeliveryResult:
        return DeliveryResult(outcome=Delivery.PERMANENT, detail=self.why, whole_channel=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to post. A name and password in it go into a header, as browsers do; `keys` is what nobody may see."""

    url: str
    headers: Mapping[str, str]
    keys: tuple[bytes, ...]


@dataclass(frozen=True)
class WebhookNotifier:
    """Posts JSON; the receipt is the `webhook-id`, which is the same on every attempt."""

    address: Address
    keys: Sequence[bytes]
    clock: Callable[[], float]

    def send(self, message: Message) -> DeliveryResult:
        id_ = signing.header_safe(message.id)
        at = int(self.clock())
        body = payload.encode(message, id_)
        headers = {
            **self.address.headers,
            "Content-Type": "application/json",
            "webhook-id": id_,
            "webhook-timestamp": str(at),
        }
        if self.keys:
            headers["webhook-signature"] = signing.signature(self.keys, id_, at, body)
        try:
            answer = exchange("POST", self.address.url, headers=headers, body=body)
        except HttpError as error:
            return error.result()
        said = answer.body
        for key in self.address.keys:
            said = said.replace(key, b"***")
        result = judged(replace(answer, body=said))
        return replace(result, receipt=id_) if result.outcome is Delivery.DELIVERED else result


def judged(answer: Answer) -> DeliveryResult:
    """What an answer means: the specification's "webhook delivery best practices", with two rows of our own."""
    start = answer.body.lstrip()[:15].lower()
    if 200 <= answer.status < 300:
        if start.startswith((b"<!doctype html", b"<html")):  # a portal's log-in page says 200 to everything
            return DeliveryResult(outcome=Delivery.RETRY, detail=f"a web page answers: {answer.words()}")
        return DeliveryResult(outcome=Delivery.DELIVERED, detail=answer.words())
    result = refusal(answer)
    if answer.status == 410:
        detail = f"{result.detail}; the receiver wants no more messages: remove the channel, or test it again"
        return replace(result, detail=detail, whole_channel=True)
    if answer.status in (502, 503, 504):
        return replace(result, retry_after=answer.retry_after() or REST, whole_channel=True)
    if answer.status in _NOT_YET:
        return replace(result, outcome=Delivery.RETRY, retry_after=answer.retry_after())
    return result


def read(setting: str) -> Address:
    """WEBHOOK_URL taken apart. Raises WrongUrl."""
    url = setting.strip()
    if not url:
        raise WrongUrl("WEBHOOK_URL is missing: set it to the address that takes the messages")
    if url.startswith("whsec_"):
        raise WrongUrl("WEBHOOK_URL holds a secret: put it in WEBHOOK_SECRET, and the address here")
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or re.search(r"\s", url):
        raise WrongUrl("WEBHOOK_URL is no http:// or https:// address")
    place = parts.netloc.rpartition("@")[2]
    bare = urlunsplit((parts.scheme, place, parts.path, parts.query, ""))
    headers: dict[str, str] = {}
    keys = {url, bare, parts.path, f"{parts.path}?{parts.query}"}
    keys |= {part for part in re.split(r"[/?&=]", f"{parts.path}?{parts.query}") if _is_key(part)}
    if parts.username is not None:
        name, password = unquote(parts.username), unquote(parts.password or "")
        basic = base64.b64encode(f"{name}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {basic}"
        keys |= {basic, password, parts.password or ""} | ({name} if not password else set())
    hidden = {key for text in keys - {"", "/", "/?"} for key in (text.encode(), unquote(text).encode())}
    return Address(url=bare, headers=headers, keys=tuple(sorted(hidden, key=len, reverse=True)))


def _is_key(part: str) -> bool:
    """Whether a part of an address may be a key and not a word: long, or with digits and not short."""
    return len(part) >= 16 or (len(part) >= 8 and bool(re.search(r"\d", part)))
