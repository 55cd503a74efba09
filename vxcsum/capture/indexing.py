"""Finding the frames in the octets of a container.

A walk from one record to the next goes through every octet of nothing: it reads one length
field per record in Python and gathers the other fields of all records at once afterwards.
Captures with many frames of one length are common where speed matters; runs of records of
equal length are therefore checked with one strided comparison.

Both functions have fixed signatures, so that others can take their place (see `Index`).

Sources
-------
draft-ietf-opsawg-pcap, "Packet Record".
draft-ietf-opsawg-pcapng, "General Block Structure", "Enhanced Packet Block".
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "BAD",
    "BLOCK_OVERHEAD",
    "FULL",
    "MORE",
    "PYTHON",
    "SKIP",
    "index_pcap",
    "index_pcapng",
]

MORE, FULL, BAD, PYTHON, SKIP = range(5)

BLOCK_OVERHEAD = 1 << 16
"""Octets a pcapng block may have beside the longest frame, for its fields and options."""

_PYTHON_BLOCKS = frozenset((0x0A0D0D0A, 1, 2, 3))
_EPB = 6
_EPB_HEADER = 28
_FIRST_PROBE = 8
_LONG_RUN = 256


def _run(
    octets: NDArray[np.uint8], at: int, stride: int, most: int, field: np.dtype[np.generic]
) -> int:
    """Count the records from `at` on which have the same field as the first.

    Parameters
    ----------
    octets : ndarray of uint8
        Where the fields are.
    at : int
        The first record's field.
    stride : int
        From one record to the next.
    most : int
        Records to look at; all of them are within `octets`.
    field : dtype
        Of the field.

    Returns
    -------
    int
        At least 1.
    """
    counted = 1
    window = 64
    while counted < most:
        look = min(window, most - counted)
        fields = np.ndarray((look,), field, octets, at + counted * stride, (stride,))
        same = fields == np.ndarray((), field, octets, at)
        if not same.all():
            return counted + int(same.argmin())
        counted += look
        window *= 8
    return counted


def _gather(
    octets: NDArray[np.uint8], stop: int, at: NDArray[np.int64], words: int, order: str
) -> NDArray[np.uint32]:
    """Gather `words` 32-bit words at each place, as rows of a table."""
    size = 4 * words
    if not len(at):
        return np.zeros((0, words), np.uint32)
    everywhere = np.ndarray((stop - size + 1,), f"V{size}", octets, 0, (1,))
    return everywhere[at].view(f"{order}u4").reshape(-1, words)


def index_pcap(
    octets: NDArray[np.uint8],
    start: int,
    stop: int,
    big_endian: bool,  # noqa: FBT001 - a fixed signature
    record_header: int,
    max_caplen: int,
    offset: NDArray[np.int64],
    caplen: NDArray[np.uint32],
    origlen: NDArray[np.uint32],
    seconds: NDArray[np.uint32],
    fraction: NDArray[np.uint32],
) -> tuple[int, int, int]:
    """Index the complete records of a pcap.

    Parameters
    ----------
    octets : ndarray of uint8
        The buffer.
    start, stop : int
        Records begin at `start`; octets from `stop` on are not there yet.
    big_endian : bool
        Byte order of the record headers.
    record_header : int
        Octets of a record header, 16 or 24.
    max_caplen : int
        A captured length beyond this is damage.
    offset : ndarray of int64
        Out: where the frames begin in `octets`. All output arrays have equal lengths, of at
        least 1.
    caplen, origlen : ndarray of uint32
        Out: captured and original length in octets.
    seconds, fraction : ndarray of uint32
        Out: the two halves of the timestamps.

    Returns
    -------
    count : int
        Rows written.
    next_position : int
        The first record which was not indexed.
    status : int
        0 it needs more octets, 1 the arrays are full, 2 its captured length is too large.
    """
    order = ">" if big_endian else "<"
    unpack = Struct(f"{order}I").unpack_from
    field = np.dtype(f"{order}u4")
    view = octets.data
    last_header = stop - record_header
    room = len(offset)
    count = 0
    at = start
    status = MORE
    walked: list[int] = []
    append = walked.append
    previous = -1
    equal = 0
    patience = _FIRST_PROBE
    left = room
    while at <= last_header:
        if not left:
            status = FULL
            break
        (length,) = unpack(view, at + 8)
        following = at + record_header + length
        if length > max_caplen:
            status = BAD
            break
        if following > stop:
            break
        append(at)
        left -= 1
        if length == previous:
            equal += 1
            if equal > patience:
                equal = 0
                stride = following - at
                most = min(left + 1, (stop - at) // stride)
                run = _run(octets, at + 8, stride, most, field)
                patience = _FIRST_PROBE if run >= _LONG_RUN else min(2 * patience, 4096)
                if run > 1:
                    offset[count : count + len(walked)] = walked
                    count += len(walked)
                    walked.clear()
                    following = at + run * stride
                    offset[count : count + run - 1] = np.arange(at + stride, following, stride)
                    count += run - 1
                    left -= run - 1
        previous = length
        at = following
    offset[count : count + len(walked)] = walked
    count += len(walked)
    header = _gather(octets, stop, offset[:count], 4, order)
    seconds[:count] = header[:, 0]
    fraction[:count] = header[:, 1]
    caplen[:count] = header[:, 2]
    origlen[:count] = header[:, 3]
    offset[:count] += record_header
    return count, at, status


def index_pcapng(
    octets: NDArray[np.uint8],
    start: int,
    stop: int,
    big_endian: bool,  # noqa: FBT001 - a fixed signature
    max_caplen: int,
    offset: NDArray[np.int64],
    caplen: NDArray[np.uint32],
    origlen: NDArray[np.uint32],
    stamp: NDArray[np.uint64],
    interface_id: NDArray[np.uint32],
    flags: NDArray[np.uint32],
) -> tuple[int, int, int]:
    """Index the complete Enhanced Packet Blocks of a pcapng, up to a block of another meaning.

    Blocks which hold no frames and describe no interfaces are stepped over.

    Parameters
    ----------
    octets : ndarray of uint8
        The buffer.
    start, stop : int
        A block begins at `start`; octets from `stop` on are not there yet.
    big_endian : bool
        Byte order of the section.
    max_caplen : int
        A captured length beyond this is damage, as is an Enhanced Packet Block of more than
        `BLOCK_OVERHEAD` octets beyond it.
    offset : ndarray of int64
        Out: where the frames begin in `octets`. All output arrays have equal lengths, of at
        least 1.
    caplen, origlen : ndarray of uint32
        Out: captured and original packet length in octets.
    stamp : ndarray of uint64
        Out: timestamps in ticks of their interface.
    interface_id : ndarray of uint32
        Out: interface in the section; whether it was described is the caller's to check.
    flags : ndarray of uint32
        Out: epb_flags, 0 where absent.

    Returns
    -------
    count : int
        Rows written.
    next_position : int
        The first block which was not indexed.
    status : int
        0 it needs more octets, 1 the arrays are full, 2 its lengths make no sense, 3 it is a
        Section Header, Interface Description, Simple Packet or (obsolete) Packet Block, of
        which nothing but the type was looked at, 4 it is another block without frames, with a
        plausible length, and ends after `stop`.
    """
    order = ">" if big_endian else "<"
    unpack = Struct(f"{order}II").unpack_from
    field = np.dtype(f"{order}u8")
    view = octets.data
    room = len(offset)
    largest = max_caplen + BLOCK_OVERHEAD
    count = 0
    at = start
    status = MORE
    walked: list[int] = []
    append = walked.append
    previous = -1
    equal = 0
    patience = _FIRST_PROBE
    left = room
    last_header = stop - 12
    while at <= last_header:
        kind, length = unpack(view, at)
        following = at + length
        if kind != _EPB:
            if kind in _PYTHON_BLOCKS:
                status = PYTHON
                break
            if length < 12 or length & 3:
                status = BAD
                break
            if following > stop:
                status = SKIP
                break
            if unpack(view, following - 8)[1] != length:
                status = BAD
                break
            at = following
            continue
        if not left:
            status = FULL
            break
        if length < 32 or length & 3 or length > largest:
            status = BAD
            break
        if following > stop:
            break
        append(at)
        left -= 1
        if length == previous:
            equal += 1
            if equal > patience:
                equal = 0
                most = min(left + 1, (stop - at) // length)
                run = _run(octets, at, length, most, field)
                patience = _FIRST_PROBE if run >= _LONG_RUN else min(2 * patience, 4096)
                if run > 1:
                    offset[count : count + len(walked)] = walked
                    count += len(walked)
                    walked.clear()
                    following = at + run * length
                    offset[count : count + run - 1] = np.arange(at + length, following, length)
                    count += run - 1
                    left -= run - 1
        previous = length
        at = following
    offset[count : count + len(walked)] = walked
    count += len(walked)
    starts = offset[:count]
    words = _gather(octets, stop, starts, 7, order)
    ends = starts + words[:, 1]
    trailing = _gather(octets, stop, ends - 4, 1, order)[:, 0]
    captured = words[:, 5]
    # in 64 bits, for a captured length of almost 2**32 must not wrap
    padded = (captured.astype(np.int64) + 3) & ~3
    spare = words[:, 1] - (32 + padded)
    good = (trailing == words[:, 1]) & (spare >= 0) & (captured <= max_caplen)
    if not good.all():
        count = int(good.argmin())
        at = int(starts[count])
        status = BAD
    interface_id[:count] = words[:count, 2]
    stamp[:count] = (words[:count, 3].astype(np.uint64) << np.uint64(32)) | words[:count, 4]
    caplen[:count] = captured[:count]
    origlen[:count] = words[:count, 6]
    flags[:count] = 0
    if count and spare[:count].max() > 0:
        _read_flags(octets, stop, order, ends[:count] - 4 - spare[:count], ends[:count], flags)
    offset[:count] += _EPB_HEADER
    return count, at, status


def _read_flags(
    octets: NDArray[np.uint8],
    stop: int,
    order: str,
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    flags: NDArray[np.uint32],
) -> None:
    """Read epb_flags, which most often is the first option or not there.

    Parameters
    ----------
    octets, stop : ndarray of uint8, int
        As for `index_pcapng`.
    order : str
        "<" or ">".
    begin, end : ndarray of int64, shape (n,)
        Where the options begin and the blocks end.
    flags : ndarray of uint32
        Out.
    """
    rows = np.flatnonzero(end - 4 - begin >= 8)
    words = _gather(octets, stop, begin[rows], 2, order)
    lengths = words[:, 0] & 0xFFFF if order == ">" else words[:, 0] >> 16
    codes = words[:, 0] >> 16 if order == ">" else words[:, 0] & 0xFFFF
    first = (codes == 2) & (lengths == 4)
    flags[rows[first]] = words[first, 1]
    unpack = Struct(f"{order}HH").unpack_from
    unpack_value = Struct(f"{order}I").unpack_from
    for row in rows[~first & (codes != 0)].tolist():
        at = int(begin[row])
        last = int(end[row]) - 4 - 8
        while at <= last:
            code, length = unpack(octets.data, at)
            if code == 0:
                break
            if code == 2 and length == 4:
                (flags[row],) = unpack_value(octets.data, at + 4)
                break
            at += 4 + ((length + 3) & ~3)
