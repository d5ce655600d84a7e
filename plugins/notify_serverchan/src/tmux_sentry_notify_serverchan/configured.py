"""What the variables say: which ServerChan, and where. Never raises: what is wrong is said later."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_KEY = "SERVERCHAN_API_KEY"
_BASE = "SERVERCHAN_BASE_URL"
_FIX = "give the SendKey, SCT... from https://sct.ftqq.com or sctp... from https://sc3.ft07.com"
# The first letters tell the generations apart, and those of the third name the account, which is its host.
# Source: https://github.com/easychen/serverchan-sdk (2024-10-16).
_THIRD = re.compile(r"sctp([0-9]+)t[0-9A-Za-z]+")
_TURBO = re.compile(r"SCT[0-9A-Za-z]{6,}")
_IN_ADDRESS = re.compile(r"https://[0-9a-z.]+\.(?:ftqq|ft07)\.com/(?:send/)?([0-9A-Za-z]+)\.send(?:\?.*)?")
_WECHAT_WORK = re.compile(r"(?:key=)?[0-9A-Za-z]{8}(?:-[0-9A-Za-z]{4}){3}-[0-9A-Za-z]{12}|.*qyapi\.weixin\.qq\.com.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """`refused` says why nothing can be sent. `secret` is what no detail may show."""

    url: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    turbo: bool = False
    refused: str = ""


def configured(settings: Mapping[str, str]) -> Configured:
    """Read the two variables. What was given is not repeated in `refused`: it may be a secret."""
    key = settings.get(_KEY, "").strip().strip("\"'").strip()
    base = settings.get(_BASE, "").strip().rstrip("/")
    if found := _IN_ADDRESS.fullmatch(key):
        key = found[1]
    third, turbo = _THIRD.fullmatch(key), _TURBO.fullmatch(key)
    if not third and not turbo:
        return Configured(refused=_no_key(key))
    if base and (wrong := _no_base(base)):
        return Configured(refused=wrong)
    if third:
        url = f"{base or f'https://{third[1]}.push.ft07.com'}/send/{key}.send"
    else:
        url = f"{base or 'https://sctapi.ftqq.com'}/{key}.send"
    return Configured(url=url, secret=key, turbo=bool(turbo))


def _no_key(text: str) -> str:
    if not text:
        return f"{_KEY} is not set: {_FIX}"
    if _WECHAT_WORK.fullmatch(text):
        return f"{_KEY} holds a WeChat Work robot's address or key: set it as WECHAT_WORK_WEBHOOK, and here {_FIX}"
    if text.startswith("SCU"):
        return f"{_KEY} is of the first ServerChan (SCU...), which ended in 2021: {_FIX}"
    return f"{_KEY} is no ServerChan key: {_FIX}"


def _no_base(text: str) -> str:
    try:
        parts = urlsplit(text)
        scheme, host = parts.scheme, parts.hostname or ""
    except ValueError:
        scheme = host = ""
    if scheme not in ("http", "https") or not host:
        return f"{_BASE} is not an http:// or https:// address: correct it, or leave it out for ServerChan's own"
    if scheme == "http" and not _loopback(host):
        return f"{_BASE} begins with http://, which would show the key to everybody on the way: use https://"
    return ""


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
