"""What GitHub means by a status that is not success, and what to do about it."""

from __future__ import annotations

from tmux_sentry import Answer, clean

_READ = "permission Actions: read"


def explain(answer: Answer, what: str, has_token: bool) -> str:
    """`what` is what was asked for, as "the run 12 of owner/name"."""
    status = answer.status
    if status == 401:
        return "HTTP 401: GITHUB_TOKEN is wrong, has expired or was revoked"
    if status == 403:
        return f"{_message(answer)}; {what}: {_permission(answer, has_token)}"
    if status == 404:
        # A private repository without access is a 404, as is a token that has expired or belongs to somebody else.
        more = "the token has no access to it" if has_token else "it is private: set GITHUB_TOKEN"
        return f"HTTP 404: {what} is not there, or {more} ({_READ})"
    return f"{_message(answer)}; {what}"


def _permission(answer: Answer, has_token: bool) -> str:
    if not has_token:
        return f"set GITHUB_TOKEN ({_READ})"
    if answer.headers.get("x-github-sso", "").startswith("required"):
        return "authorise the token for the organisation's single sign-on"
    # Which permissions a token needs for a request GitHub says in this header: "actions=write".
    needs = clean(answer.headers.get("x-accepted-github-permissions", ""), 120)
    return f"the token needs {needs}" if needs else "does the token have the permission?"


def _message(answer: Answer) -> str:
    """GitHub's own words of why, or the beginning of what it is that answered."""
    data = answer.json()
    message = data.get("message") if isinstance(data, dict) else None
    return f"HTTP {answer.status}: {clean(message, 200)}" if isinstance(message, str) else answer.words()
