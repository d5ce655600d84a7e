"""Events that an agent broke over several rows; `capture-pane -J` cannot rejoin those."""

from __future__ import annotations

import pytest

HEAD = '@@SENTRY {"type":"STATUS","stage":"build","ok":true,'


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        # words: the break replaced a space
        ([f'  {HEAD}"message":"3 of 128 tests failed in', '  tests/a.py"}'], "3 of 128 tests failed in tests/a.py"),
        ([f'• {HEAD}"message":"one', "  two", '  three"}'], "one two three"),
        # after / and -, and before a quote: nothing was dropped
        ([f'{HEAD}"message":"failed in tests/', '  a.py"}'], "failed in tests/a.py"),
        ([f'{HEAD}"message":"with --', 'maxfail=1"}'], "with --maxfail=1"),
        ([f'{HEAD}"message":"failed', '","next":1}'], "failed"),
        # the continuation starts with the space
        ([f'    {HEAD}"message":"one', '     two"}'], "one two"),
        # outside strings: anywhere
        ([HEAD, '"message":', '  "one"', "}"], "one"),
        (["● @@SENTRY", '  {"type":"STATUS","stage":"build","ok":true,"message":"a b"}'], "a b"),
        (['  @@SENTRY {"type":"STATUS","stage":"bu', '  ild","ok":tr', '  ue,"message":"x"}'], "x"),
        # in a box: the edges and the padding go
        ([f'│ {HEAD}"message":"failed in        │', '│ tests" }                      │'], "failed in tests"),
        ([f'│ │ {HEAD}"message":"a │ │', '│ │ b"}   │ │'], "a b"),
        ([f'  ┃  {HEAD}"message":"a', '  ┃  b"}'], "a b"),
        # an escape, and scripts without spaces
        ([f'{HEAD}"message":"say \\', '"hi\\""}'], 'say "hi"'),
        ([f'{HEAD}"message":"caf\\u00', 'e9"}'], "caf\u00e9"),
        ([f'{HEAD}"message":"构建', '成功"}'], "构建成功"),
    ],
)
def test_a_wrapped_event_is_read_as_it_was_written(screen, rows, message):
    signals = screen("● Done.", *rows, "", "❯ ")
    assert [(s.stage, s.ok, s.message, s.confidence) for s in signals] == [("build", True, message, 0.9)]


def test_where_a_word_was_cut_rows_as_full_were_cut_too(screen):
    (signal,) = screen(
        '│ @@SENTRY {"type":"DONE","message":"failed in test       │',
        '│ s/a.py; retried once or again","next":"x","id":"a       │',
        '│ 1b2c3d4"}                                               │',
    )
    assert (signal.message, signal.event_id) == ("failed in tests/a.py; retried once or again", "a1b2c3d4")


def test_where_a_word_was_cut_a_shorter_row_still_dropped_its_space(screen):
    (signal,) = screen('@@SENTRY {"type":"DONE","message":"one', 'two three four five six seven","id":"a1b', '2"}')
    assert (signal.message, signal.event_id) == ("one two three four five six seven", "a1b2")


def test_an_identifier_is_never_split_by_a_space(screen):
    (signal,) = screen('@@SENTRY {"type":"STATUS","id":"a1b2', 'c3d4","run":"r-', '1","stage":"inte', 'gration"}')
    assert (signal.event_id, signal.run, signal.stage) == ("a1b2c3d4", "r-1", "integration")


@pytest.mark.parametrize(
    "rows",
    [
        [f'{HEAD}"message":"a', "", 'b"}'],  # a paragraph ended
        [f'{HEAD}"message":"cut he…', 'b"}'],  # the agent truncated it
        [f'{HEAD}"message":"cut', "  … +2 lines (ctrl+o to expand)", 'b"}'],
        [f'{HEAD}"message":"cut', "  + 1 line (^t to expand)", 'b"}'],
        [f'{HEAD}"message":"cut', "+2 lines", 'b"}'],
        [f'│ {HEAD}"message":"a │', "╰──────────╯", '│ b"} │'],  # the box ended
        [f'│ {HEAD}"message":"a │', 'b"}'],
        [f'{HEAD}"message":"a', "b'} '"],  # a quoted command
        [f'{HEAD}"message":"a', "b\"}' (p)"],
        [f'{HEAD}"message":"half written'],
        [f'{HEAD}"message":"a', *["b"] * 12, '"}'],  # more rows than anyone needs
        ["@@SENTRY", "9f86d081 7 {}"],  # the signed form, wrapped
        ["@@SENTRY", "", '{"type":"DONE"}'],
    ],
)
def test_an_event_that_is_cut_quoted_or_still_being_written_is_none(screen, rows):
    assert screen(*rows, "  ❯ ") == []


def test_a_cut_event_does_not_swallow_the_next_one(screen):
    signals = screen(f'  {HEAD}"message":"cut', '  @@SENTRY {"type":"DONE","id":"b"}')
    assert [s.event_id for s in signals] == ["b"]


def test_a_message_may_speak_of_sentry_where_it_breaks(screen):
    (signal,) = screen(f'{HEAD}"message":"the', 'SENTRY line is broken"}')
    assert signal.message == "the SENTRY line is broken"


def test_words_in_a_list_are_free_text_too(screen):
    (signal,) = screen('@@SENTRY {"type":"ASK","choices":["yes", "no", "ask', 'me later"]}')
    assert signal.choices == ("yes", "no", "ask me later")


def test_output_lines_are_never_joined(stream):
    assert stream(f'{HEAD}"message":"a', 'b"}') == []


def test_twelve_continuation_rows_are_enough_and_allowed(screen):
    (signal,) = screen(f'{HEAD}"message":"a', *["b"] * 11, '"}')
    assert signal.message == "a" + " b" * 11
