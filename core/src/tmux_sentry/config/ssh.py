"""From hosts.yaml, ~/.ssh/config and the variables to where an SSH connection goes.

hosts.yaml wins over the ssh config, and that over ssh's own defaults.
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tmux_sentry.config.hosts import Host
from tmux_sentry.config.ssh_config import SshConfig, SshConfigHost
from tmux_sentry.errors import UsageError
from tmux_sentry.transport.known_hosts import SYSTEM_KNOWN_HOSTS
from tmux_sentry.transport.target import SshTarget, secret_variable

_DEFAULT_PORT = 22
_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
_JUMP = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?:\[(?P<ip6>[^]]+)\]|(?P<name>[^:@\[\],/\s]+))(?::(?P<port>[0-9]{1,5}))?"
)


def target_of(host: Host, hosts: Sequence[Host], values: Mapping[str, str], user_home: Path) -> SshTarget:
    """Where `host` is and how to log in; `hosts` are all of the file, for its jumps, and `values` the variables.

    Raises UsageError for what cannot be used: a jump that leads back, a port that is none, an unreadable ssh config.
    """
    named = [] if host.file is None else ["--hosts", str(host.file)]
    trust = shlex.join(["tmux-sentry", "hosts", "trust", host.name, *named])
    resolver = _Resolver({one.name: one for one in hosts}, values, user_home, trust)
    return resolver.target(host.name, host.ssh, ())


@dataclass(frozen=True, slots=True)
class _Resolver:
    hosts: Mapping[str, Host]
    values: Mapping[str, str]
    home: Path
    trust: str

    def target(self, name: str, ssh: Mapping[str, Any], before: tuple[str, ...]) -> SshTarget:
        """The machine `name` with these settings; `before` are those whose first jump it is, the last one next."""
        config = self._lookup(ssh, (*before, name)[0])
        entries = ssh.get("proxy_jump", config.proxy_jump or ())
        return SshTarget(
            name=name,
            hostname=config.hostname,
            port=config.port or _DEFAULT_PORT,
            user=config.user or _current_user(name),
            key_files=self._key_files(ssh, config),
            key_passphrase=self._secret("key_passphrase", name, ssh),
            password=self._secret("password", name, ssh),
            agent=ssh.get("agent", True),
            listed_only="agent" not in ssh and config.identities_only,
            known_hosts=self._known_hosts(ssh, config),
            proxy_command=None if "proxy_jump" in ssh else config.proxy_command,
            jumps=self._jumps(entries, ssh, (*before, name)),
            trust=self.trust,
        )

    def _jumps(self, entries: Sequence[str], ssh: Mapping[str, Any], before: tuple[str, ...]) -> tuple[SshTarget, ...]:
        chain: list[SshTarget] = []
        for index, entry in enumerate(entries):
            name, settings = self._jump(entry, ssh, before[0])
            if name in before:
                why, fix = " -> ".join((*before, name)), "give the machine that is reached directly proxy_jump: []"
                raise UsageError(f"{before[0]}: its jumps lead in a circle", why, fix)
            if index:
                settings = {**settings, "proxy_jump": []}  # the jump before it leads there, as with ssh -J
            hop = self.target(name, settings, before)
            chain += [*hop.jumps, replace(hop, jumps=())]
        return tuple(chain)

    def _jump(self, entry: str, ssh: Mapping[str, Any], of: str) -> tuple[str, Mapping[str, Any]]:
        """A jump's name and settings: those of a host of the file, or what the ssh config makes of it."""
        match = _JUMP.fullmatch(entry.strip())
        if match is None or not 0 < int(match["port"] or _DEFAULT_PORT) < 65536:
            raise UsageError(f"{of}: its jump {entry!r} is not [user@]host[:port]")
        name = match["ip6"] or match["name"]
        given: dict[str, Any] = {"user": match["user"]} if match["user"] else {}
        if match["port"]:
            given["port"] = int(match["port"])
        host = self.hosts.get(name)
        if host is None:
            inherited = {key: ssh[key] for key in ("config", "allow_exec") if key in ssh}
            return name, {"hostname": name, **inherited, **given}
        if host.transport != "ssh":
            raise UsageError(f"{of}: its jump {name} is this machine", "", "name a host with transport: ssh")
        return name, {**host.ssh, **given}

    def _lookup(self, ssh: Mapping[str, Any], of: str) -> SshConfigHost:
        """What the ssh config says; `of` is the host that this is for."""
        try:
            return self._config(ssh).lookup(ssh["hostname"], ssh.get("user"), ssh.get("port"))
        except UsageError as error:
            raise UsageError(f"{of}: {error.what}", error.why, error.fix) from error

    def _config(self, ssh: Mapping[str, Any]) -> SshConfig:
        named = ssh.get("config")
        path = self._path(named) if named else self.home / ".ssh" / "config"
        if named is False or (named is None and not path.exists()):
            return SshConfig()
        return SshConfig.read(path, self.home, allow_exec=ssh.get("allow_exec", False))

    def _key_files(self, ssh: Mapping[str, Any], config: SshConfigHost) -> tuple[Path, ...]:
        if "key_files" in ssh:
            return tuple(map(self._path, ssh["key_files"]))
        if config.identity_files is not None:
            return config.identity_files
        return tuple(path for name in _DEFAULT_KEYS if (path := self.home / ".ssh" / name).exists())

    def _known_hosts(self, ssh: Mapping[str, Any], config: SshConfigHost) -> tuple[Path, ...]:
        """The file of hosts.yaml alone; otherwise the user's, as the ssh config says, and the system's."""
        if "known_hosts" in ssh:
            return (self._path(ssh["known_hosts"]),)
        own = config.user_known_hosts
        if own is None:
            own = (self.home / ".ssh" / "known_hosts", self.home / ".ssh" / "known_hosts2")
        return (*own, SYSTEM_KNOWN_HOSTS)

    def _secret(self, key: str, name: str, ssh: Mapping[str, Any]) -> str | None:
        return ssh.get(key) or self.values.get(secret_variable(key, name)) or self.values.get(f"SSH_{key.upper()}")

    def _path(self, text: str) -> Path:
        return self.home / text[2:] if text.startswith("~/") else Path(text).absolute()


def _current_user(name: str) -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        raise UsageError(f"{name}: no user is named", f"uid {os.getuid()} has no name here", "add ssh.user") from None
