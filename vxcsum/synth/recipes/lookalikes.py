"""Look-alikes: nothing is wrong, or something else."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from vxcsum.synth.packet import (
    ACK,
    FIN,
    PSH,
    SLL,
    SLL2,
    UDP,
    Packet,
    inner_packet,
)
from vxcsum.synth.recipes.mistakes import (
    flip,
    outer_zero,
    padded,
    routes,
    short_traffic,
    tuned,
    unfinished,
    with_options_header,
    zero_sums,
)
from vxcsum.synth.recipes.recipe import (
    change,
    from_a,
    icmp_a,
    mark,
    recipe,
    tcp_a,
    traffic,
    transport_a,
)
from vxcsum.synth.recipes.translation import (
    NEW,
    Ports,
)
from vxcsum.synth.sums import (
    constant,
    none,
    off_by,
    partial,
    right,
)
from vxcsum.synth.traffic import Traffic

if TYPE_CHECKING:
    from vxcsum.synth.sums import Routine

_NAT = ("VX101", "VX102", "VX103", "VX104", "VX105")
_SOFTWARE = tuple(f"VX50{n}" for n in range(1, 10))
_SEGMENT = 1398  # octets of payload, on a path of 1,500 octets


@recipe("like-summed", resembles=(*_NAT, *_SOFTWARE, "VX205", "VX600", "VX601", "VX602"))
def like_summed(base: int) -> list[Packet]:
    """Healthy, outer checksums on, IPv4 and IPv6 inside."""
    return traffic(base + 400, rounds=1).packets + traffic(base + 401, version=6, rounds=1).packets


@recipe("like-unsummed", resembles=("VX101", "VX103", "VX205", "VX401", "VX403"))
def like_unsummed(base: int) -> list[Packet]:
    """Healthy, no outer checksums; one datagram's would by chance be 0xffff."""
    return traffic(base + 402, outer=none, rounds=1).packets + zero_sums(base + 403, 1, outer=none)


@recipe("like-ipv6", resembles=("VX403", "VX404", "VX305", "VX102"))
def like_ipv6(base: int) -> list[Packet]:
    """Healthy, IPv6 in IPv6, all checksums there."""
    return traffic(base + 404, version=6, outer_version=6, rounds=1).packets


@recipe("like-snat", resembles=_NAT)
def like_snat(base: int) -> list[Packet]:
    """NAT of the outer header that updates checksums as it should."""
    t = traffic(base + 405, rounds=1)
    ports = Ports(base + 405)
    return [p.but(node_src=NEW, sport=ports(p)) if from_a(p) else p for p in t.packets]


@recipe("like-snat-unsummed", resembles=_NAT)
def like_snat_unsummed(base: int) -> list[Packet]:
    """NAT of the outer header that leaves the zero alone."""
    t = traffic(base + 406, outer=none, rounds=1)
    ports = Ports(base + 406)
    return [p.but(node_src=NEW, sport=ports(p)) if from_a(p) else p for p in t.packets]


@recipe("like-ffff", resembles=("VX101", "VX205", "VX402", "VX401"))
def like_ffff(base: int) -> list[Packet]:
    """Outer and inner UDP checksums that are 0xffff and right."""
    packets = zero_sums(base + 407, 3)
    for row in (6, 9, 12):
        packets[row] = outer_zero(packets[row])
    return packets


@recipe("like-zero-tcp", resembles=("VX402", "VX401", "VX404"))
def like_zero_tcp(base: int) -> list[Packet]:
    """TCP and ICMP checksums that are 0x0000 and right."""
    t = traffic(base + 408, rounds=1)
    for _ in range(3):
        t.packets[-1] = tuned(t.tcp(40000, 80, PSH | ACK, t.random(20)), 0)
    t.packets[-1] = tuned(t.echo(7, 1, t.random(20)), 0)
    return t.packets


def one_damaged(seed: int, code: str, *bits: int, rounds: int = 2, **more: Any) -> list[Packet]:
    """Invert bits of one packet."""
    packets = traffic(seed, rounds=rounds, **more).packets
    row = next(n for n, p in enumerate(packets) if n > 15 and tcp_a(p) and p.tcp_flags & PSH)
    packets[row] = mark(packets[row].but(edit=flip(*bits)), code)
    return packets


@recipe(
    "like-one-damaged", once=True, resembles=(*_NAT, *_SOFTWARE, "VX302", "VX603", "VX306", "VX600")
)
def like_one_damaged(base: int) -> list[Packet]:
    """One damaged packet in a tunnel with outer checksums."""
    return one_damaged(base + 410, "VX601", 5, 29, 38)


@recipe(
    "like-one-damaged-unsummed", once=True, resembles=("VX301", "VX302", "VX304", "VX305", "VX306")
)
def like_one_damaged_unsummed(base: int) -> list[Packet]:
    """One damaged packet in a tunnel without."""
    return one_damaged(base + 411, "VX601", 5, 29, 38, outer=none)


@recipe("like-one-field", once=True, resembles=("VX101", "VX103", "VX205", "VX102"))
def like_one_field(base: int) -> list[Packet]:
    """One empty outer checksum damaged, in a tunnel without."""
    packets = traffic(base + 412, outer=none, rounds=4).packets
    packets[33] = mark(packets[33].but(outer=constant(0x4A31)), "VX601")
    return packets


@recipe("like-one-bit", resembles=("VX102", "VX104", "VX105", "VX601", "VX505"))
def like_one_bit(base: int) -> list[Packet]:
    """One bit flipped in one packet."""
    return one_damaged(base + 413, "VX602", 12)


@recipe("like-damaged-address", once=True, resembles=("VX908", "VX206", "VX104"))
def like_damaged_address(base: int) -> list[Packet]:
    """The outer source address of one packet damaged: header and datagram are off alike."""
    packets = traffic(base + 414, rounds=4).packets

    def edit(frame: bytes) -> bytes:
        return frame[:26] + bytes([frame[26] ^ 0x51, frame[27] ^ 0x0A]) + frame[28:]

    packets[40] = mark(packets[40].but(edit=edit), "VX601")
    return packets


@recipe("like-odd", resembles=("VX502", "VX304", "VX505"))
def like_odd(base: int) -> list[Packet]:
    """Odd lengths throughout, all right."""
    return (
        traffic(base + 415, parity=1, rounds=1).packets
        + traffic(base + 416, parity=1, rounds=1, outer=none).packets
    )


@recipe("like-even-wrong", resembles=("VX502", "VX505"))
def like_even_wrong(base: int) -> list[Packet]:
    """Even packets that are off by multiples of 255, which the odd octet cannot explain."""
    t = traffic(base + 417, rounds=2, parity=0)
    rng = Traffic(base + 417).rng
    return [
        mark(p.but(outer=off_by(255 * rng.randrange(90, 250))), "VX600") if from_a(p) else p
        for p in t.packets
    ]


@recipe("like-padding", resembles=("VX304", "VX507", "VX905"))
def like_padding(base: int) -> list[Packet]:
    """Padding that is not zero, and not counted."""
    rng = Traffic(base + 418).rng
    packets = short_traffic(base + 419, rounds=1) + short_traffic(base + 420, outer=none, rounds=1)
    return [padded(p, rng.randbytes(60)) for p in packets]


@recipe("like-trailer", resembles=("VX905", "VX304", "VX901"))
def like_trailer(base: int) -> list[Packet]:
    """A frame check sequence behind every frame, and some padding."""
    t = traffic(base + 421, rounds=1)
    return [p.but(trailer=t.random(4)) for p in t.packets]


@recipe("like-answered", linktype=SLL, resembles=("VX202", "VX204", "VX203"))
def like_answered(base: int) -> list[Packet]:
    """Containers of one host: incoming packets are unfinished, and answered."""
    packets = change(
        traffic(base + 422, outer=none, rounds=2).packets, transport_a, "info:VX201", inner=partial
    )
    return [p.but(direction=0 if from_a(p) else 4) for p in packets]


@recipe("like-retransmitted", findings={"VX702": None}, resembles=("VX906", "VX202", "VX105"))
def like_retransmitted(base: int) -> list[Packet]:
    """A finished SYN that nobody answers, on one interface."""
    t = Traffic(base + 423)
    t.ping()
    t.syns(4)
    return t.packets


@recipe("like-two-interfaces", linktype=SLL2, resembles=("VX906",))
def like_two_interfaces(base: int) -> list[Packet]:
    """Different packets on two interfaces."""
    one = traffic(base + 424, rounds=1).packets
    two = traffic(base + 425, rounds=1, pods=("10.244.1.6", "10.244.4.4")).packets
    return one + [p.but(plain=True, interface=7) for p in two]


@recipe("like-route", resembles=("VX508", "VX509", "VX302"))
def like_route(base: int) -> list[Packet]:
    """Routing headers and source routes, the final destination in the pseudo-header."""
    return routes(base + 426, "fd00:10:7::77", wrong=False, version=6) + routes(
        427, "10.9.8.7", wrong=False, version=4
    )


@recipe("like-extensions", resembles=("VX509", "VX508", "VX507"))
def like_extensions(base: int) -> list[Packet]:
    """Destination options before TCP and UDP, the right protocol in the pseudo-header."""
    t = traffic(base + 428, version=6, rounds=2)
    return [with_options_header(p) if p.transport else p for p in t.packets]


@recipe("like-large", resembles=("VX903", "VX904", "VX905", "VX306"))
def like_large(base: int) -> list[Packet]:
    """Jumbo frames, right."""
    t = traffic(base + 429, rounds=1)
    t.connection(1, low=2000, high=2100)
    return t.packets


def of_the_first(octets: int) -> Routine:
    """The checksum of the first segment of several, which has so many octets."""

    def routine(pseudo: bytes, segment: bytes) -> int:
        return right(pseudo[:-8] + struct.pack(">I", octets) + pseudo[-4:], segment[:octets])

    return routine


@recipe("like-merged", resembles=("VX306", "VX301", "VX305", "VX600", "VX601", "VX603", "VX905"))
def like_merged(base: int) -> list[Packet]:
    """Merged on receipt: TCP frames of many segments with the checksum of the first, which the peer
    acknowledges; the other direction is not merged.
    """
    t = traffic(base + 448, outer=none, rounds=1)
    port, seq, answered = t.dialogue(1)
    for segments in (15, 16):
        payload = t.random(segments * _SEGMENT)
        p = t.tcp(port, 443, PSH | ACK, payload, seq=seq, ack=answered)
        t.packets[-1] = mark(p.but(inner=of_the_first(20 + _SEGMENT)), "info:VX903")
        seq += len(payload)
        t.tcp(port, 443, ACK, seq=answered, ack=seq, back=True)
    t.tcp(port, 443, FIN | ACK, seq=seq, ack=answered)
    return t.packets


@recipe("like-large-damaged", once=True, resembles=("VX306",))
def like_large_damaged(base: int) -> list[Packet]:
    """One large packet damaged, others right."""
    t = traffic(base + 430, rounds=2)
    t.connection(2, low=700, high=800)
    large = [n for n, p in enumerate(t.packets) if tcp_a(p) and len(p.payload) > 200]
    t.packets[large[1]] = mark(t.packets[large[1]].but(edit=flip(5, 29, 38)), "VX601")
    return t.packets


@recipe("like-nested", resembles=("VX404", "VX907"))
def like_nested(base: int) -> list[Packet]:
    """A tunnel in the tunnel, over IPv6 without checksum, which tunnels may do."""
    t = traffic(base + 431, version=6, rounds=1)
    for _ in range(4):
        inside = struct.pack(">II", 0x08 << 24, 7 << 8) + t.random(60)
        t.packets[-1] = t.udp(45001, 4789, inside).but(inner=none)
    return t.packets


@recipe("like-zeros-beside", resembles=("VX401",))
def like_zeros_beside(base: int) -> list[Packet]:
    """Some senders compute no inner UDP checksum, and one sum is 0xffff by chance."""
    packets = zero_sums(base + 432, 2)
    return [p.but(inner=none) if p.protocol == UDP and from_a(p) else p for p in packets]


@recipe("like-flag-once", resembles=("VX405",))
def like_flag_once(base: int) -> list[Packet]:
    """The flag of remote checksum offload in one packet."""
    packets = traffic(base + 433, outer=none, rounds=4).packets
    packets[30] = packets[30].but(flags=0x0820)
    return packets


@recipe("like-group-policy", resembles=("VX405", "VX907"))
def like_group_policy(base: int) -> list[Packet]:
    """The group policy extension: another flag, right checksums."""
    return [p.but(flags=0x88) for p in traffic(base + 434, rounds=1).packets]


@recipe("like-other-port", resembles=("VX907",))
def like_other_port(base: int) -> list[Packet]:
    """VXLAN on a port that is none of its own, and other UDP."""
    return traffic(base + 435, rounds=1, dport=14789).packets


@recipe("like-fragments", resembles=("VX902", "VX901"))
def like_fragments(base: int) -> list[Packet]:
    """All fragments are there."""
    t = traffic(base + 436, rounds=2)
    return [p.but(fragments=True) if tcp_a(p) and len(p.payload) > 45 else p for p in t.packets]


@recipe("like-cut", resembles=("VX901", "VX909", "VX102"))
def like_cut(base: int) -> list[Packet]:
    """Cut behind all headers on the sending host: unfinished, so no checksum is lost."""
    t = Traffic(base + 437)
    for _ in range(2):
        t.connection()
    packets = [p for p in unfinished(t.packets) if from_a(p)]
    return [p.but(cut=110) if len(inner_packet(p)) > 70 else p for p in packets]


@recipe("like-whole", resembles=("VX909",))
def like_whole(base: int) -> list[Packet]:
    """A short capture that ends where it should."""
    t = Traffic(base + 438)
    t.ping(1)
    return t.packets


@recipe("like-empty-header", resembles=("VX206", "VX205", "VX402"))
def like_empty_header(base: int) -> list[Packet]:
    """An IPv4 header whose right checksum is 0."""
    t = traffic(base + 439, rounds=1)
    for _ in range(2):
        p = t.tcp(40000, 80, ACK)
        packet = inner_packet(p.but(ident=0))
        t.packets[-1] = p.but(ident=int.from_bytes(packet[10:12], "big"))
    return t.packets


@recipe("like-wrong-header", resembles=("VX206", "VX908"))
def like_wrong_header(base: int) -> list[Packet]:
    """Outer IPv4 headers with a value of their own, not 0: nothing explains it."""
    t = traffic(base + 440, rounds=1)
    return change(t.packets, from_a, "VX600", header=off_by(0x2468))


@recipe("like-ping-alone", resembles=("VX303",))
def like_ping_alone(base: int) -> list[Packet]:
    """Right requests, no replies, and no TCP that shows that the other end is there."""
    t = Traffic(base + 441)
    t.ping(4, answered=False)
    return t.packets


@recipe("like-ping-works", resembles=("VX303", "VX301"))
def like_ping_works(base: int) -> list[Packet]:
    """Ping and curl work; one request was lost."""
    t = traffic(base + 442, rounds=1)
    t.ping(1, answered=False)
    t.connection()
    return t.packets


@recipe("like-two-networks", resembles=("VX104",))
def like_two_networks(base: int) -> list[Packet]:
    """Two VNIs on one path, right."""
    return traffic(base + 443, rounds=1).packets + traffic(base + 444, rounds=1, vni=5023).packets


@recipe("like-few", resembles=("VX601", "VX602", "VX600"))
def like_few(base: int) -> list[Packet]:
    """Three healthy frames."""
    t = Traffic(base + 445)
    t.connection()
    return t.packets[:3]


@recipe("like-echo-damaged", once=True, resembles=("VX303", "VX601"))
def like_echo_damaged(base: int) -> list[Packet]:
    """One echo request of many damaged."""
    packets = traffic(base + 446, outer=none, rounds=4).packets
    row = next(n for n, p in enumerate(packets) if n > 10 and icmp_a(p))
    packets[row] = mark(packets[row].but(edit=flip(5, 29, 38)), "VX601")
    return packets


@recipe("like-tool", resembles=("VX404",))
def like_tool(base: int) -> list[Packet]:
    """One datagram over IPv6 without checksum, as test tools send it: no error."""
    t = traffic(base + 447, version=6, rounds=1)
    t.dns(2)
    t.packets[-1] = mark(t.udp(45001, 7777, t.random(20)).but(inner=none), "info:VX404")
    return t.packets
