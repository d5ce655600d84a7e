"""The `web` backend: serves pages on a thread while `run` runs. Answers go through the core's desk, not `poll`."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from tmux_sentry import ApprovalDesk, ApprovalRequest, Complaint, Decision
from tmux_sentry_approval_web.settings import Settings

if TYPE_CHECKING:
    # `approve` and `reject` make a backend too, and need no server.
    from tmux_sentry_approval_web.server import Serving

#: How the token of a login begins; that of a link begins with tsa_.
LOGIN = "tsl_"


class WebApprovals:
    """Made from settings; does nothing before `serve`. `serve` and `stop` are called on one thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._serving: Serving | None = None
        self._port = settings.port
        self._failed = ""
        self._untold = [*settings.advice]

    def serve(self, desk: ApprovalDesk) -> None:
        """Begin to serve; again is harmless. Raises OSError or ValueError that says what to do."""
        from tmux_sentry_approval_web.app import build
        from tmux_sentry_approval_web.server import Serving, bind, certificate

        if self._serving is not None and self._serving.alive:
            return
        try:
            if self._settings.fatal:
                raise ValueError("; ".join(self._settings.fatal))
            context = certificate(self._settings)
            sock = bind(self._settings)
        except (OSError, ValueError) as error:
            self._failed = str(error)
            raise
        self._failed, self._port = "", int(sock.getsockname()[1])
        self._serving = Serving(*build(desk, self._settings, self._port), sock, context)

    def link(self, token: str) -> str:
        """The page of a token. A login is made and opened on this machine, so it also works without a base URL."""
        login = token.startswith(LOGIN)
        base = self._settings.base or (self.origin if login else "")
        return f"{base}/{'login' if login else 'a'}/{quote(token, safe='')}" if base else ""

    @property
    def origin(self) -> str:
        """The pages as this machine reaches them; "" before they are served."""
        if self._serving is None:
            return ""
        address = ipaddress.ip_address(self._settings.host)
        if address.is_unspecified:
            address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
        host = f"[{address}]" if address.version == 6 else str(address)
        return f"{'https' if self._settings.cert else 'http'}://{host}:{self._port}"

    def problem(self) -> str:
        """What is wrong with the settings, or was when it was last tried to serve; "" when nothing is."""
        from tmux_sentry_approval_web.server import certificate

        found = [*self._settings.fatal, *self._settings.advice]
        try:
            certificate(self._settings)
        except (OSError, ValueError) as error:
            found.append(str(error))
        # Whether the port is free is seen by serving only: a trial would find it taken by the `run` that has it.
        return "; ".join(dict.fromkeys([*found, self._failed] if self._failed else found))

    def open(self, request: ApprovalRequest) -> str:
        """The request's page for those who are logged in; "" without a base URL."""
        return f"{self._settings.base}/r/{quote(request.id, safe='')}" if self._settings.base else ""

    def poll(self) -> Sequence[Decision | Complaint]:
        """What is wrong with the pages that are served, each once."""
        serving = self._serving
        if serving is None:
            return []
        if not serving.alive and not self._failed:
            self._failed = f"the pages have ended ({serving.failed or 'stopped'}); start `run` again"
            self._untold.append(self._failed)
        told, self._untold = self._untold, []
        return [Complaint(where="approval pages", why=why) for why in told]

    def close(self, request: ApprovalRequest, outcome: str) -> None:
        """Nothing is kept of a request here."""

    def stop(self) -> None:
        """End the pages within about a second."""
        serving, self._serving = self._serving, None
        if serving is not None:
            serving.stop()
