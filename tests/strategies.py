"""Random frames of every kind the dissector follows, with the truth about them."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import strategies as st
from support import (
    ETHERNET,
    ICMP,
    ICMPV6,
    LCO,
    LOOP,
    LSO,
    NAMES,
    NULL,
    PARTIAL,
    RAW,
    RIGHT,
    SLL,
    SLL2,
    TCP,
    UDP,
    ZERO,
    Frame,
    framed,
    ipv4,
    ipv6,
    segment,
    tunnelled,
)

from vxcsum import Status

LINKTYPES = (ETHERNET, SLL, SLL2, RAW, NULL, LOOP)
VXLAN_PORTS = (4789, 8472, 6784, 4876, 48879)
ports = st.integers(1, 65535)
#: Not a VXLAN port, as a plain packet would be one.
plain_ports = st.integers(1, 4700)
payloads = st.binary(max_size=80)
trailers = st.binary(max_size=20)
tags = st.lists(st.integers(0, 4095), max_size=4)


def addresses(version: int) -> st.SearchStrategy[bytes]:
    size = 4 if version == 4 else 16
    return st.binary(min_size=size, max_size=size)


@st.composite
def ipv4_options(draw: st.DrawFn) -> bytes:
    """No source routes: their pseudo-header has a test of its own."""
    options = b""
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from([1, 7, 68, 148]))
        body = draw(st.binary(min_size=2, max_size=8))
        options += b"\1" if kind == 1 else bytes([kind, 2 + len(body)]) + body
    return options + bytes(-len(options) % 4)


@st.composite
def ipv6_extensions(draw: st.DrawFn) -> list[tuple[int, bytes]]:
    """Hop-by-hop first; padding options only, and routing headers that are used up."""
    out: list[tuple[int, bytes]] = []
    kinds = draw(st.lists(st.sampled_from([60, 43, 51]), max_size=3, unique=True))
    if draw(st.booleans()):
        kinds.insert(0, 0)
    for kind in kinds:
        more = draw(st.integers(0, 2))
        if kind == 43:
            out.append((43, struct.pack(">BBB", 2 * more, 0, 0) + bytes(4 + 16 * more)))
        elif kind == 51:
            out.append((51, struct.pack(">BH", 4, 0) + bytes(20)))
        else:
            out.append((kind, bytes([more, 1, 4 + 8 * more]) + bytes(4 + 8 * more)))
    return out


@st.composite
def packets(
    draw: st.DrawFn,
    values: tuple[str, ...] = (RIGHT,),
    protocols: tuple[int, ...] = (TCP, UDP, ICMP, ICMPV6),
    bare: bool = False,
) -> tuple[bytes, int, str, tuple[int, int]]:
    """An IP packet, its protocol, how its checksum was made, and where its L4 segment is."""
    protocol = draw(st.sampled_from(protocols))
    version = {ICMP: 4, ICMPV6: 6}.get(protocol) or draw(st.sampled_from([4, 6]))
    src, dst = draw(addresses(version)), draw(addresses(version))
    value = draw(st.sampled_from(values))
    if protocol in (ICMP, ICMPV6) or (value == ZERO and protocol != UDP):
        value = RIGHT
    body = segment(
        protocol,
        src,
        dst,
        draw(payloads),
        sport=draw(ports),
        dport=draw(plain_ports),
        seq=draw(st.integers(0, 2**32 - 1)),
        value=value,
    )
    if bare:
        packet = (ipv4 if version == 4 else ipv6)(body, protocol, src, dst)
    elif version == 4:
        packet = ipv4(body, protocol, src, dst, options=draw(ipv4_options()))
    else:
        packet = ipv6(body, protocol, src, dst, extensions=draw(ipv6_extensions()))
    return packet, protocol, value, (len(packet) - len(body), len(packet))


STATUS = {RIGHT: Status.VALID, ZERO: Status.ZERO, PARTIAL: Status.PARTIAL, LSO: Status.PARTIAL}


def _status(value: str, packet: bytes, at: int, protocol: int) -> Status:
    """A pseudo-header sum may be 0, which UDP calls zero, and a right one may look partial."""
    if protocol == UDP and packet[at + 6 : at + 8] == b"\0\0":
        return Status.ZERO
    return STATUS[value]


@st.composite
def plain_frames(draw: st.DrawFn, values: tuple[str, ...] = (RIGHT, ZERO)) -> Frame:
    packet, protocol, value, (start, stop) = draw(packets(values))
    linktype = draw(st.sampled_from(LINKTYPES))
    octets = framed(packet, linktype, draw(tags))
    at = len(octets) - len(packet)
    truth = {f"plain_{NAMES[protocol]}": _status(value, packet, start, protocol)}
    spans = {"l4": (at + start, at + stop)}
    if packet[0] >> 4 == 4:
        truth["plain_ipv4"] = Status.VALID
        spans["ip"] = (at, at + 4 * (packet[0] & 15))
    return Frame(octets + draw(trailers), linktype, 0, spans, truth)


@st.composite
def vxlan_frames(
    draw: st.DrawFn,
    values: tuple[str, ...] = (RIGHT, ZERO),
    outer_values: tuple[str, ...] = (RIGHT, ZERO),
    bare: bool = False,
) -> Frame:
    """``bare``: no options or extension headers inside, as local checksum offload wants here."""
    packet, protocol, value, (start, _) = draw(packets(values, bare=bare))
    version = draw(st.sampled_from([4, 6]))
    src, dst = draw(addresses(version)), draw(addresses(version))
    linktype = draw(st.sampled_from(LINKTYPES))
    outer_value = draw(st.sampled_from(outer_values))
    if outer_value == LCO and protocol in (ICMP, ICMPV6):
        outer_value = RIGHT
    outer = tunnelled(
        packet,
        src,
        dst,
        sport=draw(ports),
        dport=draw(st.sampled_from(VXLAN_PORTS)),
        vni=draw(st.integers(0, 2**24 - 1)),
        value=outer_value,
        tags=draw(tags),
        macs=draw(st.binary(min_size=12, max_size=12)),
        # Local checksum offload is decided from headers, so only padding of zeros may follow.
        trailer=bytes(draw(st.integers(0, 20))) if outer_value == LCO else draw(trailers),
    )
    head = 20 if version == 4 else 40
    octets = framed(outer, linktype, draw(tags))
    at = len(octets) - len(outer)
    inner_at = octets.index(packet, at + head + 16)
    udp = at + head
    status = Status.PARTIAL if outer_value == LCO else STATUS[outer_value]
    if octets[udp + 6 : udp + 8] == b"\0\0":
        status = Status.ZERO
    truth = {
        "outer_udp": status,
        f"inner_{NAMES[protocol]}": _status(value, packet, start, protocol),
    }
    spans = {
        "outer_udp": (udp, len(octets)),
        "l4": (inner_at + start, inner_at + len(packet)),
    }
    if version == 4:
        truth["outer_ipv4"] = Status.VALID
        spans["outer_ip"] = (at, at + 20)
    if packet[0] >> 4 == 4:
        truth["inner_ipv4"] = Status.VALID
        spans["ip"] = (inner_at, inner_at + 4 * (packet[0] & 15))
    return Frame(octets + draw(trailers), linktype, 0, spans, truth)


def frames(**more: Any) -> st.SearchStrategy[Frame]:
    return st.one_of(plain_frames(), vxlan_frames(**more))
