"""Reading one input more than once, whatever it is."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vxcsum.errors import TruncatedCaptureWarning, VxcsumError

from .opening import NamedFile, open_streams
from .packets import packets_of
from .stream import MemoryReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .stream import OctetStream

__all__ = ["in_memory", "one_stream", "rereadable"]

_COPY_OCTETS = 1 << 20


@contextmanager
def rereadable(source: Any) -> Iterator[Any]:
    """Give a source of one input that can be opened again and again.

    Regular files and octets in memory are taken as they are. A pipe, a URL or an open file is
    copied to a temporary file first, decompressed.

    Parameters
    ----------
    source : Source
        As for `vxcsum.source.open_streams`, of exactly one input.

    Yields
    ------
    Source

    Raises
    ------
    CaptureError
        The input cannot be opened.
    VxcsumError
        The source names several inputs, or there is no room for the copy.
    """
    one = source
    while isinstance(one, (list, tuple)) and len(one) == 1:
        one = one[0]
    with one_stream(source) as stream:
        if isinstance(one, (bytes, bytearray, memoryview)):
            yield one
            return
        named = isinstance(one, (str, os.PathLike)) and one != "-"
        if named and stream.at_hand and Path(stream.name).is_file():
            yield Path(stream.name)
            return
        with tempfile.TemporaryDirectory(prefix="vxcsum-") as folder:
            path = Path(folder, "capture")
            try:
                with path.open("wb") as file:
                    shutil.copyfileobj(cast("Any", _Readable(stream)), file, _COPY_OCTETS)
            except OSError as error:
                problem = f"cannot copy {stream.name} to {folder}: {error.strerror or error}"
                raise VxcsumError(problem) from error
            if stream.damage is not None:
                message = f"{stream.name}: {stream.damage}"
                warnings.warn(message, TruncatedCaptureWarning, stacklevel=3)
            yield NamedFile(_Copy(path), stream.name)


def in_memory(source: Any) -> Any:
    """Return a source that can be read again and again: open files and packets as their octets.

    Parameters
    ----------
    source : Source
        As for `vxcsum.source.open_streams`; files and iterators are read to their end.
    """
    if isinstance(source, os.PathLike):
        return os.fspath(source)
    packets = packets_of(source)
    if packets is not None:
        return NamedFile(_Kept(_read_all(packets)), packets.name)
    if isinstance(source, (list, tuple)):
        return [in_memory(each) for each in source]
    octets = source.read() if hasattr(source, "read") else None
    if not isinstance(octets, (bytes, bytearray, memoryview)):  # no file, or one that is refused
        return source
    name = getattr(source, "name", None)
    return NamedFile(_Kept(octets), name if isinstance(name, str) else "<file>")


def _read_all(file: Any) -> bytearray:
    octets = bytearray()
    buffer = memoryview(bytearray(_COPY_OCTETS))
    while count := file.readinto(buffer):
        octets += buffer[:count]
    return octets


def one_stream(source: Any) -> OctetStream:
    """Open the one input that a source names.

    Raises
    ------
    VxcsumError
        It names none, or several.
    """
    streams = open_streams(source)
    stream = next(streams, None)
    if stream is None:
        problem = "no capture is named: wanted one"
        raise VxcsumError(problem)
    other = next(streams, None)
    if other is not None:
        other.close()
        stream.close()
        problem = f"one capture at a time: wanted one, found {stream.name}, {other.name} and so on"
        raise VxcsumError(problem)
    return stream


class _Readable:
    """A stream with the method ``read``."""

    def __init__(self, stream: OctetStream) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        buffer = bytearray(size)
        return bytes(buffer[: self._stream.readinto(memoryview(buffer))])


class _Kept:
    """Octets in memory, as a file that can be opened."""

    def __init__(self, octets: bytes | bytearray | memoryview) -> None:
        self._octets = octets

    def open(self) -> MemoryReader:
        return MemoryReader(self._octets)


class _Copy:
    """The temporary copy of an input."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> io.FileIO:
        return io.FileIO(self._path)
