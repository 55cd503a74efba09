"""Reading pcap.

Sources
-------
draft-ietf-opsawg-pcap, "File Header", "Packet Record".
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .frames import MAX_CAPLEN, Interface
from .indexing import BAD, FULL
from .reader import CaptureReader

if TYPE_CHECKING:
    from vxcsum.source import OctetStream

    from .reader import Index
    from .window import Window

__all__ = ["FILE_HEADER", "MAGICS", "Flavour", "PcapReader"]

FILE_HEADER = 24
"""Octets of the file header."""


class Flavour(NamedTuple):
    """A variant of pcap, told by its magic number."""

    big_endian: bool
    ticks_per_second: int
    record_header: int


_VARIANTS = (
    (0xA1B2C3D4, 1_000_000, 16),
    (0xA1B23C4D, 1_000_000_000, 16),
    (0xA1B2CD34, 1_000_000, 24),  # "modified" by Kuznetzov: interface, protocol, type, padding
)

MAGICS = {
    magic.to_bytes(4, "big" if big_endian else "little"): Flavour(big_endian, ticks, header)
    for magic, ticks, header in _VARIANTS
    for big_endian in (False, True)
}
"""Flavours by the first four octets of a file."""


class PcapReader(CaptureReader):
    """Reads a pcap, whose window begins with the file header.

    Parameters
    ----------
    stream, window, index, live
        As for CaptureReader.
    flavour : Flavour
        What the magic number told.
    """

    container = "pcap"

    def __init__(
        self, stream: OctetStream, window: Window, index: Index, *, live: bool, flavour: Flavour
    ) -> None:
        super().__init__(stream, window, index, live=live)
        self.flavour = flavour
        order = ">" if flavour.big_endian else "<"
        self._length = Struct(f"{order}I")
        snaplen, word = Struct(f"{order}II").unpack_from(window.octets.data, window.start + 16)
        # the upper half: FCS length in units of 16 bits, valid if the P bit is set
        fcs_octets = 2 * (word >> 28) if word & 0x04000000 else 0
        self.interfaces.append(
            Interface(
                linktype=word & 0xFFFF,
                snaplen=snaplen,
                ticks_per_second=flavour.ticks_per_second,
                fcs_octets=fcs_octets,
            )
        )
        self._columns.linktype[:] = word & 0xFFFF
        self._seconds = np.zeros(self._columns.room, np.uint32)
        self._fraction = np.zeros(self._columns.room, np.uint32)
        window.start += FILE_HEADER

    def _walk(self) -> int:
        window, columns, header = self._window, self._columns, self.flavour.record_header
        count, window.start, status = self._index.index_pcap(
            window.octets,
            window.start,
            window.stop,
            self.flavour.big_endian,
            header,
            MAX_CAPLEN,
            columns.offset,
            columns.caplen,
            columns.origlen,
            self._seconds,
            self._fraction,
        )
        columns.count = count
        # at most 2**32 * 10**9 + 2**32 * 1000, which an int64 holds
        timestamp = columns.timestamp[:count]
        np.multiply(self._seconds[:count], np.int64(1_000_000_000), out=timestamp)
        to_nanoseconds = np.int64(1_000_000_000 // self.flavour.ticks_per_second)
        timestamp += self._fraction[:count] * to_nanoseconds
        if status == FULL:
            return 0
        caplen = 0
        if window.available >= header:
            (caplen,) = self._length.unpack_from(window.octets.data, window.start + 8)
        if status == BAD or caplen > MAX_CAPLEN:
            return self._damaged(f"captured length {caplen} is more than {MAX_CAPLEN}")
        return header + caplen

    def _record_name(self) -> str:
        return f"record {self.frames + self._columns.count + 1}"
