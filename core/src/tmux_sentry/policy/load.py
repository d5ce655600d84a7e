"""Policy files to a Policy: read, validate against the composed schema, check the meaning, build."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tmux_sentry.config.diagnostics import in_order, validate
from tmux_sentry.config.opening import opened
from tmux_sentry.config.schema import load_schema
from tmux_sentry.config.source import Source, read_source
from tmux_sentry.config.vault import Vault
from tmux_sentry.errors import Diagnostic, InvalidConfig, UsageError
from tmux_sentry.policy.advice import advise
from tmux_sentry.policy.build import build_pipeline, build_route
from tmux_sentry.policy.model import Policy
from tmux_sentry.policy.plugins import RegistryView, hint
from tmux_sentry.policy.schema import compose
from tmux_sentry.policy.semantics import check_actions, check_policy, check_required
from tmux_sentry.policy.shape import Finding, Named, mapping, named


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What came of loading: the policy, or None when there are errors; every finding, by file and line."""

    policy: Policy | None
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The findings that are not warnings."""
        return tuple(diagnostic for diagnostic in self.diagnostics if not diagnostic.warning)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The findings that do not keep the policy from running."""
        return tuple(diagnostic for diagnostic in self.diagnostics if diagnostic.warning)

    def require(self) -> Policy:
        """The policy. Raises InvalidConfig with the errors."""
        if self.policy is None:
            raise InvalidConfig(self.errors)
        return self.policy


def load_policies(
    paths: Sequence[Path],
    view: RegistryView,
    env: Mapping[str, str],
    installed: Collection[str] = (),
    vault: Vault | None = None,
) -> LoadResult:
    """Load policy files, in order, as one policy; a directory means its `*.yaml`, sorted.

    `env` is only looked at for the names under `allow_env`. `installed` are the folders (`check_github`) and
    distributions of the usable plugins, which `required_plugins` may name. `vault` opens encrypted values, before
    anything is checked. Raises UsageError when a path is a directory without policies, and UsageError or Refused for
    keys that cannot be used; every other problem is a Diagnostic.
    """
    vault = vault or Vault()
    schema = compose(load_schema("policy"), view)
    sources: list[Source] = []
    kept: list[Source] = []
    found: list[Diagnostic] = []
    for path in policy_files(paths):
        try:
            written = read_source(path)
        except InvalidConfig as invalid:
            found += invalid.diagnostics
            continue
        source = opened(written, vault)
        sources.append(source)
        kept.append(written)
        errors = validate(source, schema, lambda kind, name: hint(view, kind, name))
        required = check_required(source.value, view, installed)
        asked = check_actions(source.value, view, {error.where for error in errors})
        found += _findings(source, errors, [*_meaning(source), *required, *asked], env)
    found += _across(sources)
    if any(not diagnostic.warning for diagnostic in found):
        return LoadResult(policy=None, diagnostics=tuple(found))
    return LoadResult(
        policy=_merge([source.value for source in sources], [source.value for source in kept]), diagnostics=tuple(found)
    )


def policy_files(paths: Iterable[Path]) -> list[Path]:
    """The files that `paths` name, each once. Raises UsageError for a directory without any."""
    files: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
        if not inside:
            raise UsageError(
                f"{path} holds no policy", "a directory means its *.yaml files", "name a file, or add one there"
            )
        files += inside
    return list(dict.fromkeys(files))


def _meaning(source: Source) -> Iterator[Finding]:
    return check_policy(source.value, lambda where: source.mark(where).line)


def _findings(
    source: Source, errors: Sequence[Diagnostic], findings: Sequence[Finding], env: Mapping[str, str]
) -> list[Diagnostic]:
    """Errors of the schema and of the meaning; warnings only when there are none."""
    if not errors and not findings:
        findings = list(advise(source.value, env))
    found = list(errors)
    for one in findings:
        diagnostic = source.diagnostic(one.where, one.what, help=one.help, key=one.key, warning=one.warning)
        if diagnostic not in found:
            found.append(diagnostic)
    return in_order(found)


def _across(sources: Sequence[Source]) -> Iterator[Diagnostic]:
    """What is wrong between files: two pipelines of one name, two timezones."""
    first: dict[str, tuple[Source, Named]] = {}
    zone: tuple[Source, str] | None = None
    for source in sources:
        for pipeline in named(mapping(source.value).get("pipelines"), ("pipelines",)):
            earlier, place = first.setdefault(pipeline.name, (source, pipeline))
            if earlier is not source:
                line = earlier.mark((*place.where, "name")).line
                what = f"a second pipeline is named '{pipeline.name}' (first in {earlier.name}:{line})"
                yield source.diagnostic((*pipeline.where, "name"), what)
        mine = mapping(source.value).get("timezone")
        if isinstance(mine, str):
            zone = zone or (source, mine)
            if zone[1] != mine:
                line = zone[0].mark(("timezone",)).line
                yield source.diagnostic(
                    ("timezone",), f"another timezone, '{zone[1]}', is set in {zone[0].name}:{line}"
                )


def _merge(files: Sequence[Mapping[str, Any]], written: Sequence[Mapping[str, Any]]) -> Policy:
    """`written` are the files with their encrypted values as they stand: so the database keeps them, too."""
    return Policy(
        pipelines=tuple(
            build_pipeline(pipeline, kept)
            for file, as_written in zip(files, written, strict=True)
            for pipeline, kept in zip(file["pipelines"], as_written["pipelines"], strict=True)
        ),
        routes=tuple(build_route(route) for file in files for route in file.get("notifications", ())),
        timezone=next((file["timezone"] for file in files if "timezone" in file), None),
        required_plugins=tuple(dict.fromkeys(name for file in files for name in file.get("required_plugins", ()))),
    )
