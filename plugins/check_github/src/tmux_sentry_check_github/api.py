"""Requests to the API of one question: conditional, within the limits, redirects only where the token may go."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar

from tmux_sentry import Answer, HttpError, exchange
from tmux_sentry_check_github import address
from tmux_sentry_check_github.limits import Limits, poll_interval, used_up
from tmux_sentry_check_github.memo import Kept, Memo
from tmux_sentry_check_github.refusals import explain

T = TypeVar("T")

#: The default, supported until March 2028 at least. 2026-03-10 would bring us nothing: a dispatch names its run in this
#: one too when it is asked to, and a GitHub Enterprise Server that does not know a version refuses every request.
#: https://docs.github.com/en/rest/about-the-rest-api/api-versions
VERSION = "2022-11-28"
REDIRECTS = 3
#: A page of 100 runs repeats the repository in every row; a row is some 15 KB.
LIST_BYTES = 8 * 1024 * 1024
#: Seconds after which a question begins no request: one may take 40 with its connection, and the core waits for 60.
BUDGET = 20.0
_NEXT = re.compile(r'<([^<>\s]{1,1000})>\s*;[^,]*\brel="?next"?')
_ETAG = re.compile(r'(?:W/)?"[!#-~]{0,200}"')


class Trouble(Exception):
    """Nothing can be told: why, and after how many seconds to ask again (None: as the core thinks best).

    `refused` says that GitHub has answered, and that the request had no effect.
    """

    def __init__(self, detail: str, next_in: float | None = None, *, refused: bool = False) -> None:
        super().__init__(detail)
        self.detail, self.next_in, self.refused = detail, next_in, refused


@dataclass(frozen=True, slots=True)
class Got(Generic[T]):
    """What was read. `changed`: it is not what was kept. `following` is the next page's address, or ""."""

    data: T
    changed: bool
    following: str


class Api:
    """Asks for one check, once. `now` is epoch seconds by our clock when the question was put.

    `skew` is how many seconds GitHub's clock shows more than ours, None until an answer had a date. `wish` is for how
    long GitHub wants not to be asked, None while it has said nothing.
    """

    def __init__(
        self,
        base: str,
        token: str,
        *,
        limits: Limits,
        memo: Memo,
        now: float,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.base, self.token, self.memo = base, token, memo
        self.skew: float | None = None
        self.wish: float | None = None
        self._limits = limits
        self._put_at, self._began, self._ticks = now, ticks(), ticks

    @property
    def now(self) -> float:
        """Epoch seconds by our clock."""
        return self._put_at + self._ticks() - self._began

    def get(self, url: str, read: Callable[[Any], T | None], what: str, *, max_bytes: int = LIST_BYTES) -> Got[T]:
        """What `read` makes of the answer, whose None means that it is another service's; raises Trouble.

        Asks with the ETag of the answer that is kept: a 304 costs nothing of the hourly requests where a token is
        sent, and what was read before counts on.
        """
        kept = self.memo.answers.get(url)
        headers = {"If-None-Match": kept.etag} if kept is not None else {}
        answer = self.send("GET", url, headers=headers, max_bytes=max_bytes)
        if answer.status == 304 and kept is not None:
            return Got(kept.data, False, kept.following)
        if answer.status != 200:
            raise self.refusal(answer, what)
        data = read(answer.json())
        if data is None:
            raise Trouble(f"HTTP 200 for {what}, but not as GitHub answers: is {address.web_host(self.base)} right?")
        following = self._following(url, answer)
        if _ETAG.fullmatch(etag := answer.headers.get("etag", "")):
            self.memo.keep(url, Kept(etag=etag, data=data, following=following))
        return Got(data, True, following)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        max_bytes: int = LIST_BYTES,
    ) -> Answer:
        """One answer after at most `REDIRECTS` redirects (a renamed repository has them), whatever its status.

        Raises HttpError; and Trouble where a limit or the time is up, or a redirect leads where the token may not go.
        """
        for _ in range(REDIRECTS + 1):
            answer = self.once(method, url, headers=headers, body=body, max_bytes=max_bytes)
            if answer.status not in (301, 302, 307, 308):
                return answer
            target = address.redirected(url, answer.headers.get("location", ""))
            if target is None:
                raise Trouble(f"HTTP {answer.status}: a redirect to another place, which is not followed", refused=True)
            url = target
        raise Trouble(f"HTTP {answer.status}: more than {REDIRECTS} redirects", refused=True)

    def once(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        max_bytes: int = LIST_BYTES,
        timeout: float | None = None,
    ) -> Answer:
        """One exchange, no redirect followed. Raises HttpError, and Trouble where a limit or the time is up."""
        if (rest := self._limits.rest(self.base, self.now)) is not None:
            raise Trouble(f"{rest.why}; nothing is asked until then", max(rest.until - self.now, 1.0), refused=True)
        if self.now - self._put_at > BUDGET:
            raise Trouble("GitHub answers too slowly; what is left is asked next time", refused=True)
        sent = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": VERSION, **(headers or {})}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        answer = exchange(method, url, headers=sent, body=body, max_bytes=max_bytes, timeout=timeout)
        if self.token:  # a server that repeats what it was sent may not get it into a detail
            answer = replace(answer, body=answer.body.replace(self.token.encode(), b"***"))
        self._read_clock(answer)
        self._read_wishes(answer)
        rest = self._limits.note(self.base, answer, self.now, self.skew or 0.0)
        if rest is not None:
            words = f"HTTP {answer.status}: {rest.why}{self._anonymous()}"
            raise Trouble(words, rest.wait, refused=True)
        return answer

    def refusal(self, answer: Answer, what: str) -> Trouble:
        """An answer with another status than was hoped for, in words that say what to do."""
        refused = 400 <= answer.status < 500 and answer.status != 408
        wait = answer.retry_after(self.now + (self.skew or 0.0))
        told = explain(answer, what, bool(self.token))
        return Trouble(told, None if wait is None else max(wait, 1.0), refused=refused)

    def _read_clock(self, answer: Answer) -> None:
        """Compare GitHub's clock with ours. Its date is from before the answer came, so the skew is never too large."""
        try:
            at = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
        except (TypeError, ValueError, OverflowError):
            return
        self.skew = at - self.now

    def _read_wishes(self, answer: Answer) -> None:
        wishes = (self.wish, poll_interval(answer), used_up(answer, self.now, self.skew or 0.0))
        self.wish = max((wish for wish in wishes if wish is not None), default=None)

    def _following(self, url: str, answer: Answer) -> str:
        found = _NEXT.search(answer.headers.get("link", "")[:4000])
        return (address.redirected(url, found[1]) or "") if found else ""

    def _anonymous(self) -> str:
        return "" if self.token else "; without GITHUB_TOKEN GitHub allows 60 requests an hour"


def problem(error: HttpError | Trouble) -> Trouble:
    """A request that failed, as what there is to tell of it."""
    return error if isinstance(error, Trouble) else Trouble(f"no answer from GitHub: {error}")
