"""VX901 to VX909: what the way of capturing does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vxcsum.synth.packet import (
    ACK,
    ICMP,
    PSH,
    SLL2,
    SYN,
    TCP,
    Packet,
    inner_packet,
    ip,
)
from vxcsum.synth.recipes.mistakes import (
    exchanged,
    renamed,
    renumbered,
    scrubbed,
)
from vxcsum.synth.recipes.recipe import (
    change,
    mark,
    recipe,
    tcp_a,
    traffic,
)
from vxcsum.synth.sums import (
    none,
    off_by,
    partial,
)
from vxcsum.synth.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Where the IPv4 headers of a tunnel packet are in an Ethernet frame.
_OUTER, _INNER = 14, 64


@recipe("vx901", resembles=("VX909", "VX601"))
def vx901(base: int) -> list[Packet]:
    """Frames cut short: checksums over octets that are not there."""
    t = traffic(base + 320, rounds=1)
    out = []
    for p in t.packets:
        cut = len(inner_packet(p)) + 50 > 110
        out.append(mark(p.but(cut=110), "info:VX901") if cut else p)
    return out


@recipe("vx902", resembles=("VX901", "VX601"))
def vx902(base: int) -> list[Packet]:
    """The second fragments are missing."""
    t = traffic(base + 321, rounds=1)
    out = []
    for p in t.packets:
        if tcp_a(p) and len(p.payload) > 20:
            out.append(mark(p.but(fragments=True, later_lost=True), "first:VX902"))
        else:
            out.append(p)
    return out


@recipe("vx903", resembles=("VX904", "VX905", "VX306"))
def vx903(base: int) -> list[Packet]:
    """Superframes on the sending host."""
    t = traffic(base + 322, rounds=1, outer=none)
    for _ in range(3):
        p = t.tcp(45000, 80, PSH | ACK, t.random(1801)).but(inner=partial)
        mark(p, "info:VX201")
        t.packets[-1] = mark(p, "info:VX903")
    return t.packets


@recipe("vx904", resembles=("VX903", "VX905"))
def vx904(base: int) -> list[Packet]:
    """BIG TCP: 70,000 octets in one packet, length fields of 0, cut by the snaplen."""
    t = Traffic(base + 323, version=6)
    t.connection()
    p = t.tcp(45000, 80, ACK, bytes(70000)).but(inner=partial, cut=120)
    for code in ("info:VX904", "info:VX903", "info:VX201"):
        mark(p, code)
    t.packets[-1] = p
    return [q.but(plain=True) for q in t.packets]


@recipe("vx905", resembles=("VX903", "VX304", "VX904"))
def vx905(base: int) -> list[Packet]:
    """Headers of one segment, octets of several: what a device cuts later."""
    t = traffic(base + 324, rounds=1)
    for _ in range(3):
        p = t.tcp(45000, 80, PSH | ACK, t.random(301)).but(inner=off_by(t.size(500, 9000)))
        outer = off_by(t.size(500, 9000))
        t.packets[-1] = mark(p.but(outer=outer, trailer=t.random(1700)), "info:VX905")
    return t.packets


@recipe("vx906", linktype=SLL2, resembles=("VX105", "VX201"))
def vx906(base: int) -> list[Packet]:
    """The same packets on a pod's interface, and in the tunnel."""
    out = []
    for p in traffic(base + 325, rounds=1, outer=none).packets:
        inner, outer = p.but(plain=True, interface=7), p.but(time=p.time + 0.00003)
        if p.protocol == TCP and p.tcp_flags & SYN:
            mark(inner, "info:VX906")
            mark(outer, "info:VX906")
        out += [inner, outer]
    return out


@recipe("vx907", resembles=("VX405", "VX600"))
def vx907(base: int) -> list[Packet]:
    """Another protocol on the port of VXLAN."""
    t = Traffic(base + 326)
    t.pod_a, t.pod_b = t.node_a, t.node_b
    for _ in range(4):
        t.packets[-1] = mark(t.udp(45000, 8472, b"\0" + t.random(39)), "info:VX907")
    return [p.but(plain=True) for p in t.packets] + traffic(base + 327, rounds=1).packets


@recipe("vx908", whole=True, resembles=("VX104", "VX102", "VX601", "VX206"))
def vx908(base: int) -> list[Packet]:
    """An anonymiser exchanged the outer addresses in the file and left all checksums alone."""
    edit = exchanged(26, ip("192.0.2.11"), ip("198.51.100.7"))
    return change(traffic(base + 328, rounds=2).packets, lambda _: True, "VX908", edit=edit)


@recipe("vx908-plain", whole=True, resembles=("VX104", "VX302"))
def vx908_plain(base: int) -> list[Packet]:
    """The same with plain packets."""
    edit = exchanged(26, ip("10.244.1.5"), ip("203.0.113.8"))
    t = Traffic(base + 329)
    for _ in range(3):
        t.connection()
        t.dns()
    return [mark(p.but(plain=True, edit=edit), "VX908") for p in t.packets]


def accepted(seed: int, **more: Any) -> list[Packet]:
    """Traffic in which all that is sent is answered, and acknowledged by its number."""
    t = Traffic(seed, **more)
    t.arp()
    for _ in range(2):
        t.ping(1)
        t.dialogue()
        t.dns(1)
    return t.packets


def scrub(packets: Iterable[Packet]) -> list[Packet]:
    """Replace what transport headers carry by zeros in the file."""
    return [
        mark(p.but(edit=scrubbed(len(p.payload))), "VX908") if p.payload else p for p in packets
    ]


@recipe("vx908-payload", whole=True, resembles=("VX600", "VX601", "VX306", "VX301"))
def vx908_payload(base: int) -> list[Packet]:
    """An anonymiser replaced all payload by zeros, in a tunnel with outer checksums."""
    return scrub(accepted(base + 331))


@recipe("vx908-payload-nocsum", whole=True, resembles=("VX301", "VX306", "VX600", "VX601"))
def vx908_payload_nocsum(base: int) -> list[Packet]:
    """The same in a tunnel without."""
    return scrub(accepted(base + 332, outer=none))


@recipe("vx908-inner-addresses", whole=True, resembles=("VX302", "VX301", "VX603", "VX600"))
def vx908_inner_addresses(base: int) -> list[Packet]:
    """An anonymiser renamed the pods and corrected the IP headers: TCP and UDP are wrong inside,
    and the outer sum, in which header and addresses cancel each other out, is right.
    """
    names = {ip("10.244.1.5"): ip("172.16.3.1"), ip("10.244.2.9"): ip("172.16.3.2")}
    packets = accepted(base + 333)
    edit = renamed(_INNER, names)
    packets = [p.but(edit=edit) if p.protocol == ICMP else p for p in packets]
    return change(packets, lambda p: p.transport, "VX908", edit=edit)


@recipe(
    "vx908-outer-addresses",
    whole=True,
    resembles=("VX104", "VX102", "VX105", "VX600"),
)
def vx908_outer_addresses(base: int) -> list[Packet]:
    """An anonymiser renamed the nodes and corrected the IP headers."""
    names = {ip("192.0.2.11"): ip("198.51.100.1"), ip("192.0.2.12"): ip("198.51.100.2")}
    packets = accepted(base + 334)
    return change(packets, lambda _: True, "VX908", edit=renamed(_OUTER, names))


@recipe("vx908-ports", whole=True, resembles=("VX302", "VX603", "VX600", "VX104", "VX102"))
def vx908_ports(base: int) -> list[Packet]:
    """An anonymiser gave the pods' ports other numbers: inner and outer sums are off alike."""
    packets = accepted(base + 335)
    return change(packets, lambda p: p.transport, "VX908", edit=renumbered(_INNER + 20))


@recipe("vx909", shorten=37, findings={"VX909": None}, resembles=("VX901", "VX902"))
def vx909(base: int) -> list[Packet]:
    """A capture file that ends in the middle of a record."""
    t = Traffic(base + 330)
    t.ping(2)
    return t.packets
