"""VX600 to VX603: what nothing explains, and damage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.synth.packet import (
    ARP,
    PSH,
    Packet,
)
from vxcsum.synth.recipes.mistakes import (
    flip,
    garbage,
)
from vxcsum.synth.recipes.recipe import (
    change,
    from_a,
    mark,
    recipe,
    tcp_a,
    traffic,
    transport_a,
)
from vxcsum.synth.sums import (
    none,
    off_by,
)

if TYPE_CHECKING:
    from vxcsum.synth.traffic import Traffic


@recipe("vx600", resembles=("VX601", "VX602", "VX301", "VX505"))
def vx600(base: int) -> list[Packet]:
    """All packets of one side are wrong, ICMP too, each in its own way."""
    maker = garbage(base + 310)
    return [
        mark(p.but(outer=maker()), "VX600") if from_a(p) else p
        for p in traffic(base + 310, rounds=2).packets
    ]


@recipe("vx600-constant", resembles=("VX104", "VX507", "VX509", "VX601"))
def vx600_constant(base: int) -> list[Packet]:
    """Plain packets that are all off by the same amount, for no reason known."""
    t = traffic(base + 311, rounds=2)
    packets = change(t.packets, transport_a, "VX600", inner=off_by(0x3579))
    return [p.but(plain=True) for p in packets if p.protocol != ARP]


@recipe(
    "vx601",
    resembles=("VX101", "VX102", "VX103", "VX104", "VX105", "VX302", "VX600", "VX603", "VX501"),
)
def vx601(base: int) -> list[Packet]:
    """Three damaged packets among many."""
    t = traffic(base + 312, rounds=6)
    for row in (20, 47, 66):
        t.packets[row] = mark(t.packets[row].but(edit=flip(*_bits(t))), "VX601")
    return t.packets


@recipe("vx601-zero", resembles=("VX301", "VX303", "VX304", "VX305", "VX306", "VX603", "VX101"))
def vx601_zero(base: int) -> list[Packet]:
    """Damaged packets in tunnels without outer checksums: only the inner ones notice."""
    t = traffic(base + 313, rounds=6, outer=none)
    for row in (23, 50):
        t.packets[row] = mark(t.packets[row].but(edit=flip(*_bits(t))), "VX601")
    return t.packets


def _bits(t: Traffic) -> list[int]:
    """Return some of the last 96 bits; no two are in one place of a word, so no sum is right."""
    return [16 * t.rng.randrange(6) + place for place in t.rng.sample(range(16), 6)]


@recipe("vx602", resembles=("VX102", "VX104", "VX601", "VX501", "VX505", "VX507", "VX509"))
def vx602(base: int) -> list[Packet]:
    """Single bits flipped in a few packets."""
    packets = traffic(base + 314, rounds=6).packets
    for row, bit in ((20, 3), (47, 22), (66, 77)):
        packets[row] = mark(packets[row].but(edit=flip(bit)), "VX602")
    return packets


@recipe("vx603", resembles=("VX302", "VX601", "VX306"))
def vx603(base: int) -> list[Packet]:
    """A gateway replaces a word in the requests of one connection and updates nothing."""
    packets = traffic(base + 315, rounds=2, outer=none).packets
    return change(packets, lambda p: tcp_a(p) and p.tcp_flags & PSH, "VX603", inner=off_by(0x1A2B))


@recipe("vx603-summed", resembles=("VX302", "VX301"))
def vx603_summed(base: int) -> list[Packet]:
    """The same below right outer checksums."""
    packets = traffic(base + 316, rounds=2).packets
    return change(packets, lambda p: tcp_a(p) and p.tcp_flags & PSH, "VX603", inner=off_by(0xFE01))
