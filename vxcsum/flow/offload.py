"""Whether senders left cutting and summing to a device: an audit by pair of nodes and direction.

A host that offloads shows it where its packets are captured before the device: unfinished checksums
and superframes. Behind the device nothing of it is left, so their absence alone proves nothing.
Sources: Linux Documentation/networking/segmentation-offloads.rst, checksum-offloads.rst.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.grouping import group_labels, grouped
from vxcsum.packet.columns import Kind
from vxcsum.packet.ip import IPPROTO_TCP

if TYPE_CHECKING:
    from vxcsum.flow.table import FlowTable
    from vxcsum.packet.columns import I64, AnyArray

#: Segments with payload that make a bulk transfer, and their octets on average: a sender that may
#: leave cutting to a device has had reason to.
MIN_SEGMENTS = 100
MIN_OCTETS = 500
#: A connection belongs to a transfer if it carries this share of the octets of the largest one.
_SHARE = 0.1
_COUNTS = ("frames", "data_frames", "octets", "repeated_octets", "superframes")
_STATUSES = ("partial", "valid", "invalid")


@dataclass(frozen=True, slots=True)
class Transfer:
    """TCP from one node to another in one capture, at one interface."""

    capture: int
    kind: Kind
    interface: tuple[int, int]  # of pcapng, of Linux cooked v2
    sender: tuple[int, int]  # outer address; outside of VXLAN that of the packet
    receiver: tuple[int, int]
    frames: int
    data_frames: int
    octets: int
    new_octets: int
    superframes: int
    largest_segment: int
    partial: int
    valid: int
    invalid: int
    partial_back: int  # in the other direction
    goodput: float | None
    """Bits a second: payload without repetitions, from the first data frame to the last, of the
    connections with at least a tenth of what the largest one carries."""

    @property
    def bulk(self) -> bool:
        """Whether enough was sent to tell how it was cut."""
        return self.data_frames >= MIN_SEGMENTS and self.octets >= MIN_OCTETS * self.data_frames

    @property
    def checksum_offload(self) -> bool | None:
        """Whether the sender left checksums to a device; None where that cannot be seen."""
        return True if self.partial else None

    @property
    def segmentation_offload(self) -> bool | None:
        """Whether the sender left cutting to a device; None where that cannot be seen."""
        if self.partial and self.superframes:
            return True
        if self.partial and self.bulk:
            return False
        return None


def transfers(flows: FlowTable) -> list[Transfer]:
    """Return what nodes sent each other, the most octets first."""
    tcp = np.flatnonzero(flows.field("protocol") == IPPROTO_TCP)
    if not tcp.size:
        return []
    some = flows[tcp]
    kind, plain = some.field("kind"), some.field("kind") != Kind.VXLAN
    address = some.field("address")
    sides: list[AnyArray] = [
        np.where(plain[:, None], address[:, 0], some.field("outer_src")),
        np.where(plain[:, None], address[:, 1], some.field("outer_dst")),
    ]
    columns = [np.concatenate([some.field(n)] * 2) for n in ("capture", "interface", "ifindex")]
    sender, receiver = np.concatenate(sides), np.concatenate(sides[::-1])
    labels = group_labels(*columns, np.concatenate([kind] * 2), sender, receiver)
    sent = some.field("from")
    both = np.concatenate([sent[:, 0], sent[:, 1]])
    partial = np.bincount(labels, both["partial"])
    back = labels[(np.arange(labels.size) + tcp.size) % labels.size]
    out = []
    for rows in grouped(labels):
        part = both[rows]
        if not part["frames"].any():
            continue
        first = int(rows[0])
        octets = int(part["octets"].sum())
        out.append(
            Transfer(
                capture=int(columns[0][first]),
                kind=Kind(int(kind[first % tcp.size])),
                interface=(int(columns[1][first]), int(columns[2][first])),
                sender=(int(sender[first, 0]), int(sender[first, 1])),
                receiver=(int(receiver[first, 0]), int(receiver[first, 1])),
                frames=int(part["frames"].sum()),
                data_frames=int(part["data_frames"].sum()),
                octets=octets,
                new_octets=octets - int(part["repeated_octets"].sum()),
                superframes=int(part["superframes"].sum()),
                largest_segment=int(part["largest"].max()),
                partial=int(part["partial"].sum()),
                valid=int(part["valid"].sum()),
                invalid=int(part["invalid"].sum()),
                partial_back=int(partial[back[first]]),
                goodput=_goodput(part),
            )
        )
    return sorted(out, key=lambda transfer: -transfer.octets)


def _goodput(part: AnyArray) -> float | None:
    """Return bits a second; chatter before and after a transfer does not stretch its time."""
    octets: I64 = part["octets"] - part["repeated_octets"]
    if not octets.any():
        return None
    large = part[(octets > 0) & (octets >= _SHARE * int(octets.max()))]
    lasted = int(large["last_data"].max()) - int(large["first_data"].min())
    if lasted <= 0:
        return None
    return int((large["octets"] - large["repeated_octets"]).sum()) * 8e9 / lasted
