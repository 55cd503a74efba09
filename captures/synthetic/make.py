"""Make the captures of this folder and their manifest.

    python captures/synthetic/make.py [FOLDER]

Each function below is one capture: healthy traffic, and one mistake made by a routine of a few
lines. What vxcsum has to find follows from which packets the mistake was made in.
"""

from __future__ import annotations

import json
import struct
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from octets import (
    ACK,
    ARP,
    ETHERNET,
    ICMP,
    ICMPV6,
    PSH,
    SLL,
    SLL2,
    SYN,
    TCP,
    UDP,
    Packet,
    Traffic,
    constant,
    datagram,
    inner_packet,
    ip,
    lco,
    none,
    off_by,
    ones_sum,
    partial,
    pcap,
    pseudo_header,
    put,
    right,
    vxlan,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from octets import Routine

FOLDER = Path(__file__).resolve().parent
OLD, NEW, FAR = ip("192.0.2.11"), ip("192.0.2.77"), ip("198.51.100.77")


@dataclass
class Capture:
    """What the manifest says of a file beside what the marked packets say."""

    name: str
    make: Callable[[], Iterable[Packet]]
    about: str
    linktype: int = ETHERNET
    resembles: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    recovered: dict[str, list[Any]] = field(default_factory=dict)
    confidence: dict[str, str] = field(default_factory=dict)
    info: dict[str, None] = field(default_factory=dict)
    findings: dict[str, None] = field(default_factory=dict)
    shorten: int = 0
    absent: tuple[str, ...] = ()


CAPTURES: list[Capture] = []


def capture(name: str, **more: Any) -> Callable[[Callable[[], Iterable[Packet]]], Any]:
    """Register a function as the maker of a capture; its docstring says what it is."""

    def register(make: Callable[[], Iterable[Packet]]) -> Callable[[], Iterable[Packet]]:
        about = " ".join((make.__doc__ or "").split())
        CAPTURES.append(Capture(name, make, about, **more))
        return make

    return register


def traffic(seed: int, **more: Any) -> Traffic:
    return Traffic(seed, **more).everything()


def mark(p: Packet, code: str) -> Packet:
    p.marks[code] = True
    return p


def change(
    packets: Iterable[Packet], where: Callable[[Packet], Any], code: str, **changes: Any
) -> list[Packet]:
    """Make a mistake in some packets, and mark them."""
    return [mark(p.but(**changes), code) if where(p) else p for p in packets]


# What comes from pod A, by kind


def from_a(p: Packet) -> bool:
    return p.src[-1] == 5 and p.src != p.dst


def tcp_a(p: Packet) -> bool:
    return p.protocol == TCP and from_a(p)


def transport_a(p: Packet) -> bool:
    return p.transport and from_a(p)


def icmp_a(p: Packet) -> bool:
    return p.protocol in (ICMP, ICMPV6) and from_a(p)


# NAT of the outer header: (field, words of the address, words of the port) -> field

Words = list[tuple[int, int]]
Update = "Callable[[int, Words, Words], int]"


def add(left: int, right_: int) -> int:
    total = left + right_
    return (total & 0xFFFF) + (total >> 16)


def rfc1624(value: int, words: Words) -> int:
    """Equation 3: HC' = ~(~HC + ~m + m')."""
    for old, new in words:
        value = 0xFFFF - add(add(0xFFFF - value, 0xFFFF - old), new)
    return value


def textbook(value: int, address: Words, port: Words) -> int:
    return rfc1624(value, address + port)


def stale(value: int, _address: Words, _port: Words) -> int:
    return value


def address_only(value: int, address: Words, _port: Words) -> int:
    return rfc1624(value, address)


def port_only(value: int, _address: Words, port: Words) -> int:
    return rfc1624(value, port)


def kernel(value: int, address: Words, _port: Words) -> int:
    """The update of an unfinished field: plain addition; the port is skipped, 0 is mangled."""
    for old, new in address:
        value = add(add(value, 0xFFFF - old), new)
    return 0xFFFF if value in (0, 0xFFFF) else value


def words(old: bytes, new: bytes) -> Words:
    count = len(old) // 2
    return list(
        zip(struct.unpack(f">{count}H", old), struct.unpack(f">{count}H", new), strict=True)
    )


def nat(
    p: Packet,
    update: Callable[[int, Words, Words], int],
    *,
    src: bytes | None = None,
    dst: bytes | None = None,
    sport: int | None = None,
) -> Packet:
    """The packet behind a translator that updates its outer checksum in some way."""
    new = p.but(node_src=src or p.node_src, node_dst=dst or p.node_dst, sport=sport or p.sport)
    before = outer_of(p)
    address = words(p.node_src, new.node_src) + words(p.node_dst, new.node_dst)
    value = update(before, address, [(p.sport, new.sport)])
    return new.but(outer=constant(value))


class Ports:
    """What a translator gives the flows in exchange for their ports."""

    def __init__(self, seed: int) -> None:
        self.rng = Traffic(seed).rng
        self.known: dict[int, int] = {}

    def __call__(self, p: Packet) -> int:
        return self.known.setdefault(p.sport, self.rng.randrange(1024, 32000))


def translate(
    packets: Iterable[Packet],
    where: Callable[[Packet], bool],
    update: Callable[[int, Words, Words], int],
    code: str,
    *,
    src: bytes | None = None,
    dst: bytes | None = None,
    ports: Ports | None = None,
    healthy: Callable[[Packet], bool] | None = None,
) -> list[Packet]:
    """NAT for some packets; those for which ``healthy`` says so are updated rightly."""
    out = []
    for p in packets:
        if not where(p):
            out.append(p)
            continue
        sport = ports(p) if ports else None
        if healthy is not None and healthy(p):
            new = p.but(node_src=src or p.node_src, node_dst=dst or p.node_dst)
            out.append(new.but(sport=sport or p.sport))
            continue
        out.append(mark(nat(p, update, src=src, dst=dst, sport=sport), code))
    return out


def not_transport(p: Packet) -> bool:
    return not p.transport


def node_traffic(seed: int, node: bytes = OLD, peer: bytes = ip("192.0.2.12")) -> list[Packet]:
    """Packets without a tunnel between nodes: their addresses are seen in the capture."""
    t = Traffic(seed)
    t.pod_a, t.pod_b = node, peer
    t.connection(1)
    return [p.but(plain=True) for p in t.packets]


# VX101 to VX105: NAT of the outer header


@capture(
    "vx101-dnat",
    recovered={"pre_nat_destination": ["192.0.2.12"]},
    confidence={"VX101": "confirmed"},
    resembles=("VX102", "VX103", "VX104", "VX205"),
)
def vx101_dnat() -> list[Packet]:
    """No outer checksum, the kernel before 5.7, and a rule that redirects the tunnel's destination;
    the old destination is still used by other nodes."""
    new = ip("192.0.2.99")
    packets = translate(
        traffic(1, outer=none).packets, from_a, kernel, "VX101", dst=new, healthy=not_transport
    )
    packets = [p.but(outer=none) if from_a(p) and not p.transport else p for p in packets]
    other = traffic(2, outer=none, rounds=1, nodes=("192.0.2.33", "192.0.2.12"))
    return packets + other.packets


@capture(
    "vx101-pods",
    recovered={"pre_nat_source": ["192.0.2.11"]},
    confidence={"VX101": "confirmed"},
    resembles=("VX102", "VX103", "VX205", "VX402"),
)
def vx101_pods() -> list[Packet]:
    """Three pods behind two nodes, no outer checksum; masquerade keeps the address and gives every
    flow a new port, so the field is 0xffff; one pod's flows are not masqueraded."""
    out = []
    for number, (pods, nodes) in enumerate(
        (
            (("10.244.1.5", "10.244.2.9"), ("192.0.2.11", "192.0.2.12")),
            (("10.244.1.5", "10.244.3.7"), ("192.0.2.11", "192.0.2.13")),
        )
    ):
        t = Traffic(10 + number, outer=none, pods=pods, nodes=nodes, rounds=2).everything()
        out += translate(
            t.packets, transport_a, kernel, "VX101", ports=Ports(number), healthy=not_transport
        )
    t = Traffic(12, outer=none, pods=("10.244.1.6", "10.244.2.9"), rounds=1).everything()
    return out + t.packets


@capture(
    "vx101-vlan", recovered={"pre_nat_source": ["192.0.2.11"]}, confidence={"VX101": "confirmed"}
)
def vx101_vlan() -> list[Packet]:
    """The same behind a VLAN tag, on flannel's port."""
    t = traffic(14, outer=none, dport=8472, vni=1, rounds=2)
    packets = translate(t.packets, transport_a, kernel, "VX101", ports=Ports(14))
    return [p.but(tags=(100,)) for p in packets]


@capture(
    "vx101-ipv6",
    recovered={"pre_nat_source": ["2001:db8::11"]},
    confidence={"VX101": "confirmed"},
)
def vx101_ipv6() -> list[Packet]:
    """Outer and inner IPv6, zero outer checksum, masquerade; zeros are a warning, too."""
    t = traffic(15, outer=none, version=6, outer_version=6, rounds=2)
    packets = translate(t.packets, transport_a, kernel, "VX101", ports=Ports(15))
    return [p if p.marks else mark(p, "VX403") for p in packets]


@capture(
    "vx101-address",
    recovered={"pre_nat_source": ["192.0.2.11"]},
    confidence={"VX101": "confirmed"},
    resembles=("VX103", "VX104"),
)
def vx101_address() -> list[Packet]:
    """SNAT to another address of the node, no outer checksum: the field is the difference."""
    t = traffic(16, outer=none, rounds=2)
    packets = translate(t.packets, transport_a, kernel, "VX101", src=NEW)
    pings = [p.but(node_src=NEW) if icmp_a(p) else p for p in packets]
    return pings + node_traffic(17)


def lco_nat(seed: int, code: str = "VX102", **more: Any) -> list[Packet]:
    """NAT of checksums finished in advance: TCP and UDP are updated wrongly, all else rightly."""
    kinds = {k: more.pop(k) for k in ("src", "dst", "ports") if k in more}
    where = more.pop("where", from_a)
    t = traffic(seed, **more)
    return translate(t.packets, where, kernel, code, healthy=not_transport, **kinds)


@capture(
    "vx102-pods",
    recovered={"pre_nat_source": ["192.0.2.11"]},
    confidence={"VX102": "confirmed"},
    resembles=("VX101", "VX104", "VX105", "VX103"),
)
def vx102_pods() -> list[Packet]:
    """Two pods to two nodes, outer checksums on, masquerade with new ports."""
    one = lco_nat(20, ports=Ports(20), rounds=2)
    two = lco_nat(
        21,
        ports=Ports(21),
        rounds=2,
        pods=("10.244.1.5", "10.244.3.7"),
        nodes=("192.0.2.11", "192.0.2.13"),
    )
    return one + two


@capture(
    "vx102-dnat",
    recovered={"pre_nat_destination": ["192.0.2.12"]},
    confidence={"VX102": "confirmed"},
    resembles=("VX104", "VX101"),
)
def vx102_dnat() -> list[Packet]:
    """Outer checksums on, the destination redirected: twice the address difference."""
    return lco_nat(22, dst=ip("192.0.2.99"), rounds=1) + node_traffic(23)


@capture("vx102-vlan", recovered={"pre_nat_source": ["192.0.2.11"]})
def vx102_vlan() -> list[Packet]:
    """Outer checksums on, masquerade, behind two VLAN tags."""
    packets = lco_nat(24, ports=Ports(24), rounds=1, dport=8472, vni=1)
    return [p.but(tags=(7, 100)) for p in packets]


@capture(
    "vx102-ipv6",
    recovered={"pre_nat_source": ["2001:db8::11"]},
    confidence={"VX102": "confirmed"},
)
def vx102_ipv6() -> list[Packet]:
    """Outer and inner IPv6, masquerade with new ports."""
    return lco_nat(25, ports=Ports(25), rounds=1, version=6, outer_version=6)


@capture("vx102-one-syn", confidence={"VX102": "possible"})
def vx102_one_syn() -> list[Packet]:
    """One SYN and its retransmissions, wrong, beside right pings: one observation however often."""
    t = Traffic(26)
    t.ping(2)
    bad = [mark(nat(p, kernel, sport=61234), "VX102") for p in t.syns(5)]
    return [*t.packets[:4], *bad]


@capture(
    "vx102-two-syns", confidence={"VX102": "confirmed"}, recovered={"pre_nat_source_port": [45678]}
)
def vx102_two_syns() -> list[Packet]:
    """A SYN and a request of one outer flow: two observations and the contrast of ICMP."""
    t = Traffic(27)
    t.ping(2)
    pings = list(t.packets)
    bad = [*t.syns(2), t.udp(40000, 53, t.random(31))]
    return pings + [mark(nat(p.but(sport=45678), kernel, sport=2345), "VX102") for p in bad]


@capture(
    "vx102-proof", confidence={"VX102": "confirmed"}, recovered={"pre_nat_source_port": [51785]}
)
def vx102_proof() -> list[Packet]:
    """Retransmitted SYNs from one port, and the one that gets through from the recovered port."""
    t = Traffic(28)
    t.ping(1)
    pings = list(t.packets)
    syns = [p.but(sport=51785) for p in t.syns(6, gap=3.0)]
    return [*pings, *(mark(nat(p, kernel, sport=4894), "VX102") for p in syns[:5]), syns[5]]


@capture(
    "vx103",
    recovered={"pre_nat_source": ["192.0.2.11"]},
    confidence={"VX103": "confirmed"},
    resembles=("VX101", "VX104", "VX205"),
)
def vx103() -> list[Packet]:
    """Address and port rewritten, an empty checksum updated by the formula of RFC 1624;
    the old address is seen elsewhere."""
    packets = translate(
        traffic(30, outer=none, rounds=2).packets,
        from_a,
        textbook,
        "VX103",
        src=FAR,
        ports=Ports(30),
    )
    return packets + node_traffic(31)


@capture("vx103-port", recovered={"pre_nat_source": ["192.0.2.11"]}, resembles=("VX101", "VX104"))
def vx103_port() -> list[Packet]:
    """Only the port rewritten."""
    t = traffic(32, outer=none, rounds=1)
    return translate(t.packets, from_a, textbook, "VX103", ports=Ports(32))


@capture("vx103-address", recovered={"pre_nat_source": ["192.0.2.11"]}, resembles=("VX101",))
def vx103_address() -> list[Packet]:
    """Only the address rewritten."""
    t = traffic(33, outer=none, rounds=1)
    return translate(t.packets, from_a, textbook, "VX103", src=NEW) + node_traffic(34)


@capture("vx103-mixture", recovered={"pre_nat_source": ["192.0.2.11"]}, resembles=("VX101",))
def vx103_mixture() -> list[Packet]:
    """An eBPF program without BPF_F_MARK_MANGLED_0: inner TCP and UDP get the difference, ICMP and
    ARP its negative."""
    t = traffic(35, outer=none, rounds=2)
    out = []
    for p in t.packets:
        update = kernel if p.transport else textbook
        out.append(mark(nat(p, update, src=NEW), "VX103") if from_a(p) else p)
    return out + node_traffic(36)


@capture(
    "vx104",
    recovered={"pre_nat_source": ["192.0.2.11"]},
    confidence={"VX104": "confirmed"},
    resembles=("VX102", "VX105", "VX103", "VX908"),
)
def vx104() -> list[Packet]:
    """Address and port rewritten, no checksum updated; the old address is seen elsewhere."""
    t = traffic(40, rounds=2)
    return translate(t.packets, from_a, stale, "VX104", src=FAR, ports=Ports(40)) + node_traffic(41)


@capture("vx104-port", recovered={"pre_nat_source": ["192.0.2.11"]}, resembles=("VX102", "VX105"))
def vx104_port() -> list[Packet]:
    """Only the port rewritten, nothing updated: the residuals of VX102, but ICMP is hit, too."""
    t = traffic(42, rounds=1)
    return translate(t.packets, from_a, stale, "VX104", ports=Ports(42))


@capture(
    "vx104-address", recovered={"pre_nat_source": ["192.0.2.11"]}, resembles=("VX102", "VX908")
)
def vx104_address() -> list[Packet]:
    """Only the address rewritten, nothing updated."""
    t = traffic(43, rounds=1)
    return translate(t.packets, from_a, stale, "VX104", src=NEW) + node_traffic(44)


@capture("vx104-ipv6", recovered={"pre_nat_source": ["2001:db8::11"]})
def vx104_ipv6() -> list[Packet]:
    """Only the port rewritten, over IPv6."""
    t = traffic(45, rounds=1, outer_version=6)
    return translate(t.packets, from_a, stale, "VX104", ports=Ports(45))


@capture("vx104-vni", recovered={"pre_nat_vni": [4096]}, resembles=("VX102",))
def vx104_vni() -> list[Packet]:
    """The VNI rewritten on the way from A to B; the other direction still has the old one."""
    t = traffic(46, rounds=2)
    out = []
    for p in t.packets:
        renumbered = p.but(vni=5023, outer=constant(outer_of(p)))
        out.append(mark(renumbered, "VX104") if from_a(p) else p)
    return out


def both_sides(seed: int, update: Callable[[int, Words, Words], int], code: str) -> list[Packet]:
    """A capture that sees the packets before and after NAT."""
    ports, out = Ports(seed), []
    for p in traffic(seed, rounds=2).packets:
        out.append(p)
        if from_a(p) and p.protocol == TCP:
            after = nat(p, update, src=NEW, sport=ports(p)).but(time=p.time + 0.00005)
            out.append(mark(after, code))
    return out


@capture("vx105", recovered={"pre_nat_source": ["192.0.2.11"]}, resembles=("VX104", "VX102"))
def vx105() -> list[Packet]:
    """Address and port rewritten, the port forgotten; captured on both sides of the translator."""
    return both_sides(50, address_only, "VX105")


@capture(
    "vx105-address", recovered={"pre_nat_source": ["192.0.2.11"]}, resembles=("VX104", "VX102")
)
def vx105_address() -> list[Packet]:
    """Address and port rewritten, the address forgotten."""
    return both_sides(51, port_only, "VX105")


# VX201 to VX206: unfinished checksums


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


@capture(
    "vx201", resembles=("VX202", "VX204", "VX102", "VX104", "VX301", "VX503", "VX504", "VX506")
)
def vx201() -> list[Packet]:
    """A sending host's capture with outer checksums: LCO, and unfinished outer ones with ICMP."""
    return unfinished(traffic(60, rounds=1).packets)


@capture("vx201-zero", resembles=("VX202", "VX204", "VX101", "VX301", "VX203", "VX405"))
def vx201_zero() -> list[Packet]:
    """A sending host's capture without outer checksums."""
    return unfinished(traffic(61, outer=none, rounds=1).packets, outer="zero")


@capture("vx201-plain", resembles=("VX202", "VX203", "VX204"))
def vx201_plain() -> list[Packet]:
    """The same on a tunnel device: no outer header."""
    packets = unfinished(traffic(62, outer=none, rounds=1).packets, outer="zero")
    return [p.but(plain=True) for p in packets]


@capture("vx202", options={"vantage": "wire"}, resembles=("VX201", "VX204"))
def vx202() -> list[Packet]:
    """Unfinished inner checksums behind a forwarder that finishes none, captured on the wire."""
    t = Traffic(63, outer=none)
    t.ping()
    for _ in range(3):
        t.syns(3)
    t.dns()
    return change(t.packets, transport_a, "VX202", inner=partial)


@capture("vx202-receiver", linktype=SLL, resembles=("VX201", "VX301"))
def vx202_receiver() -> list[Packet]:
    """The same at the receiver, as incoming packets: SYNs are repeated and never answered."""
    t = Traffic(64, outer=none)
    t.ping()
    for _ in range(3):
        t.syns(4)
    packets = change(t.packets, transport_a, "VX202", inner=partial)
    return [p.but(direction=0 if from_a(p) else 4) for p in packets]


@capture("vx203", options={"vantage": "wire"}, resembles=("VX102", "VX202", "VX201"))
def vx203() -> list[Packet]:
    """Outer checksums that a network card was to finish, and did not: on the wire."""
    t = traffic(65, rounds=1)
    return change(t.packets, lambda p: from_a(p) and not p.transport, "VX203", outer=partial)


@capture("vx203-sender")
def vx203_sender() -> list[Packet]:
    """The same on the sending host, where it is normal."""
    t = Traffic(66)
    t.ping()
    return change(t.packets, from_a, "info:VX203", outer=partial)


@capture("vx204", resembles=("VX201", "VX202", "VX301"))
def vx204() -> list[Packet]:
    """A tunnel end outside the kernel sums unfinished inner packets as they are."""
    return change(traffic(67, rounds=1).packets, transport_a, "VX204", inner=partial)


@capture("vx204-ipv6", resembles=("VX305",))
def vx204_ipv6() -> list[Packet]:
    """The same with IPv6 inside."""
    t = traffic(68, rounds=1, version=6)
    return change(t.packets, transport_a, "VX204", inner=partial)


@capture("vx205", confidence={"VX205": "confirmed"}, resembles=("VX101", "VX103", "VX402"))
def vx205() -> list[Packet]:
    """A placeholder of 0xffff and an empty IPv4 header checksum in all packets of one sender."""
    t = traffic(69, rounds=2)
    packets = change(t.packets, from_a, "VX205", outer=constant(0xFFFF), header=none)
    return [mark(p, "info:VX206") if from_a(p) else p for p in packets]


@capture("vx205-icmp", confidence={"VX205": "confirmed"}, resembles=("VX101",))
def vx205_icmp() -> list[Packet]:
    """A placeholder of 0xffff with right IPv4 headers; ICMP and ARP have it, too."""
    return change(traffic(70, rounds=1).packets, from_a, "VX205", outer=constant(0xFFFF))


@capture("vx206", resembles=("VX205", "VX908", "VX600"))
def vx206() -> list[Packet]:
    """Outer IPv4 headers whose checksum is left to the device."""
    return change(traffic(71, rounds=1).packets, from_a, "info:VX206", header=none)


@capture("vx206-wire", options={"vantage": "wire"}, resembles=("VX205", "VX908"))
def vx206_wire() -> list[Packet]:
    """The same on the wire."""
    return change(traffic(72, rounds=1).packets, from_a, "VX206", header=none)


# VX301 to VX306: the inner checksum


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


@capture("vx301", resembles=("VX305", "VX302", "VX601", "VX204", "VX603"))
def vx301() -> list[Packet]:
    """A virtual network card that computes inner TCP and UDP checksums wrongly for this port."""
    t = traffic(80, outer=none, dport=8472, vni=1, rounds=2)
    t.ping(4)
    return each(t.packets, transport_a, "VX301", 80)


@capture("vx301-outer", resembles=("VX305", "VX306", "VX201"))
def vx301_outer() -> list[Packet]:
    """The same below right outer checksums, IPv4 and IPv6 inside."""
    four, six = traffic(81, rounds=1), traffic(82, rounds=1, version=6)
    four.ping(2)
    six.ping(2)
    packets = four.packets + six.packets
    return each(packets, transport_a, "VX301", 81)


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


@capture(
    "vx302",
    recovered={"pre_nat_destination": ["10.96.0.10"]},
    confidence={"VX302": "confirmed"},
    resembles=("VX603", "VX301", "VX104", "VX508"),
)
def vx302() -> list[Packet]:
    """A service address replaced by that of a pod, the inner checksum left alone; the service is
    seen elsewhere."""
    t = traffic(83, rounds=2)
    return rewrite_inner(t.packets, tcp_a, SERVICE, "VX302") + service_traffic(84)


@capture(
    "vx302-twice",
    recovered={"pre_nat_destination": ["10.96.0.10"]},
    resembles=("VX603", "VX102"),
)
def vx302_twice() -> list[Packet]:
    """The same with the address entered with the wrong sign: twice the difference."""
    t = traffic(85, rounds=2)
    return rewrite_inner(t.packets, tcp_a, SERVICE, "VX302", factor=2) + service_traffic(86)


@capture(
    "vx302-given", options={"pre_nat": ["10.96.0.0/16"]}, recovered={"candidates": ["10.96.0.10"]}
)
def vx302_given() -> list[Packet]:
    """The service is not in the capture, but its network is given."""
    t = traffic(87, rounds=2, outer=none)
    return rewrite_inner(t.packets, tcp_a, SERVICE, "VX302")


@capture("vx302-unknown", resembles=("VX603", "VX301"), confidence={"VX302": "likely"})
def vx302_unknown() -> list[Packet]:
    """No candidate: packets with and without payload are off by the same."""
    t = traffic(88, rounds=2)
    return rewrite_inner(t.packets, tcp_a, ip("203.0.113.99"), "VX302")


@capture("vx302-ipv6", recovered={"pre_nat_destination": ["fd00:96::10"]})
def vx302_ipv6() -> list[Packet]:
    """IPv6 inside, outer checksum zero."""
    t = traffic(89, rounds=2, version=6, outer=none)
    other = Traffic(90, version=6, pods=("fd00:10:1::6", "fd00:96::10"))
    other.connection(1)
    return rewrite_inner(t.packets, tcp_a, ip("fd00:96::10"), "VX302") + other.packets


@capture("vx303", recovered={"pre_nat_identifier": [0x1234]}, resembles=("VX301", "VX302", "VX603"))
def vx303() -> list[Packet]:
    """Ping fails while curl works: the identifier of echo requests is rewritten and the checksum is
    not."""
    t = traffic(91, rounds=2)
    for _ in range(3):
        p = t.echo(0x5678, 1, t.random(t.size(30, 80)))
        t.packets[-1] = mark(p.but(inner=off_by(0x5678 - 0x1234)), "VX303")
    return [p for p in t.packets if p.protocol != ICMP or p.marks]


@capture("vx303-varied", resembles=("VX304", "VX301", "VX305"))
def vx303_varied() -> list[Packet]:
    """Ping fails while curl works, each request wrong in its own way."""
    t = traffic(92, outer=none, rounds=2)
    t.ping(3)
    return each(t.packets, icmp_a, "VX303", 92)


@capture("vx303-ipv6", resembles=("VX305", "VX506"))
def vx303_ipv6() -> list[Packet]:
    """The same with ICMPv6."""
    t = traffic(93, rounds=2, version=6)
    t.ping(3)
    return each(t.packets, icmp_a, "VX303", 93)


@capture("vx303-receiver", info={"VX303": None}, resembles=("VX301", "VX102"))
def vx303_receiver() -> list[Packet]:
    """Ping fails while curl works, and all is right here: the receiver leaves requests alone."""
    t = Traffic(94)
    t.ping(4, answered=False)
    for _ in range(3):
        t.connection()
    return t.packets


@capture("vx303-opposite", confidence={"VX102": "confirmed"}, resembles=("VX303",))
def vx303_opposite() -> list[Packet]:
    """The opposite: curl fails while ping works."""
    t = Traffic(95)
    t.ping(4)
    pings = list(t.packets)
    syns = [p for _ in range(6) for p in t.syns(2, gap=0.9)]
    ports = Ports(95)
    return pings + [mark(nat(p, kernel, sport=ports(p)), "VX102") for p in syns]


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


def count_padding(
    packets: Iterable[Packet], padding: Callable[[], bytes], *, length: bool
) -> list[Packet]:
    out = []
    for p in packets:
        q = padded(p, padding()) if tcp_a(p) else p
        if q.padding:
            q = mark(q.but(inner=counted(q.padding, length=length)), "VX304")
        out.append(q)
    return out


@capture("vx304", recovered={"padding_octets": [6]}, resembles=("VX507", "VX302", "VX306"))
def vx304() -> list[Packet]:
    """Zero padding of bare acknowledgements counted with its length."""
    t = Traffic(96, outer=none)
    t.ping(2, size=56)
    for _ in range(3):
        t.connection(2, low=40, high=180)
    return count_padding(t.packets, lambda: bytes(60), length=True)


@capture("vx304-nonzero", resembles=("VX507", "VX301"))
def vx304_nonzero() -> list[Packet]:
    """Padding that is not zero, counted as data and length, odd packets among them; right outer
    checksums."""
    rng = Traffic(97).rng
    return count_padding(short_traffic(98), lambda: rng.randbytes(60), length=True)


@capture("vx304-data", resembles=("VX502", "VX301"))
def vx304_data() -> list[Packet]:
    """Padding that is not zero, counted as data only, odd packets among them."""
    rng = Traffic(99).rng
    packets = short_traffic(100)
    return count_padding(packets, lambda: rng.randbytes(60), length=False)


@capture("vx304-odd", resembles=("VX507", "VX502"))
def vx304_odd() -> list[Packet]:
    """Zero padding of odd packets of all lengths counted with its length."""
    return count_padding(short_traffic(101, outer=none, parity=1), lambda: bytes(60), length=True)


@capture("vx305", resembles=("VX301", "VX306", "VX302"))
def vx305() -> list[Packet]:
    """Dual stack in an IPv4 tunnel: only TCP over IPv6 is wrong."""
    packets = traffic(102, rounds=1).packets + traffic(103, rounds=2, version=6).packets
    return each(packets, lambda p: tcp_a(p) and len(p.src) == 16, "VX305", 102)


@capture("vx305-udp", resembles=("VX301",))
def vx305_udp() -> list[Packet]:
    """Only IPv6 inside: TCP is wrong, UDP and ICMPv6 are right."""
    return each(traffic(104, rounds=2, version=6, outer=none).packets, tcp_a, "VX305", 104)


@capture("vx306", resembles=("VX601", "VX603", "VX903", "VX301"))
def vx306() -> list[Packet]:
    """Handshakes and small requests are right, segments of 700 octets and more are wrong."""
    t = traffic(105, rounds=1)
    t.connection(4, low=700, high=760)
    return each(t.packets, lambda p: tcp_a(p) and len(p.payload) > 200, "VX306", 105)


# VX401 to VX405: representation and policy


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


def outer_of(p: Packet) -> int:
    """The outer checksum as it is in the packet."""
    return int.from_bytes(datagram(p, vxlan(p, inner_packet(p)))[6:8], "big")


def sums_to_zero(p: Packet) -> bool:
    if p.protocol != UDP:
        return False
    pseudo = pseudo_header(p.src, p.dst, p.protocol, len(p.segment))
    return right(pseudo, p.segment) == 0


@capture("vx401", resembles=("VX404", "VX405", "VX402"))
def vx401() -> list[Packet]:
    """Inner UDP checksums that come out as 0 are sent as 0, all others are there."""
    return change(zero_sums(110, 2), sums_to_zero, "VX401", inner=none)


@capture("vx401-outer", resembles=("VX403", "VX101"))
def vx401_outer() -> list[Packet]:
    """The same with the outer checksum."""
    packets = traffic(111, rounds=2).packets
    for row in (9, 16, 23):
        packets[row] = mark(outer_zero(packets[row]).but(outer=none), "VX401")
    return packets


@capture("vx402", resembles=("VX401", "VX205"))
def vx402() -> list[Packet]:
    """TCP and ICMP checksums of 0xffff where 0x0000 is usual."""
    t = traffic(112, rounds=1)
    for _ in range(2):
        p = tuned(t.tcp(40000, 80, PSH | ACK, t.random(20)), 0)
        t.packets[-1] = mark(p.but(inner=constant(0xFFFF)), "info:VX402")
    p = tuned(t.echo(7, 1, t.random(20)), 0)
    t.packets[-1] = mark(p.but(inner=constant(0xFFFF)), "info:VX402")
    return t.packets


@capture("vx402-header")
def vx402_header() -> list[Packet]:
    """An IPv4 header checksum of 0xffff where 0x0000 is usual."""
    t = Traffic(113)
    t.connection()
    p = t.tcp(40000, 80, ACK)
    base = p.but(ident=0, plain=True)
    ident = int.from_bytes(inner_packet(base)[10:12], "big")
    t.packets[-1] = mark(p.but(ident=ident, inner_header=constant(0xFFFF)), "info:VX402")
    return t.packets


@capture("vx403", resembles=("VX404", "VX401", "VX101"))
def vx403() -> list[Packet]:
    """An IPv6 tunnel without outer checksums."""
    t = traffic(114, rounds=1, outer=none, outer_version=6)
    return change(t.packets, lambda _: True, "VX403")


@capture("vx404", resembles=("VX403", "VX401"))
def vx404() -> list[Packet]:
    """UDP over IPv6 inside the tunnel without a checksum."""
    t = traffic(115, rounds=3, version=6)
    return change(t.packets, lambda p: p.protocol == UDP and from_a(p), "VX404", inner=none)


@capture("vx405", resembles=("VX201", "VX202", "VX204", "VX907"))
def vx405() -> list[Packet]:
    """Remote checksum offload: unfinished inner checksums, and a flag that says so."""
    t = traffic(116, rounds=1, outer=none)
    return change(t.packets, transport_a, "info:VX405", inner=partial, flags=0x0820)


@capture("vx405-summed", options={"vantage": "wire"}, resembles=("VX202", "VX204"))
def vx405_summed() -> list[Packet]:
    """The same below outer checksums that cover the unfinished inner ones, on the wire."""
    t = traffic(117, rounds=1)
    return change(t.packets, transport_a, "info:VX405", inner=partial, flags=0x0820)


# VX501 to VX509: arithmetic


def swapped(pseudo: bytes, segment: bytes) -> int:
    value = right(pseudo, segment)
    return (value & 0xFF) << 8 | value >> 8


def odd_in_low_half(pseudo: bytes, segment: bytes) -> int:
    if len(segment) % 2:
        segment = segment[:-1] + b"\0" + segment[-1:]
    return right(pseudo, segment)


def field_not_zeroed(pseudo: bytes, segment: bytes) -> int:
    return right(pseudo + struct.pack(">H", ones_sum(pseudo)), segment)


def not_complemented(pseudo: bytes, segment: bytes) -> int:
    return ones_sum(pseudo + segment)


def carries_lost(pseudo: bytes, segment: bytes) -> int:
    data = pseudo + segment + bytes(len(segment) % 2)
    return 0xFFFF - sum(struct.unpack(f">{len(data) // 2}H", data)) % 0x10000


def no_pseudo_header(_pseudo: bytes, segment: bytes) -> int:
    return right(b"", segment)


def length_of(wrong: Callable[[int], int]) -> Routine:
    def routine(pseudo: bytes, segment: bytes) -> int:
        return right(pseudo[:-8] + struct.pack(">I", wrong(len(segment))) + pseudo[-4:], segment)

    return routine


def protocol_of(wrong: int) -> Routine:
    return lambda pseudo, segment: right(pseudo[:-4] + struct.pack(">I", wrong), segment)


def mistake(
    code: str,
    name: str,
    about: str,
    seed: int,
    routine: Routine,
    *,
    level: str = "outer",
    **more: Any,
) -> None:
    """Register captures in which one side computes checksums in a wrong way."""
    options = {
        k: more.pop(k) for k in ("version", "outer_version", "parity", "rounds") if k in more
    }
    where = more.pop("where", None)

    def make() -> list[Packet]:
        base = right if level == "outer" else (none if seed % 2 else right)
        t = traffic(seed, **{"rounds": 2, "outer": base, **options})
        out = []
        for p in t.packets:
            hit = from_a(p) and (where is None or where(p))
            if level != "outer":
                hit = hit and p.protocol in (TCP, UDP, ICMPV6)
            if not hit:
                q = p
            elif level == "outer":
                q = p.but(outer=routine)
            else:
                q = p.but(inner=routine)
            if level == "plain":
                q = q.but(plain=True)
            if hit and _differs(p, routine, level):
                mark(q, code)
            out.append(q)
        return out

    make.__doc__ = about
    capture(name, **more)(make)


def _differs(p: Packet, routine: Routine, level: str) -> bool:
    """Whether the mistake shows in this packet."""
    if level == "outer":
        carried = vxlan(p, inner_packet(p))
        segment = struct.pack(">HHHH", p.sport, p.dport, 8 + len(carried), 0) + carried
        pseudo = pseudo_header(p.node_src, p.node_dst, UDP, len(segment))
    else:
        segment = p.segment
        pseudo = pseudo_header(p.src, p.final or p.dst, p.protocol, len(segment))
    return (routine(pseudo, segment) - right(pseudo, segment)) % 0xFFFF != 0


_ARITHMETIC: tuple[tuple[str, Routine, str, tuple[str, ...], dict[str, list[Any]]], ...] = (
    ("VX501", swapped, "octets swapped", ("VX504", "VX602"), {}),
    ("VX503", field_not_zeroed, "the old pseudo-header sum counted in", ("VX506", "VX201"), {}),
    ("VX504", not_complemented, "the complement forgotten", ("VX501", "VX201"), {}),
    ("VX505", carries_lost, "carries cut off", ("VX507", "VX509", "VX502"), {}),
    ("VX506", no_pseudo_header, "no pseudo-header", ("VX503", "VX508"), {}),
    ("VX507", length_of(lambda _: 0), "length 0", ("VX506", "VX304"), {"length_used": [0]}),
)
for _number, (_code, _routine, _what, _like, _values) in enumerate(_ARITHMETIC):
    _low = _code.lower()
    for _offset, _level in enumerate(("outer", "inner", "plain")):
        if _level == "plain" and _code != "VX505":
            continue
        _suffix = "" if _level == "outer" else f"-{_level}"
        mistake(
            _code,
            f"{_low}{_suffix}",
            f"The {_level} checksum: {_what}.",
            200 + 10 * _number + _offset,
            _routine,
            level=_level,
            rounds=2 if _code == "VX505" else 1,
            resembles=_like,
            recovered=_values,
        )
    if _code in ("VX501", "VX505", "VX507"):
        mistake(
            _code,
            f"{_low}-ipv6",
            f"Over IPv6, the inner checksum: {_what}.",
            205 + 10 * _number,
            _routine,
            level="inner",
            version=6,
            resembles=_like,
            recovered=_values,
        )

mistake(
    "VX502",
    "vx502",
    "The last octet of odd packets in the low half, outer checksum, odd packets only.",
    270,
    odd_in_low_half,
    parity=1,
    resembles=("VX505", "VX304"),
)
mistake(
    "VX502",
    "vx502-inner",
    "The last octet of odd packets in the low half, inner checksum; even packets are right.",
    273,
    odd_in_low_half,
    level="inner",
    rounds=3,
    parity=1,
    resembles=("VX505", "VX304"),
)
mistake(
    "VX502",
    "vx502-ipv6",
    "The last octet of odd packets in the low half, outer IPv6.",
    272,
    odd_in_low_half,
    parity=1,
    outer_version=6,
    resembles=("VX505",),
)
for _seed, _name, _off, _about in (
    (280, "vx507-total", lambda n: n + 20, "the total length of the IPv4 packet"),
    (281, "vx507-payload", lambda n: n - 8, "the length of the payload of UDP"),
    (282, "vx507-frame", lambda n: n + 34, "the length of the frame"),
):
    mistake(
        "VX507",
        _name,
        f"The pseudo-header has {_about}.",
        _seed,
        length_of(_off),
        rounds=1,
        resembles=("VX509", "VX304", "VX505"),
        recovered={"length_off_by": [_off(0)]},
    )
mistake(
    "VX509",
    "vx509",
    "The pseudo-header of the outer UDP has the number of TCP.",
    290,
    protocol_of(6),
    rounds=1,
    resembles=("VX507", "VX505"),
    recovered={"protocol_used": [6]},
)
mistake(
    "VX509",
    "vx509-inner",
    "The pseudo-header of the inner TCP has the number of UDP.",
    291,
    protocol_of(17),
    level="inner",
    where=lambda p: p.protocol == TCP,
    resembles=("VX507", "VX505", "VX302"),
    recovered={"protocol_used": [17]},
)


def _with_options_header(p: Packet) -> Packet:
    return p.but(extensions=((60, bytes.fromhex("00010400000000")),))


@capture("vx509-extension", recovered={"protocol_used": [60]}, resembles=("VX507", "VX508"))
def vx509_extension() -> list[Packet]:
    """Destination options before TCP, and their number in the pseudo-header."""
    t = traffic(292, rounds=2, version=6)
    return [
        mark(_with_options_header(p).but(inner=protocol_of(60)), "VX509") if tcp_a(p) else p
        for p in t.packets
    ]


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
    t = traffic(seed, rounds=2, version=version)
    out = []
    for p in t.packets:
        q = routed(p, ip(final)) if transport_a(p) else p
        if wrong and q.final:
            q = mark(q.but(inner=next_stop(q)), "VX508")
        out.append(q)
    return out


@capture("vx508", resembles=("VX302", "VX506", "VX509"))
def vx508() -> list[Packet]:
    """An IPv6 routing header with a stop left, and that stop in the pseudo-header."""
    return routes(300, "fd00:10:7::77", wrong=True, version=6)


@capture("vx508-ipv4", resembles=("VX302", "VX506"))
def vx508_ipv4() -> list[Packet]:
    """A loose source route of IPv4 with a stop left, and that stop in the pseudo-header."""
    return routes(301, "10.9.8.7", wrong=True, version=4)


# VX600 to VX603: what nothing explains, and damage


@capture("vx600", resembles=("VX601", "VX602", "VX301", "VX505"))
def vx600() -> list[Packet]:
    """All packets of one side are wrong, ICMP too, each in its own way."""
    maker = garbage(310)
    return [
        mark(p.but(outer=maker()), "VX600") if from_a(p) else p
        for p in traffic(310, rounds=2).packets
    ]


@capture("vx600-constant", resembles=("VX104", "VX507", "VX509", "VX601"))
def vx600_constant() -> list[Packet]:
    """Plain packets that are all off by the same amount, for no reason known."""
    t = traffic(311, rounds=2)
    packets = change(t.packets, transport_a, "VX600", inner=off_by(0x3579))
    return [p.but(plain=True) for p in packets if p.protocol != ARP]


def flip(*bits: int) -> Callable[[bytes], bytes]:
    """Invert bits, counted from the end of the frame."""

    def edit(frame: bytes) -> bytes:
        octets = bytearray(frame)
        for bit in bits:
            octets[-1 - bit // 8] ^= 1 << bit % 8
        return bytes(octets)

    return edit


@capture(
    "vx601",
    resembles=("VX101", "VX102", "VX103", "VX104", "VX105", "VX302", "VX600", "VX603", "VX501"),
)
def vx601() -> list[Packet]:
    """Three damaged packets among many."""
    packets = traffic(312, rounds=6).packets
    for row, bits in ((20, (3, 70, 95)), (47, (13, 22, 41)), (66, (0, 9, 55))):
        packets[row] = mark(packets[row].but(edit=flip(*bits)), "VX601")
    return packets


@capture("vx601-zero", resembles=("VX301", "VX303", "VX304", "VX305", "VX306", "VX603", "VX101"))
def vx601_zero() -> list[Packet]:
    """Damaged packets in tunnels without outer checksums: only the inner ones notice."""
    packets = traffic(313, rounds=6, outer=none).packets
    for row, bits in ((23, (3, 70, 95)), (50, (13, 22, 41))):
        packets[row] = mark(packets[row].but(edit=flip(*bits)), "VX601")
    return packets


@capture("vx602", resembles=("VX102", "VX104", "VX601", "VX501", "VX505", "VX507", "VX509"))
def vx602() -> list[Packet]:
    """Single bits flipped in a few packets."""
    packets = traffic(314, rounds=6).packets
    for row, bit in ((20, 3), (47, 22), (66, 77)):
        packets[row] = mark(packets[row].but(edit=flip(bit)), "VX602")
    return packets


@capture("vx603", resembles=("VX302", "VX601", "VX306"))
def vx603() -> list[Packet]:
    """A gateway replaces a word in the requests of one connection and updates nothing."""
    packets = traffic(315, rounds=2, outer=none).packets
    return change(packets, lambda p: tcp_a(p) and p.tcp_flags & PSH, "VX603", inner=off_by(0x1A2B))


@capture("vx603-summed", resembles=("VX302", "VX301"))
def vx603_summed() -> list[Packet]:
    """The same below right outer checksums."""
    packets = traffic(316, rounds=2).packets
    return change(packets, lambda p: tcp_a(p) and p.tcp_flags & PSH, "VX603", inner=off_by(0xFE01))


# VX901 to VX909: how captures are taken


@capture("vx901", resembles=("VX909", "VX601"))
def vx901() -> list[Packet]:
    """Frames cut short: checksums over octets that are not there."""
    t = traffic(320, rounds=1)
    out = []
    for p in t.packets:
        cut = len(inner_packet(p)) + 50 > 110
        out.append(mark(p.but(cut=110), "info:VX901") if cut else p)
    return out


@capture("vx902", resembles=("VX901", "VX601"))
def vx902() -> list[Packet]:
    """The second fragments are missing."""
    t = traffic(321, rounds=1)
    out = []
    for p in t.packets:
        if tcp_a(p) and len(p.payload) > 20:
            out.append(mark(p.but(fragments=True), "first:VX902"))
        else:
            out.append(p)
    return out


@capture("vx903", resembles=("VX904", "VX905", "VX306"))
def vx903() -> list[Packet]:
    """Superframes on the sending host."""
    t = traffic(322, rounds=1, outer=none)
    for _ in range(3):
        p = t.tcp(45000, 80, PSH | ACK, t.random(1801)).but(inner=partial)
        mark(p, "info:VX201")
        t.packets[-1] = mark(p, "info:VX903")
    return t.packets


@capture("vx904", resembles=("VX903", "VX905"))
def vx904() -> list[Packet]:
    """BIG TCP: 70,000 octets in one packet, length fields of 0, cut by the snaplen."""
    t = Traffic(323, version=6)
    t.connection()
    p = t.tcp(45000, 80, ACK, bytes(70000)).but(inner=partial, cut=120)
    for code in ("info:VX904", "info:VX903", "info:VX201"):
        mark(p, code)
    t.packets[-1] = p
    return [q.but(plain=True) for q in t.packets]


@capture("vx905", resembles=("VX903", "VX304", "VX904"))
def vx905() -> list[Packet]:
    """Headers of one segment, octets of several: what a device cuts later."""
    t = traffic(324, rounds=1)
    for _ in range(3):
        p = t.tcp(45000, 80, PSH | ACK, t.random(301)).but(inner=off_by(t.size(500, 9000)))
        outer = off_by(t.size(500, 9000))
        t.packets[-1] = mark(p.but(outer=outer, trailer=t.random(1700)), "info:VX905")
    return t.packets


@capture("vx906", linktype=SLL2, resembles=("VX105", "VX201"))
def vx906() -> list[Packet]:
    """The same packets on a pod's interface, and in the tunnel."""
    out = []
    for p in traffic(325, rounds=1, outer=none).packets:
        inner, outer = p.but(plain=True, interface=7), p.but(time=p.time + 0.00003)
        if p.protocol == TCP and p.tcp_flags & SYN:
            mark(inner, "info:VX906")
            mark(outer, "info:VX906")
        out += [inner, outer]
    return out


@capture("vx907", resembles=("VX405", "VX600"))
def vx907() -> list[Packet]:
    """Another protocol on the port of VXLAN."""
    t = Traffic(326)
    t.pod_a, t.pod_b = t.node_a, t.node_b
    for _ in range(4):
        t.packets[-1] = mark(t.udp(45000, 8472, b"\0" + t.random(39)), "info:VX907")
    return [p.but(plain=True) for p in t.packets] + traffic(327, rounds=1).packets


def exchanged(offset: int, old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """Replace addresses in a finished frame."""

    def edit(frame: bytes) -> bytes:
        head, rest = frame[:offset], frame[offset : offset + 8]
        return head + rest.replace(old, new) + frame[offset + 8 :]

    return edit


@capture("vx908", resembles=("VX104", "VX102", "VX601", "VX206"))
def vx908() -> list[Packet]:
    """An anonymiser exchanged the outer addresses in the file and left all checksums alone."""
    edit = exchanged(26, ip("192.0.2.11"), ip("198.51.100.7"))
    return change(traffic(328, rounds=2).packets, lambda _: True, "VX908", edit=edit)


@capture("vx908-plain", resembles=("VX104", "VX302"))
def vx908_plain() -> list[Packet]:
    """The same with plain packets."""
    edit = exchanged(26, ip("10.244.1.5"), ip("203.0.113.8"))
    t = Traffic(329)
    for _ in range(3):
        t.connection()
        t.dns()
    return [mark(p.but(plain=True, edit=edit), "VX908") for p in t.packets]


@capture("vx909", shorten=37, findings={"VX909": None}, resembles=("VX901", "VX902"))
def vx909() -> list[Packet]:
    """A capture file that ends in the middle of a record."""
    t = Traffic(330)
    t.ping(2)
    return t.packets


# Look-alikes: nothing is wrong, or something else


_NAT = ("VX101", "VX102", "VX103", "VX104", "VX105")
_SOFTWARE = tuple(f"VX50{n}" for n in range(1, 10))


@capture("like-summed", resembles=(*_NAT, *_SOFTWARE, "VX205", "VX600", "VX601", "VX602"))
def like_summed() -> list[Packet]:
    """Healthy, outer checksums on, IPv4 and IPv6 inside."""
    return traffic(400, rounds=1).packets + traffic(401, version=6, rounds=1).packets


@capture("like-unsummed", resembles=("VX101", "VX103", "VX205", "VX401", "VX403"))
def like_unsummed() -> list[Packet]:
    """Healthy, no outer checksums; one datagram's would by chance be 0xffff."""
    return traffic(402, outer=none, rounds=1).packets + zero_sums(403, 1, outer=none)


@capture("like-ipv6", resembles=("VX403", "VX404", "VX305", "VX102"))
def like_ipv6() -> list[Packet]:
    """Healthy, IPv6 in IPv6, all checksums there."""
    return traffic(404, version=6, outer_version=6, rounds=1).packets


@capture("like-snat", resembles=_NAT)
def like_snat() -> list[Packet]:
    """NAT of the outer header that updates checksums as it should."""
    t = traffic(405, rounds=1)
    ports = Ports(405)
    return [p.but(node_src=NEW, sport=ports(p)) if from_a(p) else p for p in t.packets]


@capture("like-snat-unsummed", resembles=_NAT)
def like_snat_unsummed() -> list[Packet]:
    """NAT of the outer header that leaves the zero alone."""
    t = traffic(406, outer=none, rounds=1)
    ports = Ports(406)
    return [p.but(node_src=NEW, sport=ports(p)) if from_a(p) else p for p in t.packets]


@capture("like-ffff", resembles=("VX101", "VX205", "VX402", "VX401"))
def like_ffff() -> list[Packet]:
    """Outer and inner UDP checksums that are 0xffff and right."""
    packets = zero_sums(407, 3)
    for row in (6, 9, 12):
        packets[row] = outer_zero(packets[row])
    return packets


@capture("like-zero-tcp", resembles=("VX402", "VX401", "VX404"))
def like_zero_tcp() -> list[Packet]:
    """TCP and ICMP checksums that are 0x0000 and right."""
    t = traffic(408, rounds=1)
    for _ in range(3):
        t.packets[-1] = tuned(t.tcp(40000, 80, PSH | ACK, t.random(20)), 0)
    t.packets[-1] = tuned(t.echo(7, 1, t.random(20)), 0)
    return t.packets


def one_damaged(seed: int, code: str, *bits: int, rounds: int = 2, **more: Any) -> list[Packet]:
    packets = traffic(seed, rounds=rounds, **more).packets
    row = next(n for n, p in enumerate(packets) if n > 15 and tcp_a(p) and p.tcp_flags & PSH)
    packets[row] = mark(packets[row].but(edit=flip(*bits)), code)
    return packets


@capture("like-one-damaged", resembles=(*_NAT, *_SOFTWARE, "VX302", "VX603", "VX306", "VX600"))
def like_one_damaged() -> list[Packet]:
    """One damaged packet in a tunnel with outer checksums."""
    return one_damaged(410, "VX601", 5, 29, 38)


@capture("like-one-damaged-unsummed", resembles=("VX301", "VX302", "VX304", "VX305", "VX306"))
def like_one_damaged_unsummed() -> list[Packet]:
    """One damaged packet in a tunnel without."""
    return one_damaged(411, "VX601", 5, 29, 38, outer=none)


@capture("like-one-field", resembles=("VX101", "VX103", "VX205", "VX102"))
def like_one_field() -> list[Packet]:
    """One empty outer checksum damaged, in a tunnel without."""
    packets = traffic(412, outer=none, rounds=4).packets
    packets[33] = mark(packets[33].but(outer=constant(0x4A31)), "VX601")
    return packets


@capture("like-one-bit", resembles=("VX102", "VX104", "VX105", "VX601", "VX505"))
def like_one_bit() -> list[Packet]:
    """One bit flipped in one packet."""
    return one_damaged(413, "VX602", 12)


@capture("like-damaged-address", resembles=("VX908", "VX206", "VX104"))
def like_damaged_address() -> list[Packet]:
    """The outer source address of one packet damaged: header and datagram are off alike."""
    packets = traffic(414, rounds=4).packets

    def edit(frame: bytes) -> bytes:
        return frame[:26] + bytes([frame[26] ^ 0x51, frame[27] ^ 0x0A]) + frame[28:]

    packets[40] = mark(packets[40].but(edit=edit), "VX601")
    return packets


@capture("like-odd", resembles=("VX502", "VX304", "VX505"))
def like_odd() -> list[Packet]:
    """Odd lengths throughout, all right."""
    return (
        traffic(415, parity=1, rounds=1).packets
        + traffic(416, parity=1, rounds=1, outer=none).packets
    )


@capture("like-even-wrong", resembles=("VX502", "VX505"))
def like_even_wrong() -> list[Packet]:
    """Even packets that are off by multiples of 255, which the odd octet cannot explain."""
    t = traffic(417, rounds=2, parity=0)
    rng = Traffic(417).rng
    return [
        mark(p.but(outer=off_by(255 * rng.randrange(90, 250))), "VX600") if from_a(p) else p
        for p in t.packets
    ]


@capture("like-padding", resembles=("VX304", "VX507", "VX905"))
def like_padding() -> list[Packet]:
    """Padding that is not zero, and not counted."""
    rng = Traffic(418).rng
    packets = short_traffic(419, rounds=1) + short_traffic(420, outer=none, rounds=1)
    return [padded(p, rng.randbytes(60)) for p in packets]


@capture("like-trailer", resembles=("VX905", "VX304", "VX901"))
def like_trailer() -> list[Packet]:
    """A frame check sequence behind every frame, and some padding."""
    t = traffic(421, rounds=1)
    return [p.but(trailer=t.random(4)) for p in t.packets]


@capture("like-answered", linktype=SLL, resembles=("VX202", "VX204", "VX203"))
def like_answered() -> list[Packet]:
    """Containers of one host: incoming packets are unfinished, and answered."""
    packets = change(
        traffic(422, outer=none, rounds=2).packets, transport_a, "info:VX201", inner=partial
    )
    return [p.but(direction=0 if from_a(p) else 4) for p in packets]


@capture("like-retransmitted", resembles=("VX906", "VX202", "VX105"))
def like_retransmitted() -> list[Packet]:
    """A finished SYN that nobody answers, on one interface."""
    t = Traffic(423)
    t.ping()
    t.syns(4)
    return t.packets


@capture("like-two-interfaces", linktype=SLL2, resembles=("VX906",))
def like_two_interfaces() -> list[Packet]:
    """Different packets on two interfaces."""
    one = traffic(424, rounds=1).packets
    two = traffic(425, rounds=1, pods=("10.244.1.6", "10.244.4.4")).packets
    return one + [p.but(plain=True, interface=7) for p in two]


@capture("like-route", resembles=("VX508", "VX509", "VX302"))
def like_route() -> list[Packet]:
    """Routing headers and source routes, the final destination in the pseudo-header."""
    return routes(426, "fd00:10:7::77", wrong=False, version=6) + routes(
        427, "10.9.8.7", wrong=False, version=4
    )


@capture("like-extensions", resembles=("VX509", "VX508", "VX507"))
def like_extensions() -> list[Packet]:
    """Destination options before TCP and UDP, the right protocol in the pseudo-header."""
    t = traffic(428, version=6, rounds=2)
    return [_with_options_header(p) if p.transport else p for p in t.packets]


@capture("like-large", resembles=("VX903", "VX904", "VX905", "VX306"))
def like_large() -> list[Packet]:
    """Jumbo frames, right."""
    t = traffic(429, rounds=1)
    t.connection(1, low=2000, high=2100)
    return t.packets


@capture("like-large-damaged", resembles=("VX306",))
def like_large_damaged() -> list[Packet]:
    """One large packet damaged, others right."""
    t = traffic(430, rounds=2)
    t.connection(2, low=700, high=800)
    large = [n for n, p in enumerate(t.packets) if tcp_a(p) and len(p.payload) > 200]
    t.packets[large[1]] = mark(t.packets[large[1]].but(edit=flip(5, 29, 38)), "VX601")
    return t.packets


@capture("like-nested", resembles=("VX404", "VX907"))
def like_nested() -> list[Packet]:
    """A tunnel in the tunnel, over IPv6 without checksum, which tunnels may do."""
    t = traffic(431, version=6, rounds=1)
    for _ in range(4):
        inside = struct.pack(">II", 0x08 << 24, 7 << 8) + t.random(60)
        t.packets[-1] = t.udp(45001, 4789, inside).but(inner=none)
    return t.packets


@capture("like-zeros-beside", resembles=("VX401",))
def like_zeros_beside() -> list[Packet]:
    """Some senders compute no inner UDP checksum, and one sum is 0xffff by chance."""
    packets = zero_sums(432, 2)
    return [p.but(inner=none) if p.protocol == UDP and from_a(p) else p for p in packets]


@capture("like-flag-once", resembles=("VX405",))
def like_flag_once() -> list[Packet]:
    """The flag of remote checksum offload in one packet."""
    packets = traffic(433, outer=none, rounds=4).packets
    packets[30] = packets[30].but(flags=0x0820)
    return packets


@capture("like-group-policy", resembles=("VX405", "VX907"))
def like_group_policy() -> list[Packet]:
    """The group policy extension: another flag, right checksums."""
    return [p.but(flags=0x88) for p in traffic(434, rounds=1).packets]


@capture("like-other-port", resembles=("VX907",))
def like_other_port() -> list[Packet]:
    """VXLAN on a port that is none of its own, and other UDP."""
    return traffic(435, rounds=1, dport=14789).packets


@capture("like-fragments", resembles=("VX902", "VX901"))
def like_fragments() -> list[Packet]:
    """All fragments are there."""
    t = traffic(436, rounds=2)
    return [p.but(fragments=True) if tcp_a(p) and len(p.payload) > 45 else p for p in t.packets]


@capture("like-cut", resembles=("VX901", "VX909", "VX102"))
def like_cut() -> list[Packet]:
    """Cut behind all headers on the sending host: unfinished, so no checksum is lost."""
    t = Traffic(437)
    for _ in range(2):
        t.connection()
    packets = [p for p in unfinished(t.packets) if from_a(p)]
    return [p.but(cut=110) if len(inner_packet(p)) > 70 else p for p in packets]


@capture("like-whole", resembles=("VX909",))
def like_whole() -> list[Packet]:
    """A short capture that ends where it should."""
    t = Traffic(438)
    t.ping(1)
    return t.packets


@capture("like-empty-header", resembles=("VX206", "VX205", "VX402"))
def like_empty_header() -> list[Packet]:
    """An IPv4 header whose right checksum is 0."""
    t = traffic(439, rounds=1)
    for _ in range(2):
        p = t.tcp(40000, 80, ACK)
        packet = inner_packet(p.but(ident=0))
        t.packets[-1] = p.but(ident=int.from_bytes(packet[10:12], "big"))
    return t.packets


@capture("like-wrong-header", resembles=("VX206", "VX908"))
def like_wrong_header() -> list[Packet]:
    """Outer IPv4 headers with a value of their own, not 0: nothing explains it."""
    t = traffic(440, rounds=1)
    return change(t.packets, from_a, "VX600", header=off_by(0x2468))


@capture("like-ping-alone", resembles=("VX303",))
def like_ping_alone() -> list[Packet]:
    """Right requests, no replies, and no TCP that shows that the other end is there."""
    t = Traffic(441)
    t.ping(4, answered=False)
    return t.packets


@capture("like-ping-works", resembles=("VX303", "VX301"))
def like_ping_works() -> list[Packet]:
    """Ping and curl work; one request was lost."""
    t = traffic(442, rounds=1)
    t.ping(1, answered=False)
    t.connection()
    return t.packets


@capture("like-two-networks", resembles=("VX104",))
def like_two_networks() -> list[Packet]:
    """Two VNIs on one path, right."""
    return traffic(443, rounds=1).packets + traffic(444, rounds=1, vni=5023).packets


@capture("like-few", resembles=("VX601", "VX602", "VX600"))
def like_few() -> list[Packet]:
    """Three healthy frames."""
    t = Traffic(445)
    t.connection()
    return t.packets[:3]


@capture("like-echo-damaged", resembles=("VX303", "VX601"))
def like_echo_damaged() -> list[Packet]:
    """One echo request of many damaged."""
    packets = traffic(446, outer=none, rounds=4).packets
    row = next(n for n, p in enumerate(packets) if n > 10 and icmp_a(p))
    packets[row] = mark(packets[row].but(edit=flip(5, 29, 38)), "VX601")
    return packets


@capture("like-tool", resembles=("VX404",))
def like_tool() -> list[Packet]:
    """One datagram over IPv6 without checksum, as test tools send it: no error."""
    t = traffic(447, version=6, rounds=1)
    t.dns(2)
    t.packets[-1] = mark(t.udp(45001, 7777, t.random(20)).but(inner=none), "info:VX404")
    return t.packets


# Writing


def entry_of(c: Capture, owners: list[Packet]) -> dict[str, Any]:
    """What the manifest says of a capture."""
    serious: dict[str, list[int] | None] = dict(c.findings)
    infos: dict[str, list[int] | None] = dict(c.info)
    seen: Counter[int] = Counter()
    for number, p in enumerate(owners, 1):
        seen[id(p)] += 1
        for code in p.marks:
            kind, _, rule = code.rpartition(":")
            if kind == "first" and seen[id(p)] > 1:
                continue
            into = serious if not kind else infos
            frames = into.setdefault(rule, [])
            if frames is not None:
                frames.append(number)
    entry: dict[str, Any] = {
        "file": f"{c.name}.pcap",
        "about": c.about,
        "frames": len(owners),
        "findings": serious,
        "info": infos,
    }
    for name in ("options", "recovered", "confidence"):
        if getattr(c, name):
            entry[name] = getattr(c, name)
    if c.resembles:
        entry["resembles"] = sorted(set(c.resembles) - set(serious) - set(infos))
    return entry


def octets_of(c: Capture) -> tuple[bytes, list[Packet]]:
    """The file of a capture and the packet of each frame."""
    packets = sorted(c.make(), key=lambda p: p.time)
    data, owners = pcap(packets, c.linktype)
    if c.name == "vx902":  # the capture filter did not match the later fragments
        data, owners = _without_later_fragments(data, owners)
    if c.shorten:
        return data[: -c.shorten], owners[:-1]
    return data, owners


def _without_later_fragments(data: bytes, owners: list[Packet]) -> tuple[bytes, list[Packet]]:
    out, kept, at = [data[:24]], [], 24
    for p in owners:
        stop = at + 16 + struct.unpack("<I", data[at + 8 : at + 12])[0]
        offset = struct.unpack(">H", data[at + 16 + 20 : at + 16 + 22])[0] & 0x1FFF
        if not offset:
            out.append(data[at:stop])
            kept.append(p)
        at = stop
    return b"".join(out), kept


def main(folder: Path) -> None:
    """Write all captures and the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    entries, total = [], 0
    for c in CAPTURES:
        data, owners = octets_of(c)
        (folder / f"{c.name}.pcap").write_bytes(data)
        entries.append(entry_of(c, owners))
        total += len(data)
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    (folder / "manifest.json").write_text(f'{{"captures": [\n{lines}\n]}}\n', encoding="utf-8")
    print(f"{len(entries)} captures, {total:,} octets")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
