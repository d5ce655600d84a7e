"""What every plugin must do, as tests. Subclass the kit of your kind and say which plugin it is:

    from tmux_sentry.testing.conformance import NotifierConformance
    from tmux_sentry_notify_mine import plugin

    class TestMine(NotifierConformance):
        plugin = plugin
        settings = {"MINE_URL": "http://127.0.0.1:1"}   # what the factory gets when the tests use it

`plugin` is the module or object with the hooks. A kit tests every record of its kind in it.
New tests are added to a kit in minor releases only, and are named in the changelog.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from tmux_sentry.contracts import (
    ApprovalBackend,
    ApprovalPlugin,
    Checker,
    CheckerPlugin,
    Complaint,
    Decision,
    Delivery,
    DeliveryResult,
    Emitted,
    Level,
    Message,
    Notifier,
    NotifierPlugin,
    Observation,
    PaneFacts,
    Parser,
    ParserPlugin,
    PluginContext,
    Signal,
    SignalKind,
    Trust,
)
from tmux_sentry.engine.relay import is_sound
from tmux_sentry.plugins import loading
from tmux_sentry.policy.load import load_policies
from tmux_sentry.registry import Registry
from tmux_sentry.testing.asking import SECONDS, bounded, checked
from tmux_sentry.testing.samples import (
    HOSTILE_TEXTS,
    PANE,
    approval_request,
    message,
    observations,
    pane_facts,
)
from tmux_sentry.testing.stages import StageRows

R = TypeVar("R", ParserPlugin, NotifierPlugin, CheckerPlugin, ApprovalPlugin)

_SECRET = re.compile(r"(SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|WEBHOOK)", re.IGNORECASE)
_PLACE = re.compile(r"_(FILE|PATH|TTL|URL_FILE|LISTEN)$", re.IGNORECASE)  # where a secret is, not the secret


class _Conformance(Generic[R]):
    """What holds for plugins of every kind."""

    plugin: ClassVar[object]
    config: ClassVar[Mapping[str, Any]] = {}
    settings: ClassVar[Mapping[str, str]] = {}
    kind: ClassVar[str]

    def records(self) -> list[R]:
        """The plugin's records of this kit's kind, registered as the core does it."""
        manager = loading.new_manager()
        loading.register(manager, "plugin", self.plugin)
        found = loading.collect(manager, self.plugin, SECONDS)
        mine: Any = [record for record in found if isinstance(record, loading.RECORD_TYPES[self.kind])]
        assert mine, f"the plugin registers no {self.kind}"
        return list(mine)

    def context(self, home: Path) -> PluginContext:
        return PluginContext(config=self.config, settings=self.settings, home=str(home))

    def test_registers_well_formed_records(self) -> None:
        for record in self.records():
            assert list(loading.problems(self.kind, record)) == []
            assert record.description, f"{record.name!r} has no description"

    def test_factory_works_with_an_empty_configuration(self, tmp_path: Path) -> None:
        """What is missing is said when the thing is used: a factory that raises takes the whole channel away."""
        for record in self.records():
            made = record.factory(PluginContext(home=str(tmp_path)))
            expected = {"parser": Parser, "notifier": Notifier, "checker": Checker, "approval": ApprovalBackend}
            assert isinstance(made, expected[self.kind]), f"{record.name!r} makes a {type(made).__name__}"

    def test_config_schema_stands_alone(self) -> None:
        for record in self.records():
            if record.config_schema is not None:
                assert "$id" in record.config_schema, f"the schema of {record.name!r} has no $id"
                assert loading.schema_problem(record.config_schema) == ""

    def test_secrets_are_marked(self) -> None:
        """So that the core redacts them everywhere and asks for them to be encrypted."""
        for record in self.records():
            open_settings = [s.name for s in record.settings if _is_secret(s.name) and not s.secret]
            assert open_settings == [], "these settings look like secrets: say Setting(secret=True)"
            assert list(_open_secrets(record.config_schema or {})) == [], 'say "writeOnly": true'


class ParserConformance(_Conformance[ParserPlugin]):
    """For parsers. No text printed in a pane may raise, block, or pass for more than it is."""

    kind = "parser"

    def test_hostile_text_gives_only_well_formed_signals(self, tmp_path: Path) -> None:
        for record in self.records():
            parser = record.factory(self.context(tmp_path))
            for facts in pane_facts():
                for text in HOSTILE_TEXTS:
                    for observation in observations(text):
                        for signal in _parsed(parser, observation, facts):
                            _well_formed(signal, record.name)

    def test_printed_text_is_never_trusted_more_than_printed(self, tmp_path: Path) -> None:
        for record in self.records():
            parser = record.factory(self.context(tmp_path))
            for text in HOSTILE_TEXTS:
                for observation in observations(text):
                    printed = not isinstance(observation, Emitted)
                    for signal in _parsed(parser, observation, PaneFacts(identity=PANE)) if printed else ():
                        assert signal.trust <= Trust.PRINTED, f"{text[:60]!r} was taken as {signal.trust.name}"

    def test_the_same_observation_gives_the_same_signals(self, tmp_path: Path) -> None:
        """In a new process too: a recording replayed tomorrow must give what it gave today."""
        for record in self.records():
            for text in HOSTILE_TEXTS:
                facts = PaneFacts(identity=PANE)
                first, second = (record.factory(self.context(tmp_path)) for _ in range(2))
                for observation in observations(text):
                    assert _parsed(first, observation, facts) == _parsed(second, observation, facts)


class NotifierConformance(_Conformance[NotifierPlugin]):
    """For channels. `settings` should name a test server, or a closed port of this machine."""

    kind = "notifier"

    def test_any_message_gets_a_truthful_result(self, tmp_path: Path) -> None:
        for record in self.records():
            notifier = record.factory(self.context(tmp_path))
            for number, text in enumerate(HOSTILE_TEXTS):
                _well_delivered(notifier, message(f"m{number}", text, Level.CRITICAL))
            for level in Level:
                _well_delivered(notifier, message(f"l{level}", "text", level))

    def test_without_settings_it_says_what_is_missing(self, tmp_path: Path) -> None:
        for record in self.records():
            notifier = record.factory(PluginContext(home=str(tmp_path)))
            result = _well_delivered(notifier, message("m", "text", Level.CRITICAL))
            assert result.outcome is Delivery.DELIVERED or result.detail, "a failure without a word of why"


class CheckerConformance(_Conformance[CheckerPlugin], StageRows):
    """For checks. `unanswered` is a valid action whose service cannot be reached (a closed port of this machine).

    `StageRows` says how the service shows what a stage has started.

    `record` is the check's type, for a plugin that registers several: one kit for each.
    """

    kind = "checker"
    unanswered: ClassVar[Mapping[str, Any]]
    record: ClassVar[str] = ""

    def records(self) -> list[CheckerPlugin]:
        """The records, or the one that is meant."""
        found = [one for one in super().records() if self.record in ("", one.name)]
        assert found, f"the plugin registers no checker {self.record!r}"
        return found

    def test_config_schema_takes_the_action_and_no_unknown_key(self, tmp_path: Path) -> None:
        """A key with a typing mistake must be an error with its line, not a setting that is silently not there."""
        for record in self.records():
            assert record.config_schema is not None, "without a schema every typing mistake passes"
            assert _mistakes(record, self.unanswered, tmp_path) == []
            assert _mistakes(record, {**self.unanswered, "no_such_key": 1}, tmp_path)

    def test_no_answer_decides_nothing(self, tmp_path: Path) -> None:
        """A network that is away for a minute is neither success nor a failed deployment."""
        for record in self.records():
            result = checked(record.factory(self.context(tmp_path)), self.unanswered)
            assert not result.status.final
            assert result.detail, "no word of why there is no answer"

    def test_hostile_values_never_raise(self, tmp_path: Path) -> None:
        for record in self.records():
            checker = record.factory(self.context(tmp_path))
            for key, value in self.unanswered.items():
                for text in HOSTILE_TEXTS if isinstance(value, str) else ():
                    assert not checked(checker, {**self.unanswered, key: text}).status.final

    def test_what_the_pane_was_given_never_raises(self, tmp_path: Path) -> None:
        """A checker may read what was typed, and whatever an earlier version of it remembered."""
        for record in self.records():
            checker = record.factory(self.context(tmp_path))
            for text in HOSTILE_TEXTS:
                assert not checked(checker, self.unanswered, typed=(text, text)).status.final
            for memory in ({"version": 0}, {"run_id": "x"}, {"": None}, {"run_id": -1, "attempt": [1]}):
                assert not checked(checker, self.unanswered, memory=memory).status.final


class ApprovalConformance(_Conformance[ApprovalPlugin]):
    """For ways to ask people. The backend gets an empty home directory."""

    kind = "approval"

    def test_nobody_answered_is_no_decision(self, tmp_path: Path) -> None:
        for record in self.records():
            backend = record.factory(self.context(tmp_path))
            for number, text in enumerate(HOSTILE_TEXTS):
                bounded(backend.open, approval_request(f"r{number}", text))
            for answer in _polled(backend):
                assert not isinstance(answer, Decision), f"nobody decided, and yet: {answer}"

    def test_opening_twice_shows_one_place(self, tmp_path: Path) -> None:
        for record in self.records():
            backend = record.factory(self.context(tmp_path))
            request = approval_request("r", "build")
            where = backend.open(request)
            assert isinstance(where, str)
            assert backend.open(request) == where

    def test_closing_twice_is_harmless(self, tmp_path: Path) -> None:
        for record in self.records():
            backend = record.factory(self.context(tmp_path))
            request = approval_request("r", "build")
            backend.close(request, "cancelled")  # of a request that this process never opened
            backend.open(request)
            backend.close(request, "approved")
            backend.close(request, "approved")
            assert not [answer for answer in _polled(backend) if isinstance(answer, Decision)]


# -------------------------------------------------------------------------- helpers


def _is_secret(name: str) -> bool:
    return bool(_SECRET.search(name)) and not _PLACE.search(name)


def _open_secrets(schema: Mapping[str, Any]) -> Iterator[str]:
    """The properties, at any depth, that are named like a secret and not marked as one."""
    for key, value in schema.items():
        if key == "properties" and isinstance(value, Mapping):
            for name, described in value.items():
                is_text = isinstance(described, Mapping) and described.get("type") == "string"
                if is_text and _is_secret(name) and not described.get("writeOnly"):
                    yield name
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, Mapping):
                yield from _open_secrets(child)


def _parsed(parser: Parser, observation: Observation, facts: PaneFacts) -> list[Signal]:
    return bounded(lambda: list(parser.parse(observation, facts)))


def _well_formed(signal: object, name: str) -> None:
    assert isinstance(signal, Signal), f"a {type(signal).__name__}, not a Signal"
    assert isinstance(signal.kind, SignalKind)
    assert isinstance(signal.trust, Trust)
    assert 0.0 <= signal.confidence <= 1.0
    assert signal.parser == name, f"the signal says it is from {signal.parser!r}"
    assert signal.digest, "without a digest the same event would count again and again"
    assert signal.percent is None or 0.0 <= signal.percent <= 100.0
    assert isinstance(signal.message, str)
    assert isinstance(signal.evidence, str)
    assert signal.dialog is None or (signal.kind is SignalKind.PROMPT and is_sound(signal.dialog)), (
        "a dialog goes with PROMPT; its texts, keys, choices and fingerprint have to be what Dialog says"
    )


def _well_delivered(notifier: Notifier, what: Message) -> DeliveryResult:
    result = bounded(notifier.send, what)
    assert isinstance(result, DeliveryResult), f"a {type(result).__name__}, not a DeliveryResult"
    assert isinstance(result.outcome, Delivery)
    assert result.retry_after is None or result.retry_after >= 0
    return result


def _mistakes(record: CheckerPlugin, action: Mapping[str, Any], folder: Path) -> list[str]:
    """What `tmux-sentry check` says of a policy with this action."""
    stage = {"name": "s", "actions_on_start": [{"external_check": {"type": record.name, **action}}]}
    policy = {"pipelines": [{"name": "p", "match": {"window_name": "w"}, "stages": [stage]}]}
    path = folder / "policy.yaml"
    path.write_text(json.dumps(policy), encoding="utf-8")
    return [str(error) for error in load_policies([path], Registry.of(record), {}).errors]


def _polled(backend: ApprovalBackend) -> list[Decision | Complaint]:
    answers = list(bounded(backend.poll))
    assert all(isinstance(answer, (Decision, Complaint)) for answer in answers)
    return answers
