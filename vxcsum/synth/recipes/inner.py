"""VX301 to VX306: the inner checksum."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vxcsum.synth.packet import (
    ACK,
    ICMP,
    PSH,
    Packet,
    inner_packet,
    ip,
)
from vxcsum.synth.recipes.mistakes import (
    counted,
    each,
    padded,
    short_traffic,
)
from vxcsum.synth.recipes.recipe import (
    icmp_a,
    mark,
    recipe,
    tcp_a,
    traffic,
    transport_a,
)
from vxcsum.synth.recipes.translation import (
    Ports,
    kernel,
    nat,
)
from vxcsum.synth.sums import (
    none,
    off_by,
    ones_sum,
)
from vxcsum.synth.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@recipe("vx301", resembles=("VX305", "VX302", "VX601", "VX204", "VX603"))
def vx301(base: int) -> list[Packet]:
    """A virtual network card that computes inner TCP and UDP checksums wrongly for this port."""
    t = traffic(base + 80, outer=none, dport=8472, vni=1, rounds=2)
    t.ping(4)
    return each(t.packets, transport_a, "VX301", base + 80)


@recipe("vx301-outer", resembles=("VX305", "VX306", "VX201"))
def vx301_outer(base: int) -> list[Packet]:
    """The same below right outer checksums, IPv4 and IPv6 inside."""
    four, six = traffic(base + 81, rounds=1), traffic(base + 82, rounds=1, version=6)
    four.ping(2)
    six.ping(2)
    packets = four.packets + six.packets
    return each(packets, transport_a, "VX301", base + 81)


def rewrite_inner(
    packets: Iterable[Packet],
    where: Callable[[Packet], bool],
    old: bytes,
    code: str,
    *,
    factor: int = 1,
    ports: int = 0,
) -> list[Packet]:
    """Give packets to another destination the one they have, with a stale inner checksum."""
    out = []
    for p in packets:
        if where(p):
            difference = (ones_sum(p.dst) - ones_sum(old)) * factor + ports
            out.append(mark(p.but(inner=off_by(difference % 0xFFFF)), code))
        else:
            out.append(p)
    return out


SERVICE = ip("10.96.0.10")


def service_traffic(seed: int) -> list[Packet]:
    """Packets of another pod that reach the service by its own address."""
    t = Traffic(seed, pods=("10.244.1.6", "10.96.0.10"), rounds=1)
    t.connection(1)
    return t.packets


@recipe(
    "vx302",
    recovered={"pre_nat_destination": ["10.96.0.10"]},
    confidence={"VX302": "likely"},
    resembles=("VX603", "VX301", "VX104", "VX508"),
)
def vx302(base: int) -> list[Packet]:
    """A service address replaced by that of a pod, the inner checksum left alone; the service is
    seen elsewhere.
    """
    t = traffic(base + 83, rounds=2)
    return rewrite_inner(t.packets, tcp_a, SERVICE, "VX302") + service_traffic(base + 84)


@recipe(
    "vx302-twice",
    recovered={"pre_nat_destination": ["10.96.0.10"]},
    resembles=("VX603", "VX102"),
)
def vx302_twice(base: int) -> list[Packet]:
    """The same with the address entered with the wrong sign: twice the difference."""
    t = traffic(base + 85, rounds=2)
    return rewrite_inner(t.packets, tcp_a, SERVICE, "VX302", factor=2) + service_traffic(base + 86)


@recipe(
    "vx302-given", options={"pre_nat": ["10.96.0.0/16"]}, recovered={"candidates": ["10.96.0.10"]}
)
def vx302_given(base: int) -> list[Packet]:
    """The service is not in the capture, but its network is given."""
    t = traffic(base + 87, rounds=2, outer=none)
    return rewrite_inner(t.packets, tcp_a, SERVICE, "VX302")


@recipe("vx302-unknown", resembles=("VX603", "VX301"), confidence={"VX302": "possible"})
def vx302_unknown(base: int) -> list[Packet]:
    """No candidate: packets with and without payload are off by the same."""
    t = traffic(base + 88, rounds=2)
    return rewrite_inner(t.packets, tcp_a, ip("203.0.113.99"), "VX302")


@recipe("vx302-ipv6", recovered={"pre_nat_destination": ["fd00:96::10"]})
def vx302_ipv6(base: int) -> list[Packet]:
    """IPv6 inside, outer checksum zero."""
    t = traffic(base + 89, rounds=2, version=6, outer=none)
    other = Traffic(base + 90, version=6, pods=("fd00:10:1::6", "fd00:96::10"))
    other.connection(1)
    return rewrite_inner(t.packets, tcp_a, ip("fd00:96::10"), "VX302") + other.packets


@recipe("vx303", recovered={"pre_nat_identifier": [0x1234]}, resembles=("VX301", "VX302", "VX603"))
def vx303(base: int) -> list[Packet]:
    """Ping fails while curl works: the identifier of echo requests is rewritten and the checksum is
    not.
    """
    t = traffic(base + 91, rounds=2)
    for _ in range(3):
        p = t.echo(0x5678, 1, t.random(t.size(30, 80)))
        t.packets[-1] = mark(p.but(inner=off_by(0x5678 - 0x1234)), "VX303")
    return [p for p in t.packets if p.protocol != ICMP or p.marks]


@recipe("vx303-varied", resembles=("VX304", "VX301", "VX305"))
def vx303_varied(base: int) -> list[Packet]:
    """Ping fails while curl works, each request wrong in its own way."""
    t = traffic(base + 92, outer=none, rounds=2)
    t.ping(3)
    return each(t.packets, icmp_a, "VX303", base + 92)


@recipe("vx303-ipv6", resembles=("VX305", "VX506"))
def vx303_ipv6(base: int) -> list[Packet]:
    """The same with ICMPv6."""
    t = traffic(base + 93, rounds=2, version=6)
    t.ping(3)
    return each(t.packets, icmp_a, "VX303", base + 93)


@recipe("vx303-receiver", info={"VX303": None}, resembles=("VX301", "VX102"))
def vx303_receiver(base: int) -> list[Packet]:
    """Ping fails while curl works, and all is right here: the receiver leaves requests alone."""
    t = Traffic(base + 94)
    t.ping(4, answered=False)
    for _ in range(3):
        t.connection()
    return t.packets


@recipe("vx303-error", resembles=("VX301", "VX302", "VX304", "VX306", "VX601", "VX603"))
def vx303_error(base: int) -> list[Packet]:
    """A gateway behind the tunnel says that large packets have to be fragmented, with a checksum
    that does not fit what it quotes: large segments are sent again and again; ping works.
    """
    t = Traffic(base + 106, outer=none)
    t.ping(2)
    port, seq, answered = t.dialogue()
    payload = t.random(1000)
    for wait in (0.0, 0.22, 0.45, 0.9, 1.8):
        p = t.tcp(port, 443, PSH | ACK, payload, seq=seq, ack=answered, wait=wait)
        needed = struct.pack(">BBHHH", 3, 4, 0, 0, 1400) + inner_packet(p)[:28]
        told = t.send(ICMP, needed, back=True, src=ip("10.244.2.1"), inner=off_by(0x2BC4))
        mark(told, "VX303")
    t.ping(1)
    return t.packets


@recipe(
    "vx303-opposite",
    findings={"VX702": None},
    confidence={"VX102": "likely"},
    resembles=("VX303",),
)
def vx303_opposite(base: int) -> list[Packet]:
    """The opposite: curl fails while ping works."""
    t = Traffic(base + 95)
    t.ping(4)
    pings = list(t.packets)
    syns = [p for _ in range(6) for p in t.syns(2, gap=0.9)]
    ports = Ports(base + 95)
    return pings + [mark(nat(p, kernel, sport=ports(p)), "VX102") for p in syns]


def count_padding(
    packets: Iterable[Packet], padding: Callable[[], bytes], *, length: bool
) -> list[Packet]:
    """Pad short TCP of pod A, and sum the padding."""
    out = []
    for p in packets:
        q = padded(p, padding()) if tcp_a(p) else p
        if q.padding:
            q = mark(q.but(inner=counted(q.padding, length=length)), "VX304")
        out.append(q)
    return out


@recipe("vx304", recovered={"padding_octets": [6]}, resembles=("VX507", "VX302", "VX306"))
def vx304(base: int) -> list[Packet]:
    """Zero padding of bare acknowledgements counted with its length."""
    t = Traffic(base + 96, outer=none)
    t.ping(2, size=56)
    for _ in range(3):
        t.connection(2, low=40, high=180)
    return count_padding(t.packets, lambda: bytes(60), length=True)


@recipe("vx304-nonzero", resembles=("VX507", "VX301"))
def vx304_nonzero(base: int) -> list[Packet]:
    """Padding that is not zero, counted as data and length, odd packets among them; right outer
    checksums.
    """
    rng = Traffic(base + 97).rng
    return count_padding(short_traffic(base + 98), lambda: rng.randbytes(60), length=True)


@recipe("vx304-data", resembles=("VX502", "VX301"))
def vx304_data(base: int) -> list[Packet]:
    """Padding that is not zero, counted as data only, odd packets among them."""
    rng = Traffic(base + 99).rng
    packets = short_traffic(base + 100)
    return count_padding(packets, lambda: rng.randbytes(60), length=False)


@recipe("vx304-odd", resembles=("VX507", "VX502"))
def vx304_odd(base: int) -> list[Packet]:
    """Zero padding of odd packets of all lengths counted with its length."""
    return count_padding(
        short_traffic(base + 101, outer=none, parity=1), lambda: bytes(60), length=True
    )


@recipe("vx305", resembles=("VX301", "VX306", "VX302"))
def vx305(base: int) -> list[Packet]:
    """Dual stack in an IPv4 tunnel: only TCP over IPv6 is wrong."""
    packets = (
        traffic(base + 102, rounds=1).packets + traffic(base + 103, rounds=2, version=6).packets
    )
    return each(packets, lambda p: tcp_a(p) and len(p.src) == 16, "VX305", base + 102)


@recipe("vx305-udp", resembles=("VX301",))
def vx305_udp(base: int) -> list[Packet]:
    """Only IPv6 inside: TCP is wrong, UDP and ICMPv6 are right."""
    return each(
        traffic(base + 104, rounds=4, version=6, outer=none).packets, tcp_a, "VX305", base + 104
    )


@recipe("vx306", whole=True, resembles=("VX601", "VX603", "VX903", "VX301"))
def vx306(base: int) -> list[Packet]:
    """Handshakes and small requests are right, segments of 700 octets and more are wrong."""
    t = traffic(base + 105, rounds=1)
    t.connection(4, low=700, high=760)
    return each(t.packets, lambda p: tcp_a(p) and len(p.payload) > 200, "VX306", base + 105)
