"""The two plainest accumulators: counting frames, and keeping some rows of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.rules.base import MAX_FRAME_NUMBERS

if TYPE_CHECKING:
    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import I64, AnyArray, Bool


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


class Rows:
    """Chosen columns of chosen rows, in order, up to a bound."""

    def __init__(self, names: tuple[str, ...], bound: int) -> None:
        self._names = names
        self._bound = bound
        self._parts: list[dict[str, AnyArray]] = []
        self.size = 0
        self.dropped = 0

    def update(self, table: PacketTable, rows: I64) -> None:
        """Keep some rows of a table."""
        if rows.size:
            self._append({name: table[name][rows] for name in self._names})

    def merge(self, other: Rows) -> None:
        """Keep the rows of what came later."""
        for part in other._parts:
            self._append(part)
        self.dropped += other.dropped

    def _append(self, part: dict[str, AnyArray]) -> None:
        rows = len(part[self._names[0]])
        room = self._bound - self.size
        if rows > room:
            self.dropped += rows - room
            part = {name: values[:room] for name, values in part.items()}
            rows = room
        if rows:
            self._parts.append(part)
            self.size += rows

    def columns(self, template: dict[str, str]) -> dict[str, AnyArray]:
        """Return the columns; ``template`` gives the dtypes where nothing was kept."""
        if self._parts:
            return {n: np.concatenate([part[n] for part in self._parts]) for n in self._names}
        return {
            n: np.zeros((0, 2), "u8") if template[n] == "2u8" else np.zeros(0, template[n])
            for n in self._names
        }
