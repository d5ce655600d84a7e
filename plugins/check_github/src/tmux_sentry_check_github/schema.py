"""The keys of an action with `type: github_action`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: `${vars.NAME}` is filled in after the policy was read, so a text with one is judged when the check is asked.
_OR_VARIABLE = r"|^.*\$\{.*$"

SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://tmux-sentry.invalid/check_github/github_action",
    "type": "object",
    "required": ["repository"],
    "additionalProperties": False,
    "properties": {
        "repository": {
            "description": "The repository, as owner/name.",
            "type": "string",
            "pattern": r"^[\w.-]+/[\w.-]+$" + _OR_VARIABLE,
        },
        "workflow": {
            "description": "The workflow's file (deploy.yml), id or name. Without it, the one that the stage typed "
            "with `gh workflow run`, else any.",
            "type": ["string", "integer"],
            "minLength": 1,
            "minimum": 1,
        },
        "ref": {
            "description": "The branch or tag of the run; with dispatch, where to run it.",
            "type": "string",
            "minLength": 1,
        },
        "branch": {"description": "The same as ref.", "type": "string", "minLength": 1},
        "sha": {
            "description": "The commit of the run: 40 hexadecimal digits, or at least the first 7.",
            "type": "string",
            "pattern": "^[0-9a-fA-F]{7,40}$" + _OR_VARIABLE,
        },
        "run_id": {
            "description": "The run itself, from its address .../actions/runs/ID: nothing is looked for.",
            "type": ["integer", "string"],
            "minimum": 1,
            "pattern": "^[0-9]+$" + _OR_VARIABLE,
        },
        "actor": {"description": "The login of who started the run.", "type": "string", "minLength": 1},
        "event": {
            "description": "What started the run: push, workflow_dispatch, schedule and so on. Without it "
            "workflow_dispatch where the stage typed `gh workflow run` or dispatch is true, else any.",
            "type": "string",
            "minLength": 1,
        },
        "inputs": {
            "description": "Inputs of the workflow: sent with dispatch. A value that the workflow shows in its "
            "`run-name` also tells its run from others.",
            "type": "object",
            "maxProperties": 25,
            "additionalProperties": {"type": ["string", "number", "boolean"]},
        },
        "dispatch": {
            "description": "Whether the check starts the workflow itself, once.",
            "type": "boolean",
            "default": False,
        },
        "base_url": {
            "description": "GitHub Enterprise: https://HOST, or the whole address of its API. Without it "
            "GITHUB_API_URL, else https://api.github.com. The token is sent there.",
            "type": "string",
            "pattern": "^https?://" + _OR_VARIABLE,
            "errorMessage": {"pattern": "is no https:// address"},
        },
    },
    "dependentSchemas": {
        "branch": {
            "properties": {"ref": {"not": {}, "errorMessage": {"not": "ref and branch are the same key: give one"}}}
        },
        "run_id": {
            "properties": {
                "dispatch": {"const": False, "errorMessage": {"const": "dispatch and run_id exclude each other"}}
            }
        },
    },
}
