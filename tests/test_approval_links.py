"""From the message to the pane: the real program, real pages, and a link in a real message."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tmux_sentry.testing.provider import Provider, Reply, closed_port

SECRET = "of-the-tests-and-long-enough-to-sign-with"
ASK = """
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
        assert "npm run ship" in browser.get(url, timeout=20).text
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
        (path,) = re.findall('href="(/r/[^"]+)"', listed.text)
        assert press(browser, f"{url.partition('/login')[0]}{path}", decision="approve").status_code == 200
    sandbox.wait_typed("npm run ship")


def test_a_taken_port_is_said_and_the_run_goes_on(sandbox: Any, hook: Provider) -> None:
    sandbox.pane()
    with socket.create_server(("127.0.0.1", 0)) as other:
        run = sandbox.watch(policy(sandbox), **settings(hook, other.getsockname()[1]))
        run.wait_line("cannot listen on 127.0.0.1 port")
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
