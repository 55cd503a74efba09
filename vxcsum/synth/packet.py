"""Packets built from octets, and one place in each where a mistake can be made."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from vxcsum.synth.sums import constant, pseudo_header, put, right

if TYPE_CHECKING:
    from collections.abc import Callable

    from vxcsum.synth.sums import Routine

ICMP, TCP, UDP, ICMPV6, ARP = 1, 6, 17, 58, 0
FIELD = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}
SYN, ACK, PSH, FIN = 2, 16, 8, 1
ETHERNET, SLL, SLL2 = 1, 113, 276


def ip(text: str) -> bytes:
    """Return the octets of an address."""
    return ipaddress.ip_address(text).packed


@dataclass
class Packet:
    """One packet in a tunnel, or without one where ``plain``."""

    src: bytes
    dst: bytes
    protocol: int
    segment: bytes  # field 0; for ARP all that follows the Ethernet header
    node_src: bytes
    node_dst: bytes
    sport: int
    dport: int = 4789
    vni: int = 4096
    time: float = 0.0
    inner: Routine = right
    outer: Routine = right
    plain: bool = False
    ident: int = 1
    padding: bytes = b""  # behind the inner packet
    trailer: bytes = b""  # behind the outer one
    options: bytes = b""  # IPv4 options
    extensions: tuple[tuple[int, bytes], ...] = ()  # IPv6: kind, octets after the first
    final: bytes | None = None  # destination for the pseudo-header
    flags: int = 0x08
    header: Routine = right  # the outer IPv4 header, or the only one
    inner_header: Routine = right
    tags: tuple[int, ...] = ()
    mac: bytes = bytes.fromhex("0a580af40105")
    direction: int = 0  # SLL: 0 to this host, 4 from it
    interface: int = 2
    cut: int = 0  # octets captured, where not all
    edit: Callable[[bytes], bytes] | None = None  # of the finished frame
    fragments: bool = False  # sent as two IP fragments
    later_lost: bool = False  # of which only the first was captured
    marks: dict[str, Any] = field(default_factory=dict)

    def but(self, **changes: Any) -> Packet:
        """Return a copy with other values, and marks of its own."""
        return replace(self, **{"marks": dict(self.marks), **changes})

    @property
    def transport(self) -> bool:
        """Whether it is TCP or UDP."""
        return self.protocol in (TCP, UDP)

    @property
    def payload(self) -> bytes:
        """What follows the transport header."""
        at = {TCP: 20, UDP: 8, ICMP: 8, ICMPV6: 8, ARP: 28}[self.protocol]
        return self.segment[at:]

    @property
    def tcp_flags(self) -> int:
        """The flags of TCP; 0 where it is none."""
        return self.segment[13] if self.protocol == TCP else 0


def finished(protocol: int, pseudo: bytes, segment: bytes, routine: Routine) -> bytes:
    """Return a segment with its checksum; UDP sends 0xffff for a right 0."""
    value = routine(pseudo, segment)
    if protocol == UDP and value == 0 and routine is right:
        value = 0xFFFF
    return put(segment, FIELD[protocol], value)


def ip_packet(
    payload: bytes,
    protocol: int,
    src: bytes,
    dst: bytes,
    *,
    ident: int = 1,
    options: bytes = b"",
    extensions: tuple[tuple[int, bytes], ...] = (),
    header: Routine = right,
    length: int | None = None,
    fragment: int = 0,
) -> bytes:
    """Return an IPv4 packet, or an IPv6 packet with its extension headers."""
    if len(src) == 4:
        total = 20 + len(options) + len(payload) if length is None else length
        first = 0x45 + len(options) // 4
        head = struct.pack(">BBHHHBBH", first, 0, total, ident, fragment, 64, protocol, 0)
        head += src + dst + options
        return put(head, 10, header(b"", head)) + payload
    kinds = [kind for kind, _ in extensions] + [protocol]
    chain = b"".join(
        bytes([after]) + octets for after, (_, octets) in zip(kinds[1:], extensions, strict=True)
    )
    total = len(chain) + len(payload) if length is None else length
    total = 0 if total > 0xFFFF else total  # BIG TCP
    return struct.pack(">IHBB", 6 << 28, total, kinds[0], 64) + src + dst + chain + payload


def inner_packet(p: Packet) -> bytes:
    """Return the packet of a pod."""
    if p.protocol == ARP:
        return p.segment
    pseudo = pseudo_header(p.src, p.final or p.dst, p.protocol, len(p.segment))
    segment = finished(p.protocol, pseudo, p.segment, p.inner)
    return ip_packet(
        segment,
        p.protocol,
        p.src,
        p.dst,
        ident=p.ident,
        options=p.options,
        extensions=p.extensions,
        header=p.header if p.plain else p.inner_header,
    )


def ethertype(p: Packet) -> int:
    """Return the EtherType of the packet of a pod."""
    if p.protocol == ARP:
        return 0x0806
    return 0x0800 if len(p.src) == 4 else 0x86DD


def vxlan(p: Packet, packet: bytes) -> bytes:
    """Return what the outer UDP datagram carries."""
    head = struct.pack(">BxxxI", p.flags & 0xFF, p.vni << 8)
    if p.flags > 0xFF:  # flags of extensions, in the second octet
        head = struct.pack(">BBxxI", p.flags >> 8, p.flags & 0xFF, p.vni << 8)
    ethernet = bytes.fromhex("0a580af40209") + p.mac + struct.pack(">H", ethertype(p))
    return head + ethernet + packet + p.padding


def datagram(p: Packet, carried: bytes) -> bytes:
    """Return the outer UDP datagram."""
    length = 8 + len(carried)
    told = length if length < 0x10000 else 0
    segment = struct.pack(">HHHH", p.sport, p.dport, told, 0) + carried
    pseudo = pseudo_header(p.node_src, p.node_dst, UDP, length)
    return finished(UDP, pseudo, segment, p.outer)


def lco(p: Packet) -> Routine:
    """Return the outer checksum that will be right once the inner one is finished."""
    done = p.but(inner=right)
    udp = datagram(done.but(outer=right), vxlan(done, inner_packet(done)))
    return constant(int.from_bytes(udp[6:8], "big"))


def framed(p: Packet, linktype: int) -> list[bytes]:
    """Return the frames of a packet: one, or its fragments."""
    kind = ethertype(p)
    packets = [inner_packet(p) + (p.padding if p.plain else b"")]
    if not p.plain:
        udp = datagram(p, vxlan(p, packets[0]))
        kind = 0x0800 if len(p.node_src) == 4 else 0x86DD
        pieces = [(0, udp)]
        if p.fragments:
            half = len(udp) // 16 * 8
            pieces = [(0x2000, udp[:half]), (half // 8, udp[half:])][: 1 if p.later_lost else 2]
        packets = [
            ip_packet(
                piece, UDP, p.node_src, p.node_dst, ident=p.ident, header=p.header, fragment=at
            )
            for at, piece in pieces
        ]
    out = []
    for packet in packets:
        if linktype == SLL:
            head = struct.pack(">HHH8sH", p.direction, 1, 6, bytes(8), kind)
        elif linktype == SLL2:
            head = struct.pack(">HHIHBB8s", kind, 0, p.interface, 1, p.direction, 6, bytes(8))
        else:
            tags = b"".join(struct.pack(">HH", 0x8100, tag) for tag in p.tags)
            head = bytes.fromhex("020000000002020000000001") + tags + struct.pack(">H", kind)
        frame = head + packet + p.trailer
        out.append(frame if p.edit is None else p.edit(frame))
    return out


def outer_of(p: Packet) -> int:
    """Return the outer checksum as it is in the packet."""
    return int.from_bytes(datagram(p, vxlan(p, inner_packet(p)))[6:8], "big")
