"""Orders about links that a person gives at the terminal, carried out by the running instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tmux_sentry.approvals.tokens import Tokens
from tmux_sentry.approvals.window import Window
from tmux_sentry.errors import UsageError
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state.store import Store


class LinkOrders:
    """On the loop's thread. `address(token)` is the page of a token, "" where there is none."""

    def __init__(self, store: Store, window: Window, tokens: Tokens, address: Callable[[str], str]) -> None:
        self._store = store
        self._window = window
        self._tokens = tokens
        self._address = address

    @property
    def verbs(self) -> Mapping[str, Callable[..., Any]]:
        """Order -> method, for the control socket."""
        return {"approval_login": self.login, "approval_revoke": self.revoke}

    def login(self, by: str) -> dict[str, Any]:
        """An address with which a person logs in to the pages, once."""
        if not self._tokens:
            fix = "set APPROVAL_SECRET to at least 32 random bytes, and start `run` again"
            raise UsageError("there are no approval pages", "APPROVAL_SECRET is missing or too short", fix)
        url = self._address(self._window.invite(clean(by, 100)))
        if not url:
            fix = "its log says why (a port that is taken, say); the plugin is tmux-sentry-approval-web"
            raise UsageError("there are no approval pages", "`run` serves none now", fix)
        return {"url": url}

    def revoke(self, id: str | None) -> dict[str, Any]:
        """Let the links of a request (a unique start of its id is enough) open nothing any more; without one, all."""
        full = ""
        if id is not None:
            pending = [stored.request.id for stored in self._store.pending_approvals()]
            found = [one for one in pending if one.startswith(id)] if id else []
            if len(found) != 1:
                what = f"{clean(id, 40)} could be any of {', '.join(found)}" if found else f"no request {clean(id, 40)}"
                raise UsageError(what, "", "see: tmux-sentry approvals")
            full = found[0]
        with self._store.transaction() as tx:
            return {"id": full or None, "revoked": tx.revoke_links(approval_id=full)}
