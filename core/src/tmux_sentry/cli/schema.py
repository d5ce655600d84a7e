"""`tmux-sentry schema`: the JSON Schemas, for editors."""

from __future__ import annotations

import click

from tmux_sentry.cli import app, output


@click.command("schema", short_help="Print the JSON Schema of policies, hosts files or settings.")
@click.argument("name", type=click.Choice(["policy", "hosts", "settings"]))
def command(name: str) -> None:
    """Print the JSON Schema of policy files, with what the installed plugins take, of hosts files or of settings.

    Point your editor's YAML mode at it: `tmux-sentry schema policy > policy.schema.json`.
    """
    from tmux_sentry.config.schema import load_schema
    from tmux_sentry.policy.schema import compose

    if name == "policy":
        output.emit_json(compose(load_schema("policy"), app.current().registry()))
    elif name == "hosts":
        output.emit_json(load_schema("hosts"))
    else:
        output.emit_json(load_schema("settings"))
