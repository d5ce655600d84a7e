"""Who gives an order on this machine, and which orders are written down with it."""

from __future__ import annotations

import pwd
from collections.abc import Mapping
from typing import Any

#: Orders that are written down with who gave them.
SIGNED = frozenset({"decide", "order", "resume_all", "notify_silence", "approval_login"})


def person_of(uid: int) -> str:
    """The name of a user as the system knows it, "uid 123" for one without: not LOGNAME, which anybody can set."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def signed(verb: str, args: Mapping[str, Any], by: str) -> dict[str, Any]:
    """The arguments of an order, with who gives it where that is written down; a `by` of their own is dropped."""
    said = {name: value for name, value in args.items() if name != "by"}
    return said | {"by": by} if verb in SIGNED else said
