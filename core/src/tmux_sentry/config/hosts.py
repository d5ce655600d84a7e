"""hosts.yaml: the machines, their tmux servers, and how each is watched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tmux_sentry.config.diagnostics import in_order, validate
from tmux_sentry.config.opening import opened
from tmux_sentry.config.permissions import chmod_line, read_trusted
from tmux_sentry.config.schema import load_schema
from tmux_sentry.config.source import Source, parse_source
from tmux_sentry.config.vault import Vault
from tmux_sentry.contracts import AgentState
from tmux_sentry.errors import Diagnostic, InvalidConfig
from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.transport.target import secret_variable

FILE_NAME = "hosts.yaml"
_PATH_KEYS = ("key_files", "known_hosts", "config")
_SECRET_KEYS = ("password", "key_passphrase")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchConfig:
    """How a host's panes are watched; `sessions` and `prompt` are RE2 patterns, no sessions means all."""

    method: Literal["auto", "stream", "poll"] = "auto"
    sessions: tuple[str, ...] = ()
    notify: tuple[AgentState, ...] = ()
    prompt: str | None = None
    max_panes: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One machine; `ssh` is its connection as the file has it, paths whole but for `~`, empty for a local one.

    `timezone` is the name of the zone that its clocks are read in; None: the host is asked. `file` is the hosts file
    where a command has to name it; None: it is found without.
    """

    name: str
    transport: Literal["local", "ssh"] = "local"
    tmux: TmuxAddress = field(default_factory=TmuxAddress)
    watch: WatchConfig = field(default_factory=WatchConfig)
    ssh: Mapping[str, Any] = field(default_factory=dict, repr=False)
    tags: tuple[str, ...] = ()
    timezone: str | None = None
    file: Path | None = field(default=None, compare=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What the file gives away, for the redactor."""
        return tuple(self.ssh[key] for key in _SECRET_KEYS if key in self.ssh)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostsFile:
    """The hosts, the file they came from (None: there is none, and this machine is meant), and what to tell."""

    hosts: tuple[Host, ...]
    path: Path | None = None
    warnings: tuple[Diagnostic, ...] = ()


def load_hosts(path: Path | None, home: Path, here: Path | None = None) -> tuple[Host, ...]:
    """The hosts of `path`, or without one of `hosts.yaml` in `here` (the current directory), then in `home`,
    or else this machine with its default tmux server, named "here". Raises as `read_hosts` does."""
    return find_hosts(path, home, here).hosts


def find_hosts(path: Path | None, home: Path, here: Path | None = None, vault: Vault | None = None) -> HostsFile:
    """As `load_hosts`, with the file and the warnings; `vault` opens its encrypted values."""
    found = hosts_path(path, home, here)
    if found is None:
        return HostsFile(hosts=(Host(name="here"),))
    return read_hosts(found, vault, named=path is not None)


def hosts_path(path: Path | None, home: Path, here: Path | None = None) -> Path | None:
    """The hosts file that counts: `path`, else the first of the two that is there."""
    places = [folder / FILE_NAME for folder in (here or Path(), home)]
    return path or next((place for place in places if place.exists()), None)


def read_hosts(path: Path, vault: Vault | None = None, *, named: bool = True) -> HostsFile:
    """Read one file; `named`: by the user. Raises InvalidConfig with every finding, UsageError when it cannot be read,
    and Refused when others may write to it: who names the hosts decides where keys are typed."""
    text, readable = read_trusted(path, "hosts file")
    source = opened(parse_source(text.encode("utf-8"), str(path)), vault or Vault())
    found = validate(source, load_schema("hosts"))
    found = in_order([*found, *(one for one in _meaning(source) if one not in found)])
    if found:
        raise InvalidConfig(found)
    hosts = tuple(_host(host, path, named) for host in source.value["hosts"])
    return HostsFile(hosts=hosts, path=path, warnings=tuple(_in_clear(source, path, readable)))


def _meaning(source: Source) -> list[Diagnostic]:
    """What the schema cannot say: names given twice, ssh settings of a local host."""
    found: list[Diagnostic] = []
    first: dict[str, int] = {}
    for index, host in _mappings(source):
        name = host.get("name")
        if isinstance(name, str):
            where = ("hosts", index, "name")
            if name in first:
                found.append(source.diagnostic(where, f"a second host is named '{name}' (first in line {first[name]})"))
            first.setdefault(name, source.mark(where).line)
        if "ssh" in host and host.get("transport") != "ssh":
            where = ("hosts", index, "ssh")
            help = "write transport: ssh, or remove it"
            found.append(source.diagnostic(where, "is only for hosts with transport: ssh", help=help, key=True))
    return found


def _mappings(source: Source) -> list[tuple[int, Mapping[str, Any]]]:
    hosts = source.value.get("hosts")
    return (
        [(index, host) for index, host in enumerate(hosts) if isinstance(host, dict)] if isinstance(hosts, list) else []
    )


def _in_clear(source: Source, path: Path, readable: bool) -> list[Diagnostic]:
    """A warning for each secret: files like this one are copied, shown and committed. `readable`: by others."""
    return [
        source.diagnostic(
            ("hosts", index, "ssh", key),
            "is in clear, where others can read it" if readable else "is in clear",
            help=f"{f'{chmod_line(path)}; then ' if readable else ''}"
            f"put it in the env file as {secret_variable(key, host['name'])}, or use the ssh agent",
            key=True,
            warning=True,
            secret=True,
        )
        for index, host in _mappings(source)
        for key in host.get("ssh", {})
        if key in _SECRET_KEYS and ("hosts", index, "ssh", key) not in source.secret
    ]


def _host(source: Mapping[str, Any], path: Path, named: bool) -> Host:
    watch = source.get("watch", {})
    return Host(
        name=source["name"],
        transport=source.get("transport", "local"),
        tmux=TmuxAddress(**source.get("tmux", {})),
        watch=WatchConfig(
            **{
                **watch,
                "sessions": tuple(watch.get("sessions", ())),
                "notify": tuple(AgentState(word) for word in watch.get("notify", ())),
            }
        ),
        ssh=_beside(source.get("ssh", {}), path.absolute().parent),
        tags=tuple(source.get("tags", ())),
        timezone=source.get("timezone"),
        file=path if named else None,
    )


def _beside(ssh: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The settings with their paths taken from the file's folder."""

    def whole(value: Any) -> Any:
        if isinstance(value, list):
            return [whole(one) for one in value]
        return value if not isinstance(value, str) or value.startswith("~/") else str(folder / value)

    return {key: whole(value) if key in _PATH_KEYS else value for key, value in ssh.items()}
