"""JSON from a stranger: strict, and with one way to fail."""

from __future__ import annotations

import json
from typing import Any


class NotJson(ValueError):
    """A body is no JSON; the message fits after "is"."""


def read_json(body: bytes) -> Any:
    """The value. Raises NotJson: for NaN and Infinity, too, which compare as nothing should, and for any recursion."""
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refused)
    except RecursionError:
        raise NotJson("JSON nested too deep") from None
    except ValueError:
        raise NotJson("no JSON") from None


def _refused(word: str) -> None:
    raise ValueError(word)
