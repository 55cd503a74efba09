"""Counting frames by what they are and how their checksums fared, in one pass over the columns.

Every frame gets one small number, its *signature*; a histogram of signatures for each path answers
all questions of how many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.grouping import grouped
from vxcsum.checksum.status import LAYERS, Status
from vxcsum.packet.columns import Kind
from vxcsum.packet.protocols import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import I64, U8, U16, U64

_STATUSES = len(Status)
#: So many pairs are told apart one by one; sorting costs more, and a few are the rule.
_FEW_PAIRS = 16
#: Transport of the inner (or plain) packet; NONE where there is no checksum of it.
NONE, TCP, UDP, ICMP, ICMPV6 = range(5)
TRANSPORT = (TCP, UDP)
PING = (ICMP, ICMPV6)
_CLASSES = ((IPPROTO_TCP, TCP), (IPPROTO_UDP, UDP), (IPPROTO_ICMP, ICMP), (IPPROTO_ICMPV6, ICMPV6))
_CLASS_OF_PROTOCOL = dict(_CLASSES)

#: kind, IP version (none, 4, 6), transport, outer UDP status, inner transport status.
SHAPE = (len(Kind), 3, 5, _STATUSES, _STATUSES)
CELLS = int(np.prod(SHAPE))


def signatures(table: PacketTable) -> U16:
    """Return the signature of each frame, an index into a flat histogram of `SHAPE`."""
    inner, protocol = table["inner_l4_status"], table["inner_protocol"]
    transport: U8 = np.zeros(protocol.size, np.uint8)
    for number, value in _CLASSES:
        transport += (protocol == number).view(np.uint8) * np.uint8(value)
    transport *= (inner != 0).view(np.uint8)  # Status.ABSENT
    version = table["inner_ip_version"]
    versions = (version == 4).view(np.uint8) + (version == 6).view(np.uint8) * np.uint8(2)
    # The first three parts fit into an octet, which makes them cheap.
    code: U16 = ((table["kind"] * np.uint8(3) + versions) * np.uint8(5) + transport).astype("u2")
    code *= np.uint16(_STATUSES)
    code += table["outer_udp_status"]
    code *= np.uint16(_STATUSES)
    code += inner
    return code


def group_pairs(source: U64, destination: U64, port: U16 | None = None) -> list[I64]:
    """Return the rows of each distinct address pair, the pair of the first row first.

    Parameters
    ----------
    source, destination : uint64[n, 2]
    port : uint16[n], optional
        Distinguished as well.
    """
    key = source[:, 1] * np.uint64(0x9E3779B97F4A7C15)
    key += destination[:, 1] * np.uint64(0xC2B2AE3D27D4EB4F)
    if source[:, 0].any() or destination[:, 0].any():
        key ^= source[:, 0] * np.uint64(0x165667B19E3779F9)
        key += destination[:, 0] * np.uint64(0x27D4EB2F165667C5)
    if port is not None:
        key += port * np.uint64(0x9FB21C651E98DF25)
    rows = np.arange(key.size)
    groups: list[I64] = []
    while rows.size and len(groups) < _FEW_PAIRS:
        same = key == key[0]
        if same.all():
            return [*groups, rows]
        groups.append(rows[np.flatnonzero(same)])
        others = np.flatnonzero(~same)
        rows, key = rows[others], key[others]
    if rows.size:
        _, labels = np.unique(key, return_inverse=True)
        groups += [rows[members] for members in grouped(labels)]
    return groups


def layer_counts(histograms: Iterable[I64], headers: I64) -> I64:
    """Return counts by layer and status.

    Parameters
    ----------
    histograms : iterable of int64[SHAPE]
    headers : int64[3, 6, 6]
        Frames by kind, outer and inner IPv4 header status.

    Returns
    -------
    int64[12, 6]
        In the order of `LAYERS`.
    """
    total = sum(histograms, np.zeros(SHAPE, np.int64))
    counts = np.zeros((len(LAYERS), _STATUSES), np.int64)
    for number, layer in enumerate(LAYERS.values()):
        if layer.slot == "outer_ip":
            counts[number] = headers[layer.kind].sum(axis=1)
        elif layer.slot == "inner_ip":
            counts[number] = headers[layer.kind].sum(axis=0)
        elif layer.slot == "outer_udp":
            counts[number] = total[layer.kind].sum(axis=(0, 1, 3))
        else:
            transport = _CLASS_OF_PROTOCOL[layer.protocol or 0]
            counts[number] = total[layer.kind, :, transport].sum(axis=(0, 1))
    counts[:, Status.ABSENT] = 0
    return counts
