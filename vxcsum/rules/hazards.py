"""What is counted for each capture as a whole: artefacts, zeros, sizes, what was cut off."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.algebra import may_be_all_zero
from vxcsum.checksum.status import Reason, Status
from vxcsum.packet.columns import SLOTS, Coverage, Direction, Kind, distinct
from vxcsum.packet.protocols import IPPROTO_TCP, IPPROTO_UDP, VXLAN_RCO
from vxcsum.rules.accumulators import Occurrences
from vxcsum.rules.census import UDP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import I64, AnyArray, Bool

#: VNIs remembered for each capture.
MAX_VNIS = 1024
#: Interfaces remembered for each capture.
MAX_INTERFACES = 1024
# Comparing an array with an enum member costs microseconds more than with a scalar of its dtype.
_ABSENT, _VALID, _ZERO, _PARTIAL, _INVALID = (np.uint8(status) for status in tuple(Status)[:5])
_VXLAN, _PLAIN = np.uint8(Kind.VXLAN), np.uint8(Kind.PLAIN)
_LCO, _TRUNCATED, _FRAGMENT = (
    np.uint8(reason) for reason in (Reason.LCO, Reason.TRUNCATED, Reason.FRAGMENT)
)
_COMPLETE = np.uint8(Coverage.COMPLETE)
_IN, _OUT = np.uint8(Direction.IN), np.uint8(Direction.OUT)
#: Larger than the largest usual MTU with headers: several segments in one frame.
JUMBO_FRAME = 9216 + 64
_ETHERNET_FRAME = 1600
#: Octets behind the packet that no padding explains: the headers are those of one segment.
_LONG_TRAILER = 1000
_LARGEST_GSO = 0xFFFF + 14 + 16 + 50

#: Tunnels over UDP that may leave out the checksum over IPv6 (RFC 6935): VXLAN, Geneve, LISP, MPLS,
#: GUE, AMT, GTP-U.
UDP_TUNNEL_PORTS = (4789, 4790, 8472, 6081, 4341, 6635, 6080, 2268, 2152)


@dataclass(slots=True)
class CaptureEvidence:
    """What is counted for each capture as a whole."""

    partial: Occurrences = field(default_factory=Occurrences)
    outer_partial: Occurrences = field(default_factory=Occurrences)
    inner_partial_outer_valid: Occurrences = field(default_factory=Occurrences)
    truncated: Occurrences = field(default_factory=Occurrences)
    incomplete: Occurrences = field(default_factory=Occurrences)
    superframes: Occurrences = field(default_factory=Occurrences)
    big_tcp: Occurrences = field(default_factory=Occurrences)
    long_trailers: Occurrences = field(default_factory=Occurrences)
    not_vxlan: Occurrences = field(default_factory=Occurrences)
    minus_zero: Occurrences = field(default_factory=Occurrences)
    zero_for_ffff: Occurrences = field(default_factory=Occurrences)
    ipv6_outer_zero: Occurrences = field(default_factory=Occurrences)
    ipv6_inner_zero: Occurrences = field(default_factory=Occurrences)
    remote_offload: Occurrences = field(default_factory=Occurrences)
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

    @classmethod
    def listing(cls, bound: int) -> CaptureEvidence:
        """Return one that keeps the numbers of so many frames of a kind."""
        capture = cls()
        for entry in fields(capture):
            seen = getattr(capture, entry.name)
            if isinstance(seen, Occurrences):
                seen.bound = bound
        return capture

    def merge(self, other: CaptureEvidence) -> None:
        """Add what came later."""
        for entry in fields(self):
            mine, theirs = getattr(self, entry.name), getattr(other, entry.name)
            if isinstance(mine, Occurrences):
                mine.merge(theirs)
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

    def update(self, table: PacketTable, seen: I64, ports: Sequence[int]) -> None:
        """Count what needs a look at single frames, where the histogram says there is any.

        Parameters
        ----------
        table : PacketTable
        seen : int64[vxcsum.rules.census.SHAPE]
            Histogram of the signatures of its frames.
        ports : sequence of int
            UDP ports of VXLAN.
        """
        outer, inner = seen.sum(axis=(0, 1, 2, 4)), seen.sum(axis=(0, 1, 2, 3))
        if outer[Status.PARTIAL] or inner[Status.PARTIAL]:
            _partial(self, table)
        _zeros(self, table, outer=bool(outer[Status.ZERO]), inner=bool(inner[Status.ZERO]))
        _sizes(self, table)
        _order(self, table)
        if outer[Status.UNVERIFIABLE] or inner[Status.UNVERIFIABLE] or _header_cut(table):
            _unverifiable(self, table)
        if seen[Kind.PLAIN, :, UDP].any():
            plain = (table["kind"] == _PLAIN) & (table["inner_protocol"] == IPPROTO_UDP)
            plain &= table["inner_l4_status"] != _ABSENT
            self.not_vxlan.update(table, plain & np.isin(table["inner_dport"], ports))
        remote = (table["vxlan_flags"] & VXLAN_RCO) != 0
        remote &= table["inner_l4_status"] == _PARTIAL  # damage sets the flag alone
        if remote.any():
            self.remote_offload.update(table, remote)
        _places(self, table, tunnelled=bool(seen[Kind.VXLAN].any()))


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


def _header_cut(table: PacketTable) -> bool:
    return bool(table["outer_ip_reason"].any() or table["inner_ip_reason"].any())


def _partial(capture: CaptureEvidence, table: PacketTable) -> None:
    # With remote checksum offload the inner checksum is unfinished on purpose.
    pending = table["inner_l4_status"] == _PARTIAL
    pending &= (table["vxlan_flags"] & VXLAN_RCO) == 0
    outer = table["outer_udp_status"]
    lco = table["outer_udp_reason"] == _LCO
    covered = pending & (outer == _VALID)
    capture.inner_partial_outer_valid.update(table, covered)
    pending &= ~covered
    capture.partial.update(table, pending)
    direction = table["direction"][pending]
    capture.partial_in += int((direction == _IN).sum())
    capture.partial_out += int((direction == _OUT).sum())
    capture.outer_lco += int(lco.sum())
    alone = table["inner_l4_status"] != _PARTIAL
    capture.outer_partial.update(table, (outer == _PARTIAL) & ~lco & alone)


def _unverifiable(capture: CaptureEvidence, table: PacketTable) -> None:
    cut = np.zeros(len(table), np.bool_)
    open_ = np.zeros(len(table), np.bool_)
    for slot in SLOTS:
        cut |= table[f"{slot}_reason"] == _TRUNCATED
        open_ |= table[f"{slot}_reason"] == _FRAGMENT
    capture.incomplete.update(table, open_)
    if cut.any():
        capture.truncated.update(table, cut)
        smallest = int(table["caplen"][cut].min())
        capture.smallest_caplen = min(capture.smallest_caplen or smallest, smallest)
        capture.largest_origlen = max(capture.largest_origlen, int(table["origlen"][cut].max()))


def _zeros(capture: CaptureEvidence, table: PacketTable, *, outer: bool, inner: bool) -> None:
    """Count zeros and minus zeros; ``outer`` and ``inner`` say where there are UDP fields of 0."""
    for slot in ("outer_ip", "inner_ip", "inner_l4"):
        minus = table[f"{slot}_found"] == 0xFFFF
        if minus.any():
            minus &= table[f"{slot}_status"] == _VALID
            if slot == "inner_l4":
                minus &= table["inner_protocol"] != IPPROTO_UDP
                minus &= ~may_be_all_zero(table)
            capture.minus_zero.update(table, minus)
    for slot, there in (("outer_udp", outer), ("inner_l4", inner)):
        if not there:
            continue
        empty = table[f"{slot}_status"] == _ZERO
        exact = empty & (table[f"{slot}_residual"] == 0)
        if exact.any():
            exact &= table[f"{slot}_coverage"] == _COMPLETE
            capture.zero_for_ffff.update(table, exact)
        version = table[f"{slot.partition('_')[0]}_ip_version"]
        over_ipv6 = empty & (version == 6)
        if not over_ipv6.any():
            continue
        if slot == "outer_udp":
            capture.ipv6_outer_zero.update(table, over_ipv6)
        else:
            tunnel = np.isin(table["inner_dport"], UDP_TUNNEL_PORTS)
            illegal = over_ipv6 & (table["kind"] == _VXLAN) & ~tunnel
            capture.ipv6_inner_zero.update(table, illegal)


def _sizes(capture: CaptureEvidence, table: PacketTable) -> None:
    origlen = table["origlen"]
    largest = int(origlen.max())
    capture.largest_frame = max(capture.largest_frame, largest)
    if largest <= _ETHERNET_FRAME:
        return
    pending = table["inner_l4_status"] == _PARTIAL
    big = (origlen > JUMBO_FRAME) | ((origlen > _ETHERNET_FRAME) & pending)
    capture.superframes.update(table, big & (table["inner_protocol"] == IPPROTO_TCP))
    longest = np.maximum(table["inner_length"], table["outer_length"])
    capture.big_tcp.update(table, longest > 0xFFFF + 40)
    capture.long_trailers.update(table, has_long_trailer(table))


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
