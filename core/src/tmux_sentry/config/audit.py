"""What stands in clear and should not: fields that are declared secret, and tokens that give themselves away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tmux_sentry.config.secret_files import Document, Value
from tmux_sentry.config.settings import Variables
from tmux_sentry.config.vault import CannotOpen, Vault, set_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A value that needs doing something about. `kind`: "clear", "token", "unreadable"."""

    value: Value
    kind: str
    what: str
    fix: str


def variables_in_clear(document: Document, variables: Variables) -> Iterator[Problem]:
    """The secrets of an env file that are not encrypted."""
    for value in document.values:
        if value.text.strip() and not value.encrypted and variables.is_secret(value.name):
            fix = set_line(value.name, document.path)
            yield Problem(value=value, kind="clear", what="is a secret in clear", fix=fix)


def fields_in_clear(document: Document, schema: Mapping[str, Any]) -> Iterator[Problem]:
    """The secrets of a YAML file that are not encrypted: fields that `schema` declares secret, and known tokens."""
    from tmux_sentry.config.opening import scalars
    from tmux_sentry.config.source import parse_source
    from tmux_sentry.security.patterns import find_tokens

    tree = parse_source(document.data, str(document.path)).value
    declared = set(_declared_secret(tree, schema))
    secret = {name for where, name, _ in scalars(tree) if where in declared}
    for value in document.values:
        if not value.text.strip() or value.encrypted:
            continue
        fix = set_line(value.name, document.path)
        token = next((name for _, _, name in find_tokens(value.text)), None)
        if value.name in secret:
            yield Problem(value=value, kind="clear", what="is a secret in clear", fix=fix)
        elif token is not None:
            fix = f"keep it in the env file, and bring it in as ${{env.NAME}}; or: {fix}"
            yield Problem(value=value, kind="token", what=f"holds what looks like {token}, in clear", fix=fix)


def unreadable(values: Iterable[Value], vault: Vault, names: Iterable[str] = ()) -> Iterator[Problem]:
    """The encrypted values that cannot be opened; `names` are places that one may have been moved from."""
    others = tuple(names)
    for value in values:
        if value.encrypted:
            try:
                vault.open(value.text, value.name, others, Path(value.file) if value.line else None)
            except CannotOpen as error:
                yield Problem(value=value, kind="unreadable", what=f"cannot be decrypted: {error.why}", fix=error.fix)


def _declared_secret(tree: Any, schema: Mapping[str, Any]) -> Iterator[tuple[str | int, ...]]:
    """The places whose schema says `writeOnly`."""
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.validators import extend

    def found(validator: Any, marked: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if marked is True:
            yield ValidationError("is secret")

    def leaves(error: ValidationError) -> Iterator[ValidationError]:
        if error.validator == "writeOnly":
            yield error
        for inner in error.context or ():
            yield from leaves(inner)

    marking: Any = extend(Draft202012Validator, {"writeOnly": found})  # type: ignore[no-untyped-call]
    for error in marking(schema).iter_errors(tree):
        for leaf in leaves(error):
            yield tuple(leaf.absolute_path)
