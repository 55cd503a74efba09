"""One input as a stream of octets, decompressed where it is compressed."""

from __future__ import annotations

import io
import os
import stat
import time
from typing import TYPE_CHECKING, Any

from vxcsum.errors import CaptureError

from .decompress import MAGIC_OCTETS, Decoder, compression_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

__all__ = ["MemoryReader", "OctetStream", "reason_of"]

_IDLE_SECONDS = 0.01


class MemoryReader:
    """Octets in memory as a file which is read once, without copying them first.

    Parameters
    ----------
    octets : bytes, bytearray or memoryview
        What to read.
    """

    def __init__(self, octets: bytes | bytearray | memoryview) -> None:
        view = memoryview(octets)
        as_it_is = view.c_contiguous and view.nbytes  # an empty view cannot be cast
        self._rest = view.cast("B") if as_it_is else memoryview(view.tobytes())
        self.size = len(self._rest)

    def readinto(self, view: memoryview) -> int:
        """Copy the next octets into `view` and return their number."""
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class _Unbuffered:
    """Read what a buffered file holds already, and then past its buffer.

    Its own methods read on where the buffer holds less than what is asked for: at a live
    pipe, octets which are there would have to wait for those which are not.
    """

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self._may_hold = True

    def readinto(self, view: memoryview) -> int | None:
        if self._may_hold:
            held = len(self._file.peek(1))  # reads once where it holds nothing
            if held:
                count = self._file.readinto1(view[:held])
                self._may_hold = count < held
                return count
            self._may_hold = False
        return self._file.raw.readinto(view)


def _read_method(file: Any) -> Callable[[memoryview], int | None]:
    """Choose how to read a file so that a live pipe is not waited for longer than needed."""
    if isinstance(file, io.BufferedReader):
        return _Unbuffered(file).readinto
    readinto = getattr(file, "readinto", None)
    if callable(readinto):
        return readinto  # type: ignore[no-any-return]

    def read(view: memoryview) -> int | None:
        octets = file.read(len(view))
        if octets is None:
            return None
        if isinstance(octets, str):
            raise io.UnsupportedOperation("the file is open in text mode, not in binary mode")
        view[: len(octets)] = octets
        return len(octets)

    return read


def reason_of(error: Exception) -> str:
    """Say in one line, without a path, why an input could not be opened or read."""
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or " ".join(str(error).split()) or type(error).__name__


class OctetStream:
    """The octets of one input, in order, read once.

    Parameters
    ----------
    file : object
        A binary file: anything with ``readinto`` or ``read``. Unbuffered files are read
        straight into the caller's memory.
    name : str
        The input, as its user named it.
    from_directory : bool, optional
        Whether it was found below a directory rather than named.
    owned : bool, optional
        Whether `close` closes `file`.

    Attributes
    ----------
    name : str
        As above.
    compression : str or None
        "gzip", "zstd", "xz" or "lz4", told by the first octets.
    from_directory : bool
        As above.
    octets_stored : int
        Octets taken from the input so far, as stored: before they are decompressed.

    Raises
    ------
    CaptureError
        If not even the first octets can be read.
    """

    def __init__(
        self, file: Any, name: str, *, from_directory: bool = False, owned: bool = True
    ) -> None:
        self.name = name
        self.from_directory = from_directory
        self.octets_stored = 0
        self._file = file
        self._owned = owned
        self._read = _read_method(file)
        self._damage: str | None = None
        self._decoder: Decoder | None = None
        self._head = b""
        self._head = self._peek()
        self.compression = compression_of(self._head)

    def _peek(self) -> bytes:
        head = bytearray(MAGIC_OCTETS)
        filled = 0
        while filled < len(head):
            count = self._read_octets(memoryview(head)[filled:])
            if not count:
                break
            filled += count
        if self._damage and not filled:
            self.close()
            raise CaptureError(self._damage, name=self.name)
        return bytes(head[:filled])

    @property
    def damage(self) -> str | None:
        """Why the stream ended before it was complete; None as long as nothing is wrong."""
        if self._damage is None and self._decoder is not None:
            return self._decoder.damage
        return self._damage

    @property
    def at_hand(self) -> bool:
        """Whether this is a regular file or memory, and no pipe that makes a reader wait."""
        if isinstance(self._file, MemoryReader):
            return True
        try:
            return stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
        except (AttributeError, OSError, ValueError):
            return False

    @property
    def size(self) -> int | None:
        """Octets of the input as stored; None where that is not known, as of a pipe."""
        size = getattr(self._file, "size", None)  # octets in memory, and files of fsspec
        if isinstance(size, int):
            return size
        try:
            state = os.fstat(self._file.fileno())
        except (AttributeError, OSError, ValueError):
            return None
        return state.st_size if stat.S_ISREG(state.st_mode) else None

    def readinto(self, view: memoryview) -> int:
        """Read decompressed octets into `view`.

        Parameters
        ----------
        view : memoryview
            Writable octets.

        Returns
        -------
        int
            Octets read. Fewer than ``len(view)`` say nothing about the end; 0 is the end, for
            which `damage` tells whether it is the true one.

        Raises
        ------
        MissingDependencyError
            If the compression needs a library which is not installed.
        """
        if not len(view):
            return 0
        if self.compression is None:
            return self._read_octets(view)
        if self._decoder is None:
            self._decoder = Decoder(self.compression, self._read_octets)
        return self._decoder.readinto(view)

    def _read_octets(self, view: memoryview) -> int:
        """Read octets as they are stored; an input which fails ends there."""
        if self._head:
            count = min(len(view), len(self._head))
            view[:count] = self._head[:count]
            self._head = self._head[count:]
            return count
        if self._damage is not None:
            return 0
        try:
            while (found := self._read(view)) is None:
                time.sleep(_IDLE_SECONDS)  # a non-blocking descriptor without octets for now
        except CaptureError:
            raise
        except Exception as error:  # file objects of any kind, each with errors of its own
            self._damage = f"cannot be read: {reason_of(error)}"
            return 0
        self.octets_stored += found
        return found

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._owned:
            close = getattr(self._file, "close", None)
            if callable(close):
                close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
