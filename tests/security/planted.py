"""Secrets to plant: configured ones of every kind of alphabet, and a made-up token of every kind that is known.

All are random, from a seed. The prefixes stand apart from the rest, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass

_ALNUM = string.ascii_letters + string.digits
_WORD = _ALNUM + "_-"
_HEX = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Planted:
    """`secret` must not come out; it is said as `shown`. `kind` is "configured", or the name in the mark."""

    secret: str
    shown: str
    kind: str


def configured(count: int, seed: int = 7) -> list[str]:
    """Passwords, keys and phrases of 6 to 80 characters."""
    rng = random.Random(seed)
    alphabets = (
        _ALNUM,
        _WORD,
        _ALNUM + "+/=",
        _HEX,
        string.ascii_letters + string.punctuation,
        _ALNUM + "é构Ω ",
        string.printable[:95],
    )
    secrets = []
    for number in range(count):
        alphabet = alphabets[number % len(alphabets)]
        # No space at the ends: nobody could tell where such a secret begins.
        body = "".join(rng.choices(alphabet, k=rng.randrange(4, 78)))
        secrets.append(rng.choice(_ALNUM) + body + rng.choice(_ALNUM))
    return secrets


def tokens(count: int, seed: int = 8) -> list[Planted]:
    """Made-up tokens, every kind in turn."""
    rng = random.Random(seed)

    def of(alphabet: str, length: int) -> str:
        return "".join(rng.choices(alphabet, k=length))

    def web_token() -> str:
        parts = [json.dumps({"alg": "HS256"}), json.dumps({"sub": of(_HEX, 12), "exp": 1})]
        return ".".join(
            [*(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts), of(_WORD, 43)]
        )

    def private_key() -> str:
        kind = rng.choice(["RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED "])
        lines = "\n".join(of(_ALNUM + "+/", 64) for _ in range(rng.randrange(3, 25)))
        return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"

    whole: dict[str, Callable[[], str]] = {
        "github-token": lambda: f"gh{rng.choice('pousr')}_" + of(_ALNUM, 36),
        "github-token ": lambda: "github" + "_pat_" + of(_ALNUM, 22) + "_" + of(_ALNUM, 59),
        "gitlab-token": lambda: "glpat" + "-" + of(_WORD, 20),
        "anthropic-key": lambda: "sk-ant" + "-api03-" + of(_WORD, 95),
        "openai-key": lambda: "sk-" + "proj-" + of(_WORD, 120),
        "openai-key ": lambda: "sk-" + of(_ALNUM, 48),
        "google-key": lambda: "AIza" + of(_WORD, 35),
        "aws-key-id": lambda: rng.choice(["AKIA", "ASIA"]) + of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16),
        "slack-token": lambda: f"xox{rng.choice('abprs')}" + "-" + f"{of(string.digits, 12)}-{of(_ALNUM, 24)}",
        "serverchan-key": lambda: "SCT" + of(string.digits, 5) + "T" + of(_ALNUM, 26),
        "serverchan-key ": lambda: "sctp" + of(string.digits, 4) + "t" + of(_ALNUM, 24),
        "json-web-token": web_token,
        "private-key": private_key,
        "npm-token": lambda: "npm" + "_" + of(_ALNUM, 36),
        "pypi-token": lambda: "pypi-AgE" + "IcHlwaS5vcmc" + of(_WORD, 120),
        "stripe-key": lambda: rng.choice("sr") + "k_live_" + of(_ALNUM, 24),
        "telegram-token": lambda: "1" + of(string.digits, 9) + ":AA" + of(_WORD, 33),
        "docker-token": lambda: "dckr" + "_pat_" + of(_WORD, 27),
        "hugging-face-token": lambda: "hf" + "_" + of(_ALNUM, 34),
        "age-key": lambda: "AGE-SECRET-KEY-1" + of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
        "digitalocean-token": lambda: "dop" + "_v1_" + of(_HEX, 64),
        "twilio-key": lambda: "SK" + of(_HEX, 32),
        "sendgrid-key": lambda: "SG" + "." + of(_WORD, 22) + "." + of(_WORD, 43),
        "vault-token": lambda: "hvs" + "." + of(_WORD, 24),
    }
    inside: list[tuple[str, str, Callable[[], str]]] = [
        ("aws-secret-key", "aws_secret_access_key = {}", lambda: of(_ALNUM + "/+", 40)),
        (
            "slack-webhook",
            "https://hooks.slack.com/services/{}",
            lambda: f"T{of(_ALNUM, 8)}/B{of(_ALNUM, 8)}/{of(_ALNUM, 24)}",
        ),
        (
            "wechat-work-key",
            "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={}",
            lambda: f"{of(_HEX, 8)}-{of(_HEX, 16)}",
        ),
        ("serverchan-key", "https://sctapi.ftqq.com/{}.send", lambda: of(_ALNUM, 30)),
        ("discord-webhook", "https://discord.com/api/webhooks/123456789012345678/{}", lambda: of(_WORD, 68)),
        ("azure-key", "https://x.blob.core.windows.net/c?sv=2024&sig={}", lambda: of(_ALNUM, 43) + "%3D"),
        ("url-password", "postgres://app:{}@db:5432/x", lambda: of(_ALNUM + "%!$&*+,;=~", 16)),
        ("authorization", "Authorization: Bearer {}", lambda: of(_WORD + ".~+", 40)),
        (
            "authorization",
            "Authorization: Basic {}",
            lambda: base64.b64encode(f"user:{of(_ALNUM, 14)}".encode()).decode(),
        ),
        ("assignment", "DATABASE_PASSWORD={}", lambda: "Q7" + of(_ALNUM, 20)),
    ]
    kinds = [*((name, "{}", make) for name, make in whole.items()), *inside]
    found = []
    for number in range(count):
        kind, frame, make = kinds[number % len(kinds)]
        secret = make()
        found.append(Planted(secret, frame.format(secret), kind.strip()))
    return found
