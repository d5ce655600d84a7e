"""One service of Apprise: hand a message to it, and find out what became of it.

Apprise says whether a service took the message, and gives no reason but its log. What the log says of the HTTP
status or of the connection decides here whether to try again; nothing of it is shown, because URLs are in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tmux_sentry import Delivery, Level, Message, clean, plain_text
from tmux_sentry_notify_apprise.quiet import sending

if TYPE_CHECKING:
    from apprise import AppriseAsset, AppriseResult, NotifyBase

CUT = "… (cut)"
# How the plugins of Apprise write a status: "error=403.", "code=400", "failed: 403 - ".
_STATUS = re.compile(r"(?:\berror=|\bcode[ =:]+|failed: )([1-5][0-9]{2})\b")
_EXCEPTION = re.compile(r"(?:[\w()-]+ ){1,4}Exception: ")  # "Socket Exception: ", and what requests says
# How requests and urllib3 call a connection that never was, and one that broke off.
_NOT_SENT = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|SSLError|CERTIFICATE_VERIFY|ProxyError"
    r"|Failed to establish|Name or service not known|Connection refused"
)
_LOST = re.compile(
    r"Read timed out|ReadTimeout|Connection aborted|RemoteDisconnected|Connection reset|IncompleteRead"
    r"|Connection broken|EOF occurred"
)
# What several services take for a call of everybody, or of somebody, in the text of a message.
_CALLS = re.compile(r"(?<=<)(?=[@!#&])|(?<=@)(?=(?:everyone|here|channel|all)\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a message at one service. `limited`: the service asks us to slow down; `barred`: to go away."""

    outcome: Delivery
    why: str = ""
    limited: bool = False
    barred: bool = False


def asset() -> AppriseAsset:
    """How Apprise shall behave: nothing on disk, no threads, no redirects, no words of its own."""
    from apprise import AppriseAsset

    return AppriseAsset(
        app_id="tmux-sentry",
        app_desc="tmux-sentry",
        app_url="",
        async_mode=False,  # its pool of threads would keep the process from ending while a service hangs
        service_timeout=0,
        http_redirects=False,
        interpret_emojis=False,
        interpret_escapes=False,
        allow_templates=False,
        storage_mode="memory",
    )


def hand_over(service: NotifyBase, message: Message) -> Told:
    """Send `message` by `service` and judge the answer. Blocks as long as the service does."""
    import logging

    from apprise import Apprise, NotifyFormat, NotifyType, OverflowMode

    types = {
        Level.WARNING: NotifyType.WARNING,
        Level.APPROVAL: NotifyType.WARNING,
        Level.ERROR: NotifyType.FAILURE,
        Level.CRITICAL: NotifyType.FAILURE,
    }
    if service.overflow_mode is OverflowMode.UPSTREAM:
        service.overflow_mode = OverflowMode.SPLIT  # for what grows when it is turned into mark-up
    sender = Apprise(asset=service.asset)
    sender.add(service)
    title, body = words(message, service.title_maxlen, service.body_maxlen)
    kind = types.get(message.level, NotifyType.INFO)
    with sending(), sender.notify(body, title, kind, body_format=NotifyFormat.TEXT, log_level=logging.DEBUG) as result:
        return judged(result)


def words(message: Message, title_limit: int, body_limit: int) -> tuple[str, str]:
    """Title and body as the service gets them, in at most so many characters; without a title field, both in one."""
    message = _harmless(message)
    if title_limit > 0:
        return _cut(message.title, title_limit), _fitted(message, body_limit, title=False)
    return "", _fitted(message, body_limit, title=True)


def judged(result: AppriseResult) -> Told:
    """What Apprise's result says about the one service that it is about."""
    if result:
        return Told(Delivery.DELIVERED)
    return reason([(entry.level, entry.message) for entry in result.logs()])


def reason(log: Iterable[tuple[str, str]]) -> Told:
    """Why Apprise's log (level and text of its lines) says that a message was not taken.

    Lines of level DEBUG also hold the message itself and the answer, whose words prove nothing.
    """
    lines = list(log)
    for level, text in reversed(lines):
        if level in ("WARNING", "ERROR") and (status := _STATUS.search(text)):
            return _of_status(int(status[1]))
    broken = "\n".join(text for _, text in lines if _EXCEPTION.match(text))
    if _NOT_SENT.search(broken):
        return Told(Delivery.RETRY, "no connection")
    if _LOST.search(broken):
        return Told(Delivery.UNKNOWN, "sent, and no answer")
    return Told(Delivery.RETRY, "not taken, and Apprise does not know why")


def _of_status(status: int) -> Told:
    why = f"HTTP {status}"
    if status == 429:
        return Told(Delivery.RETRY, why, limited=True)
    if status in (408, 425) or status >= 500:
        return Told(Delivery.RETRY, why)
    return Told(Delivery.PERMANENT, why, barred=status in (401, 403))


def _fitted(message: Message, limit: int, *, title: bool) -> str:
    """The message in `limit` characters: output and text give way, where it happened and how to answer stay."""
    body = plain_text(message, title=title)
    if (over := len(body) - limit) > 0 and message.output:
        kept = message.output[over + len(CUT) + 1 :]
        message = replace(message, output=f"{CUT}\n{kept}" if kept else CUT)
        body = plain_text(message, title=title)
    if (over := len(body) - limit) > 0:
        message = replace(message, text=message.text[: max(len(message.text) - over - len(CUT), 0)] + CUT)
        body = plain_text(message, title=title)
    return _cut(body, limit)


def _harmless(message: Message) -> Message:
    """`message` in which nothing acts and nobody is called: `@everyone` of a pane must not ring a hundred phones."""

    def lines(text: str) -> str:
        return _CALLS.sub(" ", "\n".join(clean(line, 100_000) for line in text.split("\n")))

    return replace(
        message,
        title=lines(clean(message.title)),
        text=lines(message.text),
        answer=lines(message.answer),
        output=lines(message.output),
        fields={lines(clean(name)): lines(clean(value)) for name, value in message.fields.items()},
    )


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(limit - len(CUT), 0)] + CUT
