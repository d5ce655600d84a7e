"""What a browser brings, and what it gets back: plain values between HTTP and the pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tmux_sentry import clean
from tmux_sentry_approval_web.peers import Peer
from tmux_sentry_approval_web.words import Say

#: Seconds that a page may lie open before its form is sent, and that a browser keeps a session's cookie; how long a
#: session lasts is the core's business, and not longer.
FORM, SESSION = 4 * 3600, 12 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request. `cookie` is the nonce as it came ("" if none), `nonce` the one that this browser has from now on.

    `session` is "" too where it belongs to other addresses than the one that was asked for. `home` is the path below
    which the cookies of this page are sent: that of the link, or of the session; "" elsewhere.
    """

    peer: Peer
    language: str
    say: Say
    nonce: str
    cookie: str = ""
    session: str = ""
    home: str = ""
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: a template with its values, or `to`, another page. `session` is a new one, "" ends one."""

    template: str = "message.html"
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    to: str = ""
    session: str | None = None
    wait: int = 0  # seconds, for Retry-After


class Stop(Exception):
    """Ends a visit with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


def message(visit: Visit, title: str, *text: str, status: int = 200, **values: Any) -> Reply:
    """A page that says one thing. `title` and `text` are in the visitor's language."""
    return Reply(values={"title": title, "text": text, **values}, status=status)


def sentence(words: str) -> str:
    """Words of the core as a sentence on a page. They must not begin with a name: its letters are as they are."""
    words = clean(words, 300)
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "?", "!", "…")) else ".")


def unsealed(visit: Visit) -> Reply:
    """The form was not made for this browser."""
    say = visit.say
    text = say("This form is too old or does not come from a page of this browser. Nothing was decided.")
    return message(visit, say("Open the link again"), text, status=403)


def busy(visit: Visit, *, sent: bool) -> Reply:
    """The core did not answer. `sent`: a form was, and may still be carried out, so nothing is claimed."""
    say = visit.say
    text = "Nothing was decided by this page. Try again, or look at the terminal:"
    if sent:
        text = "It is not known whether your answer was taken. Open the page again, or look at the terminal:"
    title = say("tmux-sentry is busy or stopping")
    return message(visit, title, say(text), status=503, command="tmux-sentry approvals")


def nowhere(visit: Visit, why: str = "") -> Reply:
    """There is nothing at this address."""
    text = why or visit.say("The page is another one, or its address was cut on its way.")
    return message(visit, visit.say("There is no such page"), text, status=404)
