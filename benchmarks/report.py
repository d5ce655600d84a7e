"""The tables, the ratios and the figures that have to be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from loads import Load
from measure import Row
from observers import DESIGNS

#: By load and design.
Rows = Mapping[tuple[str, str], Row]
PEER = "subprocess"
HEAD = ("p50 ms", "p99 ms", "max ms", "seen", "missed", "doubled", "CPU", "tmux", "sshd", "MB", "p50 x", "CPU x")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number that has to be reached. `got` is None where the numbers for it were not to be had."""

    what: str
    least: float | None = None
    most: float | None = None
    unit: str
    got: float | None

    @property
    def reached(self) -> bool:
        """Whether it is; what could not be measured is not."""
        if self.got is None:
            return False
        return (self.least is None or self.got >= self.least) and (self.most is None or self.got <= self.most)

    @property
    def text(self) -> str:
        """A line for people."""
        wanted = f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"
        got = "-" if self.got is None else f"{self.got:.4g}"
        return f"{'reached' if self.reached else 'NOT REACHED':11}  {self.what}: {got} {self.unit} ({wanted})"


def figures(rows: Rows) -> list[Figure]:
    """The required figures that these rows can tell of."""
    return list(_figures(rows))


def _figures(rows: Rows) -> Iterator[Figure]:
    for load, least in (("100", 5.0), ("300", 8.0)):
        ours, peer = rows.get((load, "ssh")), rows.get((load, PEER))
        if ours is None:
            continue
        if peer is not None and load == "100":
            yield Figure(
                what="100 panes over sshd, p50 below capture-pane's", least=100.0, unit="x", got=_ratio(p50, ours, peer)
            )
        if peer is not None:
            what = f"{load} panes over sshd, watcher CPU below capture-pane's"
            yield Figure(what=what, least=least, unit="x", got=_ratio(watcher_cpu, ours, peer))
        if load == "300":
            yield Figure(what="300 panes over sshd, peak memory", most=150.0, unit="MB", got=ours.peak_mb)
    for name in ("local", "ssh"):
        calm, flooded = rows.get(("100", name)), rows.get(("100+flood", name))
        if calm is not None and flooded is not None:
            what = f"a flood beside 100 panes, {DESIGNS[name].text}: rise of the others' p99"
            yield Figure(what=what, most=50.0, unit="ms", got=_rise(calm, flooded))
    for row in rows.values():
        if DESIGNS[row.design].ours and row.found is not None:
            what = f"{row.load} panes, {DESIGNS[row.design].text}: missed or doubled, of {row.printed}"
            yield Figure(what=what, most=0.0, unit="lines", got=row.found.missed + row.found.doubled)


def table(load: Load, rows: Sequence[Row]) -> str:
    """One load's rows; the last columns say how many times the subprocess poller's figure is theirs."""
    peer = next((row for row in rows if row.design == PEER), None)
    lines = [load.text, _line("", HEAD)]
    for row in rows:
        found = row.found
        times = (found.p50_ms, found.p99_ms, found.max_ms) if found else (None,) * 3
        counts = (found.seen, found.missed, found.doubled) if found else (None,) * 3
        ratios = [_ratio(what, row, peer) if peer and row is not peer else None for what in (p50, watcher_cpu)]
        lines.append(
            _line(
                DESIGNS[row.design].text,
                (
                    *map(_show, times),
                    *("-" if count is None else str(count) for count in counts),
                    *map(_show, (row.cpu.watcher, row.cpu.tmux, row.cpu.sshd, row.peak_mb)),
                    *(_show(ratio) for ratio in ratios),
                ),
            )
        )
    return "\n".join(lines)


def p50(row: Row) -> float | None:
    """Median latency in ms."""
    return row.found.p50_ms if row.found else None


def watcher_cpu(row: Row) -> float | None:
    """CPU seconds a minute of the watcher."""
    return row.cpu.watcher


def _ratio(what: Callable[[Row], float | None], ours: Row, peer: Row) -> float | None:
    mine, theirs = what(ours), what(peer)
    return theirs / mine if mine and theirs else None


def _rise(calm: Row, flooded: Row) -> float | None:
    before, after = (row.found.p99_ms if row.found else None for row in (calm, flooded))
    return None if before is None or after is None else after - before


def _line(name: str, cells: Sequence[str]) -> str:
    return f"{name:18}" + "".join(f"{cell:>8}" for cell in cells)


def _show(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"
