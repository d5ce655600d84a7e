"""What the variables say, and what is wrong with them. Opens nothing and never raises: a factory must not."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from tmux_sentry import clean

DEFAULT = "127.0.0.1:8790"
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`base` is an origin such as "https://sentry.example.org", or "". `fatal` says why nothing can be served, `advice`
    what is missing although the pages are there; both are sentences for the person who sets this up."""

    host: str = "127.0.0.1"  # a literal address
    port: int = 8790  # 0: any free one, for tests
    base: str = ""
    cert: str = ""
    key: str = ""
    proxies: tuple[Network, ...] = ()
    fatal: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the pages."""
        return ipaddress.ip_address(self.host).is_loopback

    @property
    def https(self) -> bool:
        """Whether people reach the pages by https."""
        return bool(self.cert) or self.base.startswith("https://")


def read(values: Mapping[str, str]) -> Settings:
    """The settings of these variables."""
    fatal: list[str] = []
    advice: list[str] = []
    host, port = _listen(values.get("APPROVAL_LISTEN", "").strip() or DEFAULT, fatal)
    cert, key = (values.get(name, "").strip() for name in ("APPROVAL_TLS_CERT", "APPROVAL_TLS_KEY"))
    if bool(cert) != bool(key):
        fatal.append("set both APPROVAL_TLS_CERT and APPROVAL_TLS_KEY, or neither")
    proxies = _networks(values.get("APPROVAL_TRUSTED_PROXIES", ""), fatal)
    found = Settings(
        host=host,
        port=port,
        base=_base(values.get("APPROVAL_BASE_URL", "").strip(), advice),
        cert=cert if key else "",
        key=key if cert else "",
        proxies=proxies,
    )
    if not found.loopback and not found.cert and not proxies:
        # Whoever can read the network would have the links, and could answer for the person.
        fatal.append(
            f"APPROVAL_LISTEN={host} would send links and answers over the network unencrypted: set APPROVAL_TLS_CERT "
            "and APPROVAL_TLS_KEY, or listen on 127.0.0.1 behind a proxy, or name the proxy in APPROVAL_TRUSTED_PROXIES"
        )
    return Settings(
        host=found.host,
        port=found.port,
        base=found.base,
        cert=found.cert,
        key=found.key,
        proxies=found.proxies,
        fatal=tuple(fatal),
        advice=tuple(advice),
    )


def split_host(text: str) -> tuple[str, int | None] | None:
    """("name", port) of "name", "name:80" or "[::1]:80", in lower case; None for what is none of them."""
    if not text or not text.isascii() or not text.isprintable() or any(c in text for c in "/\\@?# \"'<>,"):
        return None
    try:
        parts = urlsplit(f"//{text}")
        port, name = parts.port, parts.hostname
    except ValueError:
        return None
    return (name.rstrip("."), port) if name and not text.endswith(":") else None


def _listen(text: str, fatal: list[str]) -> tuple[str, int]:
    split = split_host(text)
    host, port = split if split is not None else ("", None)
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        port = None
    if port is None:
        fatal.append(f"APPROVAL_LISTEN is {clean(text, 60)}: it is an address and a port, such as {DEFAULT}")
        return "127.0.0.1", 0
    return str(address), port


def _base(text: str, advice: list[str]) -> str:
    """An origin, without a path, because cookies and forms are for all of it."""
    if not text:
        advice.append("APPROVAL_BASE_URL is not set, so messages have no links: set it to https:// and a host's name")
        return ""
    try:
        parts = urlsplit(text)
        split = split_host(parts.netloc)
        port = parts.port
    except ValueError:
        split, port = None, None
    why = ""
    if split is None or parts.username is not None or not text.isascii():
        why = "it is https:// and a name, as in https://sentry.example.org"
    elif parts.path not in ("", "/") or parts.query or parts.fragment or text.endswith(("?", "#")):
        why = "it has no path: the pages need a host name, or a port, of their own"
    elif parts.scheme == "http" and not _is_loopback(split[0]):
        why = "links over http:// could be read on their way: only https:// will do"
    elif parts.scheme not in ("http", "https"):
        why = "it begins with https://"
    if why or split is None:
        advice.append(f"APPROVAL_BASE_URL is {clean(text, 80)}, so messages have no links: {why}")
        return ""
    name = f"[{split[0]}]" if ":" in split[0] else split[0]
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{name}" + (f":{port}" if port not in (None, default) else "")


def _networks(text: str, fatal: list[str]) -> tuple[Network, ...]:
    found: list[Network] = []
    for word in text.replace(",", " ").split():
        try:
            found.append(ipaddress.ip_network(word, strict=False))
        except ValueError:
            what = "it lists addresses or networks, as in 127.0.0.1,10.0.0.0/8"
            fatal.append(f"APPROVAL_TRUSTED_PROXIES has {clean(word, 60)}: {what}")
    return tuple(found)


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
