"""APPRISE_URLS, read: which services, and why some are refused. An URL is a secret, so it is named by its number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tmux_sentry import clean
from tmux_sentry_notify_apprise.quiet import silence

if TYPE_CHECKING:
    from apprise import AppriseAsset, NotifyBase

#: Services that tmux-sentry reaches by a channel of its own, which understands their answers.
OWN_CHANNEL = {
    "wecombot": "wechat_work",
    "schan": "serverchan",
    "mailto": "email",
    "mailtos": "email",
    "slack": "slack",
}
#: Services whose refusals Apprise takes for success: it looks at the HTTP status, and they say no with 200.
UNTOLD = frozenset({"dingtalk"})
# A comma parts two URLs only where the next one begins: some have commas in them.
_BETWEEN = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)|\s+|,+$")


class Refusal(Exception):
    """Why an entry of APPRISE_URLS cannot be used, without showing it."""


def entries(text: str) -> list[str]:
    """The entries of APPRISE_URLS in their order, each once."""
    return list(dict.fromkeys(entry for part in _BETWEEN.split(text) if (entry := part.strip(","))))


def name(service: NotifyBase, number: int) -> str:
    """What people call the service: its kind, and which entry it is."""
    return f"{clean(str(service.service_name), 60)} (URL {number})"


def loaded(url: str, number: int, asset: AppriseAsset) -> NotifyBase:
    """The service behind an entry. Raises Refusal."""
    silence()
    from apprise import Apprise

    scheme, found, _ = url.partition("://")
    if not found:
        raise Refusal(f"URL {number}: no URL: an entry looks like ntfy://topic")
    try:
        service = Apprise.instantiate(url, asset=asset)
    except Exception as error:  # a plugin of Apprise; what it says may hold the URL
        raise Refusal(f"URL {number}: Apprise cannot read it ({type(error).__name__})") from None
    if service is None:
        kind = f"{scheme.lower()}://" if scheme.lower() in _known() else "its kind"
        what = "is not complete or not right" if kind != "its kind" else "is not one that Apprise knows"
        raise Refusal(f"URL {number}: {kind} {what}: see the page of the service in Apprise's documentation")
    # By the service and not by the URL: Apprise also takes many services' own https:// addresses.
    for scheme in _schemes(service):
        if scheme in OWN_CHANNEL:
            better = OWN_CHANNEL[scheme]
            raise Refusal(f"{name(service, number)}: use the channel {better!r}, which reads this service's answers")
        if scheme in UNTOLD:
            raise Refusal(f"{name(service, number)}: Apprise takes this service's refusals for success")
    return service


def _schemes(service: NotifyBase) -> Iterator[str]:
    for given in (service.protocol, service.secure_protocol):
        yield from [given] if isinstance(given, str) else given or ()


def _known() -> set[str]:
    from apprise import Apprise

    schemas = Apprise().details()["schemas"]
    return {scheme for one in schemas for scheme in [*(one["protocols"] or ()), *(one["secure_protocols"] or ())]}
