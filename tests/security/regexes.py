"""Patterns that bring a backtracking engine to a standstill, each on 100 KB of the text that does it.

RE2, through the code that a policy's patterns go through, has to answer each in under 100 ms; the 8 KB that count of a
line are a twelfth of that. `engine: regex` may not answer, but has to give up.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable

from figure import Figure

from tmux_sentry.clock import SystemClock
from tmux_sentry.config.backtracking import SEARCH_TIMEOUT, TooSlow, compile_backtracking, search_bounded
from tmux_sentry.config.regex import BadRegex, compile_regex
from tmux_sentry.engine.conditions import matches_line
from tmux_sentry.engine.patterns import Patterns
from tmux_sentry.policy.model import LogRegex

SIZE = 100_000
RE2_LIMIT = 0.1
#: `regex` looks at the clock only each so many steps, and they may be long ones. It counts the processor's time, and so
#: does this: a busy machine is no fault of a pattern.
REGEX_LIMIT = 2 * SEARCH_TIMEOUT

#: pattern -> what is repeated, and what comes last and keeps it from matching.
PATTERNS = {
    r"(a+)+$": ("a", "!"),
    r"(a*)*$": ("a", "!"),
    r"(a|a)*$": ("a", "!"),
    r"(a|aa)+$": ("a", "!"),
    r"(a|a?)+$": ("a", "!"),
    r"(.*a){12}$": ("a", "!"),
    r"(.*a){20}": ("a", "!"),
    r"^(([a-z])+.)+[A-Z]([a-z])+$": ("a", "!"),
    r"^(a+)*b$": ("a", "!"),
    r"^(a?){30}a{30}$": ("a", "!"),
    r"(x+x+)+y": ("x", "!"),
    r"(x+x+)+yz$": ("x", "!"),
    r"^(\w+\s?)*$": ("aaa ", "!"),
    r"^(\w+)+$": ("a", "!"),
    r"^(\d+)*$": ("1", "x"),
    r"^(\d|\d\d)+$": ("1", "x"),
    r"^([0-9]+)+\.$": ("1", "x"),
    r"\s+$": (" ", "x"),
    r"^\s*(\s*\S+\s*)*$": (" a", "\x00 "),
    r"(\s*,\s*)+$": (" ,", "x"),
    r"^(,?\s*\w+)*$": ("a, ", "!"),
    r"^([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|([a-z]{2,3}[.]{1}[a-z]{2}))$": (
        "a",
        "!",
    ),
    r"^[\w.%+-]+@([\w-]+\.)+[\w]{2,}$": ("a@a.", "!"),
    r"^([\w.-]+)+@([\w-]+\.)+\w+$": ("a.", "!"),
    r"^(?:[a-z0-9]+\.?)+@x$": ("a.", "!"),
    r"(https?://)?([\da-z.-]+)\.([a-z.]{2,6})([/\w .-]*)*/?$": ("http://a.bc/", "!"),
    r"^(https?://)?(([\w-]+\.)+)+([a-z]{2,})(/.*)*$": ("a.", "!"),
    r"^(([\w]+\.)+\w+)+$": ("a.", "!"),
    r"^(?:/[^/]+)*/?$": ("/a", "//"),
    r"^(\/\w+)+\/$": ("/a", "!"),
    r"<(\w+)(\s+\w+=\"[^\"]*\")*\s*>$": ('<a b="', "!"),
    r"(<[^>]*>)*$": ("<a>", "<"),
    r"<!--(.|\n)*-->$": ("<!--", "!"),
    r"\"(\\.|[^\"\\])*\"$": ('\\"', "!"),
    r"'([^'\\]|\\.)*'$": ("'a", "!"),
    r"/\*(.|\n)*\*/$": ("/*", "!"),
    r"^(.*?,){11}P": ("1,", "!"),
    r"^(.*?,){25}P": ("1,", "!"),
    r"(?:(?:[a-z]+)*)*:$": ("a", "!"),
    r"([a-z]+)*\d$": ("a", "!"),
    r"(\w|\d)+!$": ("a1", "?"),
    r"(?i)(error|err|e)*$": ("error", "!"),
    r"(?:\x1b\[[0-9;]*m)*$": ("\x1b[1;", "!"),
    r"^(\d{1,3},?)+$": ("123", "!"),
    r"(\(.*\))*$": ("(", "!"),
    r"^(-?\d+(\.\d+)?\s*)+$": ("1.1 ", "!"),
    r"(?:.|\s)*?END$": ("a ", "!"),
    r"^(?:a|ab|abc|b|bc|c)*$": ("abc", "!"),
    r"([^=]+=[^;]*;?)+$": ("a=b", "\x00="),
    r"^(?P<word>\w+)(?:[ _-]\w+)*[ _-]?$": ("aa-", "!"),
}  # fmt: skip


def measure() -> list[Figure]:
    """Each pattern, both engines."""
    texts = {
        pattern: (unit * (SIZE // len(unit)))[: SIZE - len(end)] + end for pattern, (unit, end) in PATTERNS.items()
    }
    return [_re2(texts), _line(texts), _regex(texts), _quarantine(texts)]


def _re2(texts: dict[str, str]) -> Figure:
    took, refused = [], 0
    for pattern, text in texts.items():
        try:
            compiled = compile_regex(pattern)
        except BadRegex:
            refused += 1
            continue
        took.append(_best(lambda compiled=compiled, text=text: compiled.search(text)))
    shown = f"{len(texts)} ReDoS patterns on 100 KB, {refused} refused: {_ms(took)}"
    return Figure(name="RE2", shown=shown, ok=len(texts) >= 50 and max(took) < RE2_LIMIT and refused < 5)


def _line(texts: dict[str, str]) -> Figure:
    """As the engine does it: what a line is beyond 8 KB is not looked at."""
    took = []
    for pattern, text in texts.items():
        leaf = LogRegex(pattern=pattern)
        took.append(_best(lambda leaf=leaf, text=text: matches_line(leaf, text)))
    return Figure(name="log_regex", shown=f"the same as lines of output: {_ms(took)}", ok=max(took) < RE2_LIMIT)


def _regex(texts: dict[str, str]) -> Figure:
    took, given_up = [], 0
    for pattern, text in texts.items():
        compile_backtracking(pattern)
        begun = time.process_time()
        try:
            search_bounded(pattern, text)
        except TooSlow:
            given_up += 1
        took.append(time.process_time() - begun)
    shown = f"the same on 100 KB, {given_up} given up after 50 ms of processor time: {_ms(took)}"
    return Figure(name="engine: regex", shown=shown, ok=max(took) < REGEX_LIMIT and given_up > 0)


def _quarantine(texts: dict[str, str]) -> Figure:
    """A hundred such lines each: what all of these patterns together can cost a run."""
    logging.getLogger("tmux_sentry.engine.patterns").disabled = True  # it says so of each
    told: list[str] = []
    patterns = Patterns(SystemClock(), lambda pattern, why: told.append(pattern))
    begun = time.perf_counter()
    for pattern, text in texts.items():
        leaf = LogRegex(pattern=pattern, engine="regex")
        for _ in range(100):
            if patterns.search(leaf, text) is None and pattern in told:
                break
    took = time.perf_counter() - begun
    shown = f"up to 100 lines of each: {len(told)} of {len(texts)} patterns left alone, {took:.1f} s in all"
    return Figure(name="quarantine", shown=shown, ok=took < len(texts) * 1.5 and len(told) == len(set(told)))


def _best(search: Callable[[], object]) -> float:
    """Seconds; the best of three, for other programs of this machine are nothing against a pattern."""
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        search()
        took.append(time.perf_counter() - begun)
    return min(took)


def _ms(took: list[float]) -> str:
    return f"median {statistics.median(took) * 1000:.1f} ms, longest {max(took) * 1000:.1f} ms"
