"""Each sink shows hostile text as text: what it would act on is written so that it does not."""

from __future__ import annotations

import html
import re
import shlex
import subprocess
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tmux_sentry.security import escape
from tmux_sentry.security.sanitize import clean, clean_block

TEXT = st.text(
    st.sampled_from("ab1 \n\r\t\x00\x1b[]()<>!@#&*_`~'\"\\|;$%{}-+.:/=?\u200b\u202e\ud800\x9b中") | st.characters()
)
MARKUP = ["<!channel>", "<@U1>", "<@all>", "@here", "@everyone", "<script>", "</p>", "<font color=x>", "&lt;", "#(id)"]
MARKUP += ["[a](http://x)", "![", "](", "```", "---", "# ", "> ", "1. ", "http://e.org", "`id`", "\r\nBcc: x"]
PIECES = st.lists(st.sampled_from(MARKUP) | TEXT).map("".join)
EVERY = [getattr(escape, name) for name in dir(escape) if name.startswith("for_")] + [escape.shell_word]
ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


class Tags(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("function", EVERY, ids=lambda function: function.__name__)
@given(PIECES)
@settings(deadline=None)
def test_nothing_that_acts_or_hides_gets_through(function, text):
    assert not ACTS.search(function(text))


@pytest.mark.parametrize("function", EVERY, ids=lambda function: function.__name__)
def test_a_long_text_is_cut_and_says_so(function):
    assert len(function("a" * 100_000)) <= 4010
    assert "…" in function("a" * 100_000)
    assert "aaa" in function("a" * 100_000, 10)


@given(PIECES)
@settings(deadline=None)
def test_html_shows_the_text_and_has_no_tag(text):
    page = escape.for_html(text)
    assert Tags(f"<p>{page}</p>").tags == ["p"]
    assert html.unescape(page) == clean_block(text)
    assert not set("<>\"'") & set(page)


@given(PIECES)
@settings(deadline=None)
def test_slack_sees_no_mention_no_link_and_no_fence(text):
    shown = escape.for_slack(text)
    assert not set("<>") & set(shown)
    assert "```" not in shown
    assert not re.search("&(?!amp;|lt;|gt;)", shown)
    assert not re.search(r"(?<![\w.%+-])@(here|channel|everyone)", shown)


@given(PIECES)
@settings(max_examples=300, deadline=None)
def test_markdown_shows_paragraphs_of_the_text_and_nothing_else(text):
    page = MarkdownIt("commonmark").render(escape.for_markdown(text))
    seen = Tags(page)
    assert set(seen.tags) <= {"p", "br"}, page
    words = "".join(clean_block(text).replace("@", "").split())
    assert "".join(seen.text.replace("＠", "").replace("@", "").replace("\xa0", "").split()) == words
    assert not re.search(r"(?<![A-Za-z0-9._%+-])@\w", seen.text)


@given(PIECES)
@settings(deadline=None)
def test_wechat_work_sees_no_mention_no_link_and_no_markup(text):
    assert not set("<>@[]`*#\\") & set(escape.for_wechat(text))


@given(PIECES)
@settings(deadline=None)
def test_a_mail_header_stays_one_header(text):
    mail = EmailMessage()
    mail["Subject"] = escape.for_mail_header(text)
    mail.set_content("x")
    head = mail.as_bytes().partition(b"\n\n")[0]
    names = [line.split(b":")[0] for line in head.split(b"\n") if not line.startswith(b" ")]
    assert set(names) == {b"Subject", b"Content-Type", b"Content-Transfer-Encoding", b"MIME-Version"}


@given(PIECES)
@settings(deadline=None)
def test_a_log_line_stays_one_line(text):
    assert len(escape.for_log(text).splitlines()) <= 1


@given(PIECES)
@settings(deadline=None)
def test_a_shell_sees_one_word(text):
    assert shlex.split(escape.shell_word(text)) == [clean(text, 4000)]


FORMATS = ["#(touch CANARY)", "##(touch CANARY)", "###(touch CANARY)", "#{pane_pid}", "#{E:@x}", "#S %H %% ##", "#"]


@pytest.mark.parametrize("text", FORMATS)
def test_tmux_expands_the_text_to_itself_and_runs_nothing(tmux_server, text, tmp_path):
    text = text.replace("CANARY", str(tmp_path / "canary"))
    tmux_server.run("new-session", "-d")
    assert tmux_server.show("", escape.for_tmux_format(text)) == text
    assert tmux_server.show("", escape.for_tmux_format(text)) == text  # what #() prints comes the second time
    assert list(tmp_path.iterdir()) == []


def test_a_real_shell_prints_the_word_and_runs_nothing(tmp_path):
    texts = [
        "$(touch canary)",
        "`touch canary`",
        "; touch canary",
        "'; touch canary; '",
        "a\ntouch canary",
        "-n",
        "~",
        "*",
    ]
    script = "\n".join(f"printf '%s\\n' {escape.shell_word(text)}" for text in texts)
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout.splitlines() == [clean(text) for text in texts]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("function", "text", "shown"),
    [
        (escape.for_slack, "<!channel> & <@U1> @here a@b.org", "&lt;!channel&gt; &amp; &lt;＠U1&gt; ＠here a@b.org"),
        (escape.for_wechat, "<@all> [x](y) # me@b.org", "＜＠all＞ ［x］(y) ＃ me＠b.org"),
        (escape.for_markdown, "a_b *c*\n  1. d", "a\\_b \\*c\\*  \n&nbsp;&nbsp;1\\. d"),
        (escape.for_html, "<a href='x'>", "&lt;a href=&#x27;x&#x27;&gt;"),
        (escape.for_mail_header, " failed:\r\nBcc: x ", "failed: Bcc: x"),
        (escape.for_mail_header, " \n", "-"),
        (escape.shell_word, "it's", "'it'\"'\"'s'"),
        (escape.for_terminal, "a\x1b[31mb\nc", "ab\nc"),
    ],
)  # fmt: skip
def test_what_people_see(function, text, shown):
    assert function(text) == shown
