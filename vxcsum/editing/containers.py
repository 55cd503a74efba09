"""Writing pcap and pcapng.

Sources
-------
draft-ietf-opsawg-pcap, "File Header", "Packet Record"; draft-ietf-opsawg-pcapng, "Section Header
Block", "Interface Description Block", "Enhanced Packet Block", "Options".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.errors import VxcsumError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import BinaryIO

    from vxcsum.capture import FrameBlock, Interface, Stretch
    from vxcsum.packet.columns import Bool

_SECTION_MAGIC = b"\x0a\x0d\x0d\x0a"
_SHB, _IDB, _PB, _SPB, _EPB = 0x0A0D0D0A, 1, 2, 3, 6
_COMMENT, _IF_TSRESOL, _IF_FCSLEN = 1, 9, 13
_MAX_COMMENT = 4096
_DEFAULT_SNAPLEN = 262144
_SECOND = 1_000_000_000
_LATEST = (1 << 32) * _SECOND - 1


def each_block(octets: bytearray, *, big_endian: bool) -> Iterator[tuple[int, int, int, bool]]:
    """Yield the blocks of a stretch of pcapng.

    Parameters
    ----------
    octets : bytearray
        Whole blocks; what follows the last whole one is left out.
    big_endian : bool
        Byte order of the section that the first one belongs to.

    Yields
    ------
    kind, start, stop : int
    big_endian : bool
    """
    at = 0
    while at + 12 <= len(octets):
        if octets[at : at + 4] == _SECTION_MAGIC:
            big_endian = octets[at + 8 : at + 12] == b"\x1a\x2b\x3c\x4d"
        kind, length = struct.unpack_from(">II" if big_endian else "<II", octets, at)
        if length < 12 or at + length > len(octets):
            return
        yield kind, at, at + length, big_endian
        at += length


class PcapngFilter:
    """Copies a pcapng without some of its frames; everything else stays as it is.

    Parameters
    ----------
    file : binary file

    Attributes
    ----------
    uncommented : int
        Frames in simple packet blocks, which cannot hold a comment, although there was one.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._big_endian = False
        self.uncommented = 0

    def write(self, stretch: Stretch, chosen: Bool, comments: Mapping[int, str]) -> None:
        """Copy a stretch.

        Parameters
        ----------
        stretch : Stretch
        chosen : bool[n]
            Which of its frames to keep.
        comments : mapping of int to str
            What to say of frames, by row.
        """
        octets, row, done, end = stretch.octets, -1, 0, 0
        view = memoryview(octets)
        for kind, start, stop, big_endian in each_block(octets, big_endian=self._big_endian):
            self._big_endian, end = big_endian, stop
            if kind == _SHB:
                # The length of a section does not survive what is left out: -1 says so.
                octets[start + 16 : start + 24] = b"\xff" * 8
            if kind not in (_PB, _SPB, _EPB):
                continue
            row += 1
            comment = comments.get(row) if chosen[row] else None
            if comment is not None and kind == _SPB:
                self.uncommented += 1
                comment = None
            if chosen[row] and comment is None:
                continue
            self._file.write(view[done:start])
            done = stop
            if comment is not None:
                block = bytes(view[start:stop])
                self._file.write(_commented(block, comment, big_endian=big_endian))
        self._file.write(view[done:end])


class PcapFilter:
    """Copies a pcap without some of its frames.

    Parameters
    ----------
    file : binary file
    record_header : int
        Octets before each frame.
    file_header : int
        Octets before the first record.
    """

    def __init__(self, file: BinaryIO, *, file_header: int, record_header: int) -> None:
        self._file = file
        self._file_header = file_header
        self._record_header = record_header

    def write(self, stretch: Stretch, chosen: Bool, comments: Mapping[int, str]) -> None:
        """Copy a stretch; see `PcapngFilter.write`. A pcap holds no comments."""
        view = memoryview(stretch.octets)
        if stretch.position == 0:
            self._file.write(view[: self._file_header])
        block = stretch.frames
        if block is None or not chosen.any():
            return
        start = block.position - stretch.position + block.offset - self._record_header
        stop = start + self._record_header + block.caplen
        steps = np.diff(chosen.astype(np.int8), prepend=0, append=0)
        for first, after in zip(
            np.flatnonzero(steps > 0).tolist(), np.flatnonzero(steps < 0).tolist(), strict=True
        ):
            self._file.write(view[int(start[first]) : int(stop[after - 1])])


class PcapngWriter:
    """Writes frames of a pcap as pcapng, with one interface.

    Parameters
    ----------
    file : binary file
    interface : Interface
    """

    uncommented = 0

    def __init__(self, file: BinaryIO, interface: Interface) -> None:
        self._file = file
        self._ticks = interface.ticks_per_second
        section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
        options = b""
        if self._ticks != 1_000_000:
            options += _option(_IF_TSRESOL, b"\x09", big_endian=False)
        if interface.fcs_octets:
            bits = bytes([min(8 * interface.fcs_octets, 255)])
            options += _option(_IF_FCSLEN, bits, big_endian=False)
        options += bytes(4) if options else b""
        described = struct.pack("<HHI", interface.linktype, 0, interface.snaplen) + options
        file.write(_block(_SHB, section, big_endian=False))
        file.write(_block(_IDB, described, big_endian=False))

    def write(self, stretch: Stretch, chosen: Bool, comments: Mapping[int, str]) -> None:
        """Write the chosen frames of a stretch; see `PcapngFilter.write`."""
        for row, stamp, caplen, origlen, octets in _frames(stretch, chosen):
            ticks = stamp * self._ticks // _SECOND
            body = struct.pack("<IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, caplen, origlen)
            body += octets + bytes(-caplen % 4)
            comment = comments.get(row)
            if comment is not None:
                body += _comment(comment, big_endian=False) + bytes(4)
            self._file.write(_block(_EPB, body, big_endian=False))


class PcapWriter:
    """Writes frames of a pcapng as pcap, with nanoseconds, as long as one link type holds them.

    Parameters
    ----------
    file : binary file
    interfaces : sequence of Interface
        May grow while frames are written.
    name : str
        The source, for the error.
    """

    def __init__(self, file: BinaryIO, interfaces: Sequence[Interface], name: str) -> None:
        self._file = file
        self._interfaces = interfaces
        self._name = name
        self._linktype: int | None = None

    def write(self, stretch: Stretch, chosen: Bool, comments: Mapping[int, str]) -> None:
        """Write the chosen frames of a stretch; see `PcapngFilter.write`.

        Raises
        ------
        VxcsumError
            Frames of another link type: a pcap has one for all.
        """
        block = stretch.frames
        if block is None or not chosen.any():
            return
        for linktype in np.unique(block.linktype[chosen]).tolist():
            self._begin(linktype)
            if linktype != self._linktype:
                problem = (
                    f"{self._name} has frames of link types {self._linktype} and {linktype}, and a "
                    "pcap holds one: write a .pcapng"
                )
                raise VxcsumError(problem)
        for _, stamp, caplen, origlen, octets in _frames(stretch, chosen):
            # What a pcap has no room for, times before 1970 and after 2106, becomes the nearest.
            seconds, rest = divmod(min(max(stamp, 0), _LATEST), _SECOND)
            head = struct.pack("<IIII", seconds, rest, caplen, origlen)
            self._file.write(head + octets)

    def finish(self) -> None:
        """Write the header where there was no frame."""
        self._begin(self._interfaces[0].linktype if self._interfaces else 1)

    def _begin(self, linktype: int) -> None:
        if self._linktype is None:
            self._linktype = linktype
            limits = [interface.snaplen or _DEFAULT_SNAPLEN for interface in self._interfaces]
            snaplen = max(limits, default=_DEFAULT_SNAPLEN)
            self._file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, snaplen, linktype))


def _frames(stretch: Stretch, chosen: Bool) -> Iterator[tuple[int, int, int, int, bytes]]:
    """Yield row, time (ns), captured and original length, and octets of the chosen frames."""
    block: FrameBlock | None = stretch.frames
    if block is None:
        return
    rows = np.flatnonzero(chosen)
    start = block.position - stretch.position + block.offset[rows]
    for row, stamp, at, caplen, origlen in zip(
        rows.tolist(),
        block.timestamp[rows].tolist(),
        start.tolist(),
        block.caplen[rows].tolist(),
        block.origlen[rows].tolist(),
        strict=True,
    ):
        yield row, stamp, caplen, origlen, bytes(stretch.octets[at : at + caplen])


def _block(kind: int, body: bytes, *, big_endian: bool) -> bytes:
    order = ">" if big_endian else "<"
    total = len(body) + 12
    return struct.pack(f"{order}II", kind, total) + body + struct.pack(f"{order}I", total)


def _option(code: int, value: bytes, *, big_endian: bool) -> bytes:
    head = struct.pack(">HH" if big_endian else "<HH", code, len(value))
    return head + value + bytes(-len(value) % 4)


def _comment(text: str, *, big_endian: bool) -> bytes:
    return _option(_COMMENT, text.encode("utf-8")[:_MAX_COMMENT], big_endian=big_endian)


def _commented(block: bytes, text: str, *, big_endian: bool) -> bytes:
    """Return a packet block (enhanced, or the obsolete one) with a comment before its options."""
    order = ">" if big_endian else "<"
    kind, _, caplen = struct.unpack_from(f"{order}I I 12x I", block)
    at = 28 + (caplen + 3 & ~3)
    options = block[at:-4] or bytes(4)
    body = block[8:at] + _comment(text, big_endian=big_endian) + options
    return _block(kind, body, big_endian=big_endian)
