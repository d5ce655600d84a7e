"""What the channel says of each way in which a mail server can behave."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tmux_sentry import Delivery, Level
from tmux_sentry.testing.provider import closed_port, full_port, self_signed
from tmux_sentry.testing.samples import message

RETRY, PERMANENT, UNKNOWN, DELIVERED = Delivery.RETRY, Delivery.PERMANENT, Delivery.UNKNOWN, Delivery.DELIVERED
MESSAGE = message("m1", "build failed", Level.ERROR)


@pytest.mark.parametrize(
    ("step", "answer", "outcome", "whole_channel"),
    [
        ("greeting", b"421 too busy\r\n", RETRY, True),
        ("greeting", b"554 no service\r\n", PERMANENT, False),
        ("greeting", b"SSH-2.0-OpenSSH_9.9\r\n", RETRY, False),
        ("greeting", "drop", RETRY, False),
        ("greeting", "hang", RETRY, False),
        ("greeting", "drip", RETRY, False),
        ("EHLO", b"421 too busy\r\n", RETRY, True),
        ("EHLO", b"451 later\r\n", RETRY, False),
        ("EHLO", "drop", RETRY, False),
        ("EHLO", "drip", RETRY, False),
        ("MAIL", b"451 4.7.1 later\r\n", RETRY, False),
        ("MAIL", b"421 closing\r\n", RETRY, True),
        ("MAIL", b"530 5.7.0 authentication required\r\n", PERMANENT, True),
        ("MAIL", b"553 5.7.1 not your address\r\n", PERMANENT, True),
        ("MAIL", b"552 5.3.4 too big\r\n", PERMANENT, False),
        ("MAIL", "drop", RETRY, False),
        ("RCPT", b"550 5.1.1 nobody of that name\r\n", PERMANENT, False),
        ("RCPT", b"450 4.2.0 greylisted\r\n", RETRY, False),
        ("RCPT", b"421 closing\r\n", RETRY, True),
        ("RCPT", b"530 5.7.0 authentication required\r\n", PERMANENT, True),
        ("RCPT", "drop", RETRY, False),
        ("DATA", b"451 later\r\n", RETRY, False),
        ("DATA", b"554 no valid recipients\r\n", PERMANENT, False),
        ("DATA", "drop", RETRY, False),
        ("DATA", "hang", RETRY, False),
        (".", b"451 4.3.0 later\r\n", RETRY, False),
        (".", b"421 closing\r\n", RETRY, True),
        (".", b"554 5.7.1 spam\r\n", PERMANENT, False),
        (".", b"552 5.2.3 too big\r\n", PERMANENT, False),
        (".", b"junk\r\n", UNKNOWN, False),
        (".", "drop", UNKNOWN, False),
        (".", "hang", UNKNOWN, False),
        (".", "drip", UNKNOWN, False),
        (".", b"250 queued\r\n", DELIVERED, False),
        ("QUIT", "drop", DELIVERED, False),
        ("QUIT", "hang", DELIVERED, False),
        ("QUIT", b"500 what?\r\n", DELIVERED, False),
    ],
)
def test_each_failure_at_each_step(scripted, in_clear, step, answer, outcome, whole_channel) -> None:
    server = scripted({step: answer})
    began = time.monotonic()
    result = in_clear(server.port).send(MESSAGE)
    assert (result.outcome, result.whole_channel) == (outcome, whole_channel), result
    assert result.detail
    assert time.monotonic() - began < 4, "longer than the whole conversation may take"
    if isinstance(answer, bytes) and outcome in (RETRY, PERMANENT) and not answer.startswith(b"SSH"):
        assert answer[:3].decode() in result.detail, "the server's own words are missing"
    if answer == b"421 closing\r\n":
        assert result.retry_after, "the channel must rest"


def test_a_server_of_the_eighties_is_greeted_as_one(scripted, in_clear) -> None:
    server = scripted({"EHLO": b"502 not implemented\r\n"})
    assert in_clear(server.port).send(MESSAGE).outcome is DELIVERED
    assert not [command for command in server.commands if "SIZE=" in command]


def test_nobody_there(notifier) -> None:
    result = notifier(closed_port()).send(MESSAGE)
    assert result.outcome is RETRY
    assert "refused" in result.detail


def test_a_host_that_hangs(notifier) -> None:
    with full_port() as port:
        result = notifier(port, hurry=True).send(MESSAGE)
    assert result.outcome is RETRY
    assert "in time" in result.detail


def test_a_name_that_no_dns_has(notifier) -> None:
    assert notifier(25, SMTP_SERVER="smtp.invalid").send(MESSAGE).outcome is RETRY
    assert notifier(25, SMTP_SERVER="a" * 70 + ".example").send(MESSAGE).outcome is RETRY


# ------------------------------------------------------------------------------ recipients


def test_those_who_are_refused_are_named_and_the_others_get_it(mail_server, notifier, caplog) -> None:
    mail_server.refused = {"bob@example.com": "550 5.1.1 no such user"}
    mail_server.start()
    result = notifier(mail_server.port).send(MESSAGE)
    assert result.outcome is DELIVERED
    assert "bob@example.com: 550 5.1.1 no such user" in result.detail
    assert "ann@example.com" not in result.detail
    assert mail_server.envelopes[0].rcpt_tos == ["ann@example.com"]
    assert "bob@example.com" in caplog.text, "a delivered message is not shown: the log must say it"


@pytest.mark.parametrize(
    ("ann", "bob", "outcome"),
    [
        ("550 no", "550 no", PERMANENT),
        ("451 later", "451 later", RETRY),
        ("550 no", "451 later", RETRY),
    ],
)
def test_all_are_refused(mail_server, notifier, ann: str, bob: str, outcome: Delivery) -> None:
    mail_server.refused = {"ann@example.com": ann, "bob@example.com": bob}
    mail_server.start()
    result = notifier(mail_server.port).send(MESSAGE)
    assert result.outcome is outcome
    assert f"ann@example.com: {ann}" in result.detail
    assert f"bob@example.com: {bob}" in result.detail
    assert mail_server.envelopes == []


# ------------------------------------------------------------------------------------ TLS


@pytest.mark.parametrize("how", ["tls", "starttls"])
def test_mail_goes_through_verified_tls(mail_server, notifier, how: str) -> None:
    mail_server.start(how)
    result = notifier(mail_server.port, SMTP_SECURITY=how).send(MESSAGE)
    assert result.outcome is DELIVERED
    assert "queued as 42" in result.detail
    assert mail_server.in_tls == [True]


@pytest.mark.parametrize("how", ["tls", "starttls"])
def test_a_certificate_of_nobody_is_refused_before_anything_is_sent(
    mail_server, notifier, tmp_path: Path, how: str
) -> None:
    other, _ = self_signed(tmp_path)
    mail_server.start(how, authenticator=mail_server.authenticate)
    login = {"SMTP_USER": "ci", "SMTP_PASSWORD": "geheim-密码"}
    for trusted in ("", str(other)):
        result = notifier(mail_server.port, SMTP_SECURITY=how, SMTP_CA_FILE=trusted, **login).send(MESSAGE)
        assert result.outcome is RETRY
        assert "certificate" in result.detail
    assert mail_server.logins == []
    assert mail_server.envelopes == []


@pytest.mark.parametrize("how", ["tls", "starttls"])
def test_a_certificate_for_another_name_is_refused(mail_server, notifier, tmp_path: Path, how: str) -> None:
    mail_server.certificate = self_signed(tmp_path, "mx.example")
    mail_server.start(how)
    result = notifier(mail_server.port, SMTP_SECURITY=how, SMTP_CA_FILE=str(mail_server.certificate[0])).send(MESSAGE)
    assert result.outcome is RETRY
    assert "certificate" in result.detail
    assert mail_server.envelopes == []


def test_without_starttls_nothing_is_sent_in_clear(scripted, notifier) -> None:
    """Whoever sits in between can cut the word STARTTLS out of the server's answer."""
    server = scripted({})
    result = notifier(server.port).send(MESSAGE)
    assert (result.outcome, result.whole_channel) == (PERMANENT, True)
    assert "STARTTLS" in result.detail
    assert [command.split()[0].upper() for command in server.commands] == ["EHLO", "QUIT"]


@pytest.mark.parametrize(("reply", "outcome"), [(b"454 no TLS now\r\n", RETRY), (b"554 no TLS\r\n", PERMANENT)])
def test_starttls_that_fails_is_not_gone_on_without(scripted, notifier, reply: bytes, outcome: Delivery) -> None:
    server = scripted({"EHLO": b"250-mx\r\n250 STARTTLS\r\n", "STARTTLS": reply})
    assert notifier(server.port).send(MESSAGE).outcome is outcome
    assert [command.split()[0].upper() for command in server.commands] == ["EHLO", "STARTTLS", "QUIT"]


def test_answers_that_were_put_before_the_handshake_do_not_count(scripted, notifier, certificate) -> None:
    """Response injection: what comes with the answer to STARTTLS was said in clear, by whoever sits in between."""
    injected = b"220 go\r\n250-mx\r\n250 AUTH LOGIN\r\n334 name\r\n334 word\r\n235 welcome\r\n"
    hello = b"250-mx\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n"
    server = scripted({"EHLO": hello, "STARTTLS": injected, "AUTH": b"535 no\r\n"}, certificate)
    result = notifier(server.port, SMTP_USER="ci", SMTP_PASSWORD="geheim").send(MESSAGE)
    assert (result.outcome, result.whole_channel) == (PERMANENT, True)
    assert "535" in result.detail
    verbs = [command.split()[0].upper() for command in server.commands]
    assert verbs == ["EHLO", "STARTTLS", "EHLO", "AUTH", "QUIT"]
    assert "AUTH PLAIN" in server.commands[3]


def test_plain_talk_on_a_tls_port_and_the_reverse(scripted, mail_server, notifier) -> None:
    assert notifier(scripted({}).port, SMTP_SECURITY="tls").send(MESSAGE).outcome is RETRY
    mail_server.start("tls")
    assert notifier(mail_server.port, hurry=True, SMTP_SECURITY="starttls").send(MESSAGE).outcome is RETRY


# ---------------------------------------------------------------------------------- login


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_login(mail_server, notifier, mechanism: str) -> None:
    other = {"PLAIN": "LOGIN", "LOGIN": "PLAIN"}[mechanism]
    mail_server.start(
        authenticator=mail_server.authenticate, auth_required=True, auth_exclude_mechanism=[other, "CRAM-MD5"]
    )
    result = notifier(mail_server.port, SMTP_USER="ci", SMTP_PASSWORD="geheim-密码").send(MESSAGE)
    assert result.outcome is DELIVERED, result
    assert mail_server.logins == [(mechanism, b"ci", "geheim-密码".encode())]


def test_a_wrong_password_turns_the_channel_off_after_one_try(mail_server, notifier) -> None:
    mail_server.start(authenticator=mail_server.authenticate, auth_required=True)
    result = notifier(mail_server.port, SMTP_USER="ci", SMTP_PASSWORD="wrong-one").send(MESSAGE)
    assert (result.outcome, result.whole_channel) == (PERMANENT, True)
    assert "535" in result.detail
    assert "wrong-one" not in result.detail
    assert len(mail_server.logins) == 1, "each further one counts towards locking the account"


@pytest.mark.parametrize(
    ("reply", "outcome", "whole_channel"),
    [
        (b"454 4.7.0 temporary authentication failure\r\n", RETRY, False),
        (b"421 4.7.0 too many logins\r\n", RETRY, True),
        (b"534 5.7.9 app password needed\r\n", PERMANENT, True),
        (b"535 5.7.8 bad credentials\r\n", PERMANENT, True),
        (b"538 5.7.11 encryption needed\r\n", PERMANENT, True),
        (b"500 what?\r\n", PERMANENT, True),
    ],
)
def test_what_a_refused_login_means(scripted, in_clear, reply: bytes, outcome: Delivery, whole_channel: bool) -> None:
    server = scripted({"EHLO": b"250-mx\r\n250 AUTH PLAIN\r\n", "AUTH": reply})
    result = in_clear(server.port, SMTP_USER="ci", SMTP_PASSWORD="geheim").send(MESSAGE)
    assert (result.outcome, result.whole_channel) == (outcome, whole_channel)


@pytest.mark.parametrize("offered", [b"250 mx\r\n", b"250-mx\r\n250 AUTH XOAUTH2 GSSAPI\r\n"])
def test_a_server_with_no_login_that_we_know(scripted, in_clear, offered: bytes) -> None:
    server = scripted({"EHLO": offered})
    result = in_clear(server.port, SMTP_USER="ci", SMTP_PASSWORD="geheim").send(MESSAGE)
    assert (result.outcome, result.whole_channel) == (PERMANENT, True)
    assert "SMTP_USER" in result.detail
    assert server.mails == []


# ------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("SMTP_SERVER", "", "SMTP_SERVER is not set"),
        ("SMTP_SERVER", "smtp.example.com:587", "SMTP_SERVER is not a host name"),
        ("SMTP_SERVER", "smtps://smtp.example.com", "SMTP_SERVER is not a host name"),
        ("SMTP_PORT", "smtp", "SMTP_PORT"),
        ("SMTP_PORT", "0", "SMTP_PORT"),
        ("SMTP_PORT", "65536", "SMTP_PORT"),
        ("SMTP_SECURITY", "ssl", "tls, starttls or none"),
        ("SMTP_FROM", "", "SMTP_FROM is not set"),
        ("SMTP_FROM", "a@example.com, b@example.com", "SMTP_FROM has more than one"),
        ("SMTP_FROM", "ci", "SMTP_FROM"),
        ("SMTP_TO", "", "SMTP_TO is not set"),
        ("SMTP_TO", "ann@example.com, bob", "SMTP_TO: 'bob'"),
        ("SMTP_TO", "ann@example.com>\r\nDATA", "SMTP_TO"),
        ("SMTP_TO", "ann@exa mple.com", "SMTP_TO"),
        ("SMTP_TO", "ann@example.com bob@example.com", "SMTP_TO"),
        ("SMTP_TO", ",", "SMTP_TO"),
        ("SMTP_TO", "ann@" + "a" * 70 + ".example", "SMTP_TO"),
        ("SMTP_USER", "ci", "SMTP_USER and SMTP_PASSWORD"),
        ("SMTP_PASSWORD", "geheim", "SMTP_USER and SMTP_PASSWORD"),
        ("SMTP_CA_FILE", "no-such-file", "SMTP_CA_FILE"),
    ],
)
def test_a_setting_that_is_wrong_is_named(scripted, notifier, setting: str, value: str, said: str) -> None:
    server = scripted({})
    result = notifier(server.port, **{setting: value}).send(MESSAGE)
    assert (result.outcome, result.whole_channel) == (PERMANENT, True), result
    assert said in result.detail
    assert "geheim" not in result.detail
    assert server.mails == []


def test_a_password_is_not_sent_in_clear_to_another_machine(notifier) -> None:
    login = {"SMTP_USER": "ci", "SMTP_PASSWORD": "geheim", "SMTP_SECURITY": "none"}
    result = notifier(25, SMTP_SERVER="192.0.2.1", **login).send(MESSAGE)
    assert (result.outcome, result.whole_channel) == (PERMANENT, True)
    assert "in clear" in result.detail


def test_on_this_machine_a_password_may_go_in_clear(scripted, in_clear) -> None:
    server = scripted({"EHLO": b"250-mx\r\n250 AUTH PLAIN\r\n", "AUTH": b"235 welcome\r\n"})
    assert in_clear(server.port, SMTP_USER="ci", SMTP_PASSWORD="geheim").send(MESSAGE).outcome is DELIVERED


@pytest.mark.parametrize(
    ("settings", "security", "port"),
    [
        ({}, "starttls", 587),
        ({"SMTP_PORT": "465"}, "tls", 465),
        ({"SMTP_PORT": "25"}, "starttls", 25),
        ({"SMTP_SECURITY": "TLS"}, "tls", 465),
        ({"SMTP_SECURITY": "none"}, "none", 25),
        ({"SMTP_SECURITY": "starttls", "SMTP_PORT": "465"}, "starttls", 465),
    ],
)
def test_what_is_not_said_follows_from_the_port(settings, security: str, port: int) -> None:
    from tmux_sentry_notify_smtp.account import read_account

    account = read_account(
        {"SMTP_SERVER": "mx.example", "SMTP_FROM": "a@b.example", "SMTP_TO": "c@d.example"} | settings
    )
    assert (account.security.value, account.port) == (security, port)


def test_the_sender_is_the_user_where_that_is_an_address() -> None:
    from tmux_sentry_notify_smtp.account import read_account

    account = read_account(
        {"SMTP_SERVER": "mx", "SMTP_USER": "ci@b.example", "SMTP_PASSWORD": "geheim", "SMTP_TO": "c@d.example"}
    )
    assert account.sender.addr_spec == "ci@b.example"
    assert "geheim" not in repr(account)
