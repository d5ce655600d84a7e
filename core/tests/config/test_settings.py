"""Variables: the environment, the env file, and who may read and write it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tmux_sentry.config.crypto import Key, new_key, seal
from tmux_sentry.config.settings import Settings, find_home, load_settings
from tmux_sentry.contracts import Setting
from tmux_sentry.errors import Refused, UsageError

SECRET = "s" * 32
ENCRYPTED = "enc:v1:a47873da:AAECAwQFBgcICQoLL3e4b6CXfXfK4MUzpK7V18JV-ISXdg"


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    path.touch(mode=0o600)
    return path


@pytest.fixture
def key(tmp_path: Path) -> Key:
    """The key of the home directory, where HOME is `tmp_path`."""
    (tmp_path / ".tmux_sentry").mkdir()
    file = tmp_path / ".tmux_sentry" / "master.key"
    made = new_key()
    file.write_text(made.text)
    file.chmod(0o600)
    return made


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
    "a damaged encrypted value": ("SMTP_PASSWORD=enc:v1:k:AAAA\n", "SMTP_PASSWORD cannot be decrypted"),
    "an encrypted part": (
        f"NOTIFICATION_CHANNELS=stdout,{ENCRYPTED}\n",
        "NOTIFICATION_CHANNELS cannot be decrypted",
    ),
    "an encrypted way to the key": (f"ENCRYPTION_KEY_FILE={ENCRYPTED}\n", "ENCRYPTION_KEY_FILE cannot be encrypted"),
    "an encrypted home": (f"TMUX_SENTRY_HOME={ENCRYPTED}\n", "TMUX_SENTRY_HOME cannot be encrypted"),
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


# ------------------------------------------------------------------------------ encrypted


def test_values_of_file_environment_and_plugins_are_opened(env_file: Path, key: Key) -> None:
    learned: list[str] = []
    lines = {"APPROVAL_SECRET": f"{SECRET},{'t' * 32}", "MY_TOKEN": "of-the-plugin", "MINE": "of-nobody"}
    lines |= {"NOTIFICATION_CHANNELS": "stdout,email", "LOG_LEVEL": "debug", "APPROVAL_TOKEN_TTL": "60"}
    env_file.write_text("".join(f"{name}={seal(value, name, key)}\n" for name, value in lines.items()))
    env = {"HOME": str(env_file.parent), "GITHUB_TOKEN": seal("of-the-environment", "GITHUB_TOKEN", key)}
    plugins = (Setting(name="MY_TOKEN", description=""),)
    settings = load_settings(env, env_file, plugins, learned.extend)
    assert settings.approval_secret == (SECRET, "t" * 32)
    assert settings.notification_channels == ("stdout", "email")
    assert (settings.log_level, settings.approval_token_ttl) == ("DEBUG", 60)
    assert settings.values == {**lines, "GITHUB_TOKEN": "of-the-environment"}
    assert set(settings.values.values()) <= set(settings.secrets)
    assert set(settings.values.values()) | {key.text} == set(learned)
    assert "stdout" not in settings.secrets  # as a word it stands everywhere
    assert settings.warnings == ()


def test_a_value_in_the_environment_wins_over_an_encrypted_one_nobody_can_open(env_file: Path) -> None:
    settings = load(env_file, f"GITHUB_TOKEN={ENCRYPTED}\nOTHER={ENCRYPTED}\n", {"GITHUB_TOKEN": "x", "OTHER": "y"})
    assert (settings.values["GITHUB_TOKEN"], settings.values["OTHER"]) == ("x", "y")


@pytest.mark.parametrize(("name", "value"), [("LOG_LEVEL", "hunter22"), ("APPROVAL_TOKEN_TTL", "hunter22")])
def test_a_value_that_was_encrypted_is_in_no_message(env_file: Path, key: Key, name: str, value: str) -> None:
    env_file.write_text(f"{name}={seal(value, name, key)}\n")
    with pytest.raises(UsageError, match=name) as error:
        load_settings({"HOME": str(env_file.parent)}, env_file)
    assert value not in " ".join(error.value.lines())


def test_a_missing_key_names_it_and_where_it_was_looked_for(env_file: Path) -> None:
    with pytest.raises(UsageError, match="SMTP_PASSWORD cannot be decrypted") as missing:
        load_settings({"HOME": str(env_file.parent), "SMTP_PASSWORD": ENCRYPTED})
    places = f"ENCRYPTION_KEY, {env_file.parent}/.tmux_sentry/master.key"
    assert missing.value.why == f"it needs the key a47873da; there is no key, looked for in {places}"


def test_the_key_itself_in_the_env_file_is_refused(env_file: Path, key: Key) -> None:
    with pytest.raises(Refused) as refused:
        load(env_file, f"ENCRYPTION_KEY={key.text}\n")
    assert refused.value.what == f"{env_file}:2: ENCRYPTION_KEY is refused in an env file"
    assert key.text not in " ".join(refused.value.lines())


def test_a_loose_key_file_is_no_matter_until_it_is_needed(env_file: Path, key: Key) -> None:
    (env_file.parent / ".tmux_sentry" / "master.key").chmod(0o644)
    env = {"HOME": str(env_file.parent)}
    load_settings(env)
    with pytest.raises(Refused, match="is refused"):
        load_settings({**env, "GITHUB_TOKEN": seal("x", "GITHUB_TOKEN", key)})


@pytest.mark.parametrize("in_file", [None, "", "/file", "~/file"])
@pytest.mark.parametrize("in_env", [None, "", "/env", "~", "relative"])
def test_the_home_is_the_same_before_and_after_the_plugins(
    env_file: Path, in_file: str | None, in_env: str | None
) -> None:
    env_file.write_text("LOG_LEVEL=INFO\n" if in_file is None else f"TMUX_SENTRY_HOME={in_file}\n")
    env = {"HOME": "/home/u"} if in_env is None else {"HOME": "/home/u", "TMUX_SENTRY_HOME": in_env}
    assert find_home(env, env_file) == load_settings(env, env_file).home
    assert find_home(env) == load_settings(env).home


def test_a_home_that_is_encrypted_cannot_be_found() -> None:
    with pytest.raises(UsageError, match="TMUX_SENTRY_HOME cannot be encrypted"):
        find_home({"TMUX_SENTRY_HOME": "enc:v1:k:abc"})
