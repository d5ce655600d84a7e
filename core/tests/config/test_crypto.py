"""One encrypted value: it opens at its own place with its own key, and in no other form."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tmux_sentry.config.crypto import Key, Malformed, WrongPlace, is_encrypted, new_key, parse, parse_key, seal, unseal
from tmux_sentry.config.keys import KeyRing
from tmux_sentry.config.vault import CannotOpen, Vault

KEY = Key(bytes(range(32)), "here")
NAME = "GITHUB_TOKEN"


def vault(*keys: Key, learned: list[str] | None = None) -> Vault:
    ring = KeyRing(keys=keys, file=Path("/k/master.key"), looked=("ENCRYPTION_KEY", "/k/master.key"))
    return Vault(lambda: ring, (learned if learned is not None else []).extend)


@pytest.mark.parametrize("value", ["x", "ghp_token", "two\nlines\n", "中文 🔐", "a" * 10_000, " spaces ", "enc:v1:"])
def test_a_value_comes_back_exactly(value: str) -> None:
    sealed = seal(value, NAME, KEY)
    assert re.fullmatch(r"enc:v1:[0-9a-f]{8}:[A-Za-z0-9_-]+", sealed)
    assert value not in sealed.removeprefix("enc:v1:") or len(value) == 1
    assert is_encrypted(sealed)
    assert vault(KEY).open(sealed, NAME) == value


def test_this_form_can_be_read_for_ever() -> None:
    """A value that an earlier version wrote: if this fails, every user's values are lost."""
    sealed = "enc:v1:a47873da:AAECAwQFBgcICQoLL3e4b6CXfXfK4MUzpK7V18JV-ISXdg"
    assert vault(KEY).open(sealed, NAME) == "hunter"


def test_the_same_value_never_looks_the_same() -> None:
    assert len({seal("x", NAME, KEY) for _ in range(100)}) == 100


@pytest.mark.parametrize("name", ["GITHUB_TOKE", "github_token", "GITHUB_TOKEN ", "", "hosts.nas.ssh.password"])
def test_a_value_that_was_moved_does_not_open(name: str) -> None:
    with pytest.raises(WrongPlace):
        unseal(parse(seal("x", NAME, KEY)), name, KEY)


def test_a_value_that_was_moved_says_from_where() -> None:
    sealed = seal("hunter2", NAME, KEY)
    with pytest.raises(CannotOpen) as moved:
        vault(KEY).open(sealed, "SMTP_PASSWORD", ["SMTP_USER", NAME], Path(".env"))
    assert moved.value.lines() == [
        "SMTP_PASSWORD cannot be decrypted",
        "it was encrypted for GITHUB_TOKEN, and moved",
        "tmux-sentry secrets set SMTP_PASSWORD --env-file .env",
    ]
    with pytest.raises(CannotOpen, match="cannot be decrypted") as unknown:
        vault(KEY).open(sealed, "hosts.nas.ssh.password", (), Path("hosts.yaml"))
    assert unknown.value.lines()[1:] == [
        "it was encrypted for another name, or is damaged",
        "tmux-sentry secrets set hosts.nas.ssh.password --file hosts.yaml",
    ]


def test_a_value_of_another_key_names_the_key_and_the_places() -> None:
    other = new_key()
    sealed = seal("x", NAME, other)
    with pytest.raises(CannotOpen) as wrong:
        vault(KEY).open(sealed, NAME)
    assert f"it needs the key {other.id}; there is {KEY.id}, looked for in ENCRYPTION_KEY, /k" in wrong.value.why
    assert "/k/master.key" in wrong.value.fix
    with pytest.raises(CannotOpen) as missing:
        vault().open(sealed, NAME)
    assert f"it needs the key {other.id}; there is no key" in missing.value.why


def test_every_key_decrypts_whatever_its_place_in_the_list() -> None:
    old, newer = new_key(), new_key()
    for key in (old, newer):
        assert vault(newer, old).open(seal("x", NAME, key), NAME) == "x"


def test_what_is_opened_is_told_and_so_are_the_keys() -> None:
    learned: list[str] = []
    vault(KEY, learned=learned).open(seal("hunter2", NAME, KEY), NAME)
    assert set(learned) == {KEY.text, "hunter2"}


BAD = {
    "nothing after the key": "enc:v1:a47873da:",
    "too short for a tag": "enc:v1:a47873da:AAAA",
    "a long key id": "enc:v1:a47873da0:" + "A" * 48,
    "upper case": "ENC:V1:a47873da:" + "A" * 48,
    "an upper case key id": "enc:v1:A47873DA:" + "A" * 48,
    "padding": "enc:v1:a47873da:" + "A" * 46 + "==",
    "plain base64": "enc:v1:a47873da:" + "A" * 47 + "+",
    "unused bits": "enc:v1:a47873da:" + "A" * 46 + "AB",
    "a length that none has": "enc:v1:a47873da:" + "A" * 49,
    "a line end": "enc:v1:a47873da:" + "A" * 48 + "\n",
    "spaces": " enc:v1:a47873da:" + "A" * 48,
    "a later version": "enc:v2:a47873da:" + "A" * 48,
    "digits of another script": "enc:v1:a47873d٣:" + "A" * 48,
    "only the beginning": "enc:v",
    "less of it": "enc:",
    "a part of a list": "stdout, enc:v1:a47873da:" + "A" * 48,
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_damaged_value_is_told_and_never_used_as_it_stands(text: str) -> None:
    assert is_encrypted(text)
    if text != BAD["unused bits"]:
        with pytest.raises(Malformed):
            parse(text)
    with pytest.raises(CannotOpen) as damaged:
        vault(KEY).open(text, NAME)
    assert "A" * 20 not in " ".join(damaged.value.lines())


def test_the_unused_bits_of_the_last_character_count_too() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for value in ("1", "12", "123"):  # 29, 30 and 31 bytes: four, none and two unused bits
        sealed = seal(value, NAME, KEY)
        opened = []
        for last in alphabet:
            with suppress(CannotOpen):
                opened.append(vault(KEY).open(sealed[:-1] + last, NAME))
        assert opened == [value]


@pytest.mark.parametrize("text", ["", "plain", "encode:v1", "enc", "https://x/enc:v1:y", "e", "env:v1:short"])
def test_a_plain_value_is_none(text: str) -> None:
    assert not is_encrypted(text)


@pytest.mark.parametrize("text", ["", "short", "A" * 44, "A" * 42, "+" * 43, "AB" * 21 + "B", "key " + "A" * 43])
def test_what_is_no_key_is_none(text: str) -> None:
    with pytest.raises(Malformed):
        parse_key(text)


def test_a_key_is_in_no_repr() -> None:
    assert KEY.text not in repr(KEY) + repr(KeyRing(keys=(KEY,)))
    assert "\\x01" not in repr(KEY)
    assert parse_key(KEY.text) == parse_key(KEY.text + "=") == KEY


def test_without_an_encrypted_value_no_cryptography_is_loaded(tmp_path: Path) -> None:
    """... and with one it is, or this would say nothing."""
    (tmp_path / "master.key").write_text(KEY.text)
    (tmp_path / "master.key").chmod(0o600)
    code = """
import os, sys
from tmux_sentry.config.settings import load_settings
load_settings(os.environ)
print(sorted(name for name in sys.modules if name == "cryptography"))
"""
    for value, loaded in (("plain", "[]"), (seal("x", NAME, KEY), "['cryptography']")):
        env = {"HOME": str(tmp_path), "TMUX_SENTRY_HOME": str(tmp_path), NAME: value}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
        assert done.stdout.strip() == loaded, done.stderr
