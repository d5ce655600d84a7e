"""The kits, with a service that is nothing but HTTP (json://).

Three rows of the channels' kit are different here, because Apprise hands over neither the headers nor the body of an
answer; the README says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from tmux_sentry import Delivery
from tmux_sentry.testing.channels import HttpNotifierConformance
from tmux_sentry.testing.provider import Provider, Received, Reply, closed_port
from tmux_sentry_notify_apprise import plugin as apprise_plugin

# Apprise imports it while Python still has it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


class TestApprise(HttpNotifierConformance):
    plugin = apprise_plugin
    settings: ClassVar = {"APPRISE_URLS": f"json://127.0.0.1:{closed_port()}/?rto=1&cto=1"}
    accepted = Reply()
    refused: ClassVar = {
        "bad request": (Reply(status=400), Delivery.PERMANENT),
        "bad key": (Reply(status=401), Delivery.PERMANENT),
        "revoked": (Reply(status=403), Delivery.PERMANENT),
        "gone": (Reply(status=404), Delivery.PERMANENT),
        "in time": (Reply(status=408), Delivery.RETRY),
    }
    limit = 32768  # what Apprise says of every service that has no limit of its own
    limit_in_bytes = False
    secret = "SECRET-KEY-123"

    def settings_at(self, url: str) -> Mapping[str, str]:
        scheme, _, rest = url.partition("://")
        return {"APPRISE_URLS": f"{'jsons' if scheme == 'https' else 'json'}://{rest}/{self.secret}?rto=1&cto=1"}

    def content(self, request: Received) -> str:
        data = request.json()
        # The title has a field of its own, which has a limit of its own.
        self.titles = [*getattr(self, "titles", []), data["title"]]
        return str(data["message"])

    # ------------------------------------------------------------- what is different here

    def test_what_was_taken_is_delivered(self, provider: Provider, tmp_path: Path) -> None:
        assert self.sent(provider, tmp_path).outcome is Delivery.DELIVERED
        (request,) = provider.requests
        assert request.json()["title"] == "build failed"

    def test_too_many_requests_wait_as_long_as_asked_in_seconds(self, provider: Provider, tmp_path: Path) -> None:
        provider.answer = Reply(status=429, headers={"Retry-After": "37"})
        result = self.sent(provider, tmp_path)
        assert (result.outcome, result.retry_after, result.whole_channel) == (Delivery.RETRY, 60.0, True)

    # Rows that say nothing of a bridge: Apprise does not hand over Retry-After; every 2xx of a json:// service is
    # a success for it; the title is no part of its text (test_services.py has that row).
    test_too_many_requests_wait_as_long_as_asked_by_a_date = None
    test_a_page_of_html_is_not_delivered = None
    test_no_message_is_longer_than_the_provider_takes_and_none_loses_its_head = None
