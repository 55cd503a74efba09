"""The NumPy kernel: dissect and sum every frame of a block, column by column.

It is the reference for the compiled twin and the fallback where nothing can be compiled. Both
are modules with one function, `scan`, of the same signature and the same result, bit for bit.

Sources: RFC 7348 section 5 (VXLAN), draft-ietf-nvo3-vxlan-gpe (next protocol on port 4790).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.packet.columns import FACTS, FRAGMENT_DTYPE, Coverage, Kind, allocate
from vxcsum.packet.ip import Ip, dissect_ip
from vxcsum.packet.link import ETHERTYPE_IPV4, ETHERTYPE_IPV6, ethernet, find_network
from vxcsum.packet.protocols import IPPROTO_UDP
from vxcsum.packet.transport import Transport, dissect_transport
from vxcsum.packet.windows import Octets, fold, network_order

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64, U8, U16, U32, AnyArray, Bool, Columns
    from vxcsum.packet.windows import Window

NAME = "numpy"
VXLAN_HEADER = 8
VXLAN_GPE_PORT = 4790
_I_FLAG = 0x08
_P_FLAG = 0x04  # VXLAN-GPE: the next protocol field is in use
_GPE_IPV4, _GPE_IPV6, _GPE_ETHERNET = 1, 2, 3
#: Rows that are looked at together: what is computed of them stays in the cache, and its memory
#: is used again rather than given back.
_ROWS_TOGETHER = 1 << 14


def scan(
    octets: U8,
    offset: I64,
    caplen: U32,
    origlen: U32,
    linktype: U16,
    direction: U8,
    ports: Bool,
    *,
    into: Columns | None = None,
    jobs: int = 1,
) -> tuple[Columns, AnyArray]:
    """Dissect and sum the frames of one block.

    Parameters
    ----------
    octets : uint8[m]
        With `SLACK` octets behind the last frame.
    offset : int64[n]
        Where each frame starts in ``octets``.
    caplen, origlen : uint32[n]
    linktype : uint16[n]
    direction : uint8[n]
        What the container says; cooked link headers fill in where it says nothing.
    ports : bool[65536]
        UDP destination ports of VXLAN.
    into : dict, optional
        Columns to write to; all of `FACTS`, one row for each frame.
    jobs : int
        Of no effect here: one thread does it all.

    Returns
    -------
    columns : dict
        The columns of `vxcsum.packet.columns.FACTS`.
    fragments : FRAGMENT_DTYPE[k]
        The IP fragments among the frames, in their order; an outer one before its inner one.
    """
    source = Octets(octets)
    columns = allocate(offset.size, FACTS) if into is None else into
    pieces = [np.zeros(0, FRAGMENT_DTYPE)]
    parts = -(-offset.size // _ROWS_TOGETHER)
    for part in range(parts):
        rows = slice(part * offset.size // parts, (part + 1) * offset.size // parts)
        fragments = _scan(
            source,
            offset[rows],
            caplen[rows],
            origlen[rows],
            linktype[rows],
            direction[rows],
            ports,
            {name: column[rows] for name, column in columns.items()},
        )
        fragments["row"] += rows.start
        pieces.append(fragments)
    return columns, np.concatenate(pieces)


def _scan(
    source: Octets,
    offset: I64,
    caplen: U32,
    origlen: U32,
    linktype: U16,
    direction: U8,
    ports: Bool,
    columns: Columns,
) -> AnyArray:
    """Fill the columns of some rows and return their fragments."""
    for column in columns.values():
        column[:] = 0
    end = offset + caplen
    limit = offset + np.maximum(caplen, origlen)
    network = find_network(source, linktype, offset, end)
    columns["vlan"][:] = network.vlan
    columns["ifindex"][:] = network.ifindex
    columns["direction"][:] = direction + network.direction * (direction == 0)

    ip = dissect_ip(source, network.position, network.ethertype, end, limit)
    ip_end = np.minimum(end, ip.stop)
    transport = dissect_transport(source, ip, ip_end)
    vxlan = _vxlan_rows(source, ip, transport, ip_end, ports)
    columns["kind"][:] = (ip.version > 0).view(np.uint8) + vxlan.view(np.uint8)

    rows = np.flatnonzero(vxlan)
    plain = np.flatnonzero(~vxlan & (ip.version > 0))
    bounds = np.empty((offset.size, 4), np.int64)
    bounds[:] = offset[:, None]
    pieces = []
    if plain.size:
        pieces.append(_plain(columns, offset, ip, transport, plain, ip_end, bounds))
    if rows.size:
        pieces += _tunnelled(source, columns, offset, ip, transport, rows, ip_end, bounds)
    sums = source.chain_sums(bounds)
    _finish(columns, sums, bounds, pieces)
    fragments = np.concatenate(pieces) if pieces else np.zeros(0, FRAGMENT_DTYPE)
    return fragments[np.argsort(fragments["row"], kind="stable")]


def _vxlan_rows(source: Octets, ip: Ip, udp: Transport, end: I64, ports: Bool) -> Bool:
    vxlan: Bool = (ip.protocol == IPPROTO_UDP) & (udp.coverage > Coverage.ABSENT) & ports[udp.dport]
    header = ip.payload + 8
    vxlan &= header + VXLAN_HEADER <= end
    vxlan &= udp.length >= 8 + VXLAN_HEADER
    rows = np.flatnonzero(vxlan)
    flags = source.window(header[rows], 8).u8(0)
    vxlan[rows[(flags & np.uint8(_I_FLAG)) == 0]] = False
    return vxlan


def _put(column: AnyArray, rows: I64, values: AnyArray, part: I64) -> None:
    """Write some values to some rows; both are chosen in ascending order, so many may be all."""
    chosen = values if part.size == len(values) else values[part]
    if rows.size == len(column):
        column[:] = chosen
    else:
        column[rows] = chosen


def _put_ip(columns: Columns, slot: str, rows: I64, ip: Ip, part: I64) -> None:
    for name, values in (
        ("ip_version", ip.version),
        ("src", ip.src),
        ("dst", ip.dst),
        ("ttl", ip.ttl),
        ("length", ip.length),
        ("ip_found", ip.found),
        ("ip_residual", ip.residual),
        ("ip_coverage", ip.coverage),
    ):
        _put(columns[f"{slot}_{name}"], rows, values, part)


def _put_transport(
    columns: Columns, rows: I64, ip: Ip, l4: Transport, start: I64, part: I64
) -> None:
    """Write the ``inner_*`` columns; ``start`` is where each frame begins."""
    here = (l4.coverage > Coverage.ABSENT)[part]
    for name, values in (
        ("inner_protocol", ip.protocol),
        ("inner_sport", l4.sport),
        ("inner_dport", l4.dport),
        ("inner_l4_length", l4.length),
        ("inner_l4_found", l4.found),
        ("inner_l4_pseudo", l4.pseudo),
        ("inner_l4_coverage", l4.coverage),
        ("tcp_flags", l4.tcp_flags),
        ("tcp_seq", l4.tcp_seq),
        ("tcp_ack", l4.tcp_ack),
        ("tcp_header_length", l4.tcp_header_length),
    ):
        _put(columns[name], rows, values, part)
    columns["inner_l4_offset"][rows] = (ip.payload[part] - start) * here


def _fragments(rows: I64, start: I64, ip: Ip, part: I64, end: I64, *, inner: bool) -> AnyArray:
    """Return fragment records of the frames that begin at ``start``; `_finish` fills in sums."""
    chosen = np.flatnonzero(ip.fragment[part] & ip.known[part] & ~ip.malformed[part])
    part = part[chosen]
    records = np.zeros(part.size, FRAGMENT_DTYPE)
    records["row"] = rows[chosen]
    records["src"], records["dst"] = ip.src[part], ip.dst[part]
    records["ident"], records["protocol"] = ip.ident[part], ip.protocol[part]
    records["offset"] = ip.fragment_offset[part]
    records["start"] = ip.payload[part] - start[chosen]
    records["length"] = ip.stop[part] - ip.payload[part]
    records["more"] = ip.more[part]
    records["captured"] = ip.stop[part] <= end[part]
    records["inner"] = inner
    return records


def _plain(
    columns: Columns, offset: I64, ip: Ip, l4: Transport, rows: I64, end: I64, bounds: I64
) -> AnyArray:
    _put_ip(columns, "inner", rows, ip, rows)
    _put_transport(columns, rows, ip, l4, offset[rows], rows)
    summed = _summed(l4.coverage[rows]) | ip.fragment[rows] & ip.known[rows]
    start = np.where(summed, ip.payload[rows], offset[rows])
    stop = np.where(ip.fragment[rows], end[rows], l4.stop[rows])
    bounds[rows, :2] = start[:, None]
    bounds[rows, 2:] = np.where(summed, np.maximum(stop, start), start)[:, None]
    return _fragments(rows, offset[rows], ip, rows, end, inner=False)


def _summed(coverage: U8) -> Bool:
    summed: Bool = (coverage == Coverage.COMPLETE) | (coverage == Coverage.FRAGMENT)
    return summed


def _tunnelled(
    source: Octets,
    columns: Columns,
    offset: I64,
    ip: Ip,
    udp: Transport,
    rows: I64,
    ip_end: I64,
    bounds: I64,
) -> list[AnyArray]:
    """Fill the columns of the VXLAN frames, ``rows``."""
    start, end = ip.payload[rows], ip_end[rows]
    _put_ip(columns, "outer", rows, ip, rows)
    for name, values in (
        ("outer_sport", udp.sport),
        ("outer_dport", udp.dport),
        ("outer_udp_length", udp.length),
        ("outer_udp_found", udp.found),
        ("outer_udp_pseudo", udp.pseudo),
        ("outer_udp_coverage", udp.coverage),
    ):
        _put(columns[name], rows, values, rows)
    columns["outer_udp_offset"][rows] = start - offset[rows]
    header = source.window(start + 8, 8)
    columns["vxlan_flags"][rows] = header.u16(0)
    columns["vni"][rows] = header.u32(4) >> 8

    # What encloses the inner packet: the UDP payload, or the IP payload where UDP's length lies.
    coverage = udp.coverage[rows]
    fragment = coverage == Coverage.FRAGMENT
    believed = (coverage != Coverage.MALFORMED) | (udp.length[rows] <= ip.stop[rows] - start)
    limit = np.where(believed, start + udp.length[rows], ip.stop[rows])
    inner_end = np.minimum(end, limit)
    position, ethertype = inner_network(source, header, udp.dport[rows], start + 16, inner_end)
    inner = dissect_ip(source, position, ethertype, inner_end, limit)
    packet_end = np.minimum(inner_end, inner.stop)
    l4 = dissect_transport(source, inner, packet_end, spill=fragment)
    everything = np.arange(rows.size)
    _put_ip(columns, "inner", rows, inner, everything)
    _put_transport(columns, rows, inner, l4, offset[rows], everything)

    summed = _summed(coverage)
    # The headers up to the inner checksum's start decide local checksum offload, even in a frame
    # cut short, so they are summed wherever the inner checksum field was captured.
    headed = (l4.coverage > Coverage.ABSENT) & (l4.coverage < Coverage.FIELD_CUT)
    piece = inner.fragment & inner.known
    reached = headed | piece
    inner_summed = _summed(l4.coverage) | piece
    inner_start = np.where(reached, inner.payload, start)
    inner_stop = np.where(inner.fragment, packet_end, l4.stop)
    inner_stop = np.where(inner_summed, np.maximum(inner_stop, inner_start), inner_start)
    outer_stop = np.where(fragment, end, udp.stop[rows])
    bounds[rows, 0] = start
    bounds[rows, 1] = inner_start
    bounds[rows, 2] = inner_stop
    bounds[rows, 3] = np.where(summed, np.maximum(outer_stop, inner_stop), inner_stop)
    columns["outer_udp_lco"][rows] = headed  # _finish puts the sum here

    outer_records = _fragments(rows, offset[rows], ip, rows, ip_end, inner=False)
    inner_records = _fragments(rows, offset[rows], inner, everything, packet_end, inner=True)
    going_on = fragment[np.searchsorted(rows, inner_records["row"])]
    inner_records["captured"][going_on & (inner_records["captured"] == 0)] = 2
    return [outer_records, inner_records]


def inner_network(
    source: Octets, header: Window, dport: U16, position: I64, end: I64
) -> tuple[I64, U16]:
    """Return where the inner network header is: behind Ethernet, or bare in VXLAN-GPE."""
    network = ethernet(source, position, end)
    following = header.u8(3)
    bare = (dport == VXLAN_GPE_PORT) & ((header.u8(0) & np.uint8(_P_FLAG)) != 0)
    bare &= following != _GPE_ETHERNET
    if bare.any():
        network.position[bare] = position[bare]
        network.ethertype[bare] = 0
        network.ethertype[bare & (following == _GPE_IPV4)] = ETHERTYPE_IPV4
        network.ethertype[bare & (following == _GPE_IPV6)] = ETHERTYPE_IPV6
    return network.position, network.ethertype


def _finish(columns: Columns, sums: AnyArray, bounds: I64, pieces: list[AnyArray]) -> None:
    """Turn the chain of sums into residuals."""
    outer_pseudo = columns["outer_udp_pseudo"].astype(np.uint32)
    total = network_order(sums.sum(axis=1), bounds[:, 0])
    heads = network_order(sums[:, 0], bounds[:, 0])
    body = network_order(sums[:, 1], bounds[:, 1])
    columns["outer_udp_residual"][:] = fold(outer_pseudo + total) * _summed(
        columns["outer_udp_coverage"]
    )
    columns["outer_udp_lco"][:] = fold(outer_pseudo + heads) * columns["outer_udp_lco"]
    columns["inner_l4_residual"][:] = fold(
        columns["inner_l4_pseudo"].astype(np.uint32) + body
    ) * _summed(columns["inner_l4_coverage"])
    for records in pieces:
        row = records["row"]
        inner = (records["inner"] == 1) | (columns["kind"][row] != Kind.VXLAN)
        records["sum"] = np.where(inner, body[row], total[row]) * (records["captured"] > 0)
