"""Which channels a message goes to."""

from __future__ import annotations

from collections.abc import Sequence

from tmux_sentry.contracts import Level, Message
from tmux_sentry.policy.model import Route


class Router:
    """The policy's `notifications:` routes, or every configured channel where the policy has none."""

    def __init__(self, routes: Sequence[Route], channels: Sequence[str]) -> None:
        self._routes = tuple(routes)
        self._channels = tuple(channels)

    def channels(self, message: Message) -> tuple[str, ...]:
        """The channels for `message`, each once, in the order of the file."""
        if not self._routes:
            return self._channels if message.level >= Level.INFO else ()
        chosen: dict[str, None] = {}
        for route in self._routes:
            if message.level >= route.min_level and (not route.events or message.event in route.events):
                chosen.update(dict.fromkeys(route.channels or self._channels))
        return tuple(chosen)
