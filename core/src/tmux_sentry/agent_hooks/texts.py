"""One face for the three kinds of configuration: what a text is, with ours in it, and without."""

from __future__ import annotations

from tmux_sentry.agent_hooks import lines, plugin, settings
from tmux_sentry.agent_hooks.agents import Agent
from tmux_sentry.agent_hooks.jsontext import NotStrict


def with_ours(agent: Agent, text: str | None) -> str:
    """The text of its file (None: there is none) with exactly our hooks. Raises NotStrict."""
    if agent.kind == "settings":
        return settings.add(text or "", settings.wanted(agent))
    if agent.kind == "lines":
        return lines.add(text or "", lines.block())
    if text and not text.startswith(plugin.MARK):
        raise NotStrict("it is somebody else's plugin", 1, 1)
    return plugin.source()


def without_ours(agent: Agent, text: str) -> str | None:
    """The text without our hooks; None where the file is ours alone. Raises NotStrict."""
    if not has_ours(agent, text):
        return text
    if agent.kind == "plugin":
        return None
    return settings.without(text) if agent.kind == "settings" else lines.without(text)


def is_empty(text: str) -> bool:
    """Whether nothing is set in it."""
    return text.strip() in ("", "{}")


def has_ours(agent: Agent, text: str) -> bool:
    """Whether anything of ours is in it. Raises NotStrict."""
    if agent.kind == "settings":
        return bool(settings.ours(text))
    return text.startswith(plugin.MARK) if agent.kind == "plugin" else lines.ours(text) is not None


def snippet(agent: Agent, *, shell: bool) -> str:
    """What a person adds by hand."""
    if agent.kind == "settings":
        return settings.snippet(settings.wanted(agent, shell=shell))
    return lines.block(shell=shell) if agent.kind == "lines" else plugin.source(shell=shell)
