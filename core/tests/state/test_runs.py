"""Runs come back as they were committed; the users' tables read as promised."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tmux_sentry import PaneIdentity, Trust
from tmux_sentry.engine.events import Record
from tmux_sentry.engine.run import Run, from_json
from tmux_sentry.errors import UsageError
from tmux_sentry.state.records import PaneState, RunNames
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock

NOON = 1_795_339_200.0


def test_a_run_comes_back_as_it_was(store: Store, names: RunNames, make_run: Callable[..., Run]) -> None:
    run = make_run()
    with store.transaction() as step:
        step.save_run(run, names)
    (stored,) = store.open_runs()
    assert from_json(stored.state, run.pipeline, {}) == run
    assert stored.source == run.pipeline.source
    assert stored.names == names
    assert store.run("r1") == stored
    assert store.run("nope") is None


def test_a_finished_run_is_past_and_not_open(store: Store, names: RunNames, make_run: Callable[..., Run]) -> None:
    for state in ("open", "succeeded"):
        with store.transaction() as step:
            step.save_run(make_run(status=state, finished_at=None if state == "open" else NOON + 9), names)
    assert store.open_runs() == []
    (past,) = store.past_runs()
    assert (past.pipeline, past.status, past.pane_key) == ("webapp-ci", "succeeded", make_run().pane.key)
    assert past.server == make_run().pane.server
    assert past.names == names
    (row,) = store.runs()
    assert row.finished_at == "2026-11-22T09:20:09.000Z"
    assert store.runs(open_only=True) == []


def test_a_transaction_that_raises_leaves_nothing(store: Store, names: RunNames, make_run: Callable[..., Run]) -> None:
    def fails() -> None:
        with store.transaction() as step:
            step.save_run(make_run(), names)
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - nothing in it to match
        fails()
    assert store.past_runs() == []


def test_a_run_is_found_by_an_unambiguous_beginning(
    store: Store, names: RunNames, make_run: Callable[..., Run]
) -> None:
    for run_id in ("ab1", "ab2", "ab", "x%_"):
        with store.transaction() as step:
            step.save_run(make_run(run_id), names)
    assert store.find_run("ab1").id == "ab1"
    assert store.find_run("ab").id == "ab"
    assert store.find_run("x").id == "x%_"
    for prefix in ("a", "zz", "", "%"):
        with pytest.raises(UsageError, match="no single run"):
            store.find_run(prefix)


def test_names_stay_exact_for_matching(store: Store, names: RunNames, make_run: Callable[..., Run]) -> None:
    odd = replace(names, window_name="a\u202eb '); DROP TABLE runs;--", session_name="lone \ud800")
    with store.transaction() as step:
        step.save_run(make_run(), odd)
    (past,) = store.past_runs()
    assert past.names.window_name == odd.window_name
    assert past.names.session_name == "lone ?"


COLUMNS = {
    "pane_states": "host pane_id session_name window_name window_index pane_index agent state stage pipeline "
    "confidence trust last_signal updated_at first_seen_at",
    "stage_history": "id run_id host pane_id pipeline stage attempt status reason started_at finished_at approved_by",
}


@pytest.mark.parametrize("table", COLUMNS)
def test_the_users_tables_have_the_promised_columns(table: str, store: Store, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        found = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    connection.close()
    assert found == COLUMNS[table].split()


def query(path: Path, sql: str) -> list[dict[str, object]]:
    """What a user sees: the sqlite3 program where there is one, else Python's."""
    if program := shutil.which("sqlite3"):
        out = subprocess.run([program, "-json", path, sql], capture_output=True, text=True, check=True).stdout
        return json.loads(out or "[]")  # type: ignore[no-any-return]
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(sql)]
    finally:
        connection.close()


def pane_row(identity: PaneIdentity, at: float, **changes: object) -> PaneState:
    row = PaneState(
        identity=identity,
        session_name="work",
        window_name="agent",
        window_index=1,
        pane_index=0,
        agent="codex",
        state="working",
        updated_at=at,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def test_the_documented_queries_work_while_the_store_is_open(
    store: Store, path: Path, pane: PaneIdentity, names: RunNames, make_run: Callable[..., Run]
) -> None:
    run = make_run()
    with store.transaction() as step:
        step.save_run(run, names)
        step.upsert_pane(pane_row(pane, NOON + 0.123, trust=Trust.PRINTED, confidence=0.9, stage="build"))
        step.record(run, Record(stage="lint", attempt=1, status="succeeded", started_at=NOON, finished_at=NOON + 61.5))
        step.record(run, Record(stage="build", attempt=1, status="waiting_approval"))
        step.record(
            run, Record(stage="build", attempt=1, status="running", started_at=NOON + 70, approved_by="dev (file)")
        )
    assert query(path, "SELECT COUNT(*) FROM pane_states;") == [{"COUNT(*)": 1}]
    newest, oldest = query(path, "SELECT * FROM stage_history ORDER BY started_at DESC LIMIT 10;")
    assert newest | {"id": 0} == {
        "id": 0,
        "run_id": "r1",
        "host": "here",
        "pane_id": "%3",
        "pipeline": "webapp-ci",
        "stage": "build",
        "attempt": 1,
        "status": "running",
        "reason": "",
        "started_at": "2026-11-22T09:21:10.000Z",
        "finished_at": None,
        "approved_by": "dev (file)",
    }
    assert oldest["finished_at"] == "2026-11-22T09:21:01.500Z"
    (seen,) = query(path, "SELECT * FROM pane_states")
    assert seen["updated_at"] == seen["first_seen_at"] == "2026-11-22T09:20:00.123Z"
    assert (seen["trust"], seen["confidence"], seen["stage"]) == ("printed", 0.9, "build")


def test_history_is_newest_first_with_durations_and_filters(
    store: Store, names: RunNames, make_run: Callable[..., Run]
) -> None:
    run = make_run()
    with store.transaction() as step:
        step.save_run(run, names)
        step.record(run, Record(stage="lint", attempt=1, status="failed", started_at=NOON, finished_at=NOON + 1.25))
        step.record(run, Record(stage="lint", attempt=2, status="running", started_at=NOON + 5))
    assert [(row["attempt"], row["duration"]) for row in store.history()] == [(2, None), (1, 1.25)]
    assert len(store.history(limit=1)) == 1
    assert store.history(pipeline="other") == store.history(host="other") == []
    assert len(store.history(pipeline="webapp-ci", host="here")) == 2


def test_another_pane_under_the_same_id_takes_the_row_over(store: Store, pane: PaneIdentity) -> None:
    with store.transaction() as step:
        step.upsert_pane(pane_row(pane, NOON))
        step.upsert_pane(pane_row(pane, NOON + 5, state="idle"))
    (row,) = store.pane_states()
    assert (row["state"], row["first_seen_at"]) == ("idle", "2026-11-22T09:20:00.000Z")
    with store.transaction() as step:
        step.upsert_pane(pane_row(replace(pane, pane_pid=7), NOON + 9))
        step.upsert_pane(pane_row(replace(pane, host="nas"), NOON + 9))
    first, second = store.pane_states()
    assert (first["host"], first["first_seen_at"]) == ("here", "2026-11-22T09:20:09.000Z")
    assert second["host"] == "nas"
    with store.transaction() as step:
        step.drop_pane("here", "%3")
    assert [row["host"] for row in store.pane_states()] == ["nas"]


def test_text_from_outside_reaches_the_tables_clean_and_redacted(
    path: Path, clock: FakeClock, pane: PaneIdentity, names: RunNames, make_run: Callable[..., Run]
) -> None:
    run = make_run()
    hostile = "\x1b[31mred\x07 hunter22 \u202e"
    with Store.open(path, clock, redact=lambda text: text.replace("hunter22", "[redacted]")) as store:
        with store.transaction() as step:
            step.save_run(run, names)
            step.upsert_pane(pane_row(pane, NOON, window_name="w\x1b[2J", last_signal=hostile))
            step.record(run, Record(stage="s", attempt=1, status="failed", reason=hostile, approved_by=hostile))
        (row,), (stage,) = store.pane_states(), store.history()
    for text in (row["last_signal"], row["window_name"], stage["reason"], stage["approved_by"]):
        assert text.isprintable()
        assert "hunter22" not in text
    assert "[redacted]" in stage["reason"]
