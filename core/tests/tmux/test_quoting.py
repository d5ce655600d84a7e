"""What gets into a control-mode line, and that text arrives byte for byte, on a real tmux."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tmux_sentry.testing.tmux_server import TmuxServer, running_server
from tmux_sentry.tmux import quoting
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.control_client import ControlClient
from tmux_sentry.transport.local import LocalTransport

REFUSED: dict[str, tuple[Callable[[str], object], list[str]]] = {
    "line": (
        quoting.line,
        ["", " ", "# comment", "a\nb", "a\rb", "a\0b", "set-option -g @x '\nkill-server'", "list-panes\n"],
    ),
    "pane": (quoting.pane, ["", "0", "%", "%a", "%1 ", "%1\n", "%1;kill-server", "%-1", "@1", "%1%2", "%٣", "main"]),
    "session": (quoting.session, ["", "0", "$", "$a", "$1\n", "$1:", "%1", "$HOME"]),
    "window": (quoting.window, ["", "0", "@", "@a", "@1\n", "%1", "@1;"]),
    "program": (quoting.program, ["", "a b", "a,b", "a}b", "#{x}", "a;b", "bash\n", "é", "x" * 65]),
    "digits": (quoting.digits, ["x", "1\n", "-1", "1 2", "٣", "1}"]),
    "queue": (quoting.queue, ["'", '"', "#{x}", "a,b", "a;b", "\n", "}", "\\", "$x", "é"]),
    "option": (quoting.option, ["", "sentry", "@", "@Sentry", "@a-b", "@a b", "@a}", "@a\n", "@_" + "a" * 80]),
    "owner": (
        quoting.owner,
        ["", "a b", "a'b", 'a"b', "a;b", "a#{b}", "a,b", "a}b", "a/b", "a\n", "é", "a" * 129, "-u"],
    ),
    "key": (quoting.key, ["", "Entr", "echo", "C-", "Enter ", "Enter;", "C-c\n", "-X", "'", ";", "~", "é", "٣", "F13"]),
}


@pytest.mark.parametrize(("check", "value"), [(check, v) for check, values in REFUSED.values() for v in values])
def test_what_does_not_belong_is_refused(check: Callable[[str], object], value: str) -> None:
    with pytest.raises(ValueError, match=r"not a|must"):
        check(value)


@pytest.mark.parametrize("value", [-1, True, 1.0, "1", None])
def test_only_numbers_are_numbers(value: object) -> None:
    with pytest.raises(ValueError, match="not a number"):
        quoting.number(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["", "a b", "a,b", "a}b", "#{x}", "a/b", "a;b", "x" * 65, "bash\n", "é"])
def test_a_strange_command_name_is_not_compared(value: str) -> None:
    assert not quoting.is_program(value)


@pytest.mark.parametrize("value", ["bash", "node", "python3.11", "next-server", "g++", "claude"])
def test_ordinary_command_names_are(value: str) -> None:
    assert quoting.is_program(value)


@pytest.mark.parametrize("value", ["Enter", "C-c", "Escape", "y", "1", "M-x", "C-M-Left", "F12", "S-Tab", "BSpace"])
def test_key_names_that_tmux_knows_pass(value: str) -> None:
    assert quoting.key(value) == value


def test_text_never_leaves_its_quotes() -> None:
    quoted = quoting.text("".join(map(chr, range(1, 256))) + "中\n")
    assert quoted.isascii()
    assert quoted.isprintable()
    assert not set(quoted[1:-1]) & set("\"'$~#;{}%`")


def test_text_with_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quoting.text("a\0b")


@dataclass
class Recorder:
    """A pane that writes every byte it gets to a file."""

    server: TmuxServer
    client: CommandClient
    pane: str
    file: Path

    def typed(self, text: str) -> bytes:
        """What arrives when `text` is pasted."""
        before = self.file.stat().st_size
        wanted = before + len(text.encode())
        self.client.command(f"set-buffer -b fuzz -- {quoting.text(text)}")
        # A final byte that is not part of the text shows that nothing more was under way.
        self.client.command(f"paste-buffer -d -r -p -b fuzz -t {self.pane}")
        self.client.command(f"send-keys -t {self.pane} C-d")
        self.server.wait(lambda: self.file.stat().st_size > wanted or self._ended(before), "the text")
        return self.file.read_bytes()[before:-1]

    def _ended(self, before: int) -> bool:
        return self.file.read_bytes()[before:].endswith(b"\x04")


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    file = tmp_path_factory.mktemp("recorder") / "bytes"
    with running_server() as server:
        pane = server.new_session(command=f"stty raw -echo; echo ready; exec cat > '{file}'")
        server.wait(lambda: server.screen(pane) == "ready" and file.exists(), "the recorder")
        client = ControlClient(LocalTransport("here"), server.address)
        client.start()
        yield Recorder(server=server, client=client, pane=pane, file=file)
        client.close()


HAND = [
    "a;", ";", "; kill-server", "a\n", "\n", "line one\nline two\n", "\r\n", "\t", " ", "  a  ", "-a", "--",
    "$HOME", "${HOME}", "~", "~root", "#{pane_id}", "#(touch /tmp/x)", "#[fg=red]", "#", "%1", "%%", "'", '"',
    "\"'\"'", "\\", "\\n", "\\015", "\\\\", "{", "}", "{ kill-server }", "`id`", "\x1b[200~", "\x1b[31m", "\x7f",
    "\x01\x02\x1f", "ÿ", "中文", "🚀", "e\u0301", "\u202e", "\x80\x9b", "\ufeff", "a" * 5000, "\nset -g @pwned 1\n",
]  # fmt: skip


@pytest.mark.parametrize("text", HAND)
def test_text_arrives_byte_for_byte(recorder: Recorder, text: str) -> None:
    assert recorder.typed(text) == text.encode()
    assert recorder.server.run("list-buffers") == ""
    assert recorder.server.run("show-options", "-gqv", "@pwned") == ""


_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=200)
_NASTY = st.lists(st.sampled_from([*HAND, *"abc;#{}$~\\\"'\n\t %@"]), min_size=1, max_size=12).map("".join)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_TEXT | _NASTY)
@example("#{?1,a,b};$(id)\n~")
def test_any_text_arrives_byte_for_byte(recorder: Recorder, text: str) -> None:
    assert recorder.typed(text) == text.encode()


def test_a_megabyte_arrives_byte_for_byte(recorder: Recorder) -> None:
    text = "0123456789 é;#{}\n" * 60_000
    assert recorder.typed(text) == text.encode()
