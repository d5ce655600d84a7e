"""Whom the name of an answer stands for. Pure."""

from __future__ import annotations

#: How the answer by a link that was sent to a group is named; the channel follows.
NAMELESS = "somebody by "


def folded(name: str) -> str:
    """A name as it is compared: an e-mail address whatever its capitals, any other exactly."""
    return name.casefold() if "@" in name else name


def voice(name: str) -> str:
    """Whose voice an answer of this name is: all links that name nobody are one, as one person may hold several."""
    return NAMELESS if name.startswith(NAMELESS) else folded(name)
