"""Sends Messages by mail, and says what became of each."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from tmux_sentry import Delivery, DeliveryResult, Message, clean
from tmux_sentry_notify_smtp.account import Account, BadSetting, read_account
from tmux_sentry_notify_smtp.mail import fitted, message_id
from tmux_sentry_notify_smtp.session import Broken, Patience, Refused, Reply, Session, Unsafe, session

log = logging.getLogger("tmux_sentry.notify.email")

#: "Authentication required", "mechanism too weak", "credentials invalid", "encryption required" (RFC 4954 6).
LOGIN_CODES = {530, 534, 535, 538}
#: "Message too big" (RFC 1870): about this mail, not about the channel.
TOO_BIG = 552
#: Seconds to leave a server alone that closes its service (421).
REST = 60.0


class SmtpNotifier:
    """The channel. What is wrong with its settings is said by `send`."""

    def __init__(self, settings: Mapping[str, str], patience: Patience | None = None) -> None:
        self._settings = settings
        self._patience = patience or Patience()

    def problem(self) -> str:
        """What is wrong with the settings, if anything; the server is not asked."""
        try:
            read_account(self._settings)
        except BadSetting as error:
            return str(error)
        return ""

    def recipients(self) -> Sequence[str]:
        """The addresses that it sends to: each may get a link of its own."""
        try:
            return [one.addr_spec for one in read_account(self._settings).recipients]
        except BadSetting:
            return []

    def send(self, message: Message) -> DeliveryResult:
        try:
            account = read_account(self._settings)
            with session(account, self._patience) as server:
                return _handed_over_to_all(server, message, account)
        except (BadSetting, Unsafe) as error:
            return DeliveryResult(outcome=Delivery.PERMANENT, detail=str(error), whole_channel=True)
        except Broken as error:
            outcome = Delivery.UNKNOWN if error.sent else Delivery.RETRY
            receipt = message_id(message, account) if error.sent else ""
            return DeliveryResult(outcome=outcome, detail=str(error), receipt=receipt)
        except Refused as error:
            return _refusal(error)
        except ValueError as error:  # the mail library refuses a line break in a header, for one
            detail = clean(f"this message cannot be made into a mail: {error}")
            return DeliveryResult(outcome=Delivery.PERMANENT, detail=detail)


def _handed_over_to_all(server: Session, message: Message, account: Account) -> DeliveryResult:
    """One mail for everybody, or for each of those who have lines of their own one that only they get."""
    everybody = [one.addr_spec for one in account.recipients]
    own = [name for name in everybody if message.links.get(name)]
    mails = [([name], message.to(name)) for name in own]
    rest = [name for name in everybody if name not in own]
    refused: dict[str, Reply] = {}
    taken: Reply | None = None
    for number, (names, one) in enumerate([*mails, *([(rest, message)] if rest else [])]):
        try:
            if number:
                server.reset()
            taken = _handed_over(server, one, account, names, refused) or taken
        except Refused as error:
            if taken is None:
                raise
            refused |= dict.fromkeys(names, error.reply)
    if taken is None:
        return _nobody(refused)
    detail = str(taken)
    if refused:
        detail = f"{detail}; {_named(refused)}"
        log.warning("notification by email was not taken for everybody: %s", _named(refused))
    return DeliveryResult(outcome=Delivery.DELIVERED, detail=detail, receipt=message_id(message, account))


def _handed_over(
    server: Session, message: Message, account: Account, to: Sequence[str], refused: dict[str, Reply]
) -> Reply | None:
    """The server's answer to a mail for these addresses, None when it took none of them; adds those to `refused`."""
    names = {one.addr_spec: one for one in account.recipients if one.addr_spec in to}
    foreign = not server.takes_utf8
    no = {name: Reply(553, "needs SMTPUTF8, not offered") for name in names if foreign and not name.isascii()}
    asked = [name for name in names if name not in no]
    if not account.sender.addr_spec.isascii() and foreign:
        raise Unsafe("SMTP_FROM has letters outside ASCII, and the server does not offer SMTPUTF8")
    if asked:
        utf8 = not "".join([account.sender.addr_spec, *asked]).isascii()
        shown = tuple(names[name] for name in asked)
        mail = fitted(message, account, shown, server.size, utf8=utf8)
        no |= server.envelope(asked, len(mail), utf8=utf8)
    refused |= no
    return None if len(no) == len(names) else server.hand_over(mail)


def _named(refused: Mapping[str, Reply]) -> str:
    return clean("not taken for " + "; ".join(f"{name}: {reply}" for name, reply in refused.items()))


def _nobody(refused: Mapping[str, Reply]) -> DeliveryResult:
    """All recipients were refused. One that may work later is reason enough to come again."""
    codes = {reply.code for reply in refused.values()}
    later = any(code < 500 for code in codes)
    outcome = Delivery.RETRY if later else Delivery.PERMANENT
    whole = not later and bool(codes & LOGIN_CODES)
    return DeliveryResult(outcome=outcome, detail=_named(refused), whole_channel=whole)


def _refusal(error: Refused) -> DeliveryResult:
    """4yz: the same may work later; 5yz: it will not (RFC 5321 4.2.1). Anything else is a server that is confused."""
    code = error.reply.code
    if code == 421:
        return DeliveryResult(outcome=Delivery.RETRY, detail=str(error), retry_after=REST, whole_channel=True)
    if not 500 <= code < 600:
        return DeliveryResult(outcome=Delivery.RETRY, detail=str(error))
    about_the_channel = error.step in ("starttls", "login", "sender") and code != TOO_BIG
    whole = about_the_channel or code in LOGIN_CODES
    return DeliveryResult(outcome=Delivery.PERMANENT, detail=str(error), whole_channel=whole)
