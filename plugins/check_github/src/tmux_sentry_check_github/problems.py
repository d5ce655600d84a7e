"""What is wrong with an action that its schema takes, while a policy is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tmux_sentry_check_github import address
from tmux_sentry_check_github.wanted import workflow_key


def problems(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each mistake with its key. What has a variable in it is judged when the check is asked."""
    base = config.get("base_url")
    if isinstance(base, str) and not _varies(base):
        try:
            address.api(base)
        except ValueError as error:
            yield "base_url", str(error)
    if config.get("dispatch") is True:
        workflow = str(config.get("workflow", ""))
        if not workflow:
            yield "dispatch", "needs workflow: the file's name (deploy.yml) or its id"
        elif not _varies(workflow) and not workflow_key(workflow):
            yield "workflow", "is a name, and dispatch needs the file's name (deploy.yml) or the id"


def _varies(text: str) -> bool:
    return "${" in text
