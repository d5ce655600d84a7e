"""What Slack's error words mean for a message and for the channel.

Sources: https://docs.slack.dev/reference/methods/chat.postMessage (errors),
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (handling errors); read 2026-11.
"""

from __future__ import annotations

from tmux_sentry import Delivery, DeliveryResult

#: Seconds to rest when Slack says "too many" and not for how long.
REST = 60.0

#: Too many messages: no other would get through either.
RESTING = {"ratelimited", "rate_limited", "message_limit_exceeded"}
#: Of Slack, for the moment.
PASSING = {
    "accesslimited",
    "fatal_error",
    "internal_error",
    "request_timeout",
    "rollup_error",
    "service_unavailable",
    "team_added_to_org",
}
#: Of what the message looks like: a short one without blocks may be taken.
SHAPE = {
    "invalid_attachments",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_payload",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_text",
    "too_many_attachments",
}
#: Of the thread that the message would go to.
THREAD = {
    "cannot_reply_to_message",
    "invalid_thread_ts",
    "message_not_found",
    "restricted_action_thread_locked",
    "thread_not_found",
}
#: Of the channel in Slack that is posted to.
PLACE = {
    "channel_is_archived",
    "channel_not_found",
    "is_archived",
    "not_in_channel",
}
#: Of the key, the app or the workspace: the next message would be refused just so.
KEY = {
    "access_denied",
    "account_inactive",
    "action_prohibited",
    "as_user_not_supported",
    "deprecated_endpoint",
    "ekm_access_denied",
    "enterprise_is_restricted",
    "invalid_auth",
    "invalid_token",
    "messages_tab_disabled",
    "method_deprecated",
    "missing_scope",
    "no_active_hooks",
    "no_permission",
    "no_service",
    "no_service_id",
    "no_team",
    "not_allowed_token_type",
    "not_authed",
    "org_login_required",
    "posting_to_general_channel_denied",
    "team_access_not_granted",
    "team_disabled",
    "team_not_found",
    "token_expired",
    "token_revoked",
    "two_factor_setup_required",
    "user_not_found",
}
KNOWN = RESTING | PASSING | SHAPE | THREAD | PLACE | KEY

_FIXES = {
    "not_in_channel": "invite the app: /invite @its-name",
    "channel_not_found": "the channel is gone, or private and without the app: /invite @its-name",
    "invalid_auth": "check SLACK_BOT_TOKEN",
    "missing_scope": "give the app the scope and install it again",
    "no_service": "the webhook is gone: make a new one",
    "invalid_token": "the webhook is gone: make a new one",
}


def judged(word: str, said: str, wait: float | None) -> DeliveryResult:
    """What became of a message that was refused with `word`; `said` is all that Slack said, `wait` how long to."""
    fix = _FIXES.get(word)
    detail = f"{said}; {fix}" if fix else said
    if word in RESTING:
        return DeliveryResult(outcome=Delivery.RETRY, detail=detail, retry_after=wait or REST, whole_channel=True)
    if word in PASSING:
        return DeliveryResult(outcome=Delivery.RETRY, detail=detail, retry_after=wait)
    whole = word in KEY or word in PLACE or (word.startswith("restricted_action") and word not in THREAD)
    return DeliveryResult(outcome=Delivery.PERMANENT, detail=detail, whole_channel=whole)
