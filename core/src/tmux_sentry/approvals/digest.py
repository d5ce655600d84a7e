"""What a person approves, as one number: change anything that will be done and it is another number."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tmux_sentry.contracts import Dialog
    from tmux_sentry.engine.events import Keys


def approval_digest(
    run_id: str, stage: str, attempt: int, pane_key: str, sends: Sequence[Keys], policy_digest: str
) -> str:
    """sha256 (hex) over the run, stage, attempt, pane identity, every send in order, and the policy."""
    whole = {
        "v": 1,
        "run": run_id,
        "stage": stage,
        "attempt": attempt,
        "pane": pane_key,
        "sends": [_plain(send) for send in sends],
        "policy": policy_digest,
    }
    return _sha256(whole)


def dialog_digest(
    run_id: str,
    stage: str,
    attempt: int,
    pane_key: str,
    dialog: Dialog,
    yes: Keys | None,
    no: Keys | None,
    policy_digest: str,
) -> str:
    """sha256 (hex) over the run, stage, attempt, pane identity, the dialog, what each answer types, and the policy."""
    whole = {
        "v": 1,
        "run": run_id,
        "stage": stage,
        "attempt": attempt,
        "pane": pane_key,
        "dialog": {
            "fingerprint": dialog.fingerprint,
            "question": dialog.question,
            "command": dialog.command,
            "truncated": dialog.truncated,
            "cwd": dialog.cwd,
        },
        "yes": None if yes is None else _plain(yes),
        "no": None if no is None else _plain(no),
        "policy": policy_digest,
    }
    return _sha256(whole)


def _plain(send: Keys) -> dict[str, object]:
    return {"text": send.text, "keys": list(send.keys), "enter": send.enter}


def _sha256(whole: object) -> str:
    # ASCII JSON: one encoding of each text, and no surrogate can make it fail.
    canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
