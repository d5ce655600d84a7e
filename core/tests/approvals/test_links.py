"""What a message that asks says about how to answer, at the moment it is sent."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.approvals.links import Links
from tmux_sentry.approvals.tokens import Tokens
from tmux_sentry.contracts import Level, Message
from tmux_sentry.notify.layout import plain_text
from tmux_sentry.state.records import StoredApproval
from tmux_sentry.testing.window import TTL, Office, opened

COMMANDS = "tmux-sentry approve a1\ntmux-sentry reject a1 --comment WHY"


class Mail:
    """A notifier that knows whom it sends to; without recipients, a group's that does not."""

    def __init__(self, *recipients: str) -> None:
        self._recipients = recipients

    def recipients(self) -> Sequence[str]:
        return self._recipients

    def send(self, message: Message) -> Any:
        raise NotImplementedError


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with opened(tmp_path / "state.db") as made:
        yield made


def show(office: Office, stored: StoredApproval, **places: str) -> None:
    with office.store.transaction() as tx:
        tx.show_approval(stored.request.id, places)


def dressed(
    office: Office,
    stored: StoredApproval,
    *recipients: str,
    tokens: Tokens | None = None,
    await_shown: Callable[[str], None] = lambda _id: None,
    local: Collection[str] = (),
    language: str = "en",
) -> Message:
    """What one channel, `chat`, gets."""
    message = Message(
        id="m", at=office.clock.now(), level=Level.APPROVAL, event="approval.asked", title="?", answer=COMMANDS,
        fields={"approval": stored.request.id}, language=language,
    )  # fmt: skip
    links = Links(
        store=office.store,
        clock=office.clock,
        tokens=office.tokens if tokens is None else tokens,
        address="https://x.example/a/{}".format,
        ttl=TTL,
        await_shown=await_shown,
        local=local,
    )
    return links.dress(message, "chat", Mail(*recipients))


# ---------------------------------------------------------------------------- the file


@pytest.mark.parametrize(
    "name", ["plain", "with space", "it's", "$(touch oops)", "`touch oops`;&|>", "文件", "-n", "x" * 200]
)
def test_the_command_that_is_told_writes_the_answer_into_the_file(office: Office, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    stored = office.ask()
    show(office, stored, file=str(folder / "q.txt"), web="")
    first, *others = dressed(office, stored, tokens=Tokens(())).answer.splitlines()
    assert others == COMMANDS.splitlines()
    subprocess.run(["sh", "-c", first], check=True, cwd=tmp_path)
    assert (folder / "q.txt").read_text() == "approve\n"
    assert not (tmp_path / "oops").exists()


@pytest.mark.parametrize(
    "places", [{}, {"web": "https://x/"}, {"file": ""}, {"file": "/a\nb/q.txt"}, {"file": "/a\u202eb/q.txt"}]
)
def test_without_a_path_that_can_be_written_there_are_the_commands(office: Office, places: dict[str, str]) -> None:
    stored = office.ask()
    show(office, stored, **places)
    assert dressed(office, stored, tokens=Tokens(())).answer == COMMANDS


def test_a_message_waits_until_it_is_known_where_the_request_is_shown(office: Office) -> None:
    stored, waited = office.ask(), []

    def shown(approval_id: str) -> None:
        waited.append(approval_id)
        show(office, stored, file="/a/q.txt")

    for _ in range(2):
        message = dressed(office, stored, await_shown=shown)
        assert "echo approve > /a/q.txt" in message.answer.splitlines()
    assert waited == [stored.request.id], "once it is known nobody waits"


def test_what_is_decided_while_a_message_waits_brings_nothing(office: Office) -> None:
    stored = office.ask()

    def decided(approval_id: str) -> None:
        with office.store.transaction() as tx:
            tx.close_approval(approval_id, "cancelled", office.clock.now())

    assert dressed(office, stored, await_shown=decided).answer == COMMANDS


# ---------------------------------------------------------------------------- the link


@pytest.mark.parametrize(
    ("language", "risk", "told"),
    [
        (
            "en",
            "normal",
            "to answer:\n  LINK\n\nor, where tmux-sentry runs:\n  echo approve > /a/q.txt\n  tmux-sentry approve a1\n",
        ),
        (
            "zh",
            "high",
            "如何答复:\n  LINK\n  code: CODE\n\n或者在运行 tmux-sentry 的机器上:\n  echo approve > /a/q.txt\n",
        ),
    ],
)
def test_a_group_gets_the_link_the_file_and_the_commands(office: Office, language: str, risk: str, told: str) -> None:
    stored = office.ask(risk=risk)
    show(office, stored, file="/a/q.txt")
    message = dressed(office, stored, language=language)
    address, _, code = message.link.partition("\n")
    assert address.startswith("https://x.example/a/tsa_")
    text = told.replace("LINK", address).replace("CODE", code.removeprefix("code: "))
    assert text in plain_text(message)
    assert message.answer.startswith(f"{message.link}\necho approve > /a/q.txt\n"), "for channels that show this only"


def test_without_a_link_the_text_says_where_the_commands_are_to_be_typed(office: Office) -> None:
    stored = office.ask()
    show(office, stored, file="/a/q.txt")
    told = {name: plain_text(dressed(office, stored, tokens=Tokens(()), language=name)) for name in ("en", "zh")}
    assert "\nto answer, where tmux-sentry runs:\n  echo approve > /a/q.txt\n" in told["en"]
    assert "\n在运行 tmux-sentry 的机器上答复:\n  echo approve > /a/q.txt\n" in told["zh"]


def test_what_is_shown_here_has_the_file_and_no_link(office: Office) -> None:
    """Its output ends up in a log."""
    stored = office.ask()
    show(office, stored, file="/a/q.txt")
    message = dressed(office, stored, local=["chat"])
    assert message.answer == f"echo approve > /a/q.txt\n{COMMANDS}"
    assert (message.link, message.links) == ("", {})


@pytest.mark.parametrize(
    ("approvers", "second", "recipients", "linked"),
    [
        ([], [], ["ann", "eve"], ["ann", "eve"]),
        (["ann"], [], ["ann", "eve"], ["ann"]),
        (["ann@example.com"], [], ["Ann@Example.com", "eve@example.com"], ["Ann@Example.com"]),
        (["ann"], ["bob"], ["ann", "bob", "eve"], ["ann", "bob"]),
        (["ann"], [], ["eve"], []),
        (["ann"], [], [], []),
        (["somebody by chat"], [], [], [""]),
        ([], [], [], [""]),
    ],
)
def test_whose_answer_can_never_count_gets_no_link(
    office: Office, approvers: list[str], second: list[str], recipients: list[str], linked: list[str]
) -> None:
    escalate: dict[str, Any] = {"escalate": {"after": 600, "approvers": second}} if second else {}
    stored = office.ask(approvers=approvers, **escalate)
    message = dressed(office, stored, *recipients)
    assert ([""] if message.link else list(message.links)) == linked
    links = len(office.dump()["links"])
    assert links == len(linked), "none is made that nobody gets"
    assert message.answer.endswith(COMMANDS)
