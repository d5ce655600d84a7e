"""Where a marker counts: the start of a line, after decoration, with nothing but a box's edge behind the JSON."""

from __future__ import annotations

import pytest

EVENT = '{"type":"STATUS","stage":"build","ok":true}'


@pytest.mark.parametrize(
    "prefix",
    ["", "  ", "● ", "• ", "✦ ", "* ", "- ", "+ ", "  ⎿  ", "  └ ", "├ ", "· ", " 1 ", "12. ", "3) ", "│ ", "  ┃  ",
     "| ", "║ ", "│ │ ", "│ ● ", "  - 1. ", "  12 │ "],
)  # fmt: skip
@pytest.mark.parametrize("marker", ["### SENTRY", "@@SENTRY"])
@pytest.mark.parametrize("suffix", ["", "   ", "   │", " ┃", " │ │"])
def test_a_decorated_line_is_an_event_in_output_and_on_a_screen(stream, screen, prefix, marker, suffix):
    line = f"{prefix}{marker} {EVENT}{suffix}"
    for signals in (stream(line), screen(line)):
        assert [(s.stage, s.ok, s.confidence) for s in signals] == [("build", True, 1.0)]


@pytest.mark.parametrize(
    "line",
    [
        # behind a prompt or a person's input
        f"$ ### SENTRY {EVENT}", f"# ### SENTRY {EVENT}", f"% ### SENTRY {EVENT}", f"> ### SENTRY {EVENT}",
        f"› ### SENTRY {EVENT}", f"❯ @@SENTRY {EVENT}", f"root@box:~# ### SENTRY {EVENT}", f"# SENTRY {EVENT}",
        f"│ > ### SENTRY {EVENT} │",
        # behind other text, or two bullets
        f"echo '### SENTRY {EVENT}'", f"+ echo '### SENTRY {EVENT}'", f"note: @@SENTRY {EVENT}",
        f"● Bash(echo '### SENTRY {EVENT}')", f"`@@SENTRY {EVENT}`", f"● • ### SENTRY {EVENT}",
        f"10:30 @@SENTRY {EVENT}",
        # a diff's sign is not a bullet; a box's corner is not an edge
        f"+### SENTRY {EVENT}", f"-@@SENTRY {EVENT}", f"-1 @@SENTRY {EVENT}", f"└─$ ### SENTRY {EVENT}",
        # not the marker
        f"## SENTRY {EVENT}", f"#### SENTRY {EVENT}", f"###SENTRY {EVENT}", f"### SENTRY{EVENT}", f"### sentry {EVENT}",
        f"[[SENTRY]] {EVENT}", f"@SENTRY {EVENT}", f"### SENTRYS {EVENT}", "SENTRY-END", "### SENTRY", "@@SENTRY ",
        # something behind the JSON
        f"### SENTRY {EVENT}'", f"### SENTRY {EVENT} done", f"### SENTRY {EVENT}{EVENT}", f'@@SENTRY {EVENT}"',
        # not one complete object
        "### SENTRY {", '### SENTRY {"type":"STATUS","sta', '### SENTRY {"type":"STATUS"…', '### SENTRY ["STATUS"]',
        '### SENTRY "STATUS"', "### SENTRY {}", '### SENTRY {"stage":"build","ok":true}',
        # the signed form is not printed text
        f"@@SENTRY 9f86d081884c7d65 7 {EVENT}", f"### SENTRY 9f86d081884c7d65 7 {EVENT}",
    ],
)  # fmt: skip
def test_any_other_line_is_not_an_event(stream, screen, line):
    assert stream(line) == []
    assert screen(line) == []


def test_a_marker_without_its_heading_sign_counts_on_screens_only_and_a_little_less(stream, screen):
    assert stream(f"SENTRY {EVENT}") == []
    assert [s.confidence for s in screen(f"● SENTRY {EVENT}")] == [0.9]


def test_output_is_live_and_a_screen_may_show_the_past(stream, screen):
    assert stream(f"@@SENTRY {EVENT}")[0].live is True
    assert screen(f"@@SENTRY {EVENT}")[0].live is False


def test_lines_that_were_seen_before_are_context_and_not_news(stream):
    assert stream("ok", before=[f"@@SENTRY {EVENT}"]) == []
    signals = stream('@@SENTRY {"type":"DONE"}', before=[f"@@SENTRY {EVENT}"])
    assert [s.event_type for s in signals] == ["DONE"]


def test_events_come_in_their_order(stream):
    lines = [f'@@SENTRY {{"type":"PROGRESS","percent":{n}}}' for n in (10, 50, 90)]
    assert [s.percent for s in stream(*lines)] == [10, 50, 90]
