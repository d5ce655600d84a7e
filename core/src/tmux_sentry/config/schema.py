"""The JSON Schemas that ship with the package."""

from __future__ import annotations

import json
from typing import Any, Literal


def load_schema(name: Literal["policy", "hosts", "settings"]) -> dict[str, Any]:
    """A fresh copy of `schemas/<name>.schema.json`."""
    from importlib.resources import files  # every command reads settings.py, few a schema

    text = (files("tmux_sentry") / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
