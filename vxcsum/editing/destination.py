"""Where an edited capture goes: a file that appears whole or not at all, or an open one."""

from __future__ import annotations

import gzip
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, cast

from vxcsum.errors import VxcsumError
from vxcsum.source.whole import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Destination: TypeAlias = "str | os.PathLike[str] | BinaryIO"

_GZIP = ".gz"
_NOT_WRITTEN = (".bz2", ".lz4", ".lzma", ".xz", ".zst", ".zstd")


def suffix_of(destination: Destination) -> str:
    """Return the suffix that tells the container, in small letters; the one before ``.gz``.

    Raises
    ------
    VxcsumError
        It is that of a compression that is not written.
    """
    if not isinstance(destination, (str, os.PathLike)):
        return ""
    path = Path(destination)
    if path.suffix.lower() in _NOT_WRITTEN:
        problem = (
            f"cannot write {os.fspath(destination)!r}: {path.suffix} names a compression that is "
            "not written; wanted .gz, or no compression"
        )
        raise VxcsumError(problem)
    return (path.with_suffix("") if path.suffix.lower() == _GZIP else path).suffix.lower()


@contextmanager
def opened(destination: Destination, inputs: Sequence[str]) -> Iterator[tuple[BinaryIO, str]]:
    """Open a destination for writing.

    Parameters
    ----------
    destination : path or binary file
        With gzip where its name ends in ``.gz``. An open file is not closed.
    inputs : sequence of str
        Files that must not be overwritten.

    Yields
    ------
    binary file
    str
        Its name.

    Raises
    ------
    VxcsumError
        It cannot be written, is one of the inputs, or named for a compression other than gzip.
    """
    suffix_of(destination)
    if not isinstance(destination, (str, os.PathLike)):
        yield destination, str(getattr(destination, "name", "<file>"))
        return
    name = os.fspath(destination)
    with whole_file(name, inputs) as file:
        if name.lower().endswith(_GZIP):
            # Neither a time nor a name within: the same input gives the same octets.
            with gzip.GzipFile("", "wb", 6, cast("Any", file), 0) as packed:
                yield cast("BinaryIO", packed), name
        else:
            yield file, name
