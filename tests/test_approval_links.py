"""From the message to the pane: the real program, real pages, and a link in a real message."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from tmux_sentry.testing.provider import Provider, Reply, closed_port

SECRET = "of-the-tests-and-long-enough-to-sign-with"
ASK = """
    timezone: Asia/Tokyo
    pipelines:
      - name: deploy
        match: {window_name: "^job$"}
        stages:
          - name: ship
            require_approval: {risk: RISK}
            actions_on_start: [{send_keys: "npm run ship"}]
            success_when: [{sentry: {type: STATUS, ok: true}}]
"""


@pytest.fixture
def hook() -> Iterator[Provider]:
    with Provider(Reply(status=200)) as server:
        yield server


def settings(hook: Provider, port: int, **more: str) -> dict[str, str]:
    return {
        "APPROVAL_SECRET": SECRET,
        "APPROVAL_LISTEN": f"127.0.0.1:{port}",
        "APPROVAL_BASE_URL": f"http://127.0.0.1:{port}",
        "NOTIFICATION_CHANNELS": "stdout,webhook",
        "WEBHOOK_URL": f"{hook.url}/in",
        "WEBHOOK_SECRET": "none",
        **more,
    }


def policy(sandbox: Any, risk: str = "normal") -> Any:
    return sandbox.write("ask.yaml", ASK.replace("RISK", risk))


def press(browser: requests.Session, url: str, **fields: str) -> requests.Response:
    """Open a page and send its form."""
    page = browser.get(url, timeout=20)
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    return browser.post(url, {**hidden, **fields}, timeout=20)


def test_a_link_in_a_message_types_into_the_pane(sandbox: Any, hook: Provider) -> None:
    sandbox.pane()
    port = closed_port()
    run = sandbox.watch(policy(sandbox, "high"), **settings(hook, port))
    sandbox.wait(lambda: hook.requests, "the question")
    answer = hook.requests[0].json()["data"]["answer"]
    (url,) = re.findall(rf"http://127\.0\.0\.1:{port}/a/\S+", answer)
    (code,) = re.findall(r"code: (\d{6})", answer)
    with requests.Session() as browser:
        page = browser.get(url, timeout=20).text
        assert "npm run ship" in page
        assert "JST (UTC+09:00)" in page, "the policy's time zone"
        assert press(browser, url, decision="approve", code="").status_code == 409
        assert sandbox.typed() == []
        assert press(browser, url, decision="approve", code=code).status_code == 200
    sandbox.wait_typed("npm run ship")
    sandbox.wait(lambda: ("ship", "succeeded") in sandbox.stages(), "the end of the stage")
    token = url.rpartition("/")[2]
    assert run.end(signal.SIGINT) in (0, 130)
    assert token[4:] not in run.output
    dump = "".join(str(row) for table in ("outbox", "links", "votes") for row in sandbox.rows(f"SELECT * FROM {table}"))
    assert token[4:] not in dump
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port))


def test_who_logs_in_answers_from_the_list(sandbox: Any, hook: Provider) -> None:
    sandbox.pane()
    env = settings(hook, closed_port(), APPROVAL_BASE_URL="")
    run = sandbox.watch(policy(sandbox), **env)
    run.wait_line("APPROVAL_BASE_URL is not set")
    sandbox.wait(lambda: hook.requests, "the question")
    assert "/a/" not in hook.requests[0].json()["data"]["answer"]
    url = sandbox.ok("approvals", "login", **env).strip()
    with requests.Session() as browser:
        listed = press(browser, url)
        (path,) = re.findall('href="(/s/[^"]+/r/[^"]+)"', listed.text)
        assert press(browser, f"{url.partition('/login')[0]}{path}", decision="approve").status_code == 200
    sandbox.wait_typed("npm run ship")


def test_a_taken_port_is_said_and_the_run_goes_on(sandbox: Any, hook: Provider) -> None:
    sandbox.pane()
    with socket.create_server(("127.0.0.1", 0)) as other:
        run = sandbox.watch(policy(sandbox), **settings(hook, other.getsockname()[1]))
        run.wait_line("cannot listen on 127.0.0.1 port")
        sandbox.wait(lambda: hook.requests, "the question")
        answer = hook.requests[0].json()["data"]["answer"]
        assert "http" not in answer, "whoever has the port would get the token"
        assert "tmux-sentry approve" in answer
        sandbox.answer(sandbox.question("ship"), "approve")
        sandbox.wait_typed("npm run ship")


def test_without_a_secret_nothing_listens(sandbox: Any, hook: Provider) -> None:
    sandbox.pane()
    port = closed_port()
    run = sandbox.watch(policy(sandbox), **settings(hook, port, APPROVAL_SECRET=""))
    sandbox.answer(sandbox.question("ship"), "approve")
    sandbox.wait(lambda: ("ship", "succeeded") in sandbox.stages(), "the end of the stage")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port))
    assert "cannot listen" not in run.output


@pytest.mark.parametrize("point", ["plan.written", "plan.committed", "guard.answered"])
def test_a_kill_between_the_answer_and_the_keys_types_once(sandbox: Any, hook: Provider, point: str) -> None:
    """Before its commit the answer is lost, and its link with it unused; after it, it is never asked again."""
    sandbox.pane()
    env = settings(hook, closed_port())
    path = policy(sandbox)
    run = sandbox.watch(path, TMUX_SENTRY_FAILPOINT=point, **env)
    sandbox.wait(lambda: hook.requests, "the question")
    (url,) = re.findall(r"http://127\.0\.0\.1:\d+/a/\S+", hook.requests[0].json()["data"]["answer"])
    with requests.Session() as browser, contextlib.suppress(requests.ConnectionError):
        press(browser, url, decision="approve")
    assert run.end() == -signal.SIGKILL
    decided = [row["status"] for row in sandbox.rows("SELECT status FROM approvals")]
    assert decided == (["pending"] if point == "plan.written" else ["approved"])
    again = sandbox.watch(path, "--once", **env)
    if point == "plan.written":
        with requests.Session() as browser:
            assert press(browser, url, decision="approve").status_code == 200
    assert again.end() == 0
    assert sandbox.typed() == ["npm run ship"]
    assert [row["counted"] for row in sandbox.rows("SELECT counted FROM votes")] == [1]


def test_a_person_approves_in_a_real_browser(sandbox: Any, hook: Provider) -> None:
    """The phone's page, opened by Chromium from the link in the message, and a button that is pressed."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    assert all(programs.values()), f"{programs}: scripts/setup test installs them"
    sandbox.pane()
    run = sandbox.watch(policy(sandbox), "--once", **settings(hook, closed_port()))
    sandbox.wait(lambda: hook.requests, "the question")
    (url,) = re.findall(r"http://127\.0\.0\.1:\d+/a/\S+", hook.requests[0].json()["data"]["answer"])
    options = webdriver.ChromeOptions()
    options.binary_location = str(programs["chromium"])
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=390,844"):
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={sandbox.path / 'chromium'}")
    browser = webdriver.Chrome(options=options, service=Service(str(programs["chromedriver"])))
    try:
        browser.get(url)
        assert "npm run ship" in browser.find_element(By.TAG_NAME, "main").text
        assert sandbox.typed() == []
        browser.find_element(By.CSS_SELECTOR, "button[value=approve]").click()
        sandbox.wait_typed("npm run ship")
    finally:
        browser.quit()
    assert run.end() == 0
    assert sandbox.typed() == ["npm run ship"]
