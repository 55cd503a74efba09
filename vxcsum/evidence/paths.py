"""Paths: who sent what to whom, counted by signature.

A path is one pair of outer addresses and a UDP port, or all frames of a capture that are in no
tunnel. Addresses in a header whose own checksum is wrong are not to be believed: such frames share
one path for each capture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.evidence.census import CELLS, SHAPE, group_pairs
from vxcsum.packet.columns import Kind

if TYPE_CHECKING:
    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import I64, U16, Bool

#: Paths told apart, about 400 octets each. Beyond, those that are healthy give way first.
MAX_PATHS = 1 << 16
#: So many groups of a table are counted in one dense histogram.
_DENSE = 64
_VXLAN = np.uint8(Kind.VXLAN)
_INVALID = np.uint8(Status.INVALID)


class PathKey(NamedTuple):
    """What tells a path. Addresses are 64-bit halves, 0 where they do not count."""

    capture: int
    kind: str
    """"tunnel", "plain", "untrusted" or "others"."""
    source: tuple[int, int] = (0, 0)
    destination: tuple[int, int] = (0, 0)
    port: int = 0

    @property
    def back(self) -> PathKey:
        """The way back."""
        return self._replace(source=self.destination, destination=self.source)


class Paths:
    """Numbers paths as they come, and counts their frames by signature."""

    def __init__(self) -> None:
        self.keys: list[PathKey] = []
        self._numbers: dict[PathKey, int] = {}
        self._parts: list[tuple[I64, I64]] = []
        self._waiting = 0
        self._cells: I64 = np.zeros(0, np.int64)
        self._counts: I64 = np.zeros(0, np.int64)
        self.total: I64 = np.zeros(SHAPE, np.int64)
        #: Paths that gave way.
        self.dropped = 0

    def number(self, key: PathKey) -> int:
        """Return the number of a path, a new one where it was not seen yet."""
        known = self._numbers.get(key)
        if known is None:
            known = self._numbers[key] = len(self.keys)
            self.keys.append(key)
        return known

    def find(self, key: PathKey) -> int | None:
        """Return the number of a path that was seen, or None."""
        return self._numbers.get(key)

    def update(self, table: PacketTable, code: U16, capture: int) -> tuple[I64, I64]:
        """Take in a table; return the path of each frame, and the histogram of all of them."""
        ids: I64 = np.empty(len(table), np.int64)
        vxlan = table["kind"] == _VXLAN
        groups: list[tuple[int, I64 | slice]] = []
        inside: I64 | None = None
        if not vxlan.all():
            groups.append((self.number(PathKey(capture, "plain")), np.flatnonzero(~vxlan)))
            inside = np.flatnonzero(vxlan)
        untrusted = _untrusted(table)
        if untrusted is not None:
            bad = np.flatnonzero(untrusted)
            groups.append((self.number(PathKey(capture, "untrusted")), bad))
            inside = np.flatnonzero(vxlan & ~untrusted)
        groups += self._tunnels(table, inside, capture)
        for number, rows in groups:
            ids[rows] = number
        seen = self._count(ids, code, [number for number, _ in groups])
        return ids, seen

    def _tunnels(
        self, table: PacketTable, inside: I64 | None, capture: int
    ) -> list[tuple[int, I64 | slice]]:
        if inside is not None and not inside.size:
            return []
        some = slice(None) if inside is None else inside
        source, destination = table["outer_src"][some], table["outer_dst"][some]
        port = table["outer_dport"][some]
        out: list[tuple[int, I64 | slice]] = []
        for members in group_pairs(source, destination, port):
            first = int(members[0])
            src, dst = source[first].tolist(), destination[first].tolist()
            key = PathKey(capture, "tunnel", (src[0], src[1]), (dst[0], dst[1]), int(port[first]))
            mine: I64 | slice = members if inside is None else inside[members]
            if members.size == len(table):
                mine = slice(None)
            out.append((self.number(key), mine))
        return out

    def _count(self, ids: I64, code: U16, present: list[int]) -> I64:
        """Count frames by path and signature; return the histogram of all of them."""
        if len(present) == 1:
            total: I64 = np.bincount(code, minlength=CELLS)
            self._add(present[0], total)
        elif len(present) <= _DENSE:
            local = np.zeros(max(present) + 1, np.int64)
            local[present] = np.arange(len(present)) * CELLS
            counts = np.bincount(local[ids] + code, minlength=len(present) * CELLS)
            rows = counts.reshape(len(present), CELLS)
            for number, row in zip(present, rows, strict=True):
                self._add(number, row)
            total = rows.sum(axis=0)
        else:
            cells, counts = np.unique(ids * CELLS + code, return_counts=True)
            self._keep(cells, counts)
            total = np.bincount(cells % CELLS, counts, CELLS).astype(np.int64)
        shaped = total.reshape(SHAPE)
        self.total += shaped
        return shaped

    def _add(self, number: int, row: I64) -> None:
        cells = np.flatnonzero(row)
        self._keep(cells + number * CELLS, row[cells])

    def _keep(self, cells: I64, counts: I64) -> None:
        self._parts.append((cells, counts))
        self._waiting += cells.size
        if self._waiting > max(1 << 16, self._cells.size):
            self._compact()

    def _compact(self) -> None:
        cells = np.concatenate([self._cells, *(part for part, _ in self._parts)])
        counts = np.concatenate([self._counts, *(part for _, part in self._parts)])
        order = np.argsort(cells, kind="stable")
        cells, counts = cells[order], counts[order]
        firsts = np.flatnonzero(np.diff(cells, prepend=-1))
        self._cells = cells[firsts]
        self._counts = np.add.reduceat(counts, firsts) if firsts.size else counts
        self._parts, self._waiting = [], 0

    def cells(self) -> tuple[I64, I64, I64]:
        """Return path, signature and frames of each pair that was seen, by path."""
        if self._parts:
            self._compact()
        return self._cells // CELLS, self._cells % CELLS, self._counts

    def histogram(self, numbers: I64 | list[int]) -> I64:
        """Return the histogram of some paths together, ``int64[SHAPE]``."""
        paths, codes, counts = self.cells()
        out = np.zeros(CELLS, np.int64)
        for number in numbers:
            here = slice(*np.searchsorted(paths, [number, number + 1]).tolist())
            out[codes[here]] += counts[here]
        return out.reshape(SHAPE)

    def merge(self, other: Paths) -> I64:
        """Add the paths of what came later; return their numbers here."""
        renumbered = np.array([self.number(key) for key in other.keys], np.int64)
        paths, codes, counts = other.cells()
        if paths.size:
            cells = renumbered[paths] * CELLS + codes
            self._keep(cells, counts)
        self.total += other.total
        self.dropped += other.dropped
        return renumbered

    @property
    def full(self) -> bool:
        """Whether the healthy ones have to give way."""
        return len(self.keys) > MAX_PATHS

    def give_way(self, wrong: set[int]) -> I64:
        """Put the tunnels without a wrong frame together; return the new numbers of all paths."""
        renumbered = np.empty(len(self.keys), np.int64)
        paths, codes, counts = self.cells()
        old, self.keys, self._numbers = self.keys, [], {}
        for number, key in enumerate(old):
            stays = number in wrong or key.kind != "tunnel"
            self.dropped += not stays
            renumbered[number] = self.number(key if stays else PathKey(key.capture, "others"))
        self._cells, self._counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._keep(renumbered[paths] * CELLS + codes, counts)
        return renumbered


def _untrusted(table: PacketTable) -> Bool | None:
    """Return which frames have an outer IP header that is wrong, and not left to a device."""
    wrong: Bool = table["outer_ip_status"] == _INVALID
    if not wrong.any():
        return None
    wrong &= table["outer_ip_found"] != 0
    return wrong if wrong.any() else None
