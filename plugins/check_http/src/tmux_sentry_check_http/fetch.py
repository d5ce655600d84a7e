"""Asks a URL, and follows a redirect only where it can do no harm."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit, urlunsplit

from tmux_sentry import Answer, clean, exchange
from tmux_sentry_check_http.addresses import Reach, Resolve, nearest
from tmux_sentry_check_http.http_config import Action, url_problem

REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Seconds for each redirect: the first request may take 30, five redirects more, and a check gets 60 in all.
HOP = 5.0
_ACCEPT = {"Accept": "application/json"}


class NotFollowed(Exception):
    """A redirect that leads nowhere; the message says where to and why not, without the whole address."""


def fetch(action: Action, resolve: Resolve) -> Answer:
    """The answer at the end of the redirects. Raises HttpError and NotFollowed."""
    url, headers = action.url, {**_ACCEPT, **action.headers}
    for followed in range(action.redirects + 1):
        answer = exchange(
            action.method,
            url,
            headers=headers,
            verify=action.ca_file or True,
            timeout=HOP if followed else None,
            max_bytes=action.max_bytes,
        )
        if not action.redirects or answer.status not in REDIRECTS or "location" not in answer.headers:
            return answer
        url, headers = _next(action.url, url, headers, answer.headers["location"], resolve)
    raise NotFollowed(f"more than {action.redirects} redirects")


def target(location: str) -> str:
    """The host that a Location names, for people."""
    try:
        return clean(urlsplit(location).hostname or "", 100)
    except ValueError:
        return ""


def _next(
    asked: str, url: str, headers: Mapping[str, str], location: str, resolve: Resolve
) -> tuple[str, dict[str, str]]:
    """Where a redirect leads, and with what. Headers that were dropped once do not come back."""
    try:
        parts = urlsplit(urljoin(url, location))
        there = urlunsplit(parts._replace(fragment=""))
    except ValueError:
        raise NotFollowed("a redirect to what is no address") from None
    host = clean(parts.hostname or "", 100)
    if url_problem(there):
        raise NotFollowed(f"a redirect to {host or 'what is no http:// or https:// address'}, which cannot be asked")
    if urlsplit(url).scheme == "https" and parts.scheme != "https":
        raise NotFollowed(f"a redirect from https:// to http:// at {host}")
    if _origin(there) == _origin(asked):
        return there, dict(headers)
    try:
        reach = nearest(parts.hostname or "", resolve)
        # Where the policy's own host is inside, others inside are its neighbours.
        allowed = reach is Reach.WORLD or (
            reach is Reach.INSIDE and nearest(urlsplit(asked).hostname or "", resolve) < Reach.WORLD
        )
    except (OSError, ValueError):  # ValueError: a name that is none, UnicodeError too
        raise NotFollowed(f"a redirect to {host}, which is not found") from None
    if not allowed:
        raise NotFollowed(f"a redirect to {host}, an address inside: give that url in the policy if it is meant")
    return there, dict(_ACCEPT)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    port = parts.port if parts.port is not None else {"http": 80, "https": 443}.get(parts.scheme, 0)
    return parts.scheme, (parts.hostname or "").rstrip("."), port
