"""A Message as a mail: its headers, and the same text twice, plain and as HTML."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from tmux_sentry import Message, clean, for_mail_header, plain_text
from tmux_sentry_notify_smtp.account import Account
from tmux_sentry_notify_smtp.page import page

#: Characters of a part of the message, and of a line of it. More is no notification.
LONGEST_PART, LONGEST_LINE = 100_000, 10_000
CUT = "… (cut)"
# A relay on the way may take 7 bits only.
_POLICY = SMTP.clone(cte_type="7bit")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,200}@[!-;=?-~]{1,200}>")


def compose(message: Message, account: Account, recipients: tuple[Address, ...]) -> EmailMessage:
    """The mail for a tidy `message`. Every attempt has the same Message-ID and Date (RFC 5322 3.6.4)."""
    domain = account.sender.domain
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = account.sender
    mail["To"] = recipients
    mail["Subject"] = for_mail_header(message.subject or message.title)
    mail["Date"] = formatdate(message.at, localtime=True)
    mail["Message-ID"] = message_id(message, account)
    if message.thread:
        # A root that no mail has: so the order of arrival and a lost first mail do not matter.
        root = f"<run.{_digest(message.thread)}@{domain}>"
        earlier = [ours for ours in dict.fromkeys([message.first, message.ends]) if _MESSAGE_ID.fullmatch(ours)]
        mail["In-Reply-To"] = message.ends if message.ends in earlier else root
        mail["References"] = " ".join([root, *earlier])
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    mail["List-Id"] = f"tmux-sentry <tmux-sentry.{domain}>"  # RFC 2919: for filters
    mail.set_content(plain_text(message))
    mail.add_alternative(page(message), subtype="html")
    return mail


def message_id(message: Message, account: Account) -> str:
    """The Message-ID: from the message's id, so that every retry has it and a duplicate can be told."""
    return f"<{_digest(message.id)}.tmux-sentry@{account.sender.domain}>"


def fitted(message: Message, account: Account, recipients: tuple[Address, ...], size: int, *, utf8: bool) -> bytes:
    """The mail as bytes, at most `size` of them (0: as many as there are), what is too much left out with a mark."""

    message = tidy(message)

    def made(keep: int) -> bytes:
        return as_bytes(compose(shortened(message, keep), account, recipients), utf8=utf8)

    whole = as_bytes(compose(message, account, recipients), utf8=utf8)
    if not size or len(whole) <= size:
        return whole
    fits, too_much = 0, len(message.text) + len(message.output)
    while too_much - fits > 20:  # the server waits; the last letters are not worth it
        keep = (fits + too_much) // 2
        fits, too_much = (keep, too_much) if len(made(keep)) <= size else (fits, keep)
    return made(fits)  # with a limit that not even this keeps, the server will say so


def shortened(message: Message, keep: int) -> Message:
    """`message` with `keep` characters of its text and output: first the beginning of the output goes."""
    text, output = message.text, message.output
    kept_output = max(keep - len(text), 0)
    if len(output) > kept_output:
        output = CUT + "\n" + output[len(output) - kept_output :]
    if len(text) > keep:
        text = text[:keep] + CUT
    return replace(message, text=text, output=output)


def as_bytes(mail: EmailMessage, *, utf8: bool) -> bytes:
    """The mail with CRLF; `utf8`: for a server that takes letters of all kinds in headers (RFC 6531)."""
    return mail.as_bytes(policy=_POLICY.clone(utf8=utf8))


def tidy(message: Message) -> Message:
    """`message` without characters that act instead of being read, and without parts that have no end."""
    return replace(
        message,
        title=clean(message.title),
        subject=clean(message.subject),
        text=_lines(message.text),
        answer=_lines(message.answer),
        output=_lines(message.output),
        fields={clean(name, 60): clean(value) for name, value in message.fields.items()},
    )


def _lines(text: str) -> str:
    shown = "\n".join(clean(line, LONGEST_LINE) for line in text[: LONGEST_PART + 1].split("\n"))
    return shown if len(text) <= LONGEST_PART else shown + CUT


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
