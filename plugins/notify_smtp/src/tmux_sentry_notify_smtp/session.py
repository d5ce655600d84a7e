"""One conversation with a mail server: connect, protect, log in, hand one mail over (RFC 5321).

smtplib speaks the protocol. The steps are taken one by one here, because what a failure means depends on how far the
mail had got, and because `smtplib.SMTP.starttls()` by itself checks no certificate.
"""

from __future__ import annotations

import base64
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tmux_sentry import clean
from tmux_sentry_notify_smtp.account import Account, Security


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds: to connect to one address, for one answer, for the whole conversation, and to say goodbye."""

    connect: float = 10.0
    answer: float = 20.0
    whole: float = 45.0
    goodbye: float = 2.0


class Broken(Exception):
    """The conversation ended without an answer. `sent`: the whole mail had been sent, so it may have been taken."""

    def __init__(self, why: str, *, sent: bool = False) -> None:
        super().__init__(clean(why))
        self.sent = sent


class Unsafe(Exception):
    """The server cannot do what the settings ask for; going on without it is not an option."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said, as one harmless line."""

    code: int
    words: str

    def __str__(self) -> str:
        return f"{self.code} {self.words}".strip()


class Refused(Exception):
    """The server said no to a step: "hello", "starttls", "login", "sender" or "data"."""

    def __init__(self, step: str, reply: Reply) -> None:
        super().__init__(f"{step}: {reply}")
        self.step = step
        self.reply = reply


@contextmanager
def session(account: Account, patience: Patience) -> Iterator[Session]:
    """A conversation that is ready to take a mail. Raises Broken, Unsafe or Refused, also from within."""
    context = None if account.security is Security.NONE else trusted(account.ca_file)
    with connected(account, patience) as raw, watched(raw, patience.whole) as remote:
        client = smtplib.SMTP(local_hostname=_own_name(), timeout=patience.answer)
        talk = Session(client, account)
        try:
            if context is not None and account.security is Security.TLS:
                remote = _secured(remote, context, account.server)
            client.sock = remote
            talk.greet()
            if context is not None and account.security is Security.STARTTLS:
                talk.start_tls(context)
            if account.user:
                talk.log_in()
            yield talk
        except smtplib.SMTPException as error:
            raise Broken(f"the connection broke: {error}") from None
        except OSError as error:
            raise Broken(f"the connection broke: {error.strerror or type(error).__name__}") from None
        finally:
            talk.leave(patience.goodbye)


class Session:
    """The steps after the connection, in their order."""

    def __init__(self, client: smtplib.SMTP, account: Account) -> None:
        self._client = client
        self._account = account

    @property
    def size(self) -> int:
        """Bytes that a mail may have (RFC 1870); 0 where the server does not say."""
        given = self._client.esmtp_features.get("size", "").split()
        return int(given[0][:18]) if given and given[0].isascii() and given[0].isdigit() else 0

    @property
    def takes_utf8(self) -> bool:
        """Whether addresses may have letters outside ASCII (RFC 6531)."""
        return self._client.has_extn("smtputf8")

    def greet(self) -> None:
        """Wait for the greeting and say EHLO, or HELO to a server of the eighties."""
        self._expect("hello", 220, self._reply())
        self._hello()

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Go on in TLS, or not at all (RFC 3207)."""
        if not self._client.has_extn("starttls"):
            raise Unsafe("the server does not offer STARTTLS, and nothing is sent in clear")
        self._expect("starttls", 220, self._command("STARTTLS"))
        assert self._client.sock is not None
        self._client.sock = _secured(self._client.sock, context, self._account.server)
        # What was said in clear does not count any more, and nothing of it may be left in a buffer.
        self._client.file = None
        self._client.esmtp_features = {}
        self._hello()

    def log_in(self) -> None:
        """Authenticate, with one try: each wrong one counts towards locking the account (RFC 4954)."""
        offered = self._client.esmtp_features.get("auth", "").upper().split()
        user, password = self._account.user, self._account.password
        if "PLAIN" in offered:
            reply = self._command("AUTH PLAIN " + _base64(f"\0{user}\0{password}"))
        elif "LOGIN" in offered:
            reply = self._command("AUTH LOGIN")
            for word in (user, password):
                reply = self._command(_base64(word)) if reply.code == 334 else reply
        else:
            what = f"offers only {clean(' '.join(offered), 100)}" if offered else "offers no login"
            raise Unsafe(f"the server {what} here, and SMTP_USER is set (PLAIN and LOGIN are what this channel knows)")
        self._expect("login", 235, reply)

    def envelope(self, recipients: Sequence[str], size: int, *, utf8: bool) -> dict[str, Reply]:
        """Say from whom and to whom; returns who was refused. Raises Refused when the sender is."""
        options = [f"SIZE={size}"] if self._client.has_extn("size") else []
        options += ["SMTPUTF8", "BODY=8BITMIME"] if utf8 else []
        self._client.command_encoding = "utf-8" if utf8 else "ascii"
        sender = self._account.sender.addr_spec
        self._expect("sender", 250, self._command(" ".join([f"MAIL FROM:<{sender}>", *options])))
        refused = {}
        for recipient in recipients:
            reply = self._command(f"RCPT TO:<{recipient}>")
            if reply.code not in (250, 251):
                refused[recipient] = reply
            if reply.code == 421:
                raise Refused("recipient", reply)
        return refused

    def reset(self) -> None:
        """Forget the envelope in hand, for the next mail (RFC 5321 4.1.1.5). Raises Refused."""
        self._expect("sender", 250, self._command("RSET"))

    def hand_over(self, mail: bytes) -> Reply:
        """Send the mail; returns what the server said when it took it. Raises Refused, or Broken with `sent`."""
        self._expect("data", 354, self._command("DATA"))
        # A line of one dot is the end; until the server has that one it must not deliver anything.
        self._client.send(re.sub(rb"(?m)^\.", b"..", mail.rstrip(b"\r\n")) + b"\r\n.\r\n")
        try:
            reply = self._reply()
        except (smtplib.SMTPException, OSError) as error:
            raise Broken(f"sent, and no answer: {error}", sent=True) from None
        if 200 <= reply.code < 300:
            return reply
        if 400 <= reply.code < 600:
            raise Refused("data", reply)
        raise Broken(f"sent, and the answer makes no sense: {reply}", sent=True)

    def leave(self, patience: float) -> None:
        """Say goodbye; whatever happens now changes nothing."""
        with suppress(smtplib.SMTPException, OSError):
            if self._client.sock is not None:
                self._client.sock.settimeout(patience)
                self._client.quit()
        self._client.close()

    def _hello(self) -> None:
        code, words = self._client.ehlo()
        if code == 250:
            return
        if not 500 <= code < 600:
            raise Refused("hello", _shown(code, words))
        self._expect("hello", 250, _shown(*self._client.helo()))

    def _command(self, line: str) -> Reply:
        self._client.putcmd(line)
        return self._reply()

    def _reply(self) -> Reply:
        return _shown(*self._client.getreply())

    def _expect(self, step: str, code: int, reply: Reply) -> None:
        if reply.code != code:
            raise Refused(step, reply)


@contextmanager
def connected(account: Account, patience: Patience) -> Iterator[socket.socket]:
    """A connection to the server. Raises Broken."""
    try:
        remote = socket.create_connection((account.server, account.port), timeout=patience.connect)
    except (OSError, UnicodeError) as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else getattr(error, "strerror", None) or "no host"
        raise Broken(f"no connection to {account.server}:{account.port}: {why}") from None
    with remote:
        remote.settimeout(patience.answer)
        yield remote


@contextmanager
def watched(remote: socket.socket, seconds: float) -> Iterator[socket.socket]:
    """`remote`, shut down after `seconds`: a server that says one byte a second never times out by itself."""
    # A duplicate stays valid when TLS takes the original over.
    handle = remote.dup()
    watchdog = threading.Timer(seconds, _shut, (handle,))
    watchdog.daemon = True
    watchdog.start()
    try:
        yield remote
    finally:
        watchdog.cancel()
        handle.close()


def trusted(ca_file: str) -> ssl.SSLContext:
    """What certificates are checked against: the system's authorities, or those of a file. Raises Unsafe."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ValueError):
        raise Unsafe("SMTP_CA_FILE cannot be read as certificates: give a PEM file") from None


def _secured(remote: socket.socket, context: ssl.SSLContext, server: str) -> ssl.SSLSocket:
    try:
        return context.wrap_socket(remote, server_hostname=server)
    except ssl.SSLCertVerificationError as error:
        raise Broken(f"no secure connection: the certificate is not accepted ({error.verify_message})") from None
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or "not TLS"
        raise Broken(f"no secure connection: {reason}") from None


def _shut(handle: socket.socket) -> None:
    with suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)


def _own_name() -> str:
    """For EHLO. smtplib's own default asks DNS for it, which may take seconds."""
    return re.sub(r"[^A-Za-z0-9.-]", "", socket.gethostname()) or "localhost"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()


def _shown(code: int, words: bytes) -> Reply:
    return Reply(code, clean(words.decode("utf-8", "replace"), 200))
