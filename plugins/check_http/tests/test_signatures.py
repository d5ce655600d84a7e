"""Only what somebody vouches for is taken, over the bytes as they came."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tmux_sentry import CheckStatus
from tmux_sentry_check_http.listen_settings import BadSetting, ListenSettings
from tmux_sentry_check_http.signatures import NotGenuine, verify

BODY = b'{"type": "deploy.done",  "ok":true}'
OTHER_KEY = bytes(range(100, 132))
OTHER_SECRET = "whsec_" + base64.b64encode(OTHER_KEY).decode()


def test_the_vectors_of_the_specifications() -> None:
    """The first vector of the reference libraries' tests, and the one of GitHub's page."""
    standard = ListenSettings.of({"WEBHOOK_LISTEN_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert verify(headers, b'{"test": 2432232314}', standard, 1614265330.0)
    github = ListenSettings.of({"WEBHOOK_LISTEN_SECRET": "It's a Secret to Everybody"})
    headers = {
        "x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    }
    assert verify(headers, b"Hello, World!", github, 0.0)
    with pytest.raises(NotGenuine):
        verify(headers, b"Hello, World.", github, 0.0)


def without(headers: Mapping[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key.lower() != name}


def test_a_genuine_delivery_of_each_kind_is_taken(hook: Any, sign: Any) -> None:
    assert hook.post(BODY, sign.standard(BODY))[0] == 200
    assert hook.post(BODY, sign.github(BODY))[0] == 200
    both = b'{"both": 1}'
    assert hook.post(both, {**sign.standard(both, "msg_2"), **sign.github(both, "d-2")})[0] == 200


REFUSED: dict[str, Callable[[Any], tuple[bytes, Mapping[str, str]]]] = {
    "nothing is signed": lambda s: (BODY, {}),
    "only an id": lambda s: (BODY, {"webhook-id": "msg_1"}),
    "only GitHub's id": lambda s: (BODY, {"X-GitHub-Delivery": "d-1", "X-GitHub-Event": "push"}),
    "another key": lambda s: (BODY, s.standard(BODY, key=OTHER_KEY)),
    "another secret": lambda s: (BODY, s.github(BODY, secret="another secret, as long")),
    "another body": lambda s: (BODY.replace(b"true", b"false"), s.standard(BODY)),
    "another body, GitHub": lambda s: (BODY.replace(b"true", b"false"), s.github(BODY)),
    "the same JSON in other bytes": lambda s: (json.dumps(json.loads(BODY)).encode(), s.standard(BODY)),
    "too old": lambda s: (BODY, s.standard(BODY, at=time.time() - 310)),
    "from the future": lambda s: (BODY, s.standard(BODY, at=time.time() + 310)),
    "another time": lambda s: (BODY, {**s.standard(BODY), "webhook-timestamp": str(int(time.time()) - 7)}),
    "another id": lambda s: (BODY, {**s.standard(BODY), "webhook-id": "msg_2"}),
    "a time that is none": lambda s: (BODY, {**s.standard(BODY), "webhook-timestamp": "now"}),
    "an id with a full stop": lambda s: (BODY, s.standard(BODY, "msg.1")),
    "an id that is empty": lambda s: (BODY, s.standard(BODY, "")),
    "no id": lambda s: (BODY, without(s.standard(BODY), "webhook-id")),
    "no time": lambda s: (BODY, without(s.standard(BODY), "webhook-timestamp")),
    "no signature": lambda s: (BODY, without(s.standard(BODY), "webhook-signature")),
    "no id of GitHub": lambda s: (BODY, without(s.github(BODY), "x-github-delivery")),
    "another version": lambda s: (
        BODY,
        {**s.standard(BODY), "webhook-signature": s.standard(BODY)["webhook-signature"].replace("v1,", "v1a,")},
    ),
    "an empty signature": lambda s: (BODY, {**s.standard(BODY), "webhook-signature": "v1,"}),
    "a signature that is no base64": lambda s: (BODY, {**s.standard(BODY), "webhook-signature": "v1,\xff"}),
    "half a signature": lambda s: (
        BODY,
        {**s.github(BODY), "X-Hub-Signature-256": s.github(BODY)["X-Hub-Signature-256"][:-2]},
    ),
    "SHA-1 only": lambda s: (
        BODY,
        {**without(s.github(BODY), "x-hub-signature-256"), "X-Hub-Signature": "sha1=" + "0" * 40},
    ),
    "SHA-1 in its place": lambda s: (BODY, {**s.github(BODY), "X-Hub-Signature-256": "sha1=" + "0" * 40}),
    "one is right and one is wrong": lambda s: (BODY, {**s.standard(BODY), **s.github(BODY + b" ")}),
    "one is right and one is wrong, the other way": lambda s: (BODY, {**s.standard(BODY + b" "), **s.github(BODY)}),
    "one is right and of one there is a part": lambda s: (BODY, {**s.github(BODY), "webhook-id": "msg_1"}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_genuine_is_refused_and_has_no_effect(hook: Any, sign: Any, name: str) -> None:
    body, headers = REFUSED[name](sign)
    status, text, _ = hook.post(body, headers)
    assert status == 401, text
    assert sign.STANDARD_SECRET[6:] not in text
    assert sign.GITHUB_SECRET not in text
    assert hook.ask(event="deploy.done").status is CheckStatus.PENDING
    assert hook.ask(event="workflow_run").status is CheckStatus.PENDING
    assert hook.woken == []
    # And it has not used up the id.
    assert hook.post(BODY, sign.standard(BODY))[1] == "received\n"


def test_the_same_header_twice_is_refused(hook: Any, sign: Any) -> None:
    import http.client

    for name in ("webhook-id", "webhook-signature", "Content-Length"):
        connection = http.client.HTTPConnection("127.0.0.1", hook.port, timeout=20)
        connection.putrequest("POST", "/")
        connection.putheader("Content-Type", "application/json")
        for key, value in {**sign.standard(BODY), "Content-Length": str(len(BODY))}.items():
            connection.putheader(key, value)
            if key == name:
                connection.putheader(key, value)
        connection.endheaders(BODY)
        assert connection.getresponse().status == 400
        connection.close()
    assert hook.ask(event="deploy.done").status is CheckStatus.PENDING


def test_one_right_signature_among_several_is_enough(hook: Any, sign: Any) -> None:
    """A sender that changes its secret signs with both."""
    wrong = sign.standard(BODY, key=OTHER_KEY)["webhook-signature"]
    headers = sign.standard(BODY)
    headers["webhook-signature"] = f"v1a,AAAA {wrong} {headers['webhook-signature']}"
    assert hook.post(BODY, headers)[0] == 200


def test_while_a_secret_is_changed_both_are_taken(hooks: Any, sign: Any) -> None:
    old_plain = "the secret of last year"
    secrets = f"{OTHER_SECRET},{sign.STANDARD_SECRET}, {sign.GITHUB_SECRET} ,{old_plain}"
    hook = hooks(WEBHOOK_LISTEN_SECRET=secrets)
    bodies = [b'{"n": %d}' % number for number in range(4)]
    assert hook.post(bodies[0], sign.standard(bodies[0], "a", key=OTHER_KEY))[0] == 200
    assert hook.post(bodies[1], sign.standard(bodies[1], "b"))[0] == 200
    assert hook.post(bodies[2], sign.github(bodies[2], "c"))[0] == 200
    assert hook.post(bodies[3], sign.github(bodies[3], "d", secret=old_plain))[0] == 200


def test_a_kind_without_a_secret_is_refused(hooks: Any, sign: Any, tmp_path: Any) -> None:
    standard = hooks(home=tmp_path / "a", WEBHOOK_LISTEN_SECRET=sign.STANDARD_SECRET)
    assert standard.post(BODY, sign.github(BODY, secret=sign.STANDARD_SECRET))[0] == 401
    github = hooks(home=tmp_path / "b", WEBHOOK_LISTEN_SECRET=sign.GITHUB_SECRET)
    assert github.post(BODY, sign.standard(BODY))[0] == 401
    assert github.post(BODY, sign.standard(BODY, key=sign.GITHUB_SECRET.encode()))[0] == 401


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "WEBHOOK_LISTEN_SECRET is missing"),
        ({"WEBHOOK_LISTEN_SECRET": " , "}, "WEBHOOK_LISTEN_SECRET is missing"),
        ({"WEBHOOK_LISTEN_SECRET": "fifteen-letters"}, "at least 16 characters"),
        ({"WEBHOOK_LISTEN_SECRET": "whsec_"}, "24 to 64 bytes"),
        ({"WEBHOOK_LISTEN_SECRET": "whsec_" + base64.b64encode(b"x" * 23).decode()}, "24 to 64 bytes"),
        ({"WEBHOOK_LISTEN_SECRET": "whsec_###"}, "is not base64"),
        ({"WEBHOOK_LISTEN_SECRET": "whsk_" + "A" * 44}, "ed25519"),
        ({"WEBHOOK_LISTEN_SECRET": ",".join(f"secret number {n} of three" for n in range(3))}, "more than 2"),
        ({"WEBHOOK_LISTEN": "8787"}, "WEBHOOK_LISTEN is no address and port"),
        ({"WEBHOOK_LISTEN": ":8787"}, "WEBHOOK_LISTEN is no address and port"),
        ({"WEBHOOK_LISTEN": "example.com:8787"}, "WEBHOOK_LISTEN is no address and port"),
        ({"WEBHOOK_LISTEN": "127.0.0.1:65536"}, "WEBHOOK_LISTEN is no address and port"),
        ({"WEBHOOK_LISTEN": "999.0.0.1:80"}, "WEBHOOK_LISTEN is no address and port"),
        ({"WEBHOOK_LISTEN": "::1:80"}, "WEBHOOK_LISTEN is no address and port"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_used_are_named_and_nothing_listens(
    hooks: Any, settings: Mapping[str, str], says: str
) -> None:
    given = settings if "WEBHOOK_LISTEN" in settings else {"WEBHOOK_LISTEN_SECRET": "", **settings}
    hook = hooks(**given)
    result = hook.ask(event="x")
    assert result.status is CheckStatus.UNKNOWN
    assert says in result.detail
    assert hook.checker._listener is None
    for word in given.get("WEBHOOK_LISTEN_SECRET", "").split(","):
        assert len(word.strip()) < 8 or word not in result.detail


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("127.0.0.1", 8787)),
        ("localhost:1", ("127.0.0.1", 1)),
        ("0.0.0.0:9000", ("0.0.0.0", 9000)),
        ("[::1]:80", ("::1", 80)),
    ],
)
def test_where_to_listen(text: str, expected: tuple[str, int], sign: Any) -> None:
    settings = ListenSettings.of({"WEBHOOK_LISTEN": text, "WEBHOOK_LISTEN_SECRET": sign.GITHUB_SECRET})
    assert (settings.host, settings.port) == expected


def test_a_listener_outside_loopback_must_be_written_as_an_address() -> None:
    with pytest.raises(BadSetting):
        ListenSettings.of({"WEBHOOK_LISTEN": "*:80", "WEBHOOK_LISTEN_SECRET": "x" * 20})
