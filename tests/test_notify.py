"""People are told: the real program, real HTTP, and a provider that answers as WeChat Work or ServerChan does."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from textwrap import dedent
from typing import Any

import pytest

from tmux_sentry.testing.provider import Provider, Received, Reply

KEY = "0f5ae3a4-1c2d-4e5f-8a9b-c0d1e2f3a4b5"
TAKEN = Reply.of_json({"errcode": 0, "errmsg": "ok"})
REMOVED = Reply.of_json({"errcode": 93000, "errmsg": "invalid webhook url, hint: [1]"})
ASK = """
    pipelines:
      - name: deploy
        match: {window_name: "^job$"}
        stages:
          - name: ship
            require_approval: true
            actions_on_start: [{send_keys: "npm run ship"}]
            success_when: [{sentry: {type: STATUS, ok: true}}]
"""


@pytest.fixture
def wechat() -> Iterator[Provider]:
    with Provider(TAKEN) as server:
        yield server


@pytest.fixture
def serverchan() -> Iterator[Provider]:
    with Provider(Reply.of_json({"code": 0, "message": "", "data": {"pushid": "1", "errno": 0}})) as server:
        yield server


def settings(wechat: Provider, serverchan: Provider | None = None, channels: str = "") -> dict[str, str]:
    both = {"WECHAT_WORK_WEBHOOK": f"{wechat.url}/cgi-bin/webhook/send?key={KEY}"}
    names = "stdout,wechat_work"
    if serverchan is not None:
        both |= {"SERVERCHAN_API_KEY": "SCT123456TabcdefABCDEF0123456789", "SERVERCHAN_BASE_URL": serverchan.url}
        names += ",serverchan"
    return both | {"NOTIFICATION_CHANNELS": channels or names}


def texts(provider: Provider) -> str:
    """All that the provider was told."""
    return "\n".join(json.dumps(request.json(), ensure_ascii=False) for request in list(provider.requests))


# ------------------------------------------------------------------------------ by hand


def test_a_test_message_prints_the_providers_real_answer(sandbox: Any, wechat: Provider) -> None:
    said = sandbox.ok("notify", "test", "wechat_work", **settings(wechat))
    assert said.startswith("wechat_work: delivered")
    assert "test message" in texts(wechat)
    wechat.answer = REMOVED
    done = sandbox.run("notify", "test", "wechat_work", "--json", **settings(wechat))
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["outcome"], answer["whole_channel"]) == (1, "permanent", True)
    assert "93000" in answer["detail"]
    assert "invalid webhook url" in answer["detail"]
    assert KEY not in done.stdout + done.stderr


def test_a_channel_that_is_not_there_is_named(sandbox: Any) -> None:
    done = sandbox.run("notify", "test", "wechat")
    assert done.returncode == 2
    assert "there is no notification channel wechat" in done.stderr
    assert "wechat_work" in done.stderr


def test_without_its_setting_a_channel_says_what_is_missing(sandbox: Any) -> None:
    done = sandbox.run("notify", "test", "wechat_work")
    assert done.returncode == 1
    assert "WECHAT_WORK_WEBHOOK" in done.stdout


def test_silences_begin_are_listed_and_end(sandbox: Any) -> None:
    begun = sandbox.json("notify", "silence", "--for", "2h", "--reason", "moving house", "--pipeline", "dep*")
    (listed,) = sandbox.json("notify", "silences")
    assert (listed["id"], listed["pipeline"], listed["reason"]) == (begun["id"], "dep*", "moving house")
    sandbox.ok("notify", "unsilence", begun["id"])
    assert sandbox.json("notify", "silences") == []
    for args in (
        ("--for", "soon", "--reason", "x"),
        ("--for", "40d", "--reason", "x"),
        ("--for", "1h", "--reason", " "),
    ):
        assert sandbox.run("notify", "silence", *args).returncode == 2
    assert sandbox.run("notify", "unsilence", "nothing").returncode == 2


# --------------------------------------------------------------------------- while it runs


def test_a_question_is_told_and_so_is_its_answer(sandbox: Any, wechat: Provider) -> None:
    sandbox.pane()
    run = sandbox.watch(sandbox.write("ask.yaml", ASK), **settings(wechat))
    sandbox.wait(lambda: "approve ship?" in texts(wechat), "the question")
    (pending,) = sandbox.json("approvals")
    asked = texts(wechat)
    assert f"tmux-sentry approve {pending['id']}" in asked
    assert "npm run ship" in asked
    sandbox.ok("approve", pending["id"])
    sandbox.wait(lambda: "approved by" in texts(wechat), "its end")
    sandbox.wait(lambda: "deploy: succeeded" in texts(wechat), "the end of the run")
    run.end(signal.SIGINT)
    log = sandbox.json("notify", "log", "--channel", "wechat_work")
    assert {row["status"] for row in log} == {"delivered"}
    assert [row["event"] for row in log][::-1] == ["approval.asked", "approval.approved", "run.succeeded"]
    assert all(f"#{row['short']}" in texts(wechat) for row in log)


@pytest.mark.parametrize(
    ("command", "way", "status", "comment"),
    [
        ("echo approve >", "file", "approved", ""),
        ("tmux-sentry approve", "terminal", "approved", ""),
        ("tmux-sentry reject", "terminal", "rejected", "WHY"),
    ],
)
def test_each_command_of_a_question_answers_it_exactly_as_it_is_told(
    sandbox: Any, wechat: Provider, command: str, way: str, status: str, comment: str
) -> None:
    """Whatever the name of the home directory; what is to be typed stands in inline code."""
    sandbox.home = sandbox.home.with_name("it's a $HOME")
    sandbox.pane()
    run = sandbox.watch(sandbox.write("ask.yaml", ASK), **settings(wechat))
    sandbox.wait(lambda: "approve ship?" in texts(wechat), "the question")
    told = wechat.requests[0].json()["markdown"]["content"]
    (line,) = [line for line in re.findall("^`(.*)`$", told, re.MULTILINE) if line.startswith(command)]
    run.wait_line(f"  {line}")
    if way == "file":
        subprocess.run(["sh", "-c", line], check=True)
    else:
        sandbox.ok(*shlex.split(line)[1:])
    sandbox.wait(lambda: sandbox.rows("SELECT 1 FROM votes"), "the answer")
    (request,) = sandbox.rows("SELECT status, channel, comment FROM approvals")
    assert request == {"status": status, "channel": way, "comment": comment}
    sandbox.wait(lambda: sandbox.typed() == (["npm run ship"] if status == "approved" else []), "what was approved")


def test_a_question_has_its_file_also_where_another_backend_takes_its_time(sandbox: Any, wechat: Provider) -> None:
    path = sandbox.plugin(
        "approval_slow",
        """
        from threading import Event
        from tmux_sentry import ApprovalPlugin, hookimpl

        class Slow:
            def open(self, request):
                Event().wait(1.0)
                return ""

            def poll(self):
                return []

            def close(self, request, outcome):
                pass

        @hookimpl
        def tmux_sentry_approval_backends():
            yield ApprovalPlugin(name="slow", description="takes a second", factory=lambda context: Slow())
        """,
    )
    sandbox.pane()
    sandbox.watch(sandbox.write("ask.yaml", ASK), PYTHONPATH=path, **settings(wechat))
    sandbox.wait(lambda: "approve ship?" in texts(wechat), "the question")
    assert f"echo approve > {sandbox.question('ship')}" in texts(wechat)


def test_what_a_killed_program_had_not_told_is_told_by_the_next(sandbox: Any, wechat: Provider) -> None:
    sandbox.pane()
    wechat.answer = Reply(status=503)
    policy = sandbox.write("ask.yaml", ASK)
    run = sandbox.watch(policy, **settings(wechat))
    sandbox.wait(lambda: wechat.requests, "an attempt")
    run.end(signal.SIGKILL)
    wechat.answer = TAKEN
    before = len(wechat.requests)
    sandbox.watch(policy, **settings(wechat))
    sandbox.wait(lambda: "approve ship?" in "".join(r.body.decode() for r in wechat.requests[before:]), "the question")
    (row,) = [row for row in sandbox.json("notify", "log") if row["channel"] == "wechat_work"]
    assert row["status"] == "delivered"


def test_a_mute_channel_is_told_by_the_others_and_comes_back(
    sandbox: Any, wechat: Provider, serverchan: Provider
) -> None:
    sandbox.pane()
    wechat.answer = REMOVED
    env = settings(wechat, serverchan)
    sandbox.watch(sandbox.write("ask.yaml", ASK), **env)
    sandbox.wait(lambda: "channel wechat_work is off" in texts(serverchan), "the others' word of it")
    assert len(wechat.requests) == 1
    (channel,) = sandbox.json("status", "--hosts", sandbox.hosts)["channels"]
    assert (channel["name"], channel["state"]) == ("wechat_work", "off")
    assert "93000" in channel["why"]
    doctor = sandbox.run("doctor", "--hosts", sandbox.hosts, **env)
    assert doctor.returncode == 1
    assert "wechat_work is off" in doctor.stdout
    wechat.answer = TAKEN
    sandbox.ok("notify", "test", "wechat_work", **env)
    sandbox.wait(lambda: "approve ship?" in texts(wechat), "what had waited", timeout=30)
    sandbox.wait(lambda: "channel wechat_work works again" in texts(serverchan), "the others' word of that")
    assert sandbox.json("status", "--hosts", sandbox.hosts)["channels"] == []


def test_when_nothing_gets_through_a_file_says_so(sandbox: Any, wechat: Provider) -> None:
    sandbox.pane()
    wechat.answer = REMOVED
    env = settings(wechat)
    sandbox.watch(sandbox.write("ask.yaml", ASK), **env)
    path = sandbox.home / "UNDELIVERED"
    sandbox.wait(path.exists, "the file")
    sandbox.wait(lambda: "approve ship?" in path.read_text(), "the question in it")
    assert KEY not in path.read_text()
    wechat.answer = TAKEN
    sandbox.ok("notify", "retry", **env)
    sandbox.wait(lambda: not path.exists(), "the end of the file")


def test_one_channel_that_cannot_be_used_does_not_keep_the_others_from_it(sandbox: Any, wechat: Provider) -> None:
    sandbox.pane()
    policy = sandbox.write("ask.yaml", ASK)
    run = sandbox.watch(policy, **settings(wechat, channels="stdout,wechat,wechat_work,serverchan"))
    run.wait_line("there is no notification channel wechat")
    run.wait_line("notification channel serverchan: ")
    sandbox.wait(lambda: "approve ship?" in texts(wechat), "the question")


def test_with_no_channel_that_can_be_used_it_does_not_start(sandbox: Any) -> None:
    policy = sandbox.write("ask.yaml", ASK)
    done = sandbox.run("run", "--hosts", sandbox.hosts, "--policy", policy, "--once", NOTIFICATION_CHANNELS="wechat")
    assert done.returncode == 2
    assert "there is no notification channel wechat" in done.stderr


def test_what_is_silenced_is_written_down_and_not_told(sandbox: Any, wechat: Provider) -> None:
    sandbox.pane()
    sandbox.ok("notify", "silence", "--for", "1h", "--reason", "moving house", "--event", "approval.*")
    sandbox.watch(sandbox.write("ask.yaml", ASK), **settings(wechat))
    sandbox.question("ship")
    rows = sandbox.json("notify", "log")
    assert {row["status"] for row in rows if row["event"] == "approval.asked"} == {"silenced"}
    assert "moving house" in rows[0]["detail"]
    assert wechat.requests == []


def test_messages_are_in_chinese_where_people_want_that(sandbox: Any, wechat: Provider) -> None:
    sandbox.pane()
    sandbox.watch(sandbox.write("ask.yaml", ASK), NOTIFICATION_LANGUAGE="zh", **settings(wechat))
    sandbox.wait(lambda: "是否批准 ship" in texts(wechat), "the question")


def test_the_last_lines_of_the_pane_come_along_where_a_route_wants_them(sandbox: Any, wechat: Provider) -> None:
    policy = """
        notifications:
          - {channels: [wechat_work], events: [stage.failed], include_output: true}
        pipelines:
          - name: deploy
            match: {window_name: "^job$"}
            stages:
              - name: ship
                actions_on_start: [{send_keys: "npm run ship"}]
                failure_when: [{log_regex: "it broke"}]
    """
    (sandbox.work / "say-ship").write_text("compiling\nerror: it broke\n")
    sandbox.pane()
    sandbox.watch(sandbox.write("fails.yaml", policy), **settings(wechat))
    sandbox.wait(lambda: "ship failed" in texts(wechat), "the failure")
    assert "error: it broke" in texts(wechat)


def test_no_request_shows_the_key_to_anybody_else(sandbox: Any, wechat: Provider) -> None:
    sandbox.pane()
    run = sandbox.watch(sandbox.write("ask.yaml", ASK), "--log-level", "DEBUG", **settings(wechat))
    sandbox.wait(lambda: wechat.requests, "a message")
    run.end(signal.SIGINT)
    received: Received = wechat.requests[0]
    assert KEY in received.path
    assert KEY not in run.output
    assert KEY not in texts(wechat)


def test_check_names_what_keeps_a_channel_from_being_used(sandbox: Any) -> None:
    policy = sandbox.write("ask.yaml", ASK)
    env = sandbox.write(".env", "NOTIFICATION_CHANNELS=stdout,wechat,email,slack,webhook,apprise\nSMTP_SERVER=mail\n")
    done = sandbox.run("check", "--policy", policy, "--env-file", env)
    assert done.returncode == 0
    assert "there is no notification channel wechat" in done.stderr
    missing = {"email": "SMTP_", "slack": "SLACK_", "webhook": "WEBHOOK_URL", "apprise": "APPRISE_URLS"}
    for name, what in missing.items():
        assert any(f"notification channel {name}: " in line and what in line for line in done.stderr.splitlines()), name
    assert [one for one in sandbox.json("check", "--policy", policy, "--env-file", env)["warnings"] if "slack" in one]


def test_check_and_doctor_name_a_channel_without_its_settings_wherever_it_is_named(sandbox: Any) -> None:
    routes = "notifications: [{channels: [stdout], escalate: {channels: [webhook]}}]\n"
    policy = sandbox.write("routes.yaml", routes + dedent(ASK))
    env = sandbox.write(".env", "NOTIFICATION_CHANNELS=stdout\n")
    assert "WEBHOOK_URL" in sandbox.run("check", "--policy", policy, "--env-file", env).stderr
    doctor = sandbox.run("doctor", "--hosts", sandbox.hosts, NOTIFICATION_CHANNELS="stdout,webhook")
    assert "webhook: WEBHOOK_URL" in doctor.stdout
    assert "webhook can be used" not in doctor.stdout


def test_a_question_that_was_decided_while_its_channel_was_off_is_not_asked_later(
    sandbox: Any, wechat: Provider
) -> None:
    sandbox.pane()
    wechat.answer = REMOVED
    env = settings(wechat)
    sandbox.watch(sandbox.write("ask.yaml", ASK), **env)
    sandbox.wait(lambda: wechat.requests, "the question, which is refused")
    (pending,) = sandbox.json("approvals")
    sandbox.ok("reject", pending["id"])
    wechat.requests.clear()
    wechat.answer = TAKEN
    sandbox.ok("notify", "test", "wechat_work", **env)
    sandbox.wait(lambda: "deploy: failed" in texts(wechat), "what had waited")
    assert "approve ship?" not in texts(wechat)


def test_the_log_finds_a_message_by_its_short_id(sandbox: Any, wechat: Provider) -> None:
    sandbox.pane()
    sandbox.watch(sandbox.write("ask.yaml", ASK), **settings(wechat))
    sandbox.wait(lambda: wechat.requests, "the question")
    (asked, *_) = [row for row in sandbox.json("notify", "log") if row["event"] == "approval.asked"]
    found = sandbox.json("notify", "log", f"#{asked['short']}")
    assert {row["channel"] for row in found} == {"stdout", "wechat_work"}
    assert sandbox.run("notify", "log", "zzzzzz").returncode == 2
