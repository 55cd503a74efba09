"""What the rules look at: accumulators that take in one table after another.

Each has ``update`` and ``merge(other)``; merging is associative and an empty accumulator is its
neutral element, so blocks may come one by one, in threads, or from several machines. All have a
stated bound, and say in `Evidence.limits` when it was hit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.algebra import difference
from vxcsum.checksum.status import Status
from vxcsum.flow.connections import Connections
from vxcsum.flow.records import COPY_NANOSECONDS
from vxcsum.packet.columns import SLOTS, Kind
from vxcsum.packet.protocols import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP
from vxcsum.rules.accumulators import Rows
from vxcsum.rules.base import MAX_FRAME_NUMBERS
from vxcsum.rules.census import (
    CELLS,
    PING,
    SHAPE,
    TRANSPORT,
    Path,
    group_pairs,
    layer_counts,
    signatures,
)
from vxcsum.rules.hazards import CaptureEvidence
from vxcsum.rules.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import I64, U8, U16, U32, AnyArray, Bool

#: Frames with a wrong checksum that are kept for the rules, over all captures.
MAX_SUSPECTS = 200_000
#: Pairs of outer addresses told apart.
MAX_PAIRS = 1024
#: TCP handshake packets kept: they prove recovered ports, and show when a connection got through.
MAX_HANDSHAKES = 50_000
#: Connections with a repeated SYN that are looked at one by one, those that waited longest.
MAX_WAITS = 50_000
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
_VALID, _PARTIAL, _INVALID = (
    np.uint8(status) for status in (Status.VALID, Status.PARTIAL, Status.INVALID)
)
_ZERO = np.uint8(Status.ZERO)
_VXLAN, _PLAIN = np.uint8(Kind.VXLAN), np.uint8(Kind.PLAIN)
_TCP_SYN = np.uint8(0x02)
_ALL = slice(None)  # rows without a copy
RIGHT = (Status.VALID, Status.PARTIAL)

#: Capture, halves of the source, halves of the destination, UDP destination port.
PairKey = tuple[int, int, int, int, int, int]


def plain_key(capture: int) -> PairKey:
    """Return the key of the path of all frames that are not VXLAN."""
    return (capture, 0, 0, 0, 0, 0)


def overflow_key(capture: int) -> PairKey:
    """Return the key of the path that all pairs beyond `MAX_PAIRS` share."""
    return (capture, -1, -1, -1, -1, -1)


class Evidence:
    """Everything the rules look at.

    Parameters
    ----------
    ports : sequence of int
        The UDP ports of VXLAN, to notice packets on them that are none.
    engine : {"native", "numpy"}
        The twin that follows connections.
    listed : int
        Frames that a finding names by number at most.
    """

    def __init__(
        self,
        ports: Sequence[int] = (),
        engine: str = "numpy",
        *,
        listed: int = MAX_FRAME_NUMBERS,
    ) -> None:
        self.ports = tuple(ports)
        self.listed = listed
        self.connections = Connections(engine)
        self.headers = np.zeros((len(Kind), len(Status), len(Status)), np.int64)
        self.truncated_frames = 0
        self.fragments = 0
        self.timeline = Timeline()
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
        self.connections.update(table)
        code = signatures(table)
        headers = self._headers(table)
        self.truncated_frames += int(np.count_nonzero(table["caplen"] < table["origlen"]))
        self.fragments += int(np.count_nonzero(table["fragment"]))
        seen = self._paths(table, code, capture)
        self.timeline.update(table["timestamp"].view(np.int64), (code, seen), headers)
        self._capture(capture).update(table, seen, self.ports)
        self.handshakes.update(table, np.flatnonzero((table["tcp_flags"] & _TCP_SYN) != 0))
        wrong = np.zeros(len(table), np.bool_)
        for slot in SLOTS:
            wrong |= table[f"{slot}_status"] == _INVALID
        if wrong.any():
            self.suspects.update(table, np.flatnonzero(wrong))

    def _capture(self, number: int) -> CaptureEvidence:
        return self.captures.setdefault(number, CaptureEvidence.listing(self.listed))

    def _headers(self, table: PacketTable) -> tuple[U8, I64]:
        """Count the statuses of IP headers; return the cell of each frame, and the counts."""
        code = (table["kind"] * np.uint8(6) + table["outer_ip_status"]) * np.uint8(6)
        code += table["inner_ip_status"]
        seen = np.zeros_like(self.headers)
        if (code == code[0]).all():
            seen.flat[code[0]] = code.size
        else:
            seen += np.bincount(code, minlength=seen.size).reshape(seen.shape)
        self.headers += seen
        return code, seen

    def merge(self, other: Evidence) -> None:
        """Add the evidence of what came later."""
        self.headers = self.headers + other.headers
        self.truncated_frames += other.truncated_frames
        self.fragments += other.fragments
        self.timeline.merge(other.timeline)
        for key, path in other.paths.items():
            self._path(key).merge(path)
        for number, capture in other.captures.items():
            self._capture(number).merge(capture)
        for address in sorted(other.addresses):
            self._remember(address)
        self.suspects.merge(other.suspects)
        self.handshakes.merge(other.handshakes)
        self.connections.merge(other.connections)
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
        said += self.connections.limits
        disorder = max((capture.disorder for capture in self.captures.values()), default=0)
        if disorder > COPY_NANOSECONDS and self.connections.records.size:
            said.append(
                f"records are up to {disorder / 1e9:.3g} s out of the order of their times: what "
                "is said of waits and retransmissions may be wrong (reordercap sorts them)"
            )
        flows = self.connections.table
        waited = int(np.count_nonzero((flows.field("begun") == 1) & (flows.field("syns") > 1)))
        if waited > MAX_WAITS:
            said.append(
                f"of {waited:,} connections that repeated their SYN, the {MAX_WAITS:,} that waited "
                "longest were examined"
            )
        return said

    def _paths(self, table: PacketTable, code: U16, capture: int) -> I64:
        """Add the frames to their paths; return the histogram of all of them."""
        vxlan = table["kind"] == _VXLAN
        if vxlan.all():
            return self._tunnelled(table, _ALL, code, capture)
        plain = np.flatnonzero(~vxlan)
        seen = self._add_path(plain_key(capture), table, plain, code)
        self._plain_addresses(table)
        rows = np.flatnonzero(vxlan)
        return seen + self._tunnelled(table, rows, code, capture) if rows.size else seen

    def _tunnelled(self, table: PacketTable, rows: I64 | slice, code: U16, capture: int) -> I64:
        total = np.zeros(SHAPE, np.int64)
        source, destination = table["outer_src"][rows], table["outer_dst"][rows]
        port = table["outer_dport"][rows]
        groups = group_pairs(source, destination, port)
        further: list[I64] = []
        for members in groups:
            first = int(members[0])
            src_high, src_low = source[first].tolist()
            dst_high, dst_low = destination[first].tolist()
            self._remember((src_high, src_low))
            self._remember((dst_high, dst_low))
            mine = members if isinstance(rows, slice) else rows[members]
            key = (capture, src_high, src_low, dst_high, dst_low, int(port[first]))
            if len(self.paths) >= MAX_PAIRS and key not in self.paths:
                further.append(mine)
            else:
                total += self._add_path(key, table, rows if len(groups) == 1 else mine, code)
        if further:  # they share one path
            total += self._add_path(overflow_key(capture), table, np.concatenate(further), code)
        return total

    def _add_path(self, key: PairKey, table: PacketTable, rows: I64 | slice, code: U16) -> I64:
        path = self._path(key)
        seen: I64 = np.bincount(code[rows], minlength=CELLS).reshape(SHAPE)
        path.histogram += seen
        if seen[:, :, PING].any():
            protocol = table["inner_protocol"][rows]
            ping = (protocol == IPPROTO_ICMP) | (protocol == IPPROTO_ICMPV6)
            kind = table["inner_sport"][rows][ping] >> np.uint16(8)
            path.echo_requests += int(((kind == 8) | (kind == 128)).sum())
            path.echo_replies += int(((kind == 0) | (kind == 129)).sum())
        length = table["inner_l4_length"][rows]
        if seen[:, :, TRANSPORT][:, :, :, RIGHT].any():
            status = table["outer_udp_status"][rows]
            right = (status == _VALID) | (status == _PARTIAL)
            right &= _small(table["inner_protocol"][rows], table["tcp_header_length"][rows], length)
            path.add_good_ports(table["outer_sport"][rows][right])
        if int(length.max(initial=0)) > path.largest_good:
            tcp = table["inner_protocol"][rows] == IPPROTO_TCP
            tcp &= table["inner_l4_status"][rows] == _VALID
            path.largest_good = max(path.largest_good, int(length[tcp].max(initial=0)))
        return seen

    def _path(self, key: PairKey) -> Path:
        path = self.paths.get(key)
        if path is None:
            if len(self.paths) >= MAX_PAIRS and key != plain_key(key[0]):
                self.pairs_dropped = True
                key = overflow_key(key[0])
            path = self.paths.setdefault(key, Path())
        return path

    def _plain_addresses(self, table: PacketTable) -> None:
        if len(self.addresses) >= MAX_ADDRESSES:
            return
        rows = table["kind"] == _PLAIN
        source, destination = table["inner_src"][rows], table["inner_dst"][rows]
        for members in group_pairs(source, destination):
            for address in (source[members[0]], destination[members[0]]):
                self._remember((int(address[0]), int(address[1])))

    def _remember(self, address: tuple[int, int]) -> None:
        if address not in self.addresses:
            if len(self.addresses) >= MAX_ADDRESSES:
                self.addresses_dropped = True
            else:
                self.addresses.add(address)


def _small(protocol: U8, header: U8, length: U32) -> Bool:
    """Packets that are no segment of a superframe: UDP, and TCP without payload."""
    bare = (length == header) & (header > 0)
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
