"""TCP, UDP and ICMP headers: which octets their checksum covers, and the pseudo-header.

Sources: RFC 768, RFC 9293 section 3.1, RFC 792, RFC 4443 section 2.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.packet.columns import Coverage
from vxcsum.packet.protocols import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP
from vxcsum.packet.windows import fold

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64, U8, U16, U32, AnyArray, Bool
    from vxcsum.packet.ip import Ip
    from vxcsum.packet.windows import Octets

#: (shortest header, place of the checksum field) by protocol.
_HEADERS = {
    IPPROTO_TCP: (20, 16),
    IPPROTO_UDP: (8, 6),
    IPPROTO_ICMP: (4, 2),
    IPPROTO_ICMPV6: (4, 2),
}


@dataclass(slots=True)
class Transport:
    """One transport header per row; ``coverage`` ABSENT where there is none to verify."""

    coverage: U8
    found: U16
    pseudo: U16
    sport: U16
    dport: U16
    length: I64  # octets the checksum covers
    stop: I64  # where its sum ends, of what was captured
    tcp_flags: U8
    tcp_seq: U32
    tcp_ack: U32
    tcp_header_length: U8


def dissect_transport(octets: Octets, ip: Ip, end: I64, *, spill: Bool | None = None) -> Transport:
    """Read the transport headers of packets whose IP headers are known.

    Parameters
    ----------
    octets : Octets
    ip : Ip
    end : int64[n]
        First octet behind what was captured of the packet.
    spill : bool[n], optional
        Rows whose missing octets are in other fragments of the packet that encloses this one.
    """
    start = ip.payload
    header = octets.window(np.minimum(start, end), 24)
    protocol = ip.protocol
    tcp, udp = protocol == IPPROTO_TCP, protocol == IPPROTO_UDP
    icmp = ((protocol == IPPROTO_ICMP) & (ip.version == 4)) | (
        (protocol == IPPROTO_ICMPV6) & (ip.version == 6)
    )
    first = ip.fragment_offset == 0
    here = (tcp | udp | icmp) & ip.known & first
    shortest, field = _header_places(protocol)
    captured = end - start

    payload = ip.stop - start
    length = payload.copy()
    udp_length = header.u16(4).astype(np.int64)
    # Where UDP's own length was not captured, the IP payload's stands in for it.
    counted = udp & (captured >= 6) & ~(ip.jumbo & (udp_length == 0))
    np.copyto(length, udp_length, where=counted)
    fragment = ip.fragment & here

    bad = ip.malformed | ((payload < shortest) & ~fragment)
    bad |= counted & (captured >= 8) & ((length < 8) | (length > payload) & ~fragment)
    cut = start + np.where(fragment, payload, length) > end
    if spill is not None:
        fragment = fragment | (spill & cut & here)
        cut &= ~spill

    coverage = np.full(start.size, Coverage.COMPLETE, np.uint8)
    coverage[fragment] = Coverage.FRAGMENT
    coverage[cut] = Coverage.TRUNCATED
    coverage[bad] = Coverage.MALFORMED
    # The header itself may be split over fragments; the sum of all tells even so.
    fieldless = (captured < field + 2) & (coverage != Coverage.FRAGMENT)
    coverage[fieldless] = Coverage.FIELD_CUT
    coverage[fieldless & bad] = Coverage.FIELDLESS
    coverage *= here

    has_field = here & (captured >= field + 2)
    found = header.u16(16) * tcp + header.u16(6) * udp + header.u16(2) * icmp
    # A first fragment does not tell how long its datagram is; only UDP says so itself.
    told = length * (udp | ~ip.fragment)
    pseudo = ip.address_sum + (protocol + told).astype(np.uint64)
    pseudo *= here & (protocol != IPPROTO_ICMP)
    ports = here & (captured >= 4)
    echo = here & (captured >= 6)
    full_tcp = here & tcp & (captured >= 14)
    stop = np.minimum(start + length, np.minimum(ip.stop, end))
    return Transport(
        coverage=coverage,
        found=found * has_field,
        pseudo=fold(pseudo),
        # ICMP has type and code in place of the source port, its identifier for the destination.
        sport=header.u16(0) * ports,
        dport=header.u16(2) * (ports & (tcp | udp)) + header.u16(4) * (icmp & echo),
        length=length * here,
        stop=np.maximum(stop, start),
        tcp_flags=header.u8(13) * full_tcp,
        tcp_seq=header.u32(4) * full_tcp,
        tcp_ack=header.u32(8) * full_tcp,
        tcp_header_length=((header.u8(12) >> 4) << 2) * full_tcp,
    )


def _header_places(protocol: U8) -> tuple[AnyArray, AnyArray]:
    table = np.zeros((2, 256), np.int64)
    for number, places in _HEADERS.items():
        table[:, number] = places
    return table[0][protocol], table[1][protocol]
