"""TCP handshake packets: they prove recovered ports, and show when a connection got through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.table import STORED_COLUMNS

if TYPE_CHECKING:
    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import AnyArray

#: Handshake packets kept, about 120 octets each.
MAX_HANDSHAKES = 50_000
COLUMNS = (
    "capture",
    "frame_number",
    "timestamp",
    "direction",
    "interface",
    "ifindex",
    "kind",
    "tcp_flags",
    "tcp_seq",
    "outer_src",
    "outer_dst",
    "outer_sport",
    "inner_src",
    "inner_dst",
    "inner_sport",
    "inner_dport",
    "outer_udp_found",
    "outer_udp_status",
    "inner_l4_status",
)
_SYN = np.uint8(0x02)


class Handshakes:
    """TCP packets with SYN, in order, up to a bound."""

    def __init__(self) -> None:
        self._parts: list[dict[str, AnyArray]] = []
        self.size = 0
        self.dropped = 0

    def update(self, table: PacketTable) -> None:
        """Keep the handshake packets of a table."""
        rows = np.flatnonzero((table["tcp_flags"] & _SYN) != 0)
        if rows.size:
            self._keep({name: table[name][rows] for name in COLUMNS})

    def merge(self, other: Handshakes) -> None:
        """Keep those of what came later."""
        for part in other._parts:
            self._keep(part)
        self.dropped += other.dropped

    def _keep(self, part: dict[str, AnyArray]) -> None:
        rows = len(part["capture"])
        room = MAX_HANDSHAKES - self.size
        if rows > room:
            self.dropped += rows - room
            part = {name: values[:room] for name, values in part.items()}
            rows = room
        if rows:
            self._parts.append(part)
            self.size += rows

    def columns(self) -> dict[str, AnyArray]:
        """Return the columns of all that were kept."""
        if self._parts:
            return {n: np.concatenate([part[n] for part in self._parts]) for n in COLUMNS}
        return {
            n: np.zeros((0, 2), "u8")
            if STORED_COLUMNS[n] == "2u8"
            else np.zeros(0, STORED_COLUMNS[n])
            for n in COLUMNS
        }
