"""Asks a plugin as the core does: for so long and no longer, and with a look at what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from tmux_sentry.bounded import call_bounded
from tmux_sentry.contracts import Checker, CheckResult, CheckStatus
from tmux_sentry.testing.samples import check_request

T = TypeVar("T")

SECONDS = 10.0  # what one call may take; the core gives no more


def bounded(call: Callable[..., T], *args: Any) -> T:
    """What a call of the plugin returns. Raises when it takes too long."""
    return call_bounded(partial(call, *args), SECONDS, "the plugin")


def checked(checker: Checker, config: Mapping[str, Any], **more: Any) -> CheckResult:
    """One well-formed answer; `more` are further fields of the request."""
    result = bounded(checker.check, check_request(config, **more))
    assert isinstance(result, CheckResult), f"a {type(result).__name__}, not a CheckResult"
    assert isinstance(result.status, CheckStatus)
    assert result.next_in is None or result.next_in > 0, "asked again at once, for ever"
    assert result.percent is None or 0.0 <= result.percent <= 100.0
    assert all(isinstance(text, str) for text in (result.detail, result.url, result.log_tail))
    return result
