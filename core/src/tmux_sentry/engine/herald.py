"""From what the engine wants told to messages in the outbox, in the transaction of their cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tmux_sentry.contracts import Decision, Level, Message, PaneIdentity
from tmux_sentry.engine.events import Notify
from tmux_sentry.engine.orders import ways_on
from tmux_sentry.engine.run import Run
from tmux_sentry.failpoints import reach
from tmux_sentry.notify import texts
from tmux_sentry.notify.routing import Router
from tmux_sentry.security.outlet import text_out
from tmux_sentry.security.redact import Redactor
from tmux_sentry.security.sanitize import visible
from tmux_sentry.state.records import StoredApproval
from tmux_sentry.state.transaction import Transaction

#: What is told while an answer is still wanted.
ASKING = ("approval.asked", "approval.reminder", "approval.escalated", "approval.timeout")
#: Bytes of UTF-8 that are told of the keys: every channel takes so many without a cut of its own.
KEYS = 3000
_ALL = 1 << 30
#: Of a message's fields, in this order; others follow.
_ORDER = ("host", "pane", "pipeline", "stage", "run")


def _nothing(_pane: PaneIdentity) -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Herald:
    """Says it in the people's language, with where it was and how to answer. `tail` gives a pane's last lines."""

    router: Router = field(default_factory=Router)
    redact: Redactor = field(default_factory=Redactor)
    language: str = "en"
    zone: str = ""
    tail: Callable[[PaneIdentity], Sequence[str]] = _nothing

    def tell(self, tx: Transaction, notice: Notify, run: Run | None, now: float) -> None:
        """Queue a message for the channels that are to tell it."""
        message = self._message(notice, run, now)
        about = matter(notice, run)
        planned = self.router.plan(message, about, now, tx.silences(), notice.channels)
        if not planned:
            return
        if run is not None and (notice.include_output or self.router.wants_output(message)):
            message = replace(message, output=self._clean("\n".join(self.tail(run.pane))))
        reach("outbox.before")
        tx.enqueue(message, planned, notice.dedupe_key, matter=about)
        reach("outbox.written")

    def end(self, tx: Transaction, about: str, notice: Notify, run: Run | None, now: float) -> None:
        """A matter is decided: tell so by the channels that have told of it, and by no other."""
        channels, _ = tx.end_matter(about)
        if channels:
            message = self._message(notice, run, now)
            silences = tx.silences()
            tx.enqueue(message, self.router.plan(message, "", now, silences, channels), notice.dedupe_key, ends=about)

    def _message(self, notice: Notify, run: Run | None, now: float) -> Message:
        names = dict(notice.fields)
        if run is not None:
            names = {"host": run.pane.host, "pane": run.pane_name, "pipeline": run.pipeline.name, **names}
            names.setdefault("run", run.id)
        ordered = {name: names[name] for name in (*_ORDER, *names) if names.get(name)}
        return Message(
            id=notice.dedupe_key,
            at=now,
            level=notice.level,
            event=notice.event,
            title=self._line(texts.title(self.language, notice.event, notice.title, names)),
            text="\n".join(part for part in (self._clean(notice.text), self._exact(notice.keys)) if part),
            fields={name: self._line(value) for name, value in ordered.items() if name not in ("by", "outcome")},
            answer="\n".join(_answers(notice.event, names, run)),
            thread=run.id if run is not None else "",
            subject="" if run is None else self._line(f"{run.pipeline.name}: {run.pane_name} @ {run.pane.host}"),
            language=self.language,
            zone=self.zone,
        )

    def _line(self, text: str) -> str:
        return text_out(text, self.redact, 200)

    def _clean(self, text: str) -> str:
        return text_out(text, self.redact, lines=True)

    def _exact(self, keys: Sequence[str]) -> str:
        """Keys as every way of answering shows them, a send a line; of what is cut, how much it is."""
        whole = "\n".join(visible(self.redact(one), _ALL) for one in keys)
        kept = whole.encode()[:KEYS].decode(errors="ignore")
        return whole if kept == whole else f"{kept}\n{texts.more(self.language, len(whole) - len(kept))}"


def matter(notice: Notify, run: Run | None) -> str:
    """What is open from this message on until somebody decides; "" is nothing."""
    if notice.event.startswith("approval.") and notice.fields.get("approval"):
        return approval_matter(notice.fields["approval"])
    return held_matter(run) if notice.event == "stage.held" and run is not None else ""


def approval_matter(approval_id: str) -> str:
    """The matter of a request."""
    return f"approval/{approval_id}"


def held_matter(run: Run) -> str:
    """The matter of a Run that is held."""
    return f"held/{run.id}"


def closed(run: Run, approval_id: str, outcome: str, by: str) -> Notify:
    """What is told when a request has been decided, or is moot."""
    event = f"approval.{outcome}" if outcome in ("approved", "rejected") else "approval.closed"
    stage = run.attempt.stage if run.attempt is not None else ""
    asked = run.relay is not None and run.relay.approval_id == approval_id
    about = f"the agent's dialog in {stage}" if asked else stage
    over = f"the question about {about} is over: {outcome}"
    what = over if event == "approval.closed" else f"{about} {outcome} by {by}"
    fields = {"approval": approval_id, "stage": stage, "by": by, "outcome": outcome}
    title = f"{run.pipeline.name}: {what}"
    return Notify(event=event, level=Level.INFO, title=title, dedupe_key=f"{approval_id}/{outcome}", fields=fields)


def asked_again(stored: StoredApproval, channel: str, now: float) -> Notify:
    """What is told to one channel where somebody's link was too old."""
    request = stored.request
    return Notify(
        event="approval.reminder",
        level=Level.APPROVAL,
        title=f"{request.pipeline}: {request.stage} still waits for an approval",
        text="" if request.about or request.keys else "(types nothing)",
        keys=request.about or request.keys,
        channels=(channel,),
        dedupe_key=f"{request.id}/again/{channel}/{now:.3f}",
        fields={"approval": request.id, "stage": request.stage, "pipeline": request.pipeline},
    )


def voted(run: Run, stored: StoredApproval, decision: Decision, yes: int) -> Notify:
    """What is told when one of several people has answered."""
    request = stored.request
    said = "says yes to" if decision.approved else "says no to"
    what = f"{decision.by} {said} {request.stage} ({yes} of {stored.rules.required})"
    fields = {"approval": request.id, "stage": request.stage, "by": decision.by}
    key = f"{request.id}/voted/{decision.at:.3f}/{decision.by}"
    title = f"{run.pipeline.name}: {what}"
    return Notify(event="approval.voted", level=Level.INFO, title=title, dedupe_key=key, fields=fields)


def resumed(run: Run, stage: str, held_at: float | None) -> Notify:
    """What is told when a Run that was held goes on, or has ended."""
    title = f"{run.pipeline.name}: {stage} is not held any more"
    key = f"{run.id}/{stage}/resumed/{held_at or 0:.3f}"
    return Notify(event="stage.resumed", level=Level.INFO, title=title, dedupe_key=key, fields={"stage": stage})


def _answers(event: str, names: Mapping[str, str], run: Run | None) -> list[str]:
    """How to answer, with the commands as they are to be typed. Ids are ours: letters and digits."""
    if event in ASKING and names.get("approval"):
        id = names["approval"]
        return [f"tmux-sentry approve {id}", f"tmux-sentry reject {id} --comment WHY"]
    if event == "stage.held" and run is not None:
        return [f"tmux-sentry runs resume {run.id} {ways_on(run)}"]
    if event == "run.failed" and names.get("run"):
        return [f"tmux-sentry runs retry {names['run']}"]
    return []
