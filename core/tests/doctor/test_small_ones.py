"""Clocks, surroundings, plugins: each a word in and a line out."""

from __future__ import annotations

import pytest

from tmux_sentry.doctor import clock, plugins, surroundings
from tmux_sentry.doctor.finding import Finding, Level, of_error
from tmux_sentry.errors import Diagnostic, InvalidConfig, SentryError, Unreachable
from tmux_sentry.plugins.status import PluginState, PluginStatus

NOW = 1_795_339_200.0


@pytest.mark.parametrize(
    ("ahead", "level"), [(-1000.0, Level.OK), (0.0, Level.OK), (60.0, Level.OK), (61.0, Level.PROBLEM)]
)
def test_a_sign_of_life_in_the_future_is_a_problem(ahead: float, level: Level) -> None:
    (found,) = clock.heartbeat(NOW + ahead, NOW)
    assert found.level is level
    assert ("61 s in the future" in found.what) is (level is Level.PROBLEM)


def test_without_a_sign_of_life_there_is_nothing_to_say() -> None:
    assert list(clock.heartbeat(None, NOW)) == []


@pytest.mark.parametrize(("offset", "words"), [(90.0, "90 s ahead of"), (-61.0, "61 s behind"), (60.0, ""), (None, "")])
def test_clocks_that_are_apart_are_a_note(offset: float | None, words: str) -> None:
    found = list(clock.apart("nas", offset))
    assert [one.level for one in found] == ([Level.NOTE] if words else [])
    assert all(words in one.what for one in found)


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 10, 1), Level.NOTE), ((3, 11, 0), Level.OK), ((3, 13, 9), Level.OK), ((3, 14, 0), Level.NOTE)],
)
def test_a_python_that_is_old_or_not_tested_is_a_note(version: tuple[int, ...], level: Level) -> None:
    assert surroundings.python(version).level is level


@pytest.mark.parametrize(
    ("encoding", "levels"),
    [("UTF-8", []), ("utf8", []), ("ANSI_X3.4-1968", [Level.NOTE]), ("ISO-8859-1", [Level.NOTE]), ("?", [Level.NOTE])],
)
def test_a_locale_that_is_not_utf_8_is_a_note(encoding: str, levels: list[Level]) -> None:
    assert [one.level for one in surroundings.locale(encoding)] == levels


def plugin(name: str, state: PluginState) -> PluginStatus:
    return PluginStatus(name=name, kind="notify", distribution=f"d-{name}", version="1", state=state, reason="why not")


def test_plugins_that_do_not_load_are_problems_and_disabled_ones_notes() -> None:
    found = list(plugins.plugins([plugin(state.value, state) for state in PluginState]))
    assert [one.level for one in found] == [Level.OK, Level.PROBLEM, Level.PROBLEM, Level.NOTE]
    assert "d-broken" in found[1].fix
    assert "why not" in found[1].what
    (none,) = plugins.plugins([])
    assert (none.level, "pip install tmux-sentry" in none.fix) == (Level.PROBLEM, True)


def test_an_error_keeps_its_own_fix_or_gets_one() -> None:
    def said(error: SentryError) -> list[Finding]:
        return list(of_error("x", error, "the other"))

    assert [(one.what, one.fix) for one in said(Unreachable("a", "b", "c"))] == [("a: b", "c")]
    assert [(one.what, one.fix) for one in said(Unreachable("a"))] == [("a", "the other")]
    where = [
        Diagnostic(file="f", line=n, column=1, where="w", what="bad", help=help, warning=warning)
        for n, help, warning in ((1, "do", False), (2, "", False), (3, "", True))
    ]
    found = said(InvalidConfig(where))
    assert [one.level for one in found] == [Level.PROBLEM, Level.PROBLEM, Level.NOTE]
    assert [one.fix for one in found] == ["do", "correct line 2 of f", ""]
