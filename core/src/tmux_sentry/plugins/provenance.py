"""Where a plugin comes from: which distribution, which files, and hashes of them. Nothing of it is imported.

Every command that loads plugins comes through here, so what only hashes need is imported where it is needed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, all_suffixes
from importlib.metadata import Distribution
from importlib.util import find_spec
from pathlib import Path

from tmux_sentry.plugins.allow import HASH
from tmux_sentry.plugins.discovery import Found

_CACHE = "__pycache__"
_IMPORTABLE = tuple(all_suffixes())


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What a person is shown before they agree. `path` is the package's directory, or its module.

    `record_hash` is the sha256 of the RECORD that the installer wrote, None when there is none. `pin` is what a hash
    in plugins.allow is compared with: RECORD's hash where it lists the code, else a hash of the sources themselves; ""
    when the code was not found, or is not what was installed.
    """

    path: str | None
    record_hash: str | None
    editable: bool
    pin: str


class Altered(Exception):
    """Files are not what the installer wrote; the message says which."""


def provenance(found: Found) -> Provenance:
    """Reads RECORD, and the sources where a pin is made of them."""
    import hashlib

    path, record, pin = code(found), _record(found), ""
    if path is not None:
        try:
            pin = fingerprint(found, path)
        except (Altered, OSError):
            pin = ""
    return Provenance(
        path=str(path) if path else None,
        record_hash=hashlib.sha256(record).hexdigest() if record is not None else None,
        editable=_editable_project(found.source) is not None if found.source else False,
        pin=pin,
    )


def code(found: Found) -> Path | None:
    """The directory of the package (or the file of the module) that the entry point would import; None if none would.

    What would be imported is asked of the import system itself, so that something that stands before the plugin on the
    path is not taken for it.
    """
    if found.entry is None:
        return None
    words = found.entry.value.partition(":")[0].strip().split(".")
    try:
        spec = find_spec(words[0])  # the top level: that imports nothing
        for number in range(2, len(words) + 1):
            if spec is None or not _is_namespace(spec):
                break
            spec = PathFinder.find_spec(".".join(words[:number]), spec.submodule_search_locations)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None or spec.origin is None:
        return None
    origin = Path(spec.origin)
    return origin.parent if spec.submodule_search_locations is not None else origin


def is_part(found: Found, path: Path) -> bool:
    """Whether code at `path` is the distribution's: beside its metadata, or in the project of an editable install."""
    if found.source is None:
        return False
    roots = [Path(str(found.source.locate_file("")))]
    if (project := _editable_project(found.source)) is not None:
        roots.append(project)
    real = path.resolve()
    return any(real.is_relative_to(root.resolve()) for root in roots)


def fingerprint(found: Found, path: Path) -> str:
    """`sha256:<hash>` of the plugin at `path`, the whole of it verified. Raises Altered, OSError.

    An installed one: the hash of RECORD, when each file in it is as RECORD says and the package holds no further code.
    Where RECORD does not list the code (an editable install), the hash of the sources: of each file, sorted by path,
    the length and bytes of its path and then those of its content. Bytecode caches are left out.
    """
    import hashlib

    record = _record(found)
    listed = _listed(found, record or b"")
    real = path.resolve()
    if record is not None and any(file == real or real in file.parents for file in listed):
        _verify(listed)
        if real.is_dir() and (strange := next(_unlisted(real, listed), None)):
            raise Altered(f"{strange} is not in RECORD")
        return HASH + hashlib.sha256(record).hexdigest()
    digest = hashlib.sha256()
    for name, file in _sources(path):
        for part in (os.fsencode(name), file.read_bytes()):
            digest.update(b"%d:" % len(part) + part)
    return HASH + digest.hexdigest()


def tree(path: Path) -> Iterator[Path]:
    """`path` and all that is below it, links followed, each directory once."""
    yield path
    seen: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(path, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        yield from (Path(folder, name) for name in (*folders, *files))


def metadata_folder(found: Found) -> Path | None:
    """The distribution's `.dist-info` directory, where the entry points stand."""
    folder = getattr(found.source, "_path", None)  # importlib.metadata has no public name for it
    return Path(str(folder)) if folder is not None else None


def _is_namespace(spec: ModuleSpec) -> bool:
    return spec.origin is None and spec.submodule_search_locations is not None


def _record(found: Found) -> bytes | None:
    """RECORD's bytes as they are in the file."""
    folder = metadata_folder(found)
    try:
        return (folder / "RECORD").read_bytes() if folder is not None else None
    except OSError:
        return None


def _editable_project(distribution: Distribution) -> Path | None:
    """The project that an editable install points to (https://peps.python.org/pep-0610/, read 2026-11)."""
    import json
    from urllib.parse import unquote, urlsplit

    try:
        direct = json.loads(distribution.read_text("direct_url.json") or "{}")
        url = urlsplit(direct["url"])
        return Path(unquote(url.path)) if direct["dir_info"]["editable"] is True and url.scheme == "file" else None
    except (KeyError, TypeError, ValueError, OSError):
        return None


def _listed(found: Found, record: bytes) -> dict[Path, str]:
    """The files of RECORD by where they really are -> "sha256=...", or "" for what has no hash.

    The format is that of https://packaging.python.org/specifications/recording-installed-packages (read 2026-11).
    importlib.metadata's own reading leaves out files that are missing. Raises Altered.
    """
    import csv

    root = Path(str(found.source.locate_file(""))) if found.source is not None else Path()
    try:
        rows = csv.reader(record.decode("utf-8", "replace").splitlines())
        return {(root / row[0]).resolve(): row[1] if len(row) > 1 else "" for row in rows if row}
    except (ValueError, csv.Error, OSError, RuntimeError) as error:
        raise Altered(f"RECORD cannot be read: {error}") from None


def _verify(listed: dict[Path, str]) -> None:
    import base64
    import hashlib

    for path, expected in listed.items():
        if not expected:  # RECORD itself, and what was compiled after the installation
            continue
        mode, _, value = expected.partition("=")
        if mode not in ("sha256", "sha384", "sha512"):
            raise Altered(f"RECORD has no sha256 of {path}")
        try:
            actual = hashlib.new(mode, path.read_bytes()).digest()
        except OSError as error:
            raise Altered(f"{path} cannot be read: {error.strerror}") from None
        if base64.urlsafe_b64encode(actual).decode().rstrip("=") != value:
            raise Altered(f"{path} is not what was installed")


def _unlisted(package: Path, listed: dict[Path, str]) -> Iterator[Path]:
    """What could be imported beside, or in the place of, what RECORD lists with a hash."""
    for _, file in _sources(package):
        if file.name.endswith(_IMPORTABLE) and not listed.get(file.resolve()):
            yield file


def _sources(path: Path) -> Iterator[tuple[str, Path]]:
    """(relative path, file) of a package, sorted; a bytecode cache is none of its sources."""
    if not path.is_dir():
        yield path.name, path
        return
    named = [(file.relative_to(path).as_posix(), file) for file in tree(path) if file.is_file()]
    yield from sorted((name, file) for name, file in named if _CACHE not in name.split("/"))
