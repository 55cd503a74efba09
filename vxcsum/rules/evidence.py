"""What the rules look at: accumulators that take in one table after another.

Each has ``update(table)`` and ``merge(other)``; merging is associative and an empty accumulator is
its neutral element, so blocks may come one by one, in threads, or from several machines. All have
a stated bound, and say in `Evidence.limits` when it was hit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.algebra import difference
from vxcsum.checksum.status import LAYERS, Reason, Status
from vxcsum.packet.columns import SLOTS, Kind
from vxcsum.packet.ip import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP
from vxcsum.rules.base import MAX_FRAME_NUMBERS

if TYPE_CHECKING:
    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import I64, U16, U64, AnyArray, Bool

#: Frames with a wrong checksum that are kept for the rules, over all captures.
MAX_SUSPECTS = 200_000
#: Pairs of outer addresses told apart.
MAX_PAIRS = 4096
#: Handshake packets whose outer checksum is right or absent: they prove recovered ports, and show
#: when a connection got through.
MAX_HANDSHAKES = 50_000
#: Addresses remembered as candidates.
MAX_ADDRESSES = 16_384

_STATUSES = len(Status)
#: How an inner packet is classed: the NAT defects hit the first class and spare the others.
TRANSPORT, ICMP, OTHER = 0, 1, 2
_CLASSES = 3
_CLASS_BY_PROTOCOL = np.full(256, OTHER, np.uint8)
_CLASS_BY_PROTOCOL[[IPPROTO_TCP, IPPROTO_UDP]] = TRANSPORT
_CLASS_BY_PROTOCOL[[IPPROTO_ICMP, IPPROTO_ICMPV6]] = ICMP

SUSPECT_COLUMNS = (
    "capture",
    "frame_number",
    "timestamp",
    "direction",
    "kind",
    "caplen",
    "origlen",
    "vni",
    "outer_ip_version",
    "outer_src",
    "outer_dst",
    "outer_sport",
    "outer_dport",
    "inner_src",
    "inner_dst",
    "inner_protocol",
    "inner_sport",
    "inner_dport",
    "inner_l4_length",
    "tcp_flags",
    "tcp_seq",
    "outer_udp_lco",
    *(f"{slot}_{what}" for slot in SLOTS for what in ("found", "residual", "status", "reason")),
)
HANDSHAKE_COLUMNS = (
    "capture",
    "frame_number",
    "timestamp",
    "tcp_flags",
    "outer_udp_status",
    "outer_src",
    "outer_dst",
    "outer_sport",
    "inner_src",
    "inner_dst",
    "inner_sport",
    "inner_dport",
    "outer_udp_found",
)
_TCP_SYN = 0x02


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
        room = MAX_FRAME_NUMBERS - len(self.numbers)
        times = table["timestamp"][rows].astype(np.int64)
        other = Occurrences(
            frames=int(rows.size),
            numbers=table["frame_number"][rows[:room]].tolist(),
            last_frame=int(table["frame_number"][rows[-1]]),
            first_timestamp=int(times.min()),
            last_timestamp=int(times.max()),
        )
        self.merge(other)

    def merge(self, other: Occurrences) -> None:
        """Add what came later."""
        if not other.frames:
            return
        self.frames += other.frames
        self.numbers += other.numbers[: MAX_FRAME_NUMBERS - len(self.numbers)]
        self.last_frame = other.last_frame
        times = [t for t in (self.first_timestamp, other.first_timestamp) if t is not None]
        self.first_timestamp = min(times)
        times = [t for t in (self.last_timestamp, other.last_timestamp) if t is not None]
        self.last_timestamp = max(times)


@dataclass(slots=True)
class Pair:
    """The VXLAN traffic from one outer address to another, in one capture."""

    counts: I64 = field(default_factory=lambda: np.zeros((_CLASSES, _STATUSES), np.int64))
    #: Source ports that carried a small TCP or UDP packet with a right, non-zero outer checksum.
    good_ports: Bool | None = None

    def merge(self, other: Pair) -> None:
        """Add the traffic of another part of the capture."""
        self.counts = self.counts + other.counts
        if other.good_ports is not None:
            mine = self.good_ports
            self.good_ports = other.good_ports if mine is None else mine | other.good_ports


PairKey = tuple[int, int, int, int, int]  # capture, source halves, destination halves


@dataclass(slots=True)
class CaptureEvidence:
    """What is counted for each capture."""

    partial: Occurrences = field(default_factory=Occurrences)
    outer_lco: int = 0
    outer_partial: int = 0
    directions: list[int] = field(default_factory=lambda: [0, 0, 0])  # of partial frames
    truncated: Occurrences = field(default_factory=Occurrences)
    incomplete: Occurrences = field(default_factory=Occurrences)
    smallest_caplen: int | None = None
    largest_origlen: int = 0
    plain_checked: int = 0

    def merge(self, other: CaptureEvidence) -> None:
        """Add what came later."""
        for name in ("partial", "truncated", "incomplete"):
            getattr(self, name).merge(getattr(other, name))
        self.outer_lco += other.outer_lco
        self.outer_partial += other.outer_partial
        self.directions = [a + b for a, b in zip(self.directions, other.directions, strict=True)]
        smallest = [c for c in (self.smallest_caplen, other.smallest_caplen) if c is not None]
        self.smallest_caplen = min(smallest, default=None)
        self.largest_origlen = max(self.largest_origlen, other.largest_origlen)
        self.plain_checked += other.plain_checked


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
    """Everything the rules look at."""

    def __init__(self) -> None:
        self.layers = np.zeros((len(LAYERS), _STATUSES), np.int64)
        self.kinds = np.zeros(len(Kind), np.int64)
        self.truncated_frames = 0
        self.fragments = 0
        self.pairs: dict[PairKey, Pair] = {}
        self.captures: dict[int, CaptureEvidence] = {}
        self.addresses: set[tuple[int, int]] = set()
        self.suspects = Rows(SUSPECT_COLUMNS, MAX_SUSPECTS)
        self.handshakes = Rows(HANDSHAKE_COLUMNS, MAX_HANDSHAKES)
        self.pairs_dropped = False
        self.addresses_dropped = False

    def update(self, table: PacketTable) -> None:
        """Take in one table; all its frames are of one capture."""
        if not len(table):
            return
        self._count(table)
        capture = int(table["capture"][0])
        self._hazards(table, self.captures.setdefault(capture, CaptureEvidence()))
        vxlan = np.flatnonzero(table["kind"] == Kind.VXLAN)
        if vxlan.size:
            self._pairs(table, vxlan, capture)
        if vxlan.size < len(table):
            self._plain_addresses(table)
        wrong = table["outer_udp_status"] == Status.INVALID
        for slot in ("outer_ip", "inner_ip", "inner_l4"):
            wrong |= table[f"{slot}_status"] == Status.INVALID
        self.suspects.update(table, np.flatnonzero(wrong))

    def merge(self, other: Evidence) -> None:
        """Add the evidence of what came later."""
        self.layers = self.layers + other.layers
        self.kinds = self.kinds + other.kinds
        self.truncated_frames += other.truncated_frames
        self.fragments += other.fragments
        for key, pair in other.pairs.items():
            self._pair(key).merge(pair)
        for number, capture in other.captures.items():
            self.captures.setdefault(number, CaptureEvidence()).merge(capture)
        for address in other.addresses:
            self._remember(address)
        self.suspects.merge(other.suspects)
        self.handshakes.merge(other.handshakes)
        self.pairs_dropped |= other.pairs_dropped
        self.addresses_dropped |= other.addresses_dropped

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
        if self.addresses_dropped:
            said.append(f"only {MAX_ADDRESSES:,} addresses were kept as pre-NAT candidates")
        return said

    def _count(self, table: PacketTable) -> None:
        self.kinds += np.bincount(table["kind"], minlength=len(Kind))
        for number, layer in enumerate(LAYERS.values()):
            rows = table["kind"] == layer.kind
            if layer.protocol is not None:
                rows &= table["inner_protocol"] == layer.protocol
            status = table[f"{layer.slot}_status"][rows]
            self.layers[number] += np.bincount(status, minlength=_STATUSES)
        self.truncated_frames += int((table["caplen"] < table["origlen"]).sum())
        self.fragments += int((table["fragment"] > 0).sum())

    def _hazards(self, table: PacketTable, capture: CaptureEvidence) -> None:
        partial = table["inner_l4_status"] == Status.PARTIAL
        partial |= table["outer_udp_status"] == Status.PARTIAL
        if partial.any():
            capture.partial.update(table, partial)
            lco = (table["outer_udp_reason"] == Reason.LCO).sum()
            capture.outer_lco += int(lco)
            outer = (table["outer_udp_status"] == Status.PARTIAL).sum()
            capture.outer_partial += int(outer - lco)
            seen = np.bincount(table["direction"][partial], minlength=3).tolist()
            capture.directions = [a + b for a, b in zip(capture.directions, seen, strict=True)]
        cut = np.zeros(len(table), np.bool_)
        open_ = np.zeros(len(table), np.bool_)
        for slot in SLOTS:
            cut |= table[f"{slot}_reason"] == Reason.TRUNCATED
            open_ |= table[f"{slot}_reason"] == Reason.FRAGMENT
        if cut.any():
            capture.truncated.update(table, cut)
            smallest = int(table["caplen"][cut].min())
            capture.smallest_caplen = min(capture.smallest_caplen or smallest, smallest)
            largest = int(table["origlen"][cut].max())
            capture.largest_origlen = max(capture.largest_origlen, largest)
        if open_.any():
            capture.incomplete.update(table, open_)
        plain = (table["kind"] == Kind.PLAIN) & (table["inner_l4_status"] != Status.ABSENT)
        capture.plain_checked += int(plain.sum())

    def _pairs(self, table: PacketTable, rows: I64, capture: int) -> None:
        source, destination = table["outer_src"][rows], table["outer_dst"][rows]
        labels, firsts = _labels(source, destination)
        protocol = table["inner_protocol"][rows]
        status = table["outer_udp_status"][rows]
        # A transport header that could not be read belongs to no class of its own.
        classes = _CLASS_BY_PROTOCOL[protocol]
        classes[table["inner_l4_status"][rows] == Status.ABSENT] = OTHER
        cells = _CLASSES * _STATUSES
        code = labels * cells + classes * np.int64(_STATUSES) + status
        counts = np.bincount(code, minlength=len(firsts) * cells)
        counts = counts.reshape(len(firsts), _CLASSES, _STATUSES)

        right = (status == Status.VALID) | (status == Status.PARTIAL)
        small = _small(table, rows) & right if right.any() else right
        ports = table["outer_sport"][rows]
        for label, first in enumerate(firsts):
            src_high, src_low = source[first].tolist()
            dst_high, dst_low = destination[first].tolist()
            pair = self._pair((capture, src_high, src_low, dst_high, dst_low))
            pair.counts = pair.counts + counts[label]
            self._remember((src_high, src_low))
            self._remember((dst_high, dst_low))
            good = ports[small & (labels == label)]
            if good.size:
                if pair.good_ports is None:
                    pair.good_ports = np.zeros(65536, np.bool_)
                pair.good_ports[good] = True
        syn = (table["tcp_flags"][rows] & np.uint8(_TCP_SYN)) != 0
        self.handshakes.update(table, rows[syn & (right | (status == Status.ZERO))])

    def _pair(self, key: PairKey) -> Pair:
        pair = self.pairs.get(key)
        if pair is None:
            if len(self.pairs) >= MAX_PAIRS:
                self.pairs_dropped = True
                key = (key[0], 0, 0, 0, 0)
            pair = self.pairs.setdefault(key, Pair())
        return pair

    def _plain_addresses(self, table: PacketTable) -> None:
        if len(self.addresses) >= MAX_ADDRESSES:
            return
        rows = table["kind"] == Kind.PLAIN
        source, destination = table["inner_src"][rows], table["inner_dst"][rows]
        for first in _labels(source, destination)[1]:
            for address in (source[first], destination[first]):
                self._remember((int(address[0]), int(address[1])))

    def _remember(self, address: tuple[int, int]) -> None:
        if address not in self.addresses:
            if len(self.addresses) >= MAX_ADDRESSES:
                self.addresses_dropped = True
            else:
                self.addresses.add(address)


def _small(table: PacketTable, rows: I64) -> Bool:
    """Packets that are no segment of a superframe: UDP, and TCP without payload."""
    protocol = table["inner_protocol"][rows]
    header = table["tcp_header_length"][rows]
    bare = (table["inner_l4_length"][rows] == header) & (header > 0)
    small: Bool = (protocol == IPPROTO_UDP) | ((protocol == IPPROTO_TCP) & bare)
    return small


def _labels(source: U64, destination: U64) -> tuple[I64, list[int]]:
    """Give the distinct address pairs of some rows numbers; return those and the first rows."""
    key = source[:, 0] * np.uint64(0x9E3779B97F4A7C15) + source[:, 1]
    key ^= (destination[:, 0] * np.uint64(0xC2B2AE3D27D4EB4F) + destination[:, 1]) * np.uint64(
        0x165667B19E3779F9
    )
    labels = np.zeros(key.size, np.int64)
    firsts: list[int] = []
    left = np.arange(key.size)
    while left.size and len(firsts) < 16:  # a few pairs are the rule; sorting costs more
        firsts.append(int(left[0]))
        same = key[left] == key[left[0]]
        labels[left[same]] = len(firsts) - 1
        left = left[~same]
    if left.size:
        _, first, inverse = np.unique(key[left], return_index=True, return_inverse=True)
        labels[left] = inverse + len(firsts)
        firsts += left[first].tolist()
    return labels, firsts


def effective_residual(columns: dict[str, AnyArray]) -> U16:
    """Return the residual of the outer checksum once the inner one is finished.

    Notes
    -----
    With a partial inner checksum the octets captured are not those of the wire; local checksum
    offload is decided from the headers alone. Source: fact sheet, section 1.3 and row d2.
    """
    pending = columns["inner_l4_status"] == Status.PARTIAL
    headers = difference(columns["outer_udp_lco"], columns["inner_l4_found"])
    return np.where(pending, headers, columns["outer_udp_residual"])
