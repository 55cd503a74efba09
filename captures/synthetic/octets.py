"""Packets built from octets, and one place in each where a mistake can be made.

Nothing here comes from vxcsum: the captures made with it are to prove vxcsum right or wrong.
"""

from __future__ import annotations

import ipaddress
import random
import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    #: Makes a checksum from the pseudo-header and the segment, whose field is 0.
    Routine = Callable[[bytes, bytes], int]

ICMP, TCP, UDP, ICMPV6, ARP = 1, 6, 17, 58, 0
FIELD = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}
SYN, ACK, PSH, FIN = 2, 16, 8, 1
ETHERNET, SLL, SLL2 = 1, 113, 276
START = 1_700_000_000


def ones_sum(data: bytes) -> int:
    """The ones-complement sum of RFC 1071, with the odd octet in the high half."""
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def right(pseudo: bytes, segment: bytes) -> int:
    """The checksum as it should be."""
    return 0xFFFF - ones_sum(pseudo + segment)


def partial(pseudo: bytes, _segment: bytes) -> int:
    """The sum of the pseudo-header, left for a device to finish."""
    return ones_sum(pseudo)


def constant(value: int) -> Routine:
    """A value that has nothing to do with the packet."""
    return lambda _pseudo, _segment: value


def off_by(residual: int) -> Routine:
    """The right checksum and a constant, in ones-complement arithmetic."""
    return lambda pseudo, segment: (right(pseudo, segment) + residual) % 0xFFFF


none = constant(0)


def pseudo_header(src: bytes, dst: bytes, protocol: int, length: int) -> bytes:
    """What is summed before a segment; only ICMP over IPv4 has none."""
    return b"" if protocol == ICMP else src + dst + struct.pack(">II", length, protocol)


def put(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + struct.pack(">H", value) + data[at + 2 :]


def ip(text: str) -> bytes:
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
    fragments: bool = False
    marks: dict[str, Any] = field(default_factory=dict)

    def but(self, **changes: Any) -> Packet:
        """A copy with other values, and marks of its own."""
        return replace(self, **{"marks": dict(self.marks), **changes})

    @property
    def transport(self) -> bool:
        return self.protocol in (TCP, UDP)

    @property
    def payload(self) -> bytes:
        at = {TCP: 20, UDP: 8, ICMP: 8, ICMPV6: 8, ARP: 28}[self.protocol]
        return self.segment[at:]

    @property
    def tcp_flags(self) -> int:
        return self.segment[13] if self.protocol == TCP else 0


def finished(protocol: int, pseudo: bytes, segment: bytes, routine: Routine) -> bytes:
    """A segment with its checksum; UDP sends 0xffff for a right 0."""
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
    if p.protocol == ARP:
        return 0x0806
    return 0x0800 if len(p.src) == 4 else 0x86DD


def vxlan(p: Packet, packet: bytes) -> bytes:
    """What the outer UDP datagram carries."""
    head = struct.pack(">BxxxI", p.flags & 0xFF, p.vni << 8)
    if p.flags > 0xFF:  # flags of extensions, in the second octet
        head = struct.pack(">BBxxI", p.flags >> 8, p.flags & 0xFF, p.vni << 8)
    ethernet = bytes.fromhex("0a580af40209") + p.mac + struct.pack(">H", ethertype(p))
    return head + ethernet + packet + p.padding


def datagram(p: Packet, carried: bytes) -> bytes:
    length = 8 + len(carried)
    told = length if length < 0x10000 else 0
    segment = struct.pack(">HHHH", p.sport, p.dport, told, 0) + carried
    pseudo = pseudo_header(p.node_src, p.node_dst, UDP, length)
    return finished(UDP, pseudo, segment, p.outer)


def lco(p: Packet) -> Routine:
    """The outer checksum that will be right once the inner one is finished."""
    done = p.but(inner=right)
    udp = datagram(done.but(outer=right), vxlan(done, inner_packet(done)))
    return constant(int.from_bytes(udp[6:8], "big"))


def framed(p: Packet, linktype: int) -> list[bytes]:
    """The frames of a packet: one, or its fragments."""
    kind = ethertype(p)
    packets = [inner_packet(p) + (p.padding if p.plain else b"")]
    if not p.plain:
        udp = datagram(p, vxlan(p, packets[0]))
        kind = 0x0800 if len(p.node_src) == 4 else 0x86DD
        pieces = [(0, udp)]
        if p.fragments:
            half = len(udp) // 16 * 8
            pieces = [(0x2000, udp[:half]), (half // 8, udp[half:])]
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


def pcap(packets: Iterable[Packet], linktype: int = ETHERNET) -> tuple[bytes, list[Packet]]:
    """A capture file, and which packet each of its frames belongs to."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, linktype)]
    owners = []
    for p in packets:
        for frame in framed(p, linktype):
            seconds, micro = divmod(round(p.time * 1e6), 1_000_000)
            taken = frame[: p.cut] if p.cut else frame
            out.append(struct.pack("<IIII", START + seconds, micro, len(taken), len(frame)) + taken)
            owners.append(p)
    return b"".join(out), owners


class Traffic:
    """Healthy traffic between the pods of two nodes, in both directions."""

    def __init__(
        self,
        seed: int,
        *,
        outer: Routine = right,
        version: int = 4,
        outer_version: int = 4,
        dport: int = 4789,
        vni: int = 4096,
        nodes: tuple[str, str] | None = None,
        pods: tuple[str, str] | None = None,
        parity: int | None = None,
        rounds: int = 2,
    ) -> None:
        self.rng = random.Random(seed)
        self.outer, self.dport, self.vni = outer, dport, vni
        self.parity = parity
        near = (
            ("192.0.2.11", "192.0.2.12") if outer_version == 4 else ("2001:db8::11", "2001:db8::12")
        )
        self.node_a, self.node_b = (ip(n) for n in nodes or near)
        far = ("10.244.1.5", "10.244.2.9") if version == 4 else ("fd00:10:1::5", "fd00:10:2::9")
        self.pod_a, self.pod_b = (ip(n) for n in pods or far)
        self.ports: dict[tuple[bytes, ...], int] = {}
        self.time = 0.0
        self.ident = self.rng.randrange(1, 30000)
        self.packets: list[Packet] = []
        self.rounds = rounds

    def random(self, size: int) -> bytes:
        return self.rng.randbytes(size)

    def size(self, low: int, high: int) -> int:
        size = self.rng.randrange(low, high)
        return size if self.parity is None else size - size % 2 + self.parity

    def send(
        self, protocol: int, segment: bytes, *, back: bool = False, wait: float = 0.0, **more: Any
    ) -> Packet:
        """Add a packet from pod A to pod B, or ``back``."""
        src, dst = (self.pod_b, self.pod_a) if back else (self.pod_a, self.pod_b)
        ends = (self.node_b, self.node_a) if back else (self.node_a, self.node_b)
        flow = (src, dst, bytes([protocol]), segment[:4] if protocol in (TCP, UDP) else b"")
        sport = self.ports.setdefault(flow, self.rng.randrange(32768, 60999))
        self.time += wait or self.rng.uniform(0.0002, 0.004)
        self.ident = self.ident % 65000 + 1
        p = Packet(
            src,
            dst,
            protocol,
            segment,
            *ends,
            sport=sport,
            time=self.time,
            ident=self.ident,
            outer=self.outer,
            dport=self.dport,
            vni=self.vni,
        )
        p = p.but(**more)
        self.packets.append(p)
        return p

    def tcp(
        self, sport: int, dport: int, flags: int, payload: bytes = b"", *, seq: int = 1, **more: Any
    ) -> Packet:
        if more.get("back"):
            sport, dport = dport, sport
        head = struct.pack(">HHIIBBHHH", sport, dport, seq, 7, 5 << 4, flags, 502, 0, 0)
        return self.send(TCP, head + payload, **more)

    def udp(self, sport: int, dport: int, payload: bytes, **more: Any) -> Packet:
        if more.get("back"):
            sport, dport = dport, sport
        head = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0)
        return self.send(UDP, head + payload, **more)

    def echo(self, ident: int, seq: int, payload: bytes, **more: Any) -> Packet:
        four = len(self.pod_a) == 4
        kind = (0 if more.get("back") else 8) if four else (129 if more.get("back") else 128)
        head = struct.pack(">BBHHH", kind, 0, 0, ident, seq)
        return self.send(ICMP if four else ICMPV6, head + payload, **more)

    def arp(self) -> None:
        if len(self.pod_a) == 4:
            for kind, back in ((1, False), (2, True)):
                ends = (self.pod_b, self.pod_a) if back else (self.pod_a, self.pod_b)
                body = struct.pack(
                    ">HHBBH6s4s6s4s", 1, 0x800, 6, 4, kind, b"\x0aX", ends[0], b"", ends[1]
                )
                self.send(ARP, body, back=back)

    def ping(self, count: int = 2, *, size: int | None = None, answered: bool = True) -> None:
        ident = self.rng.randrange(1, 65536)
        for seq in range(1, count + 1):
            payload = self.random(self.size(20, 64) if size is None else size)
            self.echo(ident, seq, payload)
            if answered:
                self.echo(ident, seq, payload, back=True)

    def connection(self, exchanges: int = 2, *, low: int = 5, high: int = 70) -> None:
        """A TCP connection: handshake, requests and answers, end."""
        ports = (self.rng.randrange(32768, 60999), self.rng.choice((80, 443, 8080)))
        seq, ack = self.rng.randrange(1 << 31), self.rng.randrange(1 << 31)
        self.tcp(*ports, SYN, seq=seq)
        self.tcp(*ports, SYN | ACK, seq=ack, back=True)
        self.tcp(*ports, ACK, seq=seq + 1)
        for _ in range(exchanges):
            for back in (False, True):
                payload = self.random(self.size(low, high))
                self.tcp(*ports, PSH | ACK, payload, seq=ack if back else seq, back=back)
                seq, ack = seq + (not back) * len(payload), ack + back * len(payload)
            self.tcp(*ports, ACK, seq=seq + 1)
        self.tcp(*ports, FIN | ACK, seq=seq + 1)

    def dns(self, count: int = 2) -> None:
        for _ in range(count):
            port = self.rng.randrange(32768, 60999)
            self.udp(port, 53, self.random(self.size(25, 60)))
            self.udp(port, 53, self.random(self.size(40, 70)), back=True)

    def everything(self) -> Traffic:
        """All kinds of traffic, ``rounds`` times."""
        self.arp()
        for _ in range(self.rounds):
            self.ping(1)
            self.connection()
            self.dns(1)
        return self

    def syns(self, count: int, *, gap: float = 1.0) -> list[Packet]:
        """One SYN and its retransmissions."""
        ports, seq = (self.rng.randrange(32768, 60999), 443), self.rng.randrange(1 << 31)
        return [self.tcp(*ports, SYN, seq=seq, wait=gap) for _ in range(count)]
