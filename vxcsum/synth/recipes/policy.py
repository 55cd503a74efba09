"""VX401 to VX405: zero and 0xffff, and who computes no checksum."""

from __future__ import annotations

from vxcsum.synth.packet import (
    ACK,
    PSH,
    UDP,
    Packet,
    inner_packet,
)
from vxcsum.synth.recipes.mistakes import (
    outer_zero,
    sums_to_zero,
    tuned,
    zero_sums,
)
from vxcsum.synth.recipes.recipe import (
    change,
    from_a,
    mark,
    recipe,
    traffic,
    transport_a,
)
from vxcsum.synth.sums import (
    constant,
    none,
    partial,
)
from vxcsum.synth.traffic import Traffic


@recipe("vx401", unfit=("mixed", "large", "small", "sender"), resembles=("VX404", "VX405", "VX402"))
def vx401(base: int) -> list[Packet]:
    """Inner UDP checksums that come out as 0 are sent as 0, all others are there."""
    return change(zero_sums(base + 110, 2), sums_to_zero, "VX401", inner=none)


@recipe("vx401-outer", unfit=("mixed", "large", "small", "sender"), resembles=("VX403", "VX101"))
def vx401_outer(base: int) -> list[Packet]:
    """The same with the outer checksum."""
    packets = traffic(base + 111, rounds=2).packets
    for row in (9, 16, 23):
        packets[row] = mark(outer_zero(packets[row]).but(outer=none), "VX401")
    return packets


@recipe("vx402", resembles=("VX401", "VX205"))
def vx402(base: int) -> list[Packet]:
    """TCP and ICMP checksums of 0xffff where 0x0000 is usual."""
    t = traffic(base + 112, rounds=1)
    for _ in range(2):
        p = tuned(t.tcp(40000, 80, PSH | ACK, t.random(20)), 0)
        t.packets[-1] = mark(p.but(inner=constant(0xFFFF)), "info:VX402")
    p = tuned(t.echo(7, 1, t.random(20)), 0)
    t.packets[-1] = mark(p.but(inner=constant(0xFFFF)), "info:VX402")
    return t.packets


@recipe("vx402-header")
def vx402_header(base: int) -> list[Packet]:
    """An IPv4 header checksum of 0xffff where 0x0000 is usual."""
    t = Traffic(base + 113)
    t.connection()
    p = t.tcp(40000, 80, ACK)
    without = p.but(ident=0, plain=True)
    ident = int.from_bytes(inner_packet(without)[10:12], "big")
    t.packets[-1] = mark(p.but(ident=ident, inner_header=constant(0xFFFF)), "info:VX402")
    return t.packets


@recipe("vx403", resembles=("VX404", "VX401", "VX101"))
def vx403(base: int) -> list[Packet]:
    """An IPv6 tunnel without outer checksums."""
    t = traffic(base + 114, rounds=1, outer=none, outer_version=6)
    return change(t.packets, lambda _: True, "VX403")


@recipe("vx403-unanswered", findings={"VX702": None}, resembles=("VX404", "VX303", "VX301"))
def vx403_unanswered(base: int) -> list[Packet]:
    """The same, and the other end does not take them: nothing is ever answered."""
    t = Traffic(base + 118, outer=none, outer_version=6)
    t.ping(4, answered=False)
    for _ in range(2):
        t.syns(4)
    return change(t.packets, lambda _: True, "VX403")


@recipe("vx404", unfit=("mixed", "ipv6"), resembles=("VX403", "VX401"))
def vx404(base: int) -> list[Packet]:
    """UDP over IPv6 inside the tunnel without a checksum."""
    t = traffic(base + 115, rounds=3, version=6)
    return change(t.packets, lambda p: p.protocol == UDP and from_a(p), "VX404", inner=none)


@recipe("vx405", resembles=("VX201", "VX202", "VX204", "VX907"))
def vx405(base: int) -> list[Packet]:
    """Remote checksum offload: unfinished inner checksums, and a flag that says so."""
    t = traffic(base + 116, rounds=1, outer=none)
    return change(t.packets, transport_a, "info:VX405", inner=partial, flags=0x0820)


@recipe(
    "vx405-summed", unfit=("sender",), options={"vantage": "wire"}, resembles=("VX202", "VX204")
)
def vx405_summed(base: int) -> list[Packet]:
    """The same below outer checksums that cover the unfinished inner ones, on the wire."""
    t = traffic(base + 117, rounds=1)
    return change(t.packets, transport_a, "info:VX405", inner=partial, flags=0x0820)
