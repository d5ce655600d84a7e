"""Puts our hooks into an agent's configuration file, takes them out, and says how they are."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tmux_sentry.agent_hooks import settings, texts
from tmux_sentry.agent_hooks.agents import Agent
from tmux_sentry.agent_hooks.jsontext import NotStrict
from tmux_sentry.config.permissions import user_name
from tmux_sentry.config.replacing import alone, back_up, delete_file, replace_file
from tmux_sentry.errors import Refused, SentryError

LONGEST = 4_000_000  # bytes of a configuration file
_LOCK = "an agent's configuration"
_WHY = "hooks"  # in the name of each copy
_LOOKED_AT = 5  # newest copies in which the text before our hooks is looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An agent after a command. `state`: installed, not installed, outdated, needs trust, off, broken, not found."""

    agent: str
    state: str
    file: Path
    note: str = ""
    changed: bool = False
    backup: Path | None = None


class Places:
    """Where the agents of one user are."""

    def __init__(self, environ: Mapping[str, str], home: Path) -> None:
        self._environ, self._home = environ, home

    def file(self, agent: Agent) -> Path:
        """The agent's configuration file, which may not be there."""
        return agent.file_in(self._environ, self._home)

    def missing(self, agent: Agent) -> str:
        """Why there is no such agent here; "" when its configuration or its program is."""
        file = self.file(agent)
        there = file if agent.kind == "lines" else file.parent.parent if agent.kind == "plugin" else file.parent
        if there.exists() or shutil.which(agent.name, path=self._environ.get("PATH")):
            return ""
        return f"neither {there} nor a program {agent.name} is there"


def install(agent: Agent, places: Places) -> Outcome:
    """Add our hooks; what is there stays. Raises Refused when it cannot, SentryError when writing fails."""
    file = places.file(agent)
    _make_directory(file.parent)
    with alone(file.parent, _LOCK):
        before = _read(file)
        text = _decoded(file, before)
        try:
            after = texts.with_ours(agent, text)
        except NotStrict as error:
            raise _refused(file, error, "nothing changed; add by hand what is shown below") from None
        backup = _replace(agent, file, before, text, after)
    return _status(agent, file, after, changed=after != text, backup=backup)


def remove(agent: Agent, places: Places) -> Outcome:
    """Take our hooks out; a file that we made goes too when nothing else is in it. Raises as `install` does."""
    file = places.file(agent)
    if not file.parent.is_dir():
        return Outcome(agent=agent.name, state="not installed", file=file)
    with alone(file.parent, _LOCK):
        before = _read(file)
        text = _decoded(file, before)
        if text is None:
            return Outcome(agent=agent.name, state="not installed", file=file)
        try:
            after = texts.without_ours(agent, text)
        except NotStrict as error:
            raise _refused(file, error, "nothing changed; take out by hand what names tmux-sentry") from None
        if after is not None and after != text:
            after = _as_it_was(agent, file, text, after)
        backup = _replace(agent, file, before, text, after)
    if agent.kind == "plugin" and after is None and not any(file.parent.iterdir()):
        with suppress(OSError):  # somebody was faster
            file.parent.rmdir()  # opencode looks for packages as soon as there is such a folder
    return Outcome(agent=agent.name, state="not installed", file=file, changed=after != text, backup=backup)


def status(agent: Agent, places: Places) -> Outcome:
    """How our hooks are. Raises nothing."""
    file = places.file(agent)
    try:
        text = _decoded(file, _read(file))
        if text is None:
            missing = places.missing(agent)
            state = "not found" if missing else "not installed"
            return Outcome(agent=agent.name, state=state, file=file, note=missing)
        return _status(agent, file, text)
    except SentryError as error:
        return Outcome(agent=agent.name, state="broken", file=file, note="; ".join(error.lines()[:2]))


def _status(agent: Agent, file: Path, text: str, *, changed: bool = False, backup: Path | None = None) -> Outcome:
    try:
        state, note = _state(agent, file, text)
    except NotStrict as error:
        state, note = "broken", f"{file}:{error.line}:{error.column}: {error.why}"
    return Outcome(agent=agent.name, state=state, file=file, note=note, changed=changed, backup=backup)


def _state(agent: Agent, file: Path, text: str) -> tuple[str, str]:
    """The state of our hooks in `text`, and what is to be said of it. Raises NotStrict."""
    if not texts.has_ours(agent, text):
        return "not installed", ""
    if texts.with_ours(agent, text) != text:
        return "outdated", f"not what this version would write: tmux-sentry hooks install --agent {agent.name}"
    if agent.kind == "settings" and settings.is_off(text, agent):
        assert agent.off is not None
        path, value = agent.off
        return "off", f"{agent.title} runs no hooks: {'.'.join(path)} is {json.dumps(value)}"
    if agent.trusts and not _trusted(file, text):
        return "needs trust", f"{agent.title} asks at its next start: answer that you trust these hooks"
    return "installed", ""


def _trusted(file: Path, text: str) -> bool:
    """Whether Codex has noted for each hook of ours that the user trusts it.

    It does so in config.toml beside the file, in a table with the name FILE:EVENT:GROUP:HOOK. Its hash is Codex's own
    and is not checked, so hooks that were trusted in another form look trusted until Codex asks again.
    """
    try:
        config = _decoded(file, _read(file.with_name("config.toml"))) or ""
    except SentryError:
        return False
    for _, event, group, _, hook in settings.ours(text):
        words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in str(event))
        names = [json.dumps(f"{path}:{words[1:]}:{group}:{hook}") for path in (file, os.path.realpath(file))]
        if not any(f"[hooks.state.{name}]" in config for name in names):
            return False
    return True


def _read(file: Path) -> bytes | None:
    """What is in `file`; None when there is none. Raises Refused, SentryError."""
    try:
        # Not blocked by a pipe that nobody writes to.
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if file.is_symlink():
            raise Refused(f"{file} leads nowhere", f"it is a link to {os.readlink(file)}", "remove it") from None
        return None
    except OSError as error:
        raise SentryError(f"cannot read {file}", error.strerror or str(error), "nothing changed") from error
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Refused(f"{file} is not a file", "", "nothing changed")
        data = stream.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise Refused(f"{file} is larger than {LONGEST // 1_000_000} MB", "", "nothing changed")
    return data


def _decoded(file: Path, data: bytes | None) -> str | None:
    try:
        return None if data is None else data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1 if data else 1
        raise Refused(f"{file}:{line}:1: it is not UTF-8", "", "nothing changed") from None


def _replace(agent: Agent, file: Path, before: bytes | None, text: str | None, after: str | None) -> Path | None:
    """Write `after` (None: no file) and return the copy of what was there. Raises Refused, SentryError."""
    if after == text:
        return None
    if before is not None:
        _refuse_foreign(file)
    # A plugin's file is ours alone, and a copy would keep its folder from being empty.
    backup = back_up(file, _WHY, before) if before is not None and agent.kind != "plugin" else None
    if after is None and before is not None:
        delete_file(file, before)
    elif after is not None:
        replace_file(file, before, after.encode("utf-8"))
    return backup


def _copies(file: Path) -> list[Path]:
    """What was there before each change of ours, the newest first."""
    target = Path(os.path.realpath(file))
    start = f"{target.name}.before-{_WHY}-"
    return sorted((one for one in target.parent.iterdir() if one.name.startswith(start)), reverse=True)


def _as_it_was(agent: Agent, file: Path, text: str, after: str) -> str | None:
    """The copy from which `install` made `text`, to the byte, empty lists and all; else `after`.

    None for a file that nothing is in and of which there is no copy: we made it.
    """
    copies = _copies(file)
    for copy in copies[:_LOOKED_AT]:
        with suppress(SentryError, NotStrict):
            before = _decoded(copy, _read(copy))
            if before is not None and before != text and texts.with_ours(agent, before) == text:
                return before
    return None if texts.is_empty(after) and not copies else after


def _refuse_foreign(file: Path) -> None:
    """Before a copy is made. Raises Refused."""
    there = file.stat()
    if there.st_uid != os.geteuid():
        raise Refused(f"{file} is not changed", f"it belongs to {user_name(there.st_uid)}, not to you")
    if not there.st_mode & stat.S_IWUSR:
        fix = f"if that is not meant: chmod u+w {shlex.quote(str(file))}"
        raise Refused(f"{file} is not changed", "it is read-only", fix)


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SentryError(f"cannot make {directory}", error.strerror or str(error), "nothing changed") from error


def _refused(file: Path, error: NotStrict, fix: str) -> Refused:
    return Refused(f"{file}:{error.line}:{error.column}: {error.why}", "so it is not changed", fix)
