"""What else becomes a Signal: titles, control sequences, limits, versions, an agent that nobody has named."""

from __future__ import annotations

import pytest
from captures import PANE, dialog_of, read, rules, shot, state_of

from tmux_sentry import AgentState, Lines, Origin, Osc, PaneFacts, Screen, Signal, SignalKind, Title, Trust
from tmux_sentry_parser_agents.parser import AgentsParser


def facts(agent: str, title: str = "") -> PaneFacts:
    return PaneFacts(identity=PANE, agent=agent, title=title)


@pytest.mark.parametrize(
    ("agent", "title", "state"),
    [
        ("claude", "⠐ topic", "working"),
        ("claude", "✳ topic", "unknown"),  # idle, a question and a permission alike
        ("codex", "⠋ shop", "working"),
        ("codex", "[ ! ] Action Required | shop", "waiting"),
        ("codex", "shop", "unknown"),
        ("gemini", "✦  Working… (shop)", "working"),
        ("gemini", "✋  Action Required (shop)", "waiting"),
        ("gemini", "◇  Ready (shop)", "unknown"),
        ("qwen", "Qwen - shop", "unknown"),
        ("opencode", "OC | topic", "unknown"),
    ],
)
def test_a_title_says_what_it_alone_can_say(agent: str, title: str, state: str) -> None:
    [signal] = AgentsParser(rules()).parse(Title(pane=PANE, at=1.0, title=title), facts(agent))
    assert signal.state is AgentState(state)
    assert signal.origin is Origin.TITLE


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("state=working:app=codex", AgentState.WORKING),
        ("state=idle:app=codex", AgentState.IDLE),
        ("state=done:app=codex", AgentState.IDLE),
        ("state=blocked:app=codex:kind=permission", AgentState.WAITING),
        ("state=error:app=codex", AgentState.ERROR),
        ("state=clear", None),
        ("state=working:app=other", None),
        ("\ud800", None),
    ],
)
def test_codex_tells_its_state_by_a_control_sequence(text: str, state: AgentState | None) -> None:
    signals = AgentsParser(rules()).parse(Osc(pane=PANE, at=1.0, number=7501, text=text), facts("codex"))
    assert [signal.state for signal in signals] == ([state] if state else [])
    assert all(signal.origin is Origin.OSC and signal.trust is Trust.PRINTED and signal.live for signal in signals)
    assert AgentsParser(rules()).parse(Osc(pane=PANE, at=1.0, number=7, text=text), facts("codex")) == []


def limit_of(signals: list[Signal]) -> Signal | None:
    return next((signal for signal in signals if signal.kind is SignalKind.LIMIT), None)


@pytest.mark.parametrize(
    ("agent", "text", "reset"),
    [
        ("claude", "● You've hit your limit · resets 3pm (Europe/Berlin)", "3pm (Europe/Berlin)"),
        ("claude", "● You've hit your session limit · resets 3:45pm (UTC)", "3:45pm (UTC)"),
        ("claude", "● 5-hour limit reached ∙ resets 3am", "3am"),
        (
            "claude",
            "● Claude usage limit reached. Your limit will reset at 3pm (US/Eastern).",
            "3pm (US/Eastern)",
        ),
        ("claude", "● Claude AI usage limit reached|1764491234", "1764491234"),
        ("claude", "● Weekly limit reached ∙ resets Nov 30, 9am (UTC)", "Nov 30, 9am (UTC)"),
        ("codex", "■ You've hit your usage limit. Upgrade to Pro or try again at 3:28 PM.", "3:28 PM"),
        ("codex", "■ You've hit your usage limit. Try again in 2 hours 5 minutes.", "2 hours 5 minutes"),
        (
            "gemini",
            "✕ [API Error: You have exhausted your capacity on it. Your quota will reset after 2h5m3s.]",
            "2h5m3s",
        ),
        ("codex", "■ You've hit your usage limit.", ""),
    ],
)
def test_a_usage_limit_is_read_with_its_end(agent: str, text: str, reset: str) -> None:
    rows = list(shot(agent, "error-err400-1").rows)
    mark = text[0]
    at = max(number for number, row in enumerate(rows) if row.startswith(mark))
    rows[at] = text
    signals = read(rows, agent)
    assert state_of(signals) is AgentState.LIMITED
    signal = limit_of(signals)
    assert signal is not None
    assert signal.limit is not None
    assert signal.limit.reset == reset


def test_a_limit_in_an_answer_or_above_a_new_turn_is_none() -> None:
    rows = list(shot("claude", "finished-3").rows)
    at = next(number for number, row in enumerate(rows) if row.startswith("● I will run"))
    rows[at] = "● You've hit your limit · resets 3pm (Europe/Berlin)"
    assert limit_of(read(rows, "claude")) is None
    rows[at] = '● The log says "You\'ve hit your limit · resets 3pm".'
    assert limit_of(read(rows, "claude")) is None


def test_an_agent_that_is_newer_than_its_rules_is_believed_less_and_its_dialogs_answered_by_no_rule() -> None:
    parser = AgentsParser(rules())
    rows = list(shot("claude", "idle-1").rows)
    [known] = read(rows, "claude", parser=parser)
    newer = [row.replace("v2.1.197", "v3.0.1  ") for row in rows]
    [state] = read(newer, "claude", parser=parser)
    assert state.confidence < known.confidence
    assert (known.newer, "claude 3.0.1" in state.newer) == ("", True)
    # The version is shown once, at the start; it is still the same program later.
    dialog = dialog_of(read(shot("claude", "permission-1").rows, "claude", parser=parser))
    assert dialog is not None
    assert "3.0.1" in dialog.doubt
    other = dialog_of(read(shot("claude", "permission-1").rows, "claude"))
    assert other is not None
    assert other.doubt == ""


@pytest.mark.parametrize("agent", ["aider", "claude", "codex", "gemini", "qwen"])
def test_an_agent_that_the_process_does_not_name_is_known_by_its_banner(agent: str) -> None:
    [state] = read(shot(agent, "idle-1").rows, "")
    assert state.state is AgentState.IDLE
    [named] = read(shot(agent, "idle-1").rows, agent)
    assert state.confidence < named.confidence


@pytest.mark.parametrize(
    ("cursor", "state", "sure"), [((9, 3), "idle", True), ((0, 4), "working", False), (None, "working", False)]
)
def test_only_the_cursor_tells_a_draft_in_aider_from_what_was_just_sent(
    cursor: tuple[int, int] | None, state: str, sure: bool
) -> None:
    rows = ("Aider v0.86.2", "", "─" * 40, "diff> fix")
    screen = Screen(pane=PANE, at=0.0, lines=rows, rows=rows if cursor else (), cursor=cursor or (9, 3))
    [signal] = AgentsParser(rules()).parse(screen, facts("aider"))
    assert (signal.state, signal.confidence > 0.8) == (AgentState(state), sure)


def test_what_the_screen_alone_says_and_what_the_title_says_are_told_apart() -> None:
    """While Codex streams its screen says nothing: what it said before must not stand beside the title."""
    one = shot("codex", "working-2")
    said = {signal.origin: signal.state for signal in read(one.rows, "codex", "⠸ codex")}
    assert said == {Origin.TITLE: AgentState.WORKING, Origin.SCREEN: AgentState.UNKNOWN}
    rest = {signal.origin: signal.state for signal in read(shot("codex", "finished-1").rows, "codex", "codex")}
    assert rest == {Origin.TITLE: AgentState.UNKNOWN, Origin.SCREEN: AgentState.IDLE}


def test_what_no_rule_knows_has_no_rule() -> None:
    [state] = read(("hello",), "claude")
    assert (state.state, state.rule, state.confidence) == (AgentState.UNKNOWN, "", 1.0)


def test_any_other_program_is_never_idle() -> None:
    assert state_of(read(("$ make", "done", "$ "), "", command="bash")) is AgentState.UNKNOWN
    assert state_of(read(("> ",), "someone")) is AgentState.UNKNOWN


def test_a_spinner_that_turns_is_no_news() -> None:
    one = shot("claude", "working-tool-1")
    turned = [row.replace("* Doing… (3s · ↓ 39 tokens)", "✶ Doing… (4s · ↓ 41 tokens)") for row in one.rows]
    assert [s.digest for s in read(one.rows, "claude")] == [s.digest for s in read(turned, "claude")]
    one = shot("codex", "working-1")
    turned = [row.replace("• Working (1s ", "◦ Working (12s ") for row in one.rows]
    assert turned != list(one.rows)
    assert [s.digest for s in read(one.rows, "codex")] == [s.digest for s in read(turned, "codex")]


def test_lines_of_a_stream_are_not_a_screen() -> None:
    assert AgentsParser(rules()).parse(Lines(pane=PANE, at=1.0, lines=("❯ ",)), facts("claude")) == []


def test_explain_names_every_rule_and_what_spoke_against_it() -> None:
    one = shot("claude", "working-1")
    screen = Screen(pane=PANE, at=0.0, lines=one.rows, cursor=(0, 0))
    traces = {trace.rule: trace for trace in AgentsParser(rules()).explain(screen, facts("claude", one.title))}
    assert traces["box"].vetoed_by in {"title-spinner", "esc-to-interrupt", "spinner"}
    assert traces["esc-to-interrupt"].matched
    assert "esc to interrupt" in traces["esc-to-interrupt"].evidence
    assert not traces["command"].matched
