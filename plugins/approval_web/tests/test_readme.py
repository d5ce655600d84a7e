"""What the README shows is so."""

from __future__ import annotations

import re
from pathlib import Path

from tmux_sentry.policy.load import load_policies
from tmux_sentry.registry import Registry
from tmux_sentry_approval_web import forms, limits, server, shown
from tmux_sentry_approval_web.plugin import SETTINGS
from tmux_sentry_approval_web.settings import read

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_policy_is_valid(tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    (tmp_path / "policy.yaml").write_text(text)
    found = load_policies([tmp_path / "policy.yaml"], Registry.of(), {}, set())
    assert [str(error) for error in found.errors] == []


def test_every_setting_has_its_row() -> None:
    rows = "\n".join(re.findall(r"^\| (`APPROVAL.*?) \|", README, re.MULTILINE))
    assert [setting.name for setting in SETTINGS if f"`{setting.name}`" not in rows] == []


def test_the_settings_that_are_shown_are_right() -> None:
    for block in blocks("bash"):
        lines = [line.partition("#")[0].strip() for line in block.splitlines()]
        found = read(dict(line.split("=", 1) for line in lines if "=" in line))
        assert (found.fatal, found.advice) == ((), ())


def test_the_figures_are_those_of_the_code() -> None:
    assert f"{shown.KEYS:,} characters or {shown.SENDS} sends" in README
    assert f"longer than {forms.LIMIT // 1024} KiB" in README
    assert f"too slowly ({forms.PATIENCE:g} s)" in README
    assert f"({server.WHOLE:g} s a connection) and connections ({server.CONNECTIONS})" in README
    assert (limits.BURST, limits.SECONDS) == (10, 6.0)
