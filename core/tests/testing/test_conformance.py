"""The kits pass a good plugin, and each of their tests fails a plugin that breaks its rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tmux_sentry import (
    AgentState,
    ApprovalPlugin,
    CheckerPlugin,
    CheckResult,
    CheckStatus,
    Choice,
    Decision,
    Delivery,
    DeliveryResult,
    Dialog,
    NotifierPlugin,
    ParserPlugin,
    Setting,
    Signal,
    SignalKind,
    Trust,
    hookimpl,
)
from tmux_sentry.testing.conformance import (
    ApprovalConformance,
    CheckerConformance,
    NotifierConformance,
    ParserConformance,
)

SIGNAL = Signal(
    kind=SignalKind.STATE, parser="x", trust=Trust.GUESSED, confidence=0.9, digest="d", at=0.0, state=AgentState.IDLE
)

DIALOG = Dialog(question="Go?", choices=(Choice(label="Yes", key=("y", "Enter")),), fingerprint="0" * 64)
PROMPT = replace(SIGNAL, kind=SignalKind.PROMPT, state=None, dialog=DIALOG)

NUMBERS = count()


class GoodParser:
    def parse(self, observation: Any, pane: Any) -> list[Signal]:
        return [SIGNAL, PROMPT]


class GoodNotifier:
    def send(self, message: Any) -> DeliveryResult:
        return DeliveryResult(outcome=Delivery.RETRY, detail="nobody there", retry_after=1.0)


class GoodChecker:
    def check(self, request: Any) -> CheckResult:
        return CheckResult(status=CheckStatus.UNKNOWN, detail="nobody there")


class GoodApprovals:
    def open(self, request: Any) -> str:
        return "somewhere"

    def poll(self) -> list[Any]:
        return []

    def close(self, request: Any, outcome: str) -> None:
        return None


KINDS = {
    "parser": (ParserConformance, ParserPlugin, GoodParser, "tmux_sentry_parsers"),
    "notifier": (NotifierConformance, NotifierPlugin, GoodNotifier, "tmux_sentry_notifiers"),
    "checker": (CheckerConformance, CheckerPlugin, GoodChecker, "tmux_sentry_checkers"),
    "approval": (ApprovalConformance, ApprovalPlugin, GoodApprovals, "tmux_sentry_approval_backends"),
}


SCHEMA = {"$id": "urn:x", "type": "object", "properties": {"url": {"type": "string"}}}


def failing(kind: str, tmp_path: Path, instance: Any = None, **changes: Any) -> list[str]:
    """Names of the kit's tests that a plugin of `kind` fails; `changes` are made to its good record."""
    kit, record_type, good, hook = KINDS[kind]
    made = instance or good()
    record = record_type(name="x", description="an x", factory=lambda context: made)  # type: ignore[arg-type]
    schema = {"config_schema": SCHEMA} if kind == "checker" else {}
    record = replace(record, **{**schema, **changes})
    module = SimpleNamespace(**{hook: hookimpl(named(hook, lambda: [record]))})
    about = {"plugin": module, "unanswered": {"url": "http://127.0.0.1:1"}, "of_stage": False}
    subject = type("Subject", (kit,), about)()
    failed = []
    for number, name in enumerate(sorted(name for name in dir(subject) if name.startswith("test_"))):
        if (test := getattr(subject, name)) is None:
            continue
        home = tmp_path / str(number)
        home.mkdir()
        try:
            test(**({"tmp_path": home} if "tmp_path" in test.__code__.co_varnames else {}))
        except pytest.skip.Exception:
            pass
        except Exception:
            failed.append(name.removeprefix("test_"))
    return failed


def named(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    function.__name__ = name
    return function


def raising(*_: Any) -> Any:
    raise ValueError("hostile text was too much")


def doing(good: type, **methods: Any) -> Any:
    return type("Subject", (good,), {name: staticmethod(method) for name, method in methods.items()})()


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_plugin_passes(kind: str, tmp_path: Path) -> None:
    assert failing(kind, tmp_path) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"description": ""}, "registers_well_formed_records"),
        ({"factory": raising}, "factory_works_with_an_empty_configuration"),
        ({"factory": lambda context: object()}, "factory_works_with_an_empty_configuration"),
        ({"config_schema": {"type": "object"}}, "config_schema_stands_alone"),
        ({"settings": (Setting(name="X_TOKEN", description="d"),)}, "secrets_are_marked"),
        (
            {"config_schema": {"$id": "urn:x", "properties": {"api_key": {"type": "string"}}}},
            "secrets_are_marked",
        ),
    ],
)
def test_a_bad_record_fails(kind: str, changes: dict[str, Any], failed: str, tmp_path: Path) -> None:
    assert failed in failing(kind, tmp_path, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": (Setting(name="X_TOKEN", description="d", secret=True),)},
        {"settings": (Setting(name="API_KEY_FILE", description="d"), Setting(name="TOKEN_FILE", description="d"))},
        {"config_schema": {"$id": "urn:x", "properties": {"api_key": {"type": "string", "writeOnly": True}}}},
    ],
)
def test_a_marked_secret_and_a_place_of_one_pass(changes: dict[str, Any], tmp_path: Path) -> None:
    assert failing("notifier", tmp_path, **changes) == []


@pytest.mark.parametrize(
    ("parse", "failed"),
    [
        (raising, "hostile_text_gives_only_well_formed_signals"),
        (lambda o, p: ["idle"], "hostile_text_gives_only_well_formed_signals"),
        (lambda o, p: [replace(SIGNAL, confidence=1.5)], "hostile_text_gives_only_well_formed_signals"),
        (lambda o, p: [replace(SIGNAL, parser="other")], "hostile_text_gives_only_well_formed_signals"),
        (lambda o, p: [replace(SIGNAL, digest="")], "hostile_text_gives_only_well_formed_signals"),
        (lambda o, p: [replace(SIGNAL, dialog=DIALOG)], "hostile_text_gives_only_well_formed_signals"),
        (
            lambda o, p: [replace(PROMPT, dialog=replace(DIALOG, fingerprint="x"))],
            "hostile_text_gives_only_well_formed_signals",
        ),
        (lambda o, p: [replace(SIGNAL, trust=Trust.SIGNED)], "printed_text_is_never_trusted_more_than_printed"),
        (lambda o, p: [replace(SIGNAL, digest=f"d{next(NUMBERS)}")], "the_same_observation"),
    ],
)
def test_a_bad_parser_fails(parse: Any, failed: str, tmp_path: Path) -> None:
    assert any(name.startswith(failed) for name in failing("parser", tmp_path, doing(GoodParser, parse=parse)))


@pytest.mark.parametrize(
    ("send", "failed"),
    [
        (raising, "any_message_gets_a_truthful_result"),
        (lambda m: True, "any_message_gets_a_truthful_result"),
        (lambda m: DeliveryResult(outcome=Delivery.RETRY, retry_after=-1), "any_message_gets_a_truthful_result"),
        (lambda m: DeliveryResult(outcome=Delivery.PERMANENT), "without_settings_it_says_what_is_missing"),
    ],
)
def test_a_bad_notifier_fails(send: Any, failed: str, tmp_path: Path) -> None:
    assert failed in failing("notifier", tmp_path, doing(GoodNotifier, send=send))


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {"$id": "urn:x", "type": "object", "properties": {"url": {"type": "integer"}}},
        {"$id": "urn:x", "type": "object", "additionalProperties": True},
    ],
)
def test_a_schema_that_refuses_the_action_or_takes_anything_fails(schema: Any, tmp_path: Path) -> None:
    assert "config_schema_takes_the_action_and_no_unknown_key" in failing("checker", tmp_path, config_schema=schema)


@pytest.mark.parametrize(
    ("check", "failed"),
    [
        (raising, "no_answer_decides_nothing"),
        (lambda r: CheckResult(status=CheckStatus.SUCCESS, detail="fine"), "no_answer_decides_nothing"),
        (lambda r: CheckResult(status=CheckStatus.FAILURE, detail="no"), "no_answer_decides_nothing"),
        (lambda r: CheckResult(status=CheckStatus.UNKNOWN), "no_answer_decides_nothing"),
        (lambda r: CheckResult(status=CheckStatus.UNKNOWN, detail="d", next_in=0), "hostile_values_never_raise"),
        (
            lambda r: CheckResult(status=CheckStatus.SUCCESS if r.typed else CheckStatus.UNKNOWN, detail="d"),
            "what_the_pane_was_given_never_raises",
        ),
        (
            lambda r: CheckResult(status=CheckStatus.UNKNOWN, detail=r.memory.get("run_id", "d")),
            "what_the_pane_was_given_never_raises",
        ),
    ],
)
def test_a_bad_checker_fails(check: Any, failed: str, tmp_path: Path) -> None:
    assert failed in failing("checker", tmp_path, doing(GoodChecker, check=check))


YES = Decision(request_id="r", approved=True, by="?", channel="x", at=0.0)


@pytest.mark.parametrize(
    ("methods", "failed"),
    [
        ({"open": raising}, "nobody_answered_is_no_decision"),
        ({"poll": lambda: [YES]}, "nobody_answered_is_no_decision"),
        ({"open": lambda request: f"place {next(NUMBERS)}"}, "opening_twice_shows_one_place"),
        ({"close": raising}, "closing_twice_is_harmless"),
    ],
)
def test_a_bad_approval_backend_fails(methods: dict[str, Any], failed: str, tmp_path: Path) -> None:
    assert failed in failing("approval", tmp_path, doing(GoodApprovals, **methods))
