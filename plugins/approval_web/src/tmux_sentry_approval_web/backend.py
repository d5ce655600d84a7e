"""The `web` backend: serves pages on a thread while `run` runs. Answers go through the core's desk, not `poll`."""

from __future__ import annotations

import ipaddress
import socket
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


#: Told when the pages are served after all, as no message is sent again by itself.
AGAIN = (
    "the pages are served now. Links and sessions from before are revoked, as somebody else may have answered at their "
    "address; what waits is reached by `tmux-sentry approvals login`, and the next reminder brings a link"
)


class WebApprovals:
    """Made from settings; does nothing before `serve`. `serve`, `poll` and `stop` are called on one thread, `link` on
    any."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._serving: Serving | None = None
        self._desk: ApprovalDesk | None = None
        self._port = settings.port
        self._failed = ""
        self._exposed = False  # others may have the port, and get what people open there
        self._revoked = False  # what they may have got
        self._untold = [*settings.advice]

    def serve(self, desk: ApprovalDesk) -> None:
        """Begin to serve; again is harmless. Raises OSError or ValueError that says what to do."""
        from tmux_sentry_approval_web.app import build
        from tmux_sentry_approval_web.server import Serving, bind, certificate

        if self._is_serving:
            return
        self._desk = desk
        try:
            if self._settings.fatal:
                raise ValueError("; ".join(self._settings.fatal))
            context = certificate(self._settings)
            sock = bind(self._settings)
        except (OSError, ValueError) as error:
            self._failed, self._exposed = str(error), True
            raise
        if self._exposed:
            self._revoke(desk, sock)
        self._failed, self._port = "", int(sock.getsockname()[1])
        self._serving = Serving(*build(desk, self._settings, self._port), sock, context)

    def _revoke(self, desk: ApprovalDesk, sock: socket.socket) -> None:
        """Before the first answer on a port that was not ours: once more, for what was sent as it was lost."""
        try:
            desk.revoke()
        except BaseException:
            sock.close()
            raise
        self._exposed = self._revoked = False
        self._untold.append(AGAIN)

    @property
    def _is_serving(self) -> bool:
        serving = self._serving
        return serving is not None and serving.alive

    def link(self, token: str) -> str:
        """The page of a token; "" unless it is served now: whoever else has the port would get the token.

        A login is made and opened on this machine, so it also works without a base URL.
        """
        if not self._is_serving:
            return ""
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
        """Always "": each session has addresses of its own, so none is right for everybody."""
        return ""

    def poll(self) -> Sequence[Decision | Complaint]:
        """What is wrong with the pages, each once. When nothing is served that should be, links are revoked at once:
        `run` may be started again before the pages are."""
        serving = self._serving
        if serving is not None and not serving.alive and not self._failed:
            self._failed = f"the pages have ended ({serving.failed or 'stopped'}); start `run` again"
            self._exposed = True
            self._untold.append(self._failed)
        if self._exposed and not self._revoked and self._desk is not None:
            self._desk.revoke()
            self._revoked = True
        if serving is None:
            return []
        told, self._untold = self._untold, []
        return [Complaint(where="approval pages", why=why) for why in told]

    def close(self, request: ApprovalRequest, outcome: str) -> None:
        """Nothing is kept of a request here."""

    def stop(self) -> None:
        """End the pages within about a second."""
        serving, self._serving = self._serving, None
        if serving is not None:
            serving.stop()
