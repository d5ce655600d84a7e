"""What the README shows is what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry import CheckStatus
from tmux_sentry.policy.load import load_policies
from tmux_sentry.registry import Registry
from tmux_sentry_check_http import expressions, plugin, schemas

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
SECTIONS = {
    name: re.split(r"^## ", part, maxsplit=1, flags=re.M)[0]
    for name, part in zip(
        re.findall(r"^## (.*)$", README, re.M), re.split(r"^## .*$", README, flags=re.M)[1:], strict=True
    )
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_every_policy_is_valid(text: str, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    found = load_policies([path], Registry.of(*plugin.tmux_sentry_checkers()), {"DEPLOY_TOKEN": "x"})
    assert [str(one) for one in found.diagnostics] == []


@pytest.mark.parametrize(("section", "schema"), [("http", schemas.HTTP), ("webhook", schemas.WEBHOOK)])
def test_every_key_and_setting_has_its_row(section: str, schema: dict[str, Any]) -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", SECTIONS[section], re.M))
    settings = {one.name for one in plugin.SETTINGS} if section == "webhook" else set()
    assert rows == {*schema["properties"], *settings}


def test_every_condition_that_is_shown_can_be_read() -> None:
    table = re.findall(r"^\| [^|]+ \| (.*) \|$", SECTIONS["Conditions"], re.M)
    shown = [
        text.strip().replace("\\|", "|")
        for row in table
        for text in re.findall(r"``(.+?) ``|`([^`]+)`", row)
        for text in text
        if text
    ]
    assert len(shown) >= 9
    for text in shown:
        expressions.read(text)


def test_the_sender_is_taken(hook: Any, sign: Any) -> None:
    (code,) = blocks("python")
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["deliver"](f"http://127.0.0.1:{hook.port}/x", sign.STANDARD_SECRET, {"ok": True}) == 200
    assert hook.ask(path="/x", success_when="ok").status is CheckStatus.SUCCESS
