"""One step of the engine, committed as a whole: the Run, its history, its sends, questions and messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from tmux_sentry.contracts import ApprovalRequest, Decision, DeliveryResult, Message, Vote
from tmux_sentry.engine.events import Record, Send
from tmux_sentry.engine.run import Run, to_json
from tmux_sentry.security.outlet import text_out
from tmux_sentry.state import channels, links, outbox, requests
from tmux_sentry.state.records import ChannelHealth, Link, Outgoing, PaneState, Planned, Rules, RunNames, Silence
from tmux_sentry.state.tables import intents, pane_keys, pane_states, runs, sends, stage_history
from tmux_sentry.state.times import iso, iso_or_none

#: Characters of a person's comment that are kept.
COMMENT = 1000


class Transaction:
    """The writes of one `Store.transaction()`. Nothing is on disk before that block ends."""

    def __init__(self, connection: Connection, now: float, redact: Callable[[str], str]) -> None:
        self._connection = connection
        self._now = now
        self._redact = redact

    def save_run(self, run: Run, names: RunNames) -> None:
        """Write the Run as it is now."""
        values = {
            "pipeline": run.pipeline.name,
            "host": run.pane.host,
            "server": run.pane.server,
            "pane_key": run.pane.key,
            "pane_id": run.pane.pane_id,
            "pane_name": _storable(run.pane_name),
            "session_name": _storable(names.session_name),
            "window_name": _storable(names.window_name),
            "window_index": names.window_index,
            "pane_index": names.pane_index,
            "status": run.status,
            "policy_digest": run.policy_digest,
            "source": json.dumps(run.pipeline.source),
            "state": json.dumps(to_json(run)),
            "started_at": run.started_at,
            "finished_at": run.finished_at,
        }
        self._connection.execute(
            insert(runs).values(id=run.id, **values).on_conflict_do_update(index_elements=["id"], set_=values)
        )

    def record(self, run: Run, record: Record) -> None:
        """Write the row of `stage_history` of this stage and attempt."""
        key = {"run_id": run.id, "stage": record.stage, "attempt": record.attempt}
        values = {
            "host": run.pane.host,
            "pane_id": run.pane.pane_id,
            "pipeline": run.pipeline.name,
            "status": record.status,
            "reason": self._say(record.reason),
            "started_at": iso_or_none(record.started_at),
            "finished_at": iso_or_none(record.finished_at),
            "approved_by": self._say(record.approved_by) or None,
        }
        self._connection.execute(
            insert(stage_history).values(**key, **values).on_conflict_do_update(index_elements=list(key), set_=values)
        )

    # ------------------------------------------------------------------------ sends

    def plan_send(self, run: Run, send: Send, at: float) -> None:
        """Write down what is about to be typed; the intents come when its turn has come."""
        values = {
            "run_id": run.id,
            "stage": send.stage,
            "attempt": send.attempt,
            "pane_key": run.pane.key,
            "keys": json.dumps(asdict(send.keys)),
            "status": "planned",
            "reason": "",
            "planned_at": at,
        }
        self._connection.execute(
            insert(sends)
            .values(action_id=send.action_id, **values)
            .on_conflict_do_update(index_elements=["action_id"], set_=values)
        )

    def finish_send(self, action_id: str) -> None:
        """The send was carried out whole: its injected steps are done."""
        self._end_send(action_id, "done", "")
        self._connection.execute(
            update(intents)
            .where(intents.c.action_id == action_id, intents.c.status == "injected")
            .values(status="done", settled_at=self._now)
        )

    def drop_send(self, action_id: str, reason: str) -> None:
        """Give the send up. Its intents keep saying what is known of them, but are not open any more."""
        self._end_send(action_id, "dropped", reason)

    def _end_send(self, action_id: str, status: str, reason: str) -> None:
        self._connection.execute(
            update(sends).where(sends.c.action_id == action_id).values(status=status, reason=self._say(reason))
        )

    # -------------------------------------------------------------------- approvals

    def open_approval(self, request: ApprovalRequest, rules: Rules) -> None:
        """Write a request down as pending. One that is there already stays as it is."""
        requests.open_approval(self._connection, request, rules)

    def show_approval(self, approval_id: str, shown: Mapping[str, str]) -> None:
        """Remember where people can see the request: backend -> path or URL."""
        requests.show_approval(self._connection, approval_id, shown)

    def close_approval(self, approval_id: str, outcome: str, at: float) -> None:
        """Settle a request that nobody decided; a decided one stays as it was decided."""
        requests.close_approval(self._connection, approval_id, outcome, at)

    def decide(self, decision: Decision, digest: str, by: str) -> bool:
        """Settle a request by everybody in `by`; False when it is late, unknown, or for another digest."""
        return requests.decide(self._connection, self._said(decision), digest, self._say(by))

    def vote(self, decision: Decision, digest: str, *, counted: bool) -> None:
        """Write an answer down, whether it counts or not."""
        requests.vote(self._connection, self._said(decision), digest, counted=counted)

    def votes(self, approval_id: str) -> list[Vote]:
        """Every answer to a request so far."""
        return requests.votes_of(self._connection, approval_id)

    def _said(self, decision: Decision) -> Decision:
        comment = text_out(decision.comment, self._redact, COMMENT)
        return replace(decision, by=self._say(decision.by), comment=comment, known=self._say(decision.known))

    def add_link(self, link: Link) -> None:
        """Write a link, a login link or a session down."""
        links.add(self._connection, replace(link, recipient=self._say(link.recipient)))

    def use_link(self, hash: str) -> bool:
        """Use one up; False when it was used, revoked or is too old."""
        return links.use(self._connection, hash, self._now)

    def revoke_links(self, *, hash: str = "", approval_id: str = "") -> int:
        """Let one, those of a request, or (with neither) all of them open nothing any more; returns how many."""
        return links.revoke(self._connection, self._now, hash=hash, approval_id=approval_id)

    def wrong_code(self, hash: str) -> int:
        """One more wrong code for a link; returns how many there were."""
        return links.wrong_code(self._connection, hash)

    # ---------------------------------------------------------------- people, panes

    def enqueue(
        self, message: Message, channels: Iterable[str | Planned], dedupe_key: str, *, matter: str = "", ends: str = ""
    ) -> None:
        """Queue a message once for each channel; without a key, its id is the key.

        It opens a `matter`, which what is still to be told of ends with, or `ends` one.
        """
        outbox.enqueue(self._connection, message, channels, dedupe_key, self._now, matter, ends)

    def end_matter(self, matter: str) -> tuple[list[str], str]:
        """Nothing more is told of a matter; returns the channels that have told of it, and its thread."""
        return outbox.end_matter(self._connection, matter, self._now)

    def tried(self, outgoing: Outgoing, result: DeliveryResult) -> bool:
        """Write one attempt down: delivered, dead, or due again later; returns whether the message is dead now."""
        said = replace(result, detail=self._say(result.detail))
        return outbox.tried(self._connection, outgoing, said, self._now)

    def merge(self, together: Sequence[Outgoing], message: Message) -> None:
        """Tell these messages of one channel in one."""
        outbox.merge(self._connection, together, message, self._now)

    def channel(self, name: str) -> ChannelHealth:
        """How a channel does."""
        return channels.health(self._connection, name)

    def save_channel(self, health: ChannelHealth) -> None:
        """Write down how a channel does."""
        channels.save(self._connection, replace(health, why=self._say(health.why)))

    def silences(self) -> list[Silence]:
        """What is silenced now."""
        return channels.silent(self._connection, self._now)

    def silence(self, one: Silence) -> None:
        """Begin a silence."""
        channels.silence(self._connection, replace(one, reason=self._say(one.reason)))

    def speak(self, id: str) -> bool:
        """End a silence; False when there is none of that id."""
        return channels.speak(self._connection, id)

    def upsert_pane(self, row: PaneState) -> None:
        """Write what is known of a pane. Another pane under the same id takes the row over, `first_seen_at` too."""
        where = {"host": row.identity.host, "pane_id": row.identity.pane_id}
        known = self._connection.execute(select(pane_keys.c.pane_key).filter_by(**where)).scalar()
        values = {
            "session_name": self._say(row.session_name),
            "window_name": self._say(row.window_name),
            "window_index": row.window_index,
            "pane_index": row.pane_index,
            "agent": row.agent,
            "state": row.state,
            "stage": row.stage,
            "pipeline": row.pipeline,
            "confidence": row.confidence,
            "trust": None if row.trust is None else row.trust.name.lower(),
            "last_signal": self._say(row.last_signal),
            "updated_at": iso(row.updated_at),
        }
        changed = dict(values)
        if known != row.identity.key:
            changed["first_seen_at"] = iso(row.updated_at)
            self._connection.execute(
                insert(pane_keys)
                .values(pane_key=row.identity.key, **where)
                .on_conflict_do_update(index_elements=list(where), set_={"pane_key": row.identity.key})
            )
        self._connection.execute(
            insert(pane_states)
            .values(first_seen_at=iso(row.updated_at), **where, **values)
            .on_conflict_do_update(index_elements=list(where), set_=changed)
        )

    def drop_pane(self, host: str, pane_id: str) -> None:
        """The pane is gone: forget its row. Idempotent."""
        for table in (pane_states, pane_keys):
            self._connection.execute(delete(table).where(table.c.host == host, table.c.pane_id == pane_id))

    def _say(self, text: str) -> str:
        """Text from outside on its way into a table: no secret, no control character."""
        return text_out(text, self._redact)


def _storable(text: str) -> str:
    """Names are kept as tmux said them; only what SQLite cannot hold (a lone surrogate) becomes `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")
