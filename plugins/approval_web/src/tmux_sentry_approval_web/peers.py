"""Who asks, by which name and how: what a trusted proxy says of it, and what nobody else may."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from tmux_sentry_approval_web.settings import IPAddress, Settings, split_host

#: Names that mean this machine, whatever it listens on.
_HERE = ("127.0.0.1", "localhost", "::1")
#: Hops of X-Forwarded-For that are looked at.
_HOPS = 20
Headers = Sequence[tuple[bytes, bytes]]


class Unwelcome(Exception):
    """This request is not answered; `status` is the answer's."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """`client` is what bad links are counted by; `secure` is whether the browser reached us by https."""

    client: str
    secure: bool


class Doorkeeper:
    """Knows our own names. `port` is the one that we listen on."""

    def __init__(self, settings: Settings, port: int) -> None:
        self._settings = settings
        self._base = urlsplit(settings.base)
        own = "https" if settings.cert else "http"
        names = {(name, port, own) for name in (*_HERE, settings.host)}
        if settings.base:
            default = 443 if self._base.scheme == "https" else 80
            names.add((str(self._base.hostname), self._base.port or default, self._base.scheme))
        self._names = names

    def meet(self, address: str, scheme: str, headers: Headers) -> Peer:
        """Who a request at `address` comes from. Raises Unwelcome."""
        peer = _address(address)
        trusted = peer is not None and self._is_proxy(peer)
        if not (trusted or self._settings.cert or peer is None or peer.is_loopback):
            raise Unwelcome(403, "without TLS only the proxy may ask here")
        name = self._name(headers, trusted)
        said = _last(headers, b"x-forwarded-proto") if trusted else ""
        https = scheme == "https" or said.lower() == "https" or self._is_base(name)
        return Peer(client=_group(self._origin(peer, headers) if trusted else peer), secure=https)

    def is_own(self, origin: str) -> bool:
        """Whether an Origin header names one of our own origins."""
        try:
            parts = urlsplit(origin)
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
            return (str(parts.hostname), port, parts.scheme) in self._names
        except ValueError:
            return False

    def _name(self, headers: Headers, trusted: bool) -> tuple[str, int | None]:
        """The name that the browser used. A page of somebody else's, whose name was pointed at this machine, has
        another one (DNS rebinding). Raises Unwelcome."""
        hosts = [value for key, value in headers if key == b"host"]
        if len(hosts) != 1:
            raise Unwelcome(400, "a request has one Host header")
        said = (_last(headers, b"x-forwarded-host") if trusted else "") or hosts[0].decode("latin-1")
        name = split_host(said)
        if name is None:
            raise Unwelcome(400, "the Host header is none")
        known = {(host, port) for host, port, _ in self._names}
        ports = (name[1],) if name[1] is not None else (80, 443)
        if not any((name[0], port) in known for port in ports):
            raise Unwelcome(421, "these pages have another name")
        return name

    def _is_base(self, name: tuple[str, int | None]) -> bool:
        """Under the name of an https address only https gets here, also where no proxy says so."""
        return self._base.scheme == "https" and (name[0], name[1] or 443) == (
            self._base.hostname,
            self._base.port or 443,
        )

    def _is_proxy(self, address: IPAddress) -> bool:
        return any(address in network for network in self._settings.proxies if network.version == address.version)

    def _origin(self, peer: IPAddress | None, headers: Headers) -> IPAddress | None:
        """From the right, the first that is no proxy of ours: what stands left of it anybody can have written."""
        found = peer
        for text in reversed(_all(headers, b"x-forwarded-for")[-_HOPS:]):
            address = _address(text)
            if address is None:
                break
            found = address
            if not self._is_proxy(address):
                break
        return found


def _all(headers: Headers, name: bytes) -> list[str]:
    values = [value.decode("latin-1") for key, value in headers if key == name]
    return [part.strip() for part in ",".join(values).split(",") if part.strip()]


def _last(headers: Headers, name: bytes) -> str:
    """What the nearest proxy has added."""
    return next(reversed(_all(headers, name)), "")


def _address(text: str) -> IPAddress | None:
    try:
        address = ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _group(address: IPAddress | None) -> str:
    """One customer usually has a /64 of IPv6."""
    if address is not None and address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
