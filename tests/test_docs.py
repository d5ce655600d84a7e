"""The documentation is held against the program: examples are loaded, keys and commands are looked up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from tmux_sentry.config.hosts import read_hosts
from tmux_sentry.config.schema import load_schema
from tmux_sentry.contracts import CheckerPlugin, NotifierPlugin
from tmux_sentry.demo import StandInCheck
from tmux_sentry.plugins.loading import HOOKS, RECORD_TYPES
from tmux_sentry.policy.load import LoadResult, load_policies
from tmux_sentry.registry import PluginState, Registry
from tmux_sentry.testing import conformance

ROOT = Path(__file__).resolve().parents[1]
POLICY_PAGE = ROOT / "docs" / "policy.md"
PLUGINS_PAGE = ROOT / "docs" / "plugins.md"
PAGES = sorted([ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")])

#: Where docs/policy.md describes the keys of each part of the schema.
SECTIONS = {
    "": "The file",
    "pipeline": "A pipeline",
    "match": "Which panes",
    "stage": "A stage",
    "trigger": "Triggers",
    "event": "Triggers",
    "approval": "Approvals",
    "action": "Actions",
    "send-keys": "Sending",
    "external-check": "Outside checks",
    "notify": "Telling people",
    "condition": "Conditions",
    "log-regex": "Conditions",
    "on-prompt": "The agent's own dialogs",
    "on-limit": "Usage limits",
    "route": "Notifications",
}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def whole(block: str) -> str:
    """A block that lists stages, as the policy it is a part of."""
    if not block.startswith("- name:"):
        return block
    return "pipelines:\n- name: example\n  match: {window_name: x}\n  stages:\n" + indent(block, "  ")


#: Valid, and warned of in every way.
DOUBTFUL = r"""
pipelines:
  - name: doubtful
    match: {agent: claude}
    allow_env: [NOT_SET_HERE]
    on_prompt: {answer: approve, allow: [sh ...]}
    on_limit: {resume: false, message: "go on"}
    stages:
      - name: undecided
        require_approval: {required: 2, remind_after: 2h, timeout: 1h}
        actions_on_start: [{send_keys: hello}]
      - name: unread
        actions_on_start: [{send_keys: hello}, {external_check: {type: github_action, repository: a/b}}]
        success_when: [{exit_code: 0}, {log_regex: "x*"}, {sentry: {type: STATSU}}]
  - name: shell
    match: {command: bash}
    stages:
      - name: outside
        actions_on_start:
          - send_keys: {text: "echo ${pane.window_name}", untrusted: {max_chars: 9}, report_exit: true}
"""


def is_hosts(block: str) -> bool:
    """Whether an example is a hosts file."""
    return re.search("^hosts:", block, re.MULTILINE) is not None


EXAMPLES = [
    pytest.param(whole(block), id=f"{page.name}-{number}")
    for page in (POLICY_PAGE, ROOT / "README.md")
    for number, block in enumerate(blocks(page, "yaml"), start=1)
    if not is_hosts(block)
]
HOSTS_PAGE = ROOT / "docs" / "hosts.md"
HOSTS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in (HOSTS_PAGE, ROOT / "README.md")
    for number, block in enumerate(filter(is_hosts, blocks(page, "yaml")), start=1)
]


def load(text: str, folder: Path) -> LoadResult:
    """As `tmux-sentry check` reads it where the default plugins and a GitHub checker are installed."""
    checker = CheckerPlugin(name="github_action", config_schema=StandInCheck.SCHEMA, factory=StandInCheck)
    stdout = NotifierPlugin(name="stdout", factory=lambda context: pytest.fail("nothing is sent"))
    path = folder / "policy.yaml"
    path.write_text(text)
    return load_policies([path], Registry.of(checker, stdout), {}, {"parser_sentry"})


# ------------------------------------------------------------------------------ examples


def test_the_pages_show_policies() -> None:
    assert len(blocks(POLICY_PAGE, "yaml")) > 10
    assert len(blocks(ROOT / "README.md", "yaml")) >= 2


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_policy_that_is_shown_is_valid(text: str, tmp_path: Path) -> None:
    assert re.search("^pipelines:", text, re.MULTILINE), "neither a policy nor a list of stages"
    assert [str(error) for error in load(text, tmp_path).errors] == []


def test_every_warning_of_check_is_explained_and_no_other(tmp_path: Path) -> None:
    warnings = [warning.what for warning in load(DOUBTFUL, tmp_path).warnings]
    rows = re.findall(r"^\| (`.*?) \|", section("What `check` says"), re.MULTILINE)
    texts = [text.replace(" ...", "...") for row in rows for text in re.findall("`([^`]+)`", row)]
    told = [re.escape(text).replace(r"\.\.\.", ".*") for text in texts]
    assert [what for what in warnings if not any(re.match(pattern, what) for pattern in told)] == []
    assert [pattern for pattern in told if not any(re.match(pattern, what) for what in warnings)] == []


@pytest.mark.parametrize("text", HOSTS)
def test_every_hosts_file_that_is_shown_is_valid(text: str, tmp_path: Path) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text(text)
    path.chmod(0o600)
    assert read_hosts(path).warnings == ()


def test_every_key_of_the_hosts_file_has_its_row() -> None:
    told = set(
        re.findall("`([a-z_.]+)`", "\n".join(re.findall(r"^\| (`.*?) \|", HOSTS_PAGE.read_text(), re.MULTILINE)))
    )
    parts = load_schema("hosts")["$defs"]
    keys = set(parts["host"]["properties"]) - {"ssh", "tmux", "watch"}
    keys |= {f"{part}.{key}" for part in ("ssh", "tmux", "watch") for key in parts[part]["properties"]}
    keys -= {"ssh.password", "ssh.key_passphrase"}  # said to belong elsewhere
    assert keys <= told


# ------------------------------------------------------------------------------- the schema


def section(heading: str) -> str:
    """The text under a heading, up to the next heading of its level or a higher one."""
    found = re.search(
        rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,2}} |^### |\Z)", POLICY_PAGE.read_text(), re.M | re.S
    )
    assert found, f"docs/policy.md has no section {heading!r}"
    return found[2]


def parts() -> dict[str, Mapping[str, Any]]:
    """The parts of the schema that have keys; "" is the file itself."""
    schema = load_schema("policy")
    definitions = {name: part for name, part in schema["$defs"].items() if "properties" in part}
    return {"": {"properties": schema["properties"]}, **definitions}


def keys(part: Any) -> Iterator[str]:
    """The keys of a part, and those of mappings inside it."""
    if isinstance(part, dict):
        for name, value in part.get("properties", {}).items():
            yield name
            yield from keys(value)


def words(node: Any) -> Iterator[str]:
    """The words that some key may have as its value."""
    if isinstance(node, dict):
        yield from (word for word in node.get("enum", ()) if isinstance(word, str))
        for value in node.values():
            yield from words(value)
    elif isinstance(node, list):
        for value in node:
            yield from words(value)


@pytest.mark.parametrize("part", sorted(parts()))
def test_every_key_of_the_schema_is_described_in_its_section(part: str) -> None:
    text = section(SECTIONS[part])
    assert [key for key in keys(parts()[part]) if f"`{key}`" not in text] == []


def test_every_word_of_the_schema_is_named() -> None:
    page = POLICY_PAGE.read_text()
    assert sorted({word for word in words(load_schema("policy")) if f"`{word}`" not in page}) == []


# ----------------------------------------------------------------------------------- links


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", page.read_text()) if "://" not in link]
    broken = []
    for link in links:
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


# --------------------------------------------------------------------------------- plugins


def test_every_hook_state_and_kit_is_described() -> None:
    page = PLUGINS_PAGE.read_text()
    kits = [name for name in vars(conformance) if re.fullmatch("[A-Z][a-z]+Conformance", name)]
    assert len(kits) == len(RECORD_TYPES)
    named = [
        *HOOKS,
        *(state.value for state in PluginState),
        *kits,
        *(type_.__name__ for type_ in RECORD_TYPES.values()),
    ]
    assert [name for name in named if f"`{name}" not in page] == []
