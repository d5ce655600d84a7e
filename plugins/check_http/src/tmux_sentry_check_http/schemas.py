"""What an action of each check may say, as JSON Schema."""

from __future__ import annotations

from typing import Any

#: Characters of an expression.
LONGEST = 4000
#: Bytes of an answer that a policy may ask for.
MOST_BYTES = 4 * 1024 * 1024

_SUCCESS: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": LONGEST,
    "description": "JMESPath: the check has succeeded when it is true",
}
_FAIL = {**_SUCCESS, "description": "JMESPath: the check has failed when it is true; it is looked at first"}
_STATUS: dict[str, Any] = {"type": "integer", "minimum": 100, "maximum": 599}

HTTP: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://tmux-sentry.invalid/check_http/http",
    "type": "object",
    "required": ["url"],
    "additionalProperties": False,
    "properties": {
        "url": {"type": "string", "minLength": 1, "maxLength": 4000, "description": "an http:// or https:// address"},
        "method": {"enum": ["GET", "HEAD"], "description": "GET unless given; HEAD brings no body to judge"},
        "headers": {
            "type": "object",
            "maxProperties": 50,
            "propertyNames": {"pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", "maxLength": 100},
            "additionalProperties": {"type": "string", "maxLength": 8000, "writeOnly": True},
            "description": "headers to send; their values are secrets and may be encrypted",
        },
        "success_when": _SUCCESS,
        "fail_when": _FAIL,
        "status": {
            **_STATUS,
            "type": ["integer", "array"],
            "items": _STATUS,
            "minItems": 1,
            "maxItems": 50,
            "description": "the status or statuses of a good answer; 200 to 299 unless given",
        },
        "since": {
            **_SUCCESS,
            "description": "JMESPath to a time (ISO 8601 with zone, or epoch seconds): an answer counts when the stage "
            "had begun by then",
        },
        "changed": {
            **_SUCCESS,
            "description": "JMESPath to a value: an answer counts when it is another one than at the first answer",
        },
        "consecutive": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "description": "how many times in a row success (or failure) must be seen; 1 unless given",
        },
        "percent": {**_SUCCESS, "description": "JMESPath to a number from 0 to 100: how far it is"},
        "detail": {**_SUCCESS, "description": "JMESPath to a text that is shown to people"},
        "redirects": {
            "type": "integer",
            "minimum": 0,
            "maximum": 5,
            "description": "how many redirects to follow; 0 unless given. Headers stay with the url's own origin",
        },
        "max_bytes": {
            "type": "integer",
            "minimum": 1024,
            "maximum": MOST_BYTES,
            "description": "bytes of an answer that are read; 262144 unless given. A longer one is not judged",
        },
        "ca_file": {
            "type": "string",
            "minLength": 1,
            "maxLength": 4000,
            "description": "a file of certificates (PEM) to trust instead of the system's",
        },
    },
}

WEBHOOK: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://tmux-sentry.invalid/check_http/webhook",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "path": {
            "type": "string",
            "pattern": "^/[A-Za-z0-9._~/-]*$",
            "maxLength": 200,
            "description": "the path that is posted to; / unless given",
        },
        "event": {
            "type": "string",
            "minLength": 1,
            "maxLength": 100,
            "description": "only deliveries with this X-GitHub-Event, or this `type` in their JSON, count",
        },
        "success_when": _SUCCESS,
        "fail_when": _FAIL,
    },
}
