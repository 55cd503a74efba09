"""What is right: the observations that a law has to spare, or to explain why it does not.

An observation is a flow and a right checksum: retransmissions, and a capture repeated, add none. By
the identity of local checksum offload (fact sheet, section 1.3) the right outer checksum depends on
the headers and lengths alone, so flow, signature and length stand for it. Inner checksums differ
with the payload; of those only the share of different ones is estimated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.evidence.census import CELLS, SHAPE
from vxcsum.packet.columns import Kind

if TYPE_CHECKING:
    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import I64, U16, U64, AnyArray, Bool

#: Right observations of outer checksums, 8 octets each; beyond, a share of them stands for all.
MAX_RIGHT = 1 << 20
#: Paths that the number of an observation has room for.
MAX_PATHS = 1 << 21
#: Smallest hashes that estimate how many inner checksums are different.
_SMALLEST = 4096
_CACHE_BITS = 15
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFTS = tuple(np.uint64(shift) for shift in (43, 27, 11))
_PATH, _SPORT, _LENGTH = _SHIFTS
_RIGHT = (Status.VALID, Status.ZERO, Status.PARTIAL)


def _of_signatures() -> tuple[Bool, Bool]:
    """Return which signatures have a right outer checksum, and which a right inner one."""
    outer, inner = np.zeros(SHAPE, np.bool_), np.zeros(SHAPE, np.bool_)
    outer[Kind.VXLAN, :, :, list(_RIGHT)] = True
    inner[:, :, 1:, :, [Status.VALID]] = True
    return outer.ravel(), inner.ravel()


_OUTER_RIGHT, _INNER_RIGHT = _of_signatures()


def mixed(values: U64) -> U64:
    """Return values spread over 64 bits, in place."""
    values *= _MIX
    values ^= values >> np.uint64(29)
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(32)
    return values


class RightFlows:
    """The different right outer observations of all paths.

    Each is one number: path, source port, UDP length and signature of the frame
    (`vxcsum.evidence.census`), from the highest bits to the lowest.
    """

    def __init__(self) -> None:
        self._parts: list[U64] = []
        self._waiting = 0
        self._kept: U64 = np.zeros(0, np.uint64)
        self._cache: U64 = np.zeros(0, np.uint64)
        #: One in ``2**thinned`` observations is kept, chosen by its hash.
        self.thinned = 0

    def update(self, table: PacketTable, paths: I64, code: U16, seen: I64) -> None:
        """Take in the frames of a table; ``seen`` is the histogram of their signatures."""
        there = np.flatnonzero(seen.ravel())
        right = _OUTER_RIGHT[there]
        if not right.any():
            return
        key: U64 = paths.astype(np.uint64)
        key <<= np.uint64(16)
        key |= table["outer_sport"]
        key <<= np.uint64(16)
        key |= np.minimum(table["outer_udp_length"], 0xFFFF).astype(np.uint16)
        key <<= np.uint64(11)
        key |= code
        if not right.all():
            key = key[_OUTER_RIGHT[code]]
        self._add(key)

    def _add(self, key: U64) -> None:
        if not self._cache.size:
            self._cache = np.zeros(1 << _CACHE_BITS, np.uint64)
        place = (key * _MIX) >> np.uint64(64 - _CACHE_BITS)
        place = place.view(np.int64)
        new = self._cache[place] != key
        if not new.any():
            return
        key = key[new]
        self._cache[place[new]] = key
        self._append(key)

    def _append(self, key: U64) -> None:
        if self.thinned:
            key = key[self._chosen(key)]
        self._parts.append(key)
        self._waiting += key.size
        if self._waiting > max(1 << 16, self._kept.size):
            self._compact()

    def _chosen(self, key: U64) -> Bool:
        chosen: Bool = mixed(key.copy()) >> np.uint64(64 - self.thinned) == 0
        return chosen

    def _compact(self) -> None:
        kept = _distinct(np.concatenate([self._kept, *self._parts]))
        while kept.size > MAX_RIGHT:
            self.thinned += 1
            kept = kept[self._chosen(kept)]
        self._kept, self._parts, self._waiting = kept, [], 0

    def merge(self, other: RightFlows, renumbered: I64) -> None:
        """Add those of another part, whose path ``n`` is ``renumbered[n]`` here."""
        key = other.numbers.copy()
        if other.thinned > self.thinned:
            self._compact()
        if other.thinned > self.thinned:
            self.thinned = other.thinned
            self._kept = self._kept[self._chosen(self._kept)]
        paths = (key >> _PATH).astype(np.int64)
        key &= (np.uint64(1) << _PATH) - np.uint64(1)
        if paths.size:
            key |= renumbered[paths].astype(np.uint64) << _PATH
        self._append(key)

    @property
    def numbers(self) -> U64:
        """The observations, in ascending order: by path, source port, length and signature."""
        if self._parts:
            self._compact()
        return self._kept

    def columns(self) -> dict[str, AnyArray]:
        """Return the observations as columns ``path``, ``sport``, ``length`` and ``code``."""
        key = self.numbers
        return {
            "path": (key >> _PATH).astype(np.int64),
            "sport": (key >> _SPORT).astype(np.uint16),
            "length": (key >> _LENGTH).astype(np.uint16),
            "code": (key & np.uint64(0x7FF)).astype(np.uint16),
        }


class Variety:
    """An estimate of how many right inner checksums differ from all others of their flow.

    The smallest of all hashes tell how many there are ("k minimum values"): order does not matter,
    and two estimates are merged exactly.
    """

    def __init__(self) -> None:
        self._smallest: U64 = np.zeros(0, np.uint64)
        self._limit = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
        self.frames = 0

    def update(self, table: PacketTable, code: U16, seen: I64) -> None:
        """Take in the frames of a table; ``seen`` is the histogram of their signatures."""
        counts = seen.ravel()
        there = np.flatnonzero(counts)
        right = there[_INNER_RIGHT[there]]
        if not right.size:
            return
        self.frames += int(counts[right].sum())
        key: U64 = table["inner_sport"].astype(np.uint64)
        for name in ("inner_dport", "inner_l4_found"):
            key <<= np.uint64(16)
            key |= table[name]
        key <<= np.uint64(16)
        key |= table["inner_l4_length"].astype(np.uint16)
        key = mixed(key)
        small = key <= self._limit
        if right.size < there.size:
            small &= _INNER_RIGHT[code]
        if small.any():
            self._keep(key[small])

    def _keep(self, hashes: U64) -> None:
        both = _distinct(np.concatenate([self._smallest, hashes]))
        if both.size >= _SMALLEST:
            both = both[:_SMALLEST]
            self._limit = both[-1]
        self._smallest = both

    def merge(self, other: Variety) -> None:
        """Add those of another part."""
        self.frames += other.frames
        self._keep(other._smallest)

    @property
    def share(self) -> float:
        """Different ones of all frames, at most 1; 1 where there are none."""
        if not self.frames:
            return 1.0
        different = float(self._smallest.size)
        if self._smallest.size >= _SMALLEST:
            different = (_SMALLEST - 1) * 2.0**64 / float(self._limit)
        return min(1.0, different / self.frames)


def _distinct(values: U64) -> U64:
    ordered = np.sort(values)
    first = np.ones(ordered.size, np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    out: U64 = ordered[first]
    return out


assert CELLS <= 1 << 11, "a signature has 11 bits"
