"""Variables: the environment, the env file, and who may read and write it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tmux_sentry.config.settings import Settings, load_settings
from tmux_sentry.contracts import Setting
from tmux_sentry.errors import Refused, UsageError

SECRET = "s" * 32


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    path.touch(mode=0o600)
    return path


def load(env_file: Path, text: str, env: dict[str, str] | None = None, plugins: tuple[Setting, ...] = ()) -> Settings:
    env_file.write_text(f"APPROVAL_SECRET={SECRET}\n{text}")
    return load_settings({"HOME": "/home/u", **(env or {})}, env_file, plugins)


def test_without_any_variable_there_are_defaults_and_one_warning() -> None:
    settings = load_settings({"HOME": "/home/u"})
    assert settings.home == Path("/home/u/.tmux_sentry")
    assert settings.database_path == Path("/home/u/.tmux_sentry/state.db")
    assert settings.notification_channels == ("stdout",)
    assert settings.approval_token_ttl == 3600
    assert [warning.split(":")[0] for warning in settings.warnings] == ["APPROVAL_SECRET is not set"]


def test_the_environment_wins_over_the_file(env_file: Path) -> None:
    settings = load(env_file, "LOG_LEVEL=debug\nDATABASE_PATH=~/x.db\nMINE=1\n", {"LOG_LEVEL": "error", "OTHER": "2"})
    assert settings.log_level == "ERROR"
    assert settings.database_path == Path("/home/u/x.db")
    assert settings.values["MINE"] == "1"
    assert "OTHER" not in settings.values
    assert settings.warnings == ()


def test_values_are_literal(env_file: Path) -> None:
    settings = load(
        env_file, "export SMTP_PASSWORD='a$HOME${X}`id`'\nSMTP_USER=u # me\nTMUX_SENTRY_HOME=/h\n", {"X": "1"}
    )
    assert settings.values["SMTP_PASSWORD"] == "a$HOME${X}`id`"
    assert settings.values["SMTP_USER"] == "u"
    assert settings.home == Path("/h")
    assert "a$HOME${X}`id`" in settings.secrets


def test_no_secret_is_in_the_repr(env_file: Path) -> None:
    assert SECRET not in repr(load(env_file, ""))


@pytest.mark.parametrize("value", ["short", f"{SECRET},short"])
def test_a_short_secret_turns_links_off_with_one_warning(value: str) -> None:
    settings = load_settings({"HOME": "/h", "APPROVAL_SECRET": value})
    assert settings.approval_secret == ()
    assert len(settings.warnings) == 1
    assert "shorter than 32 bytes" in settings.warnings[0]


def test_a_near_miss_of_a_name_is_told_also_for_plugins(env_file: Path) -> None:
    settings = load(
        env_file, "GITHUB_TOKN=x\nMY_TOKENS=x\nUNRELATED=1\n", plugins=(Setting(name="MY_TOKEN", description=""),)
    )
    assert [warning.partition(": ")[2] for warning in settings.warnings] == [
        "unknown variable GITHUB_TOKN; did you mean GITHUB_TOKEN?",
        "unknown variable MY_TOKENS; did you mean MY_TOKEN?",
    ]


def test_secrets_of_one_host_are_known_wherever_they_stand(env_file: Path) -> None:
    env = {"SSH_KEY_PASSPHRASE_NAS": "phrase-of-nas", "SSH_PASSWORD_NAS": "from-the-environment", "SSH_AUTH_SOCK": "/s"}
    settings = load(env_file, "SSH_PASSWORD=of-all\nSSH_PASSWORD_NAS=of-nas\nSSH_PASSWORD_MY_BOX_2=of-box\n", env)
    ssh = {name: value for name, value in settings.values.items() if name.startswith("SSH_")}
    assert ssh == {
        "SSH_PASSWORD": "of-all",
        "SSH_PASSWORD_NAS": "from-the-environment",
        "SSH_PASSWORD_MY_BOX_2": "of-box",
        "SSH_KEY_PASSPHRASE_NAS": "phrase-of-nas",
    }
    assert set(ssh.values()) <= set(settings.secrets)
    assert settings.warnings == ()


def test_a_near_miss_of_a_host_secret_is_told(env_file: Path) -> None:
    (warning,) = load(env_file, "SSH_PASWORD=x\n").warnings
    assert warning.endswith("unknown variable SSH_PASWORD; did you mean SSH_PASSWORD?")


def test_a_file_that_others_can_read_warns_with_the_command(env_file: Path) -> None:
    env_file.chmod(0o644)
    assert load(env_file, "").warnings == (f"others can read the secrets in {env_file}: chmod 600 {env_file}",)


@pytest.mark.parametrize(("mode", "why"), [(0o602, "everybody may write to it"), (0o622, "everybody may write to it")])
def test_a_file_that_others_can_write_is_refused(env_file: Path, mode: int, why: str) -> None:
    env_file.chmod(mode)
    with pytest.raises(Refused) as refused:
        load_settings({}, env_file)
    assert refused.value.lines() == [f"the env file {env_file} is refused", why, f"chmod 600 {env_file}"]
    assert refused.value.exit_code == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_somebody_else_is_refused(env_file: Path) -> None:
    os.chown(env_file, 12345, -1)
    with pytest.raises(Refused) as refused:
        load_settings({}, env_file)
    assert refused.value.why == "it belongs to user 12345, not to you"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_that_a_shared_group_can_write_is_refused(env_file: Path) -> None:
    os.chown(env_file, -1, 12345)
    env_file.chmod(0o660)
    with pytest.raises(Refused, match="is refused"):
        load_settings({}, env_file)


BAD = {
    "a missing file": (None, "cannot be read"),
    "an unclosed quote": ("A='x\nB=1\n", ":2 cannot be read"),
    "an encrypted value": ("SMTP_PASSWORD=enc:v1:k:AAAA\n", "SMTP_PASSWORD is encrypted"),
    "an unknown level": ("LOG_LEVEL=LOUD\n", "LOG_LEVEL is 'LOUD'"),
    "a lifetime in words": ("APPROVAL_TOKEN_TTL=1h\n", "APPROVAL_TOKEN_TTL is '1h'"),
    "a doubtful yes": ("DATABASE_ALLOW_NETWORK_FS=true\n", "DATABASE_ALLOW_NETWORK_FS is 'true'"),
    "nothing kept": ("DATABASE_KEEP_DAYS=0\n", "DATABASE_KEEP_DAYS is '0'"),
    "kept for ages": ("DATABASE_KEEP_DAYS=36501\n", "DATABASE_KEEP_DAYS is '36501'"),
    "no lifetime": ("APPROVAL_TOKEN_TTL=0\n", "APPROVAL_TOKEN_TTL is '0'"),
}


@pytest.mark.parametrize(("text", "what"), BAD.values(), ids=BAD)
def test_what_cannot_be_used_is_a_usage_error(env_file: Path, text: str | None, what: str) -> None:
    with pytest.raises(UsageError) as error:
        load_settings({}, env_file.with_name("no")) if text is None else load(env_file, text)
    assert what in error.value.what


def test_an_encrypted_value_in_the_environment_is_refused_too() -> None:
    with pytest.raises(UsageError, match="GITHUB_TOKEN is encrypted"):
        load_settings({"GITHUB_TOKEN": "enc:v1:k:AAAA"})
