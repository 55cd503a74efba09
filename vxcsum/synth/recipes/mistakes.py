"""Mistakes that several recipes make."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from vxcsum.synth.packet import (
    UDP,
    Packet,
    inner_packet,
    ip,
    lco,
    outer_of,
)
from vxcsum.synth.recipes.recipe import (
    from_a,
    mark,
    traffic,
    transport_a,
)
from vxcsum.synth.sums import (
    Routine,
    off_by,
    partial,
    pseudo_header,
    put,
    right,
)
from vxcsum.synth.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def unfinished(packets: Iterable[Packet], *, outer: str = "lco") -> list[Packet]:
    """What the sending host's capture shows of its own packets."""
    out = []
    for p in packets:
        if from_a(p) and p.transport:
            q = p.but(inner=partial)
            out.append(mark(q.but(outer=lco(q)) if outer == "lco" else q, "info:VX201"))
        elif from_a(p) and outer == "lco":
            out.append(mark(p.but(outer=partial), "info:VX203"))
        else:
            out.append(p)
    return out


def garbage(seed: int) -> Callable[[], Routine]:
    """Makers of routines that are off by something else each time."""
    rng = Traffic(seed).rng
    return lambda: off_by(rng.randrange(0x1000, 0xE000))


def each(
    packets: Iterable[Packet], where: Callable[[Packet], Any], code: str, seed: int
) -> list[Packet]:
    """Make inner checksums wrong, each in its own way."""
    maker = garbage(seed)
    return [mark(p.but(inner=maker()), code) if where(p) else p for p in packets]


def padded(p: Packet, octets: bytes) -> Packet:
    """Fill the inner frame up to 60 octets, as Ethernet wants it."""
    missing = 60 - 14 - len(inner_packet(p))
    return p.but(padding=octets[:missing]) if missing > 0 else p


def counted(padding: bytes, *, length: bool) -> Routine:
    """A checksum over the packet and its padding."""

    def routine(pseudo: bytes, segment: bytes) -> int:
        if pseudo and length:
            pseudo = pseudo[:-8] + struct.pack(">I", len(segment) + len(padding)) + pseudo[-4:]
        return right(pseudo, segment + padding)

    return routine


def short_traffic(seed: int, **more: Any) -> list[Packet]:
    """Traffic with many packets that need padding."""
    t = Traffic(seed, **more)
    t.ping(2)
    for _ in range(3):
        t.connection(2, low=1, high=40)
    t.dns()
    return t.packets


def tuned(p: Packet, wanted: int) -> Packet:
    """Choose the last two octets of an even payload so that the checksum comes out as wanted."""
    base = p.segment[:-2] + b"\0\0"
    pseudo = pseudo_header(p.src, p.dst, p.protocol, len(base))
    word = (right(pseudo, base) - wanted) % 0xFFFF
    return p.but(segment=put(base, len(base) - 2, word))


def zero_sums(seed: int, count: int, **more: Any) -> list[Packet]:
    """Traffic with some UDP datagrams whose right checksum is 0, which is sent as 0xffff."""
    t = traffic(seed, rounds=2, **more)
    for _ in range(count):
        t.packets[-1] = tuned(t.udp(t.size(40000, 50000), 53, t.random(32)), 0)
    return t.packets


def outer_zero(p: Packet) -> Packet:
    """Choose the inner source MAC so that the outer checksum comes out as 0."""
    q = p.but(mac=p.mac[:4] + bytes(2))
    return p.but(mac=p.mac[:4] + struct.pack(">H", outer_of(q)))


def sums_to_zero(p: Packet) -> bool:
    """Tell whether the right checksum of a datagram is 0."""
    if p.protocol != UDP:
        return False
    pseudo = pseudo_header(p.src, p.dst, p.protocol, len(p.segment))
    return right(pseudo, p.segment) == 0


def with_options_header(p: Packet) -> Packet:
    """Put destination options before the transport header."""
    return p.but(extensions=((60, bytes.fromhex("00010400000000")),))


def routed(p: Packet, final: bytes) -> Packet:
    """A packet with one stop left before its final destination."""
    if len(p.src) == 16:
        return p.but(extensions=((43, struct.pack(">BBBI", 2, 0, 1, 0) + final),), final=final)
    return p.but(options=struct.pack(">BBB4sB", 131, 7, 4, final, 0), final=final)


def next_stop(p: Packet) -> Routine:
    """The checksum with the destination of the header."""

    def routine(_pseudo: bytes, segment: bytes) -> int:
        return right(pseudo_header(p.src, p.dst, p.protocol, len(segment)), segment)

    return routine


def routes(seed: int, final: str, *, wrong: bool, version: int) -> list[Packet]:
    """Send what pod A sends on a way with a stop left."""
    t = traffic(seed, rounds=2, version=version)
    out = []
    for p in t.packets:
        q = routed(p, ip(final)) if transport_a(p) else p
        if wrong and q.final:
            q = mark(q.but(inner=next_stop(q)), "VX508")
        out.append(q)
    return out


def flip(*bits: int) -> Callable[[bytes], bytes]:
    """Invert bits, counted from the end of the frame."""

    def edit(frame: bytes) -> bytes:
        octets = bytearray(frame)
        for bit in bits:
            octets[-1 - bit // 8] ^= 1 << bit % 8
        return bytes(octets)

    return edit


def scrubbed(octets: int) -> Callable[[bytes], bytes]:
    """Replace the last octets of a finished frame by zeros."""
    return lambda frame: frame[:-octets] + bytes(octets)


def renamed(offset: int, names: Mapping[bytes, bytes]) -> Callable[[bytes], bytes]:
    """Rename the addresses of an IPv4 header in a finished frame, and correct its checksum."""

    def edit(frame: bytes) -> bytes:
        head, ends = frame[offset : offset + 10] + b"\0\0", frame[offset + 12 : offset + 20]
        for end in (ends[:4], ends[4:]):
            head += names.get(end, end)
        return frame[:offset] + put(head, 10, right(b"", head)) + frame[offset + 20 :]

    return edit


def renumbered(offset: int) -> Callable[[bytes], bytes]:
    """Give both ports of a finished frame other numbers, equal ones equal numbers."""

    def edit(frame: bytes) -> bytes:
        ports = struct.unpack(">HH", frame[offset : offset + 4])
        other = ((25173 * port + 13849) % 0x10000 for port in ports)
        return frame[:offset] + struct.pack(">HH", *other) + frame[offset + 4 :]

    return edit


def exchanged(offset: int, old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """Replace addresses in a finished frame."""

    def edit(frame: bytes) -> bytes:
        head, rest = frame[:offset], frame[offset : offset + 8]
        return head + rest.replace(old, new) + frame[offset + 8 :]

    return edit
