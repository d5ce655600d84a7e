"""`tmux-sentry explain`: what each parser makes of a screen, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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
@click.option("--agent", help="Which agent it is: claude, codex, gemini, ...")
@click.option("--title", help="The pane's title at that moment.")
@click.option("--host", help="Where the pane is, if several hosts have one of that name.")
@click.option("--all", "every", is_flag=True, help="Also list the rules that did not match.")
@hosts_option
@env_file_option
@json_option
def command(
    screen: Path | None,
    pane: str | None,
    agent: str | None,
    title: str | None,
    host: str | None,
    every: bool,
    hosts_file: Path | None,
    env_file: Path | None,
    as_json: bool,
) -> None:
    """Show what each parser makes of a screen: the state, which rules matched, what spoke against them.

    Give one of --screen and --pane.
    """
    from tmux_sentry.cli.parts import wanted
    from tmux_sentry.engine.explaining import explain

    if (screen is None) == (pane is None):
        raise UsageError("give one of --screen FILE and --pane ID", "", "see: tmux-sentry explain --help")
    session = begin(env_file)
    if screen is not None:
        seen, facts = _from_file(screen, agent or "", title or "")
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


def _from_file(path: Path, agent: str, title: str) -> tuple[Screen, PaneFacts]:
    from tmux_sentry.contracts import PaneFacts, PaneIdentity, Screen, TextSource

    lines = _read(path)
    identity = PaneIdentity(host="file", server_pid=0, server_start=0, pane_id="%0", pane_pid=0)
    width = max(map(len, lines), default=0)
    facts = PaneFacts(identity=identity, agent=agent, title=title, width=max(width, 1), source=TextSource.CAPTURE)
    cursor = (0, max(len(lines) - 1, 0))
    return Screen(pane=identity, at=0.0, lines=lines, rows=lines, cursor=cursor), facts


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
