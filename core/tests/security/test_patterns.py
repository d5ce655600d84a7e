"""Tokens are known by how they look; ordinary lines are not taken for one."""

from __future__ import annotations

import random
import string
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmux_sentry.security.patterns import TOKENS, find_tokens, unfinished

A36 = "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0bC3dE6"
A48 = A36 + "gH9jK2mN5pQ8"

#: What is said, and of it the secret. The parts stand apart, so that no scanner takes this file for a leak.
KNOWN = {
    "approval-link": [("tsa" + "_WyJ" + A48 + "." + A36, None), ("tss" + "_WyJ" + A48 + "." + A36, None)],
    "github-token": [("gh" + "p_" + A36, None), ("github" + "_pat_" + A48, None), ("gh" + "s_" + A36, None)],
    "gitlab-token": [("glpat" + "-" + A36[:20], None)],
    "anthropic-key": [("sk-" + "ant-api03-" + A48, None)],
    "openai-key": [("sk-" + A48, None), ("sk-" + "proj-" + A36 + "-_" + A36, None)],
    "ai-key": [("gsk" + "_" + A48, None)],
    "google-key": [("AIza" + A36[:35], None)],
    "aws-key-id": [("AKIA" + "ABCDEFGH234567AB", None)],
    "aws-secret-key": [
        ("aws_secret_access_key = " + A36 + "/+aB", A36 + "/+aB"),
        ('"SecretAccessKey": "' + A36 + '/+aB"', A36 + "/+aB"),
    ],
    "slack-token": [("xox" + "b-123456789012-" + A36, None), ("xapp" + "-1-A123-" + A36, None)],
    "slack-webhook": [("https://hooks.slack.com/services/T01/B01/" + A36, "T01/B01/" + A36)],
    "wechat-work-key": [
        ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693axxx6-7aoc-4bc4-97a0", "693axxx6-7aoc-4bc4-97a0"),
        (
            "?u=https%3A%2F%2Fqyapi.weixin.qq.com%2Fcgi-bin%2Fwebhook%2Fsend%3Fkey%3D693axxx6-7aoc-4bc4",
            "693axxx6-7aoc-4bc4",
        ),
    ],
    "serverchan-key": [
        ("SCT" + "12345T" + A36[:26], None),
        ("sctp" + "12t" + A36[:24], None),
        ("https://sctapi.ftqq.com/" + A36 + ".send", A36),
        ("https://12.push.ft07.com/send/" + A36 + ".send", A36),
    ],
    "chat-webhook": [("https://open.feishu.cn/open-apis/bot/v2/hook/" + A36, A36)],
    "discord-webhook": [("https://discord.com/api/webhooks/123456789012345678/" + A48, A48)],
    "telegram-token": [("https://api.telegram.org/bot123456789:AA" + A36 + "/x", "123456789:AA" + A36)],
    "json-web-token": [("eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxIn0." + A36, None)],
    "private-key": [
        ("-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----", None),
        ("-----BEGIN PGP " + "PRIVATE KEY BLOCK-----\nabc", None),
        ("-----BEGIN%20" + "PRIVATE%20KEY-----%0Aabc-----END%20PRIVATE%20KEY-----", None),
    ],
    "npm-token": [("npm" + "_" + A36, None), ("//registry/:_authToken=" + A36, A36)],
    "pypi-token": [("pypi-AgE" + "IcHlwaS5vcmc" + A48, None)],
    "stripe-key": [("sk_" + "live_" + A36, None), ("rk_" + "live_" + A36, None)],
    "webhook-secret": [("whsec" + "_" + A36, None)],
    "docker-token": [("dckr" + "_pat_" + A36[:27], None)],
    "hugging-face-token": [("hf" + "_" + A36[:34], None)],
    "age-key": [("AGE-SECRET-KEY-1" + "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" * 2, None)],
    "azure-key": [("?sv=1&sig=" + A36 + "%3D", A36 + "%3D"), ("AccountKey=" + A48 + "==;", A48 + "==")],
    "digitalocean-token": [("dop" + "_v1_" + "0123456789abcdef" * 4, None)],
    "twilio-key": [("SK" + "0123456789abcdef" * 2, None)],
    "sendgrid-key": [("SG" + "." + A36[:22] + "." + A48[:43], None)],
    "vault-token": [("hvs" + "." + A36, None)],
    "url-password": [
        ("postgres://app:pa55w0rd@db/x", "pa55w0rd"),
        ("https://:tok@h", "tok"),
        ("ftp://u:p%40ss:1@h", "p%40ss:1"),
    ],
    "authorization": [
        ("Authorization: Bearer abcdef", "abcdef"),
        ("'Authorization': 'Basic dXNlcjpwYXNz'", "dXNlcjpwYXNz"),
        ("proxy-authorization: token " + A36, A36),
        ("authorization=" + A36, A36),
        ("bearer " + A36, A36),
    ],
    "assignment": [
        ('password = "correct7horse9"', "correct7horse9"),
        ("export API_KEY=" + A36, A36),
        ("'token': '" + A36 + "'", A36),
    ],
}


@pytest.mark.parametrize(("name", "said", "secret"), [(name, *one) for name, known in KNOWN.items() for one in known])
def test_a_known_token_is_found_as_what_it_is(name, said, secret):
    text = f"see {said} there"
    ((start, end, found),) = find_tokens(text)
    assert text[start:end] == (secret or said) + (" there" if "-----BEGIN PGP" in said else "")  # it has no end
    assert found == name


def test_every_kind_has_its_example_and_there_are_about_thirty():
    assert {token.name for token in TOKENS} == set(KNOWN)
    assert len(KNOWN) >= 25


ORDINARY = """
Bearer of bad news
Authorization: required
the token is missing; password=None; password: "${DB_PASSWORD}"; secret = get_secret("name")
https://example.org:8080/a@b
http://localhost:3000/user:name@host
git@github.com:tmux/tmux.git
ssh://git@github.com:22/x
commit 0123456789abcdef0123456789abcdef01234567
sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
550e8400-e29b-41d4-a716-446655440000
sk-toggleable__content-arrow sk-estimator-doc-link task-with-a-long-name-that-goes-on
risk-abcdefghijklmnopqrstuvwxyzabcdef
npm_config_registry=https://packages.example.org hf_hub_download github_pat
eyJ is how base64 of {" begins
-----BEGIN CERTIFICATE-----
-----BEGIN PUBLIC KEY-----
AKIA AIza xoxb- SG.x.y
data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk
key=value token=abc secret='short' API_KEY=changeme
SMTP_PASSWORD=enc:v1:k1:AAAAbbbbCCCC1111
""".strip().splitlines()


@pytest.mark.parametrize("line", ORDINARY)
def test_an_ordinary_line_stays_as_it_is(line):
    assert list(find_tokens(line)) == []


@given(
    st.text(), st.sampled_from(["gh" + "p_" + A36, "AKIA" + "ABCDEFGH234567AB", "dop" + "_v1_" + "0f" * 20]), st.text()
)
def test_offsets_are_of_characters_whatever_is_around(before, token, after):
    text = f"{before} {token} {after}"
    assert any(text[start:end] == token for start, end, _ in find_tokens(text))


def test_tokens_are_found_wherever_they_stand_in_a_long_text():
    token = "gh" + "p_" + A36
    for place in (0, 2, 8_190, 8_192, 16_350, *range(16_364, 16_388, 2), 24_576, 40_000):
        text = "x " * (place // 2) + token + " y" * 10_000
        assert [text[start:end] for start, end, _ in find_tokens(text)] == [token], place


def test_a_token_that_goes_on_is_taken_to_its_end():
    long = "sk-" + "ant-" + "aB3-" * 20_000
    ((start, end, _),) = find_tokens(f"x {long} y")
    assert (start, end) == (2, 2 + len(long))


def test_what_was_marked_is_not_marked_again():
    for text in ("Authorization: Bearer [redacted]", "https://u:[redacted]@h", 'token = "[redacted]"'):
        assert list(find_tokens(text)) == []


def test_half_a_token_before_a_cut_is_one():
    assert [name for _, _, name in find_tokens("see gh" + "p_aB3dE6gH… (+30 characters)")] == ["token"]
    assert list(find_tokens("and so on… sk-…")) == []


@pytest.mark.parametrize(
    ("text", "begun"),
    [
        ("a eyJhbGciOi", 2),
        ("a eyJhbGciOi.eyJz", 2),
        ("postgres://user:pa", 0),
        ("a eyJh b", None),
        ("https://h/a", None),
        ("", None),
    ],
)
def test_what_may_still_become_a_token_is_told(text, begun):
    assert unfinished(text) == begun


HOSTILE = {
    "one word": "a" * 1_000_000,
    "heads": "eyJaaaaaaaaaa-" * 70_000,
    "heads with tokens": ("eyJaaaaaaaaaaa-gh" + "p_" + "a" * 36 + "-") * 30_000,
    "keys without an end": ("-----BEGIN " + "PRIVATE KEY-----") * 30_000,
    "URLs": "https://a:" * 100_000,
    "names without a value": "password='aaaaaaaaaaaaaaaa' " * 5_000,
    "not ASCII": "é" * 1_000_000,
    "cuts": "…" * 1_000_000,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_the_work_is_bounded_for_a_long_hostile_text(case):
    began = time.process_time()
    sum(1 for _ in find_tokens(HOSTILE[case]))
    assert time.process_time() - began < 8  # quadratic is at least twice that


def test_random_text_is_hardly_ever_a_token():
    rng = random.Random(3)
    lines = ["".join(rng.choices(string.printable[:95], k=100)) for _ in range(2_000)]
    assert sum(bool(list(find_tokens(line))) for line in lines) <= 2


def test_importing_it_loads_no_regex_engine():
    code = "import sys, tmux_sentry.security.redact, tmux_sentry.security.patterns; print('re2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
