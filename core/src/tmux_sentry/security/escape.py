"""How text is written where it goes, so that it is read there and does nothing: the sanitiser, one sink at a time.

Each function takes text from anywhere (a pane, a host, a title, a provider, a plugin), cleans it as sanitize.py does,
and then escapes what its sink would act on. Cleaning again does no harm; redaction comes before (outlet.py).
"""

from __future__ import annotations

import re
import shlex

from tmux_sentry.security.sanitize import clean, clean_block

_WIDE_AT = "＠"
# A name after it makes a mention; a mail address is none.
_MENTION = re.compile(r"(?<![A-Za-z0-9._%+-])@(?=[\w\-.])")
_FENCE = re.compile("`{3,}")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_INDENT = re.compile("^ +", re.MULTILINE)
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}
# WeChat Work documents no escape: what could be mark-up is shown by its wide twin.
_WECHAT = str.maketrans("<>[]`*#@\\", "＜＞［］｀＊＃＠＼")


def for_terminal(text: str, limit: int = 4000) -> str:
    """Lines for a terminal: no escape sequence, no control or invisible character but the newline.

    One line: `clean`.
    """
    return clean_block(text, limit)


def for_html(text: str, limit: int = 4000) -> str:
    """Text for an HTML element or a quoted attribute (OWASP XSS Prevention, rules 1 and 2). Newlines stay."""
    return _entities(clean_block(text, limit))


def for_slack(text: str, limit: int = 3000) -> str:
    """Text for Slack's mrkdwn: no mention, no link under another name, no end of a code block that it is put in.

    Slack acts on `<!channel>`, `<@U1>` and `<url|text>`, and has just `&`, `<` and `>` escaped
    (docs.slack.dev/messaging/formatting-message-text, 2026-11). `@here` without brackets is a mention where
    `link_names` is set, so it loses its sign too. `limit` is before escaping; a section takes 3000 characters.
    """
    safe = _MENTION.sub(_WIDE_AT, _FENCE.sub("'''", clean_block(text, limit)))
    return safe.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def for_markdown(text: str, limit: int = 4000) -> str:
    """Text for CommonMark and GitHub's Markdown: all punctuation escaped, lines and indentation kept.

    A backslash makes any ASCII punctuation literal (CommonMark 0.31, 2.4), so no link, image, heading, HTML or
    automatic link is left. Mentions are found after rendering, so `@name` gets a wide sign.
    """
    safe = _PUNCTUATION.sub(_literal, _MENTION.sub(_WIDE_AT, clean_block(text, limit)))
    return _INDENT.sub(lambda found: "&nbsp;" * len(found.group()), safe).replace("\n", "  \n")


def for_wechat(text: str, limit: int = 1000) -> str:
    """Text for a WeChat Work robot's markdown: no `<@userid>`, no `<@all>`, no `<font>`, no link, heading or quote.

    Its markdown has no escape (developer.work.weixin.qq.com/document/path/99110, 2025-08-07), so those signs are
    written as their full-width twins. A message takes 4096 BYTES; a character is up to 4 of them.
    """
    return clean_block(text, limit).translate(_WECHAT)


def for_mail_header(text: str, limit: int = 200) -> str:
    """Text for a header such as Subject: one line, so that it adds no header (RFC 5322, 2.2), never only spaces.

    `email.message.EmailMessage` encodes it (RFC 2047) and raises ValueError for a line break.
    """
    return " ".join(clean(text, limit).split()) or "-"


def for_log(text: str, limit: int = 500) -> str:
    """Text inside a log line: one line, so that it forges no second entry."""
    return clean(text, limit)


def for_tmux_format(text: str, limit: int = 200) -> str:
    """Text inside a tmux format that is expanded once: `##` writes `#` (tmux(1), FORMATS), `%%` a `%` of strftime(3).

    A last resort: text from outside does not belong into a format, and a second expansion (`#{E:...}`) would run it.
    Comma and brace are not escaped: not inside `#{...}`.
    """
    return clean(text, limit).replace("#", "##").replace("%", "%%")


def shell_word(text: str, limit: int = 4000) -> str:
    """Text as one word of a POSIX shell's command line. What begins with "-" is still an option: put `--` before it."""
    return shlex.quote(clean(text, limit))


def _entities(text: str) -> str:
    return "".join(_HTML.get(char, char) for char in text)


def _literal(found: re.Match[str]) -> str:
    char = found.group()
    return _HTML[char] if char in "&<>" else "\\" + char
