"""Our lines in aider's YAML: between two marks at its end, so that everything else stays as it is, comments too."""

from __future__ import annotations

import json
import re

from tmux_sentry.agent_hooks.commands import program_command, shell_command
from tmux_sentry.agent_hooks.jsontext import NotStrict

_BEGIN = "# >>> tmux-sentry hooks"
_END = "# <<< tmux-sentry hooks"
_KEYS = re.compile(r"^[\"']?(?:notifications|notifications[-_]command)[\"']?\s*:", re.MULTILINE)


def block(*, shell: bool = False) -> str:
    """The lines. aider needs both: the command runs only where notifications are on."""
    command = shell_command("aider", "notifications", "") if shell else program_command("aider")
    # A JSON string is a YAML string too, on one line whatever is in it.
    return f"{_BEGIN}\nnotifications: true\nnotifications-command: {json.dumps(command)}\n{_END}"


def ours(text: str) -> tuple[int, int] | None:
    """Where our lines begin and end in `text`. Raises NotStrict when one mark is there without the other."""
    begin, end = text.find(_BEGIN), text.find(_END)
    if begin < 0 and end < 0:
        return None
    if begin < 0 or end < begin or text.count(_BEGIN) > 1 or text.count(_END) > 1:
        raise NotStrict("one of the two marks of tmux-sentry is missing or doubled", _line(text, max(begin, end)), 1)
    return begin, end + len(_END)


def add(text: str, lines: str) -> str:
    """`text` with `lines` at its end. Raises NotStrict where that would not be what aider reads."""
    if is_complete(text, lines):
        return text
    rest = without(text)
    if found := _KEYS.search(rest):
        raise NotStrict("aider runs one notifications-command, and there is one", _line(rest, found.start()), 1)
    newline = "\r\n" if "\r\n" in rest else "\n"
    new = lines.replace("\n", newline)
    # The last line keeps its break, or its lack of one, when ours are taken out again.
    whole = rest + new + newline if rest.endswith("\n") or not rest else rest + newline + new
    before, ours_alone = _load(rest), _load(lines)
    before = {} if before is None else before
    if not isinstance(before, dict) or not isinstance(ours_alone, dict) or _load(whole) != {**before, **ours_alone}:
        raise NotStrict("lines at its end would not be read as settings", rest.count("\n") + 1, 1)
    return whole


def is_complete(text: str, lines: str) -> bool:
    """Whether `lines` are there as they should be. Raises NotStrict."""
    there = ours(text)
    return there is not None and text[slice(*there)].replace("\r\n", "\n") == lines


def without(text: str) -> str:
    """`text` without our lines. Raises NotStrict."""
    there = ours(text)
    if there is None:
        return text
    before, after = text[: there[0]], text[there[1] :]
    if after:
        return before + after.removeprefix("\r\n" if after.startswith("\r\n") else "\n")
    return before.removesuffix("\n").removesuffix("\r")


def _load(text: str) -> object:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise NotStrict(error.problem or "it is not YAML", *place) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise NotStrict("it is not YAML", 1, 1) from None


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
