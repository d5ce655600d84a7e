"""Logging in to an SSH server: with key files, then the agent's keys, then the password.

Where only the keys that are listed count, those of them that the agent has come first, as with ssh itself.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TypeAlias

import paramiko
from paramiko.agent import AgentSSH

from tmux_sentry.errors import Unreachable
from tmux_sentry.security.sanitize import clean
from tmux_sentry.transport.public_keys import is_public, public_blobs
from tmux_sentry.transport.target import SshTarget, secret_variable

# What it is called, and the call: it returns what the server wants besides, usually nothing.
_Way: TypeAlias = tuple[str, Callable[[], list[str]]]


def log_in(transport: paramiko.Transport, target: SshTarget, called: str, timeout: float) -> None:
    """Log in on a connection whose host key is checked; `called` names the machine in messages.

    `timeout` is the seconds that the server may take for each answer, and the agent for the list of its keys. A key
    that cannot be used does not keep the others from being tried. Raises Unreachable with all that was tried.
    """
    transport.auth_timeout = timeout
    login = _Login(transport, target, timeout)
    with closing(login.ways()) as ways:
        for name, way in ways:
            begun = time.monotonic()
            try:
                wanted = way()
            except paramiko.BadAuthenticationType as error:
                login.tried.append(f"{name}: not taken, only {', '.join(error.allowed_types)}")
            except (paramiko.SSHException, EOFError, OSError) as error:
                late = time.monotonic() - begun >= timeout
                why = f"no answer within {timeout:g} s" if late else _refusal(transport, error)
                login.tried.append(f"{name}: {why}")
                if late or not transport.is_active():
                    break
            else:
                if not wanted:
                    return
                login.tried.append(f"{name}: accepted, but {' or '.join(wanted)} is wanted too")
    why = clean("; ".join(login.tried) or "there is no key file, no key in an ssh agent and no password", 1000)
    raise Unreachable(f"{called}: no login as {clean(target.user)}", why, login.fix)


def _refusal(transport: paramiko.Transport, error: Exception) -> str:
    if type(error) is paramiko.AuthenticationException:
        return "refused" if transport.is_active() else "the server ended the connection"
    return str(error) or type(error).__name__


class _Login:
    """The ways that there are, in their order, and what became of those that were gone."""

    def __init__(self, transport: paramiko.Transport, target: SshTarget, timeout: float) -> None:
        self._transport, self._target, self._timeout = transport, target, timeout
        self._held: frozenset[bytes] = frozenset()  # the listed keys that the agent has
        self.tried: list[str] = []
        self.fix = "check ssh.user and ssh.key_files in hosts.yaml, and ~/.ssh/authorized_keys on that machine"

    def ways(self) -> Generator[_Way, None, None]:
        """Each when it is asked for: a key that is not needed is not decrypted."""
        target = self._target
        if target.agent and target.listed_only:
            listed = frozenset[bytes]().union(*map(public_blobs, target.key_files))
            yield from self._agent(listed)
        yield from self._files()
        if target.agent and not target.listed_only:
            yield from self._agent()
        if target.password:
            yield "password", partial(self._transport.auth_password, target.user, target.password)

    def _files(self) -> Generator[_Way, None, None]:
        target = self._target
        for path in target.key_files:
            try:
                key = _load(path, target.key_passphrase)
            except _Unusable as error:
                if self._held & public_blobs(path):
                    continue  # the agent had it: what kept that from working is told already
                self.tried.append(f"key {path}: {error}")
                if error.locked:
                    variable = secret_variable("key_passphrase", target.called)
                    self.fix = f"set {variable} in the env file" + (f", or: ssh-add {path}" if target.agent else "")
            else:
                yield f"key {path}", partial(self._transport.auth_publickey, target.user, key)

    def _agent(self, listed: frozenset[bytes] | None = None) -> Generator[_Way, None, None]:
        """The agent's keys; with `listed` only those."""
        path = os.environ.get("SSH_AUTH_SOCK")
        if not path:
            return
        try:
            agent = _Agent(path, self._timeout)
        except Exception as error:  # also whatever the libraries say to a key of an odd kind
            self.tried.append(f"ssh agent: {error}")
            return
        with closing(agent):
            keys = [key for key in agent.get_keys() if listed is None or key.blob in listed]
            self._held = frozenset(key.blob for key in keys)
            if not keys and agent.get_keys():
                self.tried.append("ssh agent: it has none of the keys that are listed (IdentitiesOnly)")
            for key in keys:
                name = key.comment or key.fingerprint
                yield f"agent's key {name}", partial(self._transport.auth_publickey, self._target.user, key)


class _Agent(AgentSSH):
    """The user's ssh agent. paramiko's own class waits without end for one that hangs, as a forwarded one may."""

    def __init__(self, path: str, timeout: float) -> None:
        """Ask for the keys. Raises OSError, SSHException."""
        super().__init__()
        self._sock = socket.socket(socket.AF_UNIX)
        try:
            self._sock.settimeout(timeout)
            self._sock.connect(path)
            self._connect(self._sock)  # type: ignore[attr-defined]  # as paramiko.Agent does
            # A signature may wait for a touch or a word of the user's; the login has a time limit itself.
            self._sock.settimeout(None)
        except BaseException:
            self._sock.close()
            raise

    def close(self) -> None:
        """End the connection, and with it the wait for a signature."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


class _Unusable(Exception):
    def __init__(self, why: str, *, locked: bool = False) -> None:
        super().__init__(why)
        self.locked = locked


def _load(path: Path, passphrase: str | None) -> paramiko.PKey:
    """A private key, with the certificate that is beside it. Raises _Unusable."""
    try:
        return paramiko.PKey.from_path(path)
    except TypeError:
        pass  # it is encrypted (measured with paramiko 5.1 on cryptography 50, for each format of key)
    except OSError as error:
        raise _Unusable(error.strerror or str(error)) from None
    except Exception:  # the libraries have many, for a file that is no key and for a kind that they do not know
        public = "a public key, with which only an ssh agent that has the private one can log in"
        raise _Unusable(public if is_public(path) else "not a private key that is supported") from None
    if not passphrase:
        raise _Unusable("encrypted, and there is no passphrase for it", locked=True)
    try:
        # Bytes, though its annotation says text: cryptography takes nothing else.
        return paramiko.PKey.from_path(path, password=passphrase.encode())  # type: ignore[arg-type]
    except Exception:
        raise _Unusable("its passphrase is wrong", locked=True) from None
