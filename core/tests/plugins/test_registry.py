"""Which plugins a run gets, and what a person is told about the others."""

from __future__ import annotations

import json

import pytest

from tmux_sentry import (
    ApprovalPlugin,
    CheckerPlugin,
    NotifierPlugin,
    ParserPlugin,
    PluginContext,
    Setting,
)
from tmux_sentry.plugins.discovery import kind_of
from tmux_sentry.plugins.status import Loaded, PluginState, PluginStatus
from tmux_sentry.registry import Registry, disabled_from_env

ALL_KINDS = """
from tmux_sentry import *

def make(context):
    return None

@hookimpl
def tmux_sentry_parsers():
    yield ParserPlugin(name="p", factory=make)

@hookimpl
def tmux_sentry_notifiers():
    return [NotifierPlugin(name=name, factory=make) for name in ("zulu", "alpha")]

@hookimpl
def tmux_sentry_checkers():
    yield CheckerPlugin(name="c", factory=make, config_schema={"$id": "urn:c", "type": "object"})

@hookimpl
def tmux_sentry_approval_backends():
    yield ApprovalPlugin(name="a", factory=make)
"""


def channel(name: str) -> str:
    return f"""
    from tmux_sentry import NotifierPlugin, hookimpl
    @hookimpl
    def tmux_sentry_notifiers():
        yield NotifierPlugin(name={name!r}, factory=print)
    """


def make(_context: PluginContext) -> None:
    return None


def states(found: dict) -> dict[str, str]:
    return {row["name"]: row["state"] for row in found["rows"]}


def test_one_plugin_may_register_every_kind_of_record(site) -> None:
    site.install("everything", ALL_KINDS, version="2.3")
    found = site.load()
    assert found["names"] == {"parser": ["p"], "notifier": ["alpha", "zulu"], "checker": ["c"], "approval": ["a"]}
    (row,) = found["rows"]
    assert (row["kind"], row["version"], row["state"]) == ("other", "2.3", "ok")


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ("parser_x", "parser"),
        ("notify_x", "notifier"),
        ("check_x", "checker"),
        ("approval_x", "approval"),
        ("parsers", "other"),
    ],
)
def test_the_entry_name_says_the_kind_without_an_import(site, entry: str, kind: str) -> None:
    site.install(entry, "raise AssertionError('imported')")
    assert site.row(entry, enabled=False)["kind"] == kind


def test_a_name_that_two_plugins_claim_belongs_to_neither(site) -> None:
    site.install("notify_one", channel("email"))
    site.install("notify_two", channel("email"))
    site.install("notify_three", channel("pager"))
    found = site.load()
    assert states(found) == {"notify_one": "broken", "notify_two": "broken", "notify_three": "ok"}
    assert found["names"]["notifier"] == ["pager"]
    (reason,) = {row["reason"] for row in found["rows"] if row["state"] == "broken"}
    assert reason == (
        "Conflict: the notifier 'email' is claimed by tmux-sentry-notify-one and tmux-sentry-notify-two; "
        "uninstall or disable all but one"
    )


def test_disabling_one_claimant_settles_a_conflict(site) -> None:
    site.install("notify_one", channel("email"))
    site.install("notify_two", channel("email"))
    found = site.load(disabled=["notify_two"])
    assert states(found) == {"notify_one": "ok", "notify_two": "disabled"}
    assert found["names"]["notifier"] == ["email"]


def test_two_distributions_with_one_entry_name_are_both_broken_and_not_imported(site) -> None:
    site.install("notify_mail", "raise AssertionError('imported')", distribution="first")
    site.install("notify_mail", "raise AssertionError('imported')", distribution="second")
    rows = site.load()["rows"]
    assert [row["distribution"] for row in rows] == ["first", "second"]
    for row in rows:
        assert row["state"] == "broken"
        assert "the plugin 'notify_mail' is claimed by first and second" in row["reason"]


def test_a_distribution_that_is_found_twice_counts_once(site) -> None:
    site.install("notify_mail", channel("email"), version="1.0")
    site.install("notify_mail", channel("email"), version="2.0")
    assert [row["state"] for row in site.load()["rows"]] == ["ok"]


def test_plugins_names_the_whole_set_of_the_run(site) -> None:
    site.install("notify_one", channel("one"))
    site.install("notify_two", "raise AssertionError('imported')")
    found = site.load(only=["notify_one"])
    assert states(found) == {"notify_one": "ok", "notify_two": "disabled"}
    assert [row["reason"] for row in found["rows"]] == ["", "not named by --plugins"]


def test_an_unknown_plugin_name_says_what_is_installed(site) -> None:
    site.install("notify_one", channel("one"))
    code = """if True:
        import sys
        from tmux_sentry.errors import UsageError
        from tmux_sentry.registry import load_registry
        try:
            load_registry(["notify_won"], path=[sys.argv[1]])
        except UsageError as error:
            print(*error.lines(), sep="|")
    """
    done = site.run("-c", code, str(site.path))
    assert done.stdout == "no plugin named notify_won|installed: notify_one|did you mean notify_one?\n"


def test_a_disabled_plugin_is_not_imported_even_when_named(site) -> None:
    site.install("notify_one", "raise AssertionError('imported')")
    row = site.row("notify_one", only=["notify_one"], disabled=["notify_one"])
    assert (row["state"], row["reason"]) == ("disabled", "named in TMUX_SENTRY_DISABLED_PLUGINS")


def test_no_plugins_imports_nothing(site) -> None:
    site.install("notify_one", "raise AssertionError('imported')")
    row = site.row("notify_one", enabled=False)
    assert (row["state"], row["reason"]) == ("disabled", "--no-plugins")


def test_a_misspelt_disabled_plugin_is_not_silently_loaded(site) -> None:
    site.install("notify_one", channel("one"))
    done = site.cli("plugins", TMUX_SENTRY_DISABLED_PLUGINS="notify_oen")
    assert "notify_oen, which is not installed; did you mean notify_one?" in done.stderr


@pytest.mark.parametrize(("value", "names"), [("", []), ("a", ["a"]), (" a , ,b,", ["a", "b"]), (None, [])])
def test_the_disabled_variable_is_a_comma_list(value: str | None, names: list[str]) -> None:
    env = {} if value is None else {"TMUX_SENTRY_DISABLED_PLUGINS": value}
    assert sorted(disabled_from_env(env)) == names


def test_records_are_found_by_kind_and_name() -> None:
    schema = {"$id": "urn:x", "type": "object"}
    registry = Registry.of(
        ParserPlugin(name="p", factory=make),
        NotifierPlugin(name="n", factory=make, config_schema=schema),
        CheckerPlugin(name="c", factory=make),
        ApprovalPlugin(name="a", factory=make),
    )
    assert [*registry.parsers, *registry.notifiers, *registry.checkers, *registry.approvals] == ["p", "n", "c", "a"]
    assert registry.schema("notifier", "n") == schema
    assert registry.schema("checker", "c") is None
    assert registry.schema("checker", "gone") is None


def test_a_variable_is_secret_if_any_plugin_says_so() -> None:
    registry = Registry.of(
        NotifierPlugin(name="n", factory=make, settings=(Setting(name="TOKEN", description="d"),)),
        CheckerPlugin(name="c", factory=make, settings=(Setting(name="TOKEN", description="d", secret=True),)),
        ParserPlugin(name="p", factory=make, settings=(Setting(name="A", description="d"),)),
    )
    assert [(setting.name, setting.secret) for setting in registry.settings] == [("A", False), ("TOKEN", True)]


def registry_with(name: str, distribution: str, state: PluginState, reason: str) -> Registry:
    status = PluginStatus(
        name=name, kind=kind_of(name), distribution=distribution, version="1", state=state, reason=reason
    )
    return Registry([Loaded(status=status)])


@pytest.mark.parametrize(
    ("registry", "kind", "name", "told"),
    [
        (Registry(), "notifier", "email", ""),
        (registry_with("check_mine", "x", PluginState.BROKEN, "import: KeyError"), "notifier", "mine", ""),
        (
            registry_with("notify_mine", "x", PluginState.BROKEN, "import: KeyError"),
            "notifier",
            "mine",
            "plugin notify_mine is broken: import: KeyError",
        ),
        (
            registry_with("notify_smtp", "tmux-sentry-notify-smtp", PluginState.DISABLED, "--no-plugins"),
            "notifier",
            "email",
            "plugin notify_smtp is disabled: --no-plugins",
        ),
    ],
)
def test_an_installed_name_that_is_missing_says_why(registry: Registry, kind: str, name: str, told: str) -> None:
    assert registry.why_missing(kind, name) == told


def test_a_conflicting_name_says_who_claims_it() -> None:
    status = PluginStatus(name="notify_a", kind="notifier", distribution="da", version="1", state=PluginState.OK)
    other = PluginStatus(name="notify_b", kind="notifier", distribution="db", version="1", state=PluginState.OK)
    record = NotifierPlugin(name="email", factory=make)
    registry = Registry([Loaded(status=status, records=[record]), Loaded(status=other, records=[record])])
    assert "claimed by da and db" in registry.why_missing("notifier", "email")


def test_the_list_as_json_has_the_promised_keys(site) -> None:
    site.install("notify_one", channel("one"))
    done = site.cli("plugins", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = [row for row in json.loads(done.stdout) if row["name"] == "notify_one"]
    assert row == {
        "name": "notify_one",
        "kind": "notifier",
        "distribution": "tmux-sentry-notify-one",
        "version": "0.1.0",
        "state": "ok",
        "reason": "",
        "path": str(site.path / "tmux_sentry_notify_one.py"),
        "record_hash": None,
        "editable": False,
        "pin": "sha256:" + row["pin"][-64:],
        "allowed_by": None,
    }


def test_the_list_for_people_shows_state_and_reason(site) -> None:
    site.install("notify_one", "raise RuntimeError('[bold]no[/bold]')")
    done = site.cli("plugins")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("notify_one")]
    assert line.split(None, 5) == [
        "notify_one", "notifier", "tmux-sentry-notify-one", "0.1.0", "broken", "import: RuntimeError: [bold]no[/bold]"
    ]  # fmt: skip
