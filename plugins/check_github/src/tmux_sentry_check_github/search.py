"""Finds the run that an action means among all runs of the repository. Guesses never: several that fit are told.

GitHub answers lists with a filter (branch, event, created ...) from a search index that lags behind and is at times
empty or weeks old; the list without one is fresh. So all rows are read, and filtered here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tmux_sentry import clean
from tmux_sentry_check_github import wire
from tmux_sentry_check_github.api import Api
from tmux_sentry_check_github.wanted import Wanted
from tmux_sentry_check_github.wire import Run

#: Pages of 100 runs that are read, newest first.
PAGES = 5
#: Seconds that a time of GitHub's may seem too early: it shows whole ones, so up to one is cut off. The Date that its
#: clock is known from is cut off too, and read after it was written, so the stage's start by that clock is never too
#: late; but the machine that wrote the Date is not the one that began the run, and theirs may differ by one more.
CUT, CLOCK_KNOWN = 1.0, 2.0
#: Seconds by which clocks may differ where no answer has a Date.
CLOCK_UNKNOWN = 60.0
#: Seconds: runs that began closer together than this may be taken for one another.
CLOSE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """When the stage or the dispatch began: epoch seconds by GitHub's clock, or by ours if no answer had a Date.

    `followed` are the runs that earlier checks of this Run have followed.
    """

    at: float
    dated: bool
    followed: frozenset[int]

    @property
    def earliest(self) -> float:
        """The earliest that GitHub may show as when this began."""
        return self.at - (CLOCK_KNOWN if self.dated else CLOCK_UNKNOWN)

    def may_have(self, run: Run) -> bool:
        """Whether the run may have begun since."""
        return (
            run.created_at is not None
            and run.created_at >= self.earliest
            and run.id not in self.followed
            and not (self.dated and run.over_at is not None and run.over_at + CUT <= self.at)
        )

    def surely_has(self, run: Run) -> bool:
        """Whether a run that may have begun since certainly has."""
        return self.dated or (run.created_at is not None and run.created_at >= self.at + CLOCK_UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The runs that fit, newest first; whether the list was read far enough; and of the too old ones the newest."""

    runs: tuple[Run, ...]
    complete: bool
    older: Run | None
    begun: Begun


def look(api: Api, wanted: Wanted, since: float, followed: frozenset[int]) -> Seen:
    """Every run that fits and began since `since` (epoch seconds by our clock), none of those that were `followed`.

    Raises Trouble and HttpError.
    """
    url = wanted.url("actions/runs?per_page=100")
    found: dict[int, Run] = {}  # a page may repeat rows of the one before, when runs have begun meanwhile
    older: Run | None = None
    for _ in range(PAGES):
        page = api.get(url, wire.runs, f"the runs of {wanted.repository}")
        begun = Begun(at=since + (api.skew or 0.0), dated=api.skew is not None, followed=followed)
        for run in page.data:
            if run.created_at is None or not fits(wanted, run):
                continue
            if begun.may_have(run):
                found.setdefault(run.id, run)
            elif older is None:
                older = run
        times = [run.created_at for run in page.data if run.created_at is not None]
        is_last = not page.following or (bool(times) and min(times) < begun.earliest)
        if is_last:
            return Seen(runs=tuple(found.values()), complete=True, older=older, begun=begun)
        url = page.following
    return Seen(runs=tuple(found.values()), complete=False, older=older, begun=begun)


def fits(wanted: Wanted, run: Run) -> bool:
    """Whether a run is one of those that the action's keys describe, its age aside."""
    return (
        (not wanted.workflow or wanted.workflow in (run.file, str(run.workflow_id), run.name))
        and wanted.event in ("", run.event)
        and wanted.ref in ("", run.branch)
        and (not wanted.actor or wanted.actor in run.actors)
        and run.sha.startswith(wanted.sha)
    )


def marked(wanted: Wanted, runs: Iterable[Run], own: str) -> tuple[tuple[Run, ...], bool]:
    """The runs whose title shows most of the inputs' values (all, where none does), and whether one proves it.

    The workflow's `run-name` may show inputs. Only a value with `own` in it, our Run's id ("" without one), proves
    that the run is meant: a colleague may give the same version, and any other value.
    """
    runs = tuple(runs)
    values = {value for value in wanted.inputs.values() if len(value) >= 3}
    shown = {run.id: [value for value in values if _shows(run, value)] for run in runs}
    most = max((len(found) for found in shown.values()), default=0)
    best = tuple(run for run in runs if len(shown[run.id]) == most)
    is_proof = len(best) == 1 and own != "" and any(own in value for value in shown[best[0].id])
    return best, is_proof


def run_of(check_id: str) -> str:
    """The id of the Run that a check is of, from its "RUN/STAGE/ATTEMPT/checkN"; "" for a check by hand."""
    run, slash, _ = check_id.partition("/")
    return run if slash else ""


def close_to(run: Run, runs: Iterable[Run]) -> tuple[Run, ...]:
    """The runs that may be taken for this one, itself among them."""
    at = run.created_at
    if at is None:
        return (run,)
    near = (one for one in runs if one.id != run.id and one.created_at is not None and abs(one.created_at - at) < CLOSE)
    return (run, *near)


def several(runs: tuple[Run, ...]) -> str:
    """Which runs fit, and which keys would tell them apart."""
    differ: dict[str, set[object]] = {
        "workflow": {run.workflow_id or run.file for run in runs},
        "branch": {run.branch for run in runs},
        "sha": {run.sha for run in runs},
        "actor": {run.actors for run in runs},
        "event": {run.event for run in runs},
    }
    keys = ["run_id", *(name for name, values in differ.items() if len(values) > 1)]
    named = "; ".join(f"{run.id} {clean(run.title or run.name, 30)!r} {_short(run.url)}".rstrip() for run in runs[:3])
    more = f"; and {len(runs) - 3} more" if len(runs) > 3 else ""
    advice = f"add {' or '.join(keys)}, or have `run-name` show an input with ${{run.id}}"
    return f"{len(runs)} runs fit, and nothing says which is meant; {advice}: {named}{more}"


def _short(url: str) -> str:
    return url if len(url) <= 90 else ""


def _shows(run: Run, value: str) -> bool:
    """Whether the title has the value as words of its own: 12 is not in 123."""
    title, at = run.title, run.title.find(value)
    while at >= 0:
        before, after = title[at - 1 : at], title[at + len(value) : at + len(value) + 1]
        if not before.isalnum() and not after.isalnum():
            return True
        at = title.find(value, at + 1)
    return False
