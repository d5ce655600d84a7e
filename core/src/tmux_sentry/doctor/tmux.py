"""What a host's answers mean."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from tmux_sentry.doctor.finding import Finding, count, note, of_error, ok, problem
from tmux_sentry.doctor.host import HOLD, HostFacts, Inherited
from tmux_sentry.security.sanitize import clean
from tmux_sentry.tmux.model import PaneInfo, TmuxAddress
from tmux_sentry.tmux.version import Ability, ability
from tmux_sentry.watch.reading import Method, always_polled

_CAN = {
    Ability.STREAM: "it can be typed into and read as it prints",
    Ability.TYPE: "it can be typed into; 3.2 could be read as it prints",
    Ability.OBSERVE: "it can only be watched; 3.0 could be typed into",
}
_WHERE = {"-s": "for the whole server", "-g": "for all sessions", "-gw": "for all windows"}
_SHOWN = 8


def reachable(host: str, facts: HostFacts) -> Iterator[Finding]:
    """Whether a server answers, and what its tmux can do."""
    able = ability(facts.version)
    what = f"{host}: {facts.version}, {_CAN.get(able, 'which cannot be used')}"
    yield ok("hosts", what) if able is Ability.STREAM else note("hosts", what, f"upgrade tmux on {host}")
    number = re.match(r"tmux (?:next-)?(\d+)\.(\d+)", facts.version)
    if number is not None and able is Ability.STREAM and (int(number[1]), int(number[2])) < (3, 7):
        what = f"{host}: before tmux 3.7 a control client that subscribes (refresh-client -B) and does not read can"
        yield note("hosts", f"{what} crash the server; tmux-sentry does not subscribe")
    if facts.error is not None:
        yield from of_error("hosts", facts.error, f"see that tmux answers on {host}")
    else:
        yield ok("hosts", f"{host}: {count(len(facts.panes), 'pane')}")
    if facts.focus_events:
        what = f"{host}: focus-events is on: a program that asks for focus is told that it has it when we attach"
        yield note("hosts", what, "set-option -s focus-events off there, if that disturbs a program")


def polled(host: str, method: Method, version: str) -> Iterator[Finding]:
    """Whether exit statuses are never seen there."""
    if always_polled(method, ability(version)):
        what = f"{host}: its panes are polled, so no exit status is seen: a stage that needs one (report_exit) is held"
        fix = "remove watch.method: poll" if method == "poll" else f"upgrade tmux on {host}"
        yield note("hosts", what, f"{fix}, or decide by success_when")


def inherited(host: str, address: TmuxAddress, found: Sequence[Inherited]) -> Iterator[Finding]:
    """Options of ours above the panes, which every pane below takes for its own."""
    for one in found:
        where = _WHERE.get(one.level) or f"for {one.level.split()[-1]}"
        fix = _tmux(host, address, f"set-option {_unset(one.level)} {one.option}")
        if one.option == HOLD:
            everywhere = f"tmux-sentry unpause --host {shlex.quote(host)}"
            yield note("pause", f"{host}: sending is paused {where}", everywhere if one.level == "-g" else fix)
        else:
            what = f"{host}: {one.option} is set {where}, so that panes inherit a fence that is not theirs"
            yield problem("options", what, fix)


def owners(host: str, panes: Sequence[PaneInfo], instance: str) -> Iterator[Finding]:
    """Panes that another database has claimed; `instance` is the name of this one."""
    foreign: dict[str, list[str]] = defaultdict(list)
    for pane in panes:
        if pane.owner and (not instance or pane.owner.partition("@")[0] != instance):
            foreign[pane.owner].append(pane.identity.pane_id)
    for owner, ids in foreign.items():
        what = f"{host}: {_listed(ids)} owned by another instance ({clean(owner, 60)})"
        yield note("owners", what, "when that one is gone for good: tmux-sentry run --take-over")


def holds(host: str, panes: Sequence[PaneInfo], found: Sequence[Inherited]) -> Iterator[Finding]:
    """Panes that are paused by themselves; of a hold above them is told once."""
    if any(one.option == HOLD for one in found):
        return
    for pane in panes:
        if pane.hold:
            fix = f"tmux-sentry unpause {shlex.quote(pane.identity.pane_id)} --host {shlex.quote(host)}"
            yield note("pause", f"{host}: sending is paused in {pane.identity.pane_id}", fix)


def clients(host: str, seen: Collection[int], ours: Collection[int], *, running: bool) -> Iterator[Finding]:
    """Control clients like ours. `ours` are those that the last `run` wrote down."""
    if running:
        return  # it attaches and writes down one after the other, and has ended what was left behind
    left = sorted(set(seen) & set(ours))
    if left:
        what = f"{host}: {_ids(left)} of a `run` that is gone still attached: one that is stuck can block an agent"
        yield problem("clients", what, f"tmux-sentry run (it ends them), or on {host}: kill {' '.join(map(str, left))}")
    other = sorted(set(seen) - set(ours))
    if other:
        what = f"{host}: {_ids(other)} attached that this database does not know"
        fix = f"if no other tmux-sentry watches {host}: kill {' '.join(map(str, other))} there"
        yield note("clients", what, fix)


def _unset(level: str) -> str:
    """`-g` -> `-gu`, `-t '$1'` -> `-u -t '$1'`."""
    first, _, rest = level.partition(" ")
    return f"-u {level}" if first == "-t" else f"{first}u {rest}".rstrip()


def _tmux(host: str, address: TmuxAddress, command: str) -> str:
    where = ["-S", address.socket_path] if address.socket_path else ["-L", address.socket_name]
    return f"on {host}: {shlex.join([address.command, *where])} {command}"


def _listed(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f"{', '.join(ids[:_SHOWN])}{more}"


def _ids(pids: Sequence[int]) -> str:
    return f"{count(len(pids), 'control client')} (pid {_listed(list(map(str, pids)))})"
