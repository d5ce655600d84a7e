"""The end of a failed job's log."""

from __future__ import annotations

import re

from tmux_sentry import Answer, HttpError, clean_block, exchange
from tmux_sentry_check_github import address
from tmux_sentry_check_github.api import Api, Trouble

#: Bytes of the end that are read; bytes that are read where the end alone cannot be had.
TAIL, WHOLE = 64 * 1024, 4 * 1024 * 1024
#: Seconds for each request: the run is known already, and the core waits for 60 in all.
TIMEOUT = 10.0
#: Lines and characters that are told; the core keeps the first 4000.
LINES, CHARACTERS = 40, 3800
_TIME = re.compile(r"^\ufeff?\d{4}-\d\d-\d\dT[\d:.]+Z ?")
_RANGE = re.compile(r"bytes \d+-\d+/(\d{1,15})")
# Of a compressed answer the range would begin in the middle of a compressed stream.
_PLAIN = {"Accept-Encoding": "identity"}


def tail(api: Api, url: str) -> str:
    """The lines up to the last error of the log at `url`; "" when it cannot be had. Raises nothing."""
    try:
        answer = api.once("GET", url, max_bytes=WHOLE, timeout=TIMEOUT)
        if answer.status in (301, 302, 307, 308):
            target = address.of_log(api.base, answer.headers.get("location", ""))
            raw = _end(target) if target is not None else b""
        else:
            raw = _whole(answer)
    except (HttpError, Trouble):
        return ""
    return _told(raw.decode("utf-8", "replace"))


def _end(url: str) -> bytes:
    """The end of a file on another host, which gets no token: the address itself is the key, and never shown.

    The length first, then from there: the storage behind GitHub's logs knows no "last N bytes".
    """
    first = exchange("GET", url, headers={**_PLAIN, "Range": "bytes=0-0"}, max_bytes=WHOLE, timeout=TIMEOUT)
    if first.status != 206:
        return _whole(first)
    found = _RANGE.fullmatch(first.headers.get("content-range", "").strip())
    size = int(found[1]) if found else 0
    if size == 0:
        return b""
    start = max(size - TAIL, 0)
    end = {**_PLAIN, "Range": f"bytes={start}-{size - 1}"}
    rest = exchange("GET", url, headers=end, max_bytes=TAIL, timeout=TIMEOUT)
    if rest.status != 206:
        return _whole(rest)
    return rest.body.partition(b"\n")[2] if start > 0 else rest.body  # the first line began before the range


def _whole(answer: Answer) -> bytes:
    """The end of a file that came as a whole; nothing of one that was cut, whose end is not known."""
    return answer.body[-TAIL:] if answer.status == 200 and not answer.cut else b""


def _told(text: str) -> str:
    # A tab becomes four spaces, and of what is too long the end would be cut.
    lines = [_TIME.sub("", line) for line in clean_block(text, 4 * TAIL).splitlines()]
    # After the step that failed come the steps that clean up: the last error is what people look for.
    errors = [number for number, line in enumerate(lines) if line.startswith("##[error]")]
    end = errors[-1] + 1 if errors else len(lines)
    return "\n".join(lines[max(end - LINES, 0) : end])[-CHARACTERS:].strip("\n")
