"""One measured figure of `make security`: what was tried, what came out, and whether that is what was promised."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A line of the report. `shown` gives the counts ("212 strings x 14 exits: 0 raw control bytes")."""

    name: str
    shown: str
    ok: bool
