"""When checksums fared how: counts by layer and status over time, in at most `BINS` bins.

A bin is ``2**shift`` ns wide and begins at a multiple of its width since 1970, so that two bins
are exactly one of the next width. The width is the smallest with which all frames seen fit: it
depends on the first and the last time alone, whatever the blocks and their order were.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import LAYERS, Status
from vxcsum.evidence.census import CELLS, SHAPE, layer_counts
from vxcsum.packet.columns import Kind

if TYPE_CHECKING:
    from typing import TypeAlias

    from vxcsum.packet.columns import I64, AnyArray

    #: A code for each frame, and the histogram of the codes.
    Counted: TypeAlias = tuple[AnyArray, I64]

BINS = 512
#: The narrowest bins, 1.024 microseconds.
_NARROWEST = 10
_LAYERS, _STATUSES = len(LAYERS), len(Status)
HEADER_SHAPE = (len(Kind), _STATUSES, _STATUSES)


class Timeline:
    """Counts by time, layer and status; all captures share one clock.

    Attributes
    ----------
    shift : int
        A bin is ``2**shift`` ns wide.
    start : int
        Number of the first bin: its time in ns since 1970 UTC, divided by the width.
    counts : int64[BINS, 12, 6]
        By bin, layer (in the order of `LAYERS`) and status.
    """

    def __init__(self) -> None:
        self.shift = _NARROWEST
        self.start = 0
        self._seen: tuple[int, int] | None = None
        self.counts: I64 = np.zeros((0, _LAYERS, _STATUSES), np.int64)

    @property
    def bins(self) -> int:
        """How many bins there are from the first frame to the last."""
        return 0 if self._seen is None else (self._seen[1] >> self.shift) - self.start + 1

    @property
    def seconds(self) -> AnyArray:
        """Edges of the bins in seconds after the first frame, ``float64[bins + 1]``."""
        late = 0 if self._seen is None else self._seen[0] - (self.start << self.shift)
        return (np.arange(self.bins + 1) * 2.0**self.shift - late) / 1e9

    @property
    def first(self) -> int | None:
        """Time of the first frame, ns since 1970 UTC."""
        return None if self._seen is None else self._seen[0]

    def update(self, times: I64, signatures: Counted, headers: Counted) -> None:
        """Count some frames.

        Parameters
        ----------
        times : int64[n]
            In ns since 1970 UTC; n is not 0.
        signatures : uint16[n] and int64[SHAPE]
            See `vxcsum.evidence.census.signatures`, and how often each is there.
        headers : uint8[n] and int64[HEADER_SHAPE]
            Indices into a flat histogram of `HEADER_SHAPE`, and how often each is there.
        """
        order = None
        if (times[1:] < times[:-1]).any():
            order = np.argsort(times, kind="stable")
            times = times[order]
        first, last = int(times[0]), int(times[-1])
        self._cover(first, last)
        low, high = first >> self.shift, last >> self.shift
        inner = np.searchsorted(times, np.arange(low + 1, high + 1) << self.shift)
        ends = np.concatenate(([0], inner, [times.size]))
        into = self.counts[low - self.start : high - self.start + 1]
        for (codes, total), meaning in ((signatures, _of_signature), (headers, _of_headers)):
            if order is not None:
                codes = codes[order]
            cells = total.ravel()
            present = np.flatnonzero(cells)
            most = present[np.argmax(cells[present])]
            left = ends[1:] - ends[:-1]
            for code in present[present != most]:
                rows = np.flatnonzero(codes == code)
                places = np.searchsorted(rows, ends)
                seen = places[1:] - places[:-1]
                left -= seen
                for layer, status in meaning(int(code)):
                    into[:, layer, status] += seen
            for layer, status in meaning(int(most)):
                into[:, layer, status] += left

    def merge(self, other: Timeline) -> None:
        """Add the frames of another part."""
        if other._seen is None:
            return
        self._cover(*other._seen)
        self._add(other)

    def _cover(self, first: int, last: int) -> None:
        """Widen the bins until a span of time fits."""
        if self._seen is not None:
            if self._seen[0] <= first and last <= self._seen[1]:
                return
            first, last = min(first, self._seen[0]), max(last, self._seen[1])
        shift = max(self.shift, ((last - first) // BINS).bit_length() - 1)
        while (last >> shift) - (first >> shift) >= BINS:
            shift += 1
        before = Timeline()
        before.shift, before.start, before._seen = self.shift, self.start, self._seen
        before.counts = self.counts
        self._seen = first, last
        if (shift, first >> shift) != (self.shift, self.start) or not len(self.counts):
            self.shift, self.start = shift, first >> shift
            self.counts = np.zeros((BINS, _LAYERS, _STATUSES), np.int64)
            if before._seen is not None:
                self._add(before)

    def _add(self, other: Timeline) -> None:
        """Add counts whose time is covered and whose bins are no wider."""
        places = (np.arange(other.bins) + other.start >> self.shift - other.shift) - self.start
        firsts = np.flatnonzero(np.diff(places, prepend=-1))
        self.counts[places[firsts]] += np.add.reduceat(other.counts[: other.bins], firsts)


@lru_cache(CELLS)
def _of_signature(code: int) -> list[tuple[int, int]]:
    """Return the layers and statuses for which one frame with a signature counts."""
    one: I64 = np.zeros(SHAPE, np.int64)
    one.flat[code] = 1
    return _cells(layer_counts([one], np.zeros(HEADER_SHAPE, np.int64)))


@lru_cache(int(np.prod(HEADER_SHAPE)))
def _of_headers(code: int) -> list[tuple[int, int]]:
    """Return the layers and statuses for which the IP headers of one frame count."""
    one: I64 = np.zeros(HEADER_SHAPE, np.int64)
    one.flat[code] = 1
    return _cells(layer_counts([], one))


def _cells(counts: I64) -> list[tuple[int, int]]:
    return [(int(layer), int(status)) for layer, status in np.argwhere(counts)]
