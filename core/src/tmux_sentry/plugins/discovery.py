"""Which plugins are installed, read from metadata alone: nothing of a plugin is imported here.

A plugin is an entry point of the group `tmux_sentry`; its name, `<kind>_<name>`, says what it is.
Every distribution is read on its own, so that one with damaged metadata costs nobody else anything.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import Distribution, EntryPoint, distributions

from tmux_sentry.security.sanitize import clean

GROUP = "tmux_sentry"
CORE = "tmux-sentry-core"
OTHER = "other"
# The first word of an entry point's name -> the kind it stands for.
KIND_OF = {"parser": "parser", "notify": "notifier", "check": "checker", "approval": "approval"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An installed plugin. `broken` and `incompatible` say why it must not even be imported, or are empty."""

    name: str
    kind: str  # "parser", "notifier", "checker", "approval" or "other"
    distribution: str
    version: str
    entry: EntryPoint | None = None
    source: Distribution | None = field(default=None, repr=False, compare=False)
    broken: str = ""
    incompatible: str = ""


def kind_of(entry_name: str) -> str:
    """The kind that an entry point's name stands for: `notify_smtp` is a "notifier"."""
    return KIND_OF.get(entry_name.partition("_")[0], OTHER)


def discover(core_version: str, path: Sequence[str] | None = None) -> list[Found]:
    """Every installed plugin, sorted by name; `path` replaces `sys.path`. Raises nothing for what is installed."""
    found: list[Found] = []
    seen: set[str] = set()
    for distribution in distributions() if path is None else distributions(path=list(path)):
        plugins = list(_plugins_of(distribution, core_version))
        if not plugins:
            continue
        # A distribution found twice (editable, and installed) counts once: the first on the path is what imports.
        identity = re.sub(r"[-_.]+", "-", plugins[0].distribution).lower()
        if identity and identity in seen:
            continue
        seen.add(identity)
        found.extend(plugins)
    return sorted(found, key=lambda plugin: (plugin.name, plugin.distribution))


def _plugins_of(distribution: Distribution, core_version: str) -> Iterator[Found]:
    try:
        entries = [entry for entry in distribution.entry_points if entry.group == GROUP]
    except Exception as error:
        yield from _unreadable(distribution, error)
        return
    if not entries:
        return
    name = version = broken = incompatible = ""
    try:
        name, version = _field(distribution, "Name"), _field(distribution, "Version")
        incompatible = _incompatible(distribution.requires or (), core_version)
    except Exception as error:  # a METADATA file that is missing, or is not text
        broken = f"its metadata cannot be read: {type(error).__name__}: {clean(str(error))}"
    if not broken and not name:
        broken = f"its METADATA has no Name (in {clean(str(distribution.locate_file('')))})"
    for entry in entries:
        yield Found(
            name=clean(entry.name, 80),
            kind=kind_of(entry.name),
            distribution=name,
            version=version,
            entry=entry,
            source=distribution,
            broken=broken,
            incompatible=incompatible,
        )


def _unreadable(distribution: Distribution, error: Exception) -> Iterator[Found]:
    """A distribution whose entry points cannot be read: listed if its name says that it is a plugin."""
    try:
        name, version = _field(distribution, "Name"), _field(distribution, "Version")
    except Exception:
        log.debug("skipped a distribution with unreadable metadata: %s", error)
        return
    entry_name = re.sub(r"[-_.]+", "_", name).removeprefix(f"{GROUP}_")
    if entry_name == name or kind_of(entry_name) == OTHER:
        log.debug("skipped the entry points of %s: %s", name, error)
        return
    why = f"its entry_points.txt cannot be read: {type(error).__name__}: {clean(str(error))}"
    yield Found(
        name=entry_name, kind=kind_of(entry_name), distribution=name, version=version, source=distribution, broken=why
    )


def _field(distribution: Distribution, key: str) -> str:
    # get_all, because asking for a missing key with [] is deprecated and will raise.
    return clean((distribution.metadata.get_all(key) or [""])[0], 80)


def _incompatible(requirements: Sequence[str], core_version: str) -> str:
    """Why the distribution does not fit this core, by its own Requires-Dist; empty when it fits."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    for line in requirements:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            if line.startswith(CORE):
                return f"its requirement cannot be read: {clean(line)}"
            continue
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if canonicalize_name(requirement.name) != CORE or not applies:
            continue
        if not requirement.specifier.contains(core_version, prereleases=True):
            return f"needs {CORE} {requirement.specifier}, this is {core_version}"
    return ""
