"""What is counted for each capture as a whole: what rules count, sizes, order, interfaces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Reason, Status
from vxcsum.evidence.occurrences import MAX_FRAME_NUMBERS, Occurrences
from vxcsum.packet.columns import SLOTS, Direction, Kind, distinct
from vxcsum.packet.protocols import IPPROTO_TCP, VXLAN_RCO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import I64, AnyArray, Bool

#: VNIs remembered for each capture.
MAX_VNIS = 1024
#: Interfaces remembered for each capture.
MAX_INTERFACES = 1024
#: Larger than the largest usual MTU with headers: several segments in one frame.
JUMBO_FRAME = 9216 + 64
ETHERNET_FRAME = 1600
#: Octets behind the packet that no padding explains: the headers are those of one segment.
_LONG_TRAILER = 1000
_LARGEST_GSO = 0xFFFF + 14 + 16 + 50
_VXLAN, _INVALID = np.uint8(Kind.VXLAN), np.uint8(Status.INVALID)
_TRUNCATED, _LCO = np.uint8(Reason.TRUNCATED), np.uint8(Reason.LCO)
_IN, _OUT = np.uint8(Direction.IN), np.uint8(Direction.OUT)


class Seen:
    """A table, and what the histogram of its signatures says of it at once."""

    def __init__(self, table: PacketTable, histogram: I64) -> None:
        self.table = table
        self.histogram = histogram
        self.outer: I64 = histogram.sum(axis=(0, 1, 2, 4))
        self.inner: I64 = histogram.sum(axis=(0, 1, 2, 3))
        self.largest = int(table["origlen"].max())

    @property
    def partial(self) -> bool:
        """Whether there is an unfinished checksum."""
        return bool(self.outer[Status.PARTIAL] or self.inner[Status.PARTIAL])

    @property
    def unverifiable(self) -> bool:
        """Whether there is a checksum that cannot be verified, of any slot."""
        if self.outer[Status.UNVERIFIABLE] or self.inner[Status.UNVERIFIABLE]:
            return True
        return bool(self.table["outer_ip_reason"].any() or self.table["inner_ip_reason"].any())

    @property
    def large(self) -> bool:
        """Whether there is a frame larger than those of Ethernet."""
        return self.largest > ETHERNET_FRAME


@dataclass(frozen=True, slots=True)
class Count:
    """What a rule counts.

    Attributes
    ----------
    frames : callable
        Table -> ``bool[n]``.
    when : callable
        Whether a table can have such frames, told by its histogram: a look at all rows costs time.
    to_ports : bool
        Only those to a UDP port of VXLAN.
    """

    frames: Callable[[PacketTable], Bool]
    when: Callable[[Seen], bool]
    to_ports: bool = False


@dataclass(slots=True)
class CaptureEvidence:
    """What is counted for each capture as a whole."""

    listed: int = MAX_FRAME_NUMBERS
    counts: dict[str, Occurrences] = field(default_factory=dict)
    outer_lco: int = 0
    largest_frame: int = 0
    partial_in: int = 0
    partial_out: int = 0
    smallest_caplen: int = 0
    largest_origlen: int = 0
    latest: dict[int, int] = field(default_factory=dict)  # by interface, ns since 1970
    disorder: int = 0  # ns that a frame is earlier than one of its interface before it, at most
    interfaces: set[tuple[int, int]] = field(default_factory=set)
    vnis: set[int] = field(default_factory=set)

    def seen(self, name: str) -> Occurrences:
        """Return what was counted under a name."""
        return self.counts.get(name) or Occurrences(bound=self.listed)

    def _counted(self, name: str) -> Occurrences:
        return self.counts.setdefault(name, Occurrences(bound=self.listed))

    def merge(self, other: CaptureEvidence) -> None:
        """Add what came later."""
        for name, theirs in other.counts.items():
            self._counted(name).merge(theirs)
        self.outer_lco += other.outer_lco
        self.partial_in += other.partial_in
        self.partial_out += other.partial_out
        self.largest_frame = max(self.largest_frame, other.largest_frame)
        self.largest_origlen = max(self.largest_origlen, other.largest_origlen)
        for interface, time in other.latest.items():
            self.latest[interface] = max(self.latest.get(interface, time), time)
        self.disorder = max(self.disorder, other.disorder)
        known = [c for c in (self.smallest_caplen, other.smallest_caplen) if c]
        self.smallest_caplen = min(known, default=0)
        self.interfaces = set(sorted(self.interfaces | other.interfaces)[:MAX_INTERFACES])
        self.vnis = set(sorted(self.vnis | other.vnis)[:MAX_VNIS])

    def update(self, seen: Seen, counts: Mapping[str, Count], ports: Sequence[int]) -> None:
        """Count what needs a look at single frames, where the histogram says there is any."""
        table = seen.table
        for name, count in counts.items():
            if count.when(seen):
                mask = count.frames(table)
                if count.to_ports:
                    mask &= np.isin(table["inner_dport"], ports)
                if mask.any():
                    self._counted(name).update(table, mask)
        self.largest_frame = max(self.largest_frame, seen.largest)
        if seen.partial:
            pending = unfinished(table)
            direction = table["direction"][pending]
            self.partial_in += int((direction == _IN).sum())
            self.partial_out += int((direction == _OUT).sum())
            self.outer_lco += int((table["outer_udp_reason"] == _LCO).sum())
        if seen.unverifiable:
            self._cut(table)
        _order(self, table)
        _places(self, table, tunnelled=bool(seen.histogram[Kind.VXLAN].any()))

    def _cut(self, table: PacketTable) -> None:
        cut = any_reason(table, _TRUNCATED)
        if cut.any():
            smallest = int(table["caplen"][cut].min())
            self.smallest_caplen = min(self.smallest_caplen or smallest, smallest)
            self.largest_origlen = max(self.largest_origlen, int(table["origlen"][cut].max()))


def unfinished(table: PacketTable) -> Bool:
    """Return which frames have an inner checksum that a device would still finish.

    With remote checksum offload it is unfinished on purpose; under an outer checksum that is right
    for the octets as they are, nobody will finish it (VX204).
    """
    pending: Bool = table["inner_l4_status"] == np.uint8(Status.PARTIAL)
    pending &= (table["vxlan_flags"] & VXLAN_RCO) == 0
    pending &= table["outer_udp_status"] != np.uint8(Status.VALID)
    return pending


def any_reason(table: PacketTable, reason: AnyArray | np.uint8) -> Bool:
    """Return which frames have a checksum that cannot be verified for a reason."""
    out = np.zeros(len(table), np.bool_)
    for slot in SLOTS:
        out |= table[f"{slot}_reason"] == reason
    return out


def has_long_trailer(table: PacketTable | Mapping[str, AnyArray]) -> Bool:
    """Return which TCP frames are much longer than their headers say, ``bool[n]``."""
    vxlan = table["kind"] == _VXLAN
    start = np.where(vxlan, table["outer_udp_offset"], table["inner_l4_offset"])
    length = np.where(vxlan, table["outer_udp_length"], table["inner_l4_length"])
    origlen = table["origlen"].astype(np.int64)
    trailing = origlen - start - length > _LONG_TRAILER
    plausible = (start > 0) & (origlen <= _LARGEST_GSO) & (length > 0)
    plausible &= table["inner_ip_status"] != _INVALID
    long: Bool = trailing & plausible & (table["inner_protocol"] == IPPROTO_TCP)
    return long


def _order(capture: CaptureEvidence, table: PacketTable) -> None:
    every, interfaces = table["timestamp"].view(np.int64), table["interface"]
    numbers = distinct(interfaces).tolist()
    for number in numbers:  # several are captured side by side, each in its order
        times = every if len(numbers) == 1 else every[interfaces == number]
        latest = capture.latest.get(number, int(times[0]))
        in_order = not (times[1:] < times[:-1]).any()
        capture.latest[number] = max(latest, int(times[-1] if in_order else times.max()))
        if int(times[0]) < latest or not in_order:
            reached = np.maximum(np.maximum.accumulate(times), latest)
            capture.disorder = max(capture.disorder, int((reached - times).max()))


def _places(capture: CaptureEvidence, table: PacketTable, *, tunnelled: bool) -> None:
    """Note interfaces and VNIs."""
    if tunnelled and len(capture.vnis) < MAX_VNIS:
        vni = table["vni"]
        if (table["kind"] != _VXLAN).any():
            vni = vni[table["kind"] == _VXLAN]
        new = {int(vni[0])} if (vni == vni[0]).all() else set(distinct(vni)[:MAX_VNIS].tolist())
        capture.vnis = set(sorted(capture.vnis | new)[:MAX_VNIS])
    ifindex, interface = table["ifindex"], table["interface"]
    if ifindex.any() or interface.any():
        both = distinct(interface.astype(np.int64) << 32 | ifindex)[:MAX_INTERFACES]
        seen = capture.interfaces | {(one >> 32, one & 0xFFFFFFFF) for one in both.tolist()}
        capture.interfaces = set(sorted(seen)[:MAX_INTERFACES])
