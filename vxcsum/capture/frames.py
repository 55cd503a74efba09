"""What a capture is made of: interfaces, and blocks of frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "MAX_CAPLEN",
    "MAX_FRAMES_PER_BLOCK",
    "MAX_INTERFACES",
    "SLACK",
    "Columns",
    "FrameBlock",
    "Interface",
]

SLACK = 256
"""Octets which can be read after the last frame of a block."""

MAX_CAPLEN = 16 << 20
"""Captured length in octets beyond which a record is taken for damage."""

MAX_FRAMES_PER_BLOCK = 1 << 16
"""Frames in one block at most."""

MAX_INTERFACES = 1 << 16
"""Interfaces in one capture, over all sections, beyond which it is taken for damaged."""


@dataclass(frozen=True, slots=True)
class Interface:
    """Where frames were captured.

    Attributes
    ----------
    linktype : int
        LINKTYPE_ value of the frames.
    snaplen : int
        Octets of each frame which were kept at most; 0 where there was no limit.
    name : str or None
        if_name, shortened to 255 characters.
    description : str or None
        if_description, shortened likewise.
    ticks_per_second : int
        Resolution of its timestamps (if_tsresol).
    offset_seconds : int
        Seconds added to its timestamps (if_tsoffset).
    fcs_octets : int
        Octets of frame check sequence at the end of each frame; 0 where none are told.
    section : int
        Section of the capture, counted from 1.
    """

    linktype: int
    snaplen: int
    name: str | None = None
    description: str | None = None
    ticks_per_second: int = 1_000_000
    offset_seconds: int = 0
    fcs_octets: int = 0
    section: int = 1


@dataclass(slots=True)
class FrameBlock:
    """Consecutive frames of one capture.

    `octets` is a view of a buffer which is used again: it is only valid until the next block
    is asked for. The columns stay valid.

    Attributes
    ----------
    octets : ndarray of uint8, shape (m,)
        The capture's octets; at least `SLACK` can be read after the last frame's last.
    offset : ndarray of int64, shape (n,)
        Where each frame begins in `octets`.
    caplen : ndarray of uint32, shape (n,)
        Octets captured of each frame, all of them in `octets`.
    origlen : ndarray of uint32, shape (n,)
        Octets each frame had, as stored; may be less than `caplen`.
    timestamp : ndarray of int64, shape (n,)
        Nanoseconds since 1970 UTC; 0 where there is none.
    interface : ndarray of int32, shape (n,)
        Index into the reader's `interfaces`.
    linktype : ndarray of uint16, shape (n,)
        LINKTYPE_ of each frame.
    direction : ndarray of uint8, shape (n,)
        0 unknown, 1 inbound, 2 outbound.
    flags : ndarray of uint32, shape (n,)
        epb_flags or pack_flags as stored; 0 where absent.
    first_frame : int
        Number of the first of these frames, counted from 1.
    position : int
        Where `octets` begins in the (decompressed) stream.
    """

    octets: NDArray[np.uint8]
    offset: NDArray[np.int64]
    caplen: NDArray[np.uint32]
    origlen: NDArray[np.uint32]
    timestamp: NDArray[np.int64]
    interface: NDArray[np.int32]
    linktype: NDArray[np.uint16]
    direction: NDArray[np.uint8]
    flags: NDArray[np.uint32]
    first_frame: int
    position: int = 0

    def __len__(self) -> int:
        return len(self.offset)


class Columns:
    """Scratch columns which a block is collected in.

    Attributes
    ----------
    count : int
        Rows filled.
    offset, caplen, origlen, timestamp, interface, linktype, flags : ndarray
        As in `FrameBlock`, with room for `MAX_FRAMES_PER_BLOCK` rows.
    """

    def __init__(self, room: int = MAX_FRAMES_PER_BLOCK) -> None:
        self.count = 0
        self.room = room
        self.offset = np.zeros(room, np.int64)
        self.caplen = np.zeros(room, np.uint32)
        self.origlen = np.zeros(room, np.uint32)
        self.timestamp = np.zeros(room, np.int64)
        self.interface = np.zeros(room, np.int32)
        self.linktype = np.zeros(room, np.uint16)
        self.flags = np.zeros(room, np.uint32)

    def take(self, octets: NDArray[np.uint8], first_frame: int, position: int) -> FrameBlock:
        """Make a block of the rows and begin anew.

        Parameters
        ----------
        octets : ndarray of uint8
            What the offsets point into.
        first_frame : int
            Number of the first row's frame.
        position : int
            Where `octets` begins in the stream.

        Returns
        -------
        FrameBlock
            With columns of its own.
        """
        rows = slice(self.count)
        self.count = 0
        flags = self.flags[rows].copy()
        direction = (flags & 3).astype(np.uint8)
        direction[direction == 3] = 0
        return FrameBlock(
            octets=octets,
            offset=self.offset[rows].copy(),
            caplen=self.caplen[rows].copy(),
            origlen=self.origlen[rows].copy(),
            timestamp=self.timestamp[rows].copy(),
            interface=self.interface[rows].copy(),
            linktype=self.linktype[rows].copy(),
            direction=direction,
            flags=flags,
            first_frame=first_frame,
            position=position,
        )
