"""The keys of each check."""

from __future__ import annotations

from typing import Any


def _schema(name: str, required: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    docker = {
        "enum": ["host", "local"],
        "default": "host",
        "description": "host: the Docker of the machine that the pane is on. local: the one that DOCKER_HOST names.",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://tmux-sentry.invalid/check_docker/{name}",
        "type": "object",
        "required": required,
        "additionalProperties": False,
        "properties": {**properties, "docker": docker},
    }


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "description": description, **more}


BUILD = _schema(
    "docker_build",
    [],
    {
        "name": _text("The build's name in `docker buildx history ls`, or a pattern with * and ?."),
        "builder": _text("The builder whose history is read, instead of the current one.", maxLength=101),
        "progress_file": _text("A file with the output of --progress=rawjson; begins with / or ~/."),
    },
)

CONTAINER = _schema(
    "docker_container",
    ["name"],
    {
        "name": _text("The container's name or id."),
        "until": {
            "enum": ["running", "healthy", "exited"],
            "description": "What is waited for; healthy where the container has a HEALTHCHECK, else running.",
        },
        "exit_codes": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 255},
            "minItems": 1,
            "default": [0],
            "description": "With `until: exited`, the exit statuses that are a success.",
        },
        "unhealthy_seconds": {
            "type": "number",
            "minimum": 0,
            "default": 60,
            "description": "Seconds for which `unhealthy` must last to be a failure.",
        },
        "since_stage": {
            "type": "boolean",
            "default": True,
            "description": "Whether only what has happened since the stage began counts.",
        },
    },
)

IMAGE = _schema(
    "docker_image",
    ["image"],
    {
        "image": _text("The image's name, with a tag unless it is `latest`.", maxLength=500),
        "digest": _text("sha256:...: wait until the name means this image.", pattern="^(sha256:[0-9a-f]{64}|.*[$].*)$"),
        "exists": {
            "type": "boolean",
            "default": False,
            "description": "Whether it is enough that there is an image of this name.",
        },
        "registry": {
            "type": "boolean",
            "default": False,
            "description": "Whether the registry is asked, without a login, instead of the engine's own images.",
        },
    },
)
