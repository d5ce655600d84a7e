"""Where keys come from, in which order, and which key files are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tmux_sentry.config.crypto import new_key
from tmux_sentry.config.key_file import make_key_file, with_newest, with_only
from tmux_sentry.config.keys import find_keys, read_key_file
from tmux_sentry.errors import Refused, UsageError

A, B, C, D = (new_key() for _ in range(4))


def key_file(path: Path, *lines: str, mode: int = 0o600) -> Path:
    path.write_text("\n".join(lines) + "\n")
    path.chmod(mode)
    return path


def test_every_place_is_looked_at_and_the_first_key_encrypts(tmp_path: Path) -> None:
    file = key_file(tmp_path / "master.key", "# newest first", C.text, "", f"  {D.text}=  ")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    key_file(credentials / "tmux-sentry.key", B.text, mode=0o400)
    env = {"ENCRYPTION_KEY": f" {A.text} , {C.text}", "CREDENTIALS_DIRECTORY": str(credentials)}
    ring = find_keys(env, file, named=False)
    assert ring.keys == (A, C, B, D)
    assert [key.origin for key in ring.keys] == [
        "ENCRYPTION_KEY",
        "ENCRYPTION_KEY",
        str(credentials / "tmux-sentry.key"),
        str(file),
    ]
    assert ring.newest() == A
    assert ring.looked == ("ENCRYPTION_KEY", str(credentials / "tmux-sentry.key"), str(file))
    assert find_keys({}, file, named=False).newest() == C


def test_no_key_is_no_error_until_one_is_needed(tmp_path: Path) -> None:
    ring = find_keys({"CREDENTIALS_DIRECTORY": str(tmp_path)}, tmp_path / "master.key", named=False)
    with pytest.raises(UsageError) as missing:
        ring.newest()
    assert missing.value.lines() == [
        "there is no key to encrypt with",
        f"looked for in ENCRYPTION_KEY, {tmp_path}/tmux-sentry.key, {tmp_path}/master.key",
        "tmux-sentry init makes one; or bring yours back from a copy",
    ]


def test_a_key_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read") as missing:
        find_keys({}, tmp_path / "k", named=True)
    assert "tmux-sentry init makes a new one" in missing.value.fix


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o777])
def test_a_key_file_of_a_loose_mode_is_refused_with_the_chmod(tmp_path: Path, mode: int) -> None:
    file = key_file(tmp_path / "my key", A.text, mode=mode)
    with pytest.raises(Refused) as refused:
        find_keys({}, file, named=False)
    assert refused.value.exit_code == 3
    assert refused.value.lines() == [
        f"the key file {file} is refused",
        f"others can read or change it (mode 0{mode:o})",
        f"chmod 600 '{file}'",
    ]


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_key_file_of_ours_alone_is_read(tmp_path: Path, mode: int) -> None:
    assert find_keys({}, key_file(tmp_path / "k", A.text, mode=mode), named=True).keys == (A,)


def test_a_key_file_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = key_file(tmp_path / "k", A.text)
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    with pytest.raises(Refused, match="is refused") as refused:
        find_keys({}, file, named=False)
    assert "not to you" in refused.value.why


def test_a_link_is_followed_to_a_file_that_is_ours_alone_only(tmp_path: Path) -> None:
    file = key_file(tmp_path / "k", A.text)
    link = tmp_path / "link"
    link.symlink_to(file)
    assert find_keys({}, link, named=True).keys == (A,)
    file.chmod(0o644)
    with pytest.raises(Refused):
        find_keys({}, link, named=True)


@pytest.mark.parametrize(
    ("mode", "refused"), [(0o400, False), (0o440, False), (0o444, True), (0o460, True), (0o441, True)]
)
def test_a_credential_may_show_the_mask_of_its_access_list(tmp_path: Path, mode: int, refused: bool) -> None:
    credential = key_file(tmp_path / "tmux-sentry.key", A.text, mode=mode)
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    if refused:
        with pytest.raises(Refused, match=str(credential)):
            find_keys(env, tmp_path / "no", named=False)
    else:
        assert find_keys(env, tmp_path / "no", named=False).keys == (A,)


def test_what_is_no_key_is_told_with_its_line_and_not_shown(tmp_path: Path) -> None:
    file = key_file(tmp_path / "k", "# one", A.text, "hunter2hunter2")
    with pytest.raises(UsageError) as bad:
        find_keys({}, file, named=False)
    assert bad.value.what == f"{file}:3: this is not a key"
    with pytest.raises(UsageError) as worse:
        find_keys({"ENCRYPTION_KEY": "hunter2hunter2"}, file, named=False)
    assert worse.value.what == "ENCRYPTION_KEY: this is not a key"
    assert "hunter2" not in " ".join(bad.value.lines() + worse.value.lines())


@pytest.mark.parametrize("data", [b"", b"# only this\n", b"\xff\xfe\n", b"#" * 70_000])
def test_a_file_without_a_key_is_told(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "k"
    file.write_bytes(data)
    file.chmod(0o600)
    with pytest.raises(UsageError, match="holds no key"):
        find_keys({}, file, named=False)


def test_a_pipe_and_a_directory_hold_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(UsageError, match=r"is not a file|cannot be read"):
            read_key_file(path)


def test_a_key_is_made_once_and_for_us_alone(tmp_path: Path) -> None:
    file = tmp_path / "k"
    before = os.umask(0)
    try:
        assert make_key_file(file)
    finally:
        os.umask(before)
    text = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    (key,) = find_keys({}, file, named=True).keys
    assert len(key.secret) == 32
    assert not make_key_file(file)
    assert file.read_text() == text


def test_a_key_file_keeps_its_comments() -> None:
    text = f"# mine\n\n{A.text}=\n# old\n{B.text}\n# end"
    more = with_newest(text, C)
    assert more == f"# mine\n\n{C.text}\n{A.text}=\n# old\n{B.text}\n# end"
    assert with_only(more, C) == f"# mine\n\n{C.text}\n# old\n# end"
    assert with_only(text, A) == f"# mine\n\n{A.text}=\n# old\n# end"
