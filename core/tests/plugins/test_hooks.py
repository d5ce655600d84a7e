"""The hooks themselves: documented, tested, and safe for those who call them."""

from __future__ import annotations

import json
import threading
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from tmux_sentry import hookimpl, hookspecs
from tmux_sentry.plugins import loading
from tmux_sentry.plugins.status import Loaded, PluginState, PluginStatus
from tmux_sentry.registry import Registry

HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("tmux_sentry_"))


def registry(timeout: float = 10.0, **plugins: Any) -> Registry:
    """A registry of these plugins, loaded as installed ones are but for the import."""
    manager = loading.new_manager()
    loaded = []
    for name, plugin in plugins.items():
        loading.register(manager, name, plugin)
        status = PluginStatus(name=name, kind="other", distribution=f"d-{name}", version="1", state=PluginState.OK)
        loaded.append(Loaded(status=status, plugin=plugin, records=loading.collect(manager, plugin, timeout)))
    return Registry(loaded, manager=manager, timeout=timeout)


def commands(function: Any) -> SimpleNamespace:
    def tmux_sentry_commands(cli: click.Group) -> None:
        function(cli)

    return SimpleNamespace(tmux_sentry_commands=hookimpl(tmux_sentry_commands))


def observer(function: Any) -> SimpleNamespace:
    def tmux_sentry_event(event: Any) -> None:
        function(event)

    return SimpleNamespace(tmux_sentry_event=hookimpl(tmux_sentry_event))


def add(name: str) -> Any:
    return lambda cli: cli.add_command(click.Command(name, help="from a plugin"))


def reasons(registry: Registry) -> dict[str, str]:
    return {status.name: status.reason for status in registry.plugins}


@pytest.mark.parametrize("hook", HOOKS)
def test_hooks_are_documented(hook: str) -> None:
    assert "WHEN: " in (getattr(hookspecs, hook).__doc__ or "")


@pytest.mark.parametrize("hook", HOOKS)
def test_hooks_have_tests(hook: str) -> None:
    tests = [path for path in Path(__file__).parent.glob("test_*.py") if f"def {hook}(" in path.read_text()]
    assert tests, f"no test implements {hook}"


def test_there_are_few_hooks_and_the_loader_knows_each() -> None:
    assert sorted(loading.HOOKS) == HOOKS
    assert len(HOOKS) <= 8


def test_a_plugin_adds_a_command() -> None:
    cli = click.Group()
    registry(one=commands(add("extra"))).add_commands(cli)
    assert list(cli.commands) == ["extra"]


def test_a_command_that_exists_stays_as_it_is() -> None:
    mine = click.Command("run")
    cli = click.Group(commands={"run": mine})
    loaded = registry(one=commands(add("run")), two=commands(add("extra")))
    loaded.add_commands(cli)
    assert cli.commands["run"] is mine
    assert "extra" in cli.commands
    assert reasons(loaded) == {"one": "its command 'run' exists already", "two": ""}


def test_a_command_that_two_plugins_add_is_added_by_neither() -> None:
    cli = click.Group()
    loaded = registry(one=commands(add("extra")), two=commands(add("extra")))
    loaded.add_commands(cli)
    assert cli.commands == {}
    assert all("'extra' is claimed by d-one and d-two" in reason for reason in reasons(loaded).values())


def test_one_failing_commands_hook_stops_no_other() -> None:
    cli = click.Group()
    loaded = registry(bad=commands(lambda cli: 1 / 0), good=commands(add("extra")))
    loaded.add_commands(cli)
    assert list(cli.commands) == ["extra"]
    assert reasons(loaded) == {"bad": "tmux_sentry_commands: ZeroDivisionError: division by zero", "good": ""}


def test_a_hanging_commands_hook_stops_no_other() -> None:
    cli = click.Group()
    forever = threading.Event()
    loaded = registry(timeout=0.2, bad=commands(lambda cli: forever.wait()), good=commands(add("extra")))
    loaded.add_commands(cli)
    forever.set()
    assert list(cli.commands) == ["extra"]
    assert reasons(loaded)["bad"] == "tmux_sentry_commands did not finish within 0.2 s"


def test_every_observer_sees_an_event_although_one_raises() -> None:
    seen: list[str] = []
    loaded = registry(
        a=observer(lambda event: seen.append(f"a:{event}")),
        b=observer(lambda event: 1 / 0),
        c=observer(lambda event: seen.append(f"c:{event}")),
    )
    loaded.observe("one")
    loaded.observe("two")
    assert seen == ["a:one", "c:one", "a:two", "c:two"]


def test_an_observer_that_hangs_is_not_called_again() -> None:
    calls: list[str] = []
    forever = threading.Event()

    def hang(event: str) -> None:
        calls.append(event)
        forever.wait()

    seen: list[str] = []
    loaded = registry(a=observer(hang), b=observer(seen.append))
    loaded.observe("one")
    loaded.observe("two")
    forever.set()
    assert calls == ["one"]
    assert seen == ["one", "two"]
    assert reasons(loaded)["a"] == "tmux_sentry_event did not finish within 2 s"


def test_nothing_of_a_broken_plugin_stays_registered() -> None:
    manager = loading.new_manager()
    entry = EntryPoint(name="notify_x", value="tmux_sentry.errors", group="tmux_sentry")  # a module without hooks
    with pytest.raises(loading.Broken, match="it registers nothing"):
        loading.load(manager, "notify_x", entry, timeout=10.0)
    assert not manager.has_plugin("notify_x")


COMMAND_PLUGIN = """
import click
from tmux_sentry import hookimpl

@hookimpl
def tmux_sentry_commands(cli):
    @cli.command()
    def hello():
        click.echo("hello from a plugin")
"""


def test_an_unknown_command_is_looked_for_in_the_plugins(site) -> None:
    site.install("hello", COMMAND_PLUGIN)
    done = site.cli("hello")
    assert (done.returncode, done.stdout) == (0, "hello from a plugin\n"), done.stderr


def test_no_plugins_has_no_command_of_a_plugin(site) -> None:
    site.install("hello", COMMAND_PLUGIN)
    done = site.cli("--no-plugins", "hello")
    assert done.returncode == 2
    assert "no command 'hello'" in done.stderr


def test_help_and_known_commands_import_no_plugin(site) -> None:
    site.install("hello", COMMAND_PLUGIN)
    code = (
        "import json, sys\nfrom tmux_sentry.cli.main import main\n"
        "code = main(sys.argv[1:])\nprint(json.dumps([code, 'tmux_sentry_hello' in sys.modules]), file=sys.stderr)"
    )
    for args, imported in (["--help"], False), (["completions", "bash"], False), (["hello"], True):
        done = site.run("-c", code, *args)
        assert json.loads(done.stderr.splitlines()[-1]) == [0, imported], args
