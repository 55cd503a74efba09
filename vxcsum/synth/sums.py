"""Checksums the plain way, right and wrong: a pseudo-header, a segment, and a routine.

Nothing here comes from the part of vxcsum that verifies: the captures made with it are to prove
that part right or wrong.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeAlias

#: Makes a checksum from the pseudo-header and the segment, whose field is 0.
Routine: TypeAlias = Callable[[bytes, bytes], int]

_ICMP = 1


def ones_sum(data: bytes) -> int:
    """Return the ones-complement sum of RFC 1071, with the odd octet in the high half."""
    total: int = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def right(pseudo: bytes, segment: bytes) -> int:
    """Return the checksum as it should be."""
    return 0xFFFF - ones_sum(pseudo + segment)


def partial(pseudo: bytes, _segment: bytes) -> int:
    """Return the sum of the pseudo-header, left for a device to finish."""
    return ones_sum(pseudo)


def constant(value: int) -> Routine:
    """Return a routine for a value that has nothing to do with the packet."""
    return lambda _pseudo, _segment: value


def off_by(residual: int) -> Routine:
    """Return a routine for the right checksum and a constant, in ones-complement arithmetic."""
    return lambda pseudo, segment: (right(pseudo, segment) + residual) % 0xFFFF


none = constant(0)


def pseudo_header(src: bytes, dst: bytes, protocol: int, length: int) -> bytes:
    """Return what is summed before a segment; only ICMP over IPv4 has none."""
    return b"" if protocol == _ICMP else src + dst + struct.pack(">II", length, protocol)


def put(data: bytes, at: int, value: int) -> bytes:
    """Write a 16-bit field."""
    return data[:at] + struct.pack(">H", value) + data[at + 2 :]
