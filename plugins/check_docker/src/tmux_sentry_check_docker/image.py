"""`docker_image`: a tag means another image than when the stage began, or the one that is wanted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from tmux_sentry import CheckRequest, CheckResult, CheckStatus
from tmux_sentry_check_docker.engine import BUDGET, Engine, EngineError, Reply
from tmux_sentry_check_docker.events import News
from tmux_sentry_check_docker.places import place
from tmux_sentry_check_docker.readers import items, mapping, moment, text
from tmux_sentry_check_docker.streams import NoWay

# It becomes part of a path; ".." and "//" are refused beside it.
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@/-]{0,499}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
#: Seconds that the engine's clock may be ahead: an image "created" later than that was not, its time is made up.
AHEAD = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What a tag means. Times are epoch seconds."""

    id: str
    digests: frozenset[str] = frozenset()  # every digest that it is known by
    created: float | None = None
    tagged: float | None = None  # when the image got a tag last
    tags: int = 0


class ImageCheck:
    """A Checker. `seconds` is what one question may take."""

    def __init__(self, settings: Mapping[str, str], seconds: float = BUDGET) -> None:
        self._settings, self._seconds = settings, seconds
        self._news = News("image")

    def open(self, wake: Callable[[], None]) -> None:
        """From now on `wake` is called when an engine that is asked has news."""
        self._news.open(wake)

    def close(self) -> None:
        """Listen no more."""
        self._news.close()

    def check(self, request: CheckRequest) -> CheckResult:
        """Ask once."""
        ref, digest = text(request.config.get("image"), 600), text(request.config.get("digest"), 100)
        if not _REF.fullmatch(ref) or ".." in ref or "//" in ref:
            return _is(CheckStatus.UNKNOWN, "`image` is no name of an image")
        if digest and not _DIGEST.fullmatch(digest):
            return _is(CheckStatus.UNKNOWN, "`digest` must be sha256: and 64 digits of 0-9 and a-f")
        try:
            where = place(request, self._settings)
            registry = request.config.get("registry") is True
            if not registry:
                self._news.follow(where)
            with Engine(where.dial, self._seconds) as engine:
                found = published(engine, ref) if registry else local(engine, ref)
        except EngineError as error:
            return error.result()
        except NoWay as error:
            return _is(CheckStatus.UNKNOWN, str(error))
        place_name = "the registry" if registry else where.name
        if request.config.get("exists") is True or digest:
            return _wanted(ref, digest, found, place_name)
        return _changed(request, ref, found, place_name)


def _is(status: CheckStatus, detail: str) -> CheckResult:
    return CheckResult(status=status, detail=detail)


def local(engine: Engine, ref: str) -> Image | None:
    """The image that the engine has under that name; None when it has none. Raises EngineError."""
    reply = engine.get(f"/images/{quote(ref, safe='/:@')}/json")
    if reply.status == 404 and "no such image" in reply.message.lower():
        return None
    found = read(reply)
    if found is None:
        raise reply.error() if reply.status != 200 else EngineError("what answers describes no image: is that Docker?")
    return found


def published(engine: Engine, ref: str) -> Image | None:
    """The image that the registry has under that name, as the engine sees it without a login. Raises EngineError."""
    reply = engine.get(f"/distribution/{quote(ref, safe='/:@')}/json")
    if reply.status == 404:  # the engine's word for a manifest that is not there
        if "manifest unknown" in reply.message.lower() or "not found" in reply.message.lower():
            return None
        raise reply.error()
    if reply.status in (401, 403):
        raise EngineError(f"{reply.error()}; the registry wants a login, which this check does not have")
    id_ = text(mapping(reply.object.get("Descriptor")).get("digest"), 100) if reply.status == 200 else ""
    if not _DIGEST.fullmatch(id_):
        raise reply.error()
    return Image(id=id_, digests=frozenset((id_,)))


def read(reply: Reply) -> Image | None:
    """The answer of `/images/{name}/json`; None when it describes none."""
    data = reply.object
    id_ = text(data.get("Id"), 100)
    if reply.status != 200 or not _DIGEST.fullmatch(id_):
        return None
    named = [text(one, 600).rpartition("@")[2] for one in items(data.get("RepoDigests"))[:200]]
    named.append(text(mapping(data.get("Descriptor")).get("digest"), 100))
    return Image(
        id=id_,
        digests=frozenset([id_, *(one for one in named if _DIGEST.fullmatch(one))]),
        created=moment(data.get("Created")),
        tagged=moment(mapping(data.get("Metadata")).get("LastTagTime")),
        tags=len(items(data.get("RepoTags"))),
    )


def _wanted(ref: str, digest: str, found: Image | None, where: str) -> CheckResult:
    if found is None:
        return _is(
            CheckStatus.PENDING, f"{ref} is not in {where} yet" if where == "the registry" else _none(ref, where)
        )
    if digest and digest not in found.digests:
        return _is(CheckStatus.PENDING, f"{ref} is {_short(found.id)}, not {_short(digest)}")
    return _is(CheckStatus.SUCCESS, f"{ref} is {_short(found.id)}")


def _changed(request: CheckRequest, ref: str, found: Image | None, where: str) -> CheckResult:
    """Another image than at the first look, or one that was made since the stage began: before the first look too."""
    now_is = found.id if found is not None else ""
    old = mapping(request.memory)
    first = old.get("first")
    if not isinstance(first, str) or not (first == "" or _DIGEST.fullmatch(first)):
        first = now_is
    known = {**old, "first": first}
    if found is not None:
        known |= {"id": found.id, "tagged": found.tagged}
    if known != old:
        request.remember(known)
    if found is None:
        return _is(CheckStatus.PENDING, _none(ref, where))
    if now_is != first:
        before = _short(first) if first else "not there"
        return _is(CheckStatus.SUCCESS, f"{ref} is {_short(now_is)} now; it was {before}")
    # What an earlier check of the run has seen is not of this stage, whatever the engine's clock says.
    seen = [mapping(one) for one in request.earlier if mapping(one).get("id") == now_is]
    if not seen and _within(request, found.created):
        return _is(CheckStatus.SUCCESS, f"{ref} is {_short(now_is)}, made since the stage began")
    # The time of the last tag is the image's, not the tag's: with a second tag it may be that one's.
    tagged_anew = _within(request, found.tagged) and all(one.get("tagged") != found.tagged for one in seen)
    if found.tags == 1 and "@" not in ref and tagged_anew:
        return _is(CheckStatus.SUCCESS, f"{ref} is {_short(now_is)}, tagged anew since the stage began")
    return _is(CheckStatus.PENDING, f"{ref} is still {_short(now_is)}, as at the first look")


def _within(request: CheckRequest, at: float | None) -> bool:
    return at is not None and 0 < request.started_at <= at <= request.now + AHEAD


def _none(ref: str, where: str) -> str:
    return f"there is no image {ref} on {where} yet"


def _short(digest: str) -> str:
    """As `docker images` shows it."""
    return digest.removeprefix("sha256:")[:12]
