"""`tmux-sentry explain`: what each parser makes of a screen, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.options import json_option
from tmux_sentry.cli.session import Session, begin, env_file_option, hosts_option, watched_pane
from tmux_sentry.errors import UsageError
from tmux_sentry.security.sanitize import clean

if TYPE_CHECKING:
    from tmux_sentry.contracts import PaneFacts, Screen
    from tmux_sentry.engine.explaining import Explanation

#: Bytes of a screen that is read from a file.
_LARGEST = 8 << 20


@click.command("explain")
@click.option("--screen", type=click.Path(dir_okay=False, path_type=Path), help="A capture in a file; - is stdin.")
@click.option("--pane", help="A live pane (%3, or session:window.index); it is only looked at.")
@click.option("--cast", type=click.Path(dir_okay=False, path_type=Path), help="A recording: its states, in time.")
@click.option("--agent", help="Which agent it is: claude, codex, gemini, ...")
@click.option("--title", help="The pane's title at that moment.")
@click.option("--cursor", help="Where the cursor is: COLUMN,ROW from 0,0. For --screen; default: the last row.")
@click.option(
    "--width", type=click.IntRange(1, 1000), help="The pane's columns. For --screen; default: its longest line."
)
@click.option("--host", help="Where the pane is, if several hosts have one of that name.")
@click.option("--all", "every", is_flag=True, help="Also list the rules that did not match.")
@hosts_option
@env_file_option
@json_option
def command(
    screen: Path | None,
    pane: str | None,
    cast: Path | None,
    agent: str | None,
    title: str | None,
    cursor: str | None,
    width: int | None,
    host: str | None,
    every: bool,
    hosts_file: Path | None,
    env_file: Path | None,
    as_json: bool,
) -> None:
    """Show what each parser makes of a screen: the state, which rules matched, what spoke against them.

    Give one of --screen, --pane and --cast. With --json, --cast prints an object a line.
    """
    from tmux_sentry.cli.parts import wanted
    from tmux_sentry.engine.explaining import explain

    if [screen, pane, cast].count(None) != 2:
        what = "give one of --screen FILE, --pane ID and --cast FILE"
        raise UsageError(what, "", "see: tmux-sentry explain --help")
    if screen is None and (cursor, width) != (None, None):
        raise UsageError("--cursor and --width belong to --screen", "a pane and a recording say it themselves")
    session = begin(env_file)
    if cast is not None:
        if title is not None:
            raise UsageError("--title belongs to --screen and --pane", "a recording has its titles in it")
        _play(session, cast, agent or "", as_json)
        return
    if screen is not None:
        seen, facts = _from_file(screen, agent or "", title or "", _cursor(cursor), width)
    else:
        assert pane is not None
        seen, facts = _live(session, hosts_file, pane, host, agent, title)
    explanation = explain(wanted(session, session.registry.parsers), [seen], facts)
    for name, why in explanation.broken.items():
        output.warn(f"parser {clean(name)} could not be asked: {clean(why)}")
    if as_json:
        output.emit_json(explanation.to_json())
    else:
        _show(explanation, every)


def _from_file(
    path: Path, agent: str, title: str, cursor: tuple[int, int] | None, width: int | None
) -> tuple[Screen, PaneFacts]:
    from tmux_sentry.contracts import PaneFacts, PaneIdentity, Screen, TextSource
    from tmux_sentry.watch.source import agent_of

    lines = _read(path)
    identity = PaneIdentity(host="file", server_pid=0, server_start=0, pane_id="%0", pane_pid=0)
    agent = agent or agent_of("", title)
    width = width or max(1, *map(len, lines), 1)
    facts = PaneFacts(identity=identity, agent=agent, title=title, width=width, source=TextSource.CAPTURE)
    cursor = cursor or (0, max(len(lines) - 1, 0))
    return Screen(pane=identity, at=0.0, lines=lines, rows=lines, cursor=cursor), facts


def _cursor(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    column, _, row = text.partition(",")
    if not all(part.isascii() and part.isdigit() and len(part) < 6 for part in (column, row)):
        raise UsageError(f"--cursor {clean(text, 40)} is no place", "it is COLUMN,ROW, from 0,0", "--cursor 2,17")
    return int(column), int(row)


def _play(session: Session, path: Path, agent: str, as_json: bool) -> None:
    from tmux_sentry.cli.parts import wanted
    from tmux_sentry.recording import facts
    from tmux_sentry.recording.asciicast import open_cast
    from tmux_sentry.recording.stage import Stage, VirtualClock, start_of
    from tmux_sentry.recording.terminal import running
    from tmux_sentry.recording.timeline import Timeline

    parsers = wanted(session, session.registry.parsers)
    with open_cast(path) as cast:
        clock, info = VirtualClock(start_of(cast)), facts.first(cast.header)
        if agent:
            info = replace(info, command=agent)  # so that it is read as that agent's panes are
        timeline = Timeline(parsers, clock, output.emit_line if as_json else _point, agent)
        with running(cast.header.width, cast.header.height) as terminal:
            Stage(cast, terminal, info, clock, timeline.sink).play(timeline)
        if cast.torn:
            output.warn("the recording ends in the middle of a line: whoever wrote it was stopped")
    for name, why in timeline.broken.items():
        output.warn(f"parser {clean(name)} could not be asked: {clean(why)}")


def _point(point: Mapping[str, Any]) -> None:
    """A line of the timeline: when, what kind, and what it is."""
    at, kind = f"{point['at']:9.3f}", point["kind"]
    if kind == "state":
        sure = f"{point['confidence']:.2f}"
        output.say(f"{at}  {kind:<6}{point['state']:<9}{sure}  {clean(point['winner'])}")
    elif kind == "event":
        output.say(f"{at}  {kind:<6}{clean(point['event'], 20):<9}{clean(point['evidence'], 200)}")
    else:
        text = point.get("title") or point.get("text") or point.get("keys") or ""
        output.say(f"{at}  {kind:<6}{clean(text, 200)}")


def _read(path: Path) -> tuple[str, ...]:
    try:
        with click.open_file(str(path), "rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read", str(error.strerror or error), "name a file with a capture") from None
    if len(data) > _LARGEST:
        raise UsageError(
            f"{path} is larger than {_LARGEST >> 20} MB", "", "a screen is what `tmux capture-pane -p` prints"
        )
    lines = [line.rstrip() for line in data.decode("utf-8", "replace").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)


def _live(
    session: Session, hosts_file: Path | None, name: str, host: str | None, agent: str | None, title: str | None
) -> tuple[Screen, PaneFacts]:
    from tmux_sentry.contracts import PaneFacts, Screen
    from tmux_sentry.watch.source import agent_of, text_source

    with watched_pane(session, hosts_file, name, host) as (watcher, info, _host):
        taken = watcher.capture(info.identity)
    title = taken.info.title if title is None else title
    known = agent or agent_of(taken.info.command, title)
    facts = PaneFacts(
        identity=taken.info.identity,
        agent=known,
        command=taken.info.command,
        title=title,
        width=taken.info.width,
        source=text_source(taken.info, known),
    )
    seen = Screen(pane=facts.identity, at=0.0, lines=taken.lines, cursor=taken.cursor, rows=taken.screen)
    return seen, facts


def _show(explanation: Explanation, every: bool) -> None:
    conclusion, dialog = explanation.conclusion, explanation.dialog
    agent = f"{clean(explanation.agent)} is " if explanation.agent else ""
    by = f"; {clean(conclusion.winner)}" if conclusion.winner else ""
    sure = f" ({conclusion.confidence:.2f}, {conclusion.trust.name.lower()}{by})" if conclusion.confidence else ""
    output.say(f"{agent}{conclusion.state.value}{sure}: {clean(conclusion.why)}")
    if dialog is not None:
        output.say(f"asks: {clean(dialog.question, 500)}")
        if dialog.command:
            cut = " (not all of it is known)" if dialog.truncated else ""
            output.say(f"command{cut}: {clean(dialog.command, 1000)}")
        for choice in dialog.choices:
            output.say(f"  {' '.join(choice.key)}: {clean(choice.label, 200)} ({choice.meaning})")
    events = [one for one in explanation.signals if one.event_type or one.kind.value in ("status", "error", "limit")]
    for signal in events:
        word = signal.event_type or signal.kind.value
        output.say(f"{word} ({signal.confidence:.2f}, {signal.trust.name.lower()}): {clean(signal.evidence, 200)}")
    shown = [(parser, trace) for parser, trace in explanation.rules if every or trace.matched]
    if shown:
        columns = ("rule", "says", "sure", "matched", "evidence")
        output.table(
            columns,
            [
                (
                    f"{parser}/{trace.rule}",
                    trace.concludes,
                    f"{trace.confidence:.2f}",
                    f"vetoed by {trace.vetoed_by}" if trace.vetoed_by else "yes" if trace.matched else "no",
                    clean(trace.evidence, 60),
                )
                for parser, trace in shown
            ],
        )
