"""What the README shows can be typed: its policies are valid, its commands and files exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "docs" / "development.md"]
README = PAGES[0].read_text()
POLICIES = re.findall(r"^```yaml\n(pipelines:\n.*?)^```", README, re.MULTILINE | re.DOTALL)


def tmux_sentry(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    start = "from tmux_sentry.cli.main import main; main()"
    return subprocess.run([sys.executable, "-c", start, *arguments], capture_output=True, text=True, timeout=60)


def test_the_readme_shows_policies() -> None:
    assert len(POLICIES) >= 2


@pytest.mark.parametrize("policy", POLICIES, ids=range(len(POLICIES)))
def test_a_policy_in_the_readme_is_valid(policy: str, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(policy)
    done = tmux_sentry("check", "--policy", tmp_path / "policy.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_in_the_readme_exists() -> None:
    offered = set(re.findall(r"^  ([a-z]+) ", tmux_sentry("--help").stdout, re.MULTILINE))
    named = set(re.findall(r"tmux-sentry ([a-z]+)\b", "\n".join(re.findall(r"```.*?```|`[^`]+`", README, re.DOTALL))))
    assert {"run", "status", "check"} <= named
    assert named - offered == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_verb_in_a_page_exists(page: Path) -> None:
    verbs = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = re.findall(r"```.*?```|`[^`]+`", page.read_text(), re.DOTALL)
    named = {verb for text in code for verb in re.findall(r"\bmake ([a-z]+)", text)}
    assert named
    assert named - verbs == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_local_link_in_a_page_leads_somewhere(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
