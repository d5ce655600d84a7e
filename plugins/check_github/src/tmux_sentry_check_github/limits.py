"""How long GitHub wants us to wait, by https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api.

Going on while limited may have the token banned, so all checks of one address rest together.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from tmux_sentry import Answer

#: Seconds: the least after a secondary limit, and the most of any wait.
SECONDARY, LONGEST = 60.0, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Until when nothing is asked, in epoch seconds by our clock; how many seconds that was at first; and why."""

    until: float
    wait: float
    why: str


class Limits:
    """For each address of an API, until when it wants to be left alone. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rests: dict[str, Rest] = {}
        self._strikes: dict[str, int] = {}

    def rest(self, base: str, now: float) -> Rest | None:
        """The rest that goes on at `now`."""
        with self._lock:
            rest = self._rests.get(base)
            # One that ends later than any we give: the clock has been set back.
            return rest if rest is not None and now < rest.until <= now + LONGEST else None

    def note(self, base: str, answer: Answer, now: float, skew: float) -> Rest | None:
        """What an answer says of limits: the rest that it begins; None when it is not limited.

        `now` is epoch seconds by our clock, `skew` what GitHub's clock shows more.
        """
        said = _limited(answer, now, skew)
        with self._lock:
            if said is None:
                if answer.status < 400:
                    self._strikes.pop(base, None)
                return None
            wait, why = said
            if wait is None:
                strikes = self._strikes.get(base, 0)
                going_on = self._rests.get(base)
                if going_on is None or now >= going_on.until:  # a check that was under way counts as no new strike
                    self._strikes[base] = strikes = min(strikes + 1, 10)
                wait = SECONDARY * 2 ** (max(strikes, 1) - 1)
            wait = min(max(wait, 1.0), LONGEST)
            rest = self._rests[base] = Rest(until=now + wait, wait=wait, why=why)
            return rest


def used_up(answer: Answer, now: float, skew: float) -> float | None:
    """Seconds until there are requests again, where this answer was the last one allowed; None while there are more."""
    if answer.headers.get("x-ratelimit-remaining", "").strip() != "0":
        return None
    reset = _seconds(answer, "x-ratelimit-reset")
    return None if reset is None else min(max(reset - skew - now, 1.0), LONGEST)


def poll_interval(answer: Answer) -> float | None:
    """Seconds between two questions that GitHub asks for; None when it does not."""
    said = _seconds(answer, "x-poll-interval")
    return None if not said else min(said, LONGEST)


def _limited(answer: Answer, now: float, skew: float) -> tuple[float | None, str] | None:
    """How long to rest (None: GitHub does not say) and why; None when the answer is about something else.

    A GitHub Enterprise Server has no limits unless they are turned on, and then the headers may be missing.
    """
    if answer.status not in (403, 429):
        return None
    wait = answer.retry_after(now + skew)
    if wait is not None:
        return wait, "GitHub asks to wait"
    if (left := used_up(answer, now, skew)) is not None:
        return left, "the hourly requests are used up"
    message = answer.body[:2000].lower()
    if b"secondary rate limit" in message or b"abuse detection" in message:
        return None, "secondary rate limit"
    if answer.status == 429 or b"rate limit exceeded" in message:
        return None, "rate limit"
    return None


def _seconds(answer: Answer, header: str) -> float | None:
    said = answer.headers.get(header, "").strip()
    return float(said) if said.isascii() and said.isdigit() and len(said) <= 12 else None
