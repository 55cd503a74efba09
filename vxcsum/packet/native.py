"""The compiled kernel: the same as `vxcsum.packet.vectorized`, in one pass over each frame.

Importing this module raises ImportError where the extension was not built.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.packet import _native
from vxcsum.packet._native import index_pcap, index_pcapng
from vxcsum.packet.columns import FACTS, FRAGMENT_DTYPE, allocate

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    from vxcsum.packet.columns import I64, U8, U16, U32, AnyArray, Bool, Columns

__all__ = ["NAME", "index_pcap", "index_pcapng", "scan"]

NAME = "native"

_FRAGMENTS_AT_A_TIME = 4096
_CACHE_LINE = 64
#: Threads get whole cache lines of the narrowest column.
_ROWS_TOGETHER = _CACHE_LINE


def scan(
    octets: U8,
    offset: I64,
    caplen: U32,
    origlen: U32,
    linktype: U16,
    direction: U8,
    ports: Bool,
    *,
    into: Columns | None = None,
    jobs: int = 1,
) -> tuple[Columns, AnyArray]:
    """Dissect and sum the frames of one block; see `vxcsum.packet.vectorized.scan`.

    Parameters
    ----------
    octets, offset, caplen, origlen, linktype, direction, ports
        As there, but no slack is needed behind the last frame.
    into : dict, optional
        Contiguous columns to write to; all of `FACTS`, one row for each frame.
    jobs : int
        Threads; nothing in the result depends on it.

    Raises
    ------
    IndexError
        A frame is not within ``octets``.
    """
    rows = len(offset)
    columns = allocate(rows, FACTS) if into is None else into
    arguments = (
        np.ascontiguousarray(octets, np.uint8),
        np.ascontiguousarray(offset, np.int64),
        np.ascontiguousarray(caplen, np.uint32),
        np.ascontiguousarray(origlen, np.uint32),
        np.ascontiguousarray(linktype, np.uint16),
        np.ascontiguousarray(direction, np.uint8),
        np.ascontiguousarray(ports, np.bool_),
    )

    def part(first: int, last: int) -> AnyArray:
        buffer = np.empty(min(_FRAGMENTS_AT_A_TIME, 2 * (last - first) + 2), FRAGMENT_DTYPE)
        pieces = []
        while True:
            first, count = _native.scan(*arguments, columns, buffer, first, last)
            pieces.append(buffer[:count].copy())
            if first == last:
                return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    if jobs < 2 or rows <= _ROWS_TOGETHER:
        return columns, part(0, rows)
    return columns, np.concatenate(list(_in_threads(part, rows, jobs)))


def _in_threads(part: Callable[[int, int], AnyArray], rows: int, jobs: int) -> list[AnyArray]:
    together = -(-rows // (jobs * _ROWS_TOGETHER)) * _ROWS_TOGETHER
    firsts = range(0, rows, together)
    lasts = (min(first + together, rows) for first in firsts)
    return list(_pool(jobs).map(part, firsts, lasts))


@cache
def _pool(jobs: int) -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor  # only where threads are wanted

    return ThreadPoolExecutor(jobs, "vxcsum")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not survive a fork
