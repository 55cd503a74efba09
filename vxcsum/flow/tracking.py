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
    """Frames sorted by connection and end, for counting what each end of each one sent."""

    def __init__(self, memory: Records, connection: I64, end: I64) -> None:
        one = connection * 2 + end
        self.sorting = np.argsort(one, kind="stable")
        one = one[self.sorting]
        self.heads = np.flatnonzero(np.r_[True, one[1:] != one[:-1]])
        self.where = one[self.heads] // 2, one[self.heads] % 2
        self.group = np.repeat(np.arange(self.heads.size), np.diff(np.r_[self.heads, one.size]))
        self._sent = memory["from"]

    def add(self, name: str, values: AnyArray) -> None:
        """Add sorted values to a field."""
        if values.any():
            total = np.add.reduceat(values, self.heads, dtype=np.int64)
            field = self._sent[name]
            field[self.where] += total.astype(field.dtype)

    def combine(self, function: np.ufunc, name: str, values: AnyArray) -> None:
        """Combine sorted values with a field."""
        field = self._sent[name]
        reduced = function.reduceat(values, self.heads).astype(field.dtype)
        field[self.where] = function(field[self.where], reduced)


def track(runs: Runs, memory: Records, seq: AnyArray, octets: I64) -> None:
    """Tell new octets from repeated ones, and from those that fill what was skipped before."""
    sent, firsts, group, each = memory["from"], runs.heads, runs.group, runs.where
    lasts = np.r_[firsts[1:], seq.size] - 1
    before = sent[each]
    step = np.zeros(seq.size, np.int64)
    step[1:] = (seq[1:] - seq[:-1]).view(np.int32)
    step[firsts] = np.where(
        before["tracked"] == 1, before["at"] + (seq[firsts] - before["seq"]).view(np.int32), 0
    )
    start = _sums(step, firsts, group)
    stop = start + octets
    reached = np.empty(seq.size, np.int64)  # before each segment
    reached[1:] = stop[:-1]
    reached[firsts] = before["end"]
    reached = _running(np.maximum, reached, group, firsts)
    skipped = np.maximum(start - reached, 0)
    old = np.maximum(np.minimum(stop, reached) - start, 0)
    filled = np.zeros(seq.size, np.int64)
    events = np.flatnonzero(start != reached)
    if events.size:
        filled[events] = _filled(memory, runs, events, start, stop, reached)
    asks = (octets == 1) & (stop == reached) & (filled == 0)

    runs.add("repeated_octets", old - filled)
    runs.add("repeated_frames", (old > filled) & ~asks)
    runs.add("late_frames", (start < reached) & (old == filled) & ~asks)
    sent["missing"][each] += np.add.reduceat(skipped - filled, firsts)
    sent["tracked"][each] = 1
    sent["seq"][each] = seq[lasts]
    sent["at"][each] = start[lasts]
    sent["end"][each] = np.maximum(reached[lasts], stop[lasts])


def _filled(
    memory: Records, runs: Runs, events: I64, start: I64, stop: I64, reached: I64
) -> list[int]:
    """Follow what is not in order, one segment after another; return the octets that fill holes."""
    told, filled = memory["holes"], []
    group, holes = -1, list[Hole]()

    def keep() -> None:
        if group >= 0:
            rest = [(0, 0, 0)] * (HOLES - len(holes))
            told[runs.where[0][group], runs.where[1][group]] = [*holes, *rest]

    columns = (column[events].tolist() for column in (runs.group, start, stop, reached))
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
