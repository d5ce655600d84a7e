"""Puts links into the messages that ask somebody, at the moment they are sent: no message that is stored has one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tmux_sentry.approvals.tokens import Tokens
from tmux_sentry.clock import Clock
from tmux_sentry.contracts import Level, Message, Notifier
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state.records import Link
from tmux_sentry.state.requests import PENDING
from tmux_sentry.state.store import Store

log = logging.getLogger(__name__)

#: Of more recipients than this, only the first get a link of their own.
RECIPIENTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """`address(token)` is the page of a token, "" where there is none. `ttl` is how many seconds a link lives."""

    store: Store
    clock: Clock
    tokens: Tokens
    address: Callable[[str], str]
    ttl: float

    def dress(self, message: Message, channel: str, notifier: Notifier) -> Message:
        """The message with a link for each recipient that the channel knows, or with one for whoever reads it.

        A repetition gets links of its own; those that it had stay good, as nobody knows whether they have arrived.
        """
        approval_id = message.fields.get("approval", "")
        if message.level is not Level.APPROVAL or not approval_id or not self.tokens:
            return message
        stored = self.store.approval(approval_id)
        if stored is None or stored.status != PENDING:
            return message
        high = stored.request.risk == "high"
        lines = {who: self._line(approval_id, channel, who, high) for who in self._recipients(notifier)}
        lines = {who: line for who, line in lines.items() if line}
        if list(lines) == [""]:
            return replace(message, answer="\n".join(part for part in (lines[""], message.answer) if part))
        return replace(message, links=lines)

    def _line(self, approval_id: str, channel: str, recipient: str, high: bool) -> str:
        now = self.clock.now()
        text, token = self.tokens.make("link", now + self.ttl)
        url = self.address(text)
        if not url:
            return ""
        link = Link(
            hash=token.hash,
            kind="link",
            approval_id=approval_id,
            channel=channel,
            recipient=recipient,
            created_at=now,
            expires_at=token.expires,
        )
        with self.store.transaction() as tx:
            tx.add_link(link)
        return f"{url}\ncode: {self.tokens.code(token)}" if high else url

    @staticmethod
    def _recipients(notifier: Notifier) -> Sequence[str]:
        ask = getattr(notifier, "recipients", None)
        try:
            found = [str(one) for one in ask()][:RECIPIENTS] if ask is not None else []
        except Exception as error:  # a plugin's fault takes the link away, not the message
            log.warning("notifications: %s: %s", type(error).__name__, clean(str(error)))
            found = []
        return found or [""]
