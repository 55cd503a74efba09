"""Which wrong checksums kept a connection from being established."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.flow.records import COPY_NANOSECONDS
from vxcsum.packet.columns import Kind
from vxcsum.packet.protocols import IPPROTO_TCP
from vxcsum.rules import prices
from vxcsum.rules.connections import connection_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vxcsum.flow.table import FlowTable
    from vxcsum.packet.columns import AnyArray
    from vxcsum.rules.context import Context
    from vxcsum.rules.model import Finding

_SYN, _RST, _ACK = np.uint8(0x02), np.uint8(0x04), np.uint8(0x10)


class Blame:
    """What is wrong with the frames of handshakes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        s = context.suspects
        rows = np.flatnonzero(
            (context.blame >= 0)
            & (s["inner_protocol"] == IPPROTO_TCP)
            & ((s["tcp_flags"] & (_SYN | _RST)) != 0)
        )
        answers = (s["tcp_flags"][rows] & _ACK) != 0
        columns: dict[str, AnyArray] = {"capture": s["capture"][rows]}
        for one, other in (("inner_src", "inner_dst"), ("inner_sport", "inner_dport")):
            here, there = s[one][rows], s[other][rows]
            turned = answers[:, None] if here.ndim == 2 else answers
            columns[one], columns[other] = np.where(turned, (there, here), (here, there))
        #: Suspects with SYN or RST that an error explains, by connection from client to server:
        #: time and row, in order.
        self._suspects: dict[bytes, list[tuple[int, int]]] = {}
        keys = dict(zip(rows.tolist(), connection_keys(columns), strict=True))
        entries = context.entries[np.isin(context.entries["suspect"], rows)]
        for row, time in zip(entries["suspect"].tolist(), entries["time"].tolist(), strict=True):
            self._suspects.setdefault(keys[row], []).append((time, row))
        for same_ends in self._suspects.values():
            same_ends.sort()
        h = context.handshakes
        cut = h["outer_udp_status"] == Status.UNVERIFIABLE
        cut |= h["inner_l4_status"] == Status.UNVERIFIABLE
        self._unverifiable = set(
            zip(h["capture"][cut].tolist(), h["frame_number"][cut].tolist(), strict=True)
        )
        #: Errors by the frames they list: not all of these have a checksum that is invalid.
        self._named = {
            (error.capture_number, frame): number
            for number, error in enumerate(context.errors)
            for frame in error.frame_numbers
        }

    def _is_of(self, row: int, one: FlowTable) -> bool:
        """Tell whether a suspect of the same ends is of this connection, and not of another one."""
        s = self._context.suspects
        both = int(one.field("kind")[0]) == s["kind"][row] == Kind.VXLAN
        if both and int(one.field("vni")[0]) != s["vni"][row]:
            return False
        opens = (s["tcp_flags"][row] & (_SYN | _ACK)) == _SYN
        return not opens or int(one.field("isn")[0]) == s["tcp_seq"][row]

    def unverified(self, capture: int, frames: Sequence[int]) -> int:
        """Return how many of some SYNs have a checksum that could not be verified."""
        return sum((capture, frame) in self._unverifiable for frame in frames)

    def cause_of(
        self, one: FlowTable, attempts: Sequence[tuple[int, int]], established: int | None
    ) -> tuple[Finding | None, int]:
        """Return what explains most of the failed attempts, and how many of them it explains.

        An attempt, given by time and frame number, failed for a wrong checksum if an error is about
        its SYN, or about an answer before the next one.
        """
        context, explained = self._context, dict[int, int]()
        ends = one.field("address")[0], one.field("port")[0]
        capture = one.field("capture")
        (key,) = connection_keys(
            {
                "capture": capture,
                "inner_src": ends[0][:1],
                "inner_dst": ends[0][1:],
                "inner_sport": ends[1][:1],
                "inner_dport": ends[1][1:],
            }
        )
        starts = [time for time, _ in attempts]
        until = int(one.field("last")[0]) + COPY_NANOSECONDS if established is None else established
        same_ends = self._suspects.get(key, [])
        first = bisect_left(same_ends, (min(starts, default=until), -1))
        for time, row in same_ends[first : bisect_left(same_ends, (until, -1))]:
            if self._is_of(row, one):
                which = bisect_right(starts, time) - 1
                explained.setdefault(which, int(context.blame[row]))
        for which, (_, frame) in enumerate(attempts):
            named = self._named.get((int(capture[0]), frame))
            if named is not None:
                explained.setdefault(which, named)
        if not explained or len(explained) < prices.MIN_SHARE_OF_ATTEMPTS * len(attempts):
            return None, len(explained)
        error, _ = Counter(explained.values()).most_common(1)[0]
        return context.errors[error], len(explained)
