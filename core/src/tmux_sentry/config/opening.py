"""The encrypted values of a YAML file: what each place is called, and the file with its values opened.

A place is called by the keys that lead to it, an item of a list by its `name` where it has one:
`hosts.nas.ssh.password`. So a value stays valid when items are added or change their order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tmux_sentry.config.crypto import is_encrypted
from tmux_sentry.config.source import Source, Where
from tmux_sentry.config.vault import CannotOpen, Vault
from tmux_sentry.errors import Diagnostic

_PLAIN = re.compile("[A-Za-z_-][A-Za-z0-9_-]*")


def scalars(value: Any, where: Where = (), name: str = "") -> Iterator[tuple[Where, str, Any]]:
    """(place, its name, value) of everything in `value` that is neither a mapping nor a list."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from scalars(child, (*where, key), _joined(name, _word(key)))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            own = child.get("name") if isinstance(child, dict) else None
            word = _word(own) if isinstance(own, str) and not is_encrypted(own) else str(index)
            yield from scalars(child, (*where, index), _joined(name, word))
    else:
        yield where, name, value


def opened(source: Source, vault: Vault) -> Source:
    """`source` with its encrypted values opened; `secret` are their places, `problems` those that cannot be opened."""
    found = [(where, name, value) for where, name, value in scalars(source.value) if _encrypted(value)]
    if not found:
        return source
    names = [name for _, name, _ in scalars(source.value)]
    values: dict[Where, str] = {}
    problems: list[Diagnostic] = []
    for where, name, value in found:
        if is_name(where):
            help = "write it in clear: the other values are found by it"
            problems.append(source.diagnostic(where, "a name cannot be encrypted", help=help, secret=True))
            continue
        try:
            values[where] = vault.open(value, name, names, Path(source.name))
        except CannotOpen as error:
            what = f"cannot be decrypted: {error.why}"
            problems.append(source.diagnostic(where, what, help=error.fix, secret=True))
    return replace(
        source,
        value=_with(source.value, values),
        secret=frozenset(where for where, _, _ in found),
        problems=(*source.problems, *problems),
    )


def opened_pipeline(pipeline: Mapping[str, Any], vault: Vault) -> Mapping[str, Any]:
    """One pipeline of a policy, its encrypted values opened. Raises CannotOpen."""
    values = {where: vault.open(value, name) for where, name, value in encrypted_in(pipeline)}
    result: Mapping[str, Any] = _with(dict(pipeline), values)
    return result


def encrypted_in(pipeline: Mapping[str, Any]) -> list[tuple[Where, str, str]]:
    """The encrypted values of one pipeline of a policy: place in it, name in the policy, value."""
    prefix = _joined("pipelines", _word(str(pipeline.get("name"))))
    return [(where, name, value) for where, name, value in scalars(dict(pipeline), (), prefix) if _encrypted(value)]


def is_name(where: Where) -> bool:
    """Whether a place is the `name` of an item of a list, by which other places are called."""
    return len(where) > 1 and where[-1] == "name" and isinstance(where[-2], int)


def _encrypted(value: Any) -> bool:
    return isinstance(value, str) and is_encrypted(value)


def _with(value: Any, values: Mapping[Where, str], where: Where = ()) -> Any:
    if isinstance(value, dict):
        return {key: _with(child, values, (*where, key)) for key, child in value.items()}
    if isinstance(value, list):
        return [_with(child, values, (*where, index)) for index, child in enumerate(value)]
    return values.get(where, value)


def _joined(name: str, word: str) -> str:
    return f"{name}.{word}" if name else word


def _word(key: str) -> str:
    """A key as a part of a name: in quotes where it could be read as something else, so no two places share a name."""
    return key if _PLAIN.fullmatch(key) else json.dumps(key, ensure_ascii=False)
