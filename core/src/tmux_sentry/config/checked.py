"""YAML data that belongs to a plugin, read as strictly as a policy is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tmux_sentry.errors import InvalidConfig


def checked_yaml(data: bytes, name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The value of a YAML document that `schema` (JSON Schema) takes; its `format: regex` are RE2 patterns.

    Raises InvalidConfig with every finding, each with its line and column in the file called `name`.
    """
    # A plugin is imported with every command, and the YAML reader weighs more than all of them.
    from tmux_sentry.config.diagnostics import validate
    from tmux_sentry.config.source import parse_source

    source = parse_source(data, name)
    findings = validate(source, schema)
    if any(not finding.warning for finding in findings):
        raise InvalidConfig(findings)
    value: dict[str, Any] = source.value
    return value
