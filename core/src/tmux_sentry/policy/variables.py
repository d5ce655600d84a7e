"""`${...}` in the texts of actions.

Only braces make a variable: `$HOME`, `$(cmd)` and `$?` stay as written; `$$` is `$`.
What the policy's author wrote (`vars`, allowed `env`) and what tmux-sentry made (`run.id`) may be typed into a
pane. What came from outside (pane names, check results) could be a command for a shell: a send takes it only
with `untrusted`, cleaned and cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping

from tmux_sentry.security.sanitize import clean, clean_block

OWN = frozenset({"run.id", "pipeline.name", "stage.name"})
OUTSIDE = frozenset(
    {
        "pane.host",
        "pane.id",
        "pane.session_name",
        "pane.window_name",
        "pane.pane_title",
        "pane.pane_index",
        "pane.command",
        "pane.path",
        "pane.agent",
        "check.status",
        "check.detail",
        "check.url",
        "check.log_tail",
    }
)
MESSAGE_LIMIT = 2000

_VARIABLE = re.compile(r"\$\$|\$\{([^{}\n]*)\}")


class UnknownVariable(ValueError):
    """A `${name}` that has no value here; the message names it."""


def variables(text: str) -> Iterator[str]:
    """The names between `${` and `}`, in order; `$$` hides one."""
    return (match[1] for match in _VARIABLE.finditer(text) if match[1] is not None)


def is_outside(name: str) -> bool:
    """Whether the value of a variable may have been chosen by something in a pane or by a service."""
    return name.startswith(("pane.", "check."))


def substitute(text: str, values: Mapping[str, str], untrusted_limit: int | None = None) -> str:
    """`text` as it is to be typed. Outside values become one clean line of at most `untrusted_limit` characters.

    Raises UnknownVariable for a name without a value, and for an outside one when `untrusted_limit` is None.
    """

    def value(name: str) -> str:
        if not is_outside(name):
            return _value(values, name)
        if untrusted_limit is None:
            raise UnknownVariable(
                f"${{{name}}} comes from outside and is not typed without untrusted: {{max_chars: N}}"
            )
        return clean(_value(values, name), untrusted_limit)

    return _replace(text, value)


def substitute_message(text: str, values: Mapping[str, str]) -> str:
    """`text` for people: any value, cleaned, newlines kept. Raises UnknownVariable for a name without a value."""
    return _replace(text, lambda name: clean_block(_value(values, name), MESSAGE_LIMIT))


def check_text(text: str, own: Collection[str], outside: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """(what, help) for each `${name}` of `text` that is neither in `own` nor in `outside`."""
    for name in dict.fromkeys(variables(text)):
        if name in own or name in outside:
            continue
        if name in OUTSIDE:
            yield (
                f"${{{name}}} comes from outside",
                "to type it all the same, write untrusted: {max_chars: N} beside text:",
            )
        elif name.startswith("env."):
            yield f"${{{name}}} is not allowed", f"list {name[4:] or 'the name'} under the pipeline's allow_env"
        elif name.startswith("vars."):
            yield f"${{{name}}} is not defined", "define it under the pipeline's vars"
        else:
            yield f"unknown variable ${{{name[:60]}}}", f"to write it literally: $${{{name[:60]}}}"


def _value(values: Mapping[str, str], name: str) -> str:
    try:
        return values[name]
    except KeyError:
        raise UnknownVariable(f"${{{name}}} has no value") from None


def _replace(text: str, value: Callable[[str], str]) -> str:
    return _VARIABLE.sub(lambda match: "$" if match[1] is None else value(match[1]), text)
