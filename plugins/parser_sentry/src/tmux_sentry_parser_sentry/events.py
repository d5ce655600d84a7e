"""What an event's JSON means: one Signal, or nothing where a field that decides is not what it must be."""

from __future__ import annotations

import hashlib
from typing import Any

from tmux_sentry import AgentState, Signal, SignalKind, Signature, Trust, clean
from tmux_sentry_parser_sentry import strictjson

NAME = "sentry"
_MAX_NAME = 128
_MAX_CHOICES = 20
_KINDS = {
    "STATUS": SignalKind.STATUS,
    "DONE": SignalKind.STATUS,
    "PROGRESS": SignalKind.PROGRESS,
    "STATE": SignalKind.STATE,
    "ASK": SignalKind.PROMPT,
    "ERROR": SignalKind.ERROR,
    "EXIT": SignalKind.EXIT,
}
_COMMON = frozenset({"type", "id", "run", "stage", "message"})
#: The fields of each type; others are `data`.
_FIELDS = {
    "STATUS": _COMMON | {"ok"},
    "DONE": _COMMON | {"ok"},
    "PROGRESS": _COMMON | {"percent", "done", "total"},
    "STATE": _COMMON | {"state"},
    "ASK": _COMMON | {"question", "choices"},
    "ERROR": _COMMON,
    "EXIT": _COMMON | {"code"},
}


class _NotAnEvent(Exception):
    """A field that identifies or decides has the wrong type."""


def to_signal(
    value: dict[str, Any],
    *,
    evidence: str,
    at: float,
    live: bool,
    confidence: float,
    trust: Trust = Trust.PRINTED,
    signature: Signature | None = None,
) -> Signal | None:
    """The Signal for one event, or None for an unknown type and for a wrong identifying or deciding field."""
    try:
        event_type = _type(value)
        ok = _ok(value, event_type)
        return Signal(
            kind=_KINDS[event_type],
            parser=NAME,
            trust=trust,
            confidence=confidence,
            digest=hashlib.sha256(strictjson.canonical(value).encode()).hexdigest(),
            at=at,
            stage=_name(value, "stage"),
            ok=ok,
            state=_state(value) if event_type == "STATE" else None,
            message=_message(value, event_type),
            percent=_percent(value) if event_type == "PROGRESS" else None,
            choices=_choices(value) if event_type == "ASK" else (),
            code=_code(value) if event_type == "EXIT" else None,
            event_type=event_type,
            event_id=_name(value, "id", number=True),
            run=_name(value, "run", number=True),
            evidence=clean(evidence, 200),
            live=live,
            signature=signature,
            data={key: item for key, item in value.items() if key not in _FIELDS[event_type]},
        )
    except _NotAnEvent:
        return None


def _type(value: dict[str, Any]) -> str:
    word = value.get("type")
    # isascii: other letters' upper case can be one of ours ("ſ" becomes "S").
    if not isinstance(word, str) or not word.isascii() or word.upper() not in _KINDS:
        raise _NotAnEvent
    return word.upper()


def _name(value: dict[str, Any], key: str, *, number: bool = False) -> str | None:
    """An identifying field; absent, null and empty are the same. Text that `clean` would change or cut is no name."""
    item = value.get(key)
    if number and isinstance(item, int) and not isinstance(item, bool):
        return str(item)
    if item is None or item == "":
        return None
    if not isinstance(item, str) or clean(item, _MAX_NAME) != item:
        raise _NotAnEvent
    return item


def _ok(value: dict[str, Any], event_type: str) -> bool | None:
    if event_type not in {"STATUS", "DONE"}:
        return None
    if "ok" not in value:
        return True if event_type == "DONE" else None
    ok = value["ok"]
    if not isinstance(ok, bool):
        raise _NotAnEvent
    return ok


def _message(value: dict[str, Any], event_type: str) -> str:
    key = "question" if event_type == "ASK" and "question" in value else "message"
    text = value.get(key)
    return clean(text) if isinstance(text, str) else ""


def _state(value: dict[str, Any]) -> AgentState:
    word = value.get("state")
    if not isinstance(word, str):
        raise _NotAnEvent
    return next((state for state in AgentState if state.value == word.lower()), AgentState.UNKNOWN)


def _percent(value: dict[str, Any]) -> float | None:
    percent = _number(value, "percent")
    if percent is None:
        done, total = _number(value, "done"), _number(value, "total")
        if done is None or total is None or total <= 0:
            return None
        # Divided before it is multiplied: a huge count must not become infinity.
        percent = done / total * 100
    return min(max(percent, 0.0), 100.0)


def _number(value: dict[str, Any], key: str) -> float | None:
    item = value.get(key)
    if item is None:
        return None
    if isinstance(item, bool) or not isinstance(item, (int, float)):
        raise _NotAnEvent
    return float(item)


def _code(value: dict[str, Any]) -> int:
    code = value.get("code")
    if isinstance(code, bool) or not isinstance(code, int) or not 0 <= code <= 255:
        raise _NotAnEvent
    return code


def _choices(value: dict[str, Any]) -> tuple[str, ...]:
    items = value.get("choices", [])
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise _NotAnEvent
    return tuple(clean(item, 200) for item in items[:_MAX_CHOICES])
