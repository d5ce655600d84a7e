from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tmux_sentry import PaneIdentity
from tmux_sentry.contracts import ApprovalRequest
from tmux_sentry.engine.run import Attempt, Phase, Run, StageState
from tmux_sentry.policy.model import Match, Pipeline
from tmux_sentry.state.records import RunNames
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock

NOON = 1_795_339_200.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "state.db"


@pytest.fixture
def store(path: Path, clock: FakeClock) -> Iterator[Store]:
    with Store.open(path, clock) as opened:
        yield opened


@pytest.fixture
def pane() -> PaneIdentity:
    return PaneIdentity(host="here", server_pid=100, server_start=1_795_000_000, pane_id="%3", pane_pid=4242)


@pytest.fixture
def names() -> RunNames:
    return RunNames(session_name="work", window_name="agent:codex-ci", window_index=1, pane_index=0)


@pytest.fixture
def make_run(pane: PaneIdentity) -> Callable[..., Run]:
    def make(run_id: str = "r1", **changes: object) -> Run:
        pipeline = Pipeline(name="webapp-ci", match=Match(), stages=(), digest="pd", source={"name": "x"})
        attempt = Attempt(stage="build", number=1, phase=Phase.WATCHING, matched=frozenset({"a"}), typed=("npm test",))
        run = Run(
            id=run_id,
            pipeline=pipeline,
            pane=pane,
            pane_name="work:agent.0",
            policy_digest="pd",
            started_at=NOON,
            stages={"build": StageState(status="running", attempts=1)},
            attempt=attempt,
        )
        return replace(run, **changes)  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_request(pane: PaneIdentity) -> Callable[..., ApprovalRequest]:
    def make(request_id: str = "q1", digest: str = "d1") -> ApprovalRequest:
        return ApprovalRequest(
            id=request_id,
            run_id="r1",
            pipeline="webapp-ci",
            stage="build",
            attempt=1,
            pane=pane,
            pane_name="work:agent.0",
            keys=("npm run build<Enter>",),
            digest=digest,
            created_at=NOON,
            expires_at=NOON + 86400,
        )

    return make
