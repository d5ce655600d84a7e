"""Real screens of six agents: exactly these events are found, in this order, and nothing else.

Captured at 120x40 from the versions in the folders' names; see README.md for what each file shows.
S and L are the short and the long event that the agents were asked to print; L is wrapped on every screen.
"""

from __future__ import annotations

from pathlib import Path

import pytest

SCREENS = Path(__file__).parent / "screens"
# What is not on a list: echoed commands, permission dialogs, what Codex truncated, `[[SENTRY]]`, half-written events.
FOUND = {
    "aider-0.86.2/sentryonly": "S",
    "aider-0.86.2/sentry": "S S L",
    "aider-0.86.2/sentrypara": "S L S S L",
    "aider-0.86.2/sentryfence": "S L S S",
    "claude-2.1.197/sentryonly": "S",
    "claude-2.1.197/sentry": "S L",
    "claude-2.1.197/sentrypara": "S S L",
    "claude-2.1.197/sentryfence": "S L S S",
    "claude-2.1.197/sentrytool": "S L",
    "codex-0.169.0/sentryonly": "S",
    "codex-0.169.0/sentry": "S S L",
    "codex-0.169.0/sentrypara": "S L S S L",
    "codex-0.169.0/sentryfence": "S L S L S S",
    "codex-0.169.0/permission-sentrytool": "S S",
    "codex-0.169.0/sentrytool": "S L S S S",
    "gemini-0.61.0/sentryonly": "S",
    "gemini-0.61.0/sentry": "S S L",
    "gemini-0.61.0/sentrypara": "S L S S L",
    "gemini-0.61.0/sentryfence": "S L S L S S",
    "gemini-0.61.0/permission-sentrytool": "S L S S",
    "gemini-0.61.0/sentrytool": "L S S S L",
    "opencode-1.18.33/sentryonly": "S",
    "opencode-1.18.33/sentry": "S S L",
    "opencode-1.18.33/sentrypara": "S L S S L",
    "opencode-1.18.33/sentryfence": "S L S L S S",
    "opencode-1.18.33/permission-sentrytool": "S L S S",
    "opencode-1.18.33/sentrytool": "L S S S L",
    "qwen-0.15.10/sentryonly": "S",
    "qwen-0.15.10/sentry": "S S L",
    "qwen-0.15.10/sentrypara": "S S L S S",
    "qwen-0.15.10/sentryfence": "L S S L S L",
    "qwen-0.15.10/sentrytool": "S L S S S L",
}


def rows(name: str) -> list[str]:
    return (SCREENS / f"{name}.txt").read_text("utf-8").splitlines()


def short_name(signal) -> str:
    return {("build", True, None): "S", ("integration-tests", False, "a1b2c3d4"): "L"}[
        (signal.stage, signal.ok, signal.event_id)
    ]


@pytest.mark.parametrize("name", FOUND)
def test_exactly_the_printed_events_are_found_on_a_real_screen(screen, name):
    signals = screen(*rows(name), agent=name.split("-")[0])
    assert " ".join(short_name(signal) for signal in signals) == FOUND[name]


def test_every_screen_is_on_the_list():
    assert sorted(FOUND) == sorted(str(path.relative_to(SCREENS).with_suffix("")) for path in SCREENS.glob("*/*.txt"))


@pytest.mark.parametrize("name", sorted(name for name, events in FOUND.items() if "L" in events))
def test_the_long_event_is_put_together_as_it_was_written(screen, name):
    for signal in screen(*rows(name), agent=name.split("-")[0]):
        if signal.event_id:
            detail = str(signal.data["detail"]).replace("*", "")  # some agents eat the asterisks
            # Claude cuts tool output inside words and leaves nothing to tell by.
            detail = detail.replace("tests/te st___init__.py", "tests/test___init__.py")
            assert detail == "3 of 128 tests failed in tests/test___init__.py; retrying once with --maxfail=1"
            assert (signal.data["next"], signal.data["eta_s"]) == ("fix_fixture_setup", 420)


def test_a_typed_instruction_takes_the_commands_and_leaves_the_answers(screen):
    """The command that prints the line was typed by us: its picture was no event before, its output stays one."""
    name = "opencode-1.18.33/sentrytool"
    typed = ["""printf '%s\\n' '### SENTRY {"type":"STATUS","stage":"build","ok":true}'"""]
    signals = screen(*rows(name), agent="opencode", typed=typed)
    assert " ".join(short_name(signal) for signal in signals) == FOUND[name]
