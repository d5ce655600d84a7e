"""Who is told what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tmux_sentry.contracts import Level, Message
from tmux_sentry.notify.routing import Defaults, Router
from tmux_sentry.policy.model import Escalation, Route
from tmux_sentry.state.records import Planned, Silence


def message(level: Level, event: str = "stage.failed") -> Message:
    return Message(id="m", at=1.0, level=level, event=event, title="t")


@pytest.mark.parametrize(
    ("routes", "level", "event", "expected"),
    [
        ((), Level.INFO, "stage.succeeded", ("a", "b")),
        ((), Level.DEBUG, "stage.succeeded", ()),
        ((Route(channels=("a",), min_level=Level.ERROR),), Level.WARNING, "x", ()),
        ((Route(channels=("a",), min_level=Level.ERROR),), Level.ERROR, "x", ("a",)),
        ((Route(channels=(), min_level=Level.INFO),), Level.INFO, "x", ("a", "b")),
        ((Route(channels=("b",), events=("run.failed",)),), Level.ERROR, "stage.failed", ()),
        ((Route(channels=("b",)), Route(channels=("a", "b"))), Level.ERROR, "x", ("b", "a")),
    ],
)
def test_a_message_goes_to_each_channel_once(
    routes: tuple[Route, ...], level: Level, event: str, expected: tuple[str, ...]
) -> None:
    router = Router(routes=routes, defaults=Defaults(channels=("a", "b"), local=("a", "b")))
    planned = router.plan(message(level, event), "", 5.0)
    assert [(one.channel, one.at, one.repeat, one.silenced) for one in planned] == [
        (name, 5.0, None, "") for name in expected
    ]


APPROVAL = replace(message(Level.APPROVAL, "approval.asked"), fields={"pipeline": "webapp-ci", "host": "nas"})
NOON = 1_795_339_200.0


def planned(router: Router, what: Message = APPROVAL, matter: str = "approval/1", **more: Any) -> list[Planned]:
    return router.plan(what, matter, NOON, **more)


@pytest.mark.parametrize(
    ("names", "takes"),
    [
        ({"events": ("approval.*",)}, True),
        ({"events": ("stage.*", "approval.asked")}, True),
        ({"events": ("approval",)}, False),
        ({"pipelines": ("webapp-*",)}, True),
        ({"pipelines": ("other",)}, False),
        ({"hosts": ("nas",), "pipelines": ("webapp-ci",)}, True),
        ({"hosts": ("here",), "pipelines": ("webapp-ci",)}, False),
        ({"min_level": Level.APPROVAL}, True),
        ({"min_level": Level.ERROR}, False),
    ],
)
def test_a_route_takes_what_meets_all_that_it_names(names: dict[str, Any], takes: bool) -> None:
    assert bool(planned(Router(routes=(Route(channels=("a",), **names),)))) is takes


def test_others_are_told_later_while_nobody_decides() -> None:
    route = Route(channels=("a",), escalate=Escalation(after=600, channels=("b", "a")), repeat=1800)
    assert planned(Router(routes=(route,))) == [
        Planned(channel="a", at=NOON, repeat=1800),
        Planned(channel="b", at=NOON + 600),
    ]
    assert planned(Router(routes=(route,)), matter="") == [Planned(channel="a", at=NOON)]


def test_quiet_hours_delay_all_but_the_critical_and_not_the_escalation() -> None:
    zone = ZoneInfo("UTC")  # where it is 09:20
    route = Route(channels=("a",), quiet_hours="08:00-10:20", escalate=Escalation(after=600, channels=("b",)))
    router = Router(routes=(route,), zone=zone)
    assert [(one.channel, one.at - NOON) for one in planned(router)] == [("a", 3600), ("b", 600)]
    assert [one.at for one in planned(router, message(Level.CRITICAL), matter="")] == [NOON]


def test_the_earlier_of_two_routes_counts() -> None:
    late = Route(channels=("a",), quiet_hours="08:00-10:20")
    assert [one.at for one in planned(Router(routes=(late, Route(channels=("a",))), zone=ZoneInfo("UTC")))] == [NOON]


@pytest.mark.parametrize(
    ("level", "event", "expected"),
    [
        (Level.INFO, "stage.succeeded", ["screen"]),
        (Level.INFO, "run.succeeded", ["screen", "phone"]),
        (Level.WARNING, "stage.held", ["screen", "phone"]),
        (Level.APPROVAL, "approval.asked", ["screen", "phone"]),
        (Level.DEBUG, "run.succeeded", ["phone"]),
    ],
)
def test_who_is_away_is_not_told_of_every_stage(level: Level, event: str, expected: list[str]) -> None:
    router = Router(defaults=Defaults(channels=("screen", "phone"), local=("screen",)))
    assert [one.channel for one in planned(router, message(level, event))] == expected


def test_a_level_of_the_settings_holds_for_every_channel() -> None:
    router = Router(defaults=Defaults(channels=("screen", "phone"), local=("screen",), level=Level.ERROR))
    assert planned(router, message(Level.WARNING, "run.failed")) == []
    assert len(planned(router, message(Level.ERROR))) == 2


@pytest.mark.parametrize(
    ("names", "silent"),
    [
        ({}, True),
        ({"pipeline": "webapp-*"}, True),
        ({"host": "nas", "event": "approval.*"}, True),
        ({"host": "nas", "event": "stage.*"}, False),
        ({"pipeline": "other"}, False),
    ],
)
def test_what_is_silenced_is_planned_with_the_reason(names: dict[str, str], silent: bool) -> None:
    silence = Silence(id="1", until=NOON + 1, reason="maintenance", by="ann", created_at=0.0, **names)
    (one,) = planned(Router(routes=(Route(channels=("a",)),)), silences=[silence])
    assert one.silenced == ("silenced by ann: maintenance" if silent else "")


def test_an_action_that_names_channels_is_told_there_and_nowhere_else() -> None:
    router = Router(routes=(Route(channels=("a",)),))
    assert [one.channel for one in planned(router, only=("b", "c", "b"))] == ["b", "c"]


def test_output_is_told_where_a_route_that_takes_the_message_wants_it() -> None:
    wants = Route(channels=("a",), events=("stage.failed",), include_output=True)
    router = Router(routes=(wants, Route(channels=("b",))))
    assert router.wants_output(message(Level.ERROR))
    assert not router.wants_output(APPROVAL)
