"""What becomes of a message at several services, and what each of them gets."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from urllib.parse import parse_qs

import pytest

from tmux_sentry import Delivery, Level
from tmux_sentry.testing.provider import Reply, closed_port
from tmux_sentry.testing.samples import message

# Apprise imports it while Python still has it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

MESSAGE = replace(
    message("m1", "3 problems & <more>", Level.ERROR), title="build failed", fields={"pane": "work:1.0"}, output="a\n b"
)
RETRY, PERMANENT, UNKNOWN, DELIVERED = Delivery.RETRY, Delivery.PERMANENT, Delivery.UNKNOWN, Delivery.DELIVERED


def text_of(kind: str, body: bytes) -> str:
    if kind == "json":
        data = json.loads(body)
        return f"{data['title']}\n{data['message']}"
    if kind == "form":
        fields = parse_qs(body.decode())
        return f"{fields['title'][0]}\n{fields['message'][0]}"
    if kind == "xml":
        return body.decode().replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    data = json.loads(body)
    return f"{data['title']}\n{data['message']}"


# ------------------------------------------------------------------------------ services


@pytest.mark.parametrize("kind", ["json", "xml", "form", "ntfy"])
def test_a_service_gets_the_message_as_text(provider, at, channel, kind: str) -> None:
    path = "/topic" if kind == "ntfy" else "/hook"
    result = channel(at(kind, provider, path)).send(MESSAGE)
    assert result.outcome is DELIVERED, result
    (request,) = provider.requests
    shown = text_of(kind, request.body)
    for part in ("build failed", "3 problems & <more>", "pane: work:1.0", MESSAGE.short, "a\n b"):
        assert part in shown


def test_urgency_is_handed_over(provider, at, channel) -> None:
    notifier = channel(at("json", provider))
    types = {}
    for level in Level:
        notifier.send(replace(MESSAGE, id=level.name, level=level))
        types[level.name] = provider.requests[-1].json()["type"]
    assert types == {
        "DEBUG": "info",
        "INFO": "info",
        "WARNING": "warning",
        "APPROVAL": "warning",
        "ERROR": "failure",
        "CRITICAL": "failure",
    }


def test_mark_up_and_emoji_names_stay_as_they_are(provider, at, channel) -> None:
    text = "**bold** :smile: \\n [x](http://evil) <b>"
    channel(at("json", provider)).send(replace(MESSAGE, text=text))
    assert text in provider.requests[0].json()["message"]


@pytest.mark.parametrize("call", ["@everyone", "@here", "@channel", "@all", "<@U123>", "<!channel>", "<@&9>", "<#C1>"])
def test_nobody_is_called_by_what_a_pane_shows(provider, at, channel, call: str) -> None:
    channel(at("json", provider)).send(replace(MESSAGE, title=f"a {call}", text=f"b {call} c", output=f"d {call}"))
    shown = text_of("json", provider.requests[0].body)
    assert call not in shown
    assert shown.count(call.replace("@", "@ ", 1) if call[0] == "@" else call.replace("<", "< ")) == 3


def test_an_address_of_mail_is_no_call(provider, at, channel) -> None:
    channel(at("json", provider)).send(replace(MESSAGE, text="ann@example.com @allison <b@c>"))
    assert "ann@example.com @allison <b@c>" in provider.requests[0].json()["message"]


@pytest.mark.parametrize("part", ["text", "output"])
@pytest.mark.parametrize("letter", ["a", "é", "构", "🔨"])
def test_what_is_longer_than_the_service_takes_is_cut_and_says_so(provider, at, channel, part, letter) -> None:
    notifier = channel(at("json", provider))

    def shown(letters: int) -> str:
        provider.requests.clear()
        what = replace(MESSAGE, id=str(letters), answer="echo approve > x", output="", text="")
        assert notifier.send(replace(what, **{part: letter * letters})).outcome is DELIVERED
        (request,) = provider.requests  # and not several
        assert request.json()["title"] == "build failed"
        return request.json()["message"]

    room = 32768 - len(shown(1)) + 1
    for letters in (room, room + 1, 100_000):
        body = shown(letters)
        assert len(body) <= 32768
        assert (body.count(letter) >= letters) is (letters == room)
        assert ("(cut)" in body) is (letters > room)
        assert len(body) > 32700, "more was left out than had to be"
        for kept in ("pane: work:1.0", "echo approve > x", "#"):
            assert kept in body


# ------------------------------------------------------------------------------- results


def test_all_have_it(provider, other, at, channel) -> None:
    result = channel(at("json", provider), at("xml", other)).send(MESSAGE)
    assert result.outcome is DELIVERED
    assert "JSON (URL 1)" in result.detail
    assert "XML (URL 2)" in result.detail


def test_who_has_it_does_not_get_it_again_and_who_has_not_does(provider, other, at, channel) -> None:
    notifier = channel(at("json", provider), at("form", other))
    other.answer = Reply(status=503)
    first = notifier.send(MESSAGE)
    assert first.outcome is RETRY
    assert "Form (URL 2): HTTP 503" in first.detail
    assert "delivered: JSON (URL 1)" in first.detail
    other.answer = Reply()
    second = notifier.send(MESSAGE)
    assert second.outcome is DELIVERED
    assert (len(provider.requests), len(other.requests)) == (1, 2)
    assert notifier.send(MESSAGE).outcome is DELIVERED
    assert (len(provider.requests), len(other.requests)) == (1, 2)
    assert notifier.send(replace(MESSAGE, id="m2")).outcome is DELIVERED
    assert (len(provider.requests), len(other.requests)) == (2, 3)


def test_a_service_that_will_never_take_it_is_named_once_in_the_log(provider, other, at, channel, logged) -> None:
    notifier = channel(at("json", provider), at("xml", other, "/SECRET-KEY"))
    other.answer = Reply(status=404)
    for number in range(3):
        result = notifier.send(replace(MESSAGE, id=str(number)))
        assert result.outcome is DELIVERED
        assert "XML (URL 2): HTTP 404" in result.detail
    (line,) = [line for line in logged if "HTTP 404" in line]
    assert line.startswith("tmux_sentry.notify.apprise WARNING")
    assert "SECRET-KEY" not in "".join(logged)


@pytest.mark.parametrize(
    ("first", "second", "outcome", "whole_channel"),
    [
        (Reply(status=500), Reply(status=404), RETRY, False),
        (Reply(how="hang"), Reply(status=500), RETRY, False),
        (Reply(how="hang"), Reply(status=404), UNKNOWN, False),
        (Reply(how="reset"), Reply(), UNKNOWN, False),
        (Reply(status=404), Reply(status=400), PERMANENT, False),
        (Reply(status=401), Reply(status=403), PERMANENT, True),
        (Reply(status=401), Reply(status=400), PERMANENT, False),
        (Reply(status=429), Reply(status=429), RETRY, True),
        (Reply(status=429), Reply(), RETRY, False),
        (Reply(status=302, headers={"Location": "http://127.0.0.1:1/"}), Reply(status=400), PERMANENT, False),
    ],
)
def test_two_results_make_one(provider, other, at, channel, first, second, outcome, whole_channel) -> None:
    provider.answer, other.answer = first, second
    result = channel(at("json", provider), at("json", other, "/b")).send(MESSAGE)
    assert (result.outcome, result.whole_channel) == (outcome, whole_channel), result
    assert result.retry_after == (60.0 if first.status == 429 else None)


def test_words_of_a_message_or_an_answer_are_no_reason(provider, at, channel) -> None:
    """All of them are in Apprise's log too."""
    words = "error=404. failed: 403 - \nSocket Exception: Read timed out NewConnectionError"
    what = replace(MESSAGE, title=words, text=words, output=words)
    provider.answer = Reply(status=503, body=words.encode())
    assert channel(at("json", provider)).send(what).outcome is RETRY
    provider.answer = Reply(how="reset")
    assert channel(at("json", provider)).send(what).outcome is UNKNOWN
    provider.answer = Reply(status=400, body=words.encode())
    assert channel(at("json", provider)).send(what).outcome is PERMANENT
    assert channel(f"json://127.0.0.1:{closed_port()}/").send(what).outcome is RETRY


def test_a_service_that_hangs_does_not_hold_up_the_others_nor_the_channel(provider, other, channel) -> None:
    """Apprise waits by itself as long as it is told to, here for half a minute."""
    slow = f"json://{other.url.split('://')[1]}/?rto=30"
    other.answer = Reply(how="hang")
    notifier = channel(slow, f"json://{provider.url.split('://')[1]}/", patience=0.7)
    began = time.monotonic()
    result = notifier.send(MESSAGE)
    assert time.monotonic() - began < 5
    assert result.outcome is UNKNOWN
    assert "JSON (URL 1): no answer in time" in result.detail
    assert len(provider.requests) == 1
    assert all(thread.daemon for thread in threading.enumerate() if "URL" in thread.name)


def test_a_service_that_hangs_does_not_keep_the_process_from_ending(other) -> None:
    """Python waits at its end for threads of a pool, and for those that are no daemons."""
    code = (
        "import sys\nfrom tmux_sentry import Level, Message\n"
        "from tmux_sentry_notify_apprise.notifier import AppriseNotifier\n"
        "m = Message(id='1', at=0.0, level=Level.ERROR, event='e', title='t')\n"
        "print(AppriseNotifier(sys.argv[1], patience=0.5).send(m).outcome.value, flush=True)"
    )
    other.answer = Reply(how="hang")
    url = f"json://{other.url.split('://')[1]}/?rto=100"
    done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, timeout=40)
    assert done.stdout == "unknown\n"


def test_an_answer_that_comes_too_late_still_counts(provider, channel) -> None:
    come = threading.Event()

    def late(_request) -> Reply:
        come.wait(10)
        return Reply()

    provider.answer = late
    notifier = channel(f"json://{provider.url.split('://')[1]}/?rto=20", patience=0.5)
    assert notifier.send(MESSAGE).outcome is UNKNOWN
    come.set()
    for thread in threading.enumerate():
        if "URL 1" in thread.name:
            thread.join(10)
    assert notifier.send(MESSAGE).outcome is DELIVERED
    assert len(provider.requests) == 1


def test_after_a_restart_who_has_it_may_get_it_again(provider, other, at, channel) -> None:
    """Documented: what was delivered where is kept in memory only."""
    urls = at("json", provider), at("form", other)
    other.answer = Reply(status=503)
    assert channel(*urls).send(MESSAGE).outcome is RETRY
    other.answer = Reply()
    assert channel(*urls).send(MESSAGE).outcome is DELIVERED
    assert len(provider.requests) == 2


def test_what_is_remembered_has_an_end(provider, at, channel) -> None:
    from tmux_sentry_notify_apprise.notifier import REMEMBERED

    notifier = channel(at("json", provider))
    notifier._delivered.update((str(number), {"x"}) for number in range(REMEMBERED))
    notifier.send(MESSAGE)
    assert len(notifier._delivered) == REMEMBERED
    assert MESSAGE.id in notifier._delivered


# -------------------------------------------------------------------------------- secrets


@pytest.mark.parametrize(
    "answer",
    [
        Reply(),
        Reply(status=404, body=b"/hook/SECRET-KEY"),
        Reply(status=500),
        Reply(how="reset"),
        Reply(how="hang"),
    ],
)
def test_no_url_is_shown_or_logged(provider, channel, logged, capfd, answer: Reply) -> None:
    provider.answer = answer
    where = provider.url.split("://")[1]
    notifier = channel(
        f"json://SECRET-USER:SECRET-WORD@{where}/SECRET-KEY?rto=1",
        f"json://127.0.0.1:{closed_port()}/SECRET-KEY?cto=1",
        "ntfy://SECRET-KEY/?mode=SECRET-MODE",
        "nosuchservice://SECRET-KEY",
        "SECRET-KEY",
        "dingtalk://SECRET-KEY",
    )
    result = notifier.send(MESSAGE)
    shown = capfd.readouterr()
    for told in (repr(result), "".join(logged), shown.out, shown.err):
        assert "SECRET" not in told
        assert where not in told


def test_apprise_prints_nothing_in_a_process_without_logging(provider) -> None:
    """Python prints warnings of a logger without a handler on stderr."""
    code = (
        "import sys\nfrom tmux_sentry import Level, Message\n"
        "from tmux_sentry_notify_apprise.notifier import AppriseNotifier\n"
        "m = Message(id='1', at=0.0, level=Level.ERROR, event='e', title='t')\n"
        "print(AppriseNotifier(sys.argv[1]).send(m).outcome.value)"
    )
    urls = f"json://127.0.0.1:{closed_port()}/SECRET ntfy://?x=SECRET nosuch://SECRET"
    done = subprocess.run([sys.executable, "-c", code, urls], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("retry\n", "")


# -------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("wecombot://11111111-2222-3333-4444-555555555555", "'wechat_work'"),
        ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=11111111-2222-3333-4444-555555555555", "'wechat_work'"),
        ("schan://SCT1TABCDEFG", "'serverchan'"),
        ("mailto://u:p@example.com", "'email'"),
        ("mailtos://u:p@example.com", "'email'"),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "'slack'"),
        ("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "'slack'"),
        ("dingtalk://abcdefgh12345678", "refusals for success"),
        ("nosuch://x", "its kind is not one that Apprise knows"),
        ("json://", "json:// is not complete"),
        ("topic", "no URL"),
        ("://", "URL 2"),
    ],
)
def test_what_cannot_be_used_is_named_and_the_rest_goes_on(provider, at, channel, url: str, said: str) -> None:
    alone = channel(url).send(MESSAGE)
    assert (alone.outcome, alone.whole_channel) == (PERMANENT, True)
    both = channel(at("json", provider), url).send(MESSAGE)
    assert both.outcome is DELIVERED
    for result, number in ((alone, 1), (both, 2)):
        assert said.replace("URL 2", f"URL {number}") in result.detail
        assert f"URL {number}" in result.detail
    assert len(provider.requests) == 1


@pytest.mark.parametrize("urls", ["", " ", ",", " \n, "])
def test_nothing_is_set(channel, urls: str) -> None:
    result = channel(urls).send(MESSAGE)
    assert (result.outcome, result.whole_channel) == (PERMANENT, True)
    assert "APPRISE_URLS is not set" in result.detail


@pytest.mark.parametrize("between", [" ", ",", ", ", " , ", "\n", "\n\n", ",,"])
def test_urls_are_parted_by_spaces_or_commas(provider, other, at, channel, between: str) -> None:
    urls = between.join([at("json", provider), at("json", other, "/a,b"), at("json", other, "/c")])
    result = channel(urls).send(MESSAGE)
    assert result.outcome is DELIVERED
    assert [request.path.split("?")[0] for request in provider.requests] == ["/hook"]
    assert sorted(request.path.split("?")[0] for request in other.requests) == ["/a%2Cb", "/c"]


def test_a_url_that_is_there_twice_is_used_once(provider, at, channel) -> None:
    assert channel(at("json", provider), at("json", provider)).send(MESSAGE).outcome is DELIVERED
    assert len(provider.requests) == 1


# --------------------------------------------------------------- what Apprise is known to do


@pytest.mark.parametrize(
    ("url", "tells"),
    [
        ("feishu://11111111-2222-3333-4444-555555555555", True),
        ("lark://11111111-2222-3333-4444-555555555555", True),
        ("dingtalk://abcdefgh12345678", False),
        ("wecombot://11111111-2222-3333-4444-555555555555", False),
        ("schan://SCT1TABCDEFG", False),
    ],
)
def test_which_services_apprise_takes_at_their_word(provider, monkeypatch, url: str, tells: bool) -> None:
    """They say no with HTTP 200. When a row turns red, Apprise has changed, and so may what is refused here."""
    from tmux_sentry_notify_apprise.quiet import silence
    from tmux_sentry_notify_apprise.service import asset

    silence()
    from apprise import Apprise
    from apprise.manager_plugins import NotificationManager

    kind = NotificationManager()[url.split("://")[0]]
    provider.answer = Reply.of_json({"code": 19024, "errcode": 310000, "msg": "keyword", "errmsg": "no"})
    assert kind.notify_url.startswith("https://")
    monkeypatch.setattr(kind, "notify_url", provider.url + "/")
    sender = Apprise(asset=asset())
    assert sender.add(url)
    with sender.notify("text", "title") as result:
        assert bool(result) is not tells
    assert len(provider.requests) == 1


def test_apprise_is_only_imported_when_something_is_sent() -> None:
    code = (
        "import sys\nfrom tmux_sentry import PluginContext\nfrom tmux_sentry_notify_apprise import plugin\n"
        "(record,) = plugin.tmux_sentry_notifiers()\nrecord.factory(PluginContext())\n"
        "print([m for m in ('apprise', 'requests', 'markdown') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
