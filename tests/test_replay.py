"""Recording a pane while `run` works in it, and playing the recording to the same policy."""

from __future__ import annotations

import json
import signal
import stat
from pathlib import Path
from typing import Any

import pytest

WEBAPP = Path(__file__).resolve().parents[1] / "policies" / "webapp.yaml"
TOKEN = "ghp_" + "a1B2c3D4e5F6" * 3


def recordings(sandbox: Any) -> list[Path]:
    return sorted((sandbox.home / "recordings").glob("*.cast"))


def replayed(sandbox: Any, recording: Path, *options: str) -> str:
    return str(sandbox.ok("replay", recording, "--policy", WEBAPP, "--json", *options))


def stages(output: str) -> list[tuple[str, str]]:
    """Stage and last status of each attempt."""
    lines = [json.loads(line) for line in output.splitlines()]
    last: dict[tuple[str, int], str] = {}
    for line in lines:
        if line["kind"] == "transition" and "stage" in line:
            last[line["stage"], line["attempt"]] = line["status"]
    return [(stage, status) for (stage, _), status in last.items()]


@pytest.fixture
def recorded(sandbox: Any) -> Path:
    """The pane of a pipeline that was walked through while it was recorded; it also printed a secret."""
    pane = sandbox.pane("agent:codex-ci")
    (sandbox.work / "say-lint").write_text(f"{TOKEN}\n0 problems\n")
    run = sandbox.watch(WEBAPP, "--record")
    sandbox.answer(sandbox.question("build"), "approve")
    run.wait_line("run succeeded")
    assert run.end(signal.SIGINT) == 130
    assert TOKEN in sandbox.server.screen(pane)
    (recording,) = recordings(sandbox)
    return recording


def test_a_replay_makes_the_transitions_that_the_run_made_and_sends_nothing(sandbox: Any, recorded: Path) -> None:
    typed = sandbox.typed()
    first = replayed(sandbox, recorded, "--approve", "all")
    assert stages(first) == sandbox.stages() == [("lint", "succeeded"), ("test", "succeeded"), ("build", "succeeded")]
    assert replayed(sandbox, recorded, "--approve", "all") == first  # to the byte
    assert sandbox.typed() == typed

    # Each key is typed where it was, so that what came before it does not count.
    lines = [json.loads(line) for line in first.splitlines()]
    sends = [line["keys"] for line in lines if line.get("effect") == "send"]
    assert sends == ["npm run lint<Enter>", "npm test<Enter>", "npm run build<Enter>"]
    assert {line["kind"] for line in lines} == {"signal", "transition", "effect"}
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)

    text = recorded.read_text()
    assert TOKEN not in text
    assert TOKEN[:20] not in text
    assert "[redacted" in text
    assert "0 problems" in text
    assert stat.S_IMODE(recorded.stat().st_mode) == 0o600
    assert stat.S_IMODE(recorded.parent.stat().st_mode) == 0o700


def test_a_dry_run_does_not_record(sandbox: Any) -> None:
    done = sandbox.run("run", "--policy", WEBAPP, "--record", "--dry-run")
    assert done.returncode == 2
    assert "a dry run writes no file" in done.stderr
    assert not (sandbox.home / "recordings").exists()


def test_explain_looks_at_a_live_pane_and_leaves_it_as_it_is(sandbox: Any) -> None:
    pane = sandbox.pane()
    sandbox.server.send(pane, """echo '@@SENTRY {"type":"STATUS","stage":"build","ok":true}'; clear -x""", "Enter")
    sandbox.server.wait_prompt(pane)
    before = sandbox.server.show(pane, "#{pane_width} #{cursor_x} #{cursor_y} #{pane_in_mode}")
    found = sandbox.json("explain", "--pane", pane, "--hosts", sandbox.hosts)
    assert {"agent", "state", "confidence", "trust", "winner", "prompt", "rules", "events"} <= set(found)
    assert found["state"] == "unknown"
    assert sandbox.server.show(pane, "#{pane_width} #{cursor_x} #{cursor_y} #{pane_in_mode}") == before
    assert not sandbox.clients()
