"""A window of a stream: one buffer that is moved along, or a part of a file that is mapped."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

import numpy as np

from .frames import SLACK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vxcsum.source import OctetStream

__all__ = ["MappedWindow", "Window", "open_window"]

_SMALLEST_WINDOW = 64
#: Files of fewer windows are read; mapping pays for large ones, as nothing is copied.
_WORTH_MAPPING = 2


class Window:
    """The octets of a stream from one place on, as many as fit.

    Parameters
    ----------
    stream : OctetStream
        Read from here.
    capacity : int
        Octets to hold, without the slack.

    Attributes
    ----------
    octets : ndarray of uint8
        The buffer, with `SLACK` octets after `capacity`.
    start, stop : int
        Octets ``start <= i < stop`` of the buffer were read and not used yet.
    base : int
        Offset in the stream of the buffer's first octet.
    """

    def __init__(self, stream: OctetStream, capacity: int) -> None:
        self._stream = stream
        self.capacity = capacity
        self.octets: NDArray[np.uint8] = np.zeros(capacity + SLACK, np.uint8)
        self.start = 0
        self.stop = 0
        self.base = 0

    @property
    def available(self) -> int:
        """Octets which were read and not used yet."""
        return self.stop - self.start

    @property
    def position(self) -> int:
        """Offset in the stream of `start`."""
        return self.base + self.start

    @property
    def octets_read(self) -> int:
        """Octets the stream gave so far."""
        return self.base + self.stop

    def fill(self, want: int, *, once: bool = False) -> bool:
        """Read more octets.

        Parameters
        ----------
        want : int
            Octets which shall fit from `start` on; the buffer grows where they do not.
        once : bool, optional
            Read once, rather than until the buffer is full.

        Returns
        -------
        bool
            Whether there were any.
        """
        self._move_to_front(want)
        before = self.stop
        view = self.octets.data
        while self.stop < self.capacity:
            count = self._stream.readinto(view[self.stop : self.capacity])
            self.stop += count
            if once or not count:
                break
        return self.stop > before

    def _move_to_front(self, want: int) -> None:
        rest = self.octets[self.start : self.stop]
        if want > self.capacity:
            self.capacity = want
            self.octets = np.zeros(want + SLACK, np.uint8)
        self.octets[: len(rest)] = rest
        self.base += self.start
        self.start = 0
        self.stop = len(rest)

    def skip(self, count: int) -> int:
        """Use up octets, reading over those which do not fit.

        Parameters
        ----------
        count : int
            How many.

        Returns
        -------
        int
            How many there were.
        """
        left = count
        while left > self.available:
            left -= self.available
            self.start = self.stop
            if not self.fill(0, once=True):
                return count - left
        self.start += left
        return count


class MappedWindow(Window):
    """A window of a plain file, mapped instead of read: its octets are not copied.

    Only the part in use is mapped, so that memory does not grow with the file. The last part is
    read into a buffer, which has slack where a mapping would end.

    Parameters
    ----------
    stream : OctetStream
    capacity : int
    descriptor, size : int
        The file and its size when it was opened.
    """

    def __init__(self, stream: OctetStream, capacity: int, descriptor: int, size: int) -> None:
        super().__init__(stream, 0)
        self.capacity = capacity
        self._descriptor = descriptor
        self._size = size

    def fill(self, want: int, *, once: bool = False) -> bool:
        """Map the octets from `start` on; see `Window.fill`."""
        position, before = self.position, self.octets_read
        self.capacity = max(self.capacity, want)
        base = position - position % mmap.ALLOCATIONGRANULARITY
        stop = min(position + self.capacity, self._size)
        shrunk = os.fstat(self._descriptor).st_size < self._size  # touching it would be fatal
        if shrunk or stop + SLACK > self._size:
            return self._read_rest(position, before)
        length = stop + SLACK - base
        mapping = mmap.mmap(self._descriptor, length, access=mmap.ACCESS_READ, offset=base)
        self.octets = np.frombuffer(mapping, np.uint8)
        self.base, self.start, self.stop = base, position - base, stop - base
        return True

    def _read_rest(self, position: int, before: int) -> bool:
        """Read the last part of the file; a file that shrank meanwhile ends where it ends now."""
        rest = min(self._size, os.fstat(self._descriptor).st_size) - position
        self.octets = np.zeros(max(rest, 0) + SLACK, np.uint8)
        self.base, self.start, self.stop = position, 0, 0
        view = self.octets.data
        os.lseek(self._descriptor, position, os.SEEK_SET)
        while self.stop < len(self.octets) - SLACK:
            count = os.readv(self._descriptor, [view[self.stop : len(self.octets) - SLACK]])
            if not count:
                break
            self.stop += count
        return self.octets_read > before


def open_window(stream: OctetStream, capacity: int, *, live: bool = False) -> Window:
    """Return a window of a stream: mapped where it is a large file, and read otherwise."""
    capacity = max(capacity, _SMALLEST_WINDOW)
    mappable = None if live else stream.mappable
    if mappable is not None and mappable[1] >= _WORTH_MAPPING * capacity:
        return MappedWindow(stream, capacity, *mappable)
    return Window(stream, capacity)
