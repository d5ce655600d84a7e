"""What people and mail programs get to see."""

from __future__ import annotations

import re
from dataclasses import replace
from email.utils import parsedate_to_datetime
from html import escape, unescape

import pytest

from tmux_sentry import Delivery, Level, Message
from tmux_sentry.testing.samples import AT, HOSTILE_TEXTS, message

QUESTION = Message(
    id="01HX-1",
    at=AT,
    level=Level.APPROVAL,
    event="approval.asked",
    title="构建 wants to deploy <b>now</b>",
    text="3 problems & more",
    fields={"pane": "work:<1>.0", "stage": "deploy"},
    answer="echo approve > '/home/me/a & b'\necho reject > x",
    output="line 1\n  line <2>\n.\n..dots\n",
    thread="run-7",
    subject="webapp-ci on here: run 7",
    language="en",
)


def body(mail, kind: str) -> str:
    """One of the two bodies, its lines ending as Python's do."""
    return mail.get_body((kind,)).get_content().replace("\r\n", "\n")


def sent(mail_server, notifier, *what: Message, **settings: str):
    """The mails as the server got them."""
    mail_server.start()
    for one in what:
        result = notifier(mail_server.port, **settings).send(one)
        assert result.outcome is Delivery.DELIVERED, result
        assert result.receipt == mail_server.mails[-1]["Message-ID"]
    return mail_server.mails


def test_the_headers(mail_server, notifier) -> None:
    (mail,) = sent(mail_server, notifier, QUESTION)
    assert mail["From"] == "CI <ci@example.com>"
    assert mail["To"] == "ann@example.com, Bob Á <bob@example.com>"
    assert mail["Subject"] == "webapp-ci on here: run 7"
    assert parsedate_to_datetime(mail["Date"]).timestamp() == AT
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Id"] == "tmux-sentry <tmux-sentry.example.com>"
    assert re.fullmatch(r"<[\w.-]+@example\.com>", mail["Message-ID"])
    assert mail_server.envelopes[0].mail_from == "ci@example.com"
    assert mail_server.envelopes[0].rcpt_tos == ["ann@example.com", "bob@example.com"]
    assert not mail.defects


def test_the_text_and_the_page_say_the_same(mail_server, notifier) -> None:
    (mail,) = sent(mail_server, notifier, QUESTION)
    assert mail.get_content_type() == "multipart/alternative"
    text = body(mail, "plain")
    page = body(mail, "html")
    for part in (
        QUESTION.title,
        QUESTION.text,
        "work:<1>.0",
        "echo approve > '/home/me/a & b'",
        "  line <2>\n.\n..dots",
    ):
        assert part in text
    assert "构建 wants to deploy &lt;b&gt;now&lt;/b&gt;" in page
    assert "work:&lt;1&gt;.0" in page
    assert re.search(r"<pre[^>]*>line 1\n  line &lt;2&gt;\n\.\n\.\.dots\n?</pre>", page)
    assert 'name="viewport"' in page
    assert QUESTION.short in text
    assert QUESTION.short in page


def test_a_page_has_nothing_to_load_or_to_run(mail_server, notifier) -> None:
    hostile = '</pre><script>x</script><img src="http://evil/x"><a href="javascript:x">\'"'
    what = replace(QUESTION, title=hostile, text=hostile, output=hostile, answer=hostile, fields={hostile: hostile})
    (mail,) = sent(mail_server, notifier, what)
    page = body(mail, "html")
    known = {"html", "head", "meta", "title", "body", "div", "p", "h1", "table", "tr", "td", "pre"}
    assert set(re.findall(r"<([a-z0-9]+)", page)) <= known
    assert not re.search(r"<[^>]*\s(?:src|href|on\w+)=", page)


def test_our_own_link_can_be_tapped_and_no_other(mail_server, notifier) -> None:
    ours, others = "https://x.example/a/tsa_a?b=1&c=2", "https://evil.example/a/tsa_x"
    (mail,) = sent(mail_server, notifier, replace(QUESTION, text=others, output=others, links={"": ours}).to(""))
    page = body(mail, "html")
    assert re.findall("<a .*?</a>", page) == [f'<a href="{escape(ours)}">{escape(ours)}</a>']
    (commands,) = re.findall(r"<pre[^>]*>(echo approve.*?)</pre>", page, re.DOTALL)
    assert unescape(commands).rstrip("\n") == QUESTION.answer


def test_every_line_is_short_and_of_seven_bits(mail_server, notifier) -> None:
    """RFC 5321 4.5.3.1.6, and relays that do not take 8 bits."""
    sent(mail_server, notifier, QUESTION, replace(QUESTION, text="长" * 5000, output="x" * 5000))
    for envelope in mail_server.envelopes:
        assert max(map(len, envelope.original_content.split(b"\r\n"))) <= 998
        assert envelope.original_content.isascii()
        assert b"\n" not in envelope.original_content.replace(b"\r\n", b"")


# -------------------------------------------------------------------- retries and threads


def test_a_retry_has_the_same_message_id_also_after_a_restart(mail_server, notifier) -> None:
    mail_server.after_dot = "451 later"
    mail_server.start()
    assert notifier(mail_server.port).send(QUESTION).outcome is Delivery.RETRY
    mail_server.after_dot = "drop"
    lost = notifier(mail_server.port).send(QUESTION)
    assert lost.outcome is Delivery.UNKNOWN
    mail_server.after_dot = "250 OK"
    done = notifier(mail_server.port).send(QUESTION)
    assert done.outcome is Delivery.DELIVERED
    assert len(mail_server.mails) == 3
    assert {mail["Message-ID"] for mail in mail_server.mails} == {done.receipt} == {lost.receipt}
    assert {mail["Date"] for mail in mail_server.mails} == {mail_server.mails[0]["Date"]}


def test_two_messages_have_two_ids(mail_server, notifier) -> None:
    first, second = sent(mail_server, notifier, QUESTION, replace(QUESTION, id="01HX-2"))
    assert first["Message-ID"] != second["Message-ID"]


def test_the_mails_of_a_run_are_one_thread(mail_server, notifier) -> None:
    first, second, other, alone = sent(
        mail_server,
        notifier,
        QUESTION,
        replace(QUESTION, id="2", title="deployed"),
        replace(QUESTION, id="3", thread="run-8"),
        replace(QUESTION, id="4", thread="", subject=""),
    )
    root = first["References"]
    assert re.fullmatch(r"<[\w.-]+@example\.com>", root)
    assert first["In-Reply-To"] == second["In-Reply-To"] == second["References"] == root
    assert first["Subject"] == second["Subject"]
    assert other["References"] != root
    assert root not in {mail["Message-ID"] for mail in mail_server.mails}
    assert alone["References"] is None
    assert alone["In-Reply-To"] is None
    assert alone["Subject"] == QUESTION.title


def test_what_ends_a_matter_answers_it(mail_server, notifier) -> None:
    question, answer, odd = sent(
        mail_server,
        notifier,
        QUESTION,
        replace(QUESTION, id="2", first="<first@example.com>", ends="<asked@example.com>"),
        replace(QUESTION, id="3", first="not an id", ends="<a@b>\r\nBcc: x@y"),
    )
    assert answer["In-Reply-To"] == "<asked@example.com>"
    assert answer["References"] == f"{question['References']} <first@example.com> <asked@example.com>"
    assert odd["References"] == odd["In-Reply-To"] == question["References"]
    assert odd["Bcc"] is None


# ----------------------------------------------------------------------- hostile and foreign


def test_hostile_text_is_text(mail_server, notifier) -> None:
    mail_server.start()
    channel = notifier(mail_server.port)
    names = None
    for number, text in enumerate(HOSTILE_TEXTS):
        what = replace(
            message(f"h{number}", text, Level.ERROR), subject=text, thread=text, first=text, ends=text, output=text
        )
        assert channel.send(what).outcome is Delivery.DELIVERED, repr(text[:50])
        mail = mail_server.mails[-1]
        shown = {name for name in mail if name not in ("References", "In-Reply-To")}
        names = names or shown
        assert shown == names, "a header more or less"
        for part in (mail["Subject"], body(mail, "plain"), body(mail, "html")):
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", part)


@pytest.mark.parametrize("field", ["title", "subject"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x85", "\u2028", "\x0b", "\x00"])
def test_no_line_break_gets_into_a_header(mail_server, notifier, field: str, end: str) -> None:
    injected = f"x{end}Bcc: evil@example.com{end}{end}body"
    (mail,) = sent(mail_server, notifier, replace(QUESTION, **{"subject": "", field: injected}))
    assert mail["Bcc"] is None
    assert "Bcc: evil@example.com" in mail["Subject"], "it is text, and shown"
    assert mail_server.envelopes[0].rcpt_tos == ["ann@example.com", "bob@example.com"]


def test_an_empty_title_still_is_a_mail(mail_server, notifier) -> None:
    (mail,) = sent(mail_server, notifier, replace(QUESTION, title="", subject="", text="", output="", answer=""))
    assert mail["Subject"] == "-"


def test_names_and_subjects_of_all_letters(mail_server, notifier) -> None:
    (mail,) = sent(
        mail_server,
        notifier,
        replace(QUESTION, subject="构建失败 " * 30),
        SMTP_FROM='"机器人, CI" <ci@例子.example>',
        SMTP_TO='"Müller, Jörg" <joerg@example.com>',
    )
    assert mail["Subject"].startswith("构建失败 构建失败")
    assert mail["From"].addresses[0].display_name == "机器人, CI"
    assert mail["To"].addresses[0].display_name == "Müller, Jörg"
    assert mail_server.envelopes[0].mail_from == "ci@xn--fsqu00a.example"
    assert mail["Message-ID"].endswith("@xn--fsqu00a.example>")


def test_an_address_of_foreign_letters_needs_smtputf8(mail_server, notifier) -> None:
    mail_server.start(enable_SMTPUTF8=True)
    channel = notifier(mail_server.port, SMTP_TO="用户@例子.example, ann@example.com")
    assert channel.send(QUESTION).outcome is Delivery.DELIVERED
    assert mail_server.envelopes[0].rcpt_tos == ["用户@xn--fsqu00a.example", "ann@example.com"]
    assert "SMTPUTF8" in mail_server.options
    assert "To: 用户@xn--fsqu00a.example, ann@example.com\r\n".encode() in mail_server.envelopes[0].original_content


def test_without_smtputf8_such_an_address_is_named_and_the_others_get_it(mail_server, notifier) -> None:
    mail_server.start()
    result = notifier(mail_server.port, SMTP_TO="用户@例子.example, ann@example.com").send(QUESTION)
    assert result.outcome is Delivery.DELIVERED
    assert "用户@xn--fsqu00a.example: 553 needs SMTPUTF8" in result.detail
    assert mail_server.envelopes[0].rcpt_tos == ["ann@example.com"]
    alone = notifier(mail_server.port, SMTP_TO="用户@例子.example").send(QUESTION)
    assert alone.outcome is Delivery.PERMANENT
    sender = notifier(mail_server.port, SMTP_FROM="用户@例子.example").send(QUESTION)
    assert (sender.outcome, sender.whole_channel) == (Delivery.PERMANENT, True)


# ------------------------------------------------------------------------------- sizes


def test_a_mail_of_exactly_the_servers_size_goes_whole_and_one_byte_more_is_cut(scripted, notifier) -> None:
    what = replace(QUESTION, output="构建 line\n" * 2000)

    def arrived(size: int) -> bytes:
        server = scripted({"EHLO": f"250-mx\r\n250 SIZE {size}\r\n".encode()})
        result = notifier(server.port, SMTP_SECURITY="none", SMTP_TO="ann@example.com").send(what)
        assert result.outcome is Delivery.DELIVERED
        (declared,) = [int(command.split("SIZE=")[1]) for command in server.commands if "SIZE=" in command]
        (mail,) = server.mails
        mail = re.sub(rb"(?m)^\.\.", b".", mail)
        assert abs(len(mail) - declared) <= 2, "what is declared is what is sent"
        return mail

    from email import message_from_bytes, policy

    whole = arrived(0)
    for size in (len(whole), len(whole) - 1, len(whole) // 2, 8000):
        mail = arrived(size)
        assert len(mail) <= size
        text = body(message_from_bytes(mail, policy=policy.SMTP), "plain")
        assert ("(cut)" in text) is (size < len(whole))
        for part in (QUESTION.title, QUESTION.text, "echo approve"):
            assert part in text, "the head was lost"
        assert "构建 line" in text
        assert "\N{REPLACEMENT CHARACTER}" not in text
    assert len(arrived(len(whole) // 2)) > len(whole) // 2 - 200, "more was left out than had to be"


def test_a_text_that_is_too_long_loses_its_end_and_says_so(scripted, notifier) -> None:
    server = scripted({"EHLO": b"250-mx\r\n250 SIZE 9000\r\n"})
    what = replace(QUESTION, text="begin " + "word " * 5000 + "end", output="")
    channel = notifier(server.port, SMTP_SECURITY="none", SMTP_TO="ann@example.com")
    assert channel.send(what).outcome is Delivery.DELIVERED
    (mail,) = server.mails
    assert len(mail) <= 9000
    assert mail.count(b"begin word") == 2
    assert mail.count(b"(cut)") == 2, "in the text and on the page"
    assert b"word end" not in mail


def test_a_server_that_takes_next_to_nothing_gets_the_least_there_is(scripted, in_clear) -> None:
    server = scripted({"EHLO": b"250-mx\r\n250 SIZE 100\r\n", "MAIL": b"552 5.3.4 too big\r\n"})
    result = in_clear(server.port).send(replace(QUESTION, output="x" * 1000, text="y" * 1000))
    assert (result.outcome, result.whole_channel) == (Delivery.PERMANENT, False)


def test_lines_of_dots_arrive_as_they_are(mail_server, notifier) -> None:
    dots = ".\n..\n...\n.x"
    (mail,) = sent(mail_server, notifier, replace(QUESTION, output=dots))
    assert dots in body(mail, "plain")
    assert "构建" in body(mail, "plain")


def test_parts_without_an_end_are_cut_and_say_so(mail_server, notifier) -> None:
    (mail,) = sent(mail_server, notifier, replace(QUESTION, output="z\n" * 200_000))
    text = body(mail, "plain")
    assert "(cut)" in text
    assert len(text) < 120_000


LINKS = {"ann@example.com": "https://x/a/ann\ncode: 123456", "bob@example.com": "https://x/a/bob"}


def test_a_link_goes_to_its_recipient_and_to_nobody_else(mail_server, notifier) -> None:
    ann, bob = sent(mail_server, notifier, replace(QUESTION, links=LINKS))
    assert [envelope.rcpt_tos for envelope in mail_server.envelopes] == [["ann@example.com"], ["bob@example.com"]]
    for mail, own, other in ((ann, "/a/ann", "/a/bob"), (bob, "/a/bob", "/a/ann")):
        for kind in ("plain", "html"):
            assert own in body(mail, kind)
            assert "echo approve" in body(mail, kind)
            assert other not in mail.as_string()
    assert "code: 123456" in body(ann, "plain")
    assert '<a href="https://x/a/ann">https://x/a/ann</a><br>code: 123456</p>' in body(ann, "html")
    assert ann["Message-ID"] == bob["Message-ID"]
    assert ann["To"] == "ann@example.com"


def test_who_has_no_link_of_their_own_gets_the_mail_as_it_is(mail_server, notifier) -> None:
    first, second = sent(mail_server, notifier, replace(QUESTION, links={"bob@example.com": "https://x/a/bob"}))
    assert first["To"] == "Bob Á <bob@example.com>"
    assert second["To"] == "ann@example.com"
    assert "/a/bob" not in second.as_string()


def test_a_recipient_that_is_refused_takes_nobody_elses_mail(mail_server, notifier) -> None:
    mail_server.start()
    mail_server.refused["ann@example.com"] = "550 no such user"
    result = notifier(mail_server.port).send(replace(QUESTION, links=LINKS))
    assert result.outcome is Delivery.DELIVERED
    assert "ann@example.com: 550 no such user" in result.detail
    (mail,) = mail_server.mails
    assert mail["To"] == "Bob Á <bob@example.com>"


def test_it_knows_whom_it_sends_to(notifier) -> None:
    assert notifier(1).recipients() == ["ann@example.com", "bob@example.com"]
    assert notifier(1, SMTP_TO="").recipients() == []
