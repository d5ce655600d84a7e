"""Registers the approval backend `web`."""

from __future__ import annotations

from collections.abc import Iterator

from tmux_sentry import ApprovalBackend, ApprovalPlugin, PluginContext, Setting, hookimpl

SETTINGS = (
    Setting(name="APPROVAL_LISTEN", description="address:port of the pages, 127.0.0.1:8790 if not set"),
    Setting(name="APPROVAL_BASE_URL", description="https:// and the name by which phones reach the pages"),
    Setting(name="APPROVAL_TLS_CERT", description="a file with the certificate and its chain, if there is no proxy"),
    Setting(name="APPROVAL_TLS_KEY", description="the file with its key, which only you can read"),
    Setting(name="APPROVAL_TRUSTED_PROXIES", description="addresses, networks whose X-Forwarded headers are believed"),
)


@hookimpl
def tmux_sentry_approval_backends() -> Iterator[ApprovalPlugin]:
    yield ApprovalPlugin(
        name="web",
        description="a page for the phone, reached by a link in the message that asks",
        settings=SETTINGS,
        factory=_make,
    )


def _make(context: PluginContext) -> ApprovalBackend:
    from tmux_sentry_approval_web.backend import WebApprovals
    from tmux_sentry_approval_web.settings import read

    return WebApprovals(read(context.settings))
