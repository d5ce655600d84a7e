"""Many fixed texts found at once, in linear time however many there are and whatever the text."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

#: Characters. Shorter values ("on", "8080") would black out ordinary words; no real credential is this short.
SHORTEST = 6
_HEAD = SHORTEST  # bytes of each that are searched for; the rest is compared
_CUT = "…".encode()


class Literals:
    """Texts of SHORTEST characters or more. Matches may overlap.

    One that the sanitiser cut is found too, by what is left of it before the "…": at least 8 bytes and a third.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts: dict[bytes, list[bytes]] = {}
        for raw in sorted({text.encode("utf-8", "surrogatepass") for text in texts}, key=lambda raw: -len(raw)):
            self._texts.setdefault(raw[:_HEAD], []).append(raw)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Start and end of each match in `text`."""
        if not self._texts:
            return []
        data = text.encode("utf-8", "surrogatepass")
        cut = _CUT in data
        found, at = [], 0
        while (head := self._heads.search(data, at)) is not None:
            start = head.start()
            end = self._end(data, start, cut)
            if end is not None:
                found.append((start, end))
            at = start + 1
        return found if not found or len(data) == len(text) else _characters(data, found)

    def _end(self, data: bytes, start: int, cut: bool) -> int | None:
        for text in self._texts[data[start : start + _HEAD]]:  # longest first
            if data.startswith(text, start):
                return start + len(text)
            if cut:
                end = data.find(_CUT, start, start + len(text) + len(_CUT) - 1)
                if end - start >= max(8, len(text) // 3) and text.startswith(data[start:end]):
                    return end
        return None

    @cached_property
    def _heads(self) -> Any:
        import re2  # here: `--help` does without it

        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.never_capture = True
        options.max_mem = 64 << 20  # two hundred secrets have thousands of heads
        return re2.compile(b"|".join(map(re2.escape, self._texts)), options)


def _characters(data: bytes, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Offsets in bytes as offsets in characters: each part is decoded once, whatever overlaps."""
    places, at, count = {0: 0}, 0, 0
    for place in sorted({place for span in spans for place in span}):
        count += len(data[at:place].decode("utf-8", "surrogatepass"))
        places[place], at = count, place
    return [(places[start], places[end]) for start, end in spans]
