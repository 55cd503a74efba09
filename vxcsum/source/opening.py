"""From what a user names to streams of octets, one at a time."""

from __future__ import annotations

import os
import stat
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

from vxcsum import _optional
from vxcsum.errors import CaptureError

from .packets import packets_of
from .stream import MemoryReader, OctetStream, reason_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

__all__ = ["Source", "StreamIterator", "open_streams"]

Source: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | Any | Sequence[Any]"
"""What `open_streams` accepts."""


class StreamIterator:
    """The streams of a source, each opened when it is asked for.

    An input which cannot be opened raises CaptureError from ``next``; asking again goes on
    with the input after it.

    Parameters
    ----------
    source : Source
        As for `open_streams`.
    """

    def __init__(self, source: Source) -> None:
        # each entry: a source, or the error to raise in its place; found below a directory?
        self._waiting: deque[tuple[Any, bool]] = deque()
        self._octets = 0
        self._unsized = 0
        self._next_are([(source, False)])

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> OctetStream:
        while self._waiting:
            source, from_directory = self._waiting.popleft()
            self._count(source, -1)
            if isinstance(source, CaptureError):
                raise source
            packets = packets_of(source)
            if packets is not None:
                return OctetStream(packets, packets.name, owned=False)
            if isinstance(source, (list, tuple)):
                self._next_are([(each, False) for each in source])
            elif isinstance(source, (bytes, bytearray, memoryview)):
                return OctetStream(MemoryReader(source), "<bytes>", owned=False)
            elif hasattr(source, "read"):
                name = getattr(source, "name", None)
                named = name if isinstance(name, str) else "<file>"
                return OctetStream(source, named, owned=False)
            elif isinstance(source, str) and source == "-":
                return _open_stdin()
            elif isinstance(source, str) and "://" in source:
                self._next_are([(each, False) for each in _url_files(source)])
            elif isinstance(source, NamedFile):
                return source.open()
            elif not isinstance(source, (str, os.PathLike)):
                raise CaptureError(
                    "an input is a path, a URL, octets, a binary file or packets",
                    name=f"<{type(source).__name__}>",
                )
            elif os.path.isdir(source):  # noqa: PTH112 - a str stays as its user wrote it
                self._next_are(_files_below(os.fsdecode(source)))
            elif isinstance(source, str) and _is_glob(source):
                import glob
                from pathlib import Path

                matches = sorted(glob.glob(source, recursive=True))  # noqa: PTH207 - "**", "./"
                if not matches:
                    raise CaptureError("no file matches", name=source)
                self._next_are([(Path(match), False) for match in matches])
            else:
                return _open_path(os.fsdecode(source), from_directory=from_directory)
        raise StopIteration

    def _next_are(self, entries: list[tuple[Any, bool]]) -> None:
        self._waiting.extendleft(reversed(entries))
        for source, _ in entries:
            self._count(source, 1)

    def _count(self, source: Any, sign: int) -> None:
        octets = _octets_of(source)
        if octets is None:
            self._unsized += sign
        else:
            self._octets += sign * octets

    @property
    def octets_waiting(self) -> int | None:
        """Octets, as stored, of the inputs not opened yet; None where that is not known."""
        return None if self._unsized else self._octets


def open_streams(source: Source) -> StreamIterator:
    """Open the inputs that a source names, lazily and one at a time.

    Parameters
    ----------
    source : str, path, bytes, bytearray, memoryview, binary file, packets, or a list of these
        A path; a glob (``**`` included) which is no existing path; a directory, for every
        regular file below it in sorted order; ``-`` for the standard input; a URL with
        ``://`` (fsspec); octets themselves; an open binary file, which is not closed here;
        packets of scapy, or pairs of time and octets as dpkt gives them.

    Returns
    -------
    StreamIterator
        Iterates over OctetStream, which the caller closes.

    Raises
    ------
    CaptureError
        From ``next``: an input does not exist, cannot be read, or matches nothing.
    MissingDependencyError
        From ``next``: a URL without fsspec.
    """
    return StreamIterator(source)


def _octets_of(source: Any) -> int | None:
    """Return how long an input is, where that can be known before it is opened."""
    if isinstance(source, CaptureError):
        return 0
    if isinstance(source, os.PathLike) or (isinstance(source, str) and source != "-"):
        try:
            state = os.stat(source)  # noqa: PTH116 - a str stays as its user wrote it
        except (OSError, ValueError):
            return None
        return state.st_size if stat.S_ISREG(state.st_mode) else None
    return len(source) if isinstance(source, (bytes, bytearray)) else None


def _is_glob(path: str) -> bool:
    return any(letter in path for letter in "*?[") and not os.path.lexists(path)


def _open_path(path: str, *, from_directory: bool) -> OctetStream:
    try:
        file = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115 - owned by the stream
    except (OSError, ValueError) as error:
        raise CaptureError(f"cannot be opened: {reason_of(error)}", name=path) from error
    return OctetStream(file, path, from_directory=from_directory)


def _open_stdin() -> OctetStream:
    if sys.stdin is None:
        raise CaptureError("there is no standard input", name="<stdin>")
    return OctetStream(getattr(sys.stdin, "buffer", sys.stdin), "<stdin>", owned=False)


def _files_below(directory: str) -> list[tuple[Any, bool]]:
    from pathlib import Path

    found: list[tuple[Any, bool]] = []

    def unreadable(error: OSError) -> None:
        name = os.fsdecode(error.filename or directory)
        found.append((CaptureError(f"cannot be opened: {reason_of(error)}", name=name), True))

    for folder, folders, names in os.walk(directory, onerror=unreadable):
        folders.sort()
        paths = (Path(folder, name) for name in sorted(names))
        found += [(path, True) for path in paths if path.is_file()]
    if not found:
        raise CaptureError("the directory holds no files", name=directory)
    return found


class NamedFile:
    """A file that is not open yet, and what its user calls it.

    Parameters
    ----------
    file : object
        Its method ``open`` opens it, as that of fsspec's files does.
    name : str
    """

    def __init__(self, file: Any, name: str) -> None:
        self._file = file
        self._name = name

    def open(self) -> OctetStream:
        try:
            file = self._file.open()
        except Exception as error:  # every protocol has errors of its own
            raise CaptureError(f"cannot be opened: {reason_of(error)}", name=self._name) from error
        return OctetStream(file, self._name)


def _url_files(url: str) -> list[NamedFile]:
    module = _optional.fsspec()
    expand = "*" in url or "[" in url  # "?" is no wildcard in a URL: a query begins there
    try:
        files = module.open_files([url], mode="rb", expand=expand)
    except Exception as error:  # every protocol has errors of its own
        raise CaptureError(f"cannot be opened: {reason_of(error)}", name=url) from error
    if not files:
        raise CaptureError("no file matches", name=url)
    if not expand:
        return [NamedFile(files[0], url)]
    return sorted((NamedFile(file, file.full_name) for file in files), key=lambda f: f._name)
