"""`tmux-sentry check` and `tmux-sentry schema`, as scripts and people see them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tmux_sentry.cli.main import main

GOOD = "pipelines:\n  - {name: p, match: {host: h}, stages: [{name: a, success_when: [{idle_for: 1s}]}]}\n"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return tmp_path / "p.yaml"


def test_a_valid_policy_is_counted(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.write_text(GOOD)
    assert main(["--no-plugins", "check", "--policy", str(policy)]) == 0
    assert capsys.readouterr().out == "ok: 1 pipeline, 1 stage\n"


def test_an_error_shows_the_line_with_a_caret_and_the_help(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.write_text(GOOD.replace("name: a,", "name: 中, timeuot: 1,"), encoding="utf-8")
    assert main(["--no-plugins", "check", "--policy", str(policy)]) == 2
    err = capsys.readouterr().err.splitlines()
    assert err[0] == f"{policy}:2:52: pipelines[0].stages[0].timeuot: unknown key 'timeuot'"
    assert err[2].index("^") == err[1].index("timeuot") + 1  # the wide character takes two columns
    assert err[3] == "  = help: did you mean 'timeout'?"
    assert err[-1] == "tmux-sentry: 1 error in the configuration"


def test_warnings_are_shown_and_do_not_fail(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.write_text(GOOD.replace(", success_when: [{idle_for: 1s}]", ""))
    assert main(["--no-plugins", "check", "--policy", str(policy)]) == 0
    captured = capsys.readouterr()
    assert ": warning: pipelines[0].stages[0].name: no success_when: " in captured.err
    assert captured.out.startswith("ok: ")


def test_json_has_every_finding(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.write_text("pipelines: []\n")
    assert main(["--no-plugins", "check", "--json", "--policy", str(policy)]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    assert answer["diagnostics"] == [
        {
            "severity": "error",
            "file": str(policy),
            "line": 1,
            "column": 12,
            "where": "pipelines",
            "what": "is empty",
            "help": "",
        }
    ]


def test_the_live_panes_that_a_pipeline_would_take_are_listed(
    policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    socket = tmp_path / "tmux"
    tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
    policy.write_text(GOOD.replace("host: h", "window_name: ^agent"))
    hosts = tmp_path / "hosts.yaml"
    hosts.write_text(f"hosts: [{{name: here, tmux: {{socket_path: {socket}}}}}]\n")
    subprocess.run([*tmux, "new-session", "-d", "-s", "s", "-n", "agent:x", "cat"], check=True)
    try:
        subprocess.run([*tmux, "new-window", "-d", "-n", "other", "cat"], check=True)
        assert main(["--no-plugins", "check", "--json", "--policy", str(policy), "--hosts", str(hosts)]) == 0
    finally:
        subprocess.run([*tmux, "kill-server"], check=True)
    (pane,) = json.loads(capsys.readouterr().out)["panes"]
    assert (pane["pipeline"], pane["host"], pane["pane"], pane["note"]) == (
        "p",
        "here",
        "s:agent:x.0",
        "would start a run",
    )


def test_a_host_without_tmux_is_said_and_the_policy_is_still_valid(
    policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy.write_text(GOOD)
    hosts = tmp_path / "hosts.yaml"
    hosts.write_text(f"hosts: [{{name: here, tmux: {{socket_path: {tmp_path}/none}}}}]\n")
    check = ["--no-plugins", "check", "--policy", str(policy), "--hosts", str(hosts)]
    assert main(check) == 4
    captured = capsys.readouterr()
    assert "no live pane matches a pipeline" in captured.out
    assert "here: no tmux server runs there; " in captured.err
    assert main([*check, "--json"]) == 4
    said = json.loads(capsys.readouterr().out)
    (row,) = said["unreachable"]
    assert (said["ok"], said["panes"], row["name"]) == (True, [], "here")
    assert row["what"] == "here: no tmux server runs there"
    assert row["why"]
    policy.write_text("pipelines: []\n")
    assert main(check) == 2


@pytest.mark.parametrize("name", ["policy", "hosts", "settings"])
def test_the_schema_is_printed_and_is_a_schema(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    from jsonschema import Draft202012Validator

    assert main(["--no-plugins", "schema", name]) == 0
    Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


def test_the_commands_import_nothing_heavy_before_they_run() -> None:
    heavy = "{'yaml', 'jsonschema', 're2', 'rich'}"
    code = f"import sys, tmux_sentry.cli.check, tmux_sentry.cli.schema; print(sorted({heavy} & set(sys.modules)))"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("event", "near"), [("stage.fialed", "did you mean 'stage.failed'?"), ("aproval.*", ""), ("stage.*", None)]
)
def test_an_event_that_there_is_not_is_a_warning(
    policy: Path, capsys: pytest.CaptureFixture[str], event: str, near: str | None
) -> None:
    policy.write_text(f"{GOOD}notifications: [{{channels: [stdout], events: ['{event}']}}]\n")
    assert main(["check", "--policy", str(policy)]) == 0
    err = capsys.readouterr().err
    assert (f"no event is named '{event}'" in err) is (near is not None)
    assert (near or "") in err
