"""Where the API is, and which other addresses an answer may lead to."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urljoin, urlsplit

PUBLIC = "https://api.github.com"
_PORTS = {"http": 80, "https": 443}


def api(text: str) -> str:
    """The address of the API for what people write, without a slash at its end. Raises ValueError with what is wrong.

    An address with a path is used as it is. Without one, github.com and *.ghe.com get their `api.` host, a host that
    begins with `api.` is used as it is, and any other is a GitHub Enterprise Server: /api/v3 is added.
    """
    parts = split(text)
    if parts is None or parts.query or parts.fragment:
        raise ValueError("is no https:// address")
    if parts.username is not None or parts.password is not None:
        raise ValueError("has a user name or a password in it: the token belongs in GITHUB_TOKEN")
    host = (parts.hostname or "").lower()
    if parts.scheme != "https" and not _loopback(host):
        raise ValueError("is not https://: the token would be sent in the clear")
    base = f"{parts.scheme}://{parts.netloc}"
    path = parts.path.rstrip("/")
    if path:
        return base + path
    if host in ("github.com", "www.github.com"):
        return PUBLIC
    if host.startswith("api."):
        return base
    return f"https://api.{parts.netloc}" if host.endswith(".ghe.com") else f"{base}/api/v3"


def web_host(base: str) -> str:
    """The host that people see in a browser, for the address of an API."""
    parts = split(base)
    host = (parts.hostname or "").lower() if parts is not None else ""
    is_cloud = host == "api.github.com" or host.endswith(".ghe.com")
    return host.removeprefix("api.") if is_cloud else host


def redirected(url: str, location: str) -> str | None:
    """Where a redirect of the API leads; None where the token may not go: another host or port, or out of https."""
    try:
        target = urljoin(url, location)
    except ValueError:
        return None
    before, after = split(url), split(target)
    if before is None or after is None or after.username is not None or before.hostname != after.hostname:
        return None
    if (after.scheme, _port(after)) == (before.scheme, _port(before)):
        return target
    is_upgrade = (before.scheme, after.scheme) == ("http", "https") and _port(after) == _PORTS["https"]
    return target if is_upgrade else None


def of_log(base: str, location: str) -> str | None:
    """Where a log is kept, which may be any host over https; None where it is not read.

    Over http only from an API over http, on the API's own host: both are this machine then.
    """
    home, target = split(base), split(location)
    if home is None or target is None or target.username is not None:
        return None
    is_safe = target.scheme == "https" or (home.scheme == "http" and target.hostname == home.hostname)
    return location if is_safe else None


def for_people(text: str) -> str:
    """An address that an answer gave, if it is one that can be shown as a link; else ""."""
    return text if len(text) <= 500 and split(text) is not None else ""


def split(text: str) -> SplitResult | None:
    """An http or https address taken apart; None when it is none. `urlsplit` itself raises on some."""
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        return None
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  raises where it is no number
        return parts if parts.scheme in _PORTS and parts.hostname else None
    except ValueError:
        return None


def _port(parts: SplitResult) -> int:
    return parts.port if parts.port is not None else _PORTS[parts.scheme]


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
