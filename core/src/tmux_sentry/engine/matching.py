"""Which pane a pipeline takes: pure rules over an inventory, the policy and what ran before.

A pane, by identity, runs a pipeline once. A pane has one open Run: the first matching pipeline in file
order takes it, others are shadowed. A pane that only resembles, by name, the pane of an earlier Run on another
tmux server gets nothing by itself: a restarted server starts nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tmux_sentry.engine.conditions import found
from tmux_sentry.policy.model import Match, Pipeline
from tmux_sentry.tmux.model import PaneInfo

Verdict = Literal["start", "running", "shadowed", "ambiguous", "done", "waits"]

#: For people, what each verdict means.
MEANING = {
    "start": "would start a run",
    "running": "has an open run",
    "shadowed": "an earlier pipeline takes this pane",
    "ambiguous": (
        "several panes of one window match; tell them apart with command, agent or pane_index, or say panes: each"
    ),
    "done": "has already run here; start it again with: tmux-sentry runs start PIPELINE PANE --policy FILE",
    "waits": (
        "a pane of this name ran it on an earlier tmux server; "
        "start it with: tmux-sentry runs start PIPELINE PANE --policy FILE"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A pane that a pipeline matches, and what becomes of it."""

    pipeline: str
    pane: PaneInfo
    verdict: Verdict
    by: str = ""  # for shadowed: the pipeline that takes the pane


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A Run that is in the database, as far as matching needs it."""

    run_id: str
    pipeline: str
    host: str
    session_name: str
    window_name: str
    pane_index: int
    server: str
    pane_key: str
    open: bool


def preview(
    pipelines: Sequence[Pipeline],
    panes: Sequence[PaneInfo],
    earlier: Collection[Earlier] = (),
    agents: dict[str, str] | None = None,
) -> list[Candidate]:
    """Every (pipeline, pane) that matches, in file order. `agents` maps a pane's key to its agent."""
    agents = agents or {}
    taken = {run.pane_key: run.pipeline for run in earlier if run.open}
    out: list[Candidate] = []
    for pipeline in pipelines:
        matching = [pane for pane in panes if not pane.dead and matches(pipeline.match, pane, agents)]
        # Session groups and linked windows list one pane several times, under other names.
        own = list({pane.identity.key: pane for pane in reversed(matching)}.values())[::-1]
        for pane in own:
            verdict, by = _verdict(pipeline, pane, own, earlier, taken)
            out.append(Candidate(pipeline=pipeline.name, pane=pane, verdict=verdict, by=by))
            if verdict == "start":
                taken[pane.identity.key] = pipeline.name
    return out


def _verdict(
    pipeline: Pipeline,
    pane: PaneInfo,
    own: Sequence[PaneInfo],
    earlier: Iterable[Earlier],
    taken: dict[str, str],
) -> tuple[Verdict, str]:
    key = pane.identity.key
    holder = taken.get(key)
    if holder is not None:
        return ("running", "") if holder == pipeline.name else ("shadowed", holder)
    ran = [run for run in earlier if run.pipeline == pipeline.name]
    if any(run.pane_key == key for run in ran):
        return "done", ""
    if any(run.server != pane.identity.server and _same_name(run, pane) for run in ran):
        return "waits", ""
    window = [other for other in own if other.window_id == pane.window_id and _same_server(other, pane)]
    if pipeline.panes == "one" and len(window) > 1:
        return "ambiguous", ""
    return "start", ""


def _same_server(a: PaneInfo, b: PaneInfo) -> bool:
    return a.identity.server == b.identity.server


def _same_name(run: Earlier, pane: PaneInfo) -> bool:
    return (run.host, run.session_name, run.window_name, run.pane_index) == (
        pane.identity.host,
        pane.session_name,
        pane.window_name,
        pane.pane_index,
    )


def matches(match: Match, pane: PaneInfo, agents: dict[str, str]) -> bool:
    """Whether every pattern that is given is found."""
    pairs = [
        (match.host, pane.identity.host),
        (match.session_name, pane.session_name),
        (match.window_name, pane.window_name),
        (match.pane_title, pane.title),
        (match.pane_index, str(pane.pane_index)),
        (match.command, pane.command),
        (match.path, pane.path),
        (match.agent, agents.get(pane.identity.key, "")),
    ]
    return all(found(pattern, text) for pattern, text in pairs if pattern is not None)
