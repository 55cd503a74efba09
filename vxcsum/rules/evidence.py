"""What the rules look at: accumulators that take in one table after another.

Each has ``update`` and ``merge(other)``; merging is associative and an empty accumulator is its
neutral element, so blocks may come one by one, in threads, or from several machines. All have a
stated bound, and say in `Evidence.limits` when it was hit.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.algebra import difference
from vxcsum.checksum.status import Reason, Status
from vxcsum.packet.columns import SLOTS, Coverage, Direction, Kind
from vxcsum.packet.ip import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP
from vxcsum.rules.base import MAX_FRAME_NUMBERS
from vxcsum.rules.census import (
    CELLS,
    PING,
    SHAPE,
    TRANSPORT,
    UDP,
    Path,
    label_pairs,
    layer_counts,
    signatures,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import I64, U16, AnyArray, Bool

#: Frames with a wrong checksum that are kept for the rules, over all captures.
MAX_SUSPECTS = 200_000
#: Pairs of outer addresses told apart.
MAX_PAIRS = 1024
#: TCP handshake packets kept: they prove recovered ports, and show when a connection got through.
MAX_HANDSHAKES = 50_000
#: VNIs remembered for each capture.
MAX_VNIS = 1024
#: Addresses remembered as candidates.
MAX_ADDRESSES = 16_384

SUSPECT_COLUMNS = (
    "capture",
    "frame_number",
    "timestamp",
    "direction",
    "interface",
    "ifindex",
    "kind",
    "caplen",
    "origlen",
    "vni",
    "vxlan_flags",
    "outer_ip_version",
    "outer_src",
    "outer_dst",
    "outer_sport",
    "outer_dport",
    "outer_udp_length",
    "outer_udp_offset",
    "inner_ip_version",
    "inner_src",
    "inner_dst",
    "inner_protocol",
    "inner_length",
    "inner_sport",
    "inner_dport",
    "inner_l4_length",
    "inner_l4_offset",
    "tcp_flags",
    "tcp_seq",
    "tcp_header_length",
    "outer_udp_lco",
    "outer_udp_pseudo",
    "inner_l4_pseudo",
    *(f"{slot}_{what}" for slot in SLOTS for what in ("found", "residual", "status", "reason")),
)
HANDSHAKE_COLUMNS = (
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
# Comparing an array with an enum member costs microseconds more than with a scalar of its dtype.
_ABSENT, _VALID, _ZERO, _PARTIAL, _INVALID = (np.uint8(status) for status in tuple(Status)[:5])
_VXLAN, _PLAIN = np.uint8(Kind.VXLAN), np.uint8(Kind.PLAIN)
_LCO, _TRUNCATED, _FRAGMENT = (
    np.uint8(reason) for reason in (Reason.LCO, Reason.TRUNCATED, Reason.FRAGMENT)
)
_COMPLETE = np.uint8(Coverage.COMPLETE)
_IN, _OUT = np.uint8(Direction.IN), np.uint8(Direction.OUT)
_TCP_SYN = np.uint8(0x02)
#: Larger than the largest usual MTU with headers: several segments in one frame.
JUMBO_FRAME = 9216 + 64
_ETHERNET_FRAME = 1600
#: Octets behind the packet that no padding explains: the headers are those of one segment.
_LONG_TRAILER = 1000
_LARGEST_GSO = 0xFFFF + 14 + 16 + 50
_RCO_FLAG = np.uint16(0x0020)

#: Tunnels over UDP that may leave out the checksum over IPv6 (RFC 6935): VXLAN, Geneve, LISP, MPLS,
#: GUE, AMT, GTP-U.
UDP_TUNNEL_PORTS = (4789, 4790, 8472, 6081, 4341, 6635, 6080, 2268, 2152)

RIGHT = (Status.VALID, Status.PARTIAL)

PairKey = tuple[int, int, int, int, int]  # capture, source halves, destination halves


def plain_key(capture: int) -> PairKey:
    """Return the key of the path of all frames that are not VXLAN."""
    return (capture, 0, 0, 0, 0)


@dataclass(slots=True)
class Occurrences:
    """How often something was seen, and in which frames."""

    frames: int = 0
    numbers: list[int] = field(default_factory=list)
    last_frame: int | None = None
    first_timestamp: int | None = None
    last_timestamp: int | None = None

    def update(self, table: PacketTable, mask: Bool) -> None:
        """Count the frames of a mask."""
        rows = np.flatnonzero(mask)
        if not rows.size:
            return
        times = table["timestamp"][rows].astype(np.int64)
        self.merge(
            Occurrences(
                frames=int(rows.size),
                numbers=table["frame_number"][rows[:MAX_FRAME_NUMBERS]].tolist(),
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
        self.numbers += other.numbers[: MAX_FRAME_NUMBERS - len(self.numbers)]
        self.last_frame = other.last_frame
        firsts = [t for t in (self.first_timestamp, other.first_timestamp) if t is not None]
        lasts = [t for t in (self.last_timestamp, other.last_timestamp) if t is not None]
        self.first_timestamp, self.last_timestamp = min(firsts), max(lasts)


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
    interfaces: set[tuple[int, int]] = field(default_factory=set)
    vnis: set[int] = field(default_factory=set)

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
        known = [c for c in (self.smallest_caplen, other.smallest_caplen) if c]
        self.smallest_caplen = min(known, default=0)
        self.interfaces |= other.interfaces
        self.vnis = set(sorted(self.vnis | other.vnis)[:MAX_VNIS])


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


class Evidence:
    """Everything the rules look at.

    Parameters
    ----------
    ports : sequence of int
        The UDP ports of VXLAN, to notice packets on them that are none.
    """

    def __init__(self, ports: Sequence[int] = ()) -> None:
        self.ports = tuple(ports)
        self.headers = np.zeros((len(Kind), len(Status), len(Status)), np.int64)
        self.truncated_frames = 0
        self.fragments = 0
        self.paths: dict[PairKey, Path] = {}
        self.captures: dict[int, CaptureEvidence] = {}
        self.addresses: set[tuple[int, int]] = set()
        self.suspects = Rows(SUSPECT_COLUMNS, MAX_SUSPECTS)
        self.handshakes = Rows(HANDSHAKE_COLUMNS, MAX_HANDSHAKES)
        self.pairs_dropped = False
        self.addresses_dropped = False

    @property
    def layers(self) -> I64:
        """Counts by layer and status, ``int64[12, 6]``."""
        return layer_counts((path.histogram for path in self.paths.values()), self.headers)

    def update(self, table: PacketTable) -> None:
        """Take in one table; all its frames are of one capture."""
        if not len(table):
            return
        capture = int(table["capture"][0])
        code = signatures(table)
        self._headers(table)
        self.truncated_frames += int(np.count_nonzero(table["caplen"] < table["origlen"]))
        self.fragments += int(np.count_nonzero(table["fragment"]))
        seen = self._paths(table, code, capture)
        self._hazards(table, seen, self.captures.setdefault(capture, CaptureEvidence()))
        self.handshakes.update(table, np.flatnonzero((table["tcp_flags"] & _TCP_SYN) != 0))
        wrong = np.zeros(len(table), np.bool_)
        for slot in SLOTS:
            wrong |= table[f"{slot}_status"] == _INVALID
        if wrong.any():
            self.suspects.update(table, np.flatnonzero(wrong))

    def _headers(self, table: PacketTable) -> None:
        code = (table["kind"] * np.uint8(6) + table["outer_ip_status"]) * np.uint8(6)
        code += table["inner_ip_status"]
        cells = self.headers.ravel()
        if (code == code[0]).all():
            cells[code[0]] += code.size
        else:
            cells += np.bincount(code, minlength=cells.size)

    def merge(self, other: Evidence) -> None:
        """Add the evidence of what came later."""
        self.headers = self.headers + other.headers
        self.truncated_frames += other.truncated_frames
        self.fragments += other.fragments
        for key, path in other.paths.items():
            self._path(key).merge(path)
        for number, capture in other.captures.items():
            self.captures.setdefault(number, CaptureEvidence()).merge(capture)
        for address in sorted(other.addresses):
            self._remember(address)
        self.suspects.merge(other.suspects)
        self.handshakes.merge(other.handshakes)
        self.pairs_dropped |= other.pairs_dropped
        self.addresses_dropped |= other.addresses_dropped

    @property
    def kinds(self) -> I64:
        """Frames by kind, ``int64[3]``."""
        return np.asarray(self.headers.sum(axis=(1, 2)))

    @property
    def limits(self) -> list[str]:
        """What was left out because a bound was hit, in sentences."""
        said = []
        if self.suspects.dropped:
            said.append(
                f"only the first {MAX_SUSPECTS:,} frames with a wrong checksum were examined for "
                f"their cause; {self.suspects.dropped:,} more are counted in the layers alone"
            )
        if self.pairs_dropped:
            said.append(f"more than {MAX_PAIRS:,} pairs of outer addresses: the rest share one")
        if self.handshakes.dropped:
            said.append(f"only the first {MAX_HANDSHAKES:,} TCP handshake packets were kept")
        if self.addresses_dropped:
            said.append(f"only {MAX_ADDRESSES:,} addresses were kept as pre-NAT candidates")
        return said

    def _paths(self, table: PacketTable, code: U16, capture: int) -> I64:
        """Add the frames to their paths; return the histogram of all of them."""
        total = np.zeros(SHAPE, np.int64)
        vxlan = table["kind"] == _VXLAN
        if not vxlan.all():
            plain = np.flatnonzero(~vxlan)
            total += self._add_path(plain_key(capture), table, plain, code[plain])
            self._plain_addresses(table)
            rows = np.flatnonzero(vxlan)
            if not rows.size:
                return total
            source, destination = table["outer_src"][rows], table["outer_dst"][rows]
        else:
            rows = np.arange(len(table))
            source, destination = table["outer_src"], table["outer_dst"]
        labels, firsts = label_pairs(source, destination)
        order = np.argsort(labels, kind="stable") if len(firsts) > 1 else rows
        ends = np.cumsum(np.bincount(labels)).tolist()
        for first, start, stop in zip(firsts, [0, *ends], ends, strict=False):
            src_high, src_low = source[first].tolist()
            dst_high, dst_low = destination[first].tolist()
            self._remember((src_high, src_low))
            self._remember((dst_high, dst_low))
            mine = rows if len(firsts) == 1 else rows[order[start:stop]]
            key = (capture, src_high, src_low, dst_high, dst_low)
            total += self._add_path(key, table, mine, code[mine])
        return total

    def _add_path(self, key: PairKey, table: PacketTable, rows: I64, code: U16) -> I64:
        path = self._path(key)
        seen = np.bincount(code, minlength=CELLS).reshape(SHAPE)
        path.histogram += seen
        if seen[:, :, PING].any():
            protocol = table["inner_protocol"][rows]
            ping = (protocol == IPPROTO_ICMP) | (protocol == IPPROTO_ICMPV6)
            kind = table["inner_sport"][rows[ping]] >> np.uint16(8)
            path.echo_requests += int(((kind == 8) | (kind == 128)).sum())
            path.echo_replies += int(((kind == 0) | (kind == 129)).sum())
        if seen[:, :, TRANSPORT][:, :, :, RIGHT].any():
            status = table["outer_udp_status"][rows]
            right = (status == _VALID) | (status == _PARTIAL)
            if path.good_ports is None:
                path.good_ports = np.zeros(65536, np.bool_)
            path.good_ports[table["outer_sport"][rows[right & _small(table, rows)]]] = True
        length = table["inner_l4_length"][rows]
        longer = length > path.largest_good
        if longer.any():
            tcp = longer & (table["inner_protocol"][rows] == IPPROTO_TCP)
            tcp &= table["inner_l4_status"][rows] == _VALID
            path.largest_good = max(path.largest_good, int(length[tcp].max(initial=0)))
        return seen

    def _path(self, key: PairKey) -> Path:
        path = self.paths.get(key)
        if path is None:
            if len(self.paths) >= MAX_PAIRS and key != plain_key(key[0]):
                self.pairs_dropped = True
                key = (key[0], -1, -1, -1, -1)
            path = self.paths.setdefault(key, Path())
        return path

    def _plain_addresses(self, table: PacketTable) -> None:
        if len(self.addresses) >= MAX_ADDRESSES:
            return
        rows = table["kind"] == _PLAIN
        source, destination = table["inner_src"][rows], table["inner_dst"][rows]
        for first in label_pairs(source, destination)[1]:
            for address in (source[first], destination[first]):
                self._remember((int(address[0]), int(address[1])))

    def _remember(self, address: tuple[int, int]) -> None:
        if address not in self.addresses:
            if len(self.addresses) >= MAX_ADDRESSES:
                self.addresses_dropped = True
            else:
                self.addresses.add(address)

    def _hazards(self, table: PacketTable, seen: I64, capture: CaptureEvidence) -> None:
        """Count what needs a look at single frames, where the histogram says there is any."""
        outer, inner = seen.sum(axis=(0, 1, 2, 4)), seen.sum(axis=(0, 1, 2, 3))
        if outer[Status.PARTIAL] or inner[Status.PARTIAL]:
            _partial(capture, table)
        _zeros(capture, table, outer=bool(outer[Status.ZERO]), inner=bool(inner[Status.ZERO]))
        _sizes(capture, table)
        if outer[Status.UNVERIFIABLE] or inner[Status.UNVERIFIABLE] or self._header_cut(table):
            _unverifiable(capture, table)
        if seen[Kind.PLAIN, :, UDP].any():
            plain = (table["kind"] == _PLAIN) & (table["inner_protocol"] == IPPROTO_UDP)
            plain &= table["inner_l4_status"] != _ABSENT
            capture.not_vxlan.update(table, plain & np.isin(table["inner_dport"], self.ports))
        remote = (table["vxlan_flags"] & _RCO_FLAG) != 0
        remote &= table["inner_l4_status"] == _PARTIAL  # damage sets the flag alone
        if remote.any():
            capture.remote_offload.update(table, remote)
        _places(capture, table, tunnelled=bool(seen[Kind.VXLAN].any()))

    @staticmethod
    def _header_cut(table: PacketTable) -> bool:
        return bool(table["outer_ip_reason"].any() or table["inner_ip_reason"].any())


def _partial(capture: CaptureEvidence, table: PacketTable) -> None:
    # With remote checksum offload the inner checksum is unfinished on purpose.
    pending = table["inner_l4_status"] == _PARTIAL
    pending &= (table["vxlan_flags"] & _RCO_FLAG) == 0
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
        new = {int(vni[0])} if (vni == vni[0]).all() else set(np.unique(vni)[:MAX_VNIS].tolist())
        capture.vnis |= new
    ifindex, interface = table["ifindex"], table["interface"]
    if ifindex.any() or interface.any():
        both = np.unique(np.column_stack((interface, ifindex)), axis=0)[:64].tolist()
        capture.interfaces |= {(a, b) for a, b in both}


def has_long_trailer(table: Mapping[str, AnyArray]) -> Bool:
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


def _small(table: PacketTable, rows: I64) -> Bool:
    """Packets that are no segment of a superframe: UDP, and TCP without payload."""
    protocol = table["inner_protocol"][rows]
    header = table["tcp_header_length"][rows]
    bare = (table["inner_l4_length"][rows] == header) & (header > 0)
    small: Bool = (protocol == IPPROTO_UDP) | ((protocol == IPPROTO_TCP) & bare)
    return small


def effective_residual(columns: dict[str, AnyArray]) -> U16:
    """Return the residual of the outer checksum once the inner one is finished.

    Notes
    -----
    With a partial inner checksum the octets captured are not those of the wire; local checksum
    offload is decided from the headers alone. Source: fact sheet, section 1.3 and row d2.
    """
    pending = columns["inner_l4_status"] == _PARTIAL
    headers = difference(columns["outer_udp_lco"], columns["inner_l4_pseudo"])
    return np.where(pending, headers, columns["outer_udp_residual"])
