"""An action of the check `http`, read and judged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from tmux_sentry import clean
from tmux_sentry_check_http import verdict
from tmux_sentry_check_http.schemas import MOST_BYTES
from tmux_sentry_check_http.verdict import Conditions

DEFAULT_BYTES = 256 * 1024
_PATHS = ("since", "changed", "percent", "detail")
_EXPRESSIONS = (*verdict.CONDITIONS, *_PATHS)


class BadAction(ValueError):
    """An action that cannot be asked: which key, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What to ask, and what of the answer counts. `hidden` are texts that nobody may see."""

    url: str
    method: str
    headers: Mapping[str, str]
    statuses: frozenset[int]  # empty: 200 to 299
    conditions: Conditions
    since: str
    changed: str
    consecutive: int
    percent: str
    detail: str
    redirects: int
    max_bytes: int
    ca_file: str
    hidden: tuple[str, ...]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Action:
        """Raises BadAction or BadExpression."""
        url = _text(config, "url")
        if why := url_problem(url):
            raise BadAction(f"url {why}")
        if "success_when" not in config and "status" not in config:
            raise BadAction("the action needs success_when or status: nothing says what success is")
        given = config.get("headers")
        headers = {str(name): str(value) for name, value in given.items()} if isinstance(given, Mapping) else {}
        status = config.get("status")
        listed = status if isinstance(status, (list, tuple)) else (status,)
        for key in _PATHS:
            verdict.expression(config, key)
        return cls(
            url=url,
            method="HEAD" if config.get("method") == "HEAD" else "GET",
            headers=headers,
            statuses=frozenset(one for one in listed if isinstance(one, int)),
            conditions=Conditions.of(config),
            consecutive=_number(config, "consecutive", 1, 1, 100),
            since=_text(config, "since"),
            changed=_text(config, "changed"),
            percent=_text(config, "percent"),
            detail=_text(config, "detail"),
            redirects=_number(config, "redirects", 0, 0, 5),
            max_bytes=_number(config, "max_bytes", DEFAULT_BYTES, 1, MOST_BYTES),
            ca_file=_text(config, "ca_file"),
            hidden=_hidden(urlsplit(url), headers),
        )

    @property
    def any_body(self) -> bool:
        """Whether nothing in the body decides anything."""
        return self.conditions.none and not self.since and not self.changed

    def takes(self, status: int) -> bool:
        """Whether an answer with this status is a good one."""
        return status in self.statuses if self.statuses else 200 <= status < 300

    def masked(self, text: str) -> str:
        """`text` without what nobody may see: a service may well repeat what it was sent."""
        for secret in self.hidden:
            text = text.replace(secret, "***")
        return text


def problems(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a schema cannot say about an action, each with its key."""
    url = config.get("url")
    if isinstance(url, str) and "${" not in url and (why := url_problem(url)):
        yield "url", why
    if config.get("method") == "HEAD":
        for key in (key for key in _EXPRESSIONS if key in config):
            yield key, "is never true: an answer to HEAD has no body"
    yield from verdict.problems(config, otherwise="status", keys=_EXPRESSIONS)


def url_problem(url: str) -> str:
    """What is wrong with an address, without repeating it; "" when nothing is."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is no address"
    if parts.scheme not in ("http", "https") or not host or port == 0 or re.search(r"[\s\x00-\x1f\x7f\\]", url):
        return "is no http:// or https:// address"
    if "@" in parts.netloc:
        return "holds a name or password: send them in headers, as Authorization"
    return ""


def shown(url: str) -> str:
    """An address without what may be a key in it: neither name nor query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return clean(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}", 300)


def _hidden(parts: SplitResult, headers: Mapping[str, str]) -> tuple[str, ...]:
    """The values of headers and of the query, and their longer words, the longest first."""
    found = {parts.query, unquote(parts.query)}
    for value in [*headers.values(), *(value for _, value in parse_qsl(parts.query))]:
        # Shorter ones are words like `json`; to blank them would make a text unreadable.
        found |= {value} | {word for word in re.split(r"[\s,;=:]+", value) if len(word) >= 8}
    return tuple(sorted((one for one in found if len(one) >= 4), key=len, reverse=True))


def _text(config: Mapping[str, Any], key: str) -> str:
    value = config.get(key)
    return value if isinstance(value, str) else ""


def _number(config: Mapping[str, Any], key: str, default: int, least: int, most: int) -> int:
    value = config.get(key)
    return min(max(value, least), most) if isinstance(value, int) and not isinstance(value, bool) else default
