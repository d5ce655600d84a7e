"""The policy schema, composed with what the installed plugins take."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from tmux_sentry.policy.plugins import RegistryView

# With one of these the fragment itself decides which keys it takes.
_DECIDES = (
    "additionalProperties",
    "unevaluatedProperties",
    "allOf",
    "anyOf",
    "oneOf",
    "$ref",
    "if",
    "patternProperties",
)


def compose(schema: Mapping[str, Any], view: RegistryView) -> dict[str, Any]:
    """`schema` with the installed names as enums, and one if/then per checker for its own keys.

    if/then and never oneOf: errors stay plain leaf errors with a path.
    """
    composed = copy.deepcopy(dict(schema))
    definitions = composed["$defs"]
    definitions["channel"]["enum"] = sorted(view.names("notifier"))
    check = definitions["external-check"]
    names = sorted(view.names("checker"))
    check["properties"]["type"]["enum"] = names
    common = dict.fromkeys(check["properties"], True)
    rules = [
        {
            "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
            "then": _fragment(name, view.schema("checker", name), common),
        }
        for name in names
    ]
    if rules:  # JSON Schema has no empty allOf
        check["allOf"] = rules
    return composed


def _fragment(name: str, fragment: Mapping[str, Any] | None, common: Mapping[str, Any]) -> dict[str, Any]:
    if fragment is None:
        return {}
    own = copy.deepcopy(dict(fragment))
    own.pop("$schema", None)
    # Its own $id: a "#/$defs/x" in a fragment means the fragment's definitions, not the policy's.
    own["$id"] = f"urn:tmux-sentry:checker:{name}"
    own["properties"] = {
        **common,
        **{key: rule for key, rule in own.get("properties", {}).items() if key not in common},
    }
    if not any(word in own for word in _DECIDES):
        own["additionalProperties"] = False
    return own
