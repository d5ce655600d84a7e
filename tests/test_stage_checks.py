"""Two stages with the same check, in the running program: what has settled the first settles no other."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import urllib.request
from collections.abc import Mapping
from typing import Any

from tmux_sentry.testing.provider import Provider, Reply, closed_port

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
POLICY = """
    pipelines:
      - name: ship
        match: {{window_name: "^job$"}}
        stages:
          - name: staging
            actions_on_start: [{{send_keys: "npm run staging"}}, {{external_check: {check}}}]
            success_when: [{{external_status: success}}]
          - name: production
            triggers: [{{after_stage_success: staging}}]
            actions_on_start: [{{send_keys: "npm run production"}}, {{external_check: {check}}}]
            success_when: [{{external_status: success}}]
"""


def watch(sandbox: Any, check: Mapping[str, Any], **env: str) -> Any:
    sandbox.pane()
    return sandbox.watch(sandbox.write("p.yaml", POLICY.format(check=json.dumps(check))), "--once", **env)


def deliver(port: int, name: str) -> None:
    """A signed delivery that says that it is done."""
    body, at = b'{"state": "done"}', str(int(time.time()))
    mac = hmac.new(bytes(range(32)), f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    signed = {"webhook-id": name, "webhook-timestamp": at, "webhook-signature": "v1," + base64.b64encode(mac).decode()}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/", body, {"Content-Type": "application/json", **signed}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 200


def test_one_delivery_settles_one_stage(sandbox: Any) -> None:
    port = closed_port()
    env = {"WEBHOOK_LISTEN": f"127.0.0.1:{port}", "WEBHOOK_LISTEN_SECRET": SECRET}
    run = watch(sandbox, {"type": "webhook", "success_when": "state == 'done'"}, **env)
    run.wait_line("no delivery at / yet")
    deliver(port, "one")
    run.wait_line("no delivery at / since the stage began (one came")
    assert sandbox.stages() == [("staging", "succeeded"), ("production", "running")]
    deliver(port, "two")
    assert run.end() == 0
    assert sandbox.stages() == [("staging", "succeeded"), ("production", "succeeded")]


def test_a_success_that_an_address_still_shows_settles_no_stage(sandbox: Any) -> None:
    def rollout(at: float) -> Reply:
        return Reply.of_json({"status": "completed", "conclusion": "success", "started_at": at})

    with Provider(rollout(time.time() - 20)) as server:
        check = {"type": "http", "url": server.url, "since": "started_at", "success_when": "conclusion == 'success'"}
        run = watch(sandbox, check)
        for times in (1, 2):
            run.wait_line("the answer is from before the stage began", times)
            server.answer = rollout(time.time())
        assert run.end() == 0
    assert sandbox.stages() == [("staging", "succeeded"), ("production", "succeeded")]
