"""A capture as frames and, beside them, all of its octets: for those who write captures.

The frames are those of the usual reader, so their numbers are the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from vxcsum.errors import CaptureError

from .opening import open_capture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.source import OctetStream

    from .frames import FrameBlock
    from .reader import Index

__all__ = ["Stretch", "Stretches"]

_BLOCK_OCTETS = 4 << 20
#: Octets without a frame that are held at most.
_MOST = 256 << 20


@dataclass(slots=True)
class Stretch:
    """Consecutive octets of a capture, from the end of one record to the end of another.

    Attributes
    ----------
    octets : bytearray
        A copy, free to be changed.
    position : int
        Where it begins in the (decompressed) stream.
    frames : FrameBlock or None
        The frames within; only their columns, their octets are in `octets`.
    understood : bool
        False for what follows the last record that makes sense.
    """

    octets: bytearray
    position: int
    frames: FrameBlock | None
    understood: bool = True


class _Tee:
    """A stream that keeps what was read from it."""

    def __init__(self, stream: OctetStream) -> None:
        self._stream = stream
        self.name = stream.name
        self.compression = stream.compression
        self.kept = bytearray()

    @property
    def damage(self) -> str | None:
        return self._stream.damage

    @property
    def at_hand(self) -> bool:
        return self._stream.at_hand

    def readinto(self, view: memoryview) -> int:
        count = self._stream.readinto(view)
        if len(self.kept) + count > _MOST:
            problem = f"more than {_MOST:,} octets without a frame cannot be copied"
            raise CaptureError(problem, name=self.name)
        self.kept += view[:count]
        return count

    def take(self, count: int) -> bytearray:
        taken = self.kept[:count]
        del self.kept[:count]
        return taken


class Stretches:
    """Read a capture in stretches, which are all of it in order.

    Parameters
    ----------
    stream : OctetStream
        Read to its end, not closed.
    index : Index, optional
        As for `open_capture`.

    Attributes
    ----------
    reader : CaptureReader

    Raises
    ------
    CaptureError
        The stream holds no capture.
    """

    def __init__(self, stream: OctetStream, *, index: Index | None = None) -> None:
        self._tee = _Tee(stream)
        self.reader = open_capture(
            cast("OctetStream", self._tee), block_octets=_BLOCK_OCTETS, index=index
        )

    def __iter__(self) -> Iterator[Stretch]:
        """Yield the stretches; `Stretch.octets` joined are the capture."""
        tee, done = self._tee, 0
        for block in self.reader.blocks():
            yield Stretch(tee.take(self.reader.position - done), done, block)
            done = self.reader.position
        if self.reader.position > done:
            yield Stretch(tee.take(self.reader.position - done), done, None)
            done = self.reader.position
        while True:
            if not tee.kept:
                tee.readinto(memoryview(bytearray(_BLOCK_OCTETS)))
            rest = tee.take(len(tee.kept))
            if not rest:
                return
            yield Stretch(rest, done, None, understood=False)
            done += len(rest)
