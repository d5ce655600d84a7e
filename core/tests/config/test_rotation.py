"""Rotation: whatever stops it when, every value stays readable; the old keys go only when nothing needs them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.config.crypto import new_key, parse, seal
from tmux_sentry.config.keys import find_keys
from tmux_sentry.config.rotation import Rotated, finish, needed_yet, rotate
from tmux_sentry.config.secret_files import Document, read_document
from tmux_sentry.config.vault import Vault
from tmux_sentry.errors import InvalidConfig, SentryError, UsageError

ENV = "# c\r\nexport A={A} # why\r\nPLAIN=1\r\nB='{B}'\r\n"
HOSTS = 'hosts:\n  # c\n  - name: nas\n    ssh: {{password: "{P}", port: 22}}\n'
POLICY = "pipelines:\n- name: p\n  vars:\n    t: {T}   # c\n    u: plain\n"
SECRETS = {
    "A": "one",
    "B": "two",
    "hosts.nas.ssh.password": "three",
    "pipelines.p.vars.t": "four",
}


class Place:
    """A key file and three files with values in them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.key_file = path / "master.key"
        key = new_key()
        self.write("master.key", f"# mine\n{key.text}\n", 0o600)
        sealed = {name: seal(value, name, key) for name, value in SECRETS.items()}
        env = ENV.format(**sealed)
        self.write(".env", env, 0o640)
        self.write("hosts.yaml", HOSTS.format(P=sealed["hosts.nas.ssh.password"]), 0o600)
        self.write("p.yaml", POLICY.format(T=sealed["pipelines.p.vars.t"]), 0o644)

    def write(self, name: str, text: str, mode: int) -> None:
        (self.path / name).write_bytes(text.encode())
        (self.path / name).chmod(mode)

    def documents(self) -> list[Document]:
        return [read_document(self.path / name, yaml=name != ".env") for name in (".env", "hosts.yaml", "p.yaml")]

    def vault(self, **env: str) -> Vault:
        return Vault(lambda: find_keys(env, self.key_file, named=False))

    def rotate(self) -> Rotated:
        return rotate(self.documents(), self.vault())

    def secrets(self) -> dict[str, str]:
        """Every value, opened with the keys that are there now."""
        vault = self.vault()
        values = [value for document in self.documents() for value in document.values if value.encrypted]
        return {value.name: vault.open(value.text, value.name) for value in values}

    def key_ids(self) -> set[str]:
        return {parse(one.text).key_id for document in self.documents() for one in document.values if one.encrypted}

    def keys(self) -> list[str]:
        return [key.id for key in self.vault().ring.keys]

    def content(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.path.iterdir()}

    def plain(self) -> dict[str, str]:
        """The files without their encrypted values: what must never change."""
        texts = {}
        for document in self.documents():
            text = document.text
            for value in document.values:
                text = text.replace(value.text, "*") if value.encrypted else text
            texts[document.path.name] = text
        return texts


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_rotation_makes_a_key_and_changes_nothing_but_the_values(place: Place) -> None:
    (old,), plain, before = place.keys(), place.plain(), place.content()
    done = place.rotate()
    assert (done.made, done.values, len(done.files)) == (True, 4, 3)
    assert place.keys() == [done.key.id, old]
    assert place.key_ids() == {done.key.id}
    assert place.secrets() == SECRETS
    assert place.plain() == plain
    assert place.key_file.read_text().startswith("# mine\n")
    modes = {name: (place.path / name).stat().st_mode & 0o777 for name in before}
    assert modes == {"master.key": 0o600, ".env": 0o640, "hosts.yaml": 0o600, "p.yaml": 0o644}
    # A copy of each file beside it, exactly as it was, and nothing else.
    copies = {copy.name.split(".before-rotation-")[0]: copy.read_bytes() for copy in done.backups}
    assert copies == before
    assert set(place.content()) == set(before) | {copy.name for copy in done.backups}


def test_finishing_removes_the_old_key_and_keeps_a_copy_of_it(place: Place) -> None:
    before = place.keys()
    done = place.rotate()
    vault = place.vault()
    assert needed_yet([one for document in place.documents() for one in document.values], vault) == []
    finished = finish(vault)
    assert [key.id for key in finished.removed] == before
    assert place.keys() == [done.key.id]
    assert place.secrets() == SECRETS
    assert finished.backup is not None
    assert [key.id for key in find_keys({}, finished.backup, named=True).keys] == [done.key.id, *before]
    assert finish(place.vault()).removed == ()


def test_a_value_that_needs_an_old_key_is_named(place: Place) -> None:
    rotate(place.documents()[:2], place.vault())  # the policy was forgotten
    values = [one for document in place.documents() for one in document.values]
    assert [one.name for one in needed_yet(values, place.vault())] == ["pipelines.p.vars.t"]
    damaged = read_document(place.path / ".env", yaml=False).text.replace("A=enc:v1:", "A=enc:v1:x")
    place.write(".env", damaged, 0o600)
    values = [one for document in place.documents() for one in document.values]
    assert [one.name for one in needed_yet(values, place.vault())] == ["A", "pipelines.p.vars.t"]


def test_a_value_that_cannot_be_opened_stops_it_before_anything_changes(place: Place) -> None:
    lost = seal("x", "pipelines.p.vars.t", new_key())
    place.write("p.yaml", POLICY.format(T=lost), 0o644)
    env = (place.path / ".env").read_bytes().decode().replace("A=enc", "C=enc")
    place.write(".env", env, 0o600)
    before = place.content()
    with pytest.raises(InvalidConfig) as stopped:
        place.rotate()
    assert [(Path(one.file).name, one.line, one.where) for one in stopped.value.diagnostics] == [
        (".env", 2, "C"),
        ("p.yaml", 4, "pipelines.p.vars.t"),
    ]
    assert place.content() == before


def stop_at(number: int, call: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Let the n-th such call of the operating system fail as if the program had been killed; returns the count."""
    real: Any = getattr(os, call)
    count = 0

    def limited(*args: Any, **more: Any) -> Any:
        nonlocal count
        count += 1
        if count == number:
            raise KeyboardInterrupt
        return real(*args, **more)

    monkeypatch.setattr(os, call, limited)
    return lambda: count


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_stopped_anywhere_every_value_is_readable_and_the_next_rotation_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    for number in range(1, 40):
        (tmp_path / str(number)).mkdir()
        place = Place(tmp_path / str(number))
        (old,), plain = place.keys(), place.plain()
        with monkeypatch.context() as patch:
            counted = stop_at(number, call, patch)
            try:
                place.rotate()
            except KeyboardInterrupt:
                pass
            else:
                break
        assert counted() == number
        assert place.secrets() == SECRETS
        assert place.plain() == plain
        keys = place.keys()
        assert keys[-1] == old
        done_already = place.key_ids() == {keys[0]}
        done = place.rotate()
        # Where a new key was there and did not open all values yet, it is used, and no third one made.
        assert done.made is done_already
        assert len(place.keys()) == len(keys) + done_already
        assert place.secrets() == SECRETS
        assert place.key_ids() == {done.key.id}
        finish(place.vault())
        assert place.secrets() == SECRETS
    assert number > 4 if call == "replace" else number > 15  # every point was passed


def test_a_rotation_that_was_stopped_goes_on_with_the_key_that_is_there(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_at(3, "replace", patch)
        with pytest.raises(KeyboardInterrupt):
            place.rotate()
    keys = place.keys()
    assert place.key_ids() == set(keys)
    done = place.rotate()
    assert (done.made, done.key.id, done.values) == (False, keys[0], 2)
    assert place.keys() == keys
    again = place.rotate()
    assert again.made
    assert place.keys() == [again.key.id, *keys]


def test_a_full_disk_says_so_and_leaves_all_readable(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    real, count = os.replace, 0

    def full(source: str, target: str) -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(SentryError, match="cannot write"):
        place.rotate()
    assert place.secrets() == SECRETS


def test_a_key_of_the_environment_is_not_ours_to_replace(place: Place) -> None:
    newer = new_key()
    env = {"ENCRYPTION_KEY": newer.text}
    done = rotate(place.documents(), place.vault(**env))  # a newer key that somebody put there is used
    assert (done.made, done.key) == (False, newer)
    before = place.content()
    with pytest.raises(UsageError, match="a new key cannot be made here") as refused:
        rotate(place.documents(), place.vault(**env))
    assert "first in ENCRYPTION_KEY" in refused.value.fix
    assert "openssl rand" in refused.value.fix
    assert place.content() == before
    assert [key.origin for key in finish(place.vault(**env)).by_hand] == [str(place.key_file)]
    assert place.content() == before
