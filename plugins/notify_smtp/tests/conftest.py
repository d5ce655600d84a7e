"""Mail servers on loopback: a real one (aiosmtpd), and one that says what a script tells it to."""

from __future__ import annotations

import asyncio
import email
import email.policy
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from tmux_sentry.testing.provider import closed_port, self_signed
from tmux_sentry_notify_smtp.notifier import SmtpNotifier
from tmux_sentry_notify_smtp.session import Patience

PATIENT = Patience(connect=5, answer=10, whole=20, goodbye=1)
IMPATIENT = Patience(connect=0.5, answer=0.5, whole=1.5, goodbye=0.2)


class MailServer:
    """Takes mail as told: `refused` are replies to recipients, `after_dot` is the reply to a mail, or what to do."""

    def __init__(self, certificate: tuple[Path, Path]) -> None:
        self.certificate = certificate
        self.refused: dict[str, str] = {}
        self.sender_reply = "250 OK"
        self.after_dot = "250 2.0.0 queued as 42"
        self.envelopes: list[Envelope] = []
        self.in_tls: list[bool] = []
        self.options: list[str] = []
        self.logins: list[tuple[str, bytes, bytes]] = []
        self.login_reply: str | None = None
        self.port = closed_port()
        self._controller: Controller | None = None

    def start(self, how: str = "starttls", **more: Any) -> MailServer:
        """`how` is tls, starttls or none; `more` goes to aiosmtpd."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate)
        if how == "tls":
            more["ssl_context"] = context
        if how == "starttls":
            more |= {"tls_context": context, "require_starttls": True}
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            server_hostname="mx.example",
            **{"timeout": 20, "enable_SMTPUTF8": False, **more},
        )
        self._controller.start()
        return self

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()

    @property
    def mails(self) -> list[EmailMessage]:
        return [
            email.message_from_bytes(envelope.content, policy=email.policy.SMTPUTF8)  # type: ignore[misc]
            for envelope in self.envelopes
        ]

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        self.logins.append((mechanism, data.login, data.password))
        good = self.login_reply is None and data.password == "geheim-密码".encode()
        return AuthResult(success=good, handled=False, message=None if good else self.login_reply)

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        self.options = options
        if self.sender_reply.startswith("250"):
            envelope.mail_from = address
        return self.sender_reply

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        reply = self.refused.get(address, "250 OK")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        self.in_tls.append(server.transport.get_extra_info("ssl_object") is not None)
        if self.after_dot == "drop":
            server.transport.abort()
        if self.after_dot in ("drop", "hang"):
            await asyncio.sleep(30)
        return self.after_dot


class ScriptedServer:
    """Answers each command with what `script` has for it, by its first word; "." is the end of a mail.

    An answer is bytes, or a word: "drop" breaks the connection, "hang" says nothing, "drip" says something for ever.
    With a certificate it goes on in TLS after STARTTLS.
    """

    DEFAULT: Mapping[str, bytes | str] = {
        "greeting": b"220 mx.example ESMTP\r\n",
        "EHLO": b"250-mx.example\r\n250 SIZE 1000000\r\n",
        "QUIT": b"221 bye\r\n",
        "DATA": b"354 go on\r\n",
    }

    def __init__(self, script: Mapping[str, bytes | str], certificate: tuple[Path, Path] | None = None) -> None:
        self.certificate = certificate
        self.script = {**self.DEFAULT, **script}
        self.commands: list[str] = []
        self.mails: list[bytes] = []
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def stop(self) -> None:
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                remote, _ = self._listener.accept()
                thread = threading.Thread(target=self._talk, args=(remote,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _talk(self, remote: socket.socket) -> None:
        with suppress(OSError), remote:
            if self._say(remote, "greeting") and self._listen(remote) and self.certificate is not None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*self.certificate)
                with context.wrap_socket(remote, server_side=True) as secured:
                    self._listen(secured)

    def _listen(self, remote: socket.socket) -> bool:
        """Answer until the end; whether TLS shall begin."""
        with remote.makefile("rb") as lines:
            for line in lines:
                word = line.decode("utf-8", "replace").strip()
                self.commands.append(word)
                verb = word.split(" ")[0].upper()
                if not self._say(remote, verb):
                    return False
                if verb == "STARTTLS" and self.certificate is not None:
                    return True
                if verb == "DATA" and self.script["DATA"] == self.DEFAULT["DATA"]:
                    mail = b""
                    for part in lines:
                        if part == b".\r\n":
                            break
                        mail += part
                    self.mails.append(mail)
                    if not self._say(remote, "."):
                        return False
        return False

    def _say(self, remote: socket.socket, what: str) -> bool:
        """Say it; whether the conversation goes on."""
        answer = self.script.get(what, b"250 OK\r\n")
        if isinstance(answer, bytes):
            remote.sendall(answer)
            return True
        while answer != "drop" and not self._closing.wait(0.1):
            if answer == "drip":
                remote.sendall(b"250-and\r\n")
        remote.shutdown(socket.SHUT_RDWR)
        return False


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def mail_server(certificate: tuple[Path, Path]) -> Iterator[MailServer]:
    """A real server, to be started."""
    server = MailServer(certificate)
    yield server
    server.stop()


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedServer]]:
    servers = []

    def make(*what: Any) -> ScriptedServer:
        servers.append(ScriptedServer(*what))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def notifier(certificate: tuple[Path, Path]) -> Callable[..., SmtpNotifier]:
    """The channel at a port: `notifier(port, SMTP_TO="...")`. It trusts the real server's certificate."""

    def make(port: int, *, hurry: bool = False, **more: str) -> SmtpNotifier:
        settings = {
            "SMTP_SERVER": "127.0.0.1",
            "SMTP_PORT": str(port),
            "SMTP_FROM": "CI <ci@example.com>",
            "SMTP_TO": "ann@example.com, Bob Á <bob@example.com>",
            "SMTP_CA_FILE": str(certificate[0]),
        }
        return SmtpNotifier({**settings, **more}, IMPATIENT if hurry else PATIENT)

    return make


@pytest.fixture
def in_clear(notifier: Callable[..., SmtpNotifier]) -> Callable[..., SmtpNotifier]:
    """The same in a hurry and without TLS: for the steps after it."""

    def make(port: int, **more: Any) -> SmtpNotifier:
        return notifier(port, hurry=True, **{"SMTP_SECURITY": "none", **more})

    return make
