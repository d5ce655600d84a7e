"""The variables of the environment and of an env file, as one frozen record. The environment wins."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tmux_sentry.config.crypto import is_encrypted
from tmux_sentry.config.env_file import EnvFile, read_env_file
from tmux_sentry.config.keys import FILE_NAME as KEY_FILE_NAME
from tmux_sentry.config.keys import FILE_VARIABLE, KEY_VARIABLE, find_keys
from tmux_sentry.config.permissions import chmod_line
from tmux_sentry.config.schema import load_schema
from tmux_sentry.config.vault import Learn, Vault, set_line
from tmux_sentry.contracts import Level, Setting
from tmux_sentry.errors import Refused, UsageError
from tmux_sentry.notify.layout import LANGUAGES

SHORTEST_SECRET = 32
DAY = 86400.0
#: These lead to the key, so they cannot be encrypted with it.
CLEAR = (KEY_VARIABLE, FILE_VARIABLE, "TMUX_SENTRY_HOME")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the variables say. `values` are the raw ones, for plugins; secrets stay out of `repr`.

    `approval_secret` is newest first, and empty when web links are off. `approval_token_ttl`,
    `database_keep` and `recordings_keep` are seconds. `secrets` are the values of all secret variables and of all that
    were encrypted, for the redactor; `vault` opens the encrypted values of other files.
    """

    home: Path
    database_path: Path
    database_allow_network_fs: bool = False
    database_keep: float = 90 * DAY
    log_level: str = "INFO"
    recording_bytes: int = 64 << 20
    recordings_bytes: int = 1024 << 20
    recordings_keep: float = 14 * DAY
    approval_secret: tuple[str, ...] = field(default=(), repr=False)
    approval_token_ttl: int = 3600
    notification_channels: tuple[str, ...] = ("stdout",)
    notification_level: Level | None = None
    notification_quiet_hours: str = ""
    notification_language: str = "en"
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    warnings: tuple[str, ...] = ()
    vault: Vault = field(default_factory=Vault, repr=False, compare=False)


def core_settings() -> tuple[Setting, ...]:
    """The variables that need no plugin to be known, sorted by name."""
    properties = load_schema("settings")["properties"]
    return tuple(
        Setting(name=name, description=properties[name]["description"], secret=bool(properties[name].get("writeOnly")))
        for name in sorted(properties)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """The variables as they stand, encrypted ones too, and which of them are known to the core or a plugin."""

    values: dict[str, str] = field(repr=False)
    known: Mapping[str, Setting]
    file: EnvFile | None = None
    warnings: tuple[str, ...] = ()

    def is_secret(self, name: str) -> bool:
        """Whether a variable is declared to be a secret."""
        return name in self.known and self.known[name].secret


def read_variables(
    env: Mapping[str, str], env_file: Path | None = None, plugin_settings: Iterable[Setting] = ()
) -> Variables:
    """Read them from `env` (wins) and `env_file`; `plugin_settings` are those that plugins declare.

    Raises UsageError for a file that cannot be used, Refused for one that others control or that holds the key.
    """
    known = {setting.name: setting for setting in (*core_settings(), *plugin_settings)}
    file = read_env_file(env_file) if env_file else None
    values = {name: one.value for name, one in file.last.items()} if file else {}
    if file and values.get(KEY_VARIABLE):
        raise Refused(
            f"{file.path}:{file.last[KEY_VARIABLE].line}: {KEY_VARIABLE} is refused in an env file",
            "beside the values that it locks, the key protects nothing",
            f"put the key in a file of its own (0600), and its path in {FILE_VARIABLE}",
        )
    known.update(_of_one_host((*env, *values)))
    warnings = [*_of_file(file, known)] if file else []
    values.update({name: env[name] for name in (*known, *values) if name in env})
    return Variables(values=values, known=known, file=file, warnings=tuple(warnings))


def home_of(values: Mapping[str, str], env: Mapping[str, str]) -> Path:
    """The home directory. Raises UsageError when its variable is encrypted."""
    _must_be_clear(values)
    return _path(values.get("TMUX_SENTRY_HOME") or "~/.tmux_sentry", _user_home(env))


def find_home(env: Mapping[str, str], env_file: Path | None = None) -> Path:
    """The same, before any plugin is known: plugins.allow is there, which says what may be loaded.

    Raises as `load_settings` does.
    """
    name = "TMUX_SENTRY_HOME"
    if name in env or env_file is None:
        return home_of({name: env.get(name, "")}, env)
    found = read_env_file(env_file).last.get(name)
    return home_of({name: found.value if found else ""}, env)


def key_file_of(values: Mapping[str, str], env: Mapping[str, str]) -> Path:
    """The key file, whether it is there or not."""
    named = values.get(FILE_VARIABLE)
    return _path(named, _user_home(env)) if named else home_of(values, env) / KEY_FILE_NAME


def vault_of(values: Mapping[str, str], env: Mapping[str, str], learn: Learn = lambda secrets: None) -> Vault:
    """Opens encrypted values with the keys that these variables lead to; `learn` hears what was opened."""
    _must_be_clear(values)
    file, named = key_file_of(values, env), bool(values.get(FILE_VARIABLE))
    return Vault(lambda: find_keys(env, file, named=named), learn)


def load_settings(
    env: Mapping[str, str],
    env_file: Path | None = None,
    plugin_settings: Iterable[Setting] = (),
    learn: Learn = lambda secrets: None,
) -> Settings:
    """Read the variables, as `read_variables`, and open the encrypted ones; `learn` hears what was opened.

    Raises UsageError for a file or a value that cannot be used, Refused for a file that others control.
    """
    variables = read_variables(env, env_file, plugin_settings)
    vault = vault_of(variables.values, env, learn)
    encrypted = frozenset(name for name, value in variables.values.items() if is_encrypted(value))
    values = {**variables.values, **{name: _open(vault, variables, name, env_file) for name in encrypted}}
    warnings = list(variables.warnings)
    user_home, home = _user_home(env), home_of(values, env)
    return Settings(
        home=home,
        database_path=_path(values["DATABASE_PATH"], user_home) if values.get("DATABASE_PATH") else home / "state.db",
        database_allow_network_fs=_yes("DATABASE_ALLOW_NETWORK_FS", values.get("DATABASE_ALLOW_NETWORK_FS") or "no"),
        database_keep=_whole("DATABASE_KEEP_DAYS", values, encrypted, "days", 90, most=36500) * DAY,
        recording_bytes=_whole("RECORDING_MAX_MB", values, encrypted, "megabytes", 64, most=500) << 20,
        recordings_bytes=_whole("RECORDINGS_MAX_MB", values, encrypted, "megabytes", 1024, most=10**6) << 20,
        recordings_keep=_whole("RECORDINGS_KEEP_DAYS", values, encrypted, "days", 14, most=36500) * DAY,
        log_level=_log_level(values.get("LOG_LEVEL") or "INFO", hidden="LOG_LEVEL" in encrypted),
        approval_secret=_approval_secret(_words(values.get("APPROVAL_SECRET", "")), warnings),
        approval_token_ttl=_whole("APPROVAL_TOKEN_TTL", values, encrypted, "seconds", 3600),
        notification_channels=_words(values.get("NOTIFICATION_CHANNELS", "stdout")),
        notification_level=_level(values.get("NOTIFICATION_LEVEL") or ""),
        notification_quiet_hours=_hours(values.get("NOTIFICATION_QUIET_HOURS") or ""),
        notification_language=_language(values.get("NOTIFICATION_LANGUAGE") or "en"),
        values=values,
        secrets=_secrets(values, variables.known, encrypted),
        warnings=tuple(warnings),
        vault=vault,
    )


def _open(vault: Vault, variables: Variables, name: str, env_file: Path | None) -> str:
    file = env_file if variables.file and name in variables.file.last else None
    value = vault.open(variables.values[name], name, (*variables.values, *variables.known), file)
    if "\0" in value:
        raise UsageError(f"{name} contains a NUL character", "", set_line(name, file))
    return value


def _must_be_clear(values: Mapping[str, str]) -> None:
    for name in CLEAR:
        if is_encrypted(values.get(name, "")):
            raise UsageError(f"{name} cannot be encrypted", "it says where the key is", "write it in clear")


def _user_home(env: Mapping[str, str]) -> Path:
    return Path(env["HOME"]) if env.get("HOME") else Path.home()


def _of_one_host(names: Iterable[str]) -> dict[str, Setting]:
    """Those of the variables that are of one host, whose name they end with: SSH_PASSWORD_NAS."""
    patterns = load_schema("settings")["patternProperties"]
    return {
        name: Setting(name=name, description=about["description"], secret=bool(about.get("writeOnly")))
        for name in names
        for pattern, about in patterns.items()
        if re.search(pattern, name)
    }


def _of_file(file: EnvFile, known: Mapping[str, Setting]) -> Iterator[str]:
    """What to tell about an env file that can be used."""
    if file.readable:
        yield f"others can read the secrets in {file.path}: {chmod_line(file.path)}"
    found = [(line, f"{name} has no '=' and no value; ignored") for line, name in file.without]
    seen: set[str] = set()
    for one in file.bindings:
        if one.name in seen:
            found.append((one.line, f"{one.name} is set twice; the last one counts"))
        seen.add(one.name)
    yield from (f"{file.path}:{line}: {what}" for line, what in sorted(found))
    for name in file.last:
        if name not in known and (near := _near(name, known)):
            yield f"{file.path}: unknown variable {name}; did you mean {near}?"


def _near(name: str, known: Iterable[str]) -> str:
    import difflib

    found = difflib.get_close_matches(name.upper(), sorted(known), n=1, cutoff=0.8)
    return found[0] if found else ""


def _path(text: str, user_home: Path) -> Path:
    """A path as a shell would read it: `~/` is the user's home directory."""
    return user_home / text[2:] if text.startswith("~/") else user_home if text == "~" else Path(text).absolute()


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _log_level(word: str, *, hidden: bool) -> str:
    if word.upper() not in LOG_LEVELS:
        shown = "none of the levels" if hidden else repr(word[:40])
        raise UsageError(f"LOG_LEVEL is {shown}", f"it is one of {', '.join(LOG_LEVELS)}")
    return word.upper()


def _whole(
    name: str, values: Mapping[str, str], encrypted: Collection[str], unit: str, default: int, most: int = 10**9
) -> int:
    """A whole number of `unit`. One that was encrypted is not shown."""
    text = values.get(name) or str(default)
    if not text.strip().isascii() or not text.strip().isdigit() or not 0 < int(text[:12]) <= most:
        shown = "no number" if name in encrypted else repr(text[:40])
        raise UsageError(f"{name} is {shown}", f"it is a whole number of {unit}, from 1 to {most}", f"{name}={default}")
    return int(text)


def _level(word: str) -> Level | None:
    """None: what is usual for each channel."""
    words = ("debug", "info", "warning", "approval", "error", "failure", "critical")
    if word and word.lower() not in words:
        raise UsageError(f"NOTIFICATION_LEVEL is {word[:40]!r}", f"it is one of {', '.join(words)}")
    return (Level.ERROR if word.lower() == "failure" else Level[word.upper()]) if word else None


def _hours(text: str) -> str:
    if not text:
        return text
    from tmux_sentry.config.formats import CLOCK_RANGE

    if not CLOCK_RANGE.fullmatch(text):
        fix = "NOTIFICATION_QUIET_HOURS=22:00-07:00"
        raise UsageError(f"NOTIFICATION_QUIET_HOURS is {text[:40]!r}", "it is a range of the clock", fix)
    return text


def _language(word: str) -> str:
    if word not in LANGUAGES:
        raise UsageError(f"NOTIFICATION_LANGUAGE is {word[:40]!r}", f"it is one of {', '.join(LANGUAGES)}")
    return word


def _yes(name: str, word: str) -> bool:
    if word.strip().lower() not in ("yes", "no"):
        raise UsageError(f"{name} is {word[:40]!r}", "it is yes or no", f"{name}=no")
    return word.strip().lower() == "yes"


def _approval_secret(secrets: tuple[str, ...], warnings: list[str]) -> tuple[str, ...]:
    """The secrets, or none with one warning: a short one can be guessed, and then anybody could approve."""
    if secrets and all(len(secret.encode("utf-8", "surrogateescape")) >= SHORTEST_SECRET for secret in secrets):
        return secrets
    why = f"is shorter than {SHORTEST_SECRET} bytes" if secrets else "is not set"
    warnings.append(f"APPROVAL_SECRET {why}: no approval links; files and commands work")
    return ()


def _secrets(values: Mapping[str, str], known: Mapping[str, Setting], encrypted: Collection[str]) -> tuple[str, ...]:
    """What was encrypted is secret, whatever the variable; of one that is declared secret also each word of a list,
    with commas or spaces between them."""
    found: list[str] = []
    for name, value in values.items():
        if value and name in known and known[name].secret:
            found += [value, *_words(value), *value.replace(",", " ").split()]
        elif value and name in encrypted:
            found.append(value)
    return tuple(dict.fromkeys(found))
