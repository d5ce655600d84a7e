"""What a checker itself finds wrong with its action, where a schema cannot say it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.contracts import CheckerPlugin
from tmux_sentry.plugins import loading
from tmux_sentry.policy.load import LoadResult, load_policies
from tmux_sentry.registry import Registry

SCHEMA = {"$id": "urn:c", "type": "object", "properties": {"query": {"type": "string"}, "n": {"type": "integer"}}}
HEAD = "pipelines:\n  - name: p\n    match: {window_name: x}\n    stages:\n      - name: a\n        actions_on_start:\n"
Problems = Callable[[Mapping[str, Any]], Any]


def load(folder: Path, problems: Problems | None, action: Mapping[str, Any]) -> LoadResult:
    checker = CheckerPlugin(name="c", config_schema=SCHEMA, factory=pytest.fail, problems=problems)
    path = folder / "p.yaml"
    path.write_text(HEAD + f"          - external_check: {json.dumps({'type': 'c', **action})}\n")
    return load_policies([path], Registry.of(checker), {})


def odd(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if config.get("query") == "bad":
        yield "query", "is no query: character 3"
    if "n" not in config:
        yield "", "needs n"


def test_each_mistake_stands_at_its_key_or_at_the_action(tmp_path: Path) -> None:
    errors = [str(error) for error in load(tmp_path, odd, {"query": "bad"}).errors]
    assert errors == [
        f"{tmp_path}/p.yaml:7:29: pipelines[0].stages[0].actions_on_start[0].external_check: needs n",
        f"{tmp_path}/p.yaml:7:52: pipelines[0].stages[0].actions_on_start[0].external_check.query: "
        "is no query: character 3",
    ]
    assert load(tmp_path, odd, {"query": "good", "n": 1}).policy is not None
    assert load(tmp_path, None, {}).policy is not None


def test_it_sees_its_own_keys_only_and_only_what_the_schema_takes(tmp_path: Path) -> None:
    seen: list[Mapping[str, Any]] = []

    def look(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        seen.append(config)
        yield from ()

    load(tmp_path, look, {"query": "${run.id}", "max_wait": "10m", "accept_rerun": "1m"})
    assert seen == [{"query": "${run.id}"}]
    assert load(tmp_path, look, {"n": "one"}).errors
    assert len(seen) == 1


def test_a_mistake_elsewhere_hides_none_of_them(tmp_path: Path) -> None:
    checker = CheckerPlugin(name="c", config_schema=SCHEMA, factory=pytest.fail, problems=odd)
    path = tmp_path / "p.yaml"
    actions = ({"query": "bad"}, {"n": "one"})
    stages = (
        f"      - name: s{number}\n        actions_on_start:\n"
        f"          - external_check: {json.dumps({'type': 'c', **action})}\n"
        for number, action in enumerate(actions)
    )
    path.write_text(HEAD.partition("      - name: a")[0] + "".join(stages))
    found = [(error.where, error.what) for error in load_policies([path], Registry.of(checker), {}).errors]
    first, second = (f"pipelines[0].stages[{number}].actions_on_start[0].external_check" for number in (0, 1))
    assert found[:2] == [(first, "needs n"), (f"{first}.query", "is no query: character 3")]
    assert [where for where, _ in found[2:]] == [f"{second}.n"], "what the schema does not take is not looked at"


def raises(config: Mapping[str, Any]) -> Any:
    raise RuntimeError("oh")


@pytest.mark.parametrize("problems", [raises, lambda config: None, lambda config: [("only one",)], lambda config: 7])
def test_one_that_cannot_look_is_logged_and_stops_no_policy(tmp_path: Path, problems: Problems, caplog: Any) -> None:
    assert load(tmp_path, problems, {}).policy is not None
    assert "check c: problems: " in caplog.text


def test_what_it_says_is_cleaned_and_bounded(tmp_path: Path) -> None:
    def many(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for number in range(10**9):
            yield "no such key", f"\x1b[31m{number}" + "x" * 10_000

    errors = load(tmp_path, many, {}).errors
    assert len(errors) == 20
    assert all(len(error.what) <= 500 and "\x1b" not in error.what for error in errors)


def test_problems_that_cannot_be_called_are_a_broken_record() -> None:
    record = CheckerPlugin(name="c", factory=pytest.fail, problems="x")  # type: ignore[arg-type]
    assert list(loading.problems("checker", record)) == ["the problems of 'c' cannot be called"]
