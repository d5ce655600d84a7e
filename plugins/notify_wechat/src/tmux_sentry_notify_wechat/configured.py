"""What the variables say: where to send, in which form, and whom to call. Never raises: what is wrong is said later."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from tmux_sentry import clean

ENDPOINT = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send"
KINDS = ("text", "markdown", "markdown_v2")
EVERYBODY = "@all"

_WEBHOOK = "WECHAT_WORK_WEBHOOK"
_FIX = f"give the robot's address, {ENDPOINT}?key=..., or its key alone"
_KEY = re.compile(r"(?:key=)?([0-9A-Za-z]{8}(?:-[0-9A-Za-z]{4}){3}-[0-9A-Za-z]{12})")
_SERVERCHAN_KEY = re.compile(r"SC[TU][0-9A-Za-z]+|sctp[0-9]+t[0-9A-Za-z]+")
_SERVERCHAN_HOSTS = ("ftqq.com", "ft07.com")
# "1 to 64 characters: letters, digits, dash, underscore, dot" (path/90455), and @ in ids that are mail addresses.
_USER = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.@-]{0,63}")
_MOBILE = re.compile(r"1[0-9]{10}|\+[0-9]{6,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """`refused` says why nothing can be sent; `notes` what was left out. `secret` is what no detail may show."""

    url: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    refused: str = ""
    kind: str = "markdown"
    users: tuple[str, ...] = ()
    mobiles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def configured(settings: Mapping[str, str]) -> Configured:
    """Read the three variables."""
    notes: list[str] = []
    kind = settings.get("WECHAT_WORK_MSGTYPE", "").strip().lower() or "markdown"
    if kind not in KINDS:
        notes.append(f"WECHAT_WORK_MSGTYPE is {clean(kind, 40)!r}: it is one of {', '.join(KINDS)}; markdown was used")
        kind = "markdown"
    users, mobiles = [], []
    for word in filter(None, map(str.strip, settings.get("WECHAT_WORK_MENTION", "").split(","))):
        if word.lower() in (EVERYBODY, "all"):
            users.append(EVERYBODY)
        elif _MOBILE.fullmatch(word):
            mobiles.append(word)
        elif _USER.fullmatch(word):
            users.append(word)
        else:
            notes.append(f"WECHAT_WORK_MENTION: {clean(word, 40)!r} is no user id, mobile number or @all; left out")
    url, secret, refused = _address(settings.get(_WEBHOOK, "").strip().strip("\"'").strip())
    return Configured(
        url=url,
        secret=secret,
        refused=refused,
        kind=kind,
        users=tuple(dict.fromkeys(users)),
        mobiles=tuple(dict.fromkeys(mobiles)),
        notes=tuple(notes),
    )


def _address(text: str) -> tuple[str, str, str]:
    """The address, the secret in it, and why there is none. What was given is not repeated: it may be a secret."""
    if not text:
        return "", "", f"{_WEBHOOK} is not set: {_FIX}"
    if bare := _KEY.fullmatch(text):
        return f"{ENDPOINT}?key={bare[1]}", bare[1], ""
    if text.startswith("qyapi.weixin.qq.com/"):
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        scheme, host = parts.scheme, parts.hostname or ""
    except ValueError:
        return "", "", f"{_WEBHOOK} is no address: {_FIX}"
    if _SERVERCHAN_KEY.fullmatch(text) or host.endswith(_SERVERCHAN_HOSTS):
        return "", "", f"{_WEBHOOK} holds a ServerChan key: set it as SERVERCHAN_API_KEY, and here {_FIX}"
    if scheme not in ("http", "https") or not host:
        return "", "", f"{_WEBHOOK} is neither an address nor a key: {_FIX}"
    if scheme == "http" and not _loopback(host):
        return "", "", f"{_WEBHOOK} begins with http://, which would show the key to everybody on the way: use https://"
    key = parse_qs(parts.query).get("key", [""])[0]
    if host == "qyapi.weixin.qq.com" and (not key or parts.path != "/cgi-bin/webhook/send"):
        return "", "", f"{_WEBHOOK} is not the address of a group robot: {_FIX}"
    return text, key or text, ""


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
