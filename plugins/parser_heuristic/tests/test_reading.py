"""What makes a line an event, and two equal lines two of them."""

from __future__ import annotations

from tmux_sentry import SignalKind

FAILED = "3 failed, 40 passed in 1.20s"
PASSED = "43 passed in 1.10s"
TRACE = ['  File "a.py", line 3, in f', "    raise ValueError(7)", "ValueError: 7"]


def test_a_second_equal_summary_of_a_stream_is_another_event(stream):
    """The core counts a digest once an attempt, and a watching test runner says the same again."""
    first, second = stream(FAILED, "", FAILED)
    (later,) = stream(FAILED, at=6.0)
    (next_batch,) = stream(FAILED, before=[FAILED])
    assert len({first.digest, second.digest, later.digest, next_batch.digest}) == 4
    assert first.live
    assert stream(FAILED)[0] == stream(FAILED)[0]


def test_the_same_line_on_another_picture_is_the_same_event(screen):
    (first,) = screen("$ pytest", FAILED, at=5.0)
    (moved,) = screen(FAILED, "$", at=9.0)
    assert first.digest == moved.digest
    assert not first.live


def test_one_that_stands_there_once_more_is_another_event(screen):
    first, second = screen(FAILED, PASSED, FAILED)[::2]
    assert first.digest != second.digest
    assert first.digest == screen(FAILED)[0].digest


def test_a_stream_and_a_picture_of_it_do_not_agree_by_accident(stream, screen):
    assert stream(FAILED)[0].digest != screen(FAILED)[0].digest


def test_what_the_history_shows_after_a_gap_is_never_acted_on(screen):
    """It may be of an earlier attempt; what is not sure is below every bar but an absurd one."""
    (old,) = screen(FAILED, resync=True)
    (now,) = screen(FAILED)
    assert (old.confidence, now.confidence) == (0.2, 0.9)
    assert old.digest == now.digest  # so that it is known when the next capture shows it


def test_what_was_typed_is_no_result(stream):
    typed = f"cat <<END\n{FAILED}\nEND"
    assert stream(FAILED, typed=[typed]) == []
    assert stream(f"  {FAILED}", typed=[typed]) == []
    assert stream(PASSED, typed=[typed])


def test_a_traceback_is_known_by_the_lines_before_it(stream):
    assert [s.message for s in stream(*TRACE)] == ["ValueError: 7"]
    assert [s.message for s in stream(TRACE[-1], before=TRACE[:-1])] == ["ValueError: 7"]
    assert stream(TRACE[-1]) == []
    assert stream(TRACE[-1], before=[TRACE[0], "", "", "", ""]) == []  # further away than a batch would bring it


def test_a_flood_of_errors_keeps_the_first_errors_and_the_last_results(stream):
    lines = [f"a.c:{n}:1: error: no {n}" for n in range(500)] + [f"{n} passed in 1.00s" for n in range(1, 51)]
    signals = stream(*lines)
    errors = [signal.message for signal in signals if signal.kind is SignalKind.ERROR]
    results = [signal.message for signal in signals if signal.kind is SignalKind.STATUS]
    assert errors == [f"error: no {n}" for n in range(8)]
    assert results == [f"{n} passed" for n in range(35, 51)]


def test_blanks_at_the_end_do_not_matter_and_those_before_do(stream):
    assert stream(FAILED + "   ")
    assert stream("    " + FAILED) == []


def test_explain_tells_of_hits_of_vetoes_and_of_the_rest(parser, stream):
    from tmux_sentry import Lines, PaneFacts, PaneIdentity
    from tmux_sentry_parser_heuristic.rules import RULES

    pane = PaneIdentity(host="here", server_pid=100, server_start=1, pane_id="%1", pane_pid=200)
    lines = ("!!!!!!!!!! KeyboardInterrupt !!!!!!!!!!", "1 passed in 2.68s", "make: *** [all] Error 2", "x" * 9000)
    traces = parser.explain(Lines(pane=pane, at=1.0, lines=lines), PaneFacts(identity=pane))
    told = {trace.rule: trace for trace in traces}
    assert set(told) == {rule.name for rule in RULES}
    assert told["pytest.passed"].vetoed_by
    assert (told["pytest.passed"].matched, told["pytest.passed"].concludes) == (True, "status ok")
    assert (told["make.failed"].concludes, told["make.failed"].confidence) == ("status failed", 0.9)
    assert told["make.failed"].evidence == lines[2]
    assert (told["git.fatal"].matched, told["git.fatal"].evidence) == (False, "")
    typed = parser.explain(Lines(pane=pane, at=1.0, lines=lines[1:2]), PaneFacts(identity=pane, typed=lines[1:2]))
    assert typed[0].vetoed_by == "what was typed"
    assert parser.explain(Lines(pane=pane, at=1.0, lines=lines), PaneFacts(identity=pane, agent="codex")) == []
