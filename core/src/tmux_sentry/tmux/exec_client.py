"""The command client of a tmux before 3.2: a process for each line, because a control client there gets all output."""

from __future__ import annotations

import re
from collections.abc import Callable

from tmux_sentry.contracts import Completed
from tmux_sentry.errors import Unreachable
from tmux_sentry.security.sanitize import clean
from tmux_sentry.tmux import quoting
from tmux_sentry.tmux.client import Reply
from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.tmux.no_server import explain
from tmux_sentry.tmux.version import Ability
from tmux_sentry.transport.base import Transport

_NO_SERVER = re.compile(rb"no server running|error connecting|lost server|server exited", re.IGNORECASE)


class ExecClient:
    """Each line stands for itself, and all that it prints is one answer. It ends with the first that is lost."""

    def __init__(self, transport: Transport, address: TmuxAddress, able: Ability) -> None:
        """`able` is what the host's tmux can do."""
        self._transport, self._address, self._able = transport, address, able
        self._gone = ""

    def start(self, timeout: float = 10.0) -> None:
        """See whether a server is there. Raises NoServer, Unreachable."""
        self._run(["list-sessions"], timeout)

    @property
    def host(self) -> str:
        """The host's name in hosts.yaml."""
        return self._transport.host

    @property
    def ability(self) -> Ability:
        """What the host's tmux can do."""
        return self._able

    @property
    def pid(self) -> int | None:
        """Nothing stays attached."""
        return None

    @property
    def alive(self) -> bool:
        """Whether every line so far was answered: that a server is there shows only in the asking."""
        return not self._gone

    def command(self, line: str, timeout: float = 10.0) -> Reply:
        """Send one line and return its answer. Raises NoServer, Unreachable."""
        if not self.alive:
            raise Unreachable(f"{self.host}: the tmux client is gone", self._gone)
        # The argument of if-shell is read by the same parser as a control-mode line, so what quoting.py allows there
        # is safe here; an argument of its own for each word would be read differently (a `;` at its end is lost).
        done = self._run(["if-shell", "-F", "1", quoting.line(line)], timeout)
        ok = done.status == 0
        text = (done.stdout if ok else done.stderr).decode("utf-8", "replace")
        return Reply(ok=ok, lines=tuple(text.split("\n")[:-1]))

    def converse(self, line: str, until: Callable[[Reply], bool], timeout: float = 10.0) -> list[Reply]:
        """All answers as one. Raises NoServer, Unreachable."""
        return [self.command(line, timeout)]

    def close(self) -> None:
        """There is nothing to leave. Idempotent."""
        self._gone = self._gone or "closed"

    def _run(self, words: list[str], timeout: float) -> Completed:
        try:
            return self._answer(words, timeout)
        except Unreachable as error:
            self._gone = clean(str(error))
            raise

    def _answer(self, words: list[str], timeout: float) -> Completed:
        try:
            done = self._transport.run([*self._address.argv(), *words], timeout)
        except FileNotFoundError as error:
            raise Unreachable(f"{self.host}: there is no {self._address.command} program") from error
        except TimeoutError as error:
            raise Unreachable(f"{self.host}: tmux does not answer", clean(str(error))) from error
        if done.status != 0 and _NO_SERVER.search(done.stderr):
            raise explain(self.host, done)
        return done
