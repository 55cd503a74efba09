"""Whether senders left cutting and summing to a device: an audit by pair of nodes and direction.

A host that offloads shows it where its packets are captured before the device: unfinished checksums
and superframes. Behind the device nothing of it is left, so their absence alone proves nothing.
Sources: Linux Documentation/networking/segmentation-offloads.rst, checksum-offloads.rst.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.packet.columns import Direction, Kind
from vxcsum.packet.protocols import IPPROTO_TCP

if TYPE_CHECKING:
    from vxcsum.flow.table import FlowTable
    from vxcsum.packet.columns import I64, U64, AnyArray

#: Segments with payload that make a bulk transfer, and their octets on average: a sender that may
#: leave cutting to a device has had reason to.
MIN_SEGMENTS = 50
MIN_OCTETS = 500
#: The largest connections that together carry this share of a transfer's octets set its time.
_MOST = 0.9
#: Segments are of one size if their average is this share of the largest.
_ALIKE = 0.9
#: A sender that leaves checksums to a device does so for most packets. Of those that are cut short
#: and cannot be summed, two in 65,536 look like it.
_UNFINISHED_SHARE = 0.01
_COUNTS = (
    "frames",
    "data_frames",
    "octets",
    "repeated_octets",
    "damaged_octets",
    "superframes",
    "partial",
    "valid",
    "invalid",
)
#: The largest usual MTU.
JUMBO_FRAME = 9216
#: Directions that are told apart, those with the most octets.
MAX_TRANSFERS = 1000


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
    unfinished_back: bool
    """Whether checksums of the other direction were left to a device."""
    outgoing: bool | None
    """Whether the capture says that its host sent all of it, or received it; None where it says
    neither."""
    goodput: float | None
    """Bits a second: payload without repetitions of all connections, while those flowed that carry
    nine tenths of it."""

    @property
    def unfinished(self) -> bool:
        """Whether more checksums are unfinished than chance makes look so in frames cut short."""
        return bool(_unfinished(self.partial, self.frames))

    @property
    def bulk(self) -> bool:
        """Whether enough was sent to tell how it was cut."""
        return self.data_frames >= MIN_SEGMENTS and self.octets >= MIN_OCTETS * self.data_frames

    @property
    def cut(self) -> bool:
        """Whether much was sent, and all of it in segments that fit the wire."""
        return self.bulk and (not self.superframes or self._jumbo)

    @property
    def _jumbo(self) -> bool:
        """Whether what looks like superframes are segments of a large MTU, all of one size."""
        alike = self.octets >= _ALIKE * self.largest_segment * self.data_frames
        return self.largest_segment < JUMBO_FRAME and alike

    @property
    def checksum_offload(self) -> bool | None:
        """Whether the sender left checksums to a device; None where that cannot be seen."""
        if self.unfinished:
            return True
        return False if self.outgoing and self.bulk else None

    @property
    def segmentation_offload(self) -> bool | None:
        """Whether the sender left cutting to a device; None where that cannot be seen."""
        if not (self.unfinished or self.outgoing):
            return None
        if self.superframes and not self._jumbo:
            return True
        return False if self.cut else None


def transfers(flows: FlowTable, *, limit: int = MAX_TRANSFERS) -> list[Transfer]:
    """Return what nodes sent each other, the most octets first, at most ``limit`` directions."""
    tcp = np.flatnonzero(flows.field("protocol") == IPPROTO_TCP)
    rows, ends = np.tile(tcp, 2), np.repeat(np.array([0, 1]), tcp.size)
    sent = flows.field("from")
    _, labels = np.unique(_keys(flows, tcp), return_inverse=True)
    if not labels.size:
        return []
    octets = np.bincount(labels, sent["octets"][rows, ends])
    unfinished = _unfinished(
        np.bincount(labels, sent["partial"][rows, ends]),
        np.bincount(labels, sent["frames"][rows, ends]),
    )
    opposite = np.roll(labels, tcp.size)
    order = np.argsort(labels, kind="stable")
    stops = np.cumsum(np.bincount(labels))
    out = []
    for label in np.argsort(-octets, kind="stable")[:limit].tolist():
        mine = order[stops[label - 1] if label else 0 : stops[label]]
        part = rows[mine], ends[mine]
        if sent["frames"][part].any():
            out.append(_transfer(flows, part, back=bool(unfinished[opposite[mine[0]]])))
    return out


def _keys(flows: FlowTable, tcp: I64) -> U64:
    """Return a number for the direction of both ends of some connections, ``uint64[2 n]``."""
    inside = flows.field("kind")[tcp] == Kind.VXLAN
    place = np.zeros(tcp.size, np.uint64)
    for name in ("capture", "kind", "interface", "ifindex", "side"):
        place = _mixed(place, flows.field(name)[tcp])
    keys = []
    for sender, receiver in ((0, 1), (1, 0)):
        key = place
        for end in (sender, receiver):
            node = "outer_src" if end == 0 else "outer_dst"
            for half in (0, 1):
                plain = flows.field("address")[tcp, end, half]
                key = _mixed(key, np.where(inside, flows.field(node)[tcp, half], plain))
        keys.append(key)
    return np.concatenate(keys)


def _mixed(key: U64, values: AnyArray) -> U64:
    key = (key ^ values.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    mixed: U64 = key ^ (key >> np.uint64(29))
    return mixed


def _unfinished(partial: Any, frames: Any) -> Any:
    return (partial > 0) & (partial >= _UNFINISHED_SHARE * frames)


def _transfer(flows: FlowTable, part: tuple[I64, I64], *, back: bool) -> Transfer:
    sent = flows.field("from")
    total = {name: int(sent[name][part].sum(dtype=np.int64)) for name in _COUNTS}
    row, end = int(part[0][0]), int(part[1][0])
    kind = Kind(int(flows.field("kind")[row]))
    if kind == Kind.VXLAN:
        nodes = [flows.field(name)[row].tolist() for name in ("outer_src", "outer_dst")]
    else:
        nodes = flows.field("address")[row].tolist()
    sender, receiver = nodes[end], nodes[1 - end]
    return Transfer(
        capture=int(flows.field("capture")[row]),
        kind=kind,
        interface=(int(flows.field("interface")[row]), int(flows.field("ifindex")[row])),
        sender=(sender[0], sender[1]),
        receiver=(receiver[0], receiver[1]),
        new_octets=total["octets"] - total.pop("repeated_octets") - total.pop("damaged_octets"),
        largest_segment=int(sent["largest"][part].max()),
        unfinished_back=back,
        outgoing=_outgoing(sent["directions"][part]),
        goodput=_goodput(sent, part),
        **total,
    )


def _outgoing(directions: AnyArray) -> bool | None:
    seen = int(np.bitwise_or.reduce(directions))
    return {1 << Direction.OUT: True, 1 << Direction.IN: False}.get(seen)


def _goodput(sent: AnyArray, part: tuple[I64, I64]) -> float | None:
    """Return bits a second; chatter before and after a transfer does not stretch its time.

    Notes
    -----
    The time is that of the largest connections which together carry nine tenths of the octets, and
    of others as large as the smallest of these. What all connections sent in that time counts: of
    those that began before or ended after it the part that falls into it, as if they were even.
    """
    octets: I64 = sent["octets"][part] - sent["repeated_octets"][part]
    octets -= sent["damaged_octets"][part]
    some = octets > 0
    octets = octets[some]
    if not octets.size:
        return None
    first, last = (sent[name][part][some].astype(np.int64) for name in ("first_data", "last_data"))
    sizes = np.sort(octets)[::-1]
    total = np.cumsum(sizes)
    large = octets >= sizes[np.searchsorted(total, _MOST * int(total[-1]))]
    start, stop = int(first[large].min()), int(last[large].max())
    if stop <= start:
        return None
    within = np.minimum(last, stop) - np.maximum(first, start)
    # A connection of one data frame lasts no time: it is inside as a whole, or not at all.
    parts = np.where(last > first, within / np.maximum(last - first, 1), within >= 0)
    return float((octets * np.clip(parts, 0, 1)).sum()) * 8e9 / (stop - start)
