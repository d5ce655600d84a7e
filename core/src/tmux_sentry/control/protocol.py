"""What goes over control.sock: one JSON object a line, a request up, an answer down.

{"verb": "approve", "args": {"id": "01AB"}}
{"ok": true, "result": ...}
{"ok": false, "what": "...", "why": "...", "fix": "...", "exit_code": 3}
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tmux_sentry.errors import Refused, SentryError, Unreachable, UsageError
from tmux_sentry.security.outlet import Redact, data_out
from tmux_sentry.security.sanitize import clean

MAX_REQUEST = 64 * 1024
MAX_ANSWER = 16 * 1024 * 1024

_VERB = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
# sun_path has 108 bytes on Linux and 104 elsewhere, the closing NUL among them.
_LONGEST_PATH = 107 if sys.platform.startswith("linux") else 103


class Malformed(SentryError):
    """Bytes that are not a line of this protocol."""


def encode_request(verb: str, args: Mapping[str, Any]) -> bytes:
    """A request as one line. Raises UsageError when it is too long to be sent."""
    line = _encode({"verb": verb, "args": dict(args)})
    if len(line) > MAX_REQUEST:
        raise UsageError(
            f"{verb}: too much text", f"it is {len(line)} bytes, {MAX_REQUEST} can be sent", "make it shorter"
        )
    return line


def decode_request(line: bytes) -> tuple[str, Mapping[str, Any]]:
    """The verb and its arguments. Raises Malformed."""
    data = _decode(line)
    verb, args = data.get("verb"), data.get("args", {})
    if not isinstance(verb, str) or not _VERB.fullmatch(verb) or not isinstance(args, dict):
        raise Malformed("the request is not {verb, args}")
    return verb, args


def encode_result(result: Any) -> bytes:
    """A good answer as one line. Raises TypeError, ValueError or RecursionError for what JSON cannot say."""
    line = _encode({"ok": True, "result": result})
    if len(line) > MAX_ANSWER:
        return encode_error(SentryError("the answer is too long to be sent", fix="ask for less, with --limit"))
    return line


def encode_error(error: SentryError, redact: Redact = str) -> bytes:
    """An error as one line; it keeps its exit code."""
    what = str(error) if type(error).lines is SentryError.lines else "\n".join(error.lines())
    texts = data_out({"what": what, "why": error.why, "fix": error.fix}, redact)
    return _encode({"ok": False, **texts, "exit_code": error.exit_code})


def decode_answer(line: bytes) -> Any:
    """The result. Raises the error that the answer carries, or Malformed."""
    data = _decode(line)
    if data.get("ok") is True:
        return data.get("result")
    kinds = {kind.exit_code: kind for kind in (UsageError, Refused, Unreachable)}
    kind = kinds.get(data.get("exit_code", 1), SentryError)
    raise kind(str(data.get("what", "it failed")), str(data.get("why", "")), str(data.get("fix", "")))


def read_line(connection: socket.socket, limit: int, deadline: float) -> bytes | None:
    """One line without its newline, by `deadline` (time.monotonic()); None when the other end closed first.

    Raises TimeoutError, and Malformed for a line of more than `limit` bytes. One request is under way
    at a time: what follows the newline in the same packet is Malformed too.
    """
    received = bytearray()
    while True:
        # A deadline for the whole line: a byte every few seconds must not keep the connection for ever.
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        chunk = connection.recv(65536)
        if not chunk:
            return None
        received += chunk
        if b"\n" in chunk:
            line, _, rest = bytes(received).partition(b"\n")
            if rest:
                raise Malformed("a second request came before the first was answered")
            if len(line) <= limit:
                return line
        if len(received) > limit:
            raise Malformed(f"the line has more than {limit} bytes")


def peer_uid(connection: socket.socket) -> int | None:
    """The uid of the process at the other end, as the kernel knows it; None where it does not tell."""
    if hasattr(socket, "SO_PEERCRED"):
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", raw)[1])
    # macOS, BSD: struct xucred {u_int version; uid_t uid; ...} by getsockopt(SOL_LOCAL, LOCAL_PEERCRED).
    try:
        raw = connection.getsockopt(0, 1, 256)
    except OSError:
        return None
    return int(struct.unpack_from("2I", raw)[1]) if len(raw) >= 8 else None


def check_path(path: Path) -> None:
    """Raises UsageError for a path that the kernel cannot hold in a socket address."""
    length = len(os.fsencode(path))
    if length > _LONGEST_PATH:
        raise UsageError(
            f"the path of the control socket is too long: {path}",
            f"it has {length} bytes; the system allows {_LONGEST_PATH}",
            "set TMUX_SENTRY_HOME to a shorter path",
        )


def _encode(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, allow_nan=False).encode("ascii") + b"\n"


def _decode(line: bytes) -> dict[str, Any]:
    try:
        data = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Malformed("the line is not JSON", clean(str(error))) from None
    if not isinstance(data, dict):
        raise Malformed("the line is not a JSON object")
    return data


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
