"""Output files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from vxcsum.errors import VxcsumError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@contextmanager
def whole_file(path: str | Path, inputs: Sequence[str] = ()) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name when the block ends without an exception.

    Devices and pipes are written to as they are.

    Parameters
    ----------
    path : str or Path
    inputs : sequence of str
        Files that must not be overwritten, as they are still being read.

    Yields
    ------
    binary file

    Raises
    ------
    VxcsumError
        The file cannot be written, or is one of the inputs.
    """
    try:
        target = Path(path).resolve() if str(path) else Path(path)
        if target.exists() and any(_is_same(target, str(name)) for name in inputs):
            problem = f"cannot write {path}: it is one of the captures"
            raise VxcsumError(problem)
        if not str(path) or target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if target.exists() and not target.is_file():
            with target.open("wb") as device:
                yield device
            return
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=".vxcsum-", delete=False
        ) as file:
            try:
                yield cast("BinaryIO", file)
                file.close()
                Path(file.name).chmod(0o666 & ~_umask())
                Path(file.name).replace(target)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        problem = f"cannot write {str(path)!r}: {error.strerror or error}"
        raise VxcsumError(problem) from error


def _is_same(target: Path, name: str) -> bool:
    """Tell whether a file is an input, which may be standard input."""
    if name == "-":
        try:
            return os.path.samestat(os.fstat(sys.stdin.fileno()), target.stat())
        except (AttributeError, OSError, ValueError):  # no such stream
            return False
    return Path(name).exists() and target.samefile(name)


def write_whole(path: str | Path, text: str, inputs: Sequence[str] = ()) -> None:
    """Write a text file that appears whole or not at all; see `whole_file`."""
    with whole_file(path, inputs) as file:
        # File names that are no UTF-8 reach a report with surrogates.
        file.write(text.encode("utf-8", errors="backslashreplace"))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
