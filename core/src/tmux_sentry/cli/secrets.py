"""`tmux-sentry secrets`: encrypted values in env files and YAML files, and their keys."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.options import json_option
from tmux_sentry.cli.secret_room import Room, begin
from tmux_sentry.cli.session import env_file_option, hosts_option, policy_option
from tmux_sentry.errors import EXIT_FAILED, EXIT_OK, SentryError, UsageError

if TYPE_CHECKING:
    from tmux_sentry.config.secret_files import Value

_file = click.Path(path_type=Path)
_yaml_option = click.option(
    "--file", "yaml_file", type=_file, help="A YAML file; NAME is then a path: hosts.nas.ssh.password"
)
_STATUS_COLUMNS = ("place", "name", "key", "state")
_LONGEST = 64_000


@click.group("secrets")
def secrets() -> None:
    """Encrypt, show, check and rotate values of env files and YAML files."""


@secrets.command("set")
@click.argument("name")
@click.argument("more", nargs=-1, metavar="")
@env_file_option
@_yaml_option
@click.option("--print", "only_print", is_flag=True, help="Print the encrypted value, and write nothing.")
def set_(name: str, more: Sequence[str], env_file: Path | None, yaml_file: Path | None, only_print: bool) -> None:
    """Encrypt a value for NAME and write it into the env file (.env), or with --file into a YAML file.

    The value is read from stdin (one line end at its end is left out), or asked for at the terminal.
    """
    from tmux_sentry.config.crypto import seal

    if more or "=" in name:
        why = "others see the command line in the list of processes, and it stays in the history of your shell"
        fix = f"change that secret, then type: tmux-sentry secrets set {name.partition('=')[0]}"
        raise UsageError("a value is not given on the command line", why, fix)
    room = begin(env_file, may_make=True)
    key = room.vault.ring.newest()  # before anybody is asked for anything
    target = yaml_file or env_file or Path(".env")
    if not only_print:
        room.check_name(name, yaml_file)
    value = _read_value(name)
    room.app.redact.learn([value])
    sealed = seal(value, name, key)
    if only_print:
        click.echo(sealed)
        return
    replaced = room.write(name, sealed, target, yaml=yaml_file is not None)
    output.say(f"{'replaced' if replaced else 'added'} {name} in {target}, encrypted with the key {key.id}")


@secrets.command("get")
@click.argument("name")
@env_file_option
@_yaml_option
@click.option("--show", is_flag=True, help="Print the value, and nothing else.")
def get(name: str, env_file: Path | None, yaml_file: Path | None, show: bool) -> None:
    """Say whether NAME is set and with which key it is encrypted; with --show print it."""
    room = begin(env_file)
    value = room.find(name, yaml_file)
    file = yaml_file or (room.env_file if value.line else None)
    clear = room.vault.open(value.text, name, room.names(yaml_file), file) if value.encrypted else value.text
    if show:
        _print_exactly(clear)
    elif value.encrypted:
        age = "the newest" if value.key_id == room.vault.ring.newest().id else "an old one"
        output.say(f"{name} is set in {value.place}, encrypted with the key {value.key_id} ({age})")
    else:
        output.say(f"{name} is set in {value.place}, in clear")


@secrets.command("check")
@env_file_option
@hosts_option
@policy_option
@json_option
def check(env_file: Path | None, hosts_file: Path | None, policies: tuple[Path, ...], as_json: bool) -> int:
    """Look for secrets in clear, and try every encrypted value. Exit status 1 when something needs doing."""
    room = begin(env_file)
    documents = room.documents(hosts_file, policies)
    found = list(room.problems(documents))
    if as_json:
        keys = ("file", "line", "column", "name")
        rows = [
            {**{key: getattr(one.value, key) for key in keys}, "kind": one.kind, "what": one.what, "fix": one.fix}
            for one in found
        ]
        output.emit_json(rows)
    else:
        for one in found:
            output.say(f"{one.value.place}: {one.value.name}: {one.what}")
            output.say(f"  = help: {one.fix}")
        looked = ", ".join(str(document.path) for document in documents) or "no file"
        count = f"{len(found)} value{'' if len(found) == 1 else 's'}"
        output.say(f"{count} to do something about ({looked})" if found else f"nothing needs doing ({looked})")
    return EXIT_FAILED if found else EXIT_OK


@secrets.command("rotate")
@click.option("--finish", "finish_", is_flag=True, help="Remove the old keys, when no value needs them any more.")
@env_file_option
@hosts_option
@policy_option
def rotate(finish_: bool, env_file: Path | None, hosts_file: Path | None, policies: tuple[Path, ...]) -> None:
    """Make a new key and encrypt every value with it. The old keys stay until `rotate --finish`.

    Of each file that changes, a copy is kept beside it. Stopped half way, all values stay readable, and the next
    `rotate` goes on.
    """
    from tmux_sentry.config import rotation

    room = begin(env_file)
    with room.alone():
        documents = room.documents(hosts_file, policies)
        if finish_:
            _finish(room, [value for document in documents for value in document.values])
            return
        done = rotation.rotate(documents, room.vault)
    ring = room.vault.ring
    output.say(
        f"{'made the' if done.made else 'went on with the'} key {done.key.id}"
        + (f" in {ring.file}" if done.made else "")
    )
    for path in done.files:
        output.say(f"encrypted anew: {path}")
    for path in done.backups:
        output.say(f"kept a copy:    {path}")
    for value in room.environment():
        if value.encrypted and value.key_id != done.key.id:
            output.warn(f"{value.name} in the environment needs the key {value.key_id} yet; set it anew there")
    output.say("next: see that all works, then: tmux-sentry secrets rotate --finish (with the same files)")


def _finish(room: Room, values: Sequence[Value]) -> None:
    from tmux_sentry.config import rotation

    needed = rotation.needed_yet([*values, *room.environment()], room.vault)
    needed = needed or rotation.needed_yet(room.stored(), room.vault)
    for value in needed:
        output.say(f"{value.place}: {value.name}: needs the key {value.key_id or '?'}")
    if needed:
        fix = "tmux-sentry secrets rotate; a run that is open has to end first"
        raise SentryError("the old keys stay", f"{len(needed)} values are not encrypted with the newest one", fix)
    done = rotation.finish(room.vault)
    for key in done.removed:
        output.say(f"removed the key {key.id} from {key.origin}")
    for key in done.by_hand:
        output.say(f"the key {key.id} is not needed any more; take it out of {key.origin}")
    if done.backup is not None:
        output.say(f"kept a copy of the key file: {done.backup}; copies of files that are older need it")
    if not done.removed and not done.by_hand:
        output.say("there is one key only: nothing to remove")


@secrets.command("status")
@env_file_option
@hosts_option
@policy_option
@json_option
def status(env_file: Path | None, hosts_file: Path | None, policies: tuple[Path, ...], as_json: bool) -> None:
    """List the encrypted values: where they stand, and whether their key is the newest, an old or an unknown one."""
    room = begin(env_file)
    documents = room.documents(hosts_file, policies)
    values = [value for document in documents for value in document.values] + room.environment()
    rows = [(value, room.state(value)) for value in values if value.encrypted]
    if as_json:
        keys = ("file", "line", "column", "name")
        output.emit_json(
            [
                {**{key: getattr(value, key) for key in keys}, "key": value.key_id, "state": state}
                for value, state in rows
            ]
        )
        return
    if rows:
        output.table(_STATUS_COLUMNS, [(value.place, value.name, value.key_id, state) for value, state in rows])
    else:
        output.say("there is no encrypted value in " + (", ".join(str(one.path) for one in documents) or "any file"))
    for number, key in enumerate(room.vault.ring.keys):
        output.say(f"key {key.id} ({'an old one' if number else 'the newest'}) from {key.origin}")


def _read_value(name: str) -> str:
    """The secret, from stdin or the terminal. Raises UsageError when there is none."""
    if sys.stdin.isatty():
        value: str = click.prompt(f"Value of {name}", hide_input=True, confirmation_prompt=True)
    else:
        data = sys.stdin.buffer.read(_LONGEST + 1)
        if len(data) > _LONGEST:
            raise UsageError(f"the value is longer than {_LONGEST} bytes", "nothing was written")
        try:
            value = data.decode("utf-8")
        except UnicodeDecodeError:
            raise UsageError("the value is not UTF-8 text", "nothing was written") from None
        value = value.removesuffix("\n").removesuffix("\r")
    if not value:
        raise UsageError("there is no value on stdin", "nothing was written", f"tmux-sentry secrets set {name} < FILE")
    if "\0" in value:
        raise UsageError("the value contains a NUL character", "nothing was written")
    return value


def _print_exactly(value: str) -> None:
    """The one place where a secret leaves: past the redactor, because somebody asked for it."""
    if sys.stdout.isatty():
        # A value could hold what a terminal acts on.
        shown = "".join(char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in value)
        click.echo(shown)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(value.encode("utf-8"))
