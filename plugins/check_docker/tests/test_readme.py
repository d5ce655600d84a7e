"""What the README shows is valid, and says everything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tmux_sentry.policy.load import load_policies
from tmux_sentry.registry import Registry
from tmux_sentry_check_docker import plugin

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
RECORDS = {record.name: record for record in plugin.tmux_sentry_checkers()}
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", README, re.M | re.S)


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_policy_is_valid(text: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    loaded = load_policies([path], Registry.of(*RECORDS.values()), {})
    assert [str(problem) for problem in (*loaded.errors, *loaded.warnings)] == []


def test_every_check_is_shown() -> None:
    assert set(re.findall(r"type: (docker_\w+)", "".join(EXAMPLES))) == set(RECORDS)


@pytest.mark.parametrize("name", RECORDS)
def test_every_key_is_explained_and_no_other(name: str) -> None:
    section = README.split(f"## `{name}`")[1].split("\n## ")[0]
    table = section.split("| key | what |")[1].split("\n\n")[0]
    schema = RECORDS[name].config_schema
    assert schema is not None
    assert re.findall(r"^\| `(\w+)` \|", table, re.M) == list(schema["properties"])


def test_every_setting_is_explained_and_no_other() -> None:
    table = README.split("| setting | what |")[1].split("\n\n")[0]
    shown = re.findall(r"^\| `(\w+)` \|", table, re.M)
    for record in RECORDS.values():
        assert [setting.name for setting in record.settings] == shown
