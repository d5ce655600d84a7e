"""A broken plugin installed beside a good one changes nothing but its own line."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest

GOOD = """
from tmux_sentry import NotifierPlugin, ParserPlugin, hookimpl

@hookimpl
def tmux_sentry_parsers():
    yield ParserPlugin(name="good", factory=lambda context: None)
"""
GOOD_ROW = {
    "name": "parser_good",
    "kind": "parser",
    "distribution": "tmux-sentry-parser-good",
    "version": "0.1.0",
    "state": "ok",
    "reason": "",
}


def hooked(body: str, hook: str = "tmux_sentry_notifiers", arguments: str = "") -> str:
    return f"from tmux_sentry import *\nimport time\n@hookimpl\ndef {hook}({arguments}):\n    {body}\n"


def schema(text: str) -> str:
    return hooked(f"yield NotifierPlugin(name='x', factory=print, config_schema={text})")


@dataclass(frozen=True)
class Case:
    name: str
    source: str
    reason: str  # a regular expression for the whole reason
    state: str = "broken"
    install: dict[str, Any] = field(default_factory=dict)
    load: dict[str, Any] = field(default_factory=dict)


CASES = [
    Case("raises on import", "1 / 0", "import: ZeroDivisionError: division by zero"),
    Case("needs a missing module", "import no_such_module_anywhere", "import: ModuleNotFoundError: No module.*"),
    Case("is no python", "def (", "import: SyntaxError: .*"),
    Case("exits on import", "import sys; sys.exit(0)", "import: SystemExit: 0"),
    Case(
        "hangs on import",
        "import threading; threading.Event().wait()",
        r"import did not finish within 0\.5 s",
        load={"timeout": 0.5},
    ),
    Case(
        "asks for an unknown argument",
        hooked("return []", arguments="settings"),
        "its hooks do not fit: PluginValidationError: .*settings.*",
    ),
    Case(
        "misspells a hook",
        hooked("return []", hook="tmux_sentry_parser"),
        r"unknown hook tmux_sentry_parser; did you mean tmux_sentry_parsers\?",
    ),
    Case("forgets the marker", "def tmux_sentry_notifiers():\n    return []", "it registers nothing: .*@hookimpl"),
    Case(
        "wraps a hook",
        "from tmux_sentry import hookimpl\n@hookimpl(wrapper=True)\ndef tmux_sentry_notifiers():\n    return (yield)\n",
        "tmux_sentry_notifiers is a hook wrapper; .*",
    ),
    Case("raises in a hook", hooked("raise OSError('no')"), "tmux_sentry_notifiers: OSError: no"),
    Case("raises half way", hooked("yield from (1 / n for n in [0])"), "tmux_sentry_notifiers: ZeroDivisionError: .*"),
    Case("exits in a hook", hooked("raise SystemExit"), "tmux_sentry_notifiers: SystemExit"),
    Case(
        "hangs in a hook",
        hooked("import threading; threading.Event().wait()"),
        r"tmux_sentry_notifiers did not finish within 0\.5 s",
        load={"timeout": 0.5},
    ),
    Case(
        "yields without end",
        hooked("while True: yield NotifierPlugin(name='x', factory=print)"),
        "tmux_sentry_notifiers yields more than 100 records",
    ),
    Case("returns no list", hooked("return 7"), "tmux_sentry_notifiers: TypeError: .*"),
    Case("yields a string", hooked("yield 'email'"), "tmux_sentry_notifiers: yields a str, not a NotifierPlugin"),
    Case(
        "yields another kind",
        hooked("yield ParserPlugin(name='x', factory=print)"),
        "tmux_sentry_notifiers: yields a ParserPlugin, not a NotifierPlugin",
    ),
    Case("has no factory", hooked("yield NotifierPlugin(name='x', factory=None)"), ".* of 'x' cannot be called"),
    Case("has an odd name", hooked("yield NotifierPlugin(name='a,b', factory=print)"), ".*'a,b' is not a word.*"),
    Case(
        "has an odd setting",
        hooked("yield NotifierPlugin(name='x', factory=print, settings=('A',))"),
        ".*a setting of 'x' is a str, not a Setting",
    ),
    Case("has an invalid schema", schema("{'type': 'strnig'}"), ".*is not a valid JSON Schema.*strnig.*"),
    Case("has a schema that is none", schema("'{}'"), ".*config_schema of 'x' is a str, not a dict"),
    Case("refers out of its schema", schema("{'$ref': 'https://example.org/x'}"), ".*refers out of itself: https://.*"),
    Case("has a schema without $id", schema("{'$ref': '#/$defs/a', '$defs': {'a': {}}}"), ".*no \\$id of its own"),
    Case(
        "needs another core",
        "raise AssertionError('must not be imported')",
        r"needs tmux-sentry-core .*>=7.*, this is 0\..*",
        state="incompatible",
        install={"requires": "tmux-sentry-core<8,>=7"},
    ),
    Case(
        "has an unreadable requirement",
        "raise AssertionError('must not be imported')",
        "its requirement cannot be read: tmux-sentry-core.*",
        state="incompatible",
        install={"requires": "tmux-sentry-core ~~ 1"},
    ),
    Case("has no name", GOOD, "its METADATA has no Name .*", install={"metadata": b"Metadata-Version: 2.1\n\n"}),
    Case("has binary metadata", GOOD, "its metadata cannot be read: .*", install={"metadata": b"Name: \xff\xfe\n"}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_plugin_changes_nothing_but_its_own_line(site, case: Case) -> None:
    site.install("parser_good", GOOD)
    site.install("notify_bad", case.source, **case.install)
    found = site.load(**case.load)
    bad, good = found["rows"]
    assert good == GOOD_ROW
    assert found["names"] == {"parser": ["good"], "notifier": [], "checker": [], "approval": []}
    assert (bad["name"], bad["kind"], bad["state"]) == ("notify_bad", "notifier", case.state)
    assert re.fullmatch(case.reason, bad["reason"]), bad["reason"]


def test_a_distribution_with_unreadable_entry_points_is_listed(site) -> None:
    site.install("parser_good", GOOD)
    site.install("notify_bad", GOOD, entry_points=b"[tmux_sentry]\n\xff\xfe = x\n")
    bad, good = site.load()["rows"]
    assert good == GOOD_ROW
    assert (bad["name"], bad["state"]) == ("notify_bad", "broken")
    assert bad["reason"].startswith("its entry_points.txt cannot be read")


def test_somebody_elses_damaged_distribution_is_not_our_business(site) -> None:
    site.install("parser_good", GOOD)
    site.install("x", "", distribution="unrelated", entry_points=b"[console_scripts]\n\xff\n", metadata=b"\xff")
    assert site.load()["rows"] == [GOOD_ROW]


def test_a_reason_is_one_clean_line(site) -> None:
    site.install("notify_bad", r"raise ValueError('a\nb\x1b[31mc\x9b')")
    assert site.row("notify_bad")["reason"] == "import: ValueError: a bc�"


def test_an_error_that_cannot_be_printed_is_still_a_reason(site) -> None:
    site.install("notify_bad", "class Odd(Exception):\n    def __str__(self): return 1 / 0\nraise Odd")
    assert site.row("notify_bad")["reason"] == "import: Odd"


def test_ctrl_c_while_a_plugin_loads_stops_the_program(site) -> None:
    site.install("notify_bad", "raise KeyboardInterrupt")
    done = site.cli("plugins")
    assert done.returncode == 130


def test_what_a_plugin_prints_while_it_loads_is_not_in_the_json(site) -> None:
    site.install("notify_loud", "print('hello from the plugin')\n" + hooked("yield print('again')"))
    done = site.cli("plugins", "--json")
    assert [row["name"] for row in json.loads(done.stdout) if row["name"] == "notify_loud"] == ["notify_loud"]
    assert "hello from the plugin" in done.stderr
