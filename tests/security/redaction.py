"""Planted secrets through every exit and over every chunk border, and what ordinary lines lose by it."""

from __future__ import annotations

import base64
import random
import re
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from figure import Figure
from outs import exits, fast_folder
from planted import Planted, configured, tokens

from tmux_sentry.security.redact import Redactor
from tmux_sentry.security.stream import StreamRedactor

ROOT = Path(__file__).resolve().parents[2]
#: Ordinary lines that may lose something.
MOST = 0.01
LINES = 10_000
#: Characters that a stream holds back here; small, so that each offset is tried in little time.
_HOLD = 200
_URL = ":/?&=@ "  # what stays as it is in the URLs that are planted
#: What the person at the terminal typed, and what the other end of the log is told about a call: no secret of ours.
_NOT_OURS = ("bad usage", "log line that cannot be written")

_CONFIGURED: dict[str, Callable[[str], str]] = {
    "plain": str,
    "URL": lambda secret: f"https://h/?k={quote(secret, safe='')}",
    "form": quote_plus,
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 after user:": lambda secret: base64.b64encode(f"user:{secret}".encode()).decode(),
    "base64url": lambda secret: base64.urlsafe_b64encode(f"u:{secret}:x".encode()).decode(),
}


def measure() -> list[Figure]:
    secrets, made = configured(100), tokens(100)
    redact = Redactor(secrets)
    texts = list(_texts(secrets, made))
    with fast_folder("sentry-secrets-") as name, exits(Path(name), redact) as ways:
        ways = {name: way for name, way in ways.items() if name not in _NOT_OURS}
        leaks = [
            (name, one.kind) for one in texts for name, way in ways.items() if leaked(one, way(f"see {one.shown} end"))
        ]
    whole = f"{len(secrets) + len(made)} secrets in {len(texts)} forms"
    # Each secret in one of its forms, in turn.
    cuts, split = _split(redact, texts[: 6 * len(secrets) : 7] + texts[6 * len(secrets) :: 2])
    lines = ordinary_lines()
    began = time.perf_counter()
    lost = [line for line in lines if redact(line) != line]
    share = len(lost) / len(lines)
    each = (time.perf_counter() - began) / len(lines) * 1e6
    return [
        _figure(f"{whole} x {len(ways)} exits", leaks),
        _figure(f"each split over chunks, at each offset, {cuts} in all", split),
        Figure(
            name="redaction",
            shown=f"{len(lines)} ordinary lines: {len(lost)} false positives ({share:.2%}), {each:.0f} us a line",
            ok=len(lines) >= LINES and share <= MOST,
        ),
    ]  # fmt: skip


def _figure(tried: str, leaks: list[Any]) -> Figure:
    first = f", first: {leaks[0]!r}" if leaks else ""
    return Figure(name="redaction", shown=f"{tried}: {len(leaks)} leaks{first}", ok=not leaks)


def _texts(secrets: Iterable[str], made: Iterable[Planted]) -> Iterator[Planted]:
    for secret in secrets:
        for form, write in _CONFIGURED.items():
            yield Planted(secret, write(secret), f"configured, {form}")
    for token in made:
        yield token
        yield Planted(token.secret, f"https://h/?next={quote(token.shown, safe=':/?&=@ ')}", f"{token.kind}, URL")


def leaked(one: Planted, out: str) -> bool:
    """Whether half of the secret, or 24 characters of it, came out: as it is, in a URL, or in base64."""
    seen = re.sub(r"\s", "", out)
    written = (one.secret, quote_plus(one.secret), *(quote(one.secret, safe=safe) for safe in ("", _URL)))
    if any(_half(re.sub(r"\s", "", part), seen) for part in written):
        return True
    if "base64" not in one.kind:
        return False
    runs = re.findall(r"[A-Za-z0-9+/]{7,}", seen.translate(str.maketrans("-_", "+/")))
    decoded = [base64.b64decode(run[skip:][: (len(run) - skip) // 4 * 4]) for run in runs for skip in range(4)]
    return any(_half(one.secret.encode(), part) for part in decoded)


def _half(part: Any, seen: Any) -> bool:
    size = min(max(len(part) // 2, 5), 24)
    # Whatever is so long holds one of these whole: where none of them is, the closer look is not needed.
    step = (size + 1) // 2
    if not any(part[at : at + step] in seen for at in range(0, len(part) - step + 1, step)):
        return False
    return any(part[at : at + size] in seen for at in range(len(part) - size + 1))


def _split(redact: Redactor, texts: list[Planted]) -> tuple[int, list[Any]]:
    """Each in a stream, so that every offset in it is once where the stream lets go; and character by character."""
    places = 0
    leaks: list[Any] = []
    for one in texts:
        shown = f" {one.shown} "
        stream = StreamRedactor(redact, _HOLD)
        hold = stream.hold
        for offset in range(1, len(shown)) if len(shown) < 200 else range(1, len(shown), 17):
            before = "a line " * (2 * hold // 7)
            after = ("x " * hold)[: max(hold - len(shown) + offset, 0)]
            stream = StreamRedactor(redact, _HOLD)
            middle = len(before) + offset
            text = before + shown + after
            out = stream.feed(text[:middle]) + stream.feed(text[middle:]) + stream.close()
            places += 1
            if leaked(one, out):
                leaks.append((one.kind, offset))
        stream = StreamRedactor(redact, _HOLD)
        out = "".join([*(stream.feed(char) for char in "b " * hold + shown + "c " * hold), stream.close()])
        if leaked(one, out):
            leaks.append((one.kind, "character by character"))
    return places, leaks


def ordinary_lines(count: int = LINES, seed: int = 9) -> list[str]:
    """Lines of this project's docs, code and screens, of its history, and of Python's library; no planted ones."""
    ours = [path for end in ("md", "py", "yaml", "txt", "toml", "json") for path in ROOT.glob(f"[a-z]*/**/*.{end}")]
    ours = [path for path in ours if "security" not in path.parts and ".venv" not in path.parts]
    library = list(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    pool = [line for path in sorted(ours) for line in path.read_text(errors="replace").splitlines()]
    log = subprocess.run(
        ["git", "log", "--format=%h %an %ad%n%s%n%b"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    pool += log.stdout.splitlines()
    other = [line for path in sorted(library) for line in path.read_text(errors="replace").splitlines()]
    rng = random.Random(seed)
    full = [[line for line in lines if line.strip()] for lines in (pool, other)]
    return [line for lines in full for line in rng.sample(lines, min(count // 2, len(lines)))]
