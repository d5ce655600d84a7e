"""The state database through the command line: checked, copied, brought back, and what a restore holds back."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

TWO = """
    pipelines:
      - name: pair
        match: {window_name: "^job$"}
        stages:
          - name: first
            timeout: 20s
            actions_on_start: [{send_keys: "npm run first"}]
          - name: second
            triggers: [{after_stage_success: first}]
            timeout: 20s
            actions_on_start: [{send_keys: "npm run second"}]
"""
BOTH = ["npm run first", "npm run second"]


@pytest.fixture
def two(sandbox: Any) -> Path:
    return sandbox.write("two.yaml", TWO)  # type: ignore[no-any-return]


def run(sandbox: Any, policy: Path, **env: str) -> Any:
    return sandbox.start("run", "--hosts", sandbox.hosts, "--policy", policy, **env)


def database(sandbox: Any) -> Path:
    return sandbox.home / "state.db"  # type: ignore[no-any-return]


def spoil(path: Path) -> None:
    """Its first page: the others may be in the journal that a killed process leaves, and then are not missed."""
    with path.open("r+b") as file:
        file.write(bytes(4096))


def backups(sandbox: Any) -> list[Path]:
    return sorted((sandbox.home / "backups").glob("*.db"))


def status(sandbox: Any) -> Any:
    return json.loads(sandbox.ok("status", "--hosts", sandbox.hosts, "--json"))


# ----------------------------------------------------------------- a damaged database


def test_after_a_restore_it_only_watches_until_a_person_says_go_and_then_goes_on(sandbox: Any, two: Path) -> None:
    pane = sandbox.pane()
    held = sandbox.hold("first")
    first = run(sandbox, two)
    sandbox.wait_typed("npm run first")
    first.wait_line("first")
    sandbox.ok("db", "backup")
    first.end(signal.SIGKILL)
    spoil(database(sandbox))

    second = run(sandbox, two, NOTIFICATION_CHANNELS="stdout")
    second.wait_line("is restored from state-")
    assert "CRITICAL" in second.wait_line("the database was restored: nothing is started and nothing is typed")
    second.wait_line("what this run did since is not known")
    [aside] = sandbox.home.glob("corrupt-*")
    assert (aside / "state.db").exists()
    shown = sandbox.ok("status", "--hosts", sandbox.hosts)
    assert "observing only since" in shown
    assert "tmux-sentry runs resume --all" in shown
    assert "damaged" in status(sandbox)["observe_only"]["reason"]
    done = sandbox.run("send", pane, "echo by-hand", "--hosts", sandbox.hosts)
    assert done.returncode == 3
    assert "observing only since" in done.stderr
    assert sandbox.server.run("show-options", "-pqv", "-t", pane, "@sentry_epoch").strip() == "1"  # not touched
    [open_run] = json.loads(sandbox.ok("runs", "list", "--json"))
    sandbox.ok("runs", "resume", open_run["id"], "--send")  # it alone is not allowed to go on
    assert sandbox.typed() == ["npm run first"]

    answer = sandbox.ok("runs", "resume", "--all", "--send")
    assert "observing only has ended" in answer
    held.unlink()
    second.wait_line("run succeeded")
    assert sandbox.typed() == BOTH  # each once
    assert status(sandbox)["observe_only"] is None
    assert int(sandbox.server.run("show-options", "-pqv", "-t", pane, "@sentry_epoch")) > 1


def test_a_pane_that_is_ahead_of_the_restored_journal_gets_nothing(sandbox: Any, two: Path) -> None:
    """The backup is older than all that was typed: to the journal the pane looks as if nothing ever ran there."""
    first = run(sandbox, two)
    sandbox.wait(lambda: backups(sandbox), "the first backup")
    pane = sandbox.pane()
    first.wait_line("run succeeded")
    first.end(signal.SIGKILL)
    spoil(database(sandbox))

    second = run(sandbox, two, NOTIFICATION_CHANNELS="stdout")
    second.wait_line("here: watching")
    assert second.end(signal.SIGTERM) == 0
    second = run(sandbox, two, NOTIFICATION_CHANNELS="stdout")
    second.wait_line("observing only since")
    second.wait_line("here: watching")
    assert len(sandbox.rows("SELECT * FROM outbox")) == 1  # told once, not at every start
    sandbox.wait(lambda: sandbox.rows("SELECT * FROM pane_states"), "the pane in the database")
    done = sandbox.run("runs", "start", "pair", pane)
    assert done.returncode == 3
    assert "no run is started now" in done.stderr
    assert json.loads(sandbox.ok("runs", "list", "--all", "--json")) == []
    assert "observing only has ended" in sandbox.ok("runs", "resume", "--all")
    second.wait_line("is newer than the journal (0): was an old database restored?")
    assert sandbox.typed() == BOTH
    # One that it never knew is typed into; its numbers start where none of the lost ones can be.
    other = sandbox.pane(session="other")
    sandbox.wait(lambda: sandbox.typed() == BOTH + BOTH, "both stages in the other pane")
    assert int(sandbox.server.run("show-options", "-pqv", "-t", other, "@sentry_epoch")) > 1


def test_without_a_good_backup_it_does_not_start_and_moves_nothing(sandbox: Any, two: Path) -> None:
    sandbox.pane()
    sandbox.ok("run", "--once", "--hosts", sandbox.hosts, "--policy", two)
    for path in (database(sandbox), *backups(sandbox)):
        spoil(path)
    before = database(sandbox).read_bytes()
    done = sandbox.run("run", "--once", "--hosts", sandbox.hosts, "--policy", two)
    assert done.returncode == 3
    assert "there is no good backup in" in done.stderr
    assert "nothing was moved aside" in done.stderr
    assert "tmux-sentry db restore" in done.stderr
    assert database(sandbox).read_bytes() == before
    assert not list(sandbox.home.glob("corrupt-*"))


def test_a_command_without_run_repairs_nothing_and_names_who_does(sandbox: Any, two: Path) -> None:
    sandbox.pane()
    sandbox.ok("run", "--once", "--hosts", sandbox.hosts, "--policy", two)
    assert backups(sandbox)
    spoil(database(sandbox))
    before = database(sandbox).read_bytes()
    done = sandbox.run("runs", "cancel", "x")
    assert done.returncode == 3
    assert "tmux-sentry db restore" in done.stderr
    assert database(sandbox).read_bytes() == before


def test_a_new_database_beside_backups_is_not_made_in_silence(sandbox: Any, two: Path) -> None:
    sandbox.pane()
    sandbox.ok("run", "--once", "--hosts", sandbox.hosts, "--policy", two)
    assert backups(sandbox)
    for path in sandbox.home.glob("state.db*"):
        path.unlink()
    run(sandbox, two).wait_line("there is no database at")


# ------------------------------------------------------------------------ by hand


def test_a_backup_by_hand_is_made_while_run_writes_and_restored_when_it_has_ended(sandbox: Any, two: Path) -> None:
    sandbox.pane()
    held = sandbox.hold("first")
    process = run(sandbox, two)
    sandbox.wait_typed("npm run first")
    copy = sandbox.work / "copy.db"
    assert str(copy) in sandbox.ok("db", "backup", copy)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert sandbox.run("db", "backup", copy).returncode == 2  # it replaces nothing
    done = sandbox.run("db", "restore", copy)
    assert done.returncode == 3
    assert "holds" in done.stderr
    assert process.end(signal.SIGTERM) == 0
    held.unlink()

    said = sandbox.ok("db", "restore", copy)
    [aside] = sandbox.home.glob("corrupt-*")
    assert str(aside) in said
    assert "tmux-sentry runs resume --all" in said
    assert "restored by hand" in status(sandbox)["observe_only"]["reason"]
    assert "observing only has ended" in sandbox.ok("runs", "resume", "--all")
    assert status(sandbox)["observe_only"] is None
    again = sandbox.run("runs", "resume", "--all")
    assert again.returncode == 2
    assert "--send, --skip or --abort" in again.stderr


def test_restore_takes_the_newest_good_one_or_the_one_that_is_named(sandbox: Any, two: Path) -> None:
    sandbox.pane()
    sandbox.ok("run", "--once", "--hosts", sandbox.hosts, "--policy", two)
    sandbox.ok("db", "backup")
    sandbox.ok("db", "backup")
    *_, good, bad = backups(sandbox)
    spoil(bad)
    refused = sandbox.run("db", "restore", bad.name)
    assert refused.returncode == 3
    assert "is damaged" in refused.stderr
    assert f"from {good}" in sandbox.ok("db", "restore")
    assert f"from {good}" in sandbox.ok("db", "restore", good.name)
    assert sandbox.run("db", "restore", "no-such.db").returncode == 2


def test_check_reads_the_database_and_every_backup(sandbox: Any, two: Path) -> None:
    assert "no database" in sandbox.ok("db", "check")
    assert sandbox.run("db", "stats").returncode == 1
    sandbox.pane()
    sandbox.ok("run", "--once", "--hosts", sandbox.hosts, "--policy", two)
    sandbox.ok("db", "backup")
    rows = json.loads(sandbox.ok("db", "check", "--json"))
    assert [row["kind"] for row in rows] == ["database", "by-hand", "daily"]
    assert all(row["ok"] and row["problem"] is None for row in rows)
    spoil(backups(sandbox)[0])
    done = sandbox.run("db", "check", "--json")
    assert done.returncode == 1
    assert [row["ok"] for row in json.loads(done.stdout)] == [True, True, False]
    spoil(database(sandbox))
    done = sandbox.run("db", "check")
    assert done.returncode == 1
    assert "is damaged" in done.stdout


def test_stats_say_what_is_in_it(sandbox: Any, two: Path) -> None:
    sandbox.pane()
    sandbox.ok("run", "--once", "--hosts", sandbox.hosts, "--policy", two)
    found = json.loads(sandbox.ok("db", "stats", "--json"))
    assert found["rows"]["runs"] == 1
    assert found["rows"]["stage_history"] == 2
    assert found["size"] == database(sandbox).stat().st_size
    assert found["newest_backup"] == str(backups(sandbox)[-1])
    assert 0 <= found["newest_backup_age"] < 60
    assert "sqlite_version" in found
    assert "rows of runs" in sandbox.ok("db", "stats")
