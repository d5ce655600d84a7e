"""`tmux-sentry checks`: ask an outside service by hand, as a stage would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.options import json_option
from tmux_sentry.cli.session import Session, begin, env_file_option, hosts_option, read_hosts, transport_of
from tmux_sentry.errors import EXIT_FAILED, EXIT_OK, InvalidConfig, UsageError
from tmux_sentry.security.sanitize import clean

if TYPE_CHECKING:
    from tmux_sentry.contracts import Checker, CheckRequest, CheckResult, HostAccess
    from tmux_sentry.policy.model import ExternalCheck


@click.group("checks")
def checks() -> None:
    """Ask an outside service by hand."""


@checks.command("test")
@click.argument("type_", metavar="TYPE")
@click.argument("values", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--typed", multiple=True, help="What the stage would have typed, e.g. 'gh workflow run deploy.yml'.")
@click.option("--since", default="0s", show_default=True, help="How long ago the stage would have begun, e.g. 10m.")
@click.option("--wait", default="0s", show_default=True, help="Ask again for so long, until the answer is final.")
@click.option("--host", "host_name", help="The host that the pane would be on, by its name in the hosts file.")
@hosts_option
@env_file_option
@json_option
def test(
    type_: str,
    values: tuple[str, ...],
    typed: tuple[str, ...],
    since: str,
    wait: str,
    host_name: str | None,
    hosts_file: Path | None,
    env_file: Path | None,
    as_json: bool,
) -> int:
    """Run one check of TYPE with the keys that a policy would give it, and print what was seen.

    A VALUE is written as in YAML: run_id=7, 'inputs={version: "1.2"}'. A check that starts something (dispatch=true)
    starts it for real, once a call. Exit status 0 for success, without --wait also for what still runs; 1 for
    everything else.
    """
    import secrets

    from tmux_sentry.cli.parts import needed
    from tmux_sentry.clock import SystemClock
    from tmux_sentry.contracts import CheckRequest, CheckStatus

    session, clock = begin(env_file), SystemClock()
    action = _action(session, type_, values)
    began, patience = clock.now() - _seconds("--since", since), _seconds("--wait", wait)
    until = clock.monotonic() + patience
    checker = needed(session, session.registry.checkers, [type_], "external check", "checker")[type_]
    id_, memory = f"by-hand-{secrets.token_hex(8)}", dict[str, Any]()

    def remember(kept: Mapping[str, Any]) -> None:
        memory.clear()
        memory.update(kept)

    with _host(session, hosts_file, host_name) as host, _opened(checker) as news:

        def request() -> CheckRequest:
            return CheckRequest(
                config=action.config,
                id=id_,
                started_at=began,
                now=clock.now(),
                typed=typed,
                memory=dict(memory),
                remember=remember,
                host=host,
            )

        result = _asked(checker, request, type_, news, lambda: until - clock.monotonic())
    _show(result, memory, as_json)
    still_runs = result.status is CheckStatus.PENDING and not patience
    return EXIT_OK if still_runs or result.status is CheckStatus.SUCCESS else EXIT_FAILED


def _action(session: Session, type_: str, values: Sequence[str]) -> ExternalCheck:
    """The action as a policy would have it. Raises UsageError, or InvalidConfig; its lines are the arguments."""
    from tmux_sentry.config.diagnostics import validate
    from tmux_sentry.config.opening import opened
    from tmux_sentry.config.schema import load_schema
    from tmux_sentry.config.source import parse_source
    from tmux_sentry.policy.build import build_check
    from tmux_sentry.policy.plugins import hint
    from tmux_sentry.policy.schema import compose

    lines = [f"type: {type_}"]
    for value in values:
        key, equals, text = value.partition("=")
        if not equals or not key.replace("_", "a").isalnum():
            raise UsageError(f"{value!r} is not KEY=VALUE", "a key has letters, digits and _", "repository=user/repo")
        lines.append(f"{key}: {text}".replace("\n", " "))
    source = opened(parse_source("\n".join(lines).encode(), "argument"), session.settings.vault)
    whole = compose(load_schema("policy"), session.registry)
    schema = {"$defs": whole["$defs"], "$ref": "#/$defs/external-check"}
    errors = validate(source, schema, lambda kind, name: hint(session.registry, kind, name))
    action = None if errors else build_check(source.value)
    mistakes = session.registry.mistakes(type_, action.config) if action is not None else ()
    errors += [source.diagnostic((key,) if key else (), what) for key, what in mistakes]
    if action is None or errors:
        raise InvalidConfig(errors)
    return action


def _seconds(option: str, text: str) -> float:
    from tmux_sentry.config.formats import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r} is no duration", str(error), "30s, 10m, 1h") from error


@contextmanager
def _host(session: Session, hosts_file: Path | None, name: str | None) -> Iterator[HostAccess | None]:
    """What the check may run on the host of this name."""
    from tmux_sentry.transport.access import TransportAccess

    if name is None:
        yield None
        return
    hosts = read_hosts(session, hosts_file, name)
    host = next(host for host in hosts if host.name == name)
    with closing(transport_of(session, hosts, host)) as way:
        yield TransportAccess(way)


@contextmanager
def _opened(checker: Checker) -> Iterator[Callable[[float], object]]:
    """The checker while it hears from its service; yields a wait for news, of at most so many seconds."""
    import threading

    news = threading.Event()
    if (begin_ := getattr(checker, "open", None)) is not None:
        begin_(news.set)

    def wait(seconds: float) -> None:
        news.wait(seconds)
        news.clear()

    try:
        yield wait
    finally:
        if (end := getattr(checker, "close", None)) is not None:
            end()


def _asked(
    checker: Checker,
    request: Callable[[], CheckRequest],
    type_: str,
    wait: Callable[[float], object],
    left: Callable[[], float],
) -> CheckResult:
    """The last answer: the first that is final, or what was said when the time was over."""
    from tmux_sentry.engine.checking import ask
    from tmux_sentry.engine.pace import Pace

    pace = Pace()
    while True:
        result = ask(checker, request(), type_)
        pace = pace.after(result)
        if result.status.final or left() <= 0:
            output.progress("")
            return result
        output.progress(f"{result.status.value}: {result.detail}")
        wait(min(pace.seconds(result, 0.0), left()))


def _show(result: CheckResult, memory: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        output.emit_json(
            {
                "status": result.status.value,
                "detail": result.detail,
                "url": result.url,
                "percent": result.percent,
                "log_tail": result.log_tail,
                "next_in": result.next_in,
                "memory": dict(memory),
            }
        )
        return
    output.say(f"{result.status.value.replace('_', ' ')}: {clean(result.detail)}".rstrip(": "))
    if result.percent is not None:
        output.say(f"progress: {result.percent:.0f} %")
    if result.url:
        output.say(f"link: {clean(result.url)}")
    if result.log_tail:
        output.say("log:")
        for line in result.log_tail.splitlines():
            output.say(f"  {line}")
