"""Reads a posted form: small, of one kind, in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from urllib.parse import parse_qsl

#: Bytes of a body that are read: a comment of 1000 Chinese characters has 9000 when it is percent-encoded.
LIMIT = 16 * 1024
#: Bytes of a longer body that are taken and thrown away, so that the sender sees the refusal and no broken connection.
_DRAINED = 2 * 1024 * 1024
#: Seconds for the whole body.
PATIENCE = 10.0
_FIELDS = 20


class BadForm(Exception):
    """Not a form of ours; `status` is the answer's."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


async def read_form(kind: str, body: AsyncIterator[bytes]) -> Mapping[str, str]:
    """The fields of a form with this Content-Type. Raises BadForm."""
    try:
        raw = await asyncio.wait_for(_whole(body), PATIENCE)
    except asyncio.TimeoutError:
        raise BadForm(408, "the form did not arrive in time") from None
    if kind.split(";", 1)[0].strip().lower() != "application/x-www-form-urlencoded":
        raise BadForm(415, "only a form of these pages is read here")
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="replace", max_num_fields=_FIELDS
        )
    except ValueError:  # not ASCII, too many fields
        raise BadForm(400, "the form cannot be read") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadForm(400, "the form says something twice")  # which of two decisions was meant?
    return fields


async def _whole(body: AsyncIterator[bytes]) -> bytes:
    found, size = bytearray(), 0
    async for part in body:
        size += len(part)
        if size > _DRAINED:
            break
        found += part[: max(LIMIT + 1 - len(found), 0)]
    if size > LIMIT:
        raise BadForm(413, f"the form is too long: {LIMIT // 1024} KiB are read")
    return bytes(found)
