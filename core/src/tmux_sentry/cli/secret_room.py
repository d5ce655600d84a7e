"""What the `secrets` commands work on: the variables as they stand, the keys, and the files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tmux_sentry.cli import output
from tmux_sentry.cli.app import App, current
from tmux_sentry.errors import SentryError, UsageError

if TYPE_CHECKING:
    from tmux_sentry.config.audit import Problem
    from tmux_sentry.config.secret_files import Document, Value
    from tmux_sentry.config.settings import Variables
    from tmux_sentry.config.vault import Vault
    from tmux_sentry.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One command's surroundings. Unlike a `session.Session` it exists also when values cannot be opened."""

    app: App
    registry: Registry
    variables: Variables
    vault: Vault
    env_file: Path | None

    # ------------------------------------------------------------------- what there is

    def documents(self, hosts_file: Path | None, policies: Sequence[Path]) -> list[Document]:
        """The files that are named, and in the place of those that are not, what `run` takes, and .env."""
        from tmux_sentry.config.secret_files import read_document

        # Each once, whatever it is called.
        found = {os.path.realpath(path): (path, yaml) for path, yaml in self._paths(hosts_file, policies)}
        return [read_document(path, yaml=yaml) for path, yaml in found.values()]

    def environment(self) -> list[Value]:
        """The variables that the environment sets."""
        from tmux_sentry.config.secret_files import environment

        return environment(os.environ, self.variables.values)

    def stored(self) -> list[Value]:
        """The encrypted values that open runs keep in the database."""
        from tmux_sentry.cli.session import Session, reading_store
        from tmux_sentry.config.opening import encrypted_in
        from tmux_sentry.config.secret_files import Value
        from tmux_sentry.config.settings import load_settings

        settings = load_settings(os.environ, self.env_file, self.registry.settings, self.app.redact.learn)
        with reading_store(Session(app=self.app, registry=self.registry, settings=settings)) as store:
            runs = store.open_runs() if store else []
        return [
            Value(name=name, text=text, file=f"run {run.state.get('id')}")
            for run in runs
            for _, name, text in encrypted_in(run.source)
        ]

    def find(self, name: str, yaml_file: Path | None) -> Value:
        """The value that counts: of the YAML file, else of the environment, else of the env file."""
        from tmux_sentry.config.secret_files import read_document

        file = yaml_file or self.env_file
        places = [] if yaml_file else [one for one in self.environment() if one.name == name]
        if not places and file is not None:
            document = read_document(file, yaml=yaml_file is not None)
            places = [found for found in (document.named(name),) if found is not None]
        if not places:
            where = str(file) if yaml_file or file else "the environment, and there is no .env here"
            raise SentryError(f"{name} is not set", f"looked in {where}", f"tmux-sentry secrets set {name}")
        return places[0]

    def names(self, yaml_file: Path | None) -> list[str]:
        """The names of places that a value may have been moved from."""
        from tmux_sentry.config.secret_files import read_document

        inside = [value.name for value in read_document(yaml_file, yaml=True).values] if yaml_file else []
        return [*inside, *self.variables.values, *self.variables.known]

    def state(self, value: Value) -> str:
        """What the key of an encrypted value is."""
        from tmux_sentry.config import audit
        from tmux_sentry.config.crypto import Malformed, parse

        try:
            key_id = parse(value.text).key_id
        except Malformed:
            return "damaged"
        known = [key.id for key in self.vault.ring.keys]
        if key_id in known and any(audit.unreadable([value], self.vault)):
            return "damaged"
        return "unknown" if key_id not in known else "newest" if key_id == known[0] else "old"

    def problems(self, documents: Sequence[Document]) -> Iterator[Problem]:
        """Everything in these files and in the environment that needs doing something about."""
        from tmux_sentry.config import audit
        from tmux_sentry.config.schema import load_schema
        from tmux_sentry.policy.schema import compose

        names = [value.name for document in documents for value in document.values] + list(self.variables.known)
        for document in documents:
            if document.yaml:
                is_hosts = any(value.name.startswith("hosts.") for value in document.values)
                schema = load_schema("hosts") if is_hosts else compose(load_schema("policy"), self.registry)
                found = list(audit.fields_in_clear(document, schema))
            else:
                found = list(audit.variables_in_clear(document, self.variables))
            found += audit.unreadable(document.values, self.vault, names)
            yield from sorted(found, key=lambda one: (one.value.line, one.value.column))
        yield from audit.unreadable(self.environment(), self.vault, names)

    def _paths(self, hosts_file: Path | None, policies: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
        """The files, and whether each is YAML."""
        from tmux_sentry.config.hosts import hosts_path
        from tmux_sentry.config.settings import home_of
        from tmux_sentry.policy.load import policy_files

        if self.env_file is not None:
            yield self.env_file, False
        hosts = hosts_path(hosts_file, home_of(self.variables.values, os.environ))
        if hosts is not None:
            yield hosts, True
        default = Path("policies/default.yaml")
        yield from ((path, True) for path in policy_files(policies or ([default] if default.exists() else [])))

    # ------------------------------------------------------------------------ writing

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """No other `secrets` command with this key changes a file meanwhile."""
        from tmux_sentry.config.replacing import alone

        file = self.vault.ring.file
        with alone(file.parent) if file and file.parent.is_dir() else contextlib.nullcontext():
            yield

    def check_name(self, name: str, yaml_file: Path | None) -> None:
        """Raises UsageError for a name that nothing can be encrypted for, before anybody is asked for the value."""
        from tmux_sentry.config.diagnostics import did_you_mean
        from tmux_sentry.config.secret_files import check_variable, read_document
        from tmux_sentry.config.settings import CLEAR

        if name in CLEAR:
            raise UsageError(f"{name} cannot be encrypted", "it says where the key is", "write it in clear")
        if yaml_file is not None:
            document = read_document(yaml_file, yaml=True)
            if document.named(name) is None:
                near = did_you_mean(name, [value.name for value in document.values])
                fix = near or "write the key with any text first, then set it; tmux-sentry secrets status lists names"
                raise UsageError(f"{yaml_file} has no text at {name}", "a value is replaced in its place", fix)
            return
        check_variable(name)
        if name not in self.variables.known:
            near = did_you_mean(name, self.variables.known)
            if near:
                output.warn(f"{name} is no variable that tmux-sentry or a plugin reads; {near}")

    def write(self, name: str, sealed: str, target: Path, *, yaml: bool) -> bool:
        """Put an encrypted value into a file, which is made if it is not there; whether it replaced one."""
        from tmux_sentry.config.replacing import replace_file
        from tmux_sentry.config.secret_files import parse_document, read_document

        with self.alone():
            new = not os.path.lexists(target)
            document = parse_document(target, "", yaml=yaml) if new else read_document(target, yaml=yaml)
            value = document.named(name)
            text = document.appended(name, sealed) if value is None else document.replaced({value: sealed})
            replace_file(target, None if new else document.data, text.encode("utf-8"))
        if sum(one.name == name for one in document.values) > 1:
            output.warn(f"{name} is set more than once in {target}; the last one counts, and was replaced")
        for warning in self.variables.warnings:
            if "chmod" in warning:
                output.warn(warning)
        if name in os.environ and name in self.variables.known:
            output.warn(f"the environment sets {name} too, and wins over {target}")
        return value is not None


def begin(env_file: Path | None, *, may_make: bool = False) -> Room:
    """Read the variables as they stand; without an env file, `.env` if there is one. With `may_make` the one that is
    named need not be there."""
    from tmux_sentry.config.settings import read_variables, vault_of

    app = current()
    path = env_file if env_file is not None else Path(".env")
    optional = env_file is None or may_make
    there = None if optional and not os.path.lexists(path) else path
    registry = app.registry(env_file=there)
    variables = read_variables(os.environ, there, registry.settings)
    vault = vault_of(variables.values, os.environ, app.redact.learn)
    return Room(app=app, registry=registry, variables=variables, vault=vault, env_file=there)
