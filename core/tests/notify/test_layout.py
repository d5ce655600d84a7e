"""How a message says how to answer, for every channel."""

from __future__ import annotations

import pytest

from tmux_sentry.contracts import Level, Message
from tmux_sentry.notify.layout import layout, plain_text


def asks(link: str, answer: str = "") -> Message:
    return Message(
        id="m", at=0.0, level=Level.APPROVAL, event="approval.asked", title="?", text="https://evil.example/a",
        link=link, answer="\n".join(line for line in (link, answer) if line),
    )  # fmt: skip


@pytest.mark.parametrize(
    "address",
    ["https://x.example/a/tsa_A-b.c_d", "http://127.0.0.1:8790/a/x", "https://[::1]:8790/a/x", "https://x/a?b=%20&c=d"],
)
@pytest.mark.parametrize("code", ["", "code: 123456"])
def test_our_own_address_is_apart_from_what_is_to_be_typed(address: str, code: str) -> None:
    parts = layout(asks(f"{address}\n{code}".strip(), "one\ntwo"))
    assert (parts.link, parts.code, parts.commands) == (address, code, ("one", "two"))
    assert parts.answer == tuple(line for line in (address, code, "one", "two") if line)


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "https://x/a b",
        'https://x/"onclick="y',
        "https://x/<b>",
        "https://x/a)[y](https://evil.example",
        "https://x/`a",
        "https://x/\u202ea",
        "data:text/html,x",
        "x.example/a",
    ],
)
def test_what_could_act_where_a_link_is_made_of_it_is_a_line_as_any_other(address: str) -> None:
    parts = layout(asks(address, "one"))
    assert (parts.link, parts.commands) == ("", (address, "one"))
    assert address in plain_text(asks(address, "one"))


def test_what_is_written_by_others_is_never_our_link() -> None:
    parts = layout(asks("", "https://evil.example/a"))
    assert (parts.link, parts.commands) == ("", ("https://evil.example/a",))
