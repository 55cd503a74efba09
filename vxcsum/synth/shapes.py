"""What healthy traffic looks like: rows of frames, which the bulk writer repeats."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vxcsum.synth.packet import ACK, ICMP, ICMPV6, PSH, TCP, UDP, Packet, ip, lco
from vxcsum.synth.sums import none, partial, right

if TYPE_CHECKING:
    from collections.abc import Iterator

_SERVER = {TCP: 443, UDP: 53}
_OPTIONS = bytes.fromhex("0101080a0000000100000002")  # of TCP: timestamps


@dataclass(frozen=True, slots=True)
class Slot:
    """One frame of a row. Its flow is that of the slots of the same number."""

    payload: int
    protocol: int = TCP
    flow: int = 0
    back: bool = False
    outer: int = 4
    inner: int = 4
    vlan: bool = False
    checksum: bool = False
    """Whether the outer UDP checksum is there; it is 0 otherwise."""
    plain: bool = False
    """Without a tunnel."""
    unfinished: bool = False
    """As its sender's capture shows it: checksums left to the device."""

    @property
    def header(self) -> int:
        """Octets of the transport header."""
        return 20 + len(_OPTIONS) if self.protocol == TCP else 8

    def template(self) -> Packet:
        """Return the packet with 0 for its ports, identification, numbers and payload."""
        nodes, pods = self._nodes(), self._pods()
        if self.back:
            nodes, pods = nodes[::-1], pods[::-1]
        p = Packet(
            *pods,
            self.protocol,
            self._transport() + bytes(self.payload),
            *nodes,
            sport=0,
            vni=100 + self.flow,
            ident=0,
            outer=right if self.checksum else none,
            plain=self.plain,
            tags=(100,) if self.vlan else (),
        )
        if self.unfinished and p.transport:
            p = p.but(inner=partial)
            p = p.but(outer=lco(p)) if self.checksum else p
        elif self.unfinished and self.checksum:
            p = p.but(outer=partial)
        return p

    def _transport(self) -> bytes:
        server = _SERVER.get(self.protocol, 0)
        ports = (server, 0) if self.back else (0, server)
        if self.protocol == TCP:
            flags = PSH | ACK if self.payload else ACK
            head = struct.pack(">HHIIBBHHH", *ports, 0, 0, 8 << 4, flags, 502, 0, 0)
            return head + _OPTIONS
        if self.protocol == UDP:
            return struct.pack(">HHHH", *ports, 8 + self.payload, 0)
        request, reply = (8, 0) if self.protocol == ICMP else (128, 129)
        return struct.pack(">BBHHH", reply if self.back else request, 0, 0, 0, 0)

    def _nodes(self) -> tuple[bytes, bytes]:
        """Nodes that compute checksums are not those that do not."""
        pair = 2 * self.checksum + self.unfinished
        if self.outer == 4:
            return ip(f"198.18.{pair}.11"), ip(f"198.18.{pair}.12")
        return ip(f"2001:db8:{pair}::11"), ip(f"2001:db8:{pair}::12")

    def _pods(self) -> tuple[bytes, bytes]:
        if self.inner == 4:
            return ip(f"10.200.{self.flow}.21"), ip(f"10.201.{self.flow}.22")
        return ip(f"fd00:200:{self.flow}::21"), ip(f"fd00:201:{self.flow}::22")


def _talk(slot: Slot, segments: int, answers: int = 1) -> Iterator[Slot]:
    """Yield segments of one size and their acknowledgements."""
    for number in range(answers):
        yield from [slot] * (segments // answers)
        if number == answers - 1:
            yield from [slot] * (segments % answers)
        yield replace(slot, payload=0, back=True)


def _ask(slot: Slot, answer: int) -> Iterator[Slot]:
    """Yield a question and its answer."""
    yield slot
    yield replace(slot, payload=answer, back=True)


def _full(outer: int = 4, inner: int = 4) -> int:
    """Return the payload of a TCP segment that fills a frame of 1,514 octets."""
    head = {4: 20, 6: 40}
    return 1500 - head[outer] - 30 - head[inner] - 32


_SHAPES = {
    "mixed": [
        *_talk(Slot(_full(), flow=1), 12, 4),
        *_talk(Slot(_full(), flow=2, checksum=True), 12, 4),
        *_talk(Slot(_full(4, 6), flow=3, inner=6), 4),
        *_talk(Slot(_full(6, 6), flow=4, inner=6, outer=6, checksum=True), 4),
        *_talk(Slot(_full(), flow=5, vlan=True), 4, 2),
        *_ask(Slot(121, flow=6), 300),
        *_ask(Slot(86, flow=7, checksum=True), 977),
        *_ask(Slot(43, UDP, flow=8), 91),
        *_ask(Slot(38, UDP, flow=9, checksum=True), 154),
        *_ask(Slot(44, UDP, flow=10, inner=6), 120),
        *_ask(Slot(56, ICMP, flow=1), 56),
        *_ask(Slot(57, ICMP, flow=2, checksum=True), 57),
        *_ask(Slot(56, ICMPV6, flow=3, inner=6), 56),
        *_ask(Slot(56, ICMP, flow=5, vlan=True), 56),
    ],
    "large": [
        *_talk(Slot(_full(), flow=1), 8, 2),
        *_talk(Slot(_full(), flow=2, checksum=True), 8, 2),
    ],
    "summed": [
        *_talk(Slot(_full(), flow=2, checksum=True), 8, 2),
        *_talk(Slot(_full(6, 6), flow=4, inner=6, outer=6, checksum=True), 4),
        *_ask(Slot(86, flow=7, checksum=True), 977),
        *_ask(Slot(38, UDP, flow=9, checksum=True), 154),
        *_ask(Slot(57, ICMP, flow=2, checksum=True), 57),
        *_ask(Slot(56, ICMPV6, flow=4, inner=6, outer=6, checksum=True), 56),
    ],
    "small": [
        each
        for size in range(1, 13)
        for each in _ask(Slot(size, flow=size, checksum=size % 2 == 1), 13 - size)
    ],
    "ipv6": [
        *_talk(Slot(_full(6, 6), flow=1, inner=6, outer=6, checksum=True), 8, 2),
        *_talk(Slot(_full(6, 4), flow=2, outer=6, checksum=True), 8, 2),
        *_ask(Slot(61, UDP, flow=3, inner=6, outer=6, checksum=True), 120),
        *_ask(Slot(56, ICMPV6, flow=1, inner=6, outer=6, checksum=True), 56),
    ],
    "plain": [
        *_talk(Slot(1448, flow=1, plain=True), 8, 2),
        *_talk(Slot(1428, flow=2, plain=True, inner=6), 8, 2),
        *_ask(Slot(43, UDP, flow=3, plain=True), 91),
        *_ask(Slot(56, ICMP, flow=1, plain=True), 56),
        *_ask(Slot(56, ICMPV6, flow=2, plain=True, inner=6), 56),
    ],
    "sender": [
        *_talk(Slot(_full(), flow=1, unfinished=True), 4),
        *_talk(Slot(16 * _full(), flow=2, unfinished=True), 2),
        *_ask(Slot(43, UDP, flow=3, unfinished=True), 91),
        *_ask(Slot(56, ICMP, flow=1, unfinished=True), 56),
        *_talk(Slot(_full(), flow=4, unfinished=True, checksum=True), 4),
        *_ask(Slot(56, ICMP, flow=4, unfinished=True, checksum=True), 56),
    ],
}
# What a capture on the sending host shows of the other side's packets is finished.
_SHAPES["sender"] = [
    replace(slot, unfinished=slot.unfinished and not slot.back) for slot in _SHAPES["sender"]
]
#: Rows of frames by name. ``mixed`` has all but ``plain`` and ``sender``, mostly frames of 1.5 kB;
#: in ``summed`` no checksum is left out.
SHAPES: dict[str, tuple[Slot, ...]] = {name: tuple(row) for name, row in _SHAPES.items()}
#: Rules that find something to say of a shape, though nothing is wrong: severity info.
SAID_OF = {"sender": ("VX201", "VX203", "VX903")}
