"""`tmux-sentry explain`: what the parsers make of a screen in a file and of a live pane."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.cli.main import main
from tmux_sentry.testing.tmux_server import TmuxServer

DIALOG = """\
● Bash(npm test)
  ⎿  Waiting…

────────────────────────────────────────
 Bash command

   npm test
   Run the tests

 Do you want to proceed?
 ❯ 1. Yes
   2. Yes, and don't ask again for npm test
   3. No

 Esc to cancel
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMUX_SENTRY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def explained(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    assert main(["explain", *args, "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_a_screen_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "screen.txt"
    path.write_text(DIALOG + "\n" * 20)
    told = explained(capsys, "--screen", str(path), "--agent", "claude", "--title", "✳ topic")
    assert (told["agent"], told["state"], told["winner"]) == ("claude", "waiting", "agents/command")
    assert told["prompt"]["command"] == "npm test"
    assert [(one["key"], one["meaning"]) for one in told["prompt"]["choices"]] == [
        (["1"], "approve"),
        (["2"], "approve_always"),
        (["3"], "reject"),
    ]
    assert {"parser", "rule", "matched", "vetoed_by", "evidence"} <= set(told["rules"][0])


def test_the_title_speaks_against_the_dialog_and_the_rule_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "screen.txt"
    path.write_text(DIALOG)
    told = explained(capsys, "--screen", str(path), "--agent", "claude", "--title", "⠐ topic")
    assert (told["state"], told["prompt"]) == ("working", None)
    [rule] = [rule for rule in told["rules"] if rule["rule"] == "command"]
    assert rule["matched"]
    assert rule["vetoed_by"] == "title-spinner"


def test_events_on_it_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "screen.txt"
    path.write_text('@@SENTRY {"type":"STATUS","stage":"build","ok":true}\n')
    told = explained(capsys, "--screen", str(path))
    [event] = [event for event in told["events"] if event.get("type") == "STATUS"]
    assert (event["stage"], event["ok"], event["trust"]) == ("build", True, "printed")


def test_for_people_nothing_leaves_raw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "screen.txt"
    path.write_bytes(DIALOG.replace("npm test", "npm test \x1b]0;pwned\x07").encode() + b"\xff\xfe")
    assert main(["explain", "--screen", str(path), "--agent", "claude", "--all"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "agents/esc-to-interrupt" in out


def test_a_broken_rules_file_is_told_with_its_place(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "agents").mkdir(parents=True)
    (home / "agents" / "own.yaml").write_text("agent: claude\nrules:\n  - {id: a, state: sleeping}\n")
    path = tmp_path / "screen.txt"
    path.write_text(DIALOG)
    main(["explain", "--screen", str(path), "--agent", "claude"])
    assert "own.yaml:3:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "what"),
    [
        ((), "give one of"),
        (("--screen", "x", "--pane", "%1"), "give one of"),
        (("--screen", "none.txt"), "cannot be read"),
        (("--screen", "large.txt"), "larger than"),
        (("--screen", "x", "--cast", "x"), "give one of"),
        (("--screen", "large.txt", "--cursor", "1"), "is no place"),
        (("--cast", "x.cast", "--cursor", "1,1"), "belong to --screen"),
        (("--cast", "x.cast", "--title", "x"), "--title belongs to"),
        (("--cast", "large.txt"), "large.txt:1: "),
    ],
)
def test_bad_usage_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], what: str
) -> None:
    (tmp_path / "large.txt").write_bytes(b"x" * ((8 << 20) + 1))
    assert main(["explain", *args]) == 2
    assert what in capsys.readouterr().err


def test_a_live_pane_is_looked_at_and_left_as_it_was(
    tmux_server: TmuxServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "screen.txt").write_text(DIALOG)
    pane = tmux_server.new_session(command=f"cat {tmp_path}/screen.txt; exec sleep 1000")
    tmux_server.wait(lambda: "Esc to cancel" in tmux_server.screen(pane))
    hosts = tmp_path / "hosts.yaml"
    socket = tmux_server.address.socket_path
    hosts.write_text(f"hosts:\n  - name: here\n    transport: local\n    tmux: {{socket_path: {socket}}}\n")
    before = tmux_server.run("show-options", "-s") + tmux_server.run("list-clients")
    told = explained(capsys, "--pane", pane, "--agent", "claude", "--hosts", str(hosts))
    assert (told["state"], told["prompt"]["command"]) == ("waiting", "npm test")
    tmux_server.wait(lambda: tmux_server.run("show-options", "-s") + tmux_server.run("list-clients") == before)


def test_a_recording_is_a_line_for_each_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.cast"
    event = '@@SENTRY {"type":"STATUS","stage":"build","ok":true}'
    events = [[1.0, "o", "\x1b]2;one\x07"], [2.0, "o", f"{event}\r\n"], [3.0, "o", "\x1b]0;\u202etwo\x07"]]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in ({"version": 2, "width": 80, "height": 24}, *events)))
    assert main(["explain", "--cast", str(path), "--json"]) == 0
    points = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["at"], one["kind"]) for one in points] == [(1.0, "title"), (2.0, "event"), (3.0, "title")]
    assert main(["explain", "--cast", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "    1.000  title one",
        f"    2.000  event STATUS   {event}",
        "    3.000  title \ufffdtwo",
    ]
