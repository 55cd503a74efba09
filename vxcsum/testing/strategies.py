"""Hypothesis strategies for VXLAN traffic; they need the extra ``hypothesis``.

Everything they make is healthy; `corruptions` and `corrupted_frames` damage it. The builder is
`vxcsum.synth`, which shares no arithmetic with what verifies.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from vxcsum import _optional
from vxcsum.synth.build import capture_of
from vxcsum.synth.containers import CONTAINERS
from vxcsum.synth.packet import ETHERNET, ICMP, ICMPV6, TCP, UDP, Packet, framed, ip_packet
from vxcsum.synth.sums import none, right

if TYPE_CHECKING:
    from hypothesis import strategies as st
else:
    st = _optional.hypothesis_strategies()

__all__ = [
    "Corruption",
    "addresses",
    "captures",
    "corrupted_frames",
    "corruptions",
    "ip_headers",
    "packets",
    "plain_frames",
    "ports",
    "tcp_headers",
    "udp_headers",
    "vxlan_frames",
    "vxlan_headers",
]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
VXLAN_PORTS = (4789, 8472)
#: Octets of payload that every packet has: damage there leaves all headers alone.
_MIN_PAYLOAD = 8


def addresses(version: Literal[4, 6] | None = None) -> st.SearchStrategy[Address]:
    """Return a strategy for addresses, IPv4 or IPv6 where no version is given."""
    return st.ip_addresses(v=version)


def ports() -> st.SearchStrategy[int]:
    """Return a strategy for the ports that applications use; no port of VXLAN is among them."""
    return st.one_of(st.integers(1, 4700), st.integers(49152, 65535))


@st.composite
def ip_headers(draw: st.DrawFn, version: Literal[4, 6] | None = None) -> bytes:
    """Return a strategy for IPv4 headers with right checksums, and for IPv6 headers.

    They announce the octets of a payload that is not there.
    """
    chosen = version or draw(st.sampled_from((4, 6)))
    size, protocol = draw(st.integers(0, 9000)), draw(st.sampled_from((TCP, UDP)))
    src, dst = (draw(addresses(chosen)).packed for _ in range(2))
    ident = draw(st.integers(0, 0xFFFF))
    head = 20 if chosen == 4 else 40
    return ip_packet(bytes(size), protocol, src, dst, ident=ident)[:head]


@st.composite
def udp_headers(draw: st.DrawFn, length: int = 8) -> bytes:
    """Return a strategy for UDP headers of datagrams of ``length`` octets, without checksum."""
    return struct.pack(">HHHH", draw(ports()), draw(ports()), length, 0)


@st.composite
def tcp_headers(draw: st.DrawFn) -> bytes:
    """Return a strategy for TCP headers without options, with a checksum of 0."""
    numbers = st.integers(0, 0xFFFFFFFF)
    flags = draw(st.sampled_from((0x02, 0x10, 0x11, 0x12, 0x18)))
    head = (draw(ports()), draw(ports()), draw(numbers), draw(numbers), 5 << 4, flags, 502, 0, 0)
    return struct.pack(">HHIIBBHHH", *head)


@st.composite
def vxlan_headers(draw: st.DrawFn) -> bytes:
    """Return a strategy for VXLAN headers with the I flag (RFC 7348)."""
    return struct.pack(">II", 0x08 << 24, draw(st.integers(0, 0xFFFFFF)) << 8)


@st.composite
def packets(
    draw: st.DrawFn,
    *,
    version: Literal[4, 6] | None = None,
    outer_version: Literal[4, 6] | None = None,
    plain: bool = False,
    max_payload: int = 64,
) -> Packet:
    """Return a strategy for packets with right checksums: TCP, UDP, ICMP and ICMPv6.

    Parameters
    ----------
    version, outer_version : {4, 6}, optional
        Of IP inside and outside; any where None.
    plain : bool
        Without a tunnel.
    max_payload : int
        Octets; 8 or more.
    """
    inner = version or draw(st.sampled_from((4, 6)))
    protocol = draw(st.sampled_from((TCP, UDP, ICMP if inner == 4 else ICMPV6)))
    payload = draw(st.binary(min_size=_MIN_PAYLOAD, max_size=max_payload))
    if protocol == TCP:
        head = draw(tcp_headers())
    elif protocol == UDP:
        head = draw(udp_headers(8 + len(payload)))
    else:
        kind = draw(st.sampled_from((8, 0) if protocol == ICMP else (128, 129)))
        head = struct.pack(">BBHHH", kind, 0, 0, *(draw(st.integers(0, 0xFFFF)) for _ in "ab"))
    src, dst = draw(addresses(inner)).packed, draw(addresses(inner)).packed
    outer = outer_version or draw(st.sampled_from((4, 6)))
    return Packet(
        src,
        dst,
        protocol,
        head + payload,
        node_src=draw(addresses(outer)).packed,
        node_dst=draw(addresses(outer)).packed,
        sport=draw(st.integers(32768, 60999)),
        dport=draw(st.sampled_from(VXLAN_PORTS)),
        vni=draw(st.integers(0, 0xFFFFFF)),
        ident=draw(st.integers(0, 0xFFFF)),
        # IPv6 wants a checksum, except of tunnels that agreed on none.
        outer=right if outer == 6 else draw(st.sampled_from((none, right))),
        plain=plain,
        tags=tuple(draw(st.lists(st.integers(0, 4094), max_size=2))),
    )


def vxlan_frames(**options: Any) -> st.SearchStrategy[bytes]:
    """Return a strategy for Ethernet frames with VXLAN; options as for `packets`."""
    return packets(**options).map(lambda packet: framed(packet, ETHERNET)[0])


def plain_frames(**options: Any) -> st.SearchStrategy[bytes]:
    """Return a strategy for Ethernet frames without a tunnel; options as for `packets`."""
    return vxlan_frames(plain=True, **options)


@st.composite
def captures(
    draw: st.DrawFn,
    frames: st.SearchStrategy[Packet] | None = None,
    *,
    min_frames: int = 1,
    max_frames: int = 20,
) -> bytes:
    """Return a strategy for captures, pcap or pcapng.

    Parameters
    ----------
    frames : strategy of Packet, optional
        `packets` of all kinds where None.
    """
    each = packets() if frames is None else frames
    chosen = draw(st.lists(each, min_size=min_frames, max_size=max_frames))
    timed = [packet.but(time=0.001 * number) for number, packet in enumerate(chosen)]
    container = CONTAINERS[draw(st.sampled_from(sorted(CONTAINERS)))]
    return capture_of(timed, ETHERNET, container)[0]


@dataclass(frozen=True, slots=True)
class Corruption:
    """Some inverted bits in one octet near the end of a frame.

    An octet that changes is always noticed by a ones-complement sum: the difference is neither 0
    nor 0xffff.
    """

    place: int
    """Octets from the end, from 1."""
    bits: int
    """Which bits, 0x01 to 0xff."""

    def __call__(self, frame: bytes) -> bytes:
        """Return a frame with the damage."""
        damaged = bytearray(frame)
        damaged[-self.place] ^= self.bits
        return bytes(damaged)


def corruptions() -> st.SearchStrategy[Corruption]:
    """Return a strategy for damage to the payload of what this module makes."""
    return st.builds(Corruption, st.integers(1, _MIN_PAYLOAD), st.integers(1, 0xFF))


def corrupted_frames(**options: Any) -> st.SearchStrategy[tuple[bytes, bytes]]:
    """Return a strategy for pairs of a healthy frame and the same with a wrong inner checksum.

    Options as for `packets`.
    """
    pairs = st.tuples(vxlan_frames(**options), corruptions())
    return pairs.map(lambda pair: (pair[0], pair[1](pair[0])))
