"""Which of Slack's two doors the settings open, or what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

API = "https://slack.com/api"
_BOT = re.compile(r"(?:xoxe\.)?xox[abp]-[\w-]{8,}", re.ASCII)
_ANY_TOKEN = re.compile(r"xox[a-z][-.]|xapp-|xwfp-")
# Not a user's (U...): to that Slack answers with the conversation's (D...).
_ID = re.compile(r"[CDG][A-Z0-9]{5,}", re.ASCII)


class Wrong(Exception):
    """A setting that is missing or malformed: what it is and what to do, without its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """An incoming webhook; whoever has its address can post."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """A bot that posts in `channel`, an ID or a name."""

    token: str
    channel: str
    api: str = API


def read(settings: Mapping[str, str]) -> Hook | Bot:
    """What to post with. A token with a channel comes before a webhook. Raises Wrong."""
    names = "SLACK_WEBHOOK", "SLACK_BOT_TOKEN", "SLACK_CHANNEL", "SLACK_API_URL"
    hook, token, channel, api = (settings.get(name, "").strip() for name in names)
    # Programs for Slack often find SLACK_BOT_TOKEN in the environment: alone it does not outdo a webhook.
    if token and (channel or not hook):
        return _bot(token, channel, api or API)
    if hook:
        return _hook(hook)
    raise Wrong("not set up: set SLACK_WEBHOOK, or SLACK_BOT_TOKEN and SLACK_CHANNEL")


def _hook(url: str) -> Hook:
    if _ANY_TOKEN.match(url):
        raise Wrong("SLACK_WEBHOOK holds a token: put it in SLACK_BOT_TOKEN, and set SLACK_CHANNEL")
    host, path = _address(url)
    if not host:
        raise Wrong("SLACK_WEBHOOK is no address: it looks like https://hooks.slack.com/services/T.../B.../...")
    if host.startswith("hooks.slack") and re.match("/(triggers|workflows)/", path):
        raise Wrong("SLACK_WEBHOOK starts a workflow: make an incoming webhook (https://hooks.slack.com/services/...)")
    return Hook(url=url)


def _bot(token: str, channel: str, api: str) -> Bot:
    if _address(token)[0]:
        raise Wrong("SLACK_BOT_TOKEN holds an address: put it in SLACK_WEBHOOK; a bot's token begins with xoxb-")
    if token.startswith("xapp-"):
        raise Wrong("SLACK_BOT_TOKEN holds an app-level token (xapp-), which cannot post: take the bot's, xoxb-...")
    if not _BOT.fullmatch(token):
        raise Wrong("SLACK_BOT_TOKEN is no bot's token: it begins with xoxb- (OAuth & Permissions of your Slack app)")
    if not channel:
        raise Wrong("SLACK_CHANNEL is missing: set it to the channel's ID (C0123ABCDEF) or its #name")
    if not re.fullmatch(r"#?[^\s#@<>,:/]{1,80}", channel):
        raise Wrong("SLACK_CHANNEL is no channel: set it to one channel's ID (C0123ABCDEF) or its #name")
    if not _address(api)[0]:
        raise Wrong(f"SLACK_API_URL is no http:// or https:// address: leave it out for {API}")
    return Bot(token=token, channel=channel, api=api.rstrip("/"))


def is_id(channel: str) -> bool:
    """Whether this is a channel's ID and not its name."""
    return bool(_ID.fullmatch(channel))


def _address(text: str) -> tuple[str, str]:
    """Host and path of a web address; empty when it is none."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  raises where it is no number
        host = parts.hostname or ""
    except ValueError:
        return "", ""
    return (host, parts.path) if parts.scheme in ("http", "https") and not re.search(r"\s", text) else ("", "")
