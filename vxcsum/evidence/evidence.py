"""What the rules look at: accumulators that take in one table after another.

Each has ``update`` and ``merge(other)``; merging is associative and an empty accumulator is its
neutral element, so blocks may come one by one, in threads, or from several machines. All have a
stated bound in octets, what is healthy gives way first, and `Evidence.limits` says when one was
hit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.evidence.captures import CaptureEvidence, Seen
from vxcsum.evidence.census import PING, group_pairs, layer_counts, signatures
from vxcsum.evidence.handshakes import MAX_HANDSHAKES, Handshakes
from vxcsum.evidence.occurrences import MAX_FRAME_NUMBERS
from vxcsum.evidence.paths import MAX_PATHS, Paths
from vxcsum.evidence.right import MAX_RIGHT, RightFlows, Variety
from vxcsum.evidence.suspects import MAX_SUSPECTS, Doubtful, Suspects, wrong_frames
from vxcsum.evidence.timeline import HEADER_SHAPE, Timeline
from vxcsum.flow.connections import Connections
from vxcsum.flow.records import COPY_NANOSECONDS
from vxcsum.packet.columns import Kind
from vxcsum.packet.protocols import IPPROTO_ICMP, IPPROTO_ICMPV6

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vxcsum.checksum.table import PacketTable
    from vxcsum.evidence.captures import Count
    from vxcsum.packet.columns import I64, U8

#: Addresses of plain frames remembered as candidates.
MAX_ADDRESSES = 16_384
#: Connections with a repeated SYN that are looked at one by one, those that waited longest.
MAX_WAITS = 50_000
_PLAIN, _VXLAN = np.uint8(Kind.PLAIN), np.uint8(Kind.VXLAN)
#: The first octet of ff00::/8, and what is above the last 28 bits of 224.0.0.0/4, mapped to IPv6.
_GROUP_IPV6, _GROUP_IPV4 = np.uint64(0xFF), np.uint64(0xFFFFE)
#: Types of echo requests and of replies, of ICMP and ICMPv6.
_ECHOES = ((8, 128), (0, 129))


class Evidence:
    """Everything the rules look at.

    Parameters
    ----------
    ports : sequence of int
        The UDP ports of VXLAN.
    engine : {"native", "numpy"}
        The twin that follows connections.
    listed : int
        Frames that a finding names by number at most.
    counts : mapping of str to Count
        What is counted in each capture, by name.
    """

    def __init__(
        self,
        ports: Sequence[int] = (),
        engine: str = "numpy",
        *,
        listed: int = MAX_FRAME_NUMBERS,
        counts: Mapping[str, Count] | None = None,
    ) -> None:
        self.ports = tuple(ports)
        self.listed = listed
        self.connections = Connections(engine)
        self.headers = np.zeros(HEADER_SHAPE, np.int64)
        self.truncated_frames = 0
        self.fragments = 0
        self.timeline = Timeline()
        self.paths = Paths()
        self.right = RightFlows()
        self.variety = Variety()
        self.suspects = Suspects()
        self.doubtful = Doubtful()
        self.handshakes = Handshakes()
        self.captures: dict[int, CaptureEvidence] = {}
        #: Echo requests and replies by path.
        self.echoes: dict[int, list[int]] = {}
        #: Paths with inner multicast: a tunnel sends that to the peers it was given, not learned.
        self.flooded: set[int] = set()
        self.plain_addresses: set[tuple[int, int]] = set()
        self.addresses_dropped = False
        self._counts = counts or {}

    @property
    def layers(self) -> I64:
        """Counts by layer and status, ``int64[12, 6]``."""
        return layer_counts([self.paths.total], self.headers)

    @property
    def addresses(self) -> set[tuple[int, int]]:
        """The outer addresses, and those of plain frames, as 64-bit halves."""
        tunnels = [key for key in self.paths.keys if key.kind == "tunnel"]
        ends = {end for key in tunnels for end in (key.source, key.destination)}
        return ends | self.plain_addresses

    @property
    def kinds(self) -> I64:
        """Frames by kind, ``int64[3]``."""
        return np.asarray(self.headers.sum(axis=(1, 2)))

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
        paths, histogram = self.paths.update(table, code, capture)
        self.right.update(table, paths, code, histogram)
        self.variety.update(table, code, histogram)
        self.timeline.update(table["timestamp"].view(np.int64), (code, histogram), headers)
        seen = Seen(table, histogram)
        self._capture(capture).update(seen, self._counts, self.ports)
        if seen.partial:
            self.doubtful.update(table, paths)
        self._remember(table, histogram)
        self.handshakes.update(table)
        if histogram[:, :, PING].any():
            self._count_echoes(table, paths)
        if histogram[Kind.VXLAN].any():
            self._note_multicast(table, paths)
        wrong = wrong_frames(table)
        if wrong.size:
            self.suspects.update(table, wrong, paths)
        if self.paths.full:
            self._give_way()

    def _capture(self, number: int) -> CaptureEvidence:
        return self.captures.setdefault(number, CaptureEvidence(self.listed))

    def _give_way(self) -> None:
        before = len(self.paths.keys)
        renumbered = self.paths.give_way(self.suspects.paths)
        if len(self.paths.keys) < before:
            right = RightFlows()
            right.merge(self.right, renumbered)
            self.right = right
            echoes, self.echoes = self.echoes, {}
            self._add_echoes(echoes, renumbered)
            self.flooded = {int(renumbered[number]) for number in self.flooded}
            self.suspects.renumber(renumbered)
            self.doubtful.renumber(renumbered)

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

    def _count_echoes(self, table: PacketTable, paths: I64) -> None:
        """Count echo requests and replies by path."""
        protocol = table["inner_protocol"]
        rows = np.flatnonzero((protocol == IPPROTO_ICMP) | (protocol == IPPROTO_ICMPV6))
        kind = table["inner_sport"][rows] >> np.uint16(8)
        for which, kinds in enumerate(_ECHOES):
            mine = paths[rows[np.isin(kind, kinds)]]
            for number, times in zip(*np.unique(mine, return_counts=True), strict=True):
                seen = self.echoes.setdefault(int(number), [0, 0])
                seen[which] += int(times)

    def _note_multicast(self, table: PacketTable, paths: I64) -> None:
        """Note the paths on which inner packets go to a group."""
        high, low = table["inner_dst"][:, 0], table["inner_dst"][:, 1]
        group = (high >> np.uint64(56) == _GROUP_IPV6) | (low >> np.uint64(28) == _GROUP_IPV4)
        if group.any():
            mine = group & (table["kind"] == _VXLAN)
            self.flooded.update(np.unique(paths[mine]).tolist())

    def _remember(self, table: PacketTable, histogram: I64) -> None:
        """Remember the addresses of plain frames."""
        if not histogram[Kind.PLAIN].any() or self.addresses_dropped:
            return
        rows = table["kind"] == _PLAIN
        source, destination = table["inner_src"][rows], table["inner_dst"][rows]
        for members in group_pairs(source, destination):
            for address in (source[members[0]], destination[members[0]]):
                self._address((int(address[0]), int(address[1])))

    def _address(self, address: tuple[int, int]) -> None:
        if address not in self.plain_addresses:
            if len(self.plain_addresses) >= MAX_ADDRESSES:
                self.addresses_dropped = True
            else:
                self.plain_addresses.add(address)

    def _add_echoes(self, echoes: dict[int, list[int]], renumbered: I64) -> None:
        for number, (requests, replies) in echoes.items():
            seen = self.echoes.setdefault(int(renumbered[number]), [0, 0])
            seen[0] += requests
            seen[1] += replies

    def merge(self, other: Evidence) -> None:
        """Add the evidence of what came later."""
        self.headers = self.headers + other.headers
        self.truncated_frames += other.truncated_frames
        self.fragments += other.fragments
        self.timeline.merge(other.timeline)
        renumbered = self.paths.merge(other.paths)
        self._add_echoes(other.echoes, renumbered)
        self.flooded.update(int(renumbered[number]) for number in other.flooded)
        self.right.merge(other.right, renumbered)
        self.variety.merge(other.variety)
        self.suspects.merge(other.suspects, renumbered)
        self.doubtful.merge(other.doubtful, renumbered)
        self.handshakes.merge(other.handshakes)
        for number, capture in other.captures.items():
            self._capture(number).merge(capture)
        for address in sorted(other.plain_addresses):
            self._address(address)
        self.connections.merge(other.connections)
        self.addresses_dropped |= other.addresses_dropped
        if self.paths.full:
            self._give_way()

    @property
    def limits(self) -> list[str]:
        """What was left out because a bound was hit, in sentences."""
        said = []
        if self.suspects.dropped:
            said.append(
                f"more than {MAX_SUSPECTS:,} kinds of wrong packets: a share of them was examined "
                f"for the cause, {self.suspects.dropped:,} frames are counted in the layers alone"
            )
        if self.suspects.unlisted:
            said.append(
                f"{self.suspects.unlisted:,} frames with a wrong checksum are counted, and not "
                "known by number"
            )
        if self.paths.dropped:
            said.append(
                f"more than {MAX_PATHS:,} pairs of outer addresses: {self.paths.dropped:,} without "
                "a wrong frame were put together"
            )
        if self.right.thinned:
            said.append(
                f"more than {MAX_RIGHT:,} kinds of right packets: one in {1 << self.right.thinned} "
                "was kept for comparison"
            )
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
