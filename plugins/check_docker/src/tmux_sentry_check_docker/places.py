"""Which Docker is meant: that of the pane's host, or the one that the settings name."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from tmux_sentry import CheckRequest, HostAccess, clean
from tmux_sentry_check_docker.programs import ThisMachine
from tmux_sentry_check_docker.streams import Dial, NoWay, over_host, over_ssh, over_tcp, over_unix

VARIABLES = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
SOCKET = "unix:///var/run/docker.sock"
# What goes to ssh as an argument: nothing that it could take for an option.
_SSH_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,252}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """One Docker: its name for people, the way to its engine, and the machine whose `docker` program reaches it.

    `there`: nothing that we know of says that the engine is on another machine than that program.
    """

    name: str
    dial: Dial
    machine: HostAccess
    there: bool = True


def place(request: CheckRequest, settings: Mapping[str, str]) -> Place:
    """The Docker that the request is about. Raises NoWay for settings that name none."""
    if request.config.get("docker", "host") == "host" and request.host is not None:
        return Place(clean(request.host.name, 60), over_host(request.host), request.host)
    set_ones = {name: settings[name] for name in VARIABLES if settings.get(name)}
    if "DOCKER_CERT_PATH" in set_ones:  # alone, it would have the `docker` program not verify the server
        set_ones.setdefault("DOCKER_TLS_VERIFY", "1")
    there = set_ones.get("DOCKER_HOST", SOCKET).startswith("unix://")
    return Place(ThisMachine.name, named(settings), ThisMachine(set_ones), there)


def named(settings: Mapping[str, str]) -> Dial:
    """The way that DOCKER_HOST and the variables beside it say. Raises NoWay."""
    address = settings.get("DOCKER_HOST", "") or SOCKET
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise NoWay("DOCKER_HOST cannot be read: give unix://, tcp:// or ssh://") from None
    if parts.scheme == "unix":
        return over_unix(address.removeprefix("unix://"))
    if parts.scheme == "tcp" and host and port is not None and not parts.username:
        secured = bool(settings.get("DOCKER_TLS_VERIFY") or settings.get("DOCKER_CERT_PATH"))
        return over_tcp(host, port, _certificates(settings) if secured else None)
    if parts.scheme == "ssh" and host:
        return over_ssh(_ssh(host, port, parts.username, parts.password, parts.path))
    raise NoWay("DOCKER_HOST must be unix:///path, tcp://host:port or ssh://user@host")


def _ssh(host: str, port: int | None, user: str | None, password: str | None, path: str) -> list[str]:
    """What to run. Raises NoWay."""
    if password is not None or path not in ("", "/"):
        raise NoWay("DOCKER_HOST: ssh:// takes no password and no path, only ssh://user@host:port")
    if not _SSH_NAME.fullmatch(host) or (user is not None and not _SSH_NAME.fullmatch(user)):
        raise NoWay("DOCKER_HOST: that is no name for ssh")
    # BatchMode: never ask. The rest is the user's ssh configuration, as with the docker program itself.
    argv = ["ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
    argv += ["-p", str(port)] if port is not None else []
    argv += ["-l", user] if user is not None else []
    return [*argv, "--", host, "docker", "system", "dial-stdio"]


def _certificates(settings: Mapping[str, str]) -> Callable[[], ssl.SSLContext]:
    """TLS with the client's certificate. The server's is always verified: by half measures anybody could answer."""

    def context() -> ssl.SSLContext:
        folder = os.path.expanduser(settings.get("DOCKER_CERT_PATH") or "~/.docker")
        authority, certificate, key = (os.path.join(folder, f"{name}.pem") for name in ("ca", "cert", "key"))
        try:
            made = ssl.create_default_context(cafile=authority)
            # A key with a passphrase would ask at the terminal: "" is a wrong answer, and an error.
            made.load_cert_chain(certificate, key, password=lambda: "")
            return made
        except (OSError, ValueError) as error:
            why = clean(getattr(error, "strerror", None) or type(error).__name__, 100)
            raise NoWay(f"DOCKER_CERT_PATH: ca.pem, cert.pem and key.pem cannot be used: {why}") from None

    return context
