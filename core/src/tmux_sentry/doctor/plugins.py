"""The installed plugins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tmux_sentry.doctor.finding import Finding, count, note, ok, problem
from tmux_sentry.plugins.status import PluginState, PluginStatus

_DISABLE = "TMUX_SENTRY_DISABLED_PLUGINS"


def plugins(installed: Sequence[PluginStatus]) -> Iterator[Finding]:
    """Those that cannot be used, and how many can."""
    usable = [one for one in installed if one.state is PluginState.OK]
    if usable:
        yield ok("plugins", f"{count(len(usable), 'plugin')}: {', '.join(one.name for one in usable)}")
    if not installed:
        yield problem("plugins", "no plugins are installed", "pip install tmux-sentry brings the default ones")
    for one in installed:
        reason = one.reason.removesuffix(f": {one.fix}")
        what = f"{one.name} ({one.distribution} {one.version}) is {one.state.value}: {reason}"
        if one.state is PluginState.DISABLED:
            yield note("plugins", what, one.fix)
        elif one.state is not PluginState.OK:
            fix = one.fix or f"pip install --upgrade {one.distribution}, or name {one.name} in {_DISABLE}"
            yield problem("plugins", what, fix)
