"""VX101 to VX105: NAT of the outer header."""

from __future__ import annotations

from typing import Any

from vxcsum.synth.packet import (
    ACK,
    PSH,
    TCP,
    Packet,
    ip,
    outer_of,
)
from vxcsum.synth.recipes.recipe import (
    from_a,
    icmp_a,
    mark,
    not_transport,
    recipe,
    traffic,
    transport_a,
)
from vxcsum.synth.recipes.translation import (
    FAR,
    NEW,
    Ports,
    Update,
    address_only,
    kernel,
    nat,
    node_traffic,
    port_only,
    stale,
    textbook,
    translate,
)
from vxcsum.synth.sums import (
    constant,
    none,
)
from vxcsum.synth.traffic import Traffic


@recipe(
    "vx101-dnat",
    recovered={"pre_nat_destination": ["192.0.2.12"]},
    confidence={"VX101": "likely"},
    resembles=("VX102", "VX103", "VX104", "VX205"),
)
def vx101_dnat(base: int) -> list[Packet]:
    """No outer checksum, the kernel before 5.7, and a rule that redirects the tunnel's destination;
    the old destination is still used by other nodes.
    """
    new = ip("192.0.2.99")
    packets = translate(
        traffic(base + 1, outer=none).packets,
        from_a,
        kernel,
        "VX101",
        dst=new,
        healthy=not_transport,
    )
    packets = [p.but(outer=none) if from_a(p) and not p.transport else p for p in packets]
    other = traffic(base + 2, outer=none, rounds=1, nodes=("192.0.2.33", "192.0.2.12"))
    return packets + other.packets


@recipe(
    "vx101-pods",
    recovered={"pre_nat_source": ["192.0.2.11"]},
    confidence={"VX101": "confirmed"},
    resembles=("VX102", "VX103", "VX205", "VX402"),
)
def vx101_pods(base: int) -> list[Packet]:
    """Three pods behind two nodes, no outer checksum; masquerade keeps the address and gives every
    flow a new port, so the field is 0xffff; one pod's flows are not masqueraded.
    """
    out = []
    for number, (pods, nodes) in enumerate(
        (
            (("10.244.1.5", "10.244.2.9"), ("192.0.2.11", "192.0.2.12")),
            (("10.244.1.5", "10.244.3.7"), ("192.0.2.11", "192.0.2.13")),
        )
    ):
        t = Traffic(base + 10 + number, outer=none, pods=pods, nodes=nodes, rounds=2).everything()
        out += translate(
            t.packets,
            transport_a,
            kernel,
            "VX101",
            ports=Ports(base + number),
            healthy=not_transport,
        )
    t = Traffic(base + 12, outer=none, pods=("10.244.1.6", "10.244.2.9"), rounds=1).everything()
    return out + t.packets


@recipe(
    "vx101-vlan", recovered={"pre_nat_source": ["192.0.2.11"]}, confidence={"VX101": "confirmed"}
)
def vx101_vlan(base: int) -> list[Packet]:
    """The same behind a VLAN tag, on flannel's port."""
    t = traffic(base + 14, outer=none, dport=8472, vni=1, rounds=2)
    packets = translate(t.packets, transport_a, kernel, "VX101", ports=Ports(base + 14))
    return [p.but(tags=(100,)) for p in packets]


@recipe(
    "vx101-ipv6",
    recovered={"pre_nat_source": ["2001:db8::11"]},
    confidence={"VX101": "confirmed"},
)
def vx101_ipv6(base: int) -> list[Packet]:
    """Outer and inner IPv6, zero outer checksum, masquerade; zeros are a warning, too."""
    t = traffic(base + 15, outer=none, version=6, outer_version=6, rounds=2)
    packets = translate(t.packets, transport_a, kernel, "VX101", ports=Ports(base + 15))
    return [p if p.marks else mark(p, "VX403") for p in packets]


@recipe(
    "vx101-address",
    recovered={"pre_nat_source": ["192.0.2.11"]},
    confidence={"VX101": "likely"},
    resembles=("VX103", "VX104"),
)
def vx101_address(base: int) -> list[Packet]:
    """SNAT to another address of the node, no outer checksum: the field is the difference."""
    t = traffic(base + 16, outer=none, rounds=2)
    packets = translate(t.packets, transport_a, kernel, "VX101", src=NEW)
    pings = [p.but(node_src=NEW) if icmp_a(p) else p for p in packets]
    return pings + node_traffic(base + 17)


def lco_nat(seed: int, code: str = "VX102", **more: Any) -> list[Packet]:
    """NAT of checksums finished in advance: TCP and UDP are updated wrongly, all else rightly."""
    kinds = {k: more.pop(k) for k in ("src", "dst", "ports") if k in more}
    where = more.pop("where", from_a)
    t = traffic(seed, **more)
    return translate(t.packets, where, kernel, code, healthy=not_transport, **kinds)


@recipe(
    "vx102-pods",
    recovered={"pre_nat_source": []},
    confidence={"VX102": "likely"},
    resembles=("VX101", "VX103", "VX104", "VX105", "VX106"),
)
def vx102_pods(base: int) -> list[Packet]:
    """Two pods to two nodes, outer checksums on, masquerade with new ports."""
    one = lco_nat(base + 20, ports=Ports(base + 20), rounds=2)
    two = lco_nat(
        21,
        ports=Ports(base + 21),
        rounds=2,
        pods=("10.244.1.5", "10.244.3.7"),
        nodes=("192.0.2.11", "192.0.2.13"),
    )
    return one + two


@recipe(
    "vx102-dnat",
    recovered={"pre_nat_destination": ["192.0.2.12"]},
    confidence={"VX102": "confirmed"},
    resembles=("VX104", "VX101"),
)
def vx102_dnat(base: int) -> list[Packet]:
    """Outer checksums on, the destination redirected: twice the address difference."""
    return lco_nat(base + 22, dst=ip("192.0.2.99"), rounds=1) + node_traffic(base + 23)


@recipe("vx102-vlan", recovered={"pre_nat_source": []})
def vx102_vlan(base: int) -> list[Packet]:
    """Outer checksums on, masquerade, behind two VLAN tags."""
    packets = lco_nat(base + 24, ports=Ports(base + 24), rounds=1, dport=8472, vni=1)
    return [p.but(tags=(7, 100)) for p in packets]


@recipe(
    "vx102-ipv6",
    recovered={"pre_nat_source": ["2001:db8::11"]},
    confidence={"VX102": "likely"},
)
def vx102_ipv6(base: int) -> list[Packet]:
    """Outer and inner IPv6, masquerade with new ports."""
    return lco_nat(base + 25, ports=Ports(base + 25), rounds=1, version=6, outer_version=6)


@recipe("vx102-one-syn", once=True, findings={"VX702": None}, confidence={"VX102": "possible"})
def vx102_one_syn(base: int) -> list[Packet]:
    """One SYN and its retransmissions, wrong, beside right pings: one observation however often."""
    t = Traffic(base + 26)
    t.ping(2)
    bad = [mark(nat(p, kernel, sport=61234), "VX102") for p in t.syns(5)]
    return [*t.packets[:4], *bad]


@recipe(
    "vx102-two-syns",
    findings={"VX702": None},
    confidence={"VX102": "likely"},
    recovered={"pre_nat_source_port": [45678]},
)
def vx102_two_syns(base: int) -> list[Packet]:
    """A SYN and a request of one outer flow: two observations and the contrast of ICMP."""
    t = Traffic(base + 27)
    t.ping(2)
    pings = list(t.packets)
    bad = [*t.syns(2), t.udp(40000, 53, t.random(31))]
    return pings + [mark(nat(p.but(sport=45678), kernel, sport=2345), "VX102") for p in bad]


@recipe(
    "vx102-proof",
    findings={"VX702": None},
    confidence={"VX102": "likely"},
    recovered={"pre_nat_source_port": [51785]},
)
def vx102_proof(base: int) -> list[Packet]:
    """Retransmitted SYNs from one port, and the one that gets through from the recovered port."""
    t = Traffic(base + 28)
    t.ping(1)
    pings = list(t.packets)
    syns = [p.but(sport=51785) for p in t.syns(6, gap=3.0)]
    return [*pings, *(mark(nat(p, kernel, sport=4894), "VX102") for p in syns[:5]), syns[5]]


@recipe(
    "vx102-late",
    recovered={"pre_nat_source": ["192.0.2.11"]},
    resembles=("VX104", "VX105", "VX101", "VX601"),
)
def vx102_late(base: int) -> list[Packet]:
    """SNAT of the tunnel begins while a connection is up: from then on its small packets are off by
    twice the difference of the addresses, and what left its pod as a superframe is right.
    """
    t = Traffic(base + 29)
    t.ping(2)
    port, seq, answered = t.dialogue()
    before = len(t.packets)
    t.ping(1)
    cut = [t.tcp(port, 443, ACK, t.random(400), seq=seq + at, ack=answered) for at in (0, 400, 800)]
    seq += 1200
    t.tcp(port, 443, ACK, seq=answered, ack=seq, back=True)
    request, answer = t.random(61), t.random(47)
    for wait in (0.0, 0.21, 0.42, 0.84):
        t.tcp(port, 443, PSH | ACK, request, seq=seq, ack=answered, wait=wait)
    for wait in (0.0, 0.22, 0.45):
        t.tcp(port, 443, PSH | ACK, answer, seq=answered, ack=seq, back=True, wait=wait)
        t.tcp(port, 443, ACK, seq=seq + 61, ack=answered + 47)
    t.ping(1)
    right_ones = {id(p) for p in cut}
    late = translate(
        t.packets[before:],
        from_a,
        kernel,
        "VX102",
        src=NEW,
        healthy=lambda p: not p.transport or id(p) in right_ones,
    )
    return t.packets[:before] + late


@recipe(
    "vx103",
    recovered={"pre_nat_source": ["192.0.2.11"]},
    confidence={"VX103": "confirmed"},
    resembles=("VX101", "VX104", "VX205"),
)
def vx103(base: int) -> list[Packet]:
    """Address and port rewritten, an empty checksum updated by the formula of RFC 1624;
    the old address is seen elsewhere.
    """
    packets = translate(
        traffic(base + 30, outer=none, rounds=2).packets,
        from_a,
        textbook,
        "VX103",
        src=FAR,
        ports=Ports(base + 30),
    )
    return packets + node_traffic(base + 31)


@recipe("vx103-port", recovered={"pre_nat_source": []}, resembles=("VX101", "VX104"))
def vx103_port(base: int) -> list[Packet]:
    """Only the port rewritten."""
    t = traffic(base + 32, outer=none, rounds=1)
    return translate(t.packets, from_a, textbook, "VX103", ports=Ports(base + 32))


@recipe("vx103-address", recovered={"pre_nat_source": ["192.0.2.11"]}, resembles=("VX101",))
def vx103_address(base: int) -> list[Packet]:
    """Only the address rewritten."""
    t = traffic(base + 33, outer=none, rounds=1)
    return translate(t.packets, from_a, textbook, "VX103", src=NEW) + node_traffic(base + 34)


@recipe("vx103-mixture", recovered={"pre_nat_source": ["192.0.2.11"]}, resembles=("VX101",))
def vx103_mixture(base: int) -> list[Packet]:
    """An eBPF program without BPF_F_MARK_MANGLED_0: inner TCP and UDP get the difference, ICMP and
    ARP its negative.
    """
    t = traffic(base + 35, outer=none, rounds=2)
    out = []
    for p in t.packets:
        update = kernel if p.transport else textbook
        out.append(mark(nat(p, update, src=NEW), "VX103") if from_a(p) else p)
    return out + node_traffic(base + 36)


@recipe(
    "vx104",
    recovered={"pre_nat_source": ["192.0.2.11"]},
    confidence={"VX104": "confirmed"},
    resembles=("VX102", "VX105", "VX103", "VX908"),
)
def vx104(base: int) -> list[Packet]:
    """Address and port rewritten, no checksum updated; the old address is seen elsewhere."""
    t = traffic(base + 40, rounds=2)
    return translate(
        t.packets, from_a, stale, "VX104", src=FAR, ports=Ports(base + 40)
    ) + node_traffic(base + 41)


@recipe("vx104-port", recovered={"pre_nat_source": []}, resembles=("VX102", "VX105"))
def vx104_port(base: int) -> list[Packet]:
    """Only the port rewritten, nothing updated: the residuals of VX102, but ICMP is hit, too."""
    t = traffic(base + 42, rounds=1)
    return translate(t.packets, from_a, stale, "VX104", ports=Ports(base + 42))


@recipe("vx104-address", recovered={"pre_nat_source": ["192.0.2.11"]}, resembles=("VX102", "VX908"))
def vx104_address(base: int) -> list[Packet]:
    """Only the address rewritten, nothing updated."""
    t = traffic(base + 43, rounds=1)
    return translate(t.packets, from_a, stale, "VX104", src=NEW) + node_traffic(base + 44)


@recipe("vx104-ipv6", recovered={"pre_nat_source": []})
def vx104_ipv6(base: int) -> list[Packet]:
    """Only the port rewritten, over IPv6."""
    t = traffic(base + 45, rounds=1, outer_version=6)
    return translate(t.packets, from_a, stale, "VX104", ports=Ports(base + 45))


@recipe("vx104-vni", recovered={"pre_nat_vni": [4096]}, resembles=("VX102",))
def vx104_vni(base: int) -> list[Packet]:
    """The VNI rewritten on the way from A to B; the other direction still has the old one."""
    t = traffic(base + 46, rounds=2)
    out = []
    for p in t.packets:
        renumbered = p.but(vni=5023, outer=constant(outer_of(p)))
        out.append(mark(renumbered, "VX104") if from_a(p) else p)
    return out


def both_sides(seed: int, update: Update, code: str) -> list[Packet]:
    """A capture that sees the packets before and after NAT."""
    ports, out = Ports(seed), []
    for p in traffic(seed, rounds=2).packets:
        out.append(p)
        if from_a(p) and p.protocol == TCP:
            after = nat(p, update, src=NEW, sport=ports(p)).but(time=p.time + 0.00005)
            out.append(mark(after, code))
    return out


@recipe("vx105", recovered={"pre_nat_source": ["192.0.2.11"]}, resembles=("VX104", "VX102"))
def vx105(base: int) -> list[Packet]:
    """Address and port rewritten, the port forgotten; captured on both sides of the translator."""
    return both_sides(base + 50, address_only, "VX105")


@recipe("vx105-address", recovered={"pre_nat_source": ["192.0.2.11"]}, resembles=("VX104", "VX102"))
def vx105_address(base: int) -> list[Packet]:
    """Address and port rewritten, the address forgotten."""
    return both_sides(base + 51, port_only, "VX105")
