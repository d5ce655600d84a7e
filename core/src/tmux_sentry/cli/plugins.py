"""`tmux-sentry plugins`: what is installed, where it comes from, what became of it, and which may load."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tmux_sentry.cli import app, output
from tmux_sentry.cli.options import json_option
from tmux_sentry.errors import Refused, UsageError

if TYPE_CHECKING:
    from tmux_sentry.plugins.allow import AllowFile, Entry
    from tmux_sentry.plugins.discovery import Found

COLUMNS = ("name", "kind", "distribution", "version", "state", "reason")
_env_file = click.option(
    "--env-file", type=click.Path(path_type=Path), help="Where TMUX_SENTRY_HOME may be set, as `run` takes it."
)


@click.group("plugins", invoke_without_command=True, short_help="List the installed plugins, and agree to them.")
@json_option
@_env_file
@click.pass_context
def plugins(ctx: click.Context, as_json: bool, env_file: Path | None) -> None:
    """List the installed plugins: their state (ok, broken, incompatible, disabled), and why.

    --json adds where each comes from: path, record_hash, editable, pin, and the line that allows it.
    """
    if ctx.invoked_subcommand is not None:
        if as_json or env_file:
            raise click.UsageError(f"options go behind {ctx.invoked_subcommand}", ctx)
        return
    rows = _rows(env_file, provenance=as_json)
    if as_json:
        output.emit_json(rows)
    elif rows:
        output.table(COLUMNS, [[row[column] for column in COLUMNS] for row in rows])
    else:
        output.say("no plugins are installed: pip install tmux-sentry brings the default ones")


def _rows(env_file: Path | None, *, provenance: bool) -> list[dict[str, object]]:
    from tmux_sentry.plugins import provenance as origin

    rows = []
    for plugin in app.current().registry(env_file=env_file).plugins:
        row: dict[str, object] = {
            "name": plugin.name,
            "kind": plugin.kind,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "state": plugin.state.value,
            "reason": plugin.reason,
        }
        if provenance and plugin.found is not None:
            of = origin.provenance(plugin.found)
            row |= {"path": of.path, "record_hash": of.record_hash, "editable": of.editable}
            row |= {"pin": of.pin or None, "allowed_by": plugin.allowed_by or None}
        rows.append(row)
    return rows


@plugins.command("trust")
@click.argument("names", nargs=-1, metavar="NAME...")
@click.option("--all", "everything", is_flag=True, help="Every plugin that is installed.")
@click.option("--hash", "by_hash", is_flag=True, help="Agree to these files, not to this version.")
@click.option("--only", is_flag=True, help="With no plugins.allow yet: let no other plugin load from now on.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_env_file
def trust(
    names: tuple[str, ...], everything: bool, by_hash: bool, only: bool, yes: bool, env_file: Path | None
) -> None:
    """Agree to the plugin NAME, in the version that is installed, after showing where it comes from.

    It is written to plugins.allow, in tmux-sentry's home directory. Once that file exists, only what it lists is
    loaded. No plugin is imported by this.
    """
    import os

    from tmux_sentry.config.settings import find_home
    from tmux_sentry.plugins import allow

    home = find_home(os.environ, env_file)
    file = allow.read(home)
    found = _chosen(names, everything)
    _refuse_namesakes(found)
    if file is None and not only:
        _refuse_to_turn_off(home, found)
    entries = [_shown(one, by_hash) for one in found]
    new = [entry for entry in entries if not _has(file, entry)]
    if not new:
        output.say(f"trusted already, in {home / allow.FILE}")
        return
    _agree([entry.name for entry in new], yes)
    text = allow.HEADER if file is None else file.text
    for entry in new:
        text = allow.with_entry(text, entry)
    output.say(f"trusted: {', '.join(entry.name for entry in new)}, now in {allow.write(home, text)}")


@plugins.command("distrust")
@click.argument("name")
@_env_file
def distrust(name: str, env_file: Path | None) -> None:
    """Take the plugin NAME out of plugins.allow: it is not loaded any more."""
    import os

    from tmux_sentry.config.settings import find_home
    from tmux_sentry.plugins import allow

    home = find_home(os.environ, env_file)
    file = allow.read(home)
    if file is None:
        why = f"there is no {home / allow.FILE}: every plugin that is installed loads"
        fix = f"name it in TMUX_SENTRY_DISABLED_PLUGINS, or agree to those you want: {_TRUST} --only NAME..."
        raise UsageError(f"{name} cannot be taken out", why, fix)
    if not any(entry.name == name for entry in file.entries):
        listed = ", ".join(entry.name for entry in file.entries) or "nothing"
        raise UsageError(f"{name} is not listed in {file.path}", f"listed: {listed}")
    allow.write(home, allow.without(file.text, name))
    output.say(f"{name} is not in {file.path} any more; a `run` that has it loaded keeps it until it ends")


_TRUST = "tmux-sentry plugins trust"


def _chosen(names: Sequence[str], everything: bool) -> list[Found]:
    """The installed plugins that are meant. Raises UsageError."""
    from tmux_sentry import __version__
    from tmux_sentry.plugins.discovery import discover
    from tmux_sentry.plugins.loading import nearest

    if bool(names) == everything:
        raise UsageError("name the plugins to trust, or --all", "", "see: tmux-sentry plugins")
    found = discover(__version__)
    if everything:
        return found
    installed = {one.name for one in found}
    for name in names:
        if name not in installed:
            hint = nearest(name, installed).removeprefix("; ")
            raise UsageError(f"no plugin named {name}", f"installed: {', '.join(sorted(installed)) or 'none'}", hint)
    return [one for one in found if one.name in names]


def _refuse_namesakes(found: Sequence[Found]) -> None:
    """Raises Refused where a name stands for two distributions: nobody could tell which of them was meant."""
    for one in found:
        claimants = [other.distribution for other in found if other.name == one.name]
        if len(claimants) > 1:
            raise Refused(
                f"{one.name} cannot be trusted", f"it is claimed by {' and '.join(claimants)}", "uninstall one"
            )


def _refuse_to_turn_off(home: Path, found: Sequence[Found]) -> None:
    """Raises Refused where the first line of plugins.allow would turn off plugins that load today."""
    from tmux_sentry import __version__
    from tmux_sentry.plugins import allow
    from tmux_sentry.plugins.discovery import discover

    others = sorted({one.name for one in discover(__version__)} - {one.name for one in found})
    if others:
        raise Refused(
            f"there is no {home / allow.FILE} yet, and with it these would not load any more: {', '.join(others)}",
            "once the file exists, only the plugins in it are loaded",
            f"agree to everything that is installed: {_TRUST} --all; or to these alone: add --only",
        )


def _shown(one: Found, by_hash: bool) -> Entry:
    """Show where a plugin comes from; the line that agrees to it. Raises Refused for one that must not be trusted."""
    from tmux_sentry.plugins import allow
    from tmux_sentry.plugins.consent import exposed
    from tmux_sentry.plugins.provenance import is_part, provenance

    if one.broken:
        raise Refused(f"{one.name} cannot be trusted", one.broken)
    of, danger = provenance(one), exposed(one)
    kind = "editable: it changes with its files" if of.editable else "installed"
    output.say(
        f"{one.name}\n"
        f"  distribution  {one.distribution} {one.version} ({kind})\n"
        f"  path          {of.path or 'not found'}\n"
        f"  record hash   {of.record_hash or 'none: no RECORD'}\n"
        f"  pin           {of.pin or 'none'}"
    )
    if danger.why_not:
        raise Refused(f"{one.name} cannot be trusted", danger.why_not, danger.fix)
    if of.path is None:
        raise Refused(f"{one.name} cannot be trusted", "its code was not found")
    if not is_part(one, Path(of.path)):
        raise Refused(f"{one.name} cannot be trusted", f"{of.path} is no part of {one.distribution}")
    if by_hash and not of.pin:
        raise Refused(f"{one.name} cannot be trusted", "its files are not what was installed", "reinstall it")
    entry = allow.Entry(name=one.name, distribution=one.distribution, pin=of.pin if by_hash else one.version)
    if not allow.is_writable(entry):
        raise Refused(f"{one.name} cannot be trusted", "its name, distribution or version has characters for no line")
    return entry


def _has(file: AllowFile | None, entry: Entry) -> bool:
    known = file.entries if file is not None else ()
    return any(one.means(entry.name, entry.distribution) and one.pin == entry.pin for one in known)


def _agree(names: Sequence[str], yes: bool) -> None:
    """Return when the person agrees. Raises Refused."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused("nothing is trusted", "there is no terminal to ask at", "read the above, then add --yes")
    output.say("A plugin runs with all the rights that you have.")
    if not click.confirm(f"Trust {', '.join(names)}?", default=False):
        raise Refused("nothing is trusted", "nothing was written")
