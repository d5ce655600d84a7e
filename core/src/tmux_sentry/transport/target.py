"""Where an SSH connection goes, and as whom."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SshTarget:
    """One machine to connect to, through `jumps` where there are any.

    Everything is resolved: names are those to dial, `~` is expanded, secrets are in clear.
    """

    name: str = ""  # what messages call it: its name in hosts.yaml, for a jump also what stands there
    hostname: str
    port: int = 22
    user: str
    key_files: tuple[Path, ...] = ()
    key_passphrase: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    agent: bool = True  # whether keys of the user's ssh agent are offered
    listed_only: bool = False  # of the agent's keys, only those that `key_files` name
    known_hosts: tuple[Path, ...] = ()
    proxy_command: str | None = None  # a shell command whose stdin and stdout are the connection
    jumps: tuple[SshTarget, ...] = ()  # dialled one through the other, the first one directly; none has jumps itself
    trust: str = ""  # the command that shows this machine's key and asks whether to trust it

    @property
    def address(self) -> str:
        """`host:port`, for people."""
        return f"[{self.hostname}]:{self.port}" if ":" in self.hostname else f"{self.hostname}:{self.port}"

    @property
    def called(self) -> str:
        """What messages call it."""
        return self.name or self.address


def secret_variable(key: str, name: str) -> str:
    """The variable that holds a secret of the machine `name`; `key` is "password" or "key_passphrase"."""
    return f"SSH_{key.upper()}_{re.sub('[^A-Z0-9]', '_', name.upper())}"
