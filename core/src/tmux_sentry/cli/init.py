"""`tmux-sentry init`: example files to start from, and the home directory."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.session import begin
from tmux_sentry.errors import SentryError

if TYPE_CHECKING:
    from tmux_sentry.contracts import Setting

_UNIT = """\
# A user unit: cp tmux-sentry.service ~/.config/systemd/user/ && systemctl --user enable --now tmux-sentry
[Unit]
Description=tmux-sentry: watch AI coding agents in tmux
After=network-online.target
# After five starts in ten minutes it stays down, and `systemctl --user status tmux-sentry` says why.
StartLimitIntervalSec=600
StartLimitBurst=5

[Service]
Type=notify
NotifyAccess=main
# It tells systemd that it makes progress; one that hangs is started anew, and goes on where it was.
WatchdogSec=30
TimeoutStopSec=15
WorkingDirectory={directory}
ExecStart={program} run --policy policies/default.yaml --env-file .env
Restart=always
RestartSec=5
UMask=0077

[Install]
WantedBy=default.target
"""


@click.command("init")
@click.argument("directory", default=".", type=click.Path(path_type=Path, file_okay=False))
def command(directory: Path) -> None:
    """Write example files into DIRECTORY and make ~/.tmux_sentry. A file that is there stays as it is."""
    from tmux_sentry.config.key_file import make_key_file
    from tmux_sentry.config.settings import key_file_of
    from tmux_sentry.state.files import private_directory

    session = begin(None)
    files = {
        "configs/hosts.example.yaml": (_example("configs/hosts.example.yaml"), 0o600),
        "policies/default.yaml": (_example("policies/default.yaml"), 0o644),
        ".env.example": (_env_example(session.registry.settings), 0o600),
        "tmux-sentry.service": (_UNIT.format(directory=directory.resolve(), program=_program()), 0o644),
    }
    for name, (text, mode) in files.items():
        path = directory / name
        output.say(f"{'wrote' if _write(path, text, mode) else 'kept '}  {path}")
    home = session.settings.home
    private_directory(home)
    for name in ("approvals", "backups", "recordings"):
        private_directory(home / name)
    key = key_file_of(session.settings.values, os.environ)
    made = make_key_file(key)
    output.say(f"ready  {home}")
    output.say(f"{'made ' if made else 'kept '}  {key}, the key of encrypted values")
    output.say("next: edit policies/default.yaml, then: tmux-sentry check --policy policies/default.yaml")


def _write(path: Path, text: str, mode: int) -> bool:
    """Write a new file; False when there is one, which is left alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    except FileExistsError:
        return False
    except OSError as error:
        raise SentryError(f"cannot write {path}", error.strerror or str(error), "name another DIRECTORY") from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return True


def _example(name: str) -> str:
    from importlib.resources import files

    return (files("tmux_sentry") / "examples" / name).read_text(encoding="utf-8")


def _env_example(of_plugins: Iterable[Setting]) -> str:
    from tmux_sentry.config.keys import KEY_VARIABLE
    from tmux_sentry.config.settings import core_settings

    lines = ["# Copy to .env, chmod 600, fill in what you use. The environment wins over this file."]
    known = {setting.name: setting for setting in (*of_plugins, *core_settings())}
    for setting in (known[name] for name in sorted(known)):
        if setting.name == KEY_VARIABLE:
            continue  # it locks this file
        lines += ["", f"# {setting.description}", f"#{setting.name}="]
    return "\n".join(lines) + "\n"


def _program() -> str:
    return shutil.which("tmux-sentry") or str(Path(sys.executable).with_name("tmux-sentry"))
