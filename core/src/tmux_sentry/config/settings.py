"""The variables of the environment and of an env file, as one frozen record. The environment wins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tmux_sentry.config.permissions import chmod_line, read_trusted
from tmux_sentry.config.schema import load_schema
from tmux_sentry.contracts import Setting
from tmux_sentry.errors import UsageError

SHORTEST_SECRET = 32
DAY = 86400.0
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the variables say. `values` are the raw ones, for plugins; secrets stay out of `repr`.

    `approval_secret` is newest first, and empty when web links are off. `approval_token_ttl` and `database_keep` are
    seconds.
    `secrets` are the values of all secret variables, for the redactor.
    """

    home: Path
    database_path: Path
    database_allow_network_fs: bool = False
    database_keep: float = 90 * DAY
    log_level: str = "INFO"
    approval_secret: tuple[str, ...] = field(default=(), repr=False)
    approval_token_ttl: int = 3600
    notification_channels: tuple[str, ...] = ("stdout",)
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    warnings: tuple[str, ...] = ()


def core_settings() -> tuple[Setting, ...]:
    """The variables that need no plugin to be known, sorted by name."""
    properties = load_schema("settings")["properties"]
    return tuple(
        Setting(name=name, description=properties[name]["description"], secret=bool(properties[name].get("writeOnly")))
        for name in sorted(properties)
    )


def load_settings(
    env: Mapping[str, str], env_file: Path | None = None, plugin_settings: Iterable[Setting] = ()
) -> Settings:
    """Read the variables from `env` (wins) and `env_file`; `plugin_settings` are those that plugins declare.

    Raises UsageError for a file or a value that cannot be used, Refused for a file that others control.
    """
    warnings: list[str] = []
    known = {setting.name: setting for setting in (*core_settings(), *plugin_settings)}
    values = _from_file(env_file, warnings) if env_file else {}
    known.update(_of_one_host((*env, *values)))
    warnings += [
        f"{env_file}: unknown variable {name}; did you mean {near}?"
        for name in values
        if name not in known and (near := _near(name, known))
    ]
    values.update({name: env[name] for name in known if name in env})
    for name, value in values.items():
        if any(part.strip().startswith("enc:v1:") for part in value.split(",")):
            raise UsageError(f"{name} is encrypted", "encrypted values need a later version of tmux-sentry")
    user_home = Path(env["HOME"]) if env.get("HOME") else Path.home()
    home = _path(values.get("TMUX_SENTRY_HOME") or "~/.tmux_sentry", user_home)
    return Settings(
        home=home,
        database_path=_path(values["DATABASE_PATH"], user_home) if values.get("DATABASE_PATH") else home / "state.db",
        database_allow_network_fs=_yes("DATABASE_ALLOW_NETWORK_FS", values.get("DATABASE_ALLOW_NETWORK_FS") or "no"),
        database_keep=_days("DATABASE_KEEP_DAYS", values.get("DATABASE_KEEP_DAYS") or "90") * DAY,
        log_level=_log_level(values.get("LOG_LEVEL") or "INFO"),
        approval_secret=_approval_secret(_words(values.get("APPROVAL_SECRET", "")), warnings),
        approval_token_ttl=_seconds("APPROVAL_TOKEN_TTL", values.get("APPROVAL_TOKEN_TTL") or "3600"),
        notification_channels=_words(values.get("NOTIFICATION_CHANNELS", "stdout")),
        values=values,
        secrets=_secrets(values, known),
        warnings=tuple(warnings),
    )


def _of_one_host(names: Iterable[str]) -> dict[str, Setting]:
    """Those of the variables that are of one host, whose name they end with: SSH_PASSWORD_NAS."""
    patterns = load_schema("settings")["patternProperties"]
    return {
        name: Setting(name=name, description=about["description"], secret=bool(about.get("writeOnly")))
        for name in names
        for pattern, about in patterns.items()
        if re.search(pattern, name)
    }


def _from_file(path: Path, warnings: list[str]) -> dict[str, str]:
    text, readable = read_trusted(path, "env file")
    if readable:
        warnings.append(f"others can read the secrets in {path}: {chmod_line(path)}")
    return _parse(path, text, warnings)


def _parse(path: Path, text: str, warnings: list[str]) -> dict[str, str]:
    """The file's values, taken literally: `$` and backticks in a password are no references."""
    import io

    from dotenv.parser import parse_stream

    values: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            # What the line says may be a secret.
            raise UsageError(
                f"{path}:{_first_line(binding.original.line, binding.original.string)} cannot be read",
                "a line is NAME=value; a value that opens a quote closes it",
            )
        if binding.key is None:
            continue
        if binding.value is None:
            warnings.append(f"{path}:{binding.original.line}: {binding.key} has no '=' and no value; ignored")
            continue
        if binding.key in values:
            warnings.append(f"{path}:{binding.original.line}: {binding.key} is set twice; the last one counts")
        if "\0" in binding.value:
            raise UsageError(f"{path}: {binding.key} contains a NUL character")
        values[binding.key] = binding.value
    return values


def _first_line(line: int, original: str) -> int:
    return line + len(original) - len(original.lstrip("\r\n"))


def _near(name: str, known: Iterable[str]) -> str:
    import difflib

    found = difflib.get_close_matches(name.upper(), sorted(known), n=1, cutoff=0.8)
    return found[0] if found else ""


def _path(text: str, user_home: Path) -> Path:
    """A path as a shell would read it: `~/` is the user's home directory."""
    return user_home / text[2:] if text.startswith("~/") else user_home if text == "~" else Path(text).absolute()


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _log_level(word: str) -> str:
    if word.upper() not in LOG_LEVELS:
        raise UsageError(f"LOG_LEVEL is {word[:40]!r}", f"it is one of {', '.join(LOG_LEVELS)}")
    return word.upper()


def _seconds(name: str, text: str) -> int:
    return _whole(name, text, 10**9, "seconds", 3600)


def _days(name: str, text: str) -> int:
    return _whole(name, text, 36500, "days", 90)


def _whole(name: str, text: str, most: int, unit: str, example: int) -> int:
    if not text.strip().isascii() or not text.strip().isdigit() or not 0 < int(text[:12]) <= most:
        why = f"it is a whole number of {unit}, from 1 to {most}"
        raise UsageError(f"{name} is {text[:40]!r}", why, f"{name}={example}")
    return int(text)


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


def _secrets(values: Mapping[str, str], known: Mapping[str, Setting]) -> tuple[str, ...]:
    found: list[str] = []
    for name, value in values.items():
        if name in known and known[name].secret and value:
            found += [value, *_words(value)]
    return tuple(dict.fromkeys(found))
