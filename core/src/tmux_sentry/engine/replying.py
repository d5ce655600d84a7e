"""What is done with a dialog: answered by the policy's rule, asked about, told. Pure, as the machine is."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable
from dataclasses import replace

from tmux_sentry.approvals.digest import dialog_digest
from tmux_sentry.contracts import Dialog, Level
from tmux_sentry.engine import asking
from tmux_sentry.engine.builder import Builder
from tmux_sentry.engine.events import Ask, Keys, Notify, Send, StopSend
from tmux_sentry.engine.relay import Answer, Answers, Relay, Sight, Standing, same, shown
from tmux_sentry.engine.run import Attempt, Phase, Run
from tmux_sentry.policy.allowed import why_not
from tmux_sentry.policy.model import ApprovalSpec, PromptRule
from tmux_sentry.security.sanitize import clean, visible


def judge(b: Builder, sight: Sight) -> None:
    """Do with the dialog on the screen what the rule in force says; people are told of it once."""
    dialog, known = shown(sight.prompts, bar(b)), b.run.relay
    if dialog is None:
        return
    if known is not None and same(known.dialog, dialog):
        dialog = known.dialog  # a question that counts seconds is no other one
    told = known is not None and known.told and known.dialog.fingerprint == dialog.fingerprint
    attempt = acting(b)
    relay = Relay(
        dialog=dialog,
        standing=Standing.TOLD,
        told=told,
        stage=attempt.stage if attempt else "",
        attempt=attempt.number if attempt else 0,
    )
    rule = rule_of(b)
    why = "" if rule.answer is None else _why_not(b, rule, dialog, sight.folder)
    if rule.answer is not None and not why:
        b.update(answers=_attempt(b).answers + 1)
        hand_out(b, relay, rule.answer)
    elif rule.otherwise == "ask" and attempt is not None and dialog.choice("approve") is not None:
        _ask(b, relay, why)
    else:
        silent = rule.otherwise == "ignore"
        b.run = replace(b.run, relay=replace(relay, told=told or not silent))
        if not (told or silent):
            tell(b, dialog.fingerprint, [*_described(dialog), *_reason(why)])


def _why_not(b: Builder, rule: PromptRule, dialog: Dialog, folder: str) -> str:
    """Why the rule does not answer this dialog by itself; "" when it does."""
    attempt = acting(b)
    if attempt is None:
        return "no stage is active"
    if attempt.held is not None:
        return "the stage is held"
    if dialog.doubt:
        return dialog.doubt
    if dialog.kind != "command" or not dialog.command:
        return "it asks about no command"
    if dialog.truncated:
        return "the command is cut off"
    if rule.answer is None or dialog.choice(rule.answer) is None:
        return f"it has no choice that is known to {rule.answer}"
    if attempt.answers >= rule.max_count:
        return f"{attempt.answers} dialogs of this attempt were answered (max_count)"
    if attempt.started_at is not None and b.now > attempt.started_at + rule.within:
        return f"the attempt has been running for more than {rule.within:g} s (within)"
    if dialog.cwd and folder and not _is_below(dialog.cwd, folder):
        return f"it would run in {dialog.cwd}, outside of {folder}"
    return why_not(dialog.command, rule.allow, dialog.cwd or folder) or ""


def _is_below(path: str, folder: str) -> bool:
    path, folder = posixpath.normpath(path), posixpath.normpath(folder)
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _ask(b: Builder, relay: Relay, why: str) -> None:
    attempt = b.update(dialogs=_attempt(b).dialogs + 1)
    spec = b.stage.require_approval or ApprovalSpec()
    relay = replace(
        relay,
        standing=Standing.ASKED,
        told=True,
        approval_id=hashlib.sha256(_name(b.run, attempt).encode()).hexdigest()[:10],
    )
    relay = replace(relay, approval_digest=digest(b.run, relay))
    b.run = replace(b.run, relay=relay)
    yes, no = _keys(relay.dialog, "approve"), _keys(relay.dialog, "reject")
    assert yes is not None
    assert relay.approval_id is not None
    typed = no.shown() if no is not None else "nothing, and the stage is held"
    about = (*_described(relay.dialog), *_reason(why), f"yes types: {yes.shown()}", f"no types: {typed}")
    b.emit(
        Ask(
            approval_id=relay.approval_id,
            stage=attempt.stage,
            attempt=attempt.number,
            sends=(yes,),
            digest=relay.approval_digest,
            expires_at=b.now + spec.timeout,
            risk=spec.risk,
            about=about,
            rules=replace(asking.rules(spec, b.now), until=None),  # it stays open until the dialog is gone
        )
    )
    b.emit(
        Notify(
            event="approval.asked",
            level=Level.APPROVAL,
            title=f"{b.run.pipeline.name}: the agent of {attempt.stage} asks for an answer",
            keys=about,
            dedupe_key=f"{relay.approval_id}/asked",
            fields=_fields(b, approval=relay.approval_id),
        )
    )


def hand_out(b: Builder, relay: Relay, answer: Answer) -> bool:
    """Want the answer typed; False when the dialog has none such."""
    if relay.dialog.choice(answer) is None:
        return False
    attempt = b.update(dialogs=_attempt(b).dialogs + 1)
    name = _name(b.run, attempt)
    b.run = replace(b.run, relay=replace(relay, standing=Standing.SENDING, answer=answer, action_id=name))
    send = send_in_hand(b.run)
    assert send is not None
    b.emit(send)
    return True


def send_in_hand(run: Run) -> Send | None:
    """The answer that was handed out and is not known to be typed."""
    relay = run.relay
    if relay is None or relay.standing is not Standing.SENDING or relay.action_id is None or relay.answer is None:
        return None
    stage, choice = run.pipeline.stage(relay.stage), relay.dialog.choice(relay.answer)
    assert stage is not None
    assert choice is not None
    return Send(
        action_id=relay.action_id,
        stage=relay.stage,
        attempt=relay.attempt,
        keys=Keys(keys=choice.key, enter=False),
        wait_idle=0.0,
        answers=Answers(dialog=relay.dialog, bar=stage.min_confidence),
    )


def stuck(b: Builder, relay: Relay, why: str) -> None:
    """Hold the attempt, its own send too: that would wait for the dialog, or be typed into it."""
    b.run = replace(b.run, relay=replace(relay, standing=Standing.STUCK, action_id=None, until=None, told=True))
    attempt = b.attempt
    if attempt is None or attempt.phase.decided or (attempt.stage, attempt.number) != (relay.stage, relay.attempt):
        tell(b, relay.dialog.fingerprint, [*_described(relay.dialog), why])
        return
    if attempt.action_id is not None:
        b.emit(StopSend(action_id=attempt.action_id))
    b.hold(why)


def tell(b: Builder, about: str, lines: Iterable[str]) -> None:
    """Tell people that something waits in the pane; `about` names it."""
    b.emit(
        Notify(
            event="agent.prompt",
            level=Level.APPROVAL,
            title=f"{b.run.pipeline.name}: the agent waits for an answer",
            text="\n".join(map(visible, lines)),  # no line of it forges another
            dedupe_key=f"{b.run.id}/agent.prompt/{about[:16]}/{b.now:.3f}",  # it may come again
            fields=_fields(b),
        )
    )


def acting(b: Builder) -> Attempt | None:
    """The attempt for which a dialog may be answered."""
    attempt = b.attempt
    return attempt if attempt is not None and attempt.phase in (Phase.ACTING, Phase.WATCHING) else None


def rule_of(b: Builder) -> PromptRule:
    """The rule in force: the stage's, or while none is active the pipeline's."""
    return b.stage.on_prompt if b.attempt is not None else b.run.pipeline.on_prompt


def bar(b: Builder) -> float:
    """How sure a dialog must be (0..1) to count."""
    return b.stage.min_confidence if b.attempt is not None else b.run.pipeline.min_confidence


def digest(run: Run, relay: Relay) -> str:
    """What binds an answer to the dialog and to what is typed for it."""
    return dialog_digest(
        run.id,
        relay.stage,
        relay.attempt,
        run.pane.key,
        relay.dialog,
        _keys(relay.dialog, "approve"),
        _keys(relay.dialog, "reject"),
        run.policy_digest,
    )


def _attempt(b: Builder) -> Attempt:
    assert b.attempt is not None
    return b.attempt


def _name(run: Run, attempt: Attempt) -> str:
    return f"{run.id}/{attempt.stage}/{attempt.number}/dialog{attempt.dialogs}"


def _keys(dialog: Dialog, answer: Answer) -> Keys | None:
    choice = dialog.choice(answer)
    return None if choice is None else Keys(keys=choice.key, enter=False)


def _described(dialog: Dialog) -> list[str]:
    """A dialog for people, a line each."""
    lines = [clean(dialog.question)]
    if dialog.command:
        lines.append(f"command{' (cut off)' if dialog.truncated else ''}: {dialog.command}")
    lines += [f"in: {dialog.cwd}"] if dialog.cwd else []
    return lines + [f"- {clean(choice.label)} ({Keys(keys=choice.key).shown()})" for choice in dialog.choices]


def _reason(why: str) -> list[str]:
    return [f"not answered by the policy: {why}"] if why else []


def _fields(b: Builder, **more: str) -> dict[str, str]:
    stage = {"stage": b.attempt.stage} if b.attempt is not None else {}
    return {"pane": b.run.pane_name, "pipeline": b.run.pipeline.name, **stage, **more}
