"""What the keys and the typed commands say, and which of it cannot be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from github_api import GitHub
from github_asker import Asker
from jsonschema import Draft202012Validator

from tmux_sentry import CheckRequest, CheckStatus
from tmux_sentry_check_github import address
from tmux_sentry_check_github.schema import SCHEMA
from tmux_sentry_check_github.typed import GhRun, gh_runs
from tmux_sentry_check_github.wanted import Wrong, read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gh workflow run deploy.yml", GhRun(workflow="deploy.yml")),
        ("cd app && gh workflow run .github/workflows/deploy.yml; ls", GhRun(workflow=".github/workflows/deploy.yml")),
        ("gh workflow run 'Deploy it' --json < in.json", GhRun(workflow="Deploy it")),
        ("gh workflow run -R a/b x.yml --ref=dev", GhRun(workflow="x.yml", repository="a/b", ref="dev")),
        ("gh -R h.example/a/b workflow run x.yml", GhRun(workflow="x.yml", host="h.example", repository="a/b")),
        (
            "gh workflow run x.yml --repo https://h.example/a/b",
            GhRun(workflow="x.yml", host="h.example", repository="a/b"),
        ),
        ("GH_REPO=a/b gh workflow run x.yml -rdev", GhRun(workflow="x.yml", repository="a/b", ref="dev")),
        ("gh workflow run x.yml -r a -r b", GhRun(workflow="x.yml", ref="b")),
        (
            "gh workflow run x.yml -f a=1 --raw-field b='2 3' -F c=@file -F d=4 --field=e=5=6 -fg=@h",
            GhRun(workflow="x.yml", inputs={"a": "1", "b": "2 3", "d": "4", "e": "5=6", "g": "@h"}),
        ),
        ('gh workflow run x.yml --ref "$(git branch)" -f id=$RANDOM', GhRun(workflow="x.yml", inputs={"id": ""})),
        ("gh workflow \\\n run x.yml", GhRun(workflow="x.yml")),
        ("/usr/bin/gh workflow run x.yml", GhRun(workflow="x.yml")),
        ("Don't wait: run `gh workflow run x.yml --ref main`, please.", GhRun(workflow="x.yml", ref="main")),
        ("then gh workflow run x.yml.", GhRun(workflow="x.yml")),
        ("gh workflow run", GhRun()),
    ],
)
def test_a_typed_command_is_read_as_a_shell_reads_it(text: str, expected: GhRun) -> None:
    assert list(gh_runs([text])) == [expected]


@pytest.mark.parametrize(
    "text",
    ["", "gh run list", "gh workflow view x.yml", "echo 'gh workflow run x.yml'", "ghx workflow run x.yml", "gh"],
)
def test_other_commands_are_none(text: str) -> None:
    assert list(gh_runs([text])) == []


def wanted(config: Mapping[str, Any], *typed: str, **settings: str) -> Any:
    return read(CheckRequest(config={"repository": "owner/name", **config}, typed=typed), settings)


def test_the_last_typed_command_counts_and_the_keys_count_more() -> None:
    typed = ("gh workflow run a.yml -f x=1", "gh workflow run b.yml -r dev -f y=2", "npm test")
    found = wanted({}, *typed)
    assert (found.workflow, found.ref, found.event, found.inputs) == ("b.yml", "dev", "workflow_dispatch", {"y": "2"})
    found = wanted({"workflow": "a.yml", "event": "push"}, *typed)
    assert (found.workflow, found.ref, found.event, found.inputs) == ("a.yml", "", "push", {"x": "1"})
    found = wanted({"workflow": "c.yml"}, *typed)
    assert (found.workflow, found.ref, found.event, found.inputs) == ("c.yml", "", "", {})
    assert wanted({}).event == ""


@pytest.mark.parametrize(
    ("workflow", "command", "ref"),
    [
        ("deploy.yml", "gh workflow run 'Deploy it' -r dev", "dev"),
        ("Deploy it", "gh workflow run deploy.yml -r dev", "dev"),
        (101, "gh workflow run deploy.yml -r dev", "dev"),
        ("Deploy it", "gh workflow run $WORKFLOW -r dev", "dev"),
        ("deploy.yml", "gh workflow run deploy.yml -r one; gh workflow run 'Deploy it' -r dev", "one"),
        ("Deploy it", "gh workflow run 'Lint it' -r dev", ""),
        (101, "gh workflow run 102 -r dev", ""),
    ],
)
def test_a_name_a_file_and_an_id_may_be_the_same_workflows(workflow: object, command: str, ref: str) -> None:
    assert wanted({"workflow": workflow}, command).ref == ref


@pytest.mark.parametrize(
    ("config", "typed", "words"),
    [
        ({"repository": "owner"}, "", "repository is no owner/name"),
        ({"repository": "owner/.."}, "", "repository is no owner/name"),
        ({"repository": "owner/name/../../x"}, "", "repository is no owner/name"),
        ({"repository": "owner/na me"}, "", "repository is no owner/name"),
        ({"sha": "abc"}, "", "sha is no commit"),
        ({"run_id": "x"}, "", "run_id is no number"),
        ({"run_id": 0}, "", "run_id is no number"),
        ({"ref": "a", "branch": "b"}, "", "ref and branch"),
        ({}, "gh workflow run x.yml -R other/name", "-R other/name, but repository is owner/name"),
        (
            {"workflow": "Deploy it"},
            "gh workflow run x.yml -R other/name",
            "-R other/name, but repository is owner/name",
        ),
        ({}, "gh workflow run x.yml -R ghe.example/owner/name", "host ghe.example, but base_url is of github.com"),
        ({"ref": "main"}, "gh workflow run x.yml -r dev", "--ref dev, but ref is main"),
        ({"dispatch": True}, "", "dispatch needs workflow"),
        ({"dispatch": True, "workflow": "Deploy it"}, "", "dispatch needs workflow"),
        ({"dispatch": True, "workflow": "x.yml", "run_id": 7}, "", "exclude each other"),
        ({"dispatch": True, "workflow": "x.yml"}, "gh workflow run x.yml", "would start it once more"),
        ({"base_url": "http://ghe.example"}, "", "base_url is not https://"),
        ({"base_url": "https://u:p@ghe.example"}, "", "base_url has a user name"),
        ({"base_url": "ghe.example"}, "", "base_url is no https:// address"),
    ],
)
def test_what_cannot_be_is_told(config: dict[str, Any], typed: str, words: str) -> None:
    with pytest.raises(Wrong) as caught:
        wanted(config, typed)
    assert words in str(caught.value)


def test_what_cannot_be_is_for_a_person_and_nothing_is_asked(ask: Asker, github: GitHub) -> None:
    result = ask(repository="nope")
    assert (result.status, result.detail) == (CheckStatus.ATTENTION, "repository is no owner/name")
    ask.typed = ("gh workflow run deploy.yml -R other/name",)
    assert ask().status is CheckStatus.ATTENTION
    assert "GITHUB_API_URL" in Asker(github, ask.clock, GITHUB_API_URL="ftp://x")().detail
    assert github.requests == []


def test_the_same_repository_in_other_letters_and_places_is_no_contradiction() -> None:
    wanted({}, "gh workflow run x.yml -R Owner/Name")
    wanted({}, "gh workflow run x.yml -R github.com/owner/name")
    wanted({"base_url": "https://acme.ghe.com"}, "gh workflow run x.yml -R acme.ghe.com/owner/name")
    wanted({"ref": "refs/heads/dev"}, "gh workflow run x.yml -r dev")


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://api.github.com/", "https://api.github.com"),
        ("https://acme.ghe.com", "https://api.acme.ghe.com"),
        ("https://api.acme.ghe.com", "https://api.acme.ghe.com"),
        ("https://ghe.example", "https://ghe.example/api/v3"),
        ("https://ghe.example:8443/", "https://ghe.example:8443/api/v3"),
        ("https://ghe.example/api/v3/", "https://ghe.example/api/v3"),
        ("https://proxy.example/github", "https://proxy.example/github"),
        ("http://127.0.0.1:8000/x", "http://127.0.0.1:8000/x"),
        ("http://[::1]:8000", "http://[::1]:8000/api/v3"),
    ],
)
def test_where_the_api_is(written: str, used: str) -> None:
    assert address.api(written) == used
    assert wanted({}, GITHUB_API_URL=written).base == used
    assert wanted({"base_url": written}, GITHUB_API_URL="https://other.example").base == used
    assert wanted({}).base == "https://api.github.com"


@pytest.mark.parametrize(
    "action",
    [
        {"repository": "owner"},
        {"repository": "owner/name", "sha": "abc"},
        {"repository": "owner/name", "run_id": "x"},
        {"repository": "owner/name", "ref": "a", "branch": "a"},
        {"repository": "owner/name", "run_id": 7, "dispatch": True},
        {"repository": "owner/name", "dispatch": "yes"},
        {"repository": "owner/name", "inputs": {"a": ["b"]}},
        {"workflow": "x.yml"},
    ],
)
def test_the_schema_refuses(action: dict[str, Any]) -> None:
    assert not valid(action)


@pytest.mark.parametrize(
    "action",
    [
        {"repository": "${pipeline.name}", "sha": "${pipeline.name}", "run_id": "${pipeline.name}"},
        {"repository": "o/n", "workflow": 7, "inputs": {"a": 1, "b": True, "c": "x"}, "dispatch": True, "ref": "main"},
        {"repository": "o/n", "run_id": 7},
    ],
)
def test_the_schema_takes(action: dict[str, Any]) -> None:
    assert valid(action)


def valid(action: Mapping[str, Any]) -> bool:
    return Draft202012Validator(SCHEMA).is_valid(action)


def actions(node: Any) -> Iterator[dict[str, Any]]:
    """The external checks in a policy or a part of one, without what belongs to the core."""
    for key, value in node.items() if isinstance(node, dict) else ():
        if key == "external_check":
            yield {name: value for name, value in value.items() if name not in ("type", "max_wait", "accept_rerun")}
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from actions(child)


def test_the_readme_shows_valid_actions_and_names_every_key_and_setting() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    shown = [
        action
        for block in re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
        for action in actions(yaml.safe_load(block))
    ]
    assert len(shown) >= 5
    assert [action for action in shown if not valid(action)] == []
    for name in (*SCHEMA["properties"], "GITHUB_TOKEN", "GITHUB_API_URL"):
        assert f"| `{name}`" in readme, name
