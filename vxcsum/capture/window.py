"""A window of a stream in one buffer, which is moved along and used again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .frames import SLACK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vxcsum.source import OctetStream

__all__ = ["Window"]


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
