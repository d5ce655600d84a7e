"""The stages of a pipeline as a graph of triggers: unknown stages, cycles, stages that can never start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tmux_sentry.config.diagnostics import did_you_mean, one_of
from tmux_sentry.config.source import Where
from tmux_sentry.policy.shape import Finding, Named, pairs, words

_OUTCOME = {"after_stage_success": "success", "after_stage_failure": "failure"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _After:
    """One trigger that waits for stages."""

    where: Where
    outcome: str
    stages: tuple[str, ...]


def check_triggers(stages: Sequence[Named]) -> Iterator[Finding]:
    """What is wrong with the triggers of one pipeline."""
    names = [stage.name for stage in stages]
    after = {stage.name: tuple(_after(stage)) for stage in stages}
    broken: set[str] = set()
    for name, triggers in after.items():
        for trigger in triggers:
            for unknown in (word for word in trigger.stages if word not in names):
                broken.add(name)
                help = did_you_mean(unknown, names) or f"stages here: {one_of(names)}"
                yield Finding(
                    where=_place(stages, trigger, unknown), what=f"no stage is named '{unknown[:60]}'", help=help
                )
            if name in trigger.stages:
                broken.add(name)
                yield Finding(where=_place(stages, trigger, name), what=f"stage '{name}' waits for itself")
    for cycle, trigger in _cycles(after):
        broken.update(cycle)
        path = " -> ".join([*cycle, cycle[0]])
        yield Finding(
            where=_place(stages, trigger, cycle[1]),
            help="each waits for the next",
            what=f"stages wait for each other in a circle: {path}",
        )
    yield from _never(stages, after, broken)


def _after(stage: Named) -> Iterator[_After]:
    for where, kind, value in pairs(stage.body.get("triggers"), (*stage.where, "triggers")):
        if kind in _OUTCOME:
            yield _After(where=where, outcome=_OUTCOME[kind], stages=tuple(dict.fromkeys(words(value))))


def _place(stages: Sequence[Named], trigger: _After, word: str) -> Where:
    """The place of a stage's name inside a trigger: the list item, where there is a list."""
    stage = next(stage for stage in stages if trigger.where[: len(stage.where)] == stage.where)
    index = trigger.where[len(stage.where) + 1]
    value = stage.body["triggers"][index][trigger.where[-1]]
    return (*trigger.where, value.index(word)) if isinstance(value, list) else trigger.where


def _cycles(after: Mapping[str, Sequence[_After]]) -> Iterator[tuple[list[str], _After]]:
    """Each circle once, from the stage that comes first in the file, with the trigger that closes it.

    In a circle `[a, b]` a waits for b and b waits for a. Iterative: a policy may chain a thousand stages.
    """
    done: set[str] = set()
    for root in after:
        path: list[str] = []
        stack: list[tuple[str, _After | None, bool]] = [(root, None, False)]
        while stack:
            name, trigger, leaving = stack.pop()
            if leaving:
                path.pop()
                done.add(name)
                continue
            if name in path and trigger is not None:
                cycle = path[path.index(name) :]
                if len(cycle) > 1:
                    yield _turned(cycle, after)
                continue
            if name in done:
                continue
            path.append(name)
            stack.append((name, None, True))
            for waits in reversed(after.get(name, ())):
                stack.extend((stage, waits, False) for stage in reversed(waits.stages) if stage in after)


def _turned(cycle: list[str], after: Mapping[str, Sequence[_After]]) -> tuple[list[str], _After]:
    order = list(after)
    start = min(range(len(cycle)), key=lambda index: order.index(cycle[index]))
    turned = cycle[start:] + cycle[:start]
    return turned, next(trigger for trigger in after[turned[0]] if turned[1] in trigger.stages)


def _never(stages: Sequence[Named], after: Mapping[str, Sequence[_After]], broken: set[str]) -> Iterator[Finding]:
    """Stages whose every trigger needs one stage both to succeed and to fail."""
    needs: dict[str, frozenset[tuple[str, str]] | None] = {}
    for stage in _in_dependency_order(stages, after, broken):
        triggers = after[stage.name]
        if not triggers or len(triggers) < len(stage.body.get("triggers") or ()):
            needs[stage.name] = frozenset()  # starts by itself, by an event, or by hand
            continue
        possible = [need for trigger in triggers if (need := _need(trigger, needs)) is not None]
        needs[stage.name] = frozenset.intersection(*possible) if possible else None
        if not possible and all(needs.get(name, frozenset()) is not None for name in triggers[0].stages):
            what = f"stage '{stage.name}' can never start: a stage before it would have to succeed and to fail"
            yield Finding(where=(*stage.where, "triggers"), what=what, key=True)


def _need(trigger: _After, needs: Mapping[str, frozenset[tuple[str, str]] | None]) -> frozenset[tuple[str, str]] | None:
    total: set[tuple[str, str]] = {(name, trigger.outcome) for name in trigger.stages}
    for name in trigger.stages:
        before = needs.get(name, frozenset())
        if before is None:
            return None
        total |= before
    outcomes = dict(total)
    return frozenset(total) if len(outcomes) == len(total) else None


def _in_dependency_order(
    stages: Sequence[Named], after: Mapping[str, Sequence[_After]], broken: set[str]
) -> list[Named]:
    """Stages after those they wait for; those that are broken, or wait for a broken one, are left out."""
    order: list[Named] = []
    known: set[str] = set()
    waiting = [stage for stage in stages if stage.name not in broken]
    while waiting:
        ready = [s for s in waiting if all(name in known for trigger in after[s.name] for name in trigger.stages)]
        if not ready:
            break
        order += ready
        known.update(stage.name for stage in ready)
        waiting = [stage for stage in waiting if stage.name not in known]
    return order
