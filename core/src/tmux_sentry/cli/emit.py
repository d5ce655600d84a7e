"""`tmux-sentry emit`: hand an event over from inside a pane."""

from __future__ import annotations

import os

import click

from tmux_sentry import smart_wrapper
from tmux_sentry.cli import output
from tmux_sentry.errors import SentryError, UsageError

# POSIX sh, base64, tr and tmux; two lines, to be pasted. The counter keeps two equal events apart.
_SHELL = (
    "sentry_emit() { SENTRY_N=$((${SENTRY_N:-0} + 1)); "
    """set -- "$(printf %s "$1" | base64 | tr -d '\\n=' | tr +/ -_)" "$(tmux show -sqv @sentry_wait)"\n"""
    """tmux set -as @sentry_q " $TMUX_PANE:$(date +%s)$$$SENTRY_N:$1" """
    """&& { [ -z "$2" ] || tmux wait-for -S "$2"; }; }"""
)


@click.command("emit")
@click.argument("json_", metavar="JSON", required=False)
@click.option("--print-shell", is_flag=True, help="Print a shell function that does the same without tmux-sentry.")
def command(json_: str | None, print_shell: bool) -> None:
    """Hand one SENTRY event over, out of band: what is printed in the pane cannot forge it.

    For use inside a tmux pane, by scripts and hooks. Without JSON (or with -) it is read from stdin. In a pane that
    runs under `tmux-sentry wrap` it is signed.
    """
    if print_shell:
        output.say(_SHELL)
        return
    if json_ in (None, "-"):
        with click.open_file("-", "rb") as stream:
            json_ = stream.read(1 << 20).decode("utf-8", "replace")
    assert json_ is not None
    try:
        line = smart_wrapper.event(json_)  # first: what is wrong with it is wrong everywhere
        smart_wrapper.Pane(os.environ).emit(line)
    except ValueError as error:
        raise UsageError("the event was not handed over", str(error)) from None
    except (smart_wrapper.NotInTmux, OSError) as error:
        raise SentryError("the event was not handed over", str(error), "run it inside a tmux pane") from None
