r"""Well-known tokens, recognised by how they look: for secrets that nobody has configured here.

RE2, so linear whatever the text. Each pattern is anchored by a fixed prefix, a host name or a header's name; group 1,
where there is one, is the secret itself. Prefixes as the services document them; checked 2026-11.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

Check = Callable[[bytes], bool]


def _varied(value: bytes) -> bool:
    """Whether a value looks made by a machine: it has digits, or capitals after small letters. Words have neither.

    An encrypted value of ours may be seen.
    """
    if value.startswith(b"enc:v1:"):
        return False
    small = False
    for byte in value:
        if 48 <= byte <= 57 or (small and 65 <= byte <= 90):
            return True
        small = 97 <= byte <= 122
    return False


@dataclass(frozen=True, slots=True)
class Token:
    """One kind: its name in the mark, its pattern, and what else the secret must look like."""

    name: str
    pattern: str
    check: Check | None = None


_QUOTE = "[\"'`]?"
_ASSIGN = rf"{_QUOTE}\s{{0,3}}(?::|=|=>|%3[Dd])\s{{0,3}}{_QUOTE}"
# A URL's delimiters may be percent-encoded: a URL in a URL.
_EQ = "(?:=|%3[Dd])"
_SLASH = "(?:/|%2[Ff])"
_GAP = r"(?: |%20|\+)"
_AUTHORIZATION = r"(?i:\b(?:proxy-)?authorization)[\"']?\s{0,3}[:=]\s{0,3}[\"']?"

#: In the order in which they are tried where several begin at one place.
TOKENS = (
    Token("approval-link", r"\bts[as]_[A-Za-z0-9_.-]{40,}"),
    Token("github-token", r"\bgh[pousr]_[A-Za-z0-9_]{30,}"),
    Token("github-token", r"\bgithub_pat_[A-Za-z0-9_]{22,}"),
    Token("gitlab-token", r"\bgl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[A-Za-z0-9_.-]{20,}"),
    Token("anthropic-key", r"\bsk-ant-[A-Za-z0-9_-]{16,}"),
    Token("openai-key", r"\bsk-(?:(?:proj|svcacct|admin|or-v1)-[A-Za-z0-9_-]{20,}|[A-Za-z0-9]{32,})"),
    Token("ai-key", r"\b(?:gsk_[A-Za-z0-9]{40,}|xai-[A-Za-z0-9]{60,}|r8_[A-Za-z0-9]{37,})"),
    Token("google-key", r"\b(?:AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{28}|ya29\.[A-Za-z0-9_-]{20,})"),
    Token("aws-key-id", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"),
    Token(
        "aws-secret-key",
        rf"(?i:aws.?secret|secret.?access.?key)[A-Za-z_]{{0,20}}{_ASSIGN}((?:[A-Za-z0-9/+]|%2[BFbf]){{40}})",
    ),
    Token("slack-token", r"\b(?:xox[abeoprs](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{10,})"),
    Token(
        "slack-webhook",
        rf"hooks\.slack(?:-gov)?\.com{_SLASH}(?:services|workflows|triggers){_SLASH}([A-Za-z0-9/%_-]{{10,}})",
    ),
    Token("wechat-work-key", rf"qyapi\.weixin\.qq\.com[^\s\"'<>]{{1,80}}?key{_EQ}([A-Za-z0-9-]{{16,}})"),
    Token("serverchan-key", r"\b(?:SCT\d{2,8}T[A-Za-z0-9]{16,}|sctp\d{1,8}t[A-Za-z0-9]{12,}|SCU\d{2,8}T[a-f0-9]{32,})"),
    Token(
        "serverchan-key",
        rf"(?:sctapi\.ftqq\.com|sc\.ftqq\.com|push\.ft07\.com{_SLASH}send){_SLASH}([A-Za-z0-9]{{10,}})",
    ),
    Token(
        "chat-webhook",
        r"\b(?:open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook/([A-Za-z0-9-]{20,})"
        r"|oapi\.dingtalk\.com/robot/send\?[^\s\"'<>]{0,80}?access_token=([0-9a-f]{32,}))",
    ),
    Token("discord-webhook", r"\bdiscord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/\d{15,22}/([A-Za-z0-9_-]{30,})"),
    Token("telegram-token", r"\b(?:bot)?(\d{8,12}:AA[A-Za-z0-9_-]{32,})"),
    Token("json-web-token", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*"),
    Token("private-key", rf"-----BEGIN{_GAP}(?:[A-Z0-9]{{2,12}}{_GAP}){{0,3}}PRIVATE{_GAP}KEY(?:{_GAP}BLOCK)?-----"),
    Token("npm-token", r"\bnpm_[A-Za-z0-9]{36,}|_authToken\s{0,3}=\s{0,3}([A-Za-z0-9_./+=-]{16,})"),
    Token("pypi-token", r"\bpypi-AgE[A-Za-z0-9_-]{16,}"),
    Token("stripe-key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    Token("webhook-secret", r"\bwhsec_[A-Za-z0-9+/_-]{24,}=*"),
    Token("docker-token", r"\bdckr_[po]at_[A-Za-z0-9_-]{20,}"),
    Token("hugging-face-token", r"\bhf_[A-Za-z0-9]{30,}"),
    Token("age-key", r"\bAGE-SECRET-KEY-1[0-9A-Z]{20,}"),
    Token("azure-key", rf"[?&;\"]sig{_EQ}([A-Za-z0-9%+/_-]{{20,}}=*)"),
    Token("azure-key", r"\b(?:Account|SharedAccess|Access)Key=([A-Za-z0-9+/]{40,}=*)"),
    Token("digitalocean-token", r"\bdo[opr]_v1_[a-f0-9]{32,}"),
    Token("twilio-key", r"\bSK[0-9a-f]{32}\b"),
    Token("sendgrid-key", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    Token("vault-token", r"\bhv[bs]\.[A-Za-z0-9_-]{24,}"),
    Token("url-password", r"\b(?i:[a-z][a-z0-9+.-]{1,20})://[^\s/:@?#\"'<>]*:([^\s/@\"'<>{]+)@"),
    Token(
        "authorization",
        _AUTHORIZATION
        + r"(?i:bearer|basic|token|digest|negotiate|bot|apikey)(?:\s|%20|\+){1,3}([^\s\"'<>{}$,;]{6,})",
    ),
    Token("authorization", _AUTHORIZATION + r"([^\s\"'<>{}$,;]{12,})", _varied),
    Token("authorization", r"\b(?i:bearer)\s{1,3}([A-Za-z0-9._~+/=-]{16,})", _varied),
    Token(
        "assignment",
        r"(?i:password|passwd|secret|api.?key|access.?key|private.?key|token|credential)s?"
        r"[\"']?\s{0,2}(?::|=|=>)\s{0,2}[\"']([^\"'\s{}$<>]{12,})[\"']",
        _varied,
    ),
    Token(
        "assignment",
        r"\b(?:[A-Z][A-Z0-9_]*_)?(?:PASSWORD|PASSWD|SECRET|API_KEY|APIKEY|TOKEN|CREDENTIALS?|ACCESS_KEY)=([^\s\"'{}$<>()]{12,})",
        _varied,
    ),
)  # fmt: skip

#: The beginning of a token that the sanitiser cut, up to its "…": half a token is half a secret.
_CUT = (
    r"\b(?:gh[pousr]_|github_pat_|glpat-|sk-ant-|sk-proj-|sk-|AIza|AKIA|ASIA|xox[a-z]-|eyJ|npm_|pypi-|SCT\d|sctp\d"
    r"|[rs]k_live_|whsec_|dckr_[po]at_|hf_|AGE-SECRET-KEY-|do[opr]_v1_|SG\.|hv[bs]\.)[A-Za-z0-9_.+/-]{6,}\x81"
)

_ALL = (*TOKENS, Token("token", _CUT))

PRIVATE_KEY = "private-key"
#: Kinds that are known by what is said before the value, so that a better name may be known.
GENERIC = ("assignment", "authorization")
_PEM_END = b"-----END"
# Searched at once, and what two such parts have in common. A pattern is found if its fixed part is no longer than
# _SHARED; its open end is followed as far as it goes. Without windows each find could look at the whole text.
_WINDOW = 16_384
_SHARED = 8_192
_GOES_ON = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+/=%.")


@dataclass(frozen=True, slots=True)
class Found:
    """A token: the secret itself is `start`..`end`, what shows it to be one is `first`..`last`."""

    start: int
    end: int
    name: str
    first: int
    last: int


def find_tokens(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, name) of each secret in `text` that looks like a well-known token, in order, none overlapping."""
    return ((found.start, found.end, found.name) for found in find(text))


def find(text: str) -> Iterator[Found]:
    """`find_tokens`, with what the tokens were recognised by."""
    any_token = _any_token()
    data = _projected(text)
    at = 0
    while at < len(data):
        until = min(at + _WINDOW, len(data))
        found = any_token.search(data, at, until)
        if found is None:
            at = until if until == len(data) else until - _SHARED
            continue
        token = _identify(data, found.start(), until, found.end())
        if token is None:
            at = found.start() + 1
            continue
        yield token
        at = max(token.last, found.start() + 1)


def unfinished(text: str) -> int | None:
    """Where something begins that may be a long token whose end has not come yet; None when nothing does."""
    found = _open().search(_projected(text))
    return None if found is None else int(found.start())


def _identify(data: bytes, start: int, until: int, seen: int) -> Found | None:
    """The token at `start`, of which a search up to `until` saw the end at `seen`; None if it is not varied enough."""
    tried, limit = 0, seen
    while tried < len(_ALL):
        found = _from(tried).match(data, start, limit)
        if found is None:
            return None
        tried, group = _which(found, tried)
        token, tried, limit = _ALL[tried], tried + 1, until
        first, last = found.span()
        begin, end = found.span(group)
        if token.name == PRIVATE_KEY:
            last = end = _end_of_key(data, end)
        elif end == until:
            while end < len(data) and data[end] in _GOES_ON:
                end += 1
            last = max(last, end)
        if token is _ALL[-1]:  # without its "…"
            return Found(begin, end - 1, token.name, first, last - 1)
        value = data[begin:end]
        if not _is_mark(value) and (token.check is None or token.check(value)):
            return Found(begin, end, _kind(data, begin, end) or token.name if group else token.name, first, last)
    return None


def _kind(data: bytes, begin: int, end: int) -> str:
    """What is known of a value by itself: in `TOKEN=...` it may be of a kind that has a name of its own."""
    found = _from(0).match(data, begin, end)
    return "" if found is None else _ALL[_which(found, 0)[0]].name


def _end_of_key(data: bytes, begun: int) -> int:
    """The end of a PEM block; of one that was broken off, the end of the text."""
    end = data.find(_PEM_END, begun)
    closed = data.find(b"-----", end + len(_PEM_END)) if end >= 0 else -1
    return closed + 5 if closed >= 0 else len(data)


def _is_mark(value: bytes) -> bool:
    return value.rstrip(b".,;:)") in (b"[redacted]", b"[redacted")


def _projected(text: str) -> bytes:
    """One byte a character: tokens are ASCII. 0x81 is "…", 0x80 any other; neither is part of a word for RE2."""
    return text.encode("ascii") if text.isascii() else text.encode("ascii", "tmux-sentry-project")


def _project(error: UnicodeError) -> tuple[bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    part = error.object[error.start : error.end]
    return bytes(0x81 if char == "…" else 0x80 for char in part), error.end


codecs.register_error("tmux-sentry-project", _project)


@cache
def _any_token() -> Any:
    """One search for all of them: what ordinary text pays for."""
    return _compile("|".join(f"(?:{token.pattern})" for token in _ALL), captures=False)


@cache
def _from(begin: int) -> Any:
    """The same with groups, for what that has found: those from number `begin` on."""
    return _compile("|".join(f"({token.pattern})" for token in _ALL[begin:]))


@cache
def _groups(index: int) -> int:
    """How many groups a token's own pattern has."""
    return int(_compile(_ALL[index].pattern).groups)


def _which(found: Any, begin: int) -> tuple[int, int]:
    """Which token `_from(begin)` has found, and the number of the group that is the secret."""
    outer = 1
    for index in range(begin, len(_ALL)):
        after = outer + 1 + _groups(index)
        if found.start(outer) >= 0:
            return index, next((inner for inner in range(outer + 1, after) if found.start(inner) >= 0), outer)
        outer = after
    raise AssertionError("a match without a token")


@cache
def _open() -> Any:
    # Those whose fixed part comes after a part of any length; all others are known by their first 100 characters.
    tail = "|".join(
        (
            r"\beyJ[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)?",
            r"\bSG\.[A-Za-z0-9_-]*",
            r"\b(?i:[a-z][a-z0-9+.-]{1,20})://[^\s/@?#\"'<>]*",
        )
    )
    return _compile(rf"(?:{tail})\z", captures=False)


def _compile(pattern: str, *, captures: bool = True) -> Any:
    import re2  # here: 6 ms that `--help` does not have to pay

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_capture = not captures
    options.log_errors = False
    return re2.compile(pattern.encode("latin-1"), options)
