"""Link headers and VLAN tags: where the network header starts and what it is.

Sources: the tcpdump.org link-type registry (LINKTYPE_ETHERNET, _NULL, _LOOP, _RAW, _LINUX_SLL,
_LINUX_SLL2, _IPV4, _IPV6), IEEE 802.1Q and 802.1ad.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.packet.columns import Direction, distinct

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64, U8, U16, U32
    from vxcsum.packet.windows import Octets

LINKTYPE_NULL = 0
LINKTYPE_ETHERNET = 1
LINKTYPE_RAW = 101
LINKTYPE_LOOP = 108
LINKTYPE_LINUX_SLL = 113
LINKTYPE_IPV4 = 228
LINKTYPE_IPV6 = 229
LINKTYPE_LINUX_SLL2 = 276
#: Values of DLT_RAW that BSD systems wrote into files before LINKTYPE_RAW was agreed on.
RAW_LINKTYPES = (12, 14, LINKTYPE_RAW)

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_IPV6 = 0x86DD
MAX_VLAN_TAGS = 4

#: AF_INET6 differs among the systems that write LINKTYPE_NULL; AF_INET does not.
_AF_INET = 2
_AF_INET6 = (10, 24, 28, 30)

_SLL_OUTGOING = 4


@dataclass(slots=True)
class Network:
    """Where the network header of each row starts; ``ethertype`` 0 where there is none."""

    position: I64
    ethertype: U16
    vlan: U16
    direction: U8
    ifindex: U32


def _tags(octets: Octets, network: Network, end: I64) -> None:
    """Step over VLAN tags in place."""
    for _ in range(MAX_VLAN_TAGS):
        kind = network.ethertype
        tagged = (kind == 0x8100) | (kind == 0x88A8) | (kind == 0x9100)
        rows = np.flatnonzero(tagged)
        if not rows.size:
            return
        position = network.position[rows]
        tag = octets.window(position, 8)
        whole = position + 4 <= end[rows]
        outermost = (network.vlan[rows] == 0) & whole
        network.vlan[rows[outermost]] = (tag.u16(0)[outermost] & np.uint16(0x0FFF)) + np.uint16(1)
        network.ethertype[rows] = tag.u16(2) * whole
        network.position[rows] = position + 4


def ethernet(octets: Octets, position: I64, end: I64) -> Network:
    """Read Ethernet headers that start at ``position`` and are captured up to ``end``."""
    header = octets.window(np.minimum(position, end), 16)
    rows = position.size
    network = Network(
        position=position + 14,
        ethertype=header.u16(12) * (position + 14 <= end),
        vlan=np.zeros(rows, np.uint16),
        direction=np.zeros(rows, np.uint8),
        ifindex=np.zeros(rows, np.uint32),
    )
    _tags(octets, network, end)
    return network


def _cooked(octets: Octets, position: I64, end: I64, *, version: int) -> Network:
    length = 16 if version == 1 else 20
    header = octets.window(position, 24)
    whole = position + length <= end
    packet_type = header.u16(0) if version == 1 else header.u8(10).astype(np.uint16)
    outgoing = packet_type == _SLL_OUTGOING
    direction = np.where(outgoing, Direction.OUT, Direction.IN).astype(np.uint8) * whole
    network = Network(
        position=position + length,
        ethertype=header.u16(14 if version == 1 else 0) * whole,
        vlan=np.zeros(position.size, np.uint16),
        direction=direction,
        ifindex=(header.u32(4) if version == 2 else np.zeros(position.size, np.uint32)) * whole,
    )
    _tags(octets, network, end)
    return network


def _family(octets: Octets, position: I64, end: I64) -> Network:
    """LINKTYPE_NULL and _LOOP: a 32-bit address family in either byte order."""
    header = octets.window(position, 8)
    small = (header.u16(0) == 0) | (header.u16(2) == 0)
    family = (header.u8(0) | header.u8(3)) * (small & (position + 4 <= end))
    ethertype = np.zeros(position.size, np.uint16)
    ethertype[family == _AF_INET] = ETHERTYPE_IPV4
    ethertype[np.isin(family, _AF_INET6)] = ETHERTYPE_IPV6
    return _bare(position + 4, ethertype)


def _bare(position: I64, ethertype: U16) -> Network:
    rows = position.size
    return Network(
        position=position,
        ethertype=ethertype,
        vlan=np.zeros(rows, np.uint16),
        direction=np.zeros(rows, np.uint8),
        ifindex=np.zeros(rows, np.uint32),
    )


def _raw(octets: Octets, position: I64, end: I64) -> Network:
    version = octets.window(position, 8).u8(0) >> 4
    ethertype = np.zeros(position.size, np.uint16)
    ethertype[version == 4] = ETHERTYPE_IPV4
    ethertype[version == 6] = ETHERTYPE_IPV6
    return _bare(position.copy(), ethertype * (position < end))


def _one_linktype(octets: Octets, linktype: int, position: I64, end: I64) -> Network:
    rows = position.size
    if linktype == LINKTYPE_ETHERNET:
        return ethernet(octets, position, end)
    if linktype == LINKTYPE_LINUX_SLL:
        return _cooked(octets, position, end, version=1)
    if linktype == LINKTYPE_LINUX_SLL2:
        return _cooked(octets, position, end, version=2)
    if linktype in (LINKTYPE_NULL, LINKTYPE_LOOP):
        return _family(octets, position, end)
    if linktype in RAW_LINKTYPES:
        return _raw(octets, position, end)
    if linktype == LINKTYPE_IPV4:
        return _bare(position.copy(), np.full(rows, ETHERTYPE_IPV4, np.uint16))
    if linktype == LINKTYPE_IPV6:
        return _bare(position.copy(), np.full(rows, ETHERTYPE_IPV6, np.uint16))
    return _bare(position.copy(), np.zeros(rows, np.uint16))


def find_network(octets: Octets, linktype: U16, position: I64, end: I64) -> Network:
    """Return where the network headers are, for frames of any mixture of link types.

    Parameters
    ----------
    octets : Octets
    linktype : uint16[n]
    position, end : int64[n]
        First octet of each frame, and the first one behind what was captured of it.
    """
    if linktype.size and (linktype == linktype[0]).all():
        return _one_linktype(octets, int(linktype[0]), position, end)
    network = _bare(position.copy(), np.zeros(position.size, np.uint16))
    for value in distinct(linktype):
        rows = np.flatnonzero(linktype == value)
        part = _one_linktype(octets, int(value), position[rows], end[rows])
        for name in Network.__slots__:
            getattr(network, name)[rows] = getattr(part, name)
    return network
