"""The columns that both kernels fill, and the words they use.

A kernel (:mod:`vxcsum.packet.vectorized`, later its compiled twin) turns the frames of one block
into *facts*: header fields and ones-complement sums, one NumPy column each. It holds no opinion:
what a sum means is decided in :mod:`vxcsum.checksum`.

A frame has at most four checksums, so the table has four *slots*. The innermost packet is what
sockets see; a plain frame (no VXLAN) has only that one, and its ``outer_*`` columns are absent:

===============  ============================  ==============================
slot             VXLAN frame                   plain frame
===============  ============================  ==============================
``outer_ip``     layer ``outer_ipv4``          absent
``outer_udp``    layer ``outer_udp``           absent
``inner_ip``     layer ``inner_ipv4``          layer ``plain_ipv4``
``inner_l4``     layer ``inner_<protocol>``    layer ``plain_<protocol>``
===============  ============================  ==============================

Absent values are 0; whether a slot is there at all is told by its coverage, whether a header is
there by its ``*_ip_version``.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

_T = TypeVar("_T", bound=np.generic)
# What numpy.typing.NDArray is, without the time that its import takes.
_Array: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[_T]]
U8: TypeAlias = _Array[np.uint8]
U16: TypeAlias = _Array[np.uint16]
U32: TypeAlias = _Array[np.uint32]
U64: TypeAlias = _Array[np.uint64]
I64: TypeAlias = _Array[np.int64]
Bool: TypeAlias = _Array[np.bool_]
AnyArray: TypeAlias = _Array[Any]
Columns: TypeAlias = dict[str, AnyArray]


class Kind(IntEnum):
    """What a frame is."""

    OTHER = 0
    PLAIN = 1
    VXLAN = 2


class Coverage(IntEnum):
    """How much of what a checksum covers was there to be summed."""

    ABSENT = 0
    """The frame has no such checksum."""
    COMPLETE = 1
    TRUNCATED = 2
    """Cut short by the snaplen; the checksum field itself was captured."""
    FRAGMENT = 3
    """The first fragment of a datagram; the residual covers what this fragment has."""
    MALFORMED = 4
    """A length field that cannot be: larger than what encloses it, or too small for the header."""
    FIELD_CUT = 5
    """Cut short before the end of the checksum field."""
    FIELDLESS = 6
    """Malformed, and so short that there is no checksum field."""


class Direction(IntEnum):
    """Which way a frame went, where the capture says so (SLL packet type, pcapng EPB flags)."""

    UNKNOWN = 0
    IN = 1
    OUT = 2


SLOTS = ("outer_ip", "outer_udp", "inner_ip", "inner_l4")

#: Columns written by a kernel: name -> dtype. Addresses are two 64-bit halves (high, low), IPv4
#: as ``::ffff:a.b.c.d``. Offsets count octets from the start of the frame.
FACTS: dict[str, str] = {
    "kind": "u1",
    "vlan": "u2",  # VLAN identifier + 1 of the outermost tag; 0: untagged
    "direction": "u1",
    "ifindex": "u4",  # SLL2 only
    "outer_ip_version": "u1",
    "outer_src": "2u8",
    "outer_dst": "2u8",
    "outer_ttl": "u1",
    "outer_length": "u4",  # IP header and payload
    "outer_sport": "u2",
    "outer_dport": "u2",
    "outer_udp_length": "u4",
    "outer_udp_offset": "u2",
    "vxlan_flags": "u2",  # the first two octets of the VXLAN header
    "vni": "u4",
    "inner_ip_version": "u1",
    "inner_src": "2u8",
    "inner_dst": "2u8",
    "inner_ttl": "u1",
    "inner_length": "u4",
    "inner_protocol": "u1",
    "inner_sport": "u2",
    "inner_dport": "u2",
    "inner_l4_length": "u4",  # octets the checksum covers, without the pseudo-header
    "inner_l4_offset": "u2",
    "tcp_flags": "u1",
    "tcp_seq": "u4",
    "tcp_ack": "u4",
    "tcp_header_length": "u1",
    "outer_ip_found": "u2",
    "outer_ip_residual": "u2",
    "outer_ip_coverage": "u1",
    "outer_udp_found": "u2",
    "outer_udp_residual": "u2",
    "outer_udp_pseudo": "u2",
    "outer_udp_coverage": "u1",
    "outer_udp_lco": "u2",  # sum of the outer pseudo-header and all up to the inner L4 header
    "inner_ip_found": "u2",
    "inner_ip_residual": "u2",
    "inner_ip_coverage": "u1",
    "inner_l4_found": "u2",
    "inner_l4_residual": "u2",
    "inner_l4_pseudo": "u2",
    "inner_l4_coverage": "u1",
}

#: Columns about the record itself, before any octet of the frame is looked at.
RECORD_COLUMNS: dict[str, str] = {
    "capture": "i4",  # which capture of the source, counted from 0
    "frame_number": "i8",  # from 1 in each capture, as Wireshark counts
    "timestamp": "M8[ns]",
    "interface": "i4",
    "linktype": "u2",
    "caplen": "u4",
    "origlen": "u4",
    "fragment": "u1",  # 1: an IP fragment, 2: the packet inside VXLAN is one, 3: both
}

#: One row per IP fragment of a block, beside the columns.
FRAGMENT_DTYPE = np.dtype(
    [
        ("row", "i8"),
        ("src", "u8", (2,)),
        ("dst", "u8", (2,)),
        ("ident", "u4"),
        ("offset", "u4"),  # octets
        ("start", "u4"),  # where its payload starts, from the start of the frame
        ("length", "u4"),  # octets of IP payload, as its header says
        ("sum", "u2"),  # ones-complement sum of that payload, as far as it is in this frame
        ("protocol", "u1"),
        ("inner", "u1"),  # 1: a fragment of the packet inside VXLAN
        ("more", "u1"),
        ("captured", "u1"),  # 1: all of it; 2: it goes on in the other outer fragments; 0: cut
    ]
)

#: Octets a kernel may read behind the last frame of a block without looking at them.
SLACK = 256


_CACHE_LINE = 64
_TYPES = {"2u8": "u8"}


def allocate(rows: int, schema: Mapping[str, str]) -> Columns:
    """Return columns of any contents for ``rows`` frames, as views of one allocation.

    One large allocation is given back to the same place table after table, where the memory is
    mapped already. Each column starts in another cache set than its neighbours, as all of them
    are written at the same pace.

    Parameters
    ----------
    rows : int
    schema : mapping of str to str
        Names and type codes as in `FACTS`.
    """
    layout = []
    end = 0
    for name, code in schema.items():
        dtype = np.dtype(_TYPES.get(code, code))
        shape = (rows, 2) if code == "2u8" else (rows,)
        layout.append((name, shape, dtype, end))
        lines = -(-math.prod(shape) * dtype.itemsize // _CACHE_LINE)
        end += (lines + 1 | 1) * _CACHE_LINE
    memory = np.empty(end, np.uint8)
    return {name: np.ndarray(shape, dtype, memory, start) for name, shape, dtype, start in layout}


def distinct(values: AnyArray) -> AnyArray:
    """Return the different values of an array of one dimension, in ascending order.

    Notes
    -----
    The same as `numpy.unique`, which loads `numpy.ma`; that takes longer than all rules do.
    """
    if not values.size or (values == values[0]).all():
        return values[:1].copy()
    ordered = np.sort(values)
    first = np.ones(ordered.size, np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]
