"""The Store: everything that must survive, behind one door. Any thread may use it."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from tmux_sentry.contracts import DeliveryResult, PaneIdentity, Vote
from tmux_sentry.errors import UsageError
from tmux_sentry.security.outlet import text_out
from tmux_sentry.state import channels, journal, links, observe, outbox, requests, restore, retention, views
from tmux_sentry.state.backup import Kind
from tmux_sentry.state.database import Database, open_database, open_readonly
from tmux_sentry.state.records import (
    ChannelHealth,
    Fence,
    Intent,
    IntentStatus,
    Link,
    Observing,
    Outgoing,
    PastRun,
    RunRow,
    Silence,
    Step,
    StoredApproval,
    StoredRun,
)
from tmux_sentry.state.tables import meta
from tmux_sentry.state.transaction import Transaction

if TYPE_CHECKING:
    from tmux_sentry.clock import Clock


def _same(text: str) -> str:
    return text


class Store:
    """Runs, panes, approvals, the journal of sends and the outbox, in one SQLite file."""

    def __init__(
        self, database: Database, clock: Clock, redact: Callable[[str], str] = _same, keep: float = retention.KEEP
    ) -> None:
        self._database = database
        self._clock = clock
        self._redact = redact
        self._keep = keep
        with database.read() as connection:
            #: This database's own name, a random word: the owner mark that its panes carry.
            self.instance = _get(connection, "instance") or ""
            #: Nothing is started and nothing is typed: why, or None. Nobody else changes it while this one is open.
            self.observing: Observing | None = observe.read(connection)
            #: The epoch of panes that the journal does not know.
            self.first_epoch = int(_get(connection, restore.EPOCH) or 1)

    @classmethod
    def open(
        cls,
        path: Path | None,
        clock: Clock,
        *,
        allow_network_fs: bool = False,
        keep: float = retention.KEEP,
        redact: Callable[[str], str] = _same,
    ) -> Store:
        """The store at `path` (made if there is none), or in memory for None.

        `redact` takes configured secrets out of free text before it is stored; what has ended stays for `keep`
        seconds. Hold the InstanceLock first.
        Raises DatabaseDamaged, Refused or SentryError; a file that is there is never replaced.
        """
        database = open_database(path, allow_network_fs=allow_network_fs)
        try:
            with database.write() as connection:
                token = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(22))
                connection.execute(insert(meta).values(key="instance", value=token).on_conflict_do_nothing())
            return cls(database, clock, redact, keep)
        except BaseException:
            database.close()
            raise

    @classmethod
    def open_readonly(cls, path: Path, clock: Clock) -> Store:
        """The same for listings only, also while another process writes. Raises SentryError when there is none."""
        return cls(open_readonly(path), clock)

    def close(self) -> None:
        """Close the database. Idempotent."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One BEGIN IMMEDIATE ... COMMIT: on disk when the block ends, undone when it raises. Does not nest."""
        with self._database.write() as connection:
            yield Transaction(connection, self._clock.now(), self._redact)

    # ----------------------------------------------------------------- runs and panes

    def open_runs(self) -> list[StoredRun]:
        """Runs to resume, oldest first."""
        with self._database.read() as connection:
            return views.open_runs(connection)

    def runs(self, limit: int = 50, open_only: bool = False) -> list[RunRow]:
        """Runs for people, newest first."""
        with self._database.read() as connection:
            return views.list_runs(connection, limit, open_only)

    def run(self, run_id: str) -> StoredRun | None:
        """One Run by its whole id."""
        with self._database.read() as connection:
            return views.run(connection, run_id)

    def find_run(self, prefix: str) -> StoredRun:
        """The one Run whose id starts with `prefix`. Raises UsageError for none and for several."""
        with self._database.read() as connection:
            ids = views.run_ids(connection, prefix) if prefix else []
            found = views.run(connection, ids[0]) if len(ids) == 1 else None
        if found is None:
            why = f"it could be {', '.join(ids)}" if ids else "there is none with that id"
            raise UsageError(f"no single run is called {prefix!r}", why, "see `tmux-sentry runs list`")
        return found

    def past_runs(self) -> list[PastRun]:
        """Every Run there ever was, oldest first: what was run on which pane, under which names."""
        with self._database.read() as connection:
            return views.past_runs(connection)

    def history(self, *, pipeline: str | None = None, host: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
        """Rows of stage_history, newest first, with `duration` in seconds (None until both times are known)."""
        with self._database.read() as connection:
            return views.history(connection, pipeline, host, limit)

    def pane_states(self) -> list[dict[str, Any]]:
        """Rows of pane_states."""
        with self._database.read() as connection:
            return views.panes(connection)

    # ---------------------------------------------------------------------- approvals

    def pending_approvals(self) -> list[StoredApproval]:
        """Requests that wait for a person, oldest first."""
        with self._database.read() as connection:
            return requests.pending(connection)

    def approval(self, approval_id: str) -> StoredApproval | None:
        """One request by its id."""
        with self._database.read() as connection:
            return requests.approval(connection, approval_id)

    def votes(self, approval_id: str) -> list[Vote]:
        """Every answer to a request, in the order in which they came."""
        with self._database.read() as connection:
            return requests.votes_of(connection, approval_id)

    def link(self, hash: str) -> Link | None:
        """A link, a login link or a session, by the hash of its token."""
        with self._database.read() as connection:
            return links.find(connection, hash)

    def newest_link(self, approval_id: str, channel: str) -> float | None:
        """When the newest link of a request by a channel was made."""
        with self._database.read() as connection:
            return links.newest(connection, approval_id, channel)

    # -------------------------------------------------------------- journal of sends

    def intend(
        self,
        action_id: str,
        step: Step,
        *,
        pane: PaneIdentity,
        epoch: int,
        previous: int,
        marker: int,
        payload_sha256: str,
        command: str,
        cursor: tuple[int, int],
        expires_at: float,
    ) -> None:
        """Commit the intent to do `step` and raise the pane's fence to `marker`; BEFORE the guard is asked.

        Raises Refused when the last try is not settled as refused or void, or the fence does not
        stand at `epoch` and below `marker`. Then nothing may be sent.
        """
        with self._database.write() as connection:
            journal.intend(
                connection,
                action_id,
                step,
                pane=pane,
                epoch=epoch,
                previous=previous,
                marker=marker,
                payload_sha256=payload_sha256,
                command=command,
                cursor=cursor,
                expires_at=expires_at,
                at=self._clock.now(),
            )

    def settle(self, action_id: str, step: Step, status: IntentStatus, reason: str = "") -> None:
        """Commit what became of the step's last try. Raises LookupError when it was never intended."""
        with self._database.write() as connection:
            journal.settle(connection, action_id, step, status, text_out(reason, self._redact), self._clock.now())

    def open_intents(self) -> list[Intent]:
        """Tries that are not known to be over (`intent`, `unknown`, `injected`), oldest first: to be recovered."""
        with self._database.read() as connection:
            return journal.open_intents(connection)

    def intents(self, action_id: str) -> list[Intent]:
        """Every try of every step of one send, oldest first."""
        with self._database.read() as connection:
            return journal.intents_of(connection, action_id)

    def fence(self, pane_key: str) -> Fence | None:
        """The highest epoch and marker of a pane that the journal knows."""
        with self._database.read() as connection:
            return journal.fence(connection, pane_key)

    def fence_before_respawn(self, pane: PaneIdentity) -> Fence | None:
        """The same of the tmux pane under an earlier process."""
        with self._database.read() as connection:
            return journal.fence_before_respawn(connection, pane)

    def save_fence(self, pane_key: str, epoch: int, marker: int) -> None:
        """Commit a pane's fence after adoption; it never goes down."""
        with self._database.write() as connection:
            journal.save_fence(connection, pane_key, epoch, marker)

    # ---------------------------------------------------------------- backup, restore

    def go_on(self) -> None:
        """Commit that a person has said go: the end of `observing`."""
        with self._database.write() as connection:
            observe.clear(connection)
        self.observing = None

    @property
    def path(self) -> Path | None:
        """The file; None in memory."""
        return self._database.path

    def backup(self, kind: Kind) -> Path:
        """Make a snapshot in `backups/`; returns its path. Raises SentryError or OSError."""
        return self._database.backup(kind, self._clock.now())

    def prune(self) -> int:
        """Remove a batch of what ended long ago; returns how many rows, 0 when there is no more."""
        with self._database.write() as connection:
            return retention.prune(connection, self._clock.now(), self._keep)

    # ------------------------------------------------------------------------- outbox

    def due_messages(self, channel: str, limit: int = 50) -> list[Outgoing]:
        """Messages to send by `channel` now, the longest overdue first."""
        with self._database.read() as connection:
            return outbox.due(connection, channel, self._clock.now(), limit)

    def next_message_due(self, channel: str) -> float | None:
        """When the next message of `channel` is due (epoch seconds); None when nothing waits."""
        with self._database.read() as connection:
            return outbox.next_due(connection, channel)

    def message_tried(self, outgoing: Outgoing, result: DeliveryResult) -> None:
        """Commit one attempt's result: delivered, dead, or due again later."""
        with self.transaction() as tx:
            tx.tried(outgoing, result)

    def attempts_since(self, channel: str, since: float) -> list[float]:
        """When messages may have reached the provider of `channel` since then, oldest first."""
        with self._database.read() as connection:
            return outbox.attempts_since(connection, channel, since)

    def give_up_messages(self, channel: str) -> int:
        """What has waited for a day on a channel that is off is dead; returns how many."""
        with self._database.write() as connection:
            return outbox.give_up(connection, channel, self._clock.now())

    def revive_messages(self, ids: Iterable[int] | None = None, channel: str | None = None) -> int:
        """Give dead messages (all, or those of `ids` or of `channel`) another 24 hours; returns how many there were."""
        with self._database.write() as connection:
            return outbox.revive(connection, ids, self._clock.now(), channel)

    def messages(self, limit: int = 50, channel: str | None = None) -> Sequence[Outgoing]:
        """The newest messages, newest first, whatever became of them."""
        with self._database.read() as connection:
            return outbox.log(connection, limit, channel)

    def undelivered(self, since: float, local: Collection[str]) -> list[Outgoing]:
        """Messages of since then that reach nobody; `local` channels do not count."""
        with self._database.read() as connection:
            off = [one.name for one in channels.unwell(connection) if one.state == "off"]
            return outbox.undelivered(connection, since, local, off)

    def channel(self, name: str) -> ChannelHealth:
        """How a channel does."""
        with self._database.read() as connection:
            return channels.health(connection, name)

    def unwell_channels(self) -> list[ChannelHealth]:
        """The channels that are not fine, by name."""
        with self._database.read() as connection:
            return channels.unwell(connection)

    def silences(self) -> list[Silence]:
        """What is silenced now, oldest first."""
        with self._database.read() as connection:
            return [one for one in channels.silences_of(connection) if one.until > self._clock.now()]

    # ------------------------------------------------------------------- signs of life

    def heartbeat(self) -> None:
        """Commit that this instance is alive now."""
        with self._database.write() as connection:
            _put(connection, "seen_at", repr(self._clock.now()))

    def save_clients(self, host: str, pids: Iterable[int]) -> None:
        """Commit which tmux clients of ours are attached on a host, for the next instance to look after."""
        with self._database.write() as connection:
            _put(connection, f"clients {host}", json.dumps(sorted(pids)))

    def clients(self, host: str) -> list[int]:
        """Process ids that `save_clients` wrote down last."""
        with self._database.read() as connection:
            return list(json.loads(_get(connection, f"clients {host}") or "[]"))

    def save_newer_agents(self, names: Iterable[str]) -> None:
        """Commit which agents were seen that are newer than what is known of them, for the doctor."""
        with self._database.write() as connection:
            _put(connection, "newer agents", json.dumps(sorted(names)))

    def pane_secret(self, pane_key: str) -> str | None:
        """What `save_pane_secret` kept for a pane."""
        with self._database.read() as connection:
            return _get(connection, f"pane-key/{pane_key}")

    def panes_with_secrets(self, host: str) -> list[str]:
        """The keys of the host's panes for which something is kept."""
        prefix = f"pane-key/{host}/"
        with self._database.read() as connection:
            found = connection.execute(select(meta.c.key).where(meta.c.key.startswith(prefix, autoescape=True)))
            return [str(key).removeprefix("pane-key/") for key in found.scalars()]

    def save_pane_secret(self, pane_key: str, kept: str | None) -> None:
        """Keep what verifies a pane's events; None forgets it."""
        with self._database.write() as connection:
            if kept is None:
                connection.execute(delete(meta).where(meta.c.key == f"pane-key/{pane_key}"))
            else:
                _put(connection, f"pane-key/{pane_key}", kept)

    def seen_at(self) -> float | None:
        """The last heartbeat in epoch seconds; None before the first."""
        with self._database.read() as connection:
            value = _get(connection, "seen_at")
            return None if value is None else float(value)


def _get(connection: Connection, key: str) -> str | None:
    found: str | None = connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
    return found


def _put(connection: Connection, key: str, value: str) -> None:
    new = insert(meta).values(key=key, value=value)
    connection.execute(new.on_conflict_do_update(index_elements=["key"], set_={"value": value}))
