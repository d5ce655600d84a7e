"""How many columns a character takes on a terminal."""

from __future__ import annotations

import unicodedata


def columns_of(character: str) -> int:
    """0 for combining and invisible characters, 2 for wide ones, else 1."""
    if character.isascii():
        return 1
    if unicodedata.category(character) in ("Cf", "Me", "Mn"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
