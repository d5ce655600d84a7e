"""Registers the approval backend `file`."""

from __future__ import annotations

from collections.abc import Iterator

from tmux_sentry import ApprovalBackend, ApprovalPlugin, PluginContext, hookimpl


@hookimpl
def tmux_sentry_approval_backends() -> Iterator[ApprovalPlugin]:
    yield ApprovalPlugin(
        name="file",
        description="a file a request in approvals/; write approve, or reject and a reason, into it",
        factory=_make,
    )


def _make(context: PluginContext) -> ApprovalBackend:
    from pathlib import Path

    from tmux_sentry_approval_file.backend import FileApprovals

    return FileApprovals(Path(context.home) / "approvals")
