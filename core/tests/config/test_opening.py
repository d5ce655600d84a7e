"""Encrypted values of hosts files and policies: opened before anything is checked, and told to the redactor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tmux_sentry.config.crypto import Key, new_key, seal
from tmux_sentry.config.hosts import find_hosts, read_hosts
from tmux_sentry.config.keys import KeyRing
from tmux_sentry.config.opening import opened_pipeline
from tmux_sentry.config.vault import Vault
from tmux_sentry.errors import InvalidConfig
from tmux_sentry.policy.build import build_pipeline
from tmux_sentry.policy.load import LoadResult, load_policies
from tmux_sentry.policy.plugins import NoPlugins

KEY = new_key()
PASSWORD = "hosts.nas.ssh.password"


def vault(learned: list[str] | None = None, key: Key = KEY) -> Vault:
    return Vault(lambda: KeyRing(keys=(key,)), ([] if learned is None else learned).extend)


def hosts(tmp_path: Path, **ssh: object) -> Path:
    path = tmp_path / "hosts.yaml"
    entry = {"name": "nas", "transport": "ssh", "ssh": {"hostname": "192.0.2.1", **ssh}}
    path.write_text(json.dumps({"hosts": [{"name": "here"}, entry]}))
    path.chmod(0o600)
    return path


def policy(tmp_path: Path, vars: dict[str, object], vault: Vault | None, **stage: object) -> LoadResult:
    path = tmp_path / "p.yaml"
    pipeline = {"name": "p", "match": {"window_name": "x"}, "vars": vars, "stages": [{"name": "a", **stage}]}
    path.write_text(json.dumps({"pipelines": [pipeline]}))
    return load_policies([path], NoPlugins(), {}, vault=vault)


def test_an_encrypted_password_is_opened_and_no_warning_is_left(tmp_path: Path) -> None:
    learned: list[str] = []
    path = hosts(tmp_path, password=seal("hunter22", PASSWORD, KEY))
    found = find_hosts(path, tmp_path, vault=vault(learned))
    assert found.hosts[1].ssh["password"] == "hunter22"
    assert found.warnings == ()
    assert "hunter22" in learned


def test_a_value_stays_valid_when_hosts_change_their_order(tmp_path: Path) -> None:
    path = hosts(tmp_path, password=seal("hunter22", PASSWORD, KEY))
    data = json.loads(path.read_text())
    path.write_text(json.dumps({"hosts": [*reversed(data["hosts"])]}))
    assert read_hosts(path, vault()).hosts[0].ssh["password"] == "hunter22"


CASES = {
    "moved": (seal("x" * 8, "hosts.box.ssh.password", KEY), "it was encrypted for another name, or is damaged"),
    "moved inside the file": (
        seal("x" * 8, "hosts.nas.ssh.hostname", KEY),
        "it was encrypted for hosts.nas.ssh.hostname",
    ),
    "another key": (seal("x" * 8, PASSWORD, new_key()), "it needs the key "),
    "cut off": (seal("x" * 8, PASSWORD, KEY)[:-5], "cannot be decrypted"),
    "of no length": ("enc:v1:zz", "it is cut off or damaged"),
}


@pytest.mark.parametrize(("value", "why"), CASES.values(), ids=CASES)
def test_what_cannot_be_opened_has_its_place_and_is_not_shown(tmp_path: Path, value: str, why: str) -> None:
    path = hosts(tmp_path, password=value)
    with pytest.raises(InvalidConfig) as invalid:
        read_hosts(path, vault())
    (one,) = invalid.value.diagnostics
    column = path.read_text().index('"enc') + 1
    assert str(one).startswith(f"{path}:1:{column}: hosts[1].ssh.password: cannot be decrypted: ")
    assert why in one.what
    assert value not in "\n".join(invalid.value.lines())


def test_without_a_vault_an_encrypted_value_is_never_taken_as_it_stands(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="1 error"):
        read_hosts(hosts(tmp_path, password=seal("x", PASSWORD, KEY)))
    assert policy(tmp_path, {"x": seal("x", "pipelines.p.vars.x", KEY)}, None).policy is None


def test_an_opened_value_is_checked_like_any_other_and_not_shown(tmp_path: Path) -> None:
    name = "pipelines.p.stages.a.timeout"
    bad = policy(tmp_path, {}, vault(), timeout=seal("hunter22", name, KEY))
    (error,) = bad.errors
    assert "pipelines[0].stages[0].timeout" in str(error)
    assert "hunter22" not in "\n".join(error.lines())
    assert policy(tmp_path, {}, vault(), timeout=seal("5m", name, KEY)).require().pipelines[0].stages[0].timeout == 300


def test_where_a_number_belongs_an_encrypted_value_says_that_it_is_text(tmp_path: Path) -> None:
    path = hosts(tmp_path, port=seal("2222", "hosts.nas.ssh.port", KEY))
    with pytest.raises(InvalidConfig) as invalid:
        read_hosts(path, vault())
    assert invalid.value.diagnostics[0].what == "must be a whole number, not text"


def test_a_pipeline_is_kept_encrypted_and_builds_the_same_again(tmp_path: Path) -> None:
    name = "pipelines.p.vars.token"
    pipelines = []
    for _ in range(2):  # encrypted twice, it is another text
        (pipeline,) = policy(tmp_path, {"token": seal("hunter22", name, KEY)}, vault()).require().pipelines
        assert pipeline.vars == {"token": "hunter22"}
        assert "hunter22" not in json.dumps(pipeline.source)
        assert build_pipeline(opened_pipeline(pipeline.source, vault()), pipeline.source) == pipeline
        pipelines.append(pipeline)
    assert pipelines[0].source != pipelines[1].source
    assert pipelines[0].digest == pipelines[1].digest
