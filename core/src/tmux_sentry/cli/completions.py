"""`tmux-sentry completions`: a script that makes a shell complete this command line."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "tmux-sentry"
VARIABLE = "_TMUX_SENTRY_COMPLETE"  # click's name for it; the scripts set it to ask for completions


@click.command("completions", short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that makes SHELL complete this command line.

    \b
    bash: tmux-sentry completions bash > ~/.local/share/bash-completion/completions/tmux-sentry
    zsh:  tmux-sentry completions zsh > a file _tmux-sentry in a directory of $fpath
    fish: tmux-sentry completions fish > ~/.config/fish/completions/tmux-sentry.fish
    """
    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"click has no completion for {shell}")
    root = click.get_current_context().find_root().command
    click.echo(completion(root, {}, PROGRAM, VARIABLE).source())
