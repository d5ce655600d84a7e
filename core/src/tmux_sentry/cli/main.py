"""The command line: which commands there are, what they share, and how errors leave.

`--help` is made from the table below, so it imports no command and no plugin. A command name that
is not in the table is looked for in the plugins.
"""

from __future__ import annotations

import difflib
import importlib
import logging
import os
import sys
from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from tmux_sentry import __version__
from tmux_sentry.cli import output
from tmux_sentry.cli.app import App
from tmux_sentry.cli.hooks import clean_hooks
from tmux_sentry.cli.options import log_level_option
from tmux_sentry.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, SentryError

PROGRAM = "tmux-sentry"

# In the order in which a newcomer needs them: name -> where the click command is, its line in --help.
COMMANDS = {
    "init": ("tmux_sentry.cli.init:command", "Write example files and make the home directory."),
    "demo": ("tmux_sentry.cli.demo:command", "See it work, with nothing configured."),
    "status": ("tmux_sentry.cli.status:command", "Show which hosts and panes can be reached."),
    "hosts": ("tmux_sentry.cli.hosts:hosts", "Trust the key of a machine."),
    "check": ("tmux_sentry.cli.check:command", "Validate policies and hosts files."),
    "run": ("tmux_sentry.cli.run:command", "Watch the panes and walk them through the policy."),
    "approvals": ("tmux_sentry.cli.approvals:approvals", "List what waits for a person's decision."),
    "approve": ("tmux_sentry.cli.decide:approve", "Approve a request."),
    "reject": ("tmux_sentry.cli.decide:reject", "Reject a request."),
    "runs": ("tmux_sentry.cli.runs:runs", "List, start, retry, cancel and resume runs."),
    "stage": ("tmux_sentry.cli.runs:stage", "Start a stage by hand."),
    "pause": ("tmux_sentry.cli.pause:pause", "Stop all sending, everywhere or in one pane."),
    "unpause": ("tmux_sentry.cli.pause:unpause", "Allow sending again."),
    "history": ("tmux_sentry.cli.history:command", "List the stages that ran, newest first."),
    "send": ("tmux_sentry.cli.send:command", "Type a text into a pane, guarded and verified."),
    "wrap": ("tmux_sentry.cli.wrap:command", "Run an agent so that its start, reports and end are known."),
    "emit": ("tmux_sentry.cli.emit:command", "Hand an event over from inside a pane."),
    "explain": ("tmux_sentry.cli.explain:command", "Show what each parser makes of a screen, and why."),
    "replay": ("tmux_sentry.cli.replay:command", "Run a policy over a recording; nothing is sent."),
    "secrets": ("tmux_sentry.cli.secrets:secrets", "Encrypt, check and rotate values of env files and YAML."),
    "doctor": ("tmux_sentry.cli.doctor:command", "Look for everything that is wrong here, with its fix."),
    "db": ("tmux_sentry.cli.db:db", "Check, back up and restore the state database."),
    "notify": ("tmux_sentry.cli.notify:notify", "Try a channel, look at the messages, be silent for a while."),
    "checks": ("tmux_sentry.cli.checks:checks", "Ask an outside service by hand."),
    "hooks": ("tmux_sentry.cli.agent_hooks:hooks", "Have the agents' own hooks report what they do."),
    "plugins": ("tmux_sentry.cli.plugins:plugins", "List the installed plugins, and agree to them."),
    "schema": ("tmux_sentry.cli.schema:command", "Print the JSON Schema of policies or hosts files."),
    "completions": ("tmux_sentry.cli.completions:command", "Print the completion script of a shell."),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is run, and plugins when a command is in neither table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(self.commands)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module, _, name = COMMANDS[cmd_name][0].partition(":")
            found: click.Command = getattr(importlib.import_module(module), name)
            return found
        return self.commands.get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.list_commands(ctx) and not ctx.resilient_parsing:
            ctx.ensure_object(App).registry().add_commands(self)
            if name not in self.list_commands(ctx):
                near = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
                ctx.fail(f"no command {name!r}" + (f"; did you mean {near[0]}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        items = [CompletionItem(name, help=line) for name, (_, line) in COMMANDS.items() if name.startswith(incomplete)]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]


def _use_no_plugins(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    ctx.ensure_object(App).use_plugins = not value


@click.group(
    PROGRAM,
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Plugins can add commands; `tmux-sentry plugins` lists what is installed.",
)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
@click.option("--no-plugins", is_flag=True, expose_value=False, callback=_use_no_plugins, help="Load no plugin at all.")
@log_level_option("WARNING")
def cli(log_level: str) -> None:
    """Watch AI coding agents in tmux panes and walk them through a policy, asking a person where it says so."""


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line with `args` (default: the process's) and return the exit code; prints every error."""
    app = App()
    with clean_hooks(app, ours=args is None):
        try:
            result = cli.main(args, prog_name=PROGRAM, standalone_mode=False, obj=app)
            code = result if isinstance(result, int) else EXIT_OK
        except Exception as error:
            code = _report(error, app)
        except KeyboardInterrupt:
            code = EXIT_INTERRUPTED
    return code if _flushed() else code or EXIT_FAILED


def _flushed() -> bool:
    """Whether stdout took everything. Whoever read it may have gone, which is no news to anybody.

    click ends the process quietly when its own write meets a broken pipe; this is for what was still buffered.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at exit, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def _report(error: Exception, app: App) -> int:
    """Print what the user needs to know about `error`; returns the exit code."""
    if isinstance(error, click.Abort):
        return EXIT_INTERRUPTED if isinstance(error.__cause__, KeyboardInterrupt) else EXIT_FAILED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    debug = logging.getLogger("tmux_sentry").isEnabledFor(logging.DEBUG)
    if debug:
        output.trace(error, redact=app.redact)
    if isinstance(error, SentryError):
        output.fail(error.lines(), error.what, redact=app.redact)
        return error.exit_code
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        what = error.format_message()
        help_line = [f"Try '{context.command_path} --help'."] if context else []
        output.fail([what, *help_line], what, redact=app.redact)
        return error.exit_code
    what = f"{type(error).__name__}: {error}"
    hint = [] if debug else [f"run with --log-level DEBUG for the traceback: {PROGRAM} --log-level DEBUG ..."]
    output.fail([what, *hint], what, redact=app.redact)
    return EXIT_FAILED
