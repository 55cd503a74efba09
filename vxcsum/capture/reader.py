"""What reading a pcap and reading a pcapng have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol

from .frames import Columns, FrameBlock, Interface

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from vxcsum.source import OctetStream

    from .window import Window

__all__ = ["CaptureReader", "Index"]


class Index(Protocol):
    """The two functions of `vxcsum.capture.indexing`, or others which do the same."""

    def index_pcap(
        self,
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
        /,
    ) -> tuple[int, int, int]:
        """See `vxcsum.capture.indexing.index_pcap`."""

    def index_pcapng(
        self,
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
        /,
    ) -> tuple[int, int, int]:
        """See `vxcsum.capture.indexing.index_pcapng`."""


class CaptureReader(ABC):
    """Reads the frames of one capture, block by block.

    Made by `open_capture`.

    Attributes
    ----------
    name : str
        The capture, as its user named it.
    container : str
        "pcap" or "pcapng".
    compression : str or None
        "gzip", "zstd", "xz" or "lz4".
    interfaces : list of Interface
        Those described so far, over all sections.
    frames : int
        Frames in the blocks given so far.
    complete : bool
        Whether the capture was read to its end and nothing was wrong; False before.
    damage : str or None
        What is wrong with the capture, as a sentence without subject.
    """

    container: ClassVar[str]

    def __init__(self, stream: OctetStream, window: Window, index: Index, *, live: bool) -> None:
        self.name = stream.name
        self.compression = stream.compression
        self.interfaces: list[Interface] = []
        self.frames = 0
        self.complete = False
        self.damage: str | None = None
        self._stream = stream
        self._window = window
        self._index = index
        self._live = live
        self._columns = Columns()
        self._ended = False

    @property
    def at_hand(self) -> bool:
        """Whether the octets can be had without waiting for somebody to write them."""
        return self._stream.at_hand

    @property
    def ended(self) -> bool:
        """Whether the last block was given, or is the one that is being looked at."""
        return self._ended

    @property
    def snaplen(self) -> int:
        """The largest snaplen of the interfaces described so far; 0 where none is told."""
        return max((interface.snaplen for interface in self.interfaces), default=0)

    @property
    def octets_read(self) -> int:
        """Octets read so far, decompressed."""
        return self._window.octets_read

    @property
    def position(self) -> int:
        """Where the record after the last one that was understood begins in the stream."""
        return self._window.position

    def blocks(self) -> Iterator[FrameBlock]:
        """Read the frames.

        Yields
        ------
        FrameBlock
            At least one frame each; `FrameBlock.octets` is valid until the next one is asked
            for.
        """
        window, columns = self._window, self._columns
        while True:
            want = self._walk()
            if columns.count:
                yield self._take()
            if self._ended:
                break
            if want and not window.fill(want, once=self._live):
                self._finish(want)
                break

    def _take(self) -> FrameBlock:
        first_frame = self.frames + 1
        self.frames += self._columns.count
        return self._columns.take(self._window.octets, first_frame, self._window.base)

    @abstractmethod
    def _walk(self) -> int:
        """Index what the window holds into the columns.

        Returns
        -------
        int
            Octets which the next record needs from the window's start on; 0 where the
            columns are to be taken first.
        """

    @abstractmethod
    def _record_name(self) -> str:
        """Say which record the window begins with."""

    def _finish(self, want: int) -> None:
        """Note how the stream ended, where a record of `want` octets might have followed."""
        wrong = []
        if self._stream.damage is not None:
            wrong.append(self._stream.damage)
        if self._window.available:
            wrong.append(self._cut_short(want, self._window.position, self._window.available))
        self._ended = True
        self.damage = "; ".join(wrong) or None
        self.complete = not wrong

    def _cut_short(self, want: int, position: int, left: int) -> str:
        return (
            f"ends in the middle of {self._record_name()}, at offset {position:#x}: "
            f"{want} octets wanted, {left} left"
        )

    def _damaged(self, problem: str, position: int | None = None) -> int:
        """Note that a record makes no sense, by default the first of the window, and end."""
        self._ended = True
        at = self._window.position if position is None else position
        self.damage = f"is damaged at {self._record_name()}, at offset {at:#x}: {problem}"
        return 0
