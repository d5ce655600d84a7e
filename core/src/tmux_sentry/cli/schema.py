"""`tmux-sentry schema`: the JSON Schemas, for editors."""

from __future__ import annotations

from pathlib import Path

import click

from tmux_sentry.cli import app, output


@click.command("schema", short_help="Print the JSON Schema of policies, hosts files or settings.")
@click.argument("name", type=click.Choice(["policy", "hosts", "settings"]))
@click.option("--env-file", type=click.Path(path_type=Path), help="Variables, as `run` takes them.")
def command(name: str, env_file: Path | None) -> None:
    """Print the JSON Schema of policy files, with what the installed plugins take, of hosts files or of settings.

    Point your editor's YAML mode at it: `tmux-sentry schema policy > policy.schema.json`.
    """
    from tmux_sentry.config.schema import load_schema
    from tmux_sentry.policy.schema import compose

    if name == "policy":
        output.emit_json(compose(load_schema("policy"), app.current().registry(env_file=env_file)))
    elif name == "hosts":
        output.emit_json(load_schema("hosts"))
    else:
        output.emit_json(load_schema("settings"))
