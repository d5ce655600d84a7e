"""What `tmux-sentry check` finds in an action of either check, before anything runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry import CheckerPlugin
from tmux_sentry.policy.load import load_policies
from tmux_sentry.registry import Registry
from tmux_sentry_check_http import plugin

WHEN = {"success_when": "state == 'done'"}


def mistakes(type_: str, folder: Path, **config: Any) -> list[str]:
    records: list[CheckerPlugin] = list(plugin.tmux_sentry_checkers())
    action = json.dumps({"type": type_, **config})
    path = folder / "p.yaml"
    path.write_text(
        "pipelines:\n  - name: p\n    match: {window_name: w}\n    stages:\n      - name: s\n"
        f"        actions_on_start:\n          - external_check: {action}\n"
        "    vars: {port: 8080, when: ok}\n"
    )
    return [str(error) for error in load_policies([path], Registry.of(*records), {}).errors]


URL = "http://127.0.0.1/"


@pytest.mark.parametrize(
    ("type_", "config", "says"),
    [
        ("http", {"url": URL, "success_when": "state = 'x'"}, "success_when: is no JMESPath: character 7: ="),
        ("http", {"url": URL, **WHEN, "fail_when": "a == true"}, "for the value write `true`"),
        ("http", {"url": URL, "success_when": "true"}, "for the value write `true`"),
        ("http", {"url": URL, **WHEN, "percent": "length()"}, "length() takes 1 arguments, not 0"),
        ("http", {"url": URL, **WHEN, "since": "created at"}, "since: is no JMESPath: character 9: at"),
        ("http", {"url": URL, **WHEN, "changed": "max()"}, "changed: max() takes 1 arguments, not 0"),
        ("http", {"url": URL, **WHEN, "since": 7}, "since"),
        ("http", {"url": URL, "status": 200, "method": "HEAD", "changed": "id"}, "an answer to HEAD has no body"),
        ("http", {"url": URL}, "needs success_when or status"),
        ("http", {"url": URL, "fail_when": "bad"}, "needs success_when or status"),
        ("http", {"url": "gopher://x", **WHEN}, "url: is no http:// or https:// address"),
        ("http", {"url": URL, "method": "HEAD", **WHEN}, "an answer to HEAD has no body"),
        ("http", {"url": URL, "method": "POST", **WHEN}, "method"),
        ("http", {"url": URL, "redirects": 6, **WHEN}, "redirects"),
        ("http", {"url": URL, "headers": {"a b": "x"}, **WHEN}, "headers"),
        ("http", {"url": URL, "status": 99}, "status"),
        ("http", {"url": URL, "max_bytes": 5_000_000, **WHEN}, "max_bytes"),
        ("webhook", {}, "needs success_when or event"),
        ("webhook", {"success_when": "a =="}, "success_when: is no JMESPath: it breaks off after character 4"),
        ("webhook", {"event": "x", "path": "deploys"}, "path"),
    ],
)
def test_check_names_the_mistake_with_its_line(
    type_: str, config: Mapping[str, Any], says: str, tmp_path: Path
) -> None:
    (error,) = mistakes(type_, tmp_path, **config)
    assert says in error
    assert ":7:" in error


@pytest.mark.parametrize(
    ("type_", "config"),
    [
        ("http", {"url": "http://127.0.0.1:${vars.port}/", "success_when": "state == '${run.id}'"}),
        ("webhook", {"success_when": "${vars.when} == `true`"}),
        ("http", {"url": URL, "status": [200, 204], "method": "HEAD", "max_wait": "10m"}),
        ("http", {"url": URL, "headers": {"Authorization": "Bearer x"}, **WHEN, "percent": "p", "detail": "d"}),
        ("http", {"url": URL, **WHEN, "since": "created_at", "changed": "[id, '${run.id}']"}),
        ("webhook", {"event": "deployment_status"}),
        ("webhook", {"path": "/a/b-c", "success_when": "type == 'x'", "max_wait": "1h"}),
    ],
)
def test_check_takes_what_is_right(type_: str, config: Mapping[str, Any], tmp_path: Path) -> None:
    assert mistakes(type_, tmp_path, **config) == []


def test_an_error_shows_no_header(tmp_path: Path) -> None:
    (error,) = mistakes("http", tmp_path, url=URL, success_when="a == 'x'", headers={"Authorization": 17})
    assert "Authorization" in error
    assert "17" not in error.splitlines()[0].split("Authorization")[1]
