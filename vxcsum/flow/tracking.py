"""Which octets of a TCP stream are new, repeated, or fill what was skipped, for the NumPy twin."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.flow.records import HOLES

if TYPE_CHECKING:
    from vxcsum.flow.records import Records
    from vxcsum.packet.columns import I64, AnyArray

#: Numbers below this can be kept apart by adding, without overflow.
_SAFE = 1 << 62
_MOST = 0xFFFFFFFF

#: Where it begins, how long it is, how much of it is missing.
Hole = tuple[int, int, int]


class Runs:
    """Frames sorted by connection and end, for counting what each end of each one sent.

    Attributes
    ----------
    heads, sizes : int64[k]
        The first frame of each end, and how many there are.
    connection, end : int64[k]
    """

    def __init__(self, memory: Records, connection: I64, end: AnyArray) -> None:
        change = connection[1:] != connection[:-1]
        change |= end[1:] != end[:-1]
        self.heads = np.flatnonzero(np.concatenate(([True], change)))
        self.sizes = np.diff(self.heads, append=connection.size)
        self.connection, self.end = connection[self.heads], end[self.heads].astype(np.int64)
        self.where = self.connection, self.end
        self._memory = memory
        self._sent = memory["from"]

    def part(self, rows: I64) -> Runs:
        """Return those of some of the frames, in the same order."""
        if rows.size == self.sizes.sum():
            return self
        return Runs(self._memory, self.spread(self.connection)[rows], self.spread(self.end)[rows])

    def spread(self, values: AnyArray) -> AnyArray:
        """Return for each frame the value of its end."""
        return np.repeat(values, self.sizes)

    def add(self, name: str, values: AnyArray) -> None:
        """Add something of each frame to a field."""
        if values.any():
            total = np.add.reduceat(values, self.heads, dtype=np.int64)
            self.add_totals(name, total)

    def add_totals(self, name: str, totals: I64) -> None:
        """Add something of each end to a field."""
        field = self._sent[name]
        field[self.where] += totals.astype(field.dtype)

    def combine(self, function: np.ufunc, name: str, values: AnyArray) -> None:
        """Combine something of each frame with a field."""
        field = self._sent[name]
        reduced = function.reduceat(values, self.heads).astype(field.dtype)
        field[self.where] = function(field[self.where], reduced)


def track(runs: Runs, memory: Records, seq: AnyArray, octets: I64) -> None:
    """Tell new octets from repeated ones, and from those that fill what was skipped before."""
    sent, firsts, each = memory["from"], runs.heads, runs.where
    group = runs.spread(np.arange(firsts.size))
    lasts = firsts + runs.sizes - 1
    step = np.zeros(seq.size, np.int64)
    step[1:] = (seq[1:] - seq[:-1]).view(np.int32)
    since = sent["at"][each] + (seq[firsts] - sent["seq"][each]).view(np.int32)
    step[firsts] = np.where(sent["tracked"][each] == 1, since, 0)
    start = _sums(step, firsts, group)
    stop = start + octets
    reached = np.empty(seq.size, np.int64)  # before each segment
    reached[1:] = stop[:-1]
    reached[firsts] = sent["end"][each]
    if (start != reached).any():
        reached = _running(np.maximum, reached, group, firsts)
        _count_disorder(runs, memory, group, start, stop, reached)
    sent["tracked"][each] = 1
    sent["seq"][each] = seq[lasts]
    sent["at"][each] = start[lasts]
    sent["end"][each] = np.maximum(reached[lasts], stop[lasts])


def _count_disorder(
    runs: Runs, memory: Records, group: I64, start: I64, stop: I64, reached: I64
) -> None:
    skipped = np.maximum(start - reached, 0)
    old = np.maximum(np.minimum(stop, reached) - start, 0)
    filled = np.zeros(start.size, np.int64)
    events = np.flatnonzero(start != reached)
    filled[events] = _filled(
        memory, runs, group[events], start[events], stop[events], reached[events]
    )
    asks = (stop - start == 1) & (stop == reached) & (filled == 0)
    runs.add("repeated_octets", old - filled)
    runs.add("repeated_frames", (old > filled) & ~asks)
    runs.add("late_frames", (start < reached) & (old == filled) & ~asks)
    runs.add("missing", skipped - filled)


def _filled(
    memory: Records, runs: Runs, groups: I64, start: I64, stop: I64, reached: I64
) -> list[int]:
    """Follow what is not in order, one segment after another; return the octets that fill holes."""
    told, filled = memory["holes"], []
    group, holes = -1, list[Hole]()

    def keep() -> None:
        if group >= 0:
            rest = [(0, 0, 0)] * (HOLES - len(holes))
            told[runs.where[0][group], runs.where[1][group]] = [*holes, *rest]

    columns = (column.tolist() for column in (groups, start, stop, reached))
    for one, low, high, end in zip(*columns, strict=True):
        if one != group:
            keep()
            group = one
            held = told[runs.where[0][one], runs.where[1][one]].tolist()
            holes = [hole for hole in held if hole[2]]
        if low > end:
            filled.append(0)
            if len(holes) == HOLES:
                _make_room(holes)
            holes.append((end, low - end, low - end))
        else:
            holes, count = _fill(holes, low, min(high, end))
            filled.append(count)
    keep()
    return filled


def _make_room(holes: list[Hole]) -> None:
    """Make of two holes one, those with the least between them, or forget the lower of them."""
    between = [b[0] - a[0] - a[1] for a, b in pairwise(holes)]
    best = between.index(min(between))
    one, other = holes[best], holes[best + 1]
    length = other[0] + other[1] - one[0]
    merged = other if length > _MOST else (one[0], length, (one[2] + other[2]) & _MOST)
    holes[best : best + 2] = [merged]


def _fill(holes: list[Hole], start: int, stop: int) -> tuple[list[Hole], int]:
    """Return what is left of holes, and how many of some octets were missing in them."""
    left, filled = [], 0
    for low, length, missing in holes:
        high = low + length
        begin, end = max(start, low), min(stop, high)
        if begin < end:
            count = min(end - begin, missing)
            filled += count
            missing -= count
            if begin == low:
                low, length = end, high - end
            elif end == high:
                length = begin - low
        if missing and length:
            left.append((low, length, missing))
    return left, filled


def _sums(values: I64, firsts: I64, group: I64) -> I64:
    """Return running sums that begin anew with each group."""
    total = np.cumsum(values)
    return np.asarray(total - (total[firsts] - values[firsts])[group])


def _running(function: np.ufunc, values: I64, group: I64, firsts: I64) -> I64:
    """Return running maxima or minima that begin anew with each group."""
    low, high = int(values.min()), int(values.max())
    span = high - low + 1
    if span * firsts.size >= _SAFE:
        parts = np.split(values, firsts[1:])
        return np.concatenate([function.accumulate(part) for part in parts])
    apart = group * span if function is np.maximum else (group[-1] - group) * span
    running: I64 = function.accumulate(values - low + apart)
    return running - apart + low
