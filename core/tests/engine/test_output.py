"""Which lines are output of a stage, and which are the echo of what it typed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tmux_sentry.engine import output
from tmux_sentry.engine.events import OutputBegins
from tmux_sentry.engine.output import fingerprints, from_screen, from_stream, release, remember
from tmux_sentry.engine.run import Attempt, Phase


def attempt(*typed: str, echo: bool = True, before: tuple[str, ...] = ()) -> Attempt:
    return Attempt(
        stage="a",
        number=1,
        phase=Phase.WATCHING,
        armed=True,
        typed=typed,
        echo=typed[-1] if typed and echo else None,
        baseline_lines=fingerprints(before),
    )


# ------------------------------------------------------------------------------ streams


@pytest.mark.parametrize(
    ("text", "lines", "counts"),
    [
        ("npm test", ("$ npm test", "ok"), ("ok",)),
        ("npm test", ("~/webapp on main", "❯ npm test", "ok"), ("ok",)),  # a prompt of two rows
        ("npm test", ("$ npm test          12:30:01", "ok"), ("ok",)),  # a clock on the right
        ("ls", ("$ ls          12:30", "tools"), ("tools",)),
        ("make", ("$ make", "make: *** [all] Error 1"), ("make: *** [all] Error 1",)),
        ("npm test", ("npm test", "ok"), ("ok",)),  # typed ahead of the prompt
        ("grep x y;  echo  z", ("$ grep x y; echo z", "z"), ("z",)),  # spaces are redrawn
    ],
)
def test_the_echo_is_taken_off_the_front(text, lines, counts):
    after, fresh = from_stream(attempt(text), lines)
    assert fresh == counts
    assert after.echo is None


@pytest.mark.parametrize(
    ("text", "lines", "counts"),
    [
        ("a\nb", ("$ a", "> b", "ok"), ("ok",)),
        ("for i in 1 2\ndo echo $i\ndone", ("$ for i in 1 2", "> do echo $i", "> done", "1", "2"), ("1", "2")),
        ("a\nb", ("no echo", "at all"), ("no echo", "at all")),
    ],
)
def test_the_echo_of_several_lines_is_taken_off_when_no_more_of_it_can_come(text, lines, counts):
    a, fresh = from_stream(attempt(text), lines)
    assert fresh == ()
    after, fresh = release(a)
    assert (fresh, after.echo, after.withheld) == (counts, None, ())


def test_a_flood_behind_several_lines_is_not_kept_for_ever():
    lines = ("$ a", "> b", *map(str, range(output.DRAWN)))
    assert from_stream(attempt("a\nb"), lines) == (replace(attempt("a\nb"), echo=None), lines[2:])


#: What fish 3.6 draws of three lines that were pasted, before it runs them: piece by piece, and then again in colour.
FISH = (
    "root@vm ~/w# touch a", "", "             touch b; sleep 1", "", "", "             touch c; echo", "", "",
    "                               '", "", "", "                                 ALL OVER", "", "",
    "                                          '", "root@vm ~/w# touch a", "             touch b; sleep 1",
    "             touch c; echo 'ALL OVER'", "",
)  # fmt: skip


def test_what_fish_draws_of_several_lines_is_no_success(world):
    keys = {"send_keys": "touch a\ntouch b; sleep 1\ntouch c; echo 'ALL OVER'"}
    w = world({"name": "a", "actions_on_start": [keys], "success_when": [{"log_regex": "ALL OVER$"}]})
    w.type().prints(*FISH).give(OutputBegins())
    assert w.statuses == {"a": "running"}
    assert w.prints("ALL OVER").statuses == {"a": "succeeded"}


def test_a_line_taken_by_the_editor_ends_no_echo_that_has_not_come(world):
    """The one before, late: its echo is found by its text."""
    w = world({"name": "a", "actions_on_start": [{"send_keys": "x # fine"}], "success_when": [{"log_regex": "fine"}]})
    w.type().prints("~/app on main").give(OutputBegins()).prints("$ x # fine")
    assert w.due(60).statuses == {"a": "running"}


def test_the_echo_may_come_line_by_line():
    a, fresh = from_stream(attempt("npm test"), ("~/webapp on main",))
    assert (fresh, a.withheld) == ((), ("~/webapp on main",))
    a, fresh = from_stream(a, ("❯ npm test", "ok"))
    assert (fresh, a.withheld) == (("ok",), ())
    assert from_stream(a, ("npm test",)) == (a, ("npm test",)), "only the first is the echo"


def test_a_terminal_that_does_not_echo_loses_no_line():
    lines = ("make: *** [all] Error 1", "b", "c", "d")
    assert from_stream(attempt("make"), lines) == (attempt("make", echo=False), lines)


def test_a_little_output_without_an_echo_counts_after_a_while(world):
    w = world({"name": "a", "actions_on_start": [{"send_keys": "go"}], "success_when": [{"log_regex": "fine"}]})
    w.type().prints("fine", at=10)
    assert w.due(10 + output.ECHO_WAIT - 0.1).statuses == {"a": "running"}
    assert w.due(10 + output.ECHO_WAIT).statuses == {"a": "succeeded"}


def test_lines_withheld_from_the_first_text_count_when_the_second_is_typed(world):
    sends = [{"send_keys": "one"}, {"send_keys": "two"}]
    w = world({"name": "a", "actions_on_start": sends, "success_when": [{"log_regex": "fine"}]})
    assert w.type().prints("fine").type().statuses == {"a": "succeeded"}


def test_the_echo_of_the_keys_is_no_success(world):
    keys = {"send_keys": "npm run lint # 0 problems"}
    w = world({"name": "a", "actions_on_start": [keys], "success_when": [{"log_regex": "0 problems"}]})
    assert w.type().prints("$ npm run lint # 0 problems").due(60).statuses == {"a": "running"}
    assert w.prints("0 problems").statuses == {"a": "succeeded"}


# ----------------------------------------------------------------------------- captures


@pytest.mark.parametrize(
    ("text", "lines", "counts"),
    [
        ("make", ("$ make", "make: *** [all] Error 1"), ("make: *** [all] Error 1",)),
        ("ls", ("> ls", "tools", "false"), ("tools", "false")),
        ("make", ("│ > make        │", "nothing to make", "gmake"), ("nothing to make", "gmake")),
        ("npm", ("> npm", "bash: npm: command not found"), ("bash: npm: command not found",)),
        # A text that names what it wants to see: the rows that show the text, and the answer
        (
            "Run the tests and print 0 problems when done",
            ("> Run the tests and print", "  0 problems when done", "● Working", "0 problems"),
            ("● Working", "0 problems"),
        ),
        (
            "Run the tests and print 0 problems when done",
            ("╭────╮", "│ > Run the tests and    │", "│   print 0 problems     │", "│   when done │", "╰────╯"),
            ("╭────╮", "╰────╯"),
        ),
        ("Run the tests and print 0 problems", ("> Run the tests and pri",), ()),  # half drawn
        ("first line\nsecond line", ("$ first line", "> second line", "out"), ("out",)),
        ("# note\n> quoted", ("# note", "> quoted", "out"), ("out",)),
    ],
)
def test_a_capture_shows_the_text_and_its_output(text, lines, counts):
    assert from_screen(attempt(text), lines, resync=False)[1] == counts


def test_the_echo_of_an_earlier_text_does_not_count_either():
    a = attempt("echo one-one", "echo two-two")
    assert from_screen(a, ("$ echo one-one", "1", "$ echo two-two", "2"), resync=False)[1] == ("1", "2")


def test_lines_that_were_there_before_do_not_count():
    a = attempt("go", before=("old", "> "))
    assert from_screen(a, ("old", "", "> go", "new"), resync=False)[1] == ("new",)


# --------------------------------------------------------------------------- after gaps


def test_after_a_gap_everything_below_the_echo_counts():
    a = attempt("make", before=("old", "same"))
    lines = ("$ make", "ancient", "old", "same", "$ make", "same", "make: *** [all] Error 1")
    assert from_screen(a, lines, resync=True)[1] == ("same", "make: *** [all] Error 1")


def test_after_a_gap_without_the_echo_what_is_above_the_baseline_does_not_count():
    a = attempt("make", before=("old 1", "old 2", "$ "))
    lines = ("ancient 0 problems", "old 1", "old 2", "$ clear", "new")
    assert from_screen(a, lines, resync=True)[1] == ("$ clear", "new")


def test_after_a_gap_so_long_that_nothing_old_is_left_everything_counts():
    a = attempt("make", before=("old",))
    assert from_screen(a, ("1", "2"), resync=True)[1] == ("1", "2")


def test_a_withheld_line_is_on_the_capture_after_the_gap():
    a, _ = from_stream(attempt("make"), ("withheld",))
    a, fresh = from_screen(a, ("withheld",), resync=True)
    assert (fresh, a.withheld, a.echo) == (("withheld",), (), "make")


def test_what_was_seen_is_remembered_newest_last_and_bounded():
    seen = remember(None, ("a", "", "b"))
    assert remember(seen, ("a",)) == (*fingerprints(["b"]), *fingerprints(["a"]))
    assert len(remember(seen, [str(n) for n in range(9999)])) == output.SEEN


def test_a_line_that_overtook_the_capture_with_the_echo_is_not_lost() -> None:
    """The torn first line of a stream is the echo, and the capture that brings it is older than the next line."""
    before = replace(attempt("npm run lint"), withheld=("0 problems",))
    after, lines = from_screen(before, ("$ npm run lint",), resync=True)
    assert lines == ("0 problems",)
    assert after.echo is None


def test_a_withheld_line_above_the_echo_is_older_than_the_keys() -> None:
    before = replace(attempt("make"), withheld=("a job ended",))
    _, lines = from_screen(before, ("a job ended", "$ make", "done"), resync=True)
    assert lines == ("done",)
