"""The settings, read and checked: where to send mail, as whom, and to whom."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.utils import getaddresses
from enum import Enum

from tmux_sentry import clean


class Security(str, Enum):
    """How the connection is protected. STARTTLS that the server does not offer is a failure, never NONE."""

    TLS = "tls"  # from the first byte (RFC 8314), port 465
    STARTTLS = "starttls"  # RFC 3207, port 587
    NONE = "none"


_ATOM = re.compile(r"[^\s<>(),;:\\\"\[\]@\x00-\x20\x7f]+")
PORTS = {Security.TLS: 465, Security.STARTTLS: 587, Security.NONE: 25}


class BadSetting(Exception):
    """What is wrong with the settings, and what to write; never with a password in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the channel needs to know to send."""

    server: str
    port: int
    security: Security
    sender: Address
    recipients: tuple[Address, ...]
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""


def read_account(settings: Mapping[str, str]) -> Account:
    """The account that `settings` describe. Raises BadSetting."""
    values = {name: value.strip() for name, value in settings.items()}
    server = _server(values.get("SMTP_SERVER", ""))
    security, port = _protection(values.get("SMTP_SECURITY", "").lower(), values.get("SMTP_PORT", ""))
    user, password = values.get("SMTP_USER", ""), settings.get("SMTP_PASSWORD", "")
    if bool(user) != bool(password):
        raise BadSetting("SMTP_USER and SMTP_PASSWORD belong together: set both or neither")
    if security is Security.NONE and password and not is_this_machine(server):
        raise BadSetting(
            "SMTP_SECURITY=none would send the password in clear to another machine: use tls or starttls, "
            "or leave SMTP_USER and SMTP_PASSWORD out"
        )
    senders = _addresses("SMTP_FROM", values.get("SMTP_FROM") or (user if "@" in user else ""))
    if len(senders) != 1:
        raise BadSetting("SMTP_FROM has more than one address: give one")
    return Account(
        server=server,
        port=port,
        security=security,
        sender=senders[0],
        recipients=_addresses("SMTP_TO", values.get("SMTP_TO", "")),
        user=user,
        password=password,
        ca_file=values.get("SMTP_CA_FILE", ""),
    )


def is_this_machine(server: str) -> bool:
    """Whether `server` names the loopback interface, where nobody listens in between."""
    try:
        return ipaddress.ip_address(server).is_loopback
    except ValueError:
        return server.lower() == "localhost"


def _server(text: str) -> str:
    if not text:
        raise BadSetting("SMTP_SERVER is not set: give the host name of your mail server")
    server = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not re.fullmatch(r"[^\s/@\x00-\x20]+", server) or server.count(":") == 1:
        raise BadSetting("SMTP_SERVER is not a host name: give it without scheme and port, as in smtp.example.com")
    return server


def _protection(word: str, port: str) -> tuple[Security, int]:
    if port and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise BadSetting(f"SMTP_PORT is {clean(port, 40)!r}: give a number from 1 to 65535")
    try:
        security = Security(word) if word else Security.TLS if port == "465" else Security.STARTTLS
    except ValueError:
        raise BadSetting(f"SMTP_SECURITY is {clean(word, 40)!r}: give tls, starttls or none") from None
    return security, int(port) if port else PORTS[security]


def _addresses(name: str, text: str) -> tuple[Address, ...]:
    """The addresses in `text`, which may have names: `Ann <ann@example.com>, bob@example.com`."""
    if not text:
        raise BadSetting(f"{name} is not set: give a mail address")
    found: list[Address] = []
    text = clean(text, 10_000)
    for shown, spec in getaddresses([text]):
        if not shown and not spec:
            continue  # a comma too many
        local, _, domain = spec.rpartition("@")
        # Nothing that could end an SMTP command or begin another one gets further than here.
        # The parser drops spaces: "ann@example.com bob" would become the address of somebody else.
        if not _ATOM.fullmatch(local) or not _ATOM.fullmatch(domain) or spec not in text:
            raise BadSetting(f"{name}: {clean(spec or text, 100)!r} is not a mail address")
        try:
            # As DNS has it, so that only a foreign name before the @ needs SMTPUTF8.
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            raise BadSetting(f"{name}: {clean(domain, 100)!r} is not a domain") from None
        address = Address(display_name=clean(shown, 100), username=local, domain=domain)
        if address.addr_spec not in [other.addr_spec for other in found]:
            found.append(address)
    if not found:
        raise BadSetting(f"{name}: {clean(text, 100)!r} is not a mail address")
    return tuple(found)
