"""Posts messages: by an incoming webhook, or as a bot in threads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from tmux_sentry import (
    Answer,
    Delivery,
    DeliveryResult,
    HttpError,
    Level,
    Message,
    Notifier,
    clean,
    exchange,
    refusal,
)
from tmux_sentry_notify_slack import blocks, words
from tmux_sentry_notify_slack.settings import Bot, Hook, Wrong, is_id, read

#: Seconds for a request after the first: `send` has a minute for all of them.
SECOND = 10.0
_RECEIPT = re.compile(r"([CDGUW][A-Z0-9]+):(\d+\.\d+)", re.ASCII)
#: Nothing on an address in a message is fetched: an approval's link is for people.
_QUIET = {"unfurl_links": False, "unfurl_media": False}


def make(settings: Mapping[str, str]) -> Notifier:
    """The channel that the settings ask for."""
    try:
        way = read(settings)
    except Wrong as wrong:
        return NotSetUp(str(wrong))
    return HookNotifier(way) if isinstance(way, Hook) else BotNotifier(way)


@dataclass(frozen=True)
class NotSetUp:
    """Says of every message what is wrong with the settings."""

    why: str

    def problem(self) -> str:
        """What is wrong with the settings."""
        return self.why

    def send(self, message: Message) -> DeliveryResult:
        return DeliveryResult(outcome=Delivery.PERMANENT, detail=self.why, whole_channel=True)


@dataclass(frozen=True)
class HookNotifier:
    """Posts by an incoming webhook, which tells no receipt: no threads, no edits."""

    hook: Hook

    def send(self, message: Message) -> DeliveryResult:
        whole = {"text": blocks.beside(message), "blocks": blocks.blocks(message), **_QUIET}
        result, word = self._post(whole)
        if word not in words.SHAPE:
            return result
        return _plain_instead(word, self._post({"text": blocks.short(message), "mrkdwn": False, **_QUIET}, SECOND)[0])

    def _post(self, payload: Mapping[str, Any], timeout: float | None = None) -> tuple[DeliveryResult, str]:
        """What became of one request, and Slack's word for why not."""
        answer = _exchange(self.hook.url, payload, keys_of(self.hook.url), timeout=timeout)
        if isinstance(answer, DeliveryResult):
            return answer, ""
        said = answer.body.decode("utf-8", "replace").strip()
        if answer.status == 200 and said == "ok":
            return DeliveryResult(outcome=Delivery.DELIVERED, detail=answer.words()), ""
        word = said if said in words.KNOWN or re.fullmatch("restricted_action[a-z_]*", said) else ""
        if word and answer.status != 429:
            return words.judged(word, answer.words(), answer.retry_after()), word
        if not 200 <= answer.status < 300:
            return refusal(answer), ""
        if said.startswith("<"):
            return DeliveryResult(outcome=Delivery.RETRY, detail=f"a web page, not Slack: {answer.words()}"), ""
        # Another service that takes Slack's messages: it may well have shown this one.
        return DeliveryResult(outcome=Delivery.UNKNOWN, detail=f"Slack answers `ok`; this is {answer.words()}"), ""


@dataclass(frozen=True)
class BotNotifier:
    """Posts with chat.postMessage; the receipt is "channel:ts"."""

    bot: Bot

    def send(self, message: Message) -> DeliveryResult:
        result = self._told(message)
        ended = self._place(message.ends)
        if result.outcome is not Delivery.DELIVERED or ended is None:
            return result
        return replace(result, detail=self._edited(ended, message) or result.detail)

    def _told(self, message: Message) -> DeliveryResult:
        """Post the message; where Slack refuses its thread or its looks, once more without."""
        whole = {"text": blocks.beside(message), "blocks": blocks.blocks(message), **_QUIET}
        # A reply's own timestamp opens no thread: the thread is the first message's.
        thread = self._place(message.first) or self._place(message.ends)
        where: dict[str, Any] = {"channel": self.bot.channel}
        if thread is not None:
            where = {"channel": thread[0], "thread_ts": thread[1]}
            # Replies are only shown to those who follow the thread: what waits for somebody must be seen by all.
            where["reply_broadcast"] = message.level >= Level.APPROVAL
        result, word = self._call("chat.postMessage", {**where, **whole})
        moved = where["channel"] != self.bot.channel and word in words.PLACE
        if thread is not None and (word in words.THREAD or moved):
            where = {"channel": self.bot.channel}
            result, word = self._call("chat.postMessage", {**where, **whole}, SECOND)
        if word not in words.SHAPE:
            return result
        plain = {**where, "text": blocks.short(message), "mrkdwn": False, **_QUIET}
        return _plain_instead(word, self._call("chat.postMessage", plain, SECOND)[0])

    def _edited(self, place: tuple[str, str], message: Message) -> str:
        """Put under an earlier message that its matter has ended; a word of why not.

        Without `text` and `blocks` its own stay (https://docs.slack.dev/reference/methods/chat.update, 2026-11).
        """
        shown = {"blocks": blocks.answered(message), "fallback": blocks.for_slack_text(clean(message.title, 300))}
        edit = {"channel": place[0], "ts": place[1], "parse": "none", "link_names": False, "attachments": [shown]}
        result, _ = self._call("chat.update", edit, SECOND)
        if result.outcome is Delivery.DELIVERED:
            return ""
        return f"told, but the message that it ends was not edited: {result.detail}"

    def _place(self, receipt: str) -> tuple[str, str] | None:
        """Channel and timestamp of a receipt; None when it is none of this channel."""
        found = _RECEIPT.fullmatch(receipt)
        if found is None or (is_id(self.bot.channel) and found[1] != self.bot.channel):
            return None
        return found[1], found[2]

    def _call(
        self, method: str, payload: Mapping[str, Any], timeout: float | None = None
    ) -> tuple[DeliveryResult, str]:
        """What became of one request, and Slack's word for why not."""
        headers = {"Authorization": f"Bearer {self.bot.token}"}
        answer = _exchange(f"{self.bot.api}/{method}", payload, [self.bot.token], headers, timeout)
        if isinstance(answer, DeliveryResult):
            return answer, ""
        data = answer.json()
        if not isinstance(data, dict) or answer.status == 429 or not isinstance(data.get("ok"), bool):
            if not 200 <= answer.status < 300:
                return refusal(answer), ""
            return DeliveryResult(outcome=Delivery.RETRY, detail=f"not Slack's answer: {answer.words()}"), ""
        if data["ok"] and 200 <= answer.status < 300:
            receipt = f"{data.get('channel')}:{data.get('ts')}"
            known = receipt if _RECEIPT.fullmatch(receipt) else ""
            detail = f"HTTP {answer.status}: ok, {known or 'without a receipt'}"
            return DeliveryResult(outcome=Delivery.DELIVERED, detail=detail, receipt=known), ""
        word = str(data.get("error") or "")
        if answer.status >= 500 and word not in words.KNOWN:
            return refusal(answer), ""
        return words.judged(word, _said(data), answer.retry_after()), word


def keys_of(url: str) -> list[str]:
    """What of an address is a key, longest first: no detail may show it, not even where a server repeats it."""
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    # A word of the path is no key: one is long, or has digits and is not short.
    long = [part for part in re.split(r"[/?&=]", path) if len(part) >= 8]
    secret = [part for part in long if len(part) >= 16 or re.search(r"\d", part)]
    return sorted({url, path, *secret} - {"", "/"}, key=len, reverse=True)


def _exchange(
    url: str,
    payload: Mapping[str, Any],
    keys: list[str],
    headers: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> Answer | DeliveryResult:
    """Slack's answer, in which no key is repeated, or why there is none."""
    body = json.dumps(payload, ensure_ascii=False).encode()
    kind = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    try:
        answer = exchange("POST", url, headers=kind, body=body, timeout=timeout)
    except HttpError as error:
        return error.result()
    said = answer.body
    for key in keys:
        said = said.replace(key.encode(), b"***")
    return replace(answer, body=said)


def _said(data: Mapping[str, Any]) -> str:
    """All that Slack says of why not: the word, the scopes, and where in the blocks."""
    more = [f"{name} {data[name]}" for name in ("needed", "provided") if isinstance(data.get(name), str)]
    metadata = data.get("response_metadata")
    notes = metadata.get("messages") if isinstance(metadata, dict) else None
    more += [note for note in notes if isinstance(note, str)][:3] if isinstance(notes, list) else []
    return clean(": ".join([f"Slack: {data.get('error') or 'no word of why'}", *more]), 300)


def _plain_instead(word: str, result: DeliveryResult) -> DeliveryResult:
    """The result of the second attempt, with why there was one."""
    if result.outcome is Delivery.DELIVERED:
        return replace(result, detail=f"as short plain text, because Slack refused the whole: {word}")
    return result
