"""`docker_build`: the build that was started in this stage ends well.

The history of BuildKit decides. A progress file adds how far it is, and where there is no history it can say that a
build fails; it can never say that one has ended well, because more steps may become known at any time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from tmux_sentry import CheckRequest, CheckResult, CheckStatus, HostAccess
from tmux_sentry_check_docker import clocks, history, progress_file
from tmux_sentry_check_docker.history import BUILDER, Build, NoHistory
from tmux_sentry_check_docker.places import Place, place
from tmux_sentry_check_docker.progress import Progress
from tmux_sentry_check_docker.progress_file import NoFile
from tmux_sentry_check_docker.readers import mapping, text
from tmux_sentry_check_docker.streams import NoWay

#: Seconds that the clocks of two machines in step are apart at most: so much earlier, by the clock of another one, may
#: a build of this stage have begun. What an earlier check of the run has followed is known without any clock.
APART = 2.0


class BuildCheck:
    """A Checker."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings

    def check(self, request: CheckRequest) -> CheckResult:
        """Ask once."""
        builder, path = text(request.config.get("builder")), text(request.config.get("progress_file"), 2000)
        if builder and not BUILDER.fullmatch(builder):
            return _unknown("`builder` is no name of a builder")
        if path and not progress_file.usable(path):
            return _unknown("`progress_file` must begin with / or ~/")
        try:
            where = place(request, self._settings)
        except NoWay as error:
            return _unknown(str(error))
        progress, trouble = _progress(request, where.machine, path)
        try:
            result = self._told(request, where, builder)
        except NoHistory as error:
            result = _unknown(str(error))
        return _with(result, progress, trouble)

    def _told(self, request: CheckRequest, where: Place, builder: str) -> CheckResult:
        """What the history says. Raises NoHistory."""
        listed = history.builds(where.machine, builder)
        found = _ours(request, where, listed)
        if isinstance(found, CheckResult):
            return found
        if found.status == "Completed":
            return CheckResult(status=CheckStatus.SUCCESS, detail=f"{found.shown} is built", percent=100.0)
        if found.status == "Error":
            tail = history.log_tail(where.machine, builder, found)
            return CheckResult(status=CheckStatus.FAILURE, detail=f"{found.shown} failed", log_tail=tail)
        if found.status != "Running":
            return _unknown(f"buildx calls {found.shown} {found.status!r}, which this check does not know")
        steps = "" if found.total is None or found.done is None else f", {found.done} of {found.total} steps"
        cached = f" ({found.cached} from the cache)" if steps and found.cached else ""
        detail = f"{found.shown} runs{steps}{cached}"
        return CheckResult(status=CheckStatus.PENDING, detail=detail, percent=found.percent)


def _unknown(detail: str) -> CheckResult:
    return CheckResult(status=CheckStatus.UNKNOWN, detail=detail)


def _ours(request: CheckRequest, where: Place, listed: Sequence[Build]) -> Build | CheckResult:
    """The build that is meant, or why none is.

    The one that is followed already; after its failure one that began later, for a build that is run again. Else the
    only one that began since the stage did, and after what earlier checks of the run have followed. A list that merely
    shows more than before proves nothing: it is cut at fifty, and another builder may have become the current one.
    """
    memory = mapping(request.memory)
    followed = next((one for one in listed if one.ref == memory.get("ref")), None)
    if followed is not None and followed.status != "Error":
        return followed
    earlier = {text(mapping(one).get("ref"), 400) for one in request.earlier}
    fitting = [one for one in listed if _matches(request, one)]
    behind = max((one.created for one in fitting if one.ref in earlier), default=0.0)
    if followed is not None:
        behind = max(behind, followed.created)
    found = [one for one in fitting if one.created > behind]
    if followed is None:
        found = _since(request, where, found)
    if len(found) == 1:
        request.remember({"ref": found[0].ref})
        return found[0]
    if followed is not None:
        return followed
    return _several(found) if found else _none(request, memory)


def _since(request: CheckRequest, where: Place, listed: Sequence[Build]) -> list[Build]:
    """Those that began since the stage did; by another machine's clock, which may be behind, also shortly before."""
    near = [one for one in listed if one.created >= request.started_at - APART]
    exact = [one for one in near if one.created >= request.started_at]
    if len(exact) < len(near) and not (where.there and clocks.is_ours(where.machine)):
        return near
    return exact


def _matches(request: CheckRequest, build: Build) -> bool:
    wanted = text(request.config.get("name"))
    return not wanted or build.name == wanted or fnmatchcase(build.name, wanted)


def _several(found: Sequence[Build]) -> CheckResult:
    names = ", ".join(build.shown for build in found[:5]) + (", ..." if len(found) > 5 else "")
    detail = (
        f"{len(found)} builds began in this stage: {names}. Say which with `name`, "
        "or remove the others with `docker buildx history rm`"
    )
    return CheckResult(status=CheckStatus.ATTENTION, detail=detail)


def _none(request: CheckRequest, memory: Mapping[str, object]) -> CheckResult:
    if isinstance(memory.get("ref"), str):
        return _unknown("the build that was followed is no longer in the history, and nobody knows how it ended")
    called = text(request.config.get("name"), 100)
    detail = f"no build{f' called {called}' if called else ''} has begun since the stage did"
    return CheckResult(status=CheckStatus.PENDING, detail=detail)


def _progress(request: CheckRequest, machine: HostAccess, path: str) -> tuple[Progress | None, str]:
    """What the progress file tells, and what is wrong with it."""
    if not path:
        return None, ""
    try:
        return progress_file.read(machine, path, request.started_at), ""
    except NoFile as error:
        return None, str(error)


def _with(result: CheckResult, progress: Progress | None, trouble: str) -> CheckResult:
    """The history's answer with what the file adds."""
    if trouble and not result.status.final:
        return replace(result, detail=f"{result.detail}; {trouble}")
    if progress is None or not progress.total or result.status is CheckStatus.SUCCESS:
        return result
    if result.status is CheckStatus.FAILURE:
        return replace(result, log_tail=result.log_tail or progress.log_tail)
    if result.status is not CheckStatus.UNKNOWN:
        return replace(result, percent=progress.percent)
    steps = f"{progress.done} of {progress.total} steps in the progress file"
    if (failed := progress.failed) is not None:
        detail = f"the step {failed.name!r} failed ({steps}; {result.detail})"
        return CheckResult(status=CheckStatus.FAILURE, detail=detail, log_tail=progress.log_tail)
    if progress.done == progress.total:
        steps += "; only the history says whether that was all"
    return replace(result, status=CheckStatus.PENDING, detail=f"{steps}; {result.detail}", percent=progress.percent)
