"""The two policies of the documentation: valid as they stand, given what they need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.config.hosts import read_hosts
from tmux_sentry.policy.load import LoadResult, load_policies
from tmux_sentry.policy.model import AfterStages, ApprovalSpec, ExternalCheck, ExternalStatus, LogRegex, Match, SendKeys

ROOT = Path(__file__).parents[3]

THREE = """\
# policies/webapp.yaml
pipelines:
  - name: "webapp-ci"
    match:
      window_name: "^agent:codex-ci$"
    stages:
      - name: "lint"
        actions_on_start:
          - send_keys: "npm run lint"
        success_when:
          - log_regex: "(?i)0 problems"
        
      - name: "test"
        triggers:
          - after_stage_success: "lint"
        actions_on_start:
          - send_keys: "npm test"
          
      - name: "build"
        triggers:
          - after_stage_success: "test"
        require_approval: true  # Human approval required
        actions_on_start:
          - send_keys: "npm run build"
"""  # noqa: W293 - verbatim

FOUR = """\
pipelines:
  - name: webapp-ci
    match: {window_name: "^agent:codex-ci$"}        # also host, session_name, pane_title, pane_index, command, path, agent; all given must match; regex
    stages:
      - name: lint
        actions_on_start:
          - send_keys: "npm run lint"               # text, then Enter; or {text, enter, wait_idle, report_exit}; or {keys: [C-c, Escape]}
        success_when:
          - log_regex: "(?i)0 problems"
      - name: test
        triggers:
          - after_stage_success: lint
        actions_on_start:
          - send_keys: "npm test"
      - name: build
        triggers:
          - after_stage_success: test
        require_approval: true
        actions_on_start:
          - send_keys: "npm run build"
      - name: deploy
        triggers: [{after_stage_success: build}]
        actions_on_start:
          - send_keys: "gh workflow run deploy.yml"
          - external_check: {type: github_action, repository: user/repo, max_wait: 600}
        success_when:
          - external_status: success
"""  # noqa: E501 - verbatim

Load = Callable[..., LoadResult]


def test_the_three_stage_policy_is_valid_and_says_how_its_open_stages_are_decided(load: Load) -> None:
    result = load(THREE)
    pipeline = result.require().pipelines[0]
    assert pipeline.match == Match(window_name="^agent:codex-ci$")
    lint, test, build = pipeline.stages
    assert lint.actions_on_start == (SendKeys(text="npm run lint"),)
    assert lint.success_when == (LogRegex(pattern="(?i)0 problems"),)
    assert (lint.timeout, lint.min_confidence) == (1800.0, 0.8)
    assert test.triggers == (AfterStages(stages=("lint",)),)
    assert build.require_approval == ApprovalSpec()
    assert [(one.line, one.what.split(":")[0]) for one in result.warnings] == [
        (13, "no success_when"),
        (19, "no success_when"),
    ]


def test_the_four_stage_policy_lacks_exactly_one_plugin(load: Load, installed: Any) -> None:
    (error,) = load(FOUR, view=installed()).errors
    assert (error.line, error.column, error.what) == (25, 36, "unknown check type 'github_action'")
    assert error.help == "it is not installed: pip install tmux-sentry-check-github"


def test_the_four_stage_policy_is_valid_with_the_plugin(load: Load) -> None:
    deploy = load(FOUR).require().pipelines[0].stages[3]
    assert deploy.actions_on_start[1] == ExternalCheck(
        type="github_action", config={"repository": "user/repo"}, max_wait=600.0
    )
    assert deploy.success_when == (ExternalStatus(status="success"),)


@pytest.mark.parametrize("path", sorted((ROOT / "policies").glob("*.yaml")), ids=lambda path: path.name)
def test_a_shipped_policy_is_valid(path: Path, plugins: Any) -> None:
    load_policies([path], plugins, {}).require()


def test_the_shipped_default_policy_gives_no_warning(plugins: Any) -> None:
    assert load_policies([ROOT / "policies" / "default.yaml"], plugins, {}).diagnostics == ()


def test_the_shipped_deploy_policy_is_the_documented_one() -> None:
    assert (ROOT / "policies" / "webapp-deploy.yaml").read_text(encoding="utf-8").endswith(FOUR)


def test_the_example_hosts_file_is_valid_also_with_its_comments_removed(tmp_path: Path) -> None:
    text = (ROOT / "configs" / "hosts.example.yaml").read_text(encoding="utf-8")
    path = tmp_path / "hosts.yaml"
    path.write_text(text, encoding="utf-8")
    assert [host.name for host in read_hosts(path).hosts] == ["here"]
    path.write_text(text.replace("  # - name: nas", "  - name: nas").replace("\n  #  ", "\n   "), encoding="utf-8")
    assert [host.name for host in read_hosts(path).hosts] == ["here", "nas"]
