"""The tables as SQLAlchemy knows them. What makes them on disk is `migrations`; a test keeps the two equal.

`pane_states` and `stage_history` belong to the users: their names, columns and meanings are promised.
The others are internal. Times are UTC text in the users' tables and epoch seconds in the internal ones.
"""

from __future__ import annotations

from sqlalchemy import REAL, Column, Index, Integer, MetaData, Table, Text, UniqueConstraint, text

metadata = MetaData()


def _text(name: str, **more: object) -> Column[str]:
    return Column(name, Text, nullable=False, **more)  # type: ignore[arg-type]


def _integer(name: str, **more: object) -> Column[int]:
    return Column(name, Integer, nullable=False, **more)  # type: ignore[arg-type]


def _real(name: str) -> Column[float]:
    return Column(name, REAL, nullable=False)


# ------------------------------------------------------------------- the users' tables

pane_states = Table(
    "pane_states",
    metadata,
    _text("host", primary_key=True),
    _text("pane_id", primary_key=True),
    _text("session_name"),
    _text("window_name"),
    _integer("window_index"),
    _integer("pane_index"),
    _text("agent"),
    _text("state"),
    Column("stage", Text),
    Column("pipeline", Text),
    Column("confidence", REAL),
    Column("trust", Text),
    _text("last_signal"),
    _text("updated_at"),
    _text("first_seen_at"),
)

stage_history = Table(
    "stage_history",
    metadata,
    _integer("id", primary_key=True),
    _text("run_id"),
    _text("host"),
    _text("pane_id"),
    _text("pipeline"),
    _text("stage"),
    _integer("attempt"),
    _text("status"),
    _text("reason"),
    Column("started_at", Text),
    Column("finished_at", Text),
    Column("approved_by", Text),
    UniqueConstraint("run_id", "stage", "attempt"),
)

# ---------------------------------------------------------------------------- internal

meta = Table("meta", metadata, _text("key", primary_key=True), _text("value"))

# Which pane a row of pane_states is about: pane ids start at %0 again with every tmux server.
pane_keys = Table(
    "pane_keys", metadata, _text("host", primary_key=True), _text("pane_id", primary_key=True), _text("pane_key")
)

runs = Table(
    "runs",
    metadata,
    _text("id", primary_key=True),
    _text("pipeline"),
    _text("host"),
    _text("server"),
    _text("pane_key"),
    _text("pane_id"),
    _text("pane_name"),
    _text("session_name"),
    _text("window_name"),
    _integer("window_index"),
    _integer("pane_index"),
    _text("status"),
    _text("policy_digest"),
    _text("source"),  # JSON: the pipeline as its file had it
    _text("state"),  # JSON: engine.run.to_json
    _real("started_at"),
    Column("finished_at", REAL),
    Index("runs_status", "status"),
)

sends = Table(
    "sends",
    metadata,
    _text("action_id", primary_key=True),
    _text("run_id"),
    _text("stage"),
    _integer("attempt"),
    _text("pane_key"),
    _text("keys"),  # JSON: text, keys, enter
    _text("status"),  # planned, done, dropped
    _text("reason"),
    _real("planned_at"),
)

intents = Table(
    "intents",
    metadata,
    _integer("id", primary_key=True),
    _text("action_id"),
    _text("step"),
    _integer("try"),
    _text("pane"),  # JSON: PaneIdentity
    _text("pane_key"),
    _integer("epoch"),
    _integer("previous"),
    _integer("marker"),
    _text("payload_sha256"),
    _text("command"),
    _integer("cursor_column"),
    _integer("cursor_row"),
    _real("expires_at"),
    _text("status"),  # intent, injected, refused, unknown, void, done
    _text("reason"),
    _real("created_at"),
    Column("settled_at", REAL),
    UniqueConstraint("action_id", "step", "try"),
    UniqueConstraint("pane_key", "epoch", "marker"),
    Index("intents_status", "status"),
)

fences = Table("fences", metadata, _text("pane_key", primary_key=True), _integer("epoch"), _integer("marker"))

approvals = Table(
    "approvals",
    metadata,
    _text("id", primary_key=True),
    _text("request"),  # JSON: ApprovalRequest
    _text("run_id"),
    _text("digest"),
    _text("approvers"),  # JSON list
    _text("shown"),  # JSON: backend -> where
    _text("status"),  # pending, then approved, rejected, or the outcome it was closed with
    _real("created_at"),
    _real("expires_at"),
    Column("decided_at", REAL),
    Column("decided_by", Text),
    Column("channel", Text),
    Column("comment", Text),
    _text("rules", server_default="{}"),  # JSON: approvals.tally.Rules
    Column("until", REAL),  # no answer counts from then on
    Index("approvals_status", "status"),
)

votes = Table(
    "votes",
    metadata,
    _integer("id", primary_key=True),
    _text("approval_id"),
    _integer("approved"),
    _text("by"),
    _text("channel"),
    _text("comment"),
    _text("digest"),
    _integer("counted"),
    _real("at"),
    _text("known", server_default=""),  # how the channel knows who it was
    Index("votes_approval", "approval_id"),
)

links = Table(
    "links",
    metadata,
    _text("hash", primary_key=True),  # of the token's random part, which is nowhere else
    _text("kind"),  # link, login or session
    _text("approval_id"),  # "" for a login or a session
    _text("channel"),
    _text("recipient"),
    _real("created_at"),
    _real("expires_at"),
    Column("used_at", REAL),
    Column("revoked_at", REAL),
    _integer("wrong_codes", server_default=text("0")),
    Index("links_approval", "approval_id"),
    Index("links_expires", "expires_at"),
)

outbox = Table(
    "outbox",
    metadata,
    _integer("id", primary_key=True),
    _text("channel"),
    _text("dedupe_key"),
    _text("message"),  # JSON: Message
    _text("status"),  # pending, delivered, dead, dropped (moot before it was told), told (in another one), silenced
    _integer("tries"),
    _text("detail"),
    _real("created_at"),
    _real("next_at"),
    Column("settled_at", REAL),
    _text("thread", server_default=""),  # of the Message; "" is none
    _text("matter", server_default=""),  # what is open until somebody decides; "" is nothing
    _text("ends", server_default=""),  # the matter that this message ends
    _text("receipt", server_default=""),  # the channel's own name for the delivered message
    Column("repeat", REAL),  # seconds after which to tell it again while its matter is open
    Column("told_in", Integer),  # id of the row that tells this one and others
    UniqueConstraint("dedupe_key", "channel"),
    Index("outbox_due", "status", "next_at"),
    Index("outbox_thread", "thread", "channel", sqlite_where=text("thread != ''")),
    Index("outbox_matter", "matter", sqlite_where=text("matter != ''")),
)

deliveries = Table(
    "deliveries",
    metadata,
    _integer("id", primary_key=True),
    _integer("outbox_id"),
    _text("channel"),
    _real("at"),
    _text("outcome"),  # delivered, retry, permanent, unknown
    _text("detail"),
    Index("deliveries_channel", "channel", "at"),
    Index("deliveries_outbox", "outbox_id"),
)

channels = Table(
    "channels",
    metadata,
    _text("name", primary_key=True),
    _text("state"),  # on, failing, resting, off
    _text("why"),
    _real("since"),
    Column("until", REAL),  # of a rest
    _text("settings"),  # a fingerprint of the settings with which it was turned off
)

silences = Table(
    "silences",
    metadata,
    _text("id", primary_key=True),
    _text("pipeline"),  # names or shell patterns; "" is any
    _text("host"),
    _text("event"),
    _real("until"),
    _text("reason"),
    _text("by"),
    _real("created_at"),
)
