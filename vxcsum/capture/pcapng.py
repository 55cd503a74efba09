"""Reading pcapng.

Sources
-------
draft-ietf-opsawg-pcapng, "General Block Structure", "Section Header Block", "Interface
Description Block", "Enhanced Packet Block", "Simple Packet Block"; "Packet Block (obsolete)"
of its appendix.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

import numpy as np

from .clock import nanoseconds, nanoseconds_of_one
from .frames import MAX_CAPLEN, MAX_INTERFACES
from .indexing import BAD, BLOCK_OVERHEAD, FULL, PYTHON
from .options import each_option, interface_of
from .reader import CaptureReader

if TYPE_CHECKING:
    from vxcsum.source import OctetStream

    from .reader import Index
    from .window import Window

__all__ = ["MIN_SECTION_HEADER", "SECTION_MAGIC", "PcapngReader", "byte_order_of"]

SECTION_MAGIC = b"\x0a\x0d\x0d\x0a"
"""The type of a Section Header Block, the same in both byte orders."""

MIN_SECTION_HEADER = 28
"""Octets of a Section Header Block without options."""

_SHB, _IDB, _PB, _SPB, _EPB = 0x0A0D0D0A, 1, 2, 3, 6
_LEAST_LENGTH = {_SHB: 28, _IDB: 20, _PB: 32, _SPB: 16, _EPB: 32}
_LARGEST = MAX_CAPLEN + BLOCK_OVERHEAD
_PACK_FLAGS = 2


def byte_order_of(magic: bytes) -> bool | None:
    """Tell the byte order of a section by its byte-order magic.

    Parameters
    ----------
    magic : bytes
        Octets 8 to 11 of the Section Header Block.

    Returns
    -------
    bool or None
        Whether it is big-endian; None where it is neither.
    """
    return {b"\x1a\x2b\x3c\x4d": True, b"\x4d\x3c\x2b\x1a": False}.get(magic)


class PcapngReader(CaptureReader):
    """Reads a pcapng, whose window begins with a Section Header Block.

    Parameters
    ----------
    stream, window, index, live
        As for CaptureReader.
    """

    container = "pcapng"

    def __init__(self, stream: OctetStream, window: Window, index: Index, *, live: bool) -> None:
        super().__init__(stream, window, index, live=live)
        self._section = 0
        self._first_interface = 0
        # by interface: frames are looked up here a column at a time
        self._linktypes = np.zeros(MAX_INTERFACES, np.uint16)
        self._clock_ids = np.zeros(MAX_INTERFACES, np.int32)
        self._clocks: dict[tuple[int, int], int] = {}
        self._stamp = np.zeros(self._columns.room, np.uint64)
        self._interface_id = np.zeros(self._columns.room, np.uint32)
        self._use_order(big_endian=False)

    def _use_order(self, *, big_endian: bool) -> None:
        order = ">" if big_endian else "<"
        self._big_endian = big_endian
        self._two = Struct(f"{order}II")
        self._word = Struct(f"{order}I")
        self._packet = Struct(f"{order}HHIIII")

    def _record_name(self) -> str:
        return f"the block after frame {self.frames + self._columns.count}"

    def _walk(self) -> int:
        window, columns = self._window, self._columns
        while columns.count < columns.room and not self._ended:
            if window.available < 12:
                return 12
            kind, length = self._two.unpack_from(window.octets.data, window.start)
            if kind in (_SHB, _IDB, _PB, _SPB):
                want = self._read_block(kind)
                if want:
                    return want
                continue
            if self._index_blocks() != PYTHON and not self._ended:
                if columns.count == columns.room or window.available < 12:
                    continue
                kind, length = self._two.unpack_from(window.octets.data, window.start)
                if kind == _EPB:
                    return int(length)
                # a block without frames, of any length, which the window does not hold
                if columns.count:
                    return 0
                self._skip_block(length)
        return 0

    def _index_blocks(self) -> int:
        """Index Enhanced Packet Blocks and what lies between them; complete their columns."""
        window, columns, row = self._window, self._columns, self._columns.count
        count, window.start, status = self._index.index_pcapng(
            window.octets,
            window.start,
            window.stop,
            self._big_endian,
            MAX_CAPLEN,
            columns.offset[row:],
            columns.caplen[row:],
            columns.origlen[row:],
            self._stamp,
            self._interface_id,
            columns.flags[row:],
        )
        described = len(self.interfaces) - self._first_interface
        unknown = np.flatnonzero(self._interface_id[:count] >= described)
        if len(unknown):
            count = int(unknown[0])
            window.start = int(columns.offset[row + count]) - 28
            self._complete(row, count)
            self._damaged(f"interface {self._interface_id[count]} was never described")
        else:
            self._complete(row, count)
            if status == BAD:
                self._damaged(self._what_is_bad())
        return FULL if columns.count == columns.room else status

    def _complete(self, row: int, count: int) -> None:
        """Fill in the columns which an Enhanced Packet Block does not hold itself."""
        columns = self._columns
        rows = slice(row, row + count)
        columns.count += count
        if not count:
            return
        columns.interface[rows] = self._interface_id[:count]
        columns.interface[rows] += self._first_interface
        interface = columns.interface[rows]
        columns.linktype[rows] = self._linktypes[interface]
        stamp = self._stamp[:count]
        clock = self._clock_ids[interface]
        clocks = list(self._clocks)
        if (clock == clock[0]).all():
            columns.timestamp[rows] = nanoseconds(stamp, *clocks[int(clock[0])])
            return
        by_clock = np.argsort(clock, kind="stable")
        borders = np.flatnonzero(np.diff(clock[by_clock])) + 1
        for group in np.split(by_clock, borders):
            which = clocks[int(clock[group[0]])]
            columns.timestamp[row + group] = nanoseconds(stamp[group], *which)

    def _what_is_bad(self) -> str:
        """Find what the index function refused."""
        window = self._window
        kind, length = self._two.unpack_from(window.octets.data, window.start)
        problem = self._bad_length(kind, length)
        if problem is None and kind == _EPB and length >= 32:
            (caplen,) = self._word.unpack_from(window.octets.data, window.start + 20)
            if 32 + caplen > length:
                problem = f"captured length {caplen} does not fit into a block of {length} octets"
        return problem or f"the two lengths of a block of {length} octets differ"

    def _bad_length(self, kind: int, length: int) -> str | None:
        if length & 3:
            return f"block length {length} is no multiple of 4"
        least = _LEAST_LENGTH.get(kind, 12)
        if length < least:
            return f"block length {length} is less than {least}"
        if length > _LARGEST and kind in _LEAST_LENGTH:
            return f"block length {length} is more than {_LARGEST}"
        return None

    def _skip_block(self, length: int) -> None:
        """Step over a block which need not fit into the window."""
        window = self._window
        problem = self._bad_length(0, length)
        if problem is not None:
            self._damaged(problem)
            return
        position = window.position
        there = window.skip(length - 4)
        while window.available < 4 and window.fill(4, once=True):
            pass
        if window.available < 4:
            there += window.skip(window.available)
            self._finish(0)
            cut = self._cut_short(length, position, there)
            self.damage = cut if self.damage is None else f"{self.damage}; {cut}"
            self.complete = False
        elif self._word.unpack_from(window.octets.data, window.start)[0] != length:
            problem = f"the two lengths of a block of {length} octets differ"
            self._damaged(problem, position)
        else:
            window.start += 4

    def _read_block(self, kind: int) -> int:
        """Read one block of those which the index function leaves alone.

        Returns
        -------
        int
            Octets wanted, where the block is not complete; else 0.
        """
        window = self._window
        start = window.start
        if kind == _SHB:
            big_endian = byte_order_of(window.octets[start + 8 : start + 12].tobytes())
            if big_endian is None:
                return self._damaged("a section header without byte-order magic")
            self._use_order(big_endian=big_endian)
        _, length = self._two.unpack_from(window.octets.data, start)
        problem = self._bad_length(kind, length)
        if problem is not None:
            return self._damaged(problem)
        if length > window.available:
            return int(length)
        if self._word.unpack_from(window.octets.data, start + length - 4)[0] != length:
            return self._damaged(f"the two lengths of a block of {length} octets differ")
        if kind == _SHB:
            self._section += 1
            self._first_interface = len(self.interfaces)
        elif kind == _IDB:
            problem = self._describe(window.octets[start + 8 : start + length - 4].tobytes())
        elif kind == _SPB:
            problem = self._simple_packet(start, length)
        else:
            problem = self._packet_block(start, length)
        if problem is not None:
            return self._damaged(problem)
        window.start += length
        return 0

    def _describe(self, body: bytes) -> str | None:
        number = len(self.interfaces)
        if number == MAX_INTERFACES:
            return f"more than {MAX_INTERFACES} interfaces"
        interface = interface_of(body, big_endian=self._big_endian, section=self._section)
        self.interfaces.append(interface)
        clock = (interface.ticks_per_second, interface.offset_seconds)
        self._linktypes[number] = interface.linktype
        self._clock_ids[number] = self._clocks.setdefault(clock, len(self._clocks))
        return None

    def _simple_packet(self, start: int, length: int) -> str | None:
        (origlen,) = self._word.unpack_from(self._window.octets.data, start + 8)
        if self._first_interface == len(self.interfaces):
            return "interface 0 was never described"
        snaplen = self.interfaces[self._first_interface].snaplen
        caplen = min(origlen, snaplen or origlen, length - 16)
        if caplen > MAX_CAPLEN:
            return f"captured length {caplen} is more than {MAX_CAPLEN}"
        self._append(start + 12, caplen, origlen, 0, 0, 0)
        return None

    def _packet_block(self, start: int, length: int) -> str | None:
        octets = self._window.octets
        interface_id, _, high, low, caplen, origlen = self._packet.unpack_from(
            octets.data, start + 8
        )
        padded = (caplen + 3) & ~3
        if padded > length - 32:
            return f"captured length {caplen} does not fit into a block of {length} octets"
        if caplen > MAX_CAPLEN:
            return f"captured length {caplen} is more than {MAX_CAPLEN}"
        if interface_id >= len(self.interfaces) - self._first_interface:
            return f"interface {interface_id} was never described"
        interface = self.interfaces[self._first_interface + interface_id]
        timestamp = nanoseconds_of_one(
            high << 32 | low, interface.ticks_per_second, interface.offset_seconds
        )
        flags = 0
        options = octets[start + 28 + padded : start + length - 4].tobytes()
        for code, value in each_option(options, big_endian=self._big_endian):
            if code == _PACK_FLAGS and len(value) == 4:
                (flags,) = self._word.unpack(value)
                break
        self._append(start + 28, caplen, origlen, timestamp, interface_id, flags)
        return None

    def _append(
        self, offset: int, caplen: int, origlen: int, timestamp: int, interface_id: int, flags: int
    ) -> None:
        columns, row = self._columns, self._columns.count
        interface = self._first_interface + interface_id
        columns.offset[row] = offset
        columns.caplen[row] = caplen
        columns.origlen[row] = origlen
        columns.timestamp[row] = timestamp
        columns.interface[row] = interface
        columns.linktype[row] = self.interfaces[interface].linktype
        columns.flags[row] = flags
        columns.count += 1
