"""The log of a container as text.

Without a terminal, stdout and stderr come in frames: one byte for the stream, three of zero, four for the length (big
end first), then the bytes. With a terminal they come as they are.
https://docs.docker.com/reference/api/engine/version/v1.44/#tag/Container/operation/ContainerAttach
"""

from __future__ import annotations

import struct

_HEADER = struct.Struct(">BxxxI")


def lines_of(data: bytes, *, tty: bool) -> str:
    """What was written. A last frame that was cut off is shown as far as it came, and so is what is no frame."""
    return (data if tty else _unframed(data)).decode("utf-8", "replace")


def _unframed(data: bytes) -> bytes:
    parts: list[bytes] = []
    at = 0
    while at + _HEADER.size <= len(data):
        stream, length = _HEADER.unpack_from(data, at)
        if stream > 2 or data[at + 1 : at + 4] != b"\0\0\0":
            return b"".join([*parts, data[at:]])
        at += _HEADER.size
        parts.append(data[at : at + length])
        at += length
    return b"".join(parts)
