"""Loading: several files, plugins, warnings, and the model that comes out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tmux_sentry.contracts import AgentState, Level, Trust
from tmux_sentry.errors import InvalidConfig, UsageError
from tmux_sentry.policy.allowed import Allowed
from tmux_sentry.policy.build import build_pipeline
from tmux_sentry.policy.load import LoadResult, load_policies
from tmux_sentry.policy.model import (
    AgentStateIs,
    AnyOf,
    ApprovalSpec,
    Escalation,
    ExitCode,
    IdleFor,
    Manual,
    Not,
    NotifyAction,
    OnSignal,
    OnState,
    PromptRule,
    SendKeys,
    SentryEvent,
    WaitAction,
)
from tmux_sentry.policy.plugins import NoPlugins

Load = Callable[..., LoadResult]

HEAD = "pipelines:\n  - name: p\n    match: {window_name: x}\n    stages:\n      - name: a\n"
EVERYTHING = """\
timezone: UTC
required_plugins: [github_action]
notifications:
  - {min_level: error, channels: [stdout], events: [stage.failed], quiet_hours: 22:00-07:00, repeat_interval: 1h,
     escalate: {after: 15m, channels: [stdout]}}
pipelines:
  - name: p
    match: {pane_index: 0}
    panes: each
    rerun: on_idle
    vars: {port: 8080}
    min_trust: signed
    stages:
      - name: a
        triggers: [manual, {manual: true}, {on_state: [idle, waiting]}, {on_signal: {type: DONE, ok: true}}]
        require_approval: {timeout: 1h30m, approvers: [ann], risk: high, on_timeout: reject, remind_after: 10m}
        actions_on_start:
          - send_keys: {text: "a\\nb", enter: false, wait_idle: 10s, untrusted: {max_chars: 20}}
          - send_keys: {keys: [C-c, Escape, "y"], wait_idle: false}
          - notify: {message: m, title: t, level: error, channels: [stdout]}
          - wait: 500ms
        success_when: [exit_code: 0, {any_of: [{not: {agent_state: working}}, {idle_for: 5}]}]
        on_prompt: {answer: reject, allow: [git push ..., ls], otherwise: notify, max_count: 3, within: 5m}
        min_confidence: 1
        min_trust: guessed
        retries: 2
        retry_delay: 1m
        on_timeout: []
"""


def test_everything_a_file_can_say_reaches_the_model(load: Load) -> None:
    policy = load(EVERYTHING).require()
    stage = policy.pipelines[0].stages[0]
    assert policy.pipelines[0].match.pane_index == "^0$"
    assert policy.pipelines[0].vars == {"port": "8080"}
    assert stage.triggers == (
        Manual(),
        Manual(),
        OnState(states=(AgentState.IDLE, AgentState.WAITING)),
        OnSignal(event=SentryEvent(type="DONE", ok=True)),
    )
    assert stage.require_approval == ApprovalSpec(
        timeout=5400, approvers=("ann",), risk="high", on_timeout="reject", remind_after=600
    )
    assert stage.actions_on_start == (
        SendKeys(text="a\nb", enter=False, wait_idle=10, untrusted=20),
        SendKeys(keys=("C-c", "Escape", "y"), enter=False, wait_idle=0),
        NotifyAction(message="m", title="t", level=Level.ERROR, channels=("stdout",)),
        WaitAction(seconds=0.5),
    )
    assert stage.success_when == (
        ExitCode(codes=(0,)),
        AnyOf(of=(Not(of=AgentStateIs(states=(AgentState.WORKING,))), IdleFor(seconds=5))),
    )
    assert (stage.min_confidence, stage.min_trust, stage.on_timeout) == (1.0, Trust.GUESSED, ())
    assert stage.on_prompt == PromptRule(
        answer="reject",
        allow=(Allowed(words=("git", "push"), more=True), Allowed(words=("ls",))),
        otherwise="notify",
        max_count=3,
        within=300.0,
    )
    assert policy.pipelines[0].on_prompt == PromptRule(otherwise="notify")
    (route,) = policy.routes
    assert (route.quiet_hours, route.repeat) == ("22:00-07:00", 3600.0)
    assert route.escalate == Escalation(after=900.0, channels=("stdout",))


def test_a_pipeline_is_built_again_from_its_stored_source_with_the_same_digest(load: Load) -> None:
    pipeline = load(EVERYTHING).require().pipelines[0]
    assert build_pipeline(json.loads(json.dumps(pipeline.source))) == pipeline
    other = load(EVERYTHING.replace("retries: 2", "retries: 3")).require().pipelines[0]
    assert len(pipeline.digest) == 64
    assert other.digest != pipeline.digest


def test_two_files_that_name_a_pipeline_alike_are_refused_with_both_places(load: Load) -> None:
    (error,) = load(HEAD, HEAD).errors
    assert "p2.yaml:2:11: pipelines[0].name: a second pipeline is named 'p' (first in " in str(error)
    assert error.what.endswith("p1.yaml:2)")


def test_a_directory_means_its_yaml_files_in_order(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml"):
        (tmp_path / name).write_text(HEAD.replace("name: p", f"name: {name[0]}"))
    (tmp_path / "c.yml").write_text("not read")
    policy = load_policies([tmp_path], NoPlugins(), {}).require()
    assert [pipeline.name for pipeline in policy.pipelines] == ["a", "b"]


def test_a_directory_without_policies_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no policy"):
        load_policies([tmp_path], NoPlugins(), {})


def test_a_missing_file_is_one_error_and_the_other_file_is_still_checked(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("pipelines: []\n")
    result = load_policies([tmp_path / "no.yaml", tmp_path / "bad.yaml"], NoPlugins(), {})
    assert [error.what for error in result.errors] == ["cannot be read: No such file or directory", "is empty"]
    with pytest.raises(InvalidConfig, match="2 errors"):
        result.require()


def test_a_broken_plugin_is_named_with_its_reason_before_any_pip_line(load: Load, installed: Any) -> None:
    view = installed(broken={("checker", "github_action"): "plugin check_github failed to load: ImportError"})
    text = HEAD + "        actions_on_start: [{external_check: {type: github_action}}]\n"
    assert load(text, view=view).errors[0].help == "plugin check_github failed to load: ImportError"


@pytest.mark.parametrize(
    "wanted", ["github_action", "check_github", "tmux-sentry-check-github", "check_mine", "tmux-sentry-check-mine"]
)
def test_required_plugins_may_be_named_by_folder_distribution_or_what_they_register(
    tmp_path: Path, plugins: Any, wanted: str
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"required_plugins: [{wanted}]\n{HEAD}")
    load_policies([path], plugins, {}, installed={"check_mine"}).require()


WARNINGS = {
    "log_regex of an agent": (
        HEAD.replace("{window", "{agent: claude, window") + "        success_when: [{log_regex: done}]\n",
        "an agent redraws its screen and rewraps text, so a log_regex may miss or repeat",
    ),
    "a pattern for every line": (
        HEAD + "        success_when: [{log_regex: .*}]\n",
        "matches an empty line, so any output will do",
    ),
    "an exit code nobody reports": (
        HEAD + "        success_when: [{exit_code: 0}]\n",
        "the exit status may not be observable",
    ),
    "nothing decides": (
        HEAD,
        "no success_when: decided by a SENTRY STATUS (or an observed exit status); otherwise it times out",
    ),
    "on_prompt": (
        HEAD
        + "        success_when: [{idle_for: 1s}]\n"
        + "        on_prompt: {answer: approve, allow: [sudo ls ..., /bin/bash -c ...]}\n",
        "with any arguments bash runs anything",
    ),
    "a misspelt event": (
        HEAD + "        success_when: [{sentry: {type: STATSU}}]\n",
        "no event of ours has the type 'STATSU'",
    ),
    "a check that decides nothing": (
        HEAD
        + "        actions_on_start: [{external_check: {type: free, x: 1}}]\n        success_when: [{idle_for: 1s}]\n",
        "the check's success decides nothing here",
    ),
    "a check that outlasts the stage": (
        HEAD
        + "        actions_on_start: [{external_check: {type: free, x: 1, max_wait: 31m}}]\n"
        + "        success_when: [{external_status: success}]\n",
        "the stage's timeout, 1800 s, is over before it",
    ),
    "a re-run that outlasts the check": (
        HEAD
        + "        actions_on_start: [{external_check: {type: free, x: 1, max_wait: 5m, accept_rerun: 6m}}]\n"
        + "        success_when: [{external_status: success}]\n",
        "longer than max_wait, which ends the time for a re-run too",
    ),
    "two who may be one": (
        HEAD + "        success_when: [{idle_for: 1s}]\n        require_approval: {required: 2}\n",
        "without approvers they may be one person, by a link and at the terminal",
    ),
    "a reminder at the end": (
        HEAD + "        success_when: [{idle_for: 1s}]\n        require_approval: {remind_after: 1h, timeout: 1h}\n",
        "not before the approval's timeout, 3600 s",
    ),
    "a second group after the end": (
        HEAD
        + "        success_when: [{idle_for: 1s}]\n"
        + "        require_approval: {approvers: [ann], escalate: {after: 25h, approvers: [bob]}}\n",
        "not before the approval's timeout, 86400 s",
    ),
    "outside text in a shell": (
        HEAD
        + "        actions_on_start: [{send_keys: {text: 'echo ${pane.path}', untrusted: {max_chars: 9}}}]\n"
        + "        success_when: [{idle_for: 1s}]\n",
        "text from outside is typed into a pane that may be a shell, which would run it",
    ),
    "an unset variable": (
        HEAD.replace("    stages", "    allow_env: [NOWHERE]\n    stages") + "        success_when: [{idle_for: 1s}]\n",
        "NOWHERE is not set here",
    ),
}


@pytest.mark.parametrize(("text", "what"), WARNINGS.values(), ids=WARNINGS)
def test_what_is_valid_but_doubtful_is_a_warning(load: Load, text: str, what: str) -> None:
    result = load(text)
    result.require()
    assert [warning.what for warning in result.warnings] == [what]


def test_an_observed_exit_status_needs_no_warning(load: Load) -> None:
    stage = "        actions_on_start: [{send_keys: {text: make, report_exit: true}}]\n"
    assert load(HEAD + stage).diagnostics == ()
    assert load(HEAD + stage + "        success_when: [{exit_code: 0}]\n").diagnostics == ()


def test_an_approval_of_two_who_are_named_in_time_needs_no_warning(load: Load) -> None:
    stage = "        success_when: [{idle_for: 1s}]\n        require_approval: "
    spec = "{approvers: [a, b], required: 2, timeout: 1h, remind_after: 59m, escalate: {after: 59m, approvers: [c]}}\n"
    assert load(HEAD + stage + spec).diagnostics == ()
    assert load(HEAD + stage + "true\n").diagnostics == ()


def test_a_bomb_of_aliases_is_refused_at_once(load: Load) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    (error,) = load("\n".join(levels)).errors
    assert "more than 100000 values" in error.what


FILES = {
    "not UTF-8": (b"pipelines:\n  - \xff\n", "2:5: encoding: is not UTF-8: byte 0xff"),
    "a byte order mark": (
        b"\xef\xbb\xbfpipelines: []\n",
        "1:1: encoding: starts with a byte order mark; save it as UTF-8 without one",
    ),
    "UTF-16": ("pipelines: []".encode("utf-16"), "1:1: encoding: is UTF-16; save it as UTF-8"),
    "a control character": (b"pipelines:\n  - a\x07\n", "2:6: yaml: contains the control character U+0007"),
    "too large": (b"#" * 1_000_001, "0:0: file: is larger than 1 MB"),
    "too deep": (b"[" * 100_000, "1:51: yaml: is nested more than 50 levels deep"),
}


@pytest.mark.parametrize(("data", "expected"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_yaml_is_refused_with_its_place(load: Load, data: bytes, expected: str) -> None:
    (error,) = load(data).errors
    assert str(error).split("p1.yaml:", 1)[1] == expected


_words = st.sampled_from(
    [
        *("pipelines", "name", "match", "stages", "triggers", "after_stage_success", "a", "b"),
        *("send_keys", "keys", "text", "any_of", "not", "actions_on_start", "success_when", "notify", "external_check"),
        *("type", "on_state", "vars", "required_plugins"),
    ]
)
_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | _words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_words, inner, max_size=4),
    max_leaves=25,
)
_fuzz = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_fuzz
@given(
    text=st.text(max_size=80)
    | st.binary(max_size=80)
    | st.text(alphabet="{}[]:-,&*!|>'\"%@`#? \n\tab\\U0", max_size=60)
)
def test_no_text_gets_anything_but_findings(load: Load, text: str | bytes) -> None:
    assert load(text).errors


@_fuzz
@given(value=_plain)
def test_no_shape_of_values_gets_anything_but_findings(load: Load, value: Any) -> None:
    body = json.dumps(
        {"name": "p", "match": {"host": "h"}, "stages": [{"name": "a", "triggers": value, "on_success": value}]}
    )
    result = load(f'{{"pipelines": [{body}, {json.dumps(value)}], "required_plugins": {json.dumps(value)}}}')
    assert result.errors
    assert all(error.line > 0 for error in result.errors)
