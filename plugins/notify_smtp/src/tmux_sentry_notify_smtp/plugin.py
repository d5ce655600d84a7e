"""Registers the notification channel `email`."""

from __future__ import annotations

from collections.abc import Iterator

from tmux_sentry import Notifier, NotifierPlugin, PluginContext, Setting, hookimpl

SETTINGS = (
    Setting(name="SMTP_SERVER", description="host name of the mail server that takes your mail"),
    Setting(name="SMTP_PORT", description="its port; by default 587, or 465 with SMTP_SECURITY=tls"),
    Setting(name="SMTP_SECURITY", description="tls, starttls or none; by default tls on port 465, else starttls"),
    Setting(name="SMTP_USER", description="user name; leave it out where the server wants none"),
    Setting(name="SMTP_PASSWORD", description="its password, often an app password", secret=True),
    Setting(name="SMTP_FROM", description="the sender's address; by default SMTP_USER"),
    Setting(name="SMTP_TO", description="addresses to send to, separated by commas"),
    Setting(name="SMTP_CA_FILE", description="file with the certificate authorities to trust instead of the system's"),
)


@hookimpl
def tmux_sentry_notifiers() -> Iterator[NotifierPlugin]:
    yield NotifierPlugin(
        name="email",
        description="mail over SMTP with verified TLS, one thread a run",
        settings=SETTINGS,
        factory=_make,
    )


def _make(context: PluginContext) -> Notifier:
    from tmux_sentry_notify_smtp.notifier import SmtpNotifier

    return SmtpNotifier(context.settings)
