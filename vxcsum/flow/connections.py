"""Connections: the accumulator that follows the connections of the tables it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.flow.records import CONNECTION, MAX_CONNECTIONS, MAX_SEGMENT, State
from vxcsum.flow.table import FlowTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from vxcsum.flow.records import Columns, Records
    from vxcsum.packet.columns import I64, AnyArray

#: Retransmitted SYNs that are kept one by one, over all captures.
MAX_SYNS = 200_000
#: What is kept of a retransmitted SYN.
SYN = np.dtype(
    [
        ("connection", "i8"),
        ("timestamp", "i8"),
        ("frame_number", "i8"),
        ("outer_sport", "u2"),
    ]
)


def _follow_of(engine: str) -> Callable[[Columns, State], tuple[I64, I64]]:
    if engine == "native":
        from vxcsum.flow import native

        return native.follow
    from vxcsum.flow import vectorized

    return vectorized.follow


class Connections:
    """Takes in tables, and tells the connections of their frames in the order of the first ones.

    Parameters
    ----------
    engine : {"native", "numpy"}
        The twin that follows them; nothing in the result depends on it.
    bound : int
        Connections followed at most. Frames of further ones are counted in ``untracked``.

    Notes
    -----
    Tables of one capture come in order. `merge` takes what was made of other captures, or of later
    parts of the same ones; what spans such a border is two connections.
    """

    def __init__(self, engine: str = "numpy", bound: int = MAX_CONNECTIONS) -> None:
        self._follow = _follow_of(engine)
        self._bound = bound
        self._state: State | None = None
        self._syns: list[AnyArray] = []
        self._syn_count = 0
        self.syns_dropped = 0

    def update(self, table: Columns) -> None:
        """Take in one table."""
        if self._state is None:
            self._state = State(self._bound)
        rows, connections = self._follow(table, self._state)
        if rows.size:
            syns = np.zeros(rows.size, SYN)
            syns["connection"] = connections
            for name in ("timestamp", "frame_number", "outer_sport"):
                syns[name] = table[name][rows]
            self._keep(syns)

    def merge(self, other: Connections) -> None:
        """Add the connections of other captures, or of later parts of the same ones."""
        if other._state is None:
            return
        if self._state is None:
            self._state = State(self._bound)
        mine, new = self._state, other._state
        taken = min(new.count, self._bound - mine.count)
        mine.memory[mine.count : mine.count + taken] = new.connections[:taken]
        for syns in other._syns:
            shifted = syns[syns["connection"] < taken].copy()
            shifted["connection"] += mine.count
            self._keep(shifted)
        mine.count += taken
        lost = new.connections[taken:]["from"]["frames"].sum()
        mine.untracked += new.untracked + int(lost)
        mine.segments += new.segments
        self.syns_dropped += other.syns_dropped

    def _keep(self, syns: AnyArray) -> None:
        kept = syns[: MAX_SYNS - self._syn_count]
        self.syns_dropped += len(syns) - len(kept)
        if len(kept):
            self._syns.append(kept)
            self._syn_count += len(kept)

    @property
    def records(self) -> Records:
        """The connections, `vxcsum.flow.records.CONNECTION`."""
        return np.zeros(0, CONNECTION) if self._state is None else self._state.connections

    @property
    def table(self) -> FlowTable:
        """The connections as columns."""
        return FlowTable(self.records)

    @property
    def syns(self) -> AnyArray:
        """The SYNs that repeat an earlier one, `SYN`."""
        return np.concatenate(self._syns) if self._syns else np.zeros(0, SYN)

    @property
    def segments(self) -> I64:
        """TCP segments with payload by octets of it, ``int64[2, MAX_SEGMENT + 1]``.

        The first row has those outside of VXLAN, the second those inside.
        """
        if self._state is None:
            return np.zeros((2, MAX_SEGMENT + 1), np.int64)
        return self._state.segments

    @property
    def limits(self) -> list[str]:
        """What was left out because a bound was hit, in sentences."""
        said = []
        if self._state is not None and self._state.untracked:
            said.append(
                f"only the first {self._bound:,} connections were followed; "
                f"{self._state.untracked:,} frames belong to others"
            )
        if self.syns_dropped:
            said.append(f"only the first {MAX_SYNS:,} retransmitted SYNs were kept one by one")
        return said
