"""Sends messages by ServerChan, which tells its errors by a `code`, with HTTP 200 or 400, and by words.

Source: https://github.com/easychen/serverchan-sdk (2024-10-16). The errors are documented nowhere: they are what users
of the service have recorded.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from tmux_sentry import (
    Answer,
    Delivery,
    DeliveryResult,
    HttpError,
    Message,
    clean,
    exchange,
    refusal,
)
from tmux_sentry_notify_serverchan import render
from tmux_sentry_notify_serverchan.configured import configured

# 40001 "[AUTH]..." says that something is not allowed; only its words tell a quota from a wrong key. 471 has been
# seen in its place.
_NOT_ALLOWED = {40001, 471}
_WRONG_KEY = "用户不存在或者权限不足"
_BY_THE_MINUTE = "超过分钟的发送次数限制"
_BY_THE_DAY = "超过当天的发送次数限制"
_AGAIN = "不要重复发送同样的内容"

#: Seconds to wait where the service counts by the minute.
PAUSE = 60.0
#: The clock by which the service's day ends (China has no summer time), and seconds for clocks that differ.
_SHANGHAI = timezone(timedelta(hours=8))
_MARGIN = 60.0
_REMEMBERED = 200
_HEADERS = {"Content-Type": "application/json; charset=utf-8"}


class ServerchanNotifier:
    """Delivers by one SendKey. `now` is the time in epoch seconds."""

    def __init__(self, settings: Mapping[str, str], *, now: Callable[[], float] = time.time) -> None:
        self._configured = configured(settings)
        self._now = now
        self._unknown: dict[str, None] = {}  # messages whose answer was lost

    def problem(self) -> str:
        """What is wrong with the settings, if anything."""
        return self._configured.refused

    def send(self, message: Message) -> DeliveryResult:
        """Deliver one message, cut where it is too long: each one counts against the quota of a day."""
        if self._configured.refused:
            detail = self._configured.refused
            return DeliveryResult(outcome=Delivery.PERMANENT, detail=detail, whole_channel=True)
        asked_before = message.id in self._unknown
        try:
            answer = exchange("POST", self._configured.url, headers=_HEADERS, body=self._body(message))
        except HttpError as error:
            if error.outcome is Delivery.UNKNOWN:
                self._remember(message.id)
            return error.result()
        result = self._read(answer, asked_before)
        if result.outcome is Delivery.DELIVERED:
            self._unknown.pop(message.id, None)
        return replace(result, detail=result.detail.replace(self._configured.secret, "(key)"))

    def _body(self, message: Message) -> bytes:
        data = {"title": render.title(message), "desp": render.page(message)}
        if short := render.card(message):
            data["short"] = short
        if self._configured.turbo:
            data["noip"] = "1"  # do not show this machine's address on the page
        return json.dumps(data, ensure_ascii=False).encode("utf-8")

    def _read(self, answer: Answer, asked_before: bool) -> DeliveryResult:
        """What an answer means, whatever its status: a spent quota has been seen with 200 and with 400."""
        data = answer.json()
        code = data.get("code") if isinstance(data, dict) else None
        if type(code) is not int:
            if 200 <= answer.status < 300:
                return DeliveryResult(outcome=Delivery.RETRY, detail=f"an answer without code: {answer.words()}")
            return refusal(answer)
        said = str(data.get("message") or data.get("info") or "")
        words = clean(f"code {code}: {said}" if said else f"code {code}", 300)
        if _AGAIN in said:
            return _repeated(words, asked_before)
        if _BY_THE_MINUTE in said:
            return DeliveryResult(outcome=Delivery.RETRY, detail=words, retry_after=PAUSE, whole_channel=True)
        if _WRONG_KEY in said:
            fix = "the service does not know the key in SERVERCHAN_API_KEY: set it anew"
            return DeliveryResult(outcome=Delivery.PERMANENT, detail=f"{words}; {fix}", whole_channel=True)
        if _BY_THE_DAY in said or code in _NOT_ALLOWED:
            return self._spent(words)
        if not 200 <= answer.status < 300:
            return replace(refusal(answer), detail=f"HTTP {answer.status}: {words}")
        return _done(data, words) if code == 0 else DeliveryResult(outcome=Delivery.PERMANENT, detail=words)

    def _spent(self, words: str) -> DeliveryResult:
        now = datetime.fromtimestamp(self._now(), _SHANGHAI)
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        detail = f"{words}; nothing more is taken before midnight in Shanghai"
        wait = (midnight - now).total_seconds() + _MARGIN
        return DeliveryResult(outcome=Delivery.RETRY, detail=detail, retry_after=wait, whole_channel=True)

    def _remember(self, id_: str) -> None:
        self._unknown[id_] = None
        while len(self._unknown) > _REMEMBERED:
            del self._unknown[next(iter(self._unknown))]


def _repeated(words: str, asked_before: bool) -> DeliveryResult:
    """The page is like no other but its own earlier attempt: then that one has arrived."""
    if asked_before:
        return DeliveryResult(outcome=Delivery.DELIVERED, detail=f"{words}; an earlier attempt has arrived")
    return DeliveryResult(outcome=Delivery.RETRY, detail=words, retry_after=2 * PAUSE)


def _done(data: Mapping[str, object], words: str) -> DeliveryResult:
    """Code 0: taken, if what is inside says so too."""
    inner = data.get("data")
    if isinstance(inner, Mapping) and inner.get("errno"):
        detail = clean(f"{words}; errno {inner['errno']}: {inner.get('error', '')}", 300)
        return DeliveryResult(outcome=Delivery.RETRY, detail=detail)
    receipt = str(inner.get("pushid") or "") if isinstance(inner, Mapping) else ""
    return DeliveryResult(outcome=Delivery.DELIVERED, detail=words, receipt=clean(receipt, 100))
