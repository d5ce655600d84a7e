"""JSON Schema errors, in plain words and with the place in the file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from tmux_sentry.config.formats import format_checker
from tmux_sentry.config.source import Source, Where
from tmux_sentry.errors import Diagnostic
from tmux_sentry.security.sanitize import clean

#: (plugin kind, the unknown name) -> help. Called for fields whose schema says `x-plugin: <kind>`.
PluginHint = Callable[[str, str], str]

_WORDS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


def validate(source: Source, schema: Mapping[str, Any], hint: PluginHint | None = None) -> list[Diagnostic]:
    """Every finding of the reading and of the schema, sorted by place; empty when the file is valid."""
    validator = Draft202012Validator(schema, format_checker=format_checker())
    taken = {(problem.line, problem.column) for problem in source.problems}
    found = list(source.problems)
    for diagnostic in _findings(source, validator.iter_errors(source.value), hint):
        if (diagnostic.line, diagnostic.column) not in taken and diagnostic not in found:
            found.append(diagnostic)
    return in_order(found)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sorted by line and column."""
    return sorted(diagnostics, key=lambda d: (d.line, d.column, d.where, d.what))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """ "did you mean 'x'?", or "" when nothing is near."""
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f"did you mean '{names[near[0]]}'?" if near else ""


def one_of(words: Sequence[str], limit: int = 12) -> str:
    """A list of words for people, not too long."""
    return ", ".join(words[:limit]) + (", ..." if len(words) > limit else "")


def shown(value: Any) -> str:
    """A value in a few characters."""
    if isinstance(value, str):
        return f"'{clean(value, 40)}'"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    return "a mapping" if isinstance(value, Mapping) else "a list"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Broken:
    """One broken rule: the schema's word for it, what the word demands, and the value that does not comply."""

    rule: str  # "" when the schema allows nothing at all
    bound: Any
    value: Any
    schema: Mapping[str, Any]
    message: str
    cause: Exception | None
    secret: bool

    @classmethod
    def of(cls, error: ValidationError, source: Source) -> _Broken:
        schema = error.schema if isinstance(error.schema, Mapping) else {}
        where = tuple(error.absolute_path)
        was_encrypted = any(place[: len(where)] == where for place in source.secret)
        return cls(
            rule=str(error.validator or ""),
            bound=error.validator_value,
            value=error.instance,
            schema=schema,
            message=error.message,
            cause=error.cause,
            secret=bool(schema.get("writeOnly")) or was_encrypted,
        )

    @property
    def shown(self) -> str:
        if not self.secret:
            return shown(self.value)
        # An encrypted value is always text: where a number belongs, that is what is wrong.
        return "text" if self.rule == "type" and isinstance(self.value, str) else "this value"


def _findings(source: Source, errors: Iterable[ValidationError], hint: PluginHint | None) -> Iterator[Diagnostic]:
    for error in errors:
        where: Where = tuple(error.absolute_path)
        broken = _Broken.of(error, source)
        if broken.rule == "additionalProperties" and broken.bound is False:
            yield from _unknown_keys(source, where, broken)
        elif broken.rule == "required":
            missing = [f"'{key}'" for key in broken.bound if key not in broken.value]
            yield source.diagnostic(
                where, f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing", key=True
            )
        else:
            what, help = _say(broken, hint)
            # A name's own schema speaks of the key, and jsonschema leaves the key out of the path.
            is_key = "propertyNames" in error.absolute_schema_path
            place = (*where, broken.value) if is_key else where
            yield source.diagnostic(place, what, help=help, key=is_key or not broken.rule, secret=broken.secret)


def _unknown_keys(source: Source, where: Where, broken: _Broken) -> Iterator[Diagnostic]:
    known = sorted(broken.schema.get("properties", {}))
    patterns = broken.schema.get("patternProperties", {})
    for key in broken.value:
        if key not in known and not any(re.search(pattern, key) for pattern in patterns):
            help = did_you_mean(key, known) or (f"known here: {one_of(known, 20)}" if known else "")
            yield source.diagnostic((*where, key), f"unknown key '{clean(key, 60)}'", help=help, key=True)


def _say(broken: _Broken, hint: PluginHint | None) -> tuple[str, str]:
    """What is wrong, and help; the schema's own `errorMessage` for the rule comes first."""
    own = broken.schema.get("errorMessage")
    if isinstance(own, Mapping) and broken.rule in own:
        return str(own[broken.rule]), ""
    help = clean(str(broken.schema.get("description", "")), 200)
    if not broken.rule:
        return "is not allowed here", ""
    if broken.rule == "type":
        wanted = broken.bound if isinstance(broken.bound, list) else [broken.bound]
        return f"must be {' or '.join(_WORDS.get(word) or str(word) for word in wanted)}, not {broken.shown}", help
    if broken.rule in ("enum", "const"):
        return _not_in(broken, hint)
    if broken.rule == "format" and broken.cause is not None and not broken.secret:
        return clean(str(broken.cause), 200), getattr(broken.cause, "help", "")
    fallback = "is not valid" if broken.secret else clean(broken.message, 200)
    return _limit(broken.rule, broken.bound, broken.shown) or fallback, help


def _not_in(broken: _Broken, hint: PluginHint | None) -> tuple[str, str]:
    word = broken.value
    kind = broken.schema.get("x-plugin")
    if kind and isinstance(word, str):
        what = {"checker": "check type", "notifier": "channel"}.get(kind, str(kind))
        return f"unknown {what} {broken.shown}", hint(kind, word) if hint else ""
    allowed = broken.bound if broken.rule == "enum" else [broken.bound]
    words: list[str] = [choice if isinstance(choice, str) else shown(choice) for choice in allowed]
    near = did_you_mean(word, words) if isinstance(word, str) and not broken.secret else ""
    return f"{broken.shown} is not {'one of ' if len(words) > 1 else ''}{one_of(words)}", near


def _limit(rule: str, bound: Any, value: str) -> str:
    return {
        "minimum": f"must be at least {bound}, not {value}",
        "maximum": f"must be at most {bound}, not {value}",
        "exclusiveMinimum": f"must be more than {bound}, not {value}",
        "exclusiveMaximum": f"must be less than {bound}, not {value}",
        "minLength": "is empty" if bound == 1 else f"must be at least {bound} characters",
        "maxLength": f"must be at most {bound} characters",
        "minItems": "is empty" if bound == 1 else f"must have at least {bound} items",
        "maxItems": f"must have at most {bound} items",
        "minProperties": "is empty" if bound == 1 else f"must have at least {bound} keys",
        "maxProperties": f"must have at most {bound} keys",
        "uniqueItems": "names something twice",
        "multipleOf": f"must be a multiple of {bound}, not {value}",
        "pattern": f"{value} does not match {clean(str(bound), 80)}",
    }.get(rule, "")
