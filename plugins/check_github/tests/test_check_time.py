"""What `tmux-sentry check` finds in an action, before anything runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.policy.load import load_policies
from tmux_sentry.registry import Registry
from tmux_sentry_check_github import plugin

HEAD = "pipelines:\n  - name: p\n    match: {window_name: w}\n    vars: {file: x.yml, url: https://ghe.example}\n"
STAGE = "    stages:\n      - name: s\n        actions_on_start:\n          - external_check:\n"
DISPATCH = {"workflow": "deploy.yml", "dispatch": True}


def mistakes(folder: Path, **config: Any) -> list[str]:
    """What is found: the key at whose value it stands, a colon, and what."""
    action = {"type": "github_action", "repository": "o/n", **config}
    lines = [f"{' ' * 14}{key}: {json.dumps(value)}" for key, value in action.items()]
    path = folder / "p.yaml"
    path.write_text(HEAD + STAGE + "\n".join(lines) + "\n")
    found = []
    for error in load_policies([path], Registry.of(*plugin.tmux_sentry_checkers()), {}).errors:
        key, colon, _ = lines[error.line - 1 - (HEAD + STAGE).count("\n")].strip().partition(":")
        assert colon
        assert error.column == 14 + len(key) + 3
        found.append(f"{key}: {error.what}")
    return found


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"dispatch": True}, "dispatch: needs workflow: the file's name (deploy.yml) or its id"),
        (
            {**DISPATCH, "workflow": "Deploy it"},
            "workflow: is a name, and dispatch needs the file's name (deploy.yml) or the id",
        ),
        ({**DISPATCH, "run_id": 7}, "dispatch: dispatch and run_id exclude each other"),
        ({"ref": "main", "branch": "main"}, "ref: ref and branch are the same key: give one"),
        ({"base_url": "http://ghe.example"}, "base_url: is not https://: the token would be sent in the clear"),
        (
            {"base_url": "https://u:p@ghe.example"},
            "base_url: has a user name or a password in it: the token belongs in GITHUB_TOKEN",
        ),
        ({"base_url": "https://"}, "base_url: is no https:// address"),
        ({"base_url": "ghe.example"}, "base_url: is no https:// address"),
    ],
)
def test_check_names_the_mistake_with_its_place(config: Mapping[str, Any], says: str, tmp_path: Path) -> None:
    assert mistakes(tmp_path, **config) == [says]


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    assert len(mistakes(tmp_path, base_url="http://ghe.example", dispatch=True)) == 2


@pytest.mark.parametrize(
    "config",
    [
        DISPATCH,
        {**DISPATCH, "workflow": 101},
        {**DISPATCH, "workflow": "101"},
        {**DISPATCH, "workflow": ".github/workflows/deploy.yml"},
        {**DISPATCH, "workflow": "${vars.file}"},
        {**DISPATCH, "dispatch": False, "workflow": "Deploy it"},
        {"base_url": "${vars.url}"},
        {"base_url": "http://127.0.0.1:8000"},
        {"base_url": "https://ghe.example/api/v3"},
    ],
)
def test_what_may_be_right_is_taken(config: Mapping[str, Any], tmp_path: Path) -> None:
    assert mistakes(tmp_path, **config) == []
