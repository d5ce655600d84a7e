"""Which public keys a key file stands for, whatever it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tmux_sentry.transport.public_keys import is_public, public_blobs

BLOB = b"\0\0\0\x0bssh-ed25519\0\0\0\x04blob"
LINE = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAABGJsb2I="
BEGIN, END = b"-----BEGIN OPENSSH PRIVATE KEY-----\n", b"\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("content", "public"),
    [
        (LINE + b" a comment\n", True),
        (LINE, True),
        (LINE.replace(b"ssh-ed25519", b"ssh-rsa"), False),  # the key says another type than the line
        (b"ssh-ed25519 AAAA", False),
        (b"ssh-ed25519 ???", False),
        (b"one", False),
        (b"", False),
        (b"\xff\0" * 100, False),
        (BEGIN + END, False),
        (BEGIN + b"???" + END, False),
        (BEGIN + b"b3BlbnNzaC1rZXktdjEA" + END, False),  # cut off behind its first word
    ],
)
def test_a_file_that_may_be_a_public_key(tmp_path: Path, content: bytes, public: bool) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    assert is_public(path) is public
    assert public_blobs(path) == (frozenset({BLOB}) if public else frozenset())


def test_what_stands_beside_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert public_blobs(tmp_path) == frozenset()
    assert public_blobs(tmp_path / "key") == frozenset()
    (tmp_path / "key-cert.pub").write_bytes(LINE)
    assert public_blobs(tmp_path / "key") == {BLOB}
    (tmp_path / "key.pub").write_bytes(LINE)
    assert public_blobs(tmp_path / "key") == {BLOB}
