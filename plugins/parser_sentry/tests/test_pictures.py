"""Pictures of an event are not the event: echoes, instructions, commands, drafts. The answer still is."""

from __future__ import annotations

import pytest

EVENT = '{"type":"STATUS","stage":"build","ok":true}'
LINE = f"### SENTRY {EVENT}"
OTHER = '@@SENTRY {"type":"DONE","id":"z"}'
ASK = f"Fix the tests, please. When the build is finished, print this line: {LINE}"

SHELL = [
    # typed text, the echo and the output as a stream shows them, events that count
    pytest.param(f"echo '{LINE}'", [f"$ echo '{LINE}'", LINE], 1, id="echo"),
    pytest.param(f"echo '{LINE}'", [LINE], 1, id="only the output"),
    pytest.param(f"printf '%s\\n' '{LINE}' '{LINE}'", [f"$ printf '%s\\n' '{LINE}' '{LINE}'", LINE, LINE], 2,
                 id="twice"),
    pytest.param(f"cat <<EOF\n{LINE}\nEOF", ["$ cat <<EOF", f"> {LINE}", "> EOF", LINE], 1, id="here-document"),
    pytest.param(f"cat <<EOF\n{LINE}\nEOF", ["$ cat <<EOF", LINE, "EOF", LINE], 1, id="here-document, pasted"),
    pytest.param(f"cat << end\n{LINE}\nend", ["$ cat << end", LINE, "end", LINE], 1, id="another end word"),
    pytest.param(f"set -x; echo '{LINE}'", [f"+ echo '{LINE}'", LINE], 1, id="trace"),
    pytest.param(f"while read a; do\necho \"\n{LINE}\n\"", ["$ while read a; do", "> echo \"", LINE, "> \""], 0,
                 id="quoted"),
    pytest.param("git diff", [f"+{LINE}", f"-{LINE}"], 0, id="diff"),
    pytest.param(LINE, [LINE], 0, id="a typed text that is the event"),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "lines", "count"), SHELL)
def test_in_a_shell_only_what_the_command_printed_counts(stream, typed, lines, count):
    assert len(stream(*lines, typed=[typed])) == count


def test_the_lines_before_this_observation_tell_an_echo_too(stream):
    typed = [f"cat <<end\n{LINE}\nend"]
    assert stream(LINE, before=["$ cat <<end"], typed=typed) == []
    assert len(stream(LINE, before=["$ cat <<end", LINE, "end"], typed=typed)) == 1


AGENT = [
    pytest.param(["❯ Fix the tests, please. When the build is finished,", f"  print this line: {LINE}"], id="one row"),
    pytest.param(["❯ Fix the tests, please. When the build is finished, print this line:", f"  {LINE}"], id="wrapped"),
    pytest.param(["  ┃  Fix the tests, please. When the build is", "  ┃  finished, print this line:", f"  ┃  {LINE}"],
                 id="box"),
    pytest.param(["╭────╮", "│ > When the build is finished, print this  │", "│   line:   │", f"│   {LINE} │"],
                 id="composer"),
    pytest.param(["  is finished, print this line:", f"  {LINE}"], id="scrolled"),
    pytest.param([f"  {LINE}"], id="scrolled up to the line"),
    pytest.param(["  ┃  Fix the tests, please. When the build is finished, print this line:", "  ┃  ### SENTRY",
                  f"  ┃  {EVENT}"], id="marker alone"),
]  # fmt: skip


@pytest.mark.parametrize("echo", AGENT)
def test_an_agents_picture_of_the_instruction_is_not_the_answer(screen, echo):
    assert screen(*echo, "", typed=[ASK], agent="opencode") == []
    answered = screen(*echo, "", "● All tests pass.", "", f"  {LINE}", "", "❯ ", typed=[ASK], agent="opencode")
    assert [s.stage for s in answered] == ["build"]


def test_an_instruction_that_begins_with_the_event_is_told_by_what_follows_it(screen):
    typed = [f"{LINE}\nPrint the line above when the build is finished."]
    echo = ["  ┃", f"  ┃  {LINE}", "  ┃  Print the line above when the build", "  ┃  is finished."]
    assert screen(*echo, typed=typed) == []
    assert len(screen(*echo, "", f"  {LINE}", "", "  Build · Model", typed=typed)) == 1


def test_a_list_of_events_is_asked_for_as_a_whole_and_answered_as_a_whole(screen):
    typed = [f"When the build is finished, print these two lines:\n{LINE}\n{OTHER}"]
    echo = ["  ┃  When the build is finished, print these two lines:", f"  ┃  {LINE}", f"  ┃  {OTHER}"]
    assert screen(*echo, typed=typed) == []
    answer = ["", "  All is well now, here they are:", "", f"  {LINE}", "", f"  {OTHER}"]
    assert [s.event_type for s in screen(*echo, *answer, typed=typed)] == ["STATUS", "DONE"]


def test_an_answer_to_a_part_of_the_list_is_an_answer(screen):
    typed = [f"When the build is finished, print one of these lines:\n{LINE}\n{OTHER} (on Fridays)"]
    echo = ["  ┃  When the build is finished, print one of these lines:", f"  ┃  {LINE}", f"  ┃  {OTHER} (on Fridays)"]
    assert screen(*echo, typed=typed) == []
    assert [s.event_type for s in screen(*echo, "", f"  {OTHER}", typed=typed)] == ["DONE"]


def test_an_answer_right_below_the_echo_of_another_event_is_an_answer(screen):
    typed = [f"When the build is finished, print this line: {LINE}", f"When all is finished, print this line: {OTHER}"]
    rows = ["  ┃  When the build is finished, print this line:", f"  ┃  {LINE}", "", f"  {OTHER}"]
    assert [s.event_type for s in screen(*rows, typed=typed)] == ["DONE"]


def test_an_answer_below_much_empty_space_is_an_answer(screen):
    assert len(screen("  All is well.", *[""] * 9, f"  {LINE}", typed=[ASK])) == 1


def test_another_event_after_the_same_words_is_an_answer(screen):
    typed = [f"When the build is finished, print this line: {LINE}"]
    assert len(screen("  ┃  When the build is finished, print this line:", f"  ┃  {OTHER}", typed=typed)) == 1


@pytest.mark.parametrize(
    "rows",
    [
        ["❯ when it is done say", f"  {LINE}"],
        ["› when it is done say", f"  {LINE}", "  and stop"],
        ["  > when it is done say", f"    {LINE}"],
        ["diff> when it is done say", LINE],
        ["│ > when it is done say   │", f"│   {LINE} │"],
        ["● Bash(printf '", f"      {LINE}", "      ')"],
        ["│ $ echo '### │", f"│ SENTRY {EVENT} │"],
        ["● Bash(cat > status.txt <<'EOF'", f"      {LINE}", "      EOF)"],
        ["│ cat <<END_TEXT │", f"│ {LINE} │", "│ END_TEXT │"],
        ["› 1. Yes, proceed (y)", "  2. Yes, and don't ask again for `echo", f"     {LINE}"],
    ],
)
def test_what_a_person_types_and_what_an_agent_asks_to_run_is_not_an_event(screen, rows):
    assert screen(*rows, "", "  Press enter to confirm") == []


def test_after_a_here_document_has_ended_events_count_again(screen):
    rows = ["● Bash(cat <<'EOF'", "      hello", "      EOF)", f"  ⎿  {LINE}"]
    assert len(screen(*rows)) == 1


def test_a_shells_prompt_may_look_like_an_agents(screen):
    assert len(screen("❯ make", LINE, agent="")) == 1
