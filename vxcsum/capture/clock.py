"""Timestamps of any resolution to integer nanoseconds, exactly.

Sources
-------
draft-ietf-opsawg-pcapng, "Interface Description Block": if_tsresol, if_tsoffset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["nanoseconds", "nanoseconds_of_one"]

_SECOND = 1_000_000_000
_LATEST = (1 << 63) - 1
_EARLIEST = -(1 << 63) + 1  # the one before it is NaT


def nanoseconds_of_one(ticks: int, ticks_per_second: int, offset_seconds: int) -> int:
    """Convert one timestamp.

    Parameters
    ----------
    ticks : int
        Ticks as stored, 0 to 2**64 - 1.
    ticks_per_second : int
        Resolution, at least 1.
    offset_seconds : int
        Seconds to add.

    Returns
    -------
    int
        Nanoseconds, rounded down; the nearest int64 where there is none.
    """
    exact = ticks * _SECOND // ticks_per_second + offset_seconds * _SECOND
    return min(max(exact, _EARLIEST), _LATEST)


def nanoseconds(
    ticks: NDArray[np.uint64], ticks_per_second: int, offset_seconds: int
) -> NDArray[np.int64]:
    """Convert a column of timestamps.

    Parameters
    ----------
    ticks : ndarray of uint64, shape (n,)
        Ticks as stored.
    ticks_per_second : int
        Resolution, at least 1.
    offset_seconds : int
        Seconds to add.

    Returns
    -------
    ndarray of int64, shape (n,)
        As `nanoseconds_of_one`, of each.
    """
    if not len(ticks):
        return np.zeros(0, np.int64)
    ends = int(ticks.min()), int(ticks.max())
    shift = offset_seconds * _SECOND
    exact = [tick * _SECOND // ticks_per_second + shift for tick in ends]
    # the common resolutions, where nothing can overflow; the rest goes one by one
    if shift >= _EARLIEST and exact[0] >= _EARLIEST and exact[1] <= min(_LATEST, _LATEST + shift):
        if _SECOND % ticks_per_second == 0:
            scaled = ticks * np.uint64(_SECOND // ticks_per_second)
            return scaled.astype(np.int64) + np.int64(shift)
        if ticks_per_second <= 1 << 34:  # the remainder times 10**9 stays below 2**64
            whole, rest = np.divmod(ticks, np.uint64(ticks_per_second))
            part = rest * np.uint64(_SECOND) // np.uint64(ticks_per_second)
            return (whole * np.uint64(_SECOND) + part).astype(np.int64) + np.int64(shift)
        if ticks_per_second % _SECOND == 0 and ticks_per_second // _SECOND < 1 << 64:
            scaled = ticks // np.uint64(ticks_per_second // _SECOND)
            return scaled.astype(np.int64) + np.int64(shift)
    return np.array(
        [nanoseconds_of_one(tick, ticks_per_second, offset_seconds) for tick in ticks.tolist()],
        np.int64,
    )
