"""What a message looks like in Slack: nothing is acted on, nothing is too long, nothing is lost unsaid."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmux_sentry import Level, Message
from tmux_sentry.testing.samples import HOSTILE_TEXTS
from tmux_sentry_notify_slack import blocks

BASE = Message(id="m1", at=1_700_000_000.0, level=Level.ERROR, event="stage.failed", title="build failed")

#: What Slack, or a reader, would take for something else, in any order and number.
DANGEROUS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *("<!channel>", "<!here|here>", "<!everyone>", "<@U012AB3CD>", "<#C123|x>", "<!subteam^S1>"),
                *("<https://evil.example|click>", "@here", "@channel", "@Everyone", "`", "``", "```", "*", "_", "~"),
                *("&", "&lt;!channel&gt;", "&amp;", "<", ">", "|", "\n", "\n\n", "> quote", ":boom:", "\u200b", "\x00"),
                *("https://ci.example/run?a=1&b=<2>", "http://x", "构建", "🔨", "\ud800", "\x1b[31m", " "),
            ]
        ),
        st.text(max_size=20),
    ),
    max_size=40,
).map("".join)
LONG = st.tuples(DANGEROUS, st.integers(1, 60)).map(lambda pair: pair[0] * pair[1])


@st.composite
def messages(draw: st.DrawFn) -> Message:
    return replace(
        BASE,
        level=draw(st.sampled_from(list(Level))),
        title=draw(LONG),
        text=draw(LONG),
        fields=dict(draw(st.lists(st.tuples(DANGEROUS, LONG), max_size=12))),
        answer=draw(LONG),
        output=draw(LONG),
        event=draw(DANGEROUS),
        language=draw(st.sampled_from(["en", "zh", "xx"])),
    )


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """The text objects of some blocks."""
    if isinstance(node, dict):
        if node.get("type") in ("plain_text", "mrkdwn"):
            yield node
        for value in node.values():
            yield from objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from objects(value)


def read(text: str) -> str:
    """`text` as Slack decodes it for display."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def legal(made: list[dict[str, Any]]) -> None:
    """As the documentation of Block Kit has it."""
    assert 1 <= len(made) <= 50
    assert len(json.dumps(made, ensure_ascii=False).encode()) < 12_000
    for block in made:
        if block["type"] == "header":
            assert block["text"]["type"] == "plain_text"
            assert 1 <= len(block["text"]["text"]) <= 150
            assert "\n" not in block["text"]["text"]
        elif block["type"] == "section":
            assert 1 <= len(block["text"]["text"]) <= 3000
        else:
            assert block["type"] == "context"
            assert 1 <= len(block["elements"]) <= 10
    for text in objects(made):
        assert text["text"].strip()
        assert len(text["text"]) <= 3000
        assert not [char for char in text["text"] if (char < " " and char != "\n") or "\x7f" <= char < "\xa0"]


def harmless(made: list[dict[str, Any]]) -> None:
    """No `<...>` that is not a bare address, no entity cut in two, one code block, and nothing looked for in mrkdwn."""
    for text in objects(made):
        bare = re.sub(r"<https?://[^<>|\s]+>", "", text["text"]) if text["type"] == "mrkdwn" else text["text"]
        assert "<" not in bare
        assert ">" not in bare
        assert re.sub("&(amp|lt|gt);", "", bare).count("&") == 0
        if text["type"] == "mrkdwn":
            assert text["verbatim"] is True
            if "```" in text["text"]:
                assert re.fullmatch(r"[\w ]+:\n```\n.*\n```", text["text"], re.DOTALL)
                assert text["text"].count("```") == 2
            else:
                assert re.fullmatch(r"<[^<>|\s]+>", text["text"])


@settings(max_examples=60, deadline=None)
@given(messages())
def test_any_message_becomes_legal_and_harmless_blocks(message: Message) -> None:
    for made in (blocks.blocks(message), blocks.answered(message)):
        legal(made)
        harmless(made)


@settings(max_examples=40, deadline=None)
@given(messages())
def test_the_plain_texts_ping_nobody_either(message: Message) -> None:
    for text, limit in ((blocks.beside(message), 3000), (blocks.short(message), 900)):
        assert 1 <= len(text) <= limit
        assert not set(text) & set("<>")
        assert re.sub("&(amp|lt|gt);", "", text).count("&") == 0
        assert not re.search("@(channel|here|everyone)", text, re.IGNORECASE)
        text.encode()  # no lone surrogates


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_texts_everywhere(text: str) -> None:
    what = replace(BASE, title=text, text=text, output=text, answer=text, fields={"pane": text, text: "x"})
    legal(blocks.blocks(what))
    harmless(blocks.blocks(what))


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=1000))
def test_text_is_read_as_it_was_written(text: str) -> None:
    """`rm -rf *old* _new_` in an approval must not turn into bold and italic words."""
    shown = [one for one in objects(blocks.blocks(replace(BASE, text=text))) if one["type"] == "plain_text"]
    assert not text or text in [read(one["text"]) for one in shown]
    assert all(one["emoji"] is False for one in shown)


def code_of(made: list[dict[str, Any]]) -> str:
    (code,) = [text["text"] for text in objects(made) if "```" in text["text"]]
    return read(code.split("```\n", 1)[1].removesuffix("\n```"))


@pytest.mark.parametrize("run", range(1, 12))
def test_backticks_of_any_number_stay_in_the_code_block(run: int) -> None:
    made = blocks.blocks(replace(BASE, output=f"a\n{'`' * run}\n<!channel>\n{'`' * run}"))
    harmless(made)
    assert code_of(made).replace("\u200b", "") == f"a\n{'`' * run}\n<!channel>\n{'`' * run}"


def test_of_long_output_the_last_lines_are_shown() -> None:
    made = blocks.blocks(replace(BASE, output="\n".join(f"line {n} & <x>" for n in range(2000))))
    code = code_of(made)
    assert code.startswith("…")
    assert code.endswith("line 1999 & <x>")
    assert len(code) > 1500


def test_everything_at_its_longest_still_leaves_room_for_the_output() -> None:
    text = "构" * 4000
    what = replace(
        BASE, title=text, text=text, answer=text, fields={f"f{n}": text for n in range(20)}, output="x" * 9000
    )
    made = blocks.blocks(what)
    legal(made)
    assert len(code_of(made)) > 500


@pytest.mark.parametrize(("text", "seam"), [("\n".join(["word " * 15] * 53)[:4000], "\n"), ("abcde&" * 440, "")])
def test_a_text_of_four_thousand_letters_is_whole(text: str, seam: str) -> None:
    """As long as the core makes it; with what is escaped wherever a section ends."""
    for shift in range(6):
        shown = [read(one["text"]) for one in objects(blocks.blocks(replace(BASE, text=text[shift:])))]
        assert seam.join(shown[2:-1]) == text[shift:].strip("\n")
        assert len(shown) == 5


def test_addresses_can_be_clicked_and_stay_what_they_are() -> None:
    text = "see https://ci.example/run/7?a=1&b=2). or https://a.example|https://b.example/<x>"
    answer = "open https://sentry.example/a/T0KEN"
    made = blocks.blocks(replace(BASE, text=text, answer=answer))
    links = [one["text"] for one in objects(made) if one["type"] == "mrkdwn"]
    assert links == [
        "<https://ci.example/run/7?a=1&amp;b=2>",
        "<https://a.example>",
        "<https://b.example/>",
        "<https://sentry.example/a/T0KEN>",
    ]


def test_our_own_link_can_be_clicked_and_no_other_beside_it() -> None:
    ours = "https://sentry.example/a/tsa_T0KEN"
    commands = f"echo approve > /home/ann/{'x' * 600}/q.txt\ntmux-sentry approve a1"
    what = replace(
        BASE,
        text=" ".join(f"https://evil.example/{number}" for number in range(9)),
        fields={"pane": "https://evil.example/a"},
        link=f"{ours}\ncode: 123456",
        answer=f"{ours}\ncode: 123456\n{commands}",
    )
    made = blocks.blocks(what)
    assert [one["text"] for one in objects(made) if one["type"] == "mrkdwn"] == [f"<{ours}>"]
    shown = [read(one["text"]) for one in objects(made)]
    lines = "\n".join(f"  {line}" for line in commands.splitlines())
    assert f"to answer:\n  {ours}\n  code: 123456\nor, where tmux-sentry runs:\n{lines}" in shown


def test_of_a_text_beside_the_blocks_it_is_said_how_much_is_missing() -> None:
    assert "word… (+2,800 characters)" in blocks.beside(replace(BASE, text="x" * 1196 + "word" + "y" * 2800))


def test_the_parts_come_in_order() -> None:
    what = replace(
        BASE, text="3 problems", fields={"host": "nas"}, answer="tmux-sentry approve a1", output="boom", language="zh"
    )
    shown = [read(one["text"]) for one in objects(blocks.blocks(what))]
    assert shown[:4] == ["build failed", "失败", "主机: nas", "3 problems"]
    assert shown[4] == "在运行 tmux-sentry 的机器上答复:\n  tmux-sentry approve a1"
    assert shown[5] == "最近输出:\n```\nboom\n```"
    assert shown[6].startswith(f"#{what.short} ")


def test_a_message_without_a_title_has_a_header_all_the_same() -> None:
    assert blocks.blocks(replace(BASE, title=" "))[0]["text"]["text"] == "FAILURE"


def test_how_to_answer_is_in_every_text_however_long_the_rest_is() -> None:
    what = replace(BASE, text="word " * 800, output="line\n" * 900, answer="tmux-sentry approve a1")
    shown = "".join(text["text"] for text in objects(blocks.blocks(what)))
    for text in (shown, blocks.beside(what), blocks.short(what)):
        assert "build failed" in text
        assert "tmux-sentry approve a1" in text
