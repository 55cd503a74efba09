"""IPv4, IPv6 and the transport header behind them, for many packets at once.

Sources: RFC 791, RFC 8200 (extension headers, section 4; pseudo-header, section 8.1), RFC 2675
(jumbo payload), RFC 4302 (authentication header), RFC 8754 (segment routing header), RFC 768,
RFC 9293, RFC 792, RFC 4443. Lengths come from the headers, never from what was captured.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.packet.columns import Coverage
from vxcsum.packet.link import ETHERTYPE_IPV4, ETHERTYPE_IPV6
from vxcsum.packet.protocols import (
    IPPROTO_AH,
    IPPROTO_FRAGMENT,
    IPPROTO_HOPOPTS,
    IPPROTO_NONE,
    IPPROTO_ROUTING,
)
from vxcsum.packet.windows import fold, network_order

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64, U8, U16, U32, U64, AnyArray, Bool
    from vxcsum.packet.windows import Octets, Window

#: Headers that another header may follow (RFC 8200 section 4; 135 mobility, 139 HIP, 140 shim6).
EXTENSION_HEADERS = (
    IPPROTO_HOPOPTS,
    IPPROTO_ROUTING,
    IPPROTO_FRAGMENT,
    IPPROTO_AH,
    60,
    135,
    139,
    140,
)
MAX_EXTENSION_HEADERS = 256
_JUMBO_OPTION = 0xC204  # RFC 2675: option type 0xc2, length 4
_SOURCE_ROUTES = (131, 137)  # loose and strict, RFC 791 section 3.1
_IPV4_MAPPED = np.uint64(0xFFFF_0000_0000)


@dataclass(slots=True)
class Ip:
    """What the IP headers of some rows say. ``version`` 0 where there is no IP header."""

    version: U8
    src: U64
    dst: U64
    ttl: U8
    length: I64  # header and payload
    protocol: U8
    found: U16
    residual: U16
    coverage: U8
    payload: I64  # where the transport header starts
    stop: I64  # first octet behind the payload, by the length fields
    known: Bool  # the whole chain of headers was captured and makes sense
    malformed: Bool  # the payload does not fit into what encloses it
    jumbo: Bool  # a length field of 0
    address_sum: U64  # of the pseudo-header's addresses, not folded
    ident: U32
    fragment_offset: I64  # octets
    more: Bool

    @classmethod
    def empty(cls, rows: int) -> Ip:
        """Return rows without an IP header."""
        kinds = {"U8": "u1", "U16": "u2", "U32": "u4", "U64": "u8", "I64": "i8", "Bool": "?"}
        columns: dict[str, AnyArray] = {
            field.name: np.zeros(
                (rows, 2) if field.name in ("src", "dst") else rows, kinds[str(field.type)]
            )
            for field in fields(cls)
        }
        return cls(**columns)

    @property
    def fragment(self) -> Bool:
        """Whether the packet is a fragment; an atomic one (RFC 6946) is not."""
        return self.more | (self.fragment_offset > 0)


def dissect_ip(octets: Octets, position: I64, ethertype: U16, end: I64, limit: I64) -> Ip:
    """Read IP headers.

    Parameters
    ----------
    octets : Octets
    position : int64[n]
        Where each header starts.
    ethertype : uint16[n]
    end : int64[n]
        First octet behind what was captured of the packet.
    limit : int64[n]
        First octet behind what encloses the packet, as it was on the wire.
    """
    rows = position.size
    header = octets.window(np.minimum(position, end), 40)
    nibble = header.u8(0) >> 4
    here = position < end
    is_ipv4 = (ethertype == ETHERTYPE_IPV4) & (nibble == 4) & here
    if rows and is_ipv4.all():
        return _ipv4(octets, header, position, end, limit)
    ip = Ip.empty(rows)
    is_ipv6 = (ethertype == ETHERTYPE_IPV6) & (nibble == 6) & here
    for mask, read in ((is_ipv4, _ipv4), (is_ipv6, _ipv6)):
        index = np.flatnonzero(mask)
        if index.size:
            part = read(octets, header.rows(index), position[index], end[index], limit[index])
            for name in Ip.__slots__:
                getattr(ip, name)[index] = getattr(part, name)
    return ip


def _ipv4(octets: Octets, header: Window, position: I64, end: I64, limit: I64) -> Ip:
    ip = Ip.empty(position.size)
    room, wire = end - position, limit - position
    whole = room >= 20
    ihl = (header.u8(0) & np.uint8(15)).astype(np.int64) << 2
    total = header.u16(2).astype(np.int64)
    ip.jumbo = (total == 0) & whole
    np.copyto(total, wire, where=ip.jumbo)
    flags = header.u16(6)
    ip.version[:] = 4
    ip.known = whole & (ihl >= 20) & (room >= ihl)
    ip.malformed = (total < ihl) | (total > wire)
    ip.length = total * whole
    ip.protocol = header.u8(9) * whole
    ip.ttl = header.u8(8) * whole
    ip.ident = header.u16(4).astype(np.uint32) * whole
    ip.fragment_offset = ((flags & np.uint16(0x1FFF)).astype(np.int64) << 3) * whole
    ip.more = ((flags & np.uint16(0x2000)) != 0) & whole
    ip.payload = position + ihl
    ip.stop = np.maximum(position + total, ip.payload)
    for address, at in ((ip.src, 12), (ip.dst, 16)):
        np.multiply(header.u32(at) + _IPV4_MAPPED, whole, out=address[:, 1])
    ip.address_sum = header.sum(12, 20)

    bad = (ihl < 20) & whole | (wire < np.maximum(ihl, 20))
    cut = np.where(room >= 12, np.uint8(Coverage.TRUNCATED), np.uint8(Coverage.FIELD_CUT))
    ip.coverage = np.where(ip.known, np.uint8(Coverage.COMPLETE), cut)
    ip.coverage[bad] = Coverage.MALFORMED
    ip.coverage[bad & (room < 12)] = Coverage.FIELDLESS
    ip.found = header.u16(10) * (room >= 12)
    ip.residual = fold(header.sum(0, 20)) * (ip.coverage == Coverage.COMPLETE)
    rows = np.flatnonzero((ihl > 20) & (ip.coverage == Coverage.COMPLETE))
    if rows.size:
        span = np.column_stack((position[rows], position[rows] + ihl[rows]))
        ip.residual[rows] = network_order(octets.chain_sums(span)[:, 0], span[:, 0])
        _source_routes(octets, ip, rows, position + 20)
    return ip


def _source_routes(octets: Octets, ip: Ip, rows: I64, options: I64) -> None:
    """Put the final destination of a source route into the pseudo-header sum."""
    contents = octets.window(options[rows], 40).octets
    candidates = np.isin(contents, _SOURCE_ROUTES).any(axis=1)
    for row, option in zip(rows[candidates], contents[candidates], strict=True):
        size = int(ip.payload[row] - options[row])
        at = 0
        while at < size and option[at] != 0:
            if option[at] == 1:
                at += 1
                continue
            length = int(option[at + 1]) if at + 1 < size else 0
            if length < 2 or at + length > size:
                break
            # The pointer counts from 1 at the option's type; past the end, the route is used up.
            if option[at] in _SOURCE_ROUTES and length >= 7 and int(option[at + 2]) < length:
                last = option[at + length - 4 : at + length].astype(np.uint64)
                old = ip.dst[row, 1]
                removed = (old >> np.uint64(16) & np.uint64(0xFFFF)) + (old & np.uint64(0xFFFF))
                added = (last[0] + last[2]) * np.uint64(256) + last[1] + last[3]
                ip.address_sum[row] += added
                ip.address_sum[row] -= removed
                break
            at += length


def _ipv6(octets: Octets, header: Window, position: I64, end: I64, limit: I64) -> Ip:
    ip = Ip.empty(position.size)
    whole = end - position >= 40
    ip.version[:] = 6
    ip.known = whole.copy()
    ip.ttl = header.u8(7) * whole
    ip.protocol = header.u8(6) * whole
    length = header.u16(4).astype(np.int64)
    ip.jumbo = (length == 0) & (ip.protocol != IPPROTO_NONE) & whole & (limit > position + 40)
    np.copyto(length, limit - position - 40, where=ip.jumbo)
    for column, at in ((ip.src, 8), (ip.dst, 24)):
        for half in (0, 1):
            np.multiply(header.u64(at + 8 * half), whole, out=column[:, half])
    ip.address_sum = header.sum(8, 40)
    ip.payload = position + 40
    ip.stop = ip.payload + length * whole
    _extension_headers(octets, ip, end)
    ip.length = (ip.stop - position) * whole
    ip.malformed = (ip.stop > limit) | (ip.payload > ip.stop)
    ip.stop = np.maximum(ip.stop, ip.payload)
    return ip


def _extension_headers(octets: Octets, ip: Ip, end: I64) -> None:
    """Step over extension headers in place; ``protocol`` becomes the upper-layer one."""
    rows = np.flatnonzero(ip.known & np.isin(ip.protocol, EXTENSION_HEADERS))
    for _ in range(MAX_EXTENSION_HEADERS):
        if not rows.size:
            return
        position = ip.payload[rows]
        kind = ip.protocol[rows]
        window = octets.window(np.minimum(position, end[rows]), 24)
        length = (window.u8(1).astype(np.int64) + 1) << 3
        np.copyto(length, 8, where=kind == IPPROTO_FRAGMENT)
        np.copyto(length, (window.u8(1).astype(np.int64) + 2) << 2, where=kind == IPPROTO_AH)
        there = position + length <= end[rows]
        ip.known[rows[~there]] = False
        rows, position, kind, length = rows[there], position[there], kind[there], length[there]
        window = window.rows(there)

        _jumbo_payload(ip, rows, kind, window)
        _final_destination(octets, ip, rows, kind, window)
        pieces = kind == IPPROTO_FRAGMENT
        field = window.u16(2)[pieces]
        ip.fragment_offset[rows[pieces]] = field & np.uint16(0xFFF8)
        ip.more[rows[pieces]] = (field & np.uint16(1)) != 0
        ip.ident[rows[pieces]] = window.u32(4)[pieces]

        ip.protocol[rows] = window.u8(0)
        ip.payload[rows] = position + length
        later = ip.fragment_offset[rows] > 0
        rows = rows[np.isin(window.u8(0), EXTENSION_HEADERS) & ~later]
    ip.known[rows] = False


def _jumbo_payload(ip: Ip, rows: I64, kind: U8, window: Window) -> None:
    """Take the length from a jumbo payload option that opens a hop-by-hop header."""
    option = (kind == IPPROTO_HOPOPTS) & (window.u16(2) == _JUMBO_OPTION) & ip.jumbo[rows]
    some = rows[option]
    # Hop-by-hop options come first, so the header starts where the IPv6 header ends.
    ip.stop[some] = ip.payload[some] + window.u32(4)[option]


def _final_destination(octets: Octets, ip: Ip, rows: I64, kind: U8, window: Window) -> None:
    """Put the last address of a routing header into the pseudo-header sum (RFC 8200 8.1)."""
    routing, segments_left = window.u8(2), window.u8(3)
    entries = window.u8(1).astype(np.int64) >> 1
    type0 = (routing == 0) & (entries > 0)
    first_entry = ((routing == 2) | (routing == 4)) & (entries > 0)
    chosen = (kind == IPPROTO_ROUTING) & (segments_left > 0) & (type0 | first_entry)
    if not chosen.any():
        return
    some = rows[chosen]
    entry = np.where(type0, entries - 1, 0)[chosen]
    last = octets.window(ip.payload[some] + 8 + entry * 16, 16)
    source = np.zeros(some.size, np.uint64)
    for half in (0, 1):
        for shift in (0, 16, 32, 48):
            source += ip.src[some, half] >> np.uint64(shift) & np.uint64(0xFFFF)
    ip.address_sum[some] = source + last.sum(0, 16)
