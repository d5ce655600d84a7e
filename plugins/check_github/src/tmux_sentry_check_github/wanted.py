"""Which run an action means: its keys, and what the stage typed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tmux_sentry import CheckRequest
from tmux_sentry_check_github import address
from tmux_sentry_check_github.typed import GhRun, gh_runs

_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
_SHA = re.compile(r"[0-9a-f]{7,40}")
_DIGITS = re.compile(r"[0-9]{1,18}")
_FILE = re.compile(r"[\w.-]{1,200}\.ya?ml", re.ASCII)


class Wrong(Exception):
    """A key or a setting that cannot be used; the message says which, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to look for. Texts that say nothing are ""; `workflow` is a file without its folder, an id or a name."""

    base: str
    repository: str
    workflow: str = ""
    ref: str = ""
    sha: str = ""
    run_id: int | None = None
    actor: str = ""
    event: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    dispatch: bool = False

    @property
    def workflow_key(self) -> str:
        """The workflow as the API takes it in an address: its file or its id; "" for a name."""
        return workflow_key(self.workflow)

    def url(self, path: str) -> str:
        """The address of something in the repository."""
        return f"{self.base}/repos/{self.repository}/{path}".rstrip("/")  # a slash at the end is a 404 at GitHub


def read(request: CheckRequest, settings: Mapping[str, str]) -> Wanted:
    """Raises Wrong."""
    config = request.config
    base = _base(config, settings)
    repository = _text(config, "repository")
    if not _REPOSITORY.fullmatch(repository) or {".", ".."} & set(repository.split("/")):
        raise Wrong("repository is no owner/name")
    run_id, dispatch = _run_id(config), config.get("dispatch") is True
    sha = _text(config, "sha").lower()
    if sha and not _SHA.fullmatch(sha):
        raise Wrong("sha is no commit: give its 40 hexadecimal digits, or at least the first 7")
    workflow = _file(_text(config, "workflow"))
    command = _command(request, workflow)
    wanted = Wanted(
        base=base,
        repository=repository,
        workflow=workflow or (_file(command.workflow) if command is not None else ""),
        ref=_ref(config, command),
        sha=sha,
        run_id=run_id,
        actor=_text(config, "actor").lower(),
        event=_text(config, "event") or ("workflow_dispatch" if dispatch or command is not None else ""),
        inputs={**(command.inputs if command is not None else {}), **_inputs(config)},
        dispatch=dispatch,
    )
    if command is not None and run_id is None:
        _agree(wanted, command)
    if dispatch:
        _dispatchable(wanted, command)
    return wanted


def workflow_key(workflow: str) -> str:
    """The file or the id of a workflow, without a folder; "" for a name."""
    key = _file(workflow)
    return key if _FILE.fullmatch(key) or _DIGITS.fullmatch(key) else ""


def _base(config: Mapping[str, Any], settings: Mapping[str, str]) -> str:
    setting = settings.get("GITHUB_API_URL", "").strip()
    name = "base_url" if _text(config, "base_url") else "GITHUB_API_URL"
    try:
        return address.api(_text(config, "base_url") or setting or address.PUBLIC)
    except ValueError as error:
        raise Wrong(f"{name} {error}") from None


def _command(request: CheckRequest, workflow: str) -> GhRun | None:
    """The last typed `gh workflow run`: of this workflow, if there is a key that names one."""
    commands = list(gh_runs(request.typed))
    exact = [one for one in commands if not workflow or _file(one.workflow) == workflow]
    # A name, a file and an id may all be the same workflow's.
    likely = [one for one in commands if _kind(_file(one.workflow)) != _kind(workflow)]
    return next(reversed(exact or likely), None)


def _kind(workflow: str) -> str:
    if _FILE.fullmatch(workflow):
        return "file"
    return "id" if _DIGITS.fullmatch(workflow) else "name" if workflow else ""


def _agree(wanted: Wanted, command: GhRun) -> None:
    """The typed command may not start a run somewhere else than where we look. Raises Wrong."""
    if command.repository and command.repository.lower() != wanted.repository.lower():
        raise Wrong(f"the stage typed gh workflow run -R {command.repository}, but repository is {wanted.repository}")
    if command.host and command.host != (home := address.web_host(wanted.base)):
        raise Wrong(f"the stage typed gh workflow run for the host {command.host}, but base_url is of {home}")
    if command.ref and _branch(command.ref) != wanted.ref:
        raise Wrong(f"the stage typed gh workflow run --ref {command.ref}, but ref is {wanted.ref}")


def _dispatchable(wanted: Wanted, command: GhRun | None) -> None:
    if wanted.run_id is not None:
        raise Wrong("dispatch and run_id exclude each other")
    if command is not None:
        raise Wrong("the stage typed gh workflow run, and dispatch would start it once more: take one of them away")
    if not wanted.workflow_key:
        raise Wrong("dispatch needs workflow: the file's name (deploy.yml) or its id")


def _ref(config: Mapping[str, Any], command: GhRun | None) -> str:
    ref, branch = _branch(_text(config, "ref")), _branch(_text(config, "branch"))
    if ref and branch and ref != branch:
        raise Wrong("ref and branch are the same key, and say different things")
    return ref or branch or (_branch(command.ref) if command is not None else "")


def _branch(ref: str) -> str:
    """A ref as `head_branch` of a run has it."""
    return ref.removeprefix("refs/heads/").removeprefix("refs/tags/")


def _run_id(config: Mapping[str, Any]) -> int | None:
    if config.get("run_id") is None:
        return None
    text = _text(config, "run_id")
    if not _DIGITS.fullmatch(text) or int(text) == 0:
        raise Wrong("run_id is no number: take it from the run's address, .../actions/runs/ID")
    return int(text)


def _inputs(config: Mapping[str, Any]) -> dict[str, str]:
    """Inputs as the API takes them: texts."""
    inputs = config.get("inputs")
    if not isinstance(inputs, Mapping):
        return {}
    said = {True: "true", False: "false"}
    return {str(key): said[value] if isinstance(value, bool) else str(value) for key, value in inputs.items()}


def _text(config: Mapping[str, Any], key: str) -> str:
    value = config.get(key)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value).strip() if isinstance(value, str) or is_number else ""


def _file(workflow: str) -> str:
    """A workflow without the folder of its file: all of them are in .github/workflows."""
    last = workflow.rpartition("/")[2]
    return last if _FILE.fullmatch(last) else workflow
