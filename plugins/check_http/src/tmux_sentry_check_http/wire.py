"""As much of HTTP/1.1 as a webhook needs: one request a connection, every part of it bounded."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from tmux_sentry_check_http.signatures import SINGLE

#: Bytes of a request without its body.
MOST_HEAD = 16 * 1024
#: Bytes of a body. GitHub sends up to 25 MB, but says of a run or a deployment what fits here many times.
MOST_BODY = 1024 * 1024
#: What may be a path: nothing that needs to be decoded.
PATH = re.compile(r"/[A-Za-z0-9._~/-]{0,199}")
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_ONCE = frozenset({*SINGLE, "content-length", "content-type", "transfer-encoding", "expect"})


class Refused(Exception):
    """A request that is not taken: its status, and why, as a line that a sender may see."""

    def __init__(self, status: int, why: str, **headers: str) -> None:
        super().__init__(why)
        self.status, self.why, self.headers = status, why, headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A request without its body. Names of headers are in lower case; `path` is as sent, without a query."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)


async def read_head(reader: asyncio.StreamReader) -> Head:
    """Raises Refused; asyncio.IncompleteReadError when the other end has gone."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise Refused(431, "the headers are too long") from None
    return parse_head(raw)


def parse_head(raw: bytes) -> Head:
    """A request line and headers, strictly: what two readers could take differently is refused. Raises Refused."""
    first, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    match = re.fullmatch(r"([A-Z]{1,20}) (\S{1,2000}) HTTP/1\.[01]", first)
    if match is None:
        raise Refused(400, "this is no HTTP request")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name, value = name.lower(), value.strip(" \t")
        if not colon or not _NAME.fullmatch(name) or re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
            raise Refused(400, "a header cannot be read")
        if name in headers and name in _ONCE:
            raise Refused(400, "a header comes twice that may come once")
        headers[name] = value
    return Head(method=match[1], path=match[2].partition("?")[0], headers=headers)


def body_length(head: Head) -> int:
    """How many bytes follow. Raises Refused for more than are taken: before one of them is read."""
    if "transfer-encoding" in head.headers or "content-length" not in head.headers:
        raise Refused(411, "Content-Length is needed")
    text = head.headers["content-length"]
    if not re.fullmatch("[0-9]{1,18}", text):
        raise Refused(400, "Content-Length is no number")
    if int(text) > MOST_BODY:
        raise Refused(413, f"more than {MOST_BODY} bytes")
    return int(text)


def answer(status: int, text: str, headers: Mapping[str, str] | None = None) -> bytes:
    """A response, one line of plain text. Which program it is from is nobody's business."""
    body = (text + "\n").encode("ascii", "replace")
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Content-Type: text/plain; charset=us-ascii",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name.replace('_', '-')}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body
