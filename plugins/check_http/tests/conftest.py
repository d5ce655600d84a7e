"""Senders of webhooks, signing by their specifications' words with nothing of the plugin's code."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry import CheckResult
from tmux_sentry.testing.samples import check_request
from tmux_sentry_check_http.webhook_check import WebhookChecker

KEY = bytes(range(32))
STANDARD_SECRET = "whsec_" + base64.b64encode(KEY).decode()
GITHUB_SECRET = "It's a Secret to Everybody"


def standard(body: bytes, id_: str = "msg_1", at: float | None = None, key: bytes = KEY) -> dict[str, str]:
    """The headers of a sender that follows Standard Webhooks."""
    timestamp = str(int(time.time() if at is None else at))
    mac = hmac.new(key, f"{id_}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(mac).decode()
    return {"webhook-id": id_, "webhook-timestamp": timestamp, "webhook-signature": signature}


def github(body: bytes, id_: str = "d-1", event: str = "workflow_run", secret: str = GITHUB_SECRET) -> dict[str, str]:
    """The headers of GitHub."""
    mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={mac}", "X-GitHub-Delivery": id_, "X-GitHub-Event": event}


@dataclass
class Hooks:
    """A check with its listener, and a way to post to it."""

    checker: WebhookChecker
    woken: list[float] = field(default_factory=list)

    @property
    def port(self) -> int:
        listener = self.checker._listener
        assert listener is not None
        return listener.port

    def post(
        self, body: bytes, headers: Mapping[str, str], path: str = "/", method: str = "POST"
    ) -> tuple[int, str, Mapping[str, str]]:
        """(status, text, headers in lower case)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, answer.read().decode(), named
        finally:
            connection.close()

    def deliver(self, data: Any, id_: str = "msg_1", path: str = "/") -> tuple[int, str]:
        """Post JSON, signed."""
        body = json.dumps(data).encode()
        return self.post(body, standard(body, id_), path)[:2]

    def ask(self, **config: Any) -> CheckResult:
        """Ask the check of a stage that began a second ago."""
        since = config.pop("since", time.time() - 1.0)
        return self.checker.check(check_request(config, started_at=since, now=time.time()))


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Callable[..., Hooks]]:
    """Makes checks that listen on a free port, in one home; keyword arguments are settings."""
    made: list[Hooks] = []

    def make(home: Path = tmp_path / "home", **settings: str) -> Hooks:
        given = {"WEBHOOK_LISTEN": "127.0.0.1:0", "WEBHOOK_LISTEN_SECRET": f"{STANDARD_SECRET},{GITHUB_SECRET}"}
        one = Hooks(WebhookChecker({**given, **settings}, str(home)))
        made.append(one)
        one.checker.open(lambda: one.woken.append(time.monotonic()))
        return one

    yield make
    for one in made:
        one.checker.close()


@pytest.fixture
def hook(hooks: Callable[..., Hooks]) -> Hooks:
    """One of them, with both kinds of secret."""
    return hooks()


@pytest.fixture
def sign() -> Any:
    """The two senders: `sign.standard(body, ...)` and `sign.github(body, ...)`, headers each."""

    class Sign:
        STANDARD_SECRET, GITHUB_SECRET, KEY = STANDARD_SECRET, GITHUB_SECRET, KEY
        standard = staticmethod(standard)
        github = staticmethod(github)

    return Sign
