"""The plainest accumulator: how often something was seen, and in which frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import Bool

#: A finding lists at most this many frame numbers, unless more are asked for.
MAX_FRAME_NUMBERS = 1000


@dataclass(slots=True)
class Occurrences:
    """How often something was seen, and in which frames: the first `bound` of them."""

    frames: int = 0
    numbers: list[int] = field(default_factory=list)
    last_frame: int | None = None
    first_timestamp: int | None = None
    last_timestamp: int | None = None
    bound: int = MAX_FRAME_NUMBERS

    def update(self, table: PacketTable, mask: Bool) -> None:
        """Count the frames of a mask."""
        rows = np.flatnonzero(mask)
        if not rows.size:
            return
        times = table["timestamp"][rows].astype(np.int64)
        self.merge(
            Occurrences(
                frames=int(rows.size),
                numbers=table["frame_number"][rows[: self.bound]].tolist(),
                last_frame=int(table["frame_number"][rows[-1]]),
                first_timestamp=int(times.min()),
                last_timestamp=int(times.max()),
            )
        )

    def merge(self, other: Occurrences) -> None:
        """Add what came later."""
        if not other.frames:
            return
        self.frames += other.frames
        self.numbers += other.numbers[: self.bound - len(self.numbers)]
        self.last_frame = other.last_frame
        firsts = [t for t in (self.first_timestamp, other.first_timestamp) if t is not None]
        lasts = [t for t in (self.last_timestamp, other.last_timestamp) if t is not None]
        self.first_timestamp, self.last_timestamp = min(firsts), max(lasts)
