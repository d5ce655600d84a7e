"""Where the pages of a session live: under a path that nobody can guess.

A browser sends cookies to every port of a host (RFC 6265, section 8.5), so also to the web server of an agent. By its
path a cookie is sent only where that path is asked for.
"""

from __future__ import annotations

import base64
import hashlib


def home(session: str) -> str:
    """The path of a session's list, "/s/<22 characters>/", which its other pages are below. It tells nothing of it."""
    digest = hashlib.sha256(b"tmux-sentry path of a session\0" + session.encode("utf-8", "replace")).digest()
    return f"/s/{base64.urlsafe_b64encode(digest).decode()[:22]}/"
