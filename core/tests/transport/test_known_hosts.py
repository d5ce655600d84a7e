"""known_hosts: which lines mean a machine, what a key is then worth, and how a new one is written down."""

from __future__ import annotations

import base64
import logging
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tmux_sentry.errors import Refused, SentryError, UsageError
from tmux_sentry.transport.known_hosts import KnownHosts, Verdict, fingerprint, trust

needs_ssh_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")


def key(name: str, key_type: str = "ssh-ed25519") -> tuple[str, bytes]:
    """Any key: its type, and a blob that says its type as real ones do."""
    return key_type, len(key_type).to_bytes(4, "big") + key_type.encode() + name.encode().ljust(36, b".")


def line(names: str, of: tuple[str, bytes], end: str = "\n") -> str:
    return f"{names} {of[0]} {base64.b64encode(of[1]).decode()}{end}"


OURS, OTHER, RSA = key("ours"), key("other"), key("rsa", "ssh-rsa")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


JUDGED = {
    "the name": (line("nas", OURS), "nas", 22, Verdict.KNOWN),
    "no line": ("", "nas", 22, Verdict.UNKNOWN),
    "the name in capitals, there": (line("NAS", OURS), "nas", 22, Verdict.KNOWN),
    "the name in capitals, here": (line("nas", OURS), "NAS", 22, Verdict.KNOWN),
    "another machine": (line("nas2", OURS), "nas", 22, Verdict.UNKNOWN),
    "one of a list": (line("a,nas,192.0.2.10", OURS), "192.0.2.10", 22, Verdict.KNOWN),
    "another port": (line("nas", OURS), "nas", 2222, Verdict.UNKNOWN),
    "the port too": (line("[nas]:2222", OURS), "nas", 2222, Verdict.KNOWN),
    "the port, but not this one": (line("[nas]:2222", OURS), "nas", 22, Verdict.UNKNOWN),
    "an IPv6 address with a port": (line("[2001:db8::1]:2222", OURS), "2001:db8::1", 2222, Verdict.KNOWN),
    "a star": (line("*.example.com", OURS), "a.b.example.com", 22, Verdict.KNOWN),
    "a star in brackets": (line("[*.example.com]:2222", OURS), "a.example.com", 2222, Verdict.KNOWN),
    "a dot is a dot": (line("*.example.com", OURS), "aXexample.com", 22, Verdict.UNKNOWN),
    "a question mark": (line("na?", OURS), "nas", 22, Verdict.KNOWN),
    "brackets are no class": (line("na[rs]", OURS), "nas", 22, Verdict.UNKNOWN),
    "a negated pattern": (line("*.example.com,!b.example.com", OURS), "b.example.com", 22, Verdict.UNKNOWN),
    "a negated pattern of another": (line("*.example.com,!b.example.com", OURS), "a.example.com", 22, Verdict.KNOWN),
    "only negated": (line("!b", OURS), "a", 22, Verdict.UNKNOWN),
    "another key": (line("nas", OTHER), "nas", 22, Verdict.CHANGED),
    "another type of key": (line("nas", RSA), "nas", 22, Verdict.CHANGED),
    "several keys": (line("nas", OTHER) + line("nas", RSA) + line("nas", OURS), "nas", 22, Verdict.KNOWN),
    "revoked": (line("nas", OURS) + line("@revoked nas", OURS), "nas", 22, Verdict.REVOKED),
    "revoked everywhere": (line("nas", OURS) + line("@revoked *", OURS), "nas", 22, Verdict.REVOKED),
    "revoked elsewhere": (line("nas", OURS) + line("@revoked nas2", OURS), "nas", 22, Verdict.KNOWN),
    "only another key is revoked": (line("@revoked nas", OTHER), "nas", 22, Verdict.UNKNOWN),
    "an authority is no key": (line("@cert-authority *", OURS), "nas", 22, Verdict.UNKNOWN),
    "an authority spoils nothing": (line("@cert-authority *", OTHER) + line("nas", OURS), "nas", 22, Verdict.KNOWN),
    "an unknown marker": (line("@trusted nas", OURS), "nas", 22, Verdict.UNKNOWN),
    "a comment": ("# " + line("nas", OURS), "nas", 22, Verdict.UNKNOWN),
    "a comment behind": (line("nas", OURS, " me@here # 2026\n"), "nas", 22, Verdict.KNOWN),
    "blanks before and tabs between": ("\n  " + line("nas", OURS).replace(" ", "\t"), "nas", 22, Verdict.KNOWN),
    "lines that mean nothing": ("nas\nnas ssh-ed25519 !!\n\xff\n" + line("nas", OURS), "nas", 22, Verdict.KNOWN),
    "a key of another type than it says": (line("nas", ("ssh-rsa", OURS[1])), "nas", 22, Verdict.UNKNOWN),
    "no newline at the end": (line("nas", OURS, ""), "nas", 22, Verdict.KNOWN),
    "a hash that is none": (line("|1|!!|AAAA", OTHER) + line("nas", OURS), "nas", 22, Verdict.KNOWN),
}


@pytest.mark.parametrize(("text", "hostname", "port", "verdict"), JUDGED.values(), ids=JUDGED)
def test_what_a_key_is_worth(file: Path, text: str, hostname: str, port: int, verdict: Verdict) -> None:
    file.write_text(text, encoding="latin-1")
    assert KnownHosts.read([file]).judge(hostname, port, *OURS) is verdict


def test_several_files_count_together_and_missing_ones_not(file: Path) -> None:
    file.write_text(line("nas", OTHER))
    second = file.with_name("second")
    second.write_text(line("nas", OURS) + line("nas", RSA) + line("@revoked nas", OTHER))
    known = KnownHosts.read([file, file.with_name("none"), second])
    assert known.judge("nas", 22, *OURS) is Verdict.KNOWN
    assert known.judge("nas", 22, *OTHER) is Verdict.REVOKED
    assert [key.place for key in known.of("nas", 22)] == [f"{file}:1", f"{second}:1", f"{second}:2"]
    assert known.key_types("nas", 22) == ("ssh-ed25519", "ssh-rsa")


def test_a_file_that_cannot_be_read_is_told_and_left_out(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text(line("nas", OURS))
    (folder := file.with_name("folder")).mkdir()
    with caplog.at_level(logging.WARNING):
        assert KnownHosts.read([folder, file]).judge("nas", 22, *OURS) is Verdict.KNOWN
    assert caplog.messages == [f"{folder} cannot be read: Is a directory"]


@needs_ssh_keygen
@pytest.mark.parametrize(("hostname", "port"), [("nas.example.com", 22), ("nas", 2222), ("2001:db8::1", 22)])
def test_names_that_ssh_keygen_has_hashed(file: Path, hostname: str, port: int) -> None:
    name = hostname if port == 22 else f"[{hostname}]:{port}"
    real = real_key(file.parent, "ed25519")
    file.write_text(line(name, real))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    assert hostname not in file.read_text()
    known = KnownHosts.read([file])
    assert known.judge(hostname, port, *real) is Verdict.KNOWN
    assert known.judge(hostname, port + 1, *real) is Verdict.UNKNOWN
    assert known.judge(f"{hostname}x", port, *real) is Verdict.UNKNOWN
    file.write_text(file.read_text().replace("|1|", "|2|"))  # a kind of hash that there is not
    assert KnownHosts.read([file]).judge(hostname, port, *real) is Verdict.UNKNOWN


@needs_ssh_keygen
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_fingerprints_are_those_of_ssh_keygen(tmp_path: Path, kind: str) -> None:
    real = real_key(tmp_path, kind)
    shown = subprocess.run(["ssh-keygen", "-lf", tmp_path / kind], check=True, capture_output=True, text=True).stdout
    assert fingerprint(real[1]) == shown.split()[1]


# ------------------------------------------------------------------------------- writing


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_key_makes_the_file_and_its_directory(tmp_path: Path) -> None:
    path = tmp_path / ".ssh" / "known_hosts"
    trust(path, "Nas", 2222, *OURS)
    assert path.read_text() == line("[nas]:2222", OURS)
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert list(path.parent.iterdir()) == [path]


@needs_ssh_keygen
def test_openssh_finds_what_was_written(tmp_path: Path, file: Path) -> None:
    real = real_key(tmp_path, "ed25519")
    trust(file, "nas", 2222, *real)
    found = subprocess.run(["ssh-keygen", "-F", "[nas]:2222", "-f", file], check=True, capture_output=True, text=True)
    assert line("[nas]:2222", real) in found.stdout


def test_a_further_key_is_appended_and_the_rest_left_byte_for_byte(file: Path) -> None:
    before = b"# mine\r\n" + line("a", OTHER).encode() + b"\xff broken\n\n" + line("b", OTHER, "").encode()
    file.write_bytes(before)
    file.chmod(0o644)
    trust(file, "nas", 22, *OURS)
    assert file.read_bytes() == before + b"\n" + line("nas", OURS).encode()
    assert mode(file) == 0o644
    assert list(file.parent.iterdir()) == [file]


def test_a_key_that_is_there_is_not_written_again(file: Path) -> None:
    file.write_text(line("nas", OURS))
    before = file.stat()
    trust(file, "nas", 22, *OURS)
    assert (file.stat().st_ino, file.stat().st_size) == (before.st_ino, before.st_size)


CHANGED = {
    "a line of its own": (line("nas", OTHER), ""),
    "every key of that name": (line("nas", OTHER) + line("nas", RSA), ""),
    "one name of a list": (line("a,NAS,192.0.2.10", OTHER, " me\n"), line("a,192.0.2.10", OTHER, " me\n")),
    "a list that only forbids otherwise": (line("nas,!b", OTHER), ""),
    "not a pattern": (line("n*", OTHER) + line("nas", RSA), line("n*", OTHER)),
    "not another name or port": (line("nas", RSA) + line("nas2,[nas]:2222", OTHER), line("nas2,[nas]:2222", OTHER)),
    "not a revoked one": (line("nas", RSA) + line("@revoked nas", OTHER), line("@revoked nas", OTHER)),
    "not an authority": (line("nas", RSA) + line("@cert-authority nas", OTHER), line("@cert-authority nas", OTHER)),
    "not a line that means nothing": (line("nas", RSA) + "nas x y\n", "nas x y\n"),
}


@pytest.mark.parametrize(("before", "left"), CHANGED.values(), ids=CHANGED)
def test_a_changed_key_takes_the_place_of_the_old_ones(file: Path, before: str, left: str) -> None:
    file.write_text("# first\n" + before + "# last\n")
    file.chmod(0o640)
    trust(file, "nas", 22, *OURS)
    assert file.read_text() == "# first\n" + left + "# last\n" + line("nas", OURS)
    old = file.with_name("known_hosts.old")
    assert old.read_text() == "# first\n" + before + "# last\n"
    assert (mode(file), mode(old)) == (0o640, 0o640)
    assert KnownHosts.read([file]).judge("nas", 22, *OURS) is Verdict.KNOWN


@needs_ssh_keygen
def test_a_hashed_line_goes_whole(tmp_path: Path, file: Path) -> None:
    file.write_text(line("nas,b", real_key(tmp_path, "ed25519")))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    (hash_of_nas, hash_of_b) = file.read_text().splitlines(keepends=True)
    file.write_text(f"{hash_of_nas}{hash_of_b}@revoked {hash_of_nas}")
    trust(file, "nas", 22, *OURS)
    assert file.read_text() == f"{hash_of_b}@revoked {hash_of_nas}" + line("nas", OURS)


def test_a_link_stays_a_link(tmp_path: Path, file: Path) -> None:
    (tmp_path / "real").write_text(line("nas", OTHER))
    file.symlink_to("real")
    trust(file, "nas", 22, *OURS)
    assert file.is_symlink()
    assert (tmp_path / "real").read_text() == line("nas", OURS)


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(Refused, match="is not a file"):
            trust(path, "nas", 22, *OURS)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize("name", ["*", "na?", "a,b", "a b", "!a", "|1|x", "@revoked", "#", "a\nb", ""])
def test_a_name_that_would_mean_something_else_is_refused(file: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot hold the name"):
        trust(file, name, 22, *OURS)
    assert not file.exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SentryError, match="cannot write"):
        trust(tmp_path / "file" / "known_hosts", "nas", 22, *OURS)


def real_key(folder: Path, kind: str) -> tuple[str, bytes]:
    """A key that ssh-keygen made, in `folder` / `kind`."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", folder / kind], check=True)
    key_type, encoded, *_ = (folder / f"{kind}.pub").read_text().split()
    return key_type, base64.b64decode(encoded)
