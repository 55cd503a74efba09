"""VX201 to VX206: unfinished checksums."""

from __future__ import annotations

from vxcsum.synth.packet import (
    SLL,
    Packet,
)
from vxcsum.synth.recipes.mistakes import (
    unfinished,
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


@recipe("vx201", resembles=("VX202", "VX204", "VX102", "VX104", "VX301", "VX503", "VX504", "VX506"))
def vx201(base: int) -> list[Packet]:
    """A sending host's capture with outer checksums: LCO, and unfinished outer ones with ICMP."""
    return unfinished(traffic(base + 60, rounds=1).packets)


@recipe("vx201-zero", resembles=("VX202", "VX204", "VX101", "VX301", "VX203", "VX405"))
def vx201_zero(base: int) -> list[Packet]:
    """A sending host's capture without outer checksums."""
    return unfinished(traffic(base + 61, outer=none, rounds=1).packets, outer="zero")


@recipe("vx201-plain", resembles=("VX202", "VX203", "VX204"))
def vx201_plain(base: int) -> list[Packet]:
    """The same on a tunnel device: no outer header."""
    packets = unfinished(traffic(base + 62, outer=none, rounds=1).packets, outer="zero")
    return [p.but(plain=True) for p in packets]


@recipe(
    "vx202", findings={"VX702": None}, options={"vantage": "wire"}, resembles=("VX201", "VX204")
)
def vx202(base: int) -> list[Packet]:
    """Unfinished inner checksums behind a forwarder that finishes none, captured on the wire."""
    t = Traffic(base + 63, outer=none)
    t.ping()
    for _ in range(3):
        t.syns(3)
    t.dns()
    return change(t.packets, transport_a, "VX202", inner=partial)


@recipe("vx202-receiver", findings={"VX702": None}, linktype=SLL, resembles=("VX201", "VX301"))
def vx202_receiver(base: int) -> list[Packet]:
    """The same at the receiver, as incoming packets: SYNs are repeated and never answered."""
    t = Traffic(base + 64, outer=none)
    t.ping()
    for _ in range(3):
        t.syns(4)
    packets = change(t.packets, transport_a, "VX202", inner=partial)
    return [p.but(direction=0 if from_a(p) else 4) for p in packets]


@recipe("vx203", options={"vantage": "wire"}, resembles=("VX102", "VX202", "VX201"))
def vx203(base: int) -> list[Packet]:
    """Outer checksums that a network card was to finish, and did not: on the wire."""
    t = traffic(base + 65, rounds=1)
    return change(t.packets, lambda p: from_a(p) and not p.transport, "VX203", outer=partial)


@recipe("vx203-sender")
def vx203_sender(base: int) -> list[Packet]:
    """The same on the sending host, where it is normal."""
    t = Traffic(base + 66)
    t.ping()
    return change(t.packets, from_a, "info:VX203", outer=partial)


@recipe("vx204", resembles=("VX201", "VX202", "VX301"))
def vx204(base: int) -> list[Packet]:
    """A tunnel end outside the kernel sums unfinished inner packets as they are."""
    return change(traffic(base + 67, rounds=1).packets, transport_a, "VX204", inner=partial)


@recipe("vx204-ipv6", resembles=("VX305",))
def vx204_ipv6(base: int) -> list[Packet]:
    """The same with IPv6 inside."""
    t = traffic(base + 68, rounds=1, version=6)
    return change(t.packets, transport_a, "VX204", inner=partial)


@recipe("vx205", confidence={"VX205": "confirmed"}, resembles=("VX101", "VX103", "VX402"))
def vx205(base: int) -> list[Packet]:
    """A placeholder of 0xffff and an empty IPv4 header checksum in all packets of one sender."""
    t = traffic(base + 69, rounds=2)
    packets = change(t.packets, from_a, "VX205", outer=constant(0xFFFF), header=none)
    return [mark(p, "info:VX206") if from_a(p) else p for p in packets]


@recipe("vx205-icmp", confidence={"VX205": "confirmed"}, resembles=("VX101",))
def vx205_icmp(base: int) -> list[Packet]:
    """A placeholder of 0xffff with right IPv4 headers; ICMP and ARP have it, too."""
    return change(traffic(base + 70, rounds=1).packets, from_a, "VX205", outer=constant(0xFFFF))


@recipe("vx206", resembles=("VX205", "VX908", "VX600"))
def vx206(base: int) -> list[Packet]:
    """Outer IPv4 headers whose checksum is left to the device."""
    return change(traffic(base + 71, rounds=1).packets, from_a, "info:VX206", header=none)


@recipe("vx206-wire", unfit=("sender",), options={"vantage": "wire"}, resembles=("VX205", "VX908"))
def vx206_wire(base: int) -> list[Packet]:
    """The same on the wire."""
    return change(traffic(base + 72, rounds=1).packets, from_a, "VX206", header=none)
