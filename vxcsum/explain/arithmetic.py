"""Ones-complement arithmetic the slow and plain way, as it is taught.

Nothing here is shared with the engines, so that an explanation is a second opinion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MODULUS = 0xFFFF
#: A term of more words, which no header has without options, is shown in part.
_SHOWN = 30
_SHOWN_FIRST, _SHOWN_LAST = 12, 4


def words_of(octets: bytes, *, odd: bool = False) -> list[int]:
    """Return octets as big-endian 16-bit words.

    Parameters
    ----------
    octets : bytes
        An odd last octet is the upper half of a word, with zero below it (RFC 1071).
    odd : bool
        Whether they begin in the lower half of a word, behind other octets.
    """
    if odd:
        octets = b"\0" + octets
    if len(octets) % 2:
        octets += b"\0"
    return [octets[at] << 8 | octets[at + 1] for at in range(0, len(octets), 2)]


def fold(total: int) -> int:
    """Return a sum with its carries added in at the lower end, 0 to 0xffff."""
    while total > MODULUS:
        total = (total & MODULUS) + (total >> 16)
    return total


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a sum.

    Attributes
    ----------
    label : str
    octets : bytes
        Without the checksum field.
    start : int or None
        Offset in the frame; None where the octets are not in it (a pseudo-header).
    odd : bool
        Whether it begins in the lower half of a word.
    field : int or None
        Where the checksum field was taken out, in octets from the term's start.
    """

    label: str
    octets: bytes
    start: int | None = None
    odd: bool = False
    field: int | None = None

    @property
    def sum(self) -> int:
        """The folded sum of its words."""
        return fold(sum(words_of(self.octets, odd=self.odd)))

    @property
    def words(self) -> list[str]:
        """Its words as four hexadecimal digits; the middle of a long one as its sum."""
        words = words_of(self.octets, odd=self.odd)
        shown = [f"{word:04x}" for word in words]
        if self.field is not None and len(shown) < _SHOWN:
            shown.insert((self.field + self.odd) // 2, "[    ]")
        if len(shown) <= _SHOWN:
            return shown
        shown = [f"{word:04x}" for word in words]
        middle = words[_SHOWN_FIRST:-_SHOWN_LAST]
        return [
            *shown[:_SHOWN_FIRST],
            f"... {len(middle)} words, sum {fold(sum(middle)):04x} ...",
            *shown[-_SHOWN_LAST:],
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the term as the JSON document has it."""
        return {
            "label": self.label,
            "offset": self.start,
            "octets": len(self.octets),
            "words": self.words,
            "sum": f"0x{self.sum:04x}",
        }
