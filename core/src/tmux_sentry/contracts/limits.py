"""A usage limit that an agent's provider has told it of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The agent may go on later. All text is as shown, and hostile.

    `reset` is when, in the agent's own words ("3pm (Europe/Berlin)", "in 2 hours 5 minutes", "Nov 30, 9:00 AM");
    "" where it does not say. The core reads it, in the zone of the pane's host where it names none.
    """

    text: str
    reset: str = ""
