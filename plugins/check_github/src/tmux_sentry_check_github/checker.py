"""The check `github_action`: which run is meant, and what it says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tmux_sentry import CheckRequest, CheckResult, CheckStatus, HttpError, clean
from tmux_sentry_check_github import memory as memories
from tmux_sentry_check_github import wanted as wishes
from tmux_sentry_check_github import wire
from tmux_sentry_check_github.api import Api, Trouble, problem
from tmux_sentry_check_github.dispatch import dispatch
from tmux_sentry_check_github.follow import follow
from tmux_sentry_check_github.limits import Limits
from tmux_sentry_check_github.memo import Memos
from tmux_sentry_check_github.search import Seen, close_to, look, marked, run_of, several
from tmux_sentry_check_github.wanted import Wanted, Wrong

#: Seconds without a run until people are told what may be wrong.
PATIENCE = 120.0
#: Seconds between two questions without a token: GitHub allows 60 requests an hour, for all on one address.
ANONYMOUS = 90.0
#: Seconds until a workflow that was not there is looked for again.
LOOK_AGAIN = 60.0


class GithubActions:
    """Thread-safe: what a question knows is its own, what checks share has a lock."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._token = settings.get("GITHUB_TOKEN", "").strip()
        self._limits = Limits()
        self._memos = Memos()

    def check(self, request: CheckRequest) -> CheckResult:
        """Ask once. What GitHub does not answer is UNKNOWN, never failure; keys that cannot be are for a person."""
        try:
            wanted = wishes.read(request, self._settings)
            if not (self._token.isascii() and self._token.isprintable()) or " " in self._token:
                raise Wrong("GITHUB_TOKEN holds characters that no token has: set it anew")
        except Wrong as wrong:  # only a person can put it right, who is told at once
            return CheckResult(status=CheckStatus.ATTENTION, detail=str(wrong))
        api = Api(wanted.base, self._token, limits=self._limits, memo=self._memos.of(request.id), now=request.now)
        try:
            question = _Question(api, wanted, request, memories.read(request.memory))
            result = question.answer()
            if question.memory.dispatch == memories.ACCEPTED:
                result = replace(result, detail=f"dispatched: {result.detail}")
        except (Trouble, HttpError) as error:
            trouble = problem(error)
            result = CheckResult(status=CheckStatus.UNKNOWN, detail=trouble.detail, next_in=trouble.next_in)
        if not self._token and result.status is CheckStatus.PENDING:
            result = replace(result, detail=f"{result.detail} (no GITHUB_TOKEN: asked every {ANONYMOUS:.0f} s)")
        waits = [wait for wait in (result.next_in, api.wish, None if self._token else ANONYMOUS) if wait is not None]
        return replace(result, next_in=max(waits, default=None))


@dataclass(slots=True)
class _Question:
    """One question, and what is known while it is answered."""

    api: Api
    wanted: Wanted
    request: CheckRequest
    memory: memories.Memory

    def answer(self) -> CheckResult:
        """Raises Trouble and HttpError."""
        if self.wanted.run_id is not None:
            return self._followed(self.wanted.run_id)[0]
        if not self.memory.run_id and self.wanted.dispatch:
            self.memory = dispatch(self.api, self.wanted, self.request, self.memory)
        if not self.memory.run_id and (unclear := self._find()) is not None:
            return unclear
        result, run = self._followed(self.memory.run_id)
        if self.memory.sure or not result.status.final:
            return result
        return self._confirmed(result, run)

    def _followed(self, run_id: int) -> tuple[CheckResult, wire.Run]:
        result, self.memory, run = follow(self.api, self.wanted, self.request, self.memory, run_id)
        return result, run

    def _find(self) -> CheckResult | None:
        """Remember the run that is meant; what there is to tell while that is not known."""
        seen = self._look()
        best, is_proof = self._marked(seen.runs)
        if self.memory.dispatch == memories.SENT and not is_proof:
            # Ours may not exist: a run that somebody starts later must not be taken for it.
            soon = (run for run in seen.runs if (run.created_at or 0.0) <= seen.begun.at + PATIENCE)
            best, is_proof = self._marked(soon)
        if len(best) > 1:
            return CheckResult(status=CheckStatus.ATTENTION, detail=several(best))
        if not best:
            return self._nothing(seen)
        if not seen.complete and not is_proof:
            return CheckResult(status=CheckStatus.ATTENTION, detail=_too_many(best[0]))
        self._take(best[0].id, sure=is_proof)
        return None

    def _confirmed(self, result: CheckResult, mine: wire.Run) -> CheckResult:
        """Look again before the end of a run counts that only was the first to fit: ours may have begun after it."""
        seen = self._look()
        best, is_proof = self._marked(seen.runs)
        if is_proof and best[0].id != mine.id:
            self._take(best[0].id, sure=True)
            return self._followed(best[0].id)[0]
        if not seen.begun.may_have(mine):  # GitHub's clock was not known when it was found
            self._take(0, sure=False)
            return self._nothing(seen)
        rivals = close_to(mine, best)
        if len(rivals) > 1:
            return CheckResult(status=CheckStatus.ATTENTION, detail=several(rivals), url=result.url)
        if not is_proof and not seen.begun.surely_has(mine):
            return CheckResult(status=CheckStatus.ATTENTION, detail=_undated(result, mine), url=result.url)
        self._take(mine.id, sure=True)
        return result

    def _look(self) -> Seen:
        followed = frozenset(memories.read(one).run_id for one in self.request.earlier)
        return look(self.api, self.wanted, self._since(), followed)

    def _marked(self, runs: Iterable[wire.Run]) -> tuple[tuple[wire.Run, ...], bool]:
        return marked(self.wanted, runs, run_of(self.request.id))

    def _take(self, run_id: int, *, sure: bool) -> None:
        attempt = self.memory.attempt if run_id == self.memory.run_id else 0
        self.memory = memories.write(self.request, self.memory, run_id=run_id, sure=sure, attempt=attempt)
        self.api.memo.forget(self.wanted.url("actions/runs?"))

    def _since(self) -> float:
        """Since when the run can have begun, epoch seconds by our clock."""
        return self.memory.at or self.request.started_at

    def _nothing(self, seen: Seen) -> CheckResult:
        """No run yet: one empty answer says nothing, and a path filter may keep a commit from ever having one."""
        waited = self.request.now - self._since()
        what = f"no run of {self.wanted.workflow or self.wanted.repository}"
        what += f" for the commit {self.wanted.sha[:12]}" if self.wanted.sha else ""
        if self.memory.dispatch == memories.SENT:
            lost = "the answer to the dispatch was lost, so nobody can tell whether it was started"
            if waited < PATIENCE:
                return CheckResult(status=CheckStatus.PENDING, detail=f"{lost}; {what} yet")
            more = "start it yourself, or run the stage again; it is not sent twice"
            return CheckResult(status=CheckStatus.ATTENTION, detail=f"{lost}, and there is {what}; {more}")
        if (wrong := self._workflow_problem()) != "":
            return CheckResult(status=CheckStatus.UNKNOWN, detail=wrong, next_in=LOOK_AGAIN)
        detail = f"{what} yet"
        if seen.older is not None:
            detail += f" (the newest that fits, {clean(seen.older.label, 120)}, began before the stage)"
        if waited >= PATIENCE:
            detail += "; does it run on this event, branch and path, is it disabled, and is ref right?"
        return CheckResult(status=CheckStatus.PENDING, detail=detail)

    def _workflow_problem(self) -> str:
        """What is wrong with the workflow itself; "" when nothing is known to be. Asked once, and again if wrong."""
        key, known = self.wanted.workflow_key, self.api.memo.workflow
        if not key or (known is not None and (not known[1] or self.request.now < known[0] + LOOK_AGAIN)):
            return known[1] if known is not None else ""
        what = f"the workflow {key} of {self.wanted.repository}"
        answer = self.api.send("GET", self.wanted.url(f"actions/workflows/{key}"))
        wrong = ""
        if answer.status == 404:
            wrong = self.api.refusal(answer, what).detail
        elif answer.status == 200 and _is_disabled(answer.json()):
            wrong = f"{what} is disabled: enable it on its page under Actions"
        if answer.status in (200, 404):
            self.api.memo.workflow = (self.request.now, wrong)
        return wrong


def _is_disabled(data: Any) -> bool:
    return isinstance(data, dict) and wire.text(data, "state").startswith("disabled")


def _too_many(run: wire.Run) -> str:
    return f"too many runs began since the stage to look at all of them; {run.id} fits: if it is meant, set run_id"


def _undated(result: CheckResult, run: wire.Run) -> str:
    why = "no answer had a Date, so nobody can tell whether it began since the stage"
    return f"{result.detail}, but {why}; if {run.id} is meant, set run_id"
