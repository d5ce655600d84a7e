"""Sends messages by a group robot, which tells its errors with HTTP 200 and an `errcode`.

Source: https://developer.work.weixin.qq.com/document/path/99110 (2025-08-07), codes: document/path/90313.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tmux_sentry import Answer, Delivery, DeliveryResult, Level, Message, clean, deliver
from tmux_sentry_notify_wechat.configured import EVERYBODY, configured
from tmux_sentry_notify_wechat.render import LIMITS, render
from tmux_sentry_notify_wechat.split import shortened, size, split

#: Seconds that the channel rests when the robot has sent too much; the provider counts by the minute.
PAUSE = 60.0
#: Seconds after which no further part is begun: the core gives a call 60, and one part may take 30.
PATIENCE = 25.0

# "request too often" and "too many at the same time"; -1 is "system busy, try again up to three times".
_TOO_OFTEN = {45009, 45033}
_BUSY = -1
_TOO_LONG = 40058
_NO_ROBOT = 93000
# A message of fewer bytes is not refused for its length.
_SHORT = 600
_REMEMBERED = 200


class _TooLong(Exception):
    """The provider refuses the content; its words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Post:
    kind: str
    content: str
    users: tuple[str, ...] = ()
    mobiles: tuple[str, ...] = ()

    def body(self) -> bytes:
        """JSON without \\u escapes, which the service does not take everywhere (errcode 40033)."""
        about: dict[str, object] = {"content": self.content}
        if self.users:
            about["mentioned_list"] = self.users
        if self.mobiles:
            about["mentioned_mobile_list"] = self.mobiles
        return json.dumps({"msgtype": self.kind, self.kind: about}, ensure_ascii=False).encode("utf-8")


class WechatNotifier:
    """Delivers by one robot. Remembers which parts of a long message have arrived, until all have.

    `patience` is the time in seconds after which the other parts are left for the next attempt.
    """

    def __init__(self, settings: Mapping[str, str], *, patience: float = PATIENCE) -> None:
        self._configured = configured(settings)
        self._patience = patience
        self._arrived: dict[str, tuple[int, int]] = {}  # by message: parts that have arrived, of how many

    def problem(self) -> str:
        """What is wrong with the settings, if anything."""
        return self._configured.refused

    def send(self, message: Message) -> DeliveryResult:
        """Deliver all parts, or those that an earlier attempt has not."""
        if self._configured.refused:
            detail = self._configured.refused
            return DeliveryResult(outcome=Delivery.PERMANENT, detail=detail, whole_channel=True)
        posts = self._posts(message)
        arrived, of = self._arrived.pop(message.id, (0, 0))
        begin = arrived if of == len(posts) else 0
        result = self._send(posts, begin, message.id)
        return replace(result, detail=result.detail.replace(self._configured.secret, "(key)"))

    def _send(self, posts: list[_Post], begin: int, id_: str) -> DeliveryResult:
        started = time.monotonic()
        told: dict[str, None] = {}
        for number, post in enumerate(posts[begin:], start=begin + 1):
            if number > begin + 1 and time.monotonic() - started > self._patience:
                result = DeliveryResult(outcome=Delivery.RETRY, detail="the service is slow")
            else:
                result = self._post(post)
            if result.outcome is not Delivery.DELIVERED:
                self._remember(id_, number - 1, len(posts))
                where = f" (part {number} of {len(posts)}; the parts before have arrived)" if number > 1 else ""
                return replace(result, detail=result.detail + where)
            told[result.detail] = None
        parts = [f"{len(posts)} parts"] if len(posts) > 1 else []
        detail = "; ".join([*told, *parts, *self._configured.notes])
        return DeliveryResult(outcome=Delivery.DELIVERED, detail=detail)

    def _posts(self, message: Message) -> list[_Post]:
        kind, users, mobiles = self._configured.kind, self._configured.users, self._configured.mobiles
        if message.level < Level.APPROVAL:
            users = mobiles = ()
        # A call that reaches somebody is worth more than colours: only `text` can call by number, or everybody.
        if (kind == "markdown_v2" and (users or mobiles)) or mobiles or EVERYBODY in users:
            kind = "text"
        call = " ".join(f"<@{user}>" for user in users) if kind == "markdown" else ""
        contents = split(render(message, kind, call), LIMITS[kind], f"#{message.short}")
        posts = [_Post(kind=kind, content=content) for content in contents]
        if kind == "text":
            posts[0] = replace(posts[0], users=users, mobiles=mobiles)
        return posts

    def _post(self, post: _Post) -> DeliveryResult:
        try:
            return self._deliver(post)
        except _TooLong as error:
            words = str(error)
        if size(post.content) > _SHORT:
            try:
                result = self._deliver(replace(post, content=shortened(post.content, size(post.content) // 2)))
            except _TooLong as error:
                words = str(error)
            else:
                return replace(result, detail=f"{result.detail}; shortened after {words}")
        return DeliveryResult(outcome=Delivery.PERMANENT, detail=words)

    def _deliver(self, post: _Post) -> DeliveryResult:
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return deliver(self._configured.url, body=post.body(), headers=headers, read=_read)

    def _remember(self, id_: str, arrived: int, of: int) -> None:
        if arrived:
            self._arrived[id_] = arrived, of
            while len(self._arrived) > _REMEMBERED:
                del self._arrived[next(iter(self._arrived))]


def _read(answer: Answer) -> DeliveryResult:
    """What an answer with HTTP 200 means: only its `errcode` says. Raises _TooLong."""
    data = answer.json()
    code = data.get("errcode") if isinstance(data, dict) else None
    if type(code) is not int:
        return DeliveryResult(outcome=Delivery.RETRY, detail=f"an answer without errcode: {answer.words()}")
    words = clean(f"errcode {code}: {data.get('errmsg', '')}", 300)
    if code == 0:
        return DeliveryResult(outcome=Delivery.DELIVERED, detail=words)
    if code == _TOO_LONG:
        raise _TooLong(words)
    if code == _BUSY:
        return DeliveryResult(outcome=Delivery.RETRY, detail=words)
    if code in _TOO_OFTEN:
        wait = max(PAUSE, answer.retry_after() or 0.0)
        return DeliveryResult(outcome=Delivery.RETRY, detail=words, retry_after=wait, whole_channel=True)
    if code == _NO_ROBOT:
        fix = "the robot's key is wrong or the robot was removed from the group: set WECHAT_WORK_WEBHOOK anew"
        return DeliveryResult(outcome=Delivery.PERMANENT, detail=f"{words}; {fix}", whole_channel=True)
    return DeliveryResult(outcome=Delivery.PERMANENT, detail=words)
