"""Receivers can verify: by the specification's algorithm, written here anew, and by constant vectors."""

from __future__ import annotations

import base64
import hmac
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmux_sentry import Delivery, Level, Message
from tmux_sentry.testing.provider import Provider, Received, Reply
from tmux_sentry_notify_webhook import signing
from tmux_sentry_notify_webhook.notifier import make

README = Path(__file__).resolve().parents[1] / "README.md"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(bytes(range(32))).decode()
MESSAGE = Message(
    id="run-17/stage.failed/build", at=1_700_000_000.0, level=Level.ERROR, event="stage.failed", title="构建 failed"
)

#: Secret, webhook-id, webhook-timestamp, body, signature. The first is the vector of the reference libraries' own
#: tests; the others were made with `openssl dgst -sha256 -mac HMAC -macopt hexkey:...`.
VECTORS = [
    (
        SECRET,
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
    (OTHER, "msg_1", 1674087231, '{"a":"构建"}'.encode(), "v1,BHXMF1d16r1odfXvNFnbrbHo7SGqAlj/qtkOg7mVoG0="),
    (OTHER, "msg_1", 1674087231, b"", "v1,bPliVtB0MLG213Q2iYE7zuqn1dAa7nIwP3oRxrNlbhU="),
]


def verified(secret: str, request: Received, now: float) -> bool:
    """ "Verifying signatures" of the specification, from its words."""
    id_, timestamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    if not re.fullmatch(r"\d+", timestamp) or abs(now - int(timestamp)) > 300:
        return False
    assert secret.startswith("whsec_")
    mac = hmac.digest(
        base64.b64decode(secret[6:]), b".".join([id_.encode(), timestamp.encode(), request.body]), "sha256"
    )
    for one in request.headers["webhook-signature"].split(" "):
        version, _, given_ = one.partition(",")
        if version == "v1" and hmac.compare_digest(base64.b64decode(given_), mac):
            return True
    return False


def requests_of(secret: str, *times: float, message: Message = MESSAGE) -> list[Received]:
    """What the receiver gets of one message, tried at each of these times."""
    clock = iter(times)
    with Provider(Reply()) as server:
        notifier = make({"WEBHOOK_URL": server.url, "WEBHOOK_SECRET": secret}, lambda: next(clock))
        for _ in times:
            assert notifier.send(message).outcome is Delivery.DELIVERED
        return server.requests


@pytest.mark.parametrize(("secret", "id_", "at", "body", "expected"), VECTORS)
def test_vectors(secret: str, id_: str, at: int, body: bytes, expected: str) -> None:
    assert signing.signature(signing.keys(secret), id_, at, body) == expected
    assert signing.header_safe(id_) == id_


def test_a_receiver_can_verify_what_it_gets() -> None:
    (request,) = requests_of(SECRET, 1_700_000_100.9)
    assert request.headers["webhook-timestamp"] == "1700000100"
    assert verified(SECRET, request, 1_700_000_101)
    assert not verified(OTHER, request, 1_700_000_101)
    assert not verified(SECRET, request, 1_700_000_100 + 301)
    changed = Received(
        method="POST", path="/", headers=request.headers, body=request.body.replace(b"failed", b"passed")
    )
    assert not verified(SECRET, changed, 1_700_000_101)


def test_each_attempt_has_its_time_and_all_have_the_same_id() -> None:
    first, second = requests_of(SECRET, 1_700_000_100.0, 1_700_003_700.0)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert verified(SECRET, second, 1_700_003_700)
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


@pytest.mark.parametrize("setting", [f"{OTHER},{SECRET}", f" {OTHER} {SECRET} ", f"{OTHER},\n{SECRET},"])
def test_during_a_rotation_either_secret_verifies(setting: str) -> None:
    (request,) = requests_of(setting, 1_700_000_100.0)
    assert verified(SECRET, request, 1_700_000_100)
    assert verified(OTHER, request, 1_700_000_100)
    assert len(request.headers["webhook-signature"].split(" ")) == 2


def test_the_receiver_of_the_readme_verifies(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    (code,) = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    genuine = names["genuine"]
    assert callable(genuine)
    (request,) = requests_of(f"{OTHER},{SECRET}", time.time())
    assert genuine(SECRET, request.headers, request.body)
    assert not genuine("whsec_" + "A" * 32, request.headers, request.body)
    (old,) = requests_of(SECRET, time.time() - 400)
    assert not genuine(SECRET, old.headers, old.body)


def test_unsigned_has_no_signature_and_must_be_asked_for() -> None:
    (request,) = requests_of("none", 1_700_000_100.0)
    assert "webhook-signature" not in request.headers
    assert {"webhook-id", "webhook-timestamp"} <= set(request.headers)


@given(st.text(max_size=100))
def test_an_id_is_safe_in_a_header_and_between_full_stops(id_: str) -> None:
    safe = signing.header_safe(id_)
    assert re.fullmatch("[A-Za-z0-9_-]{1,64}", safe)
    assert signing.header_safe(id_) == safe
    assert signing.header_safe(safe) == safe


@given(st.text(max_size=30), st.text(max_size=30))
def test_two_ids_stay_two(one: str, other: str) -> None:
    assert (signing.header_safe(one) == signing.header_safe(other)) is (one == other)


@pytest.mark.parametrize("id_", ["msg_1\n", "a\r\nX-Evil: 1", "a.1.b", "构建", "\ud800", "x" * 65, ""])
def test_an_id_that_is_none_arrives_as_its_digest(id_: str) -> None:
    message = Message(id=id_, at=0.0, level=Level.INFO, event="e", title="t")
    (request,) = requests_of(SECRET, 1_700_000_100.0, message=message)
    assert request.headers["webhook-id"] == signing.header_safe(id_) != id_
    assert "x-evil" not in request.headers
    assert verified(SECRET, request, 1_700_000_100)


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("", "WEBHOOK_SECRET is missing"),
        (" , ", "WEBHOOK_SECRET is missing"),
        ("hunter2hunter2hunter2hunter2", "does not begin with whsec_"),
        (SECRET.removeprefix("whsec_"), "does not begin with whsec_"),
        (f"none,{SECRET}", "number 1 of 2) does not begin with whsec_"),
        (f"{SECRET},whsec_###", "number 2 of 2) is not base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "is not base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_", "is not base64"),
        ("whsec_" + base64.b64encode(b"x" * 23).decode(), "is a key of 23 bytes"),
        ("whsec_" + base64.b64encode(b"x" * 65).decode(), "is a key of 65 bytes"),
        ("whsec_", "is a key of 0 bytes"),
        ("whsk_" + base64.b64encode(b"x" * 32).decode(), "is an ed25519 key"),
    ],
)
def test_a_malformed_secret_is_named_and_nothing_is_sent(setting: str, named: str) -> None:
    with Provider(Reply()) as server:
        result = make({"WEBHOOK_URL": server.url, "WEBHOOK_SECRET": setting}).send(MESSAGE)
        assert server.requests == []
    assert (result.outcome, result.whole_channel) == (Delivery.PERMANENT, True)
    assert named in result.detail
    assert not [word for word in re.split("[, _]", setting) if len(word) > 6 and word in result.detail]


@pytest.mark.parametrize("length", [24, 64])
def test_keys_of_every_allowed_length_are_taken(length: int) -> None:
    (key,) = signing.keys("whsec_" + base64.b64encode(b"x" * length).decode())
    assert key == b"x" * length


def test_the_verifier_here_is_no_copy_of_the_code() -> None:
    """A vector against the verifier itself: if both were wrong alike, this would tell."""
    secret, id_, at, body, signature = VECTORS[0]
    headers = {"webhook-id": id_, "webhook-timestamp": str(at), "webhook-signature": f"v1a,AAAA {signature}"}
    assert verified(secret, Received(method="POST", path="/", headers=headers, body=body), at)
