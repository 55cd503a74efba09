"""The octets of a frame, marked with what its checksums cover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.explain.explanation import Explanation

WIDTH = 16
_FIRST_ROWS, _LAST_ROWS = 12, 2
#: Rows beyond which even one with a checksum field is left out.
_MAX_ROWS = 32


@dataclass(frozen=True, slots=True)
class Row:
    """Some octets of a frame.

    Attributes
    ----------
    start : int
    octets : bytes
        At most `WIDTH`; empty where rows were left out.
    marks : str
        One character for each: the letter of the innermost checksum that covers it, a capital in
        the field itself, a space where none covers it.
    """

    start: int
    octets: bytes
    marks: str


def letters(explanation: Explanation) -> dict[str, str]:
    """Return the letter of each checksum, by layer."""
    return {w.layer: "abcdefgh"[n] for n, w in enumerate(explanation.workings)}


def rows(explanation: Explanation) -> Iterator[Row]:
    """Yield the rows of a bounded dump: the first, those with a field, and the last."""
    octets = explanation.octets
    marks = bytearray(b" " * len(octets))
    wanted = set(range(_FIRST_ROWS))
    count = -(-len(octets) // WIDTH)
    wanted |= set(range(max(count - _LAST_ROWS, 0), count))
    named = letters(explanation)
    for working in explanation.workings:
        start, stop = working.start, min(working.stop, len(octets))
        marks[start:stop] = named[working.layer].encode() * max(stop - start, 0)
    for working in explanation.workings:
        if working.found is not None and working.field_offset + 2 <= len(octets):
            at = working.field_offset
            marks[at : at + 2] = named[working.layer].upper().encode() * 2
            if len(wanted) < _MAX_ROWS:
                wanted |= {at // WIDTH, (at + 1) // WIDTH}
    skipped = False
    for row in range(count):
        start = row * WIDTH
        if row in wanted:
            yield Row(start, octets[start : start + WIDTH], marks[start : start + WIDTH].decode())
            skipped = False
        elif not skipped:
            yield Row(start, b"", "")
            skipped = True
