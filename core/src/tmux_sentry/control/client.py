"""Asks the running instance to do something, over its control socket."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tmux_sentry.control.protocol import MAX_ANSWER, check_path, decode_answer, encode_request, peer_uid, read_line
from tmux_sentry.errors import Refused, SentryError


class NotRunning(SentryError):
    """No instance listens on the control socket."""


def ask(path: Path, verb: str, args: Mapping[str, Any], timeout: float = 10.0) -> Any:
    """Send one request and return its result (plain JSON types).

    Raises NotRunning, the SentryError that the instance answered with (its exit code too), Refused when
    another user listens there, or SentryError when no answer came: then it is not known whether it was done.
    """
    check_path(path)
    line = encode_request(verb, args)
    deadline = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            raise NotRunning(
                "tmux-sentry is not running", f"nothing listens on {path}", "start `tmux-sentry run`"
            ) from None
        except OSError as error:
            raise SentryError(f"cannot reach the running tmux-sentry at {path}", str(error)) from error
        if peer_uid(connection) not in (None, os.geteuid()):
            raise Refused(f"another user listens on {path}", "it could take your commands", "remove that socket")
        try:
            with suppress(BrokenPipeError):  # who is turned away is told so before the line is read
                connection.sendall(line)
            answer = read_line(connection, MAX_ANSWER, deadline)
        except TimeoutError:
            raise _silent(verb, f"it did not answer within {timeout:g} s") from None
        except OSError as error:
            raise _silent(verb, str(error)) from error
    if answer is None:
        raise _silent(verb, "it went away before it answered")
    return decode_answer(answer)


def _silent(verb: str, why: str) -> SentryError:
    return SentryError(
        f"{verb}: no answer from the running tmux-sentry", why, "it may have been done: see `tmux-sentry status`"
    )
