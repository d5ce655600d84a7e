"""How long to wait until an outside service is asked again. Pure: the caller brings the randomness."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tmux_sentry.contracts import CheckResult, CheckStatus

#: Seconds: after something has changed, and at most while nothing does.
FIRST, LONGEST = 2.0, 30.0
#: The same for a question without an answer: whatever is wrong there will not be mended by asking.
FIRST_UNKNOWN, LONGEST_UNKNOWN = 5.0, 120.0
GROWTH = 1.5
#: Checks that began together must not ask together for ever: each wait is up to so much longer.
JITTER = 0.2
#: More than this is taken for a mistake of the checker.
AT_MOST = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What was answered last, and how long was waited after it."""

    answer: tuple[object, ...] = ()
    wait: float = 0.0

    def after(self, result: CheckResult) -> Pace:
        """The pace after one more answer."""
        unknown = result.status is CheckStatus.UNKNOWN
        first, longest = (FIRST_UNKNOWN, LONGEST_UNKNOWN) if unknown else (FIRST, LONGEST)
        # The words of a failure may change while it stays one: a port, a time.
        answer = (result.status,) if unknown else (result.status, result.detail, result.percent, result.url)
        wait = min(self.wait * GROWTH, longest) if answer == self.answer else first
        return replace(self, answer=answer, wait=wait)

    def seconds(self, result: CheckResult, chance: float) -> float:
        """How long to wait after this answer; `chance` is from 0 to 1. A service's own wish is never undercut."""
        wait = self.wait if result.next_in is None else max(result.next_in, 0.0)
        if result.status is CheckStatus.UNKNOWN:  # a server in trouble that wants to be asked each second means well
            wait = max(wait, self.wait)
        return min(wait * (1.0 + JITTER * chance), AT_MOST)
