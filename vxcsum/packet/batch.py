"""Putting the facts of several blocks of octets into one table of columns.

Blocks are small, so that a kernel finds their octets in the cache where they were just read to.
Tables are large, so that what is done once per table costs little per frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.packet.columns import FACTS, FRAGMENT_DTYPE, RECORD_COLUMNS, allocate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vxcsum.capture import FrameBlock
    from vxcsum.packet.columns import AnyArray, Bool, Columns
    from vxcsum.packet.engine import Engine

#: Frames in a table at most, unless a single block has more.
TABLE_ROWS = 1 << 15
_SCHEMA = {**RECORD_COLUMNS, **FACTS}


class _Batch:
    """A table in the making."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.rows = 0
        self._columns = allocate(capacity, _SCHEMA)
        self._fragments: list[AnyArray] = []

    def add(self, block: FrameBlock, capture: int, engine: Engine, ports: Bool, jobs: int) -> None:
        rows = len(block)
        part = {
            name: column[self.rows : self.rows + rows] for name, column in self._columns.items()
        }
        part["capture"][:] = capture
        part["frame_number"][:] = np.arange(block.first_frame, block.first_frame + rows)
        part["timestamp"][:] = block.timestamp.view("M8[ns]")
        part["fragment"][:] = 0
        for name in ("interface", "linktype", "caplen", "origlen"):
            part[name][:] = getattr(block, name)
        _, fragments = engine.scan(
            block.octets,
            block.offset,
            block.caplen,
            block.origlen,
            block.linktype,
            block.direction,
            ports,
            into={name: part[name] for name in FACTS},
            jobs=jobs,
        )
        if fragments.size:
            marks = fragments["inner"] + np.uint8(1)
            np.bitwise_or.at(part["fragment"], fragments["row"], marks)
            fragments["row"] += self.rows
            self._fragments.append(fragments)
        self.rows += rows

    def finish(self) -> tuple[Columns, AnyArray]:
        columns = {name: column[: self.rows] for name, column in self._columns.items()}
        none = np.zeros(0, FRAGMENT_DTYPE)
        return columns, np.concatenate(self._fragments) if self._fragments else none


def facts(
    blocks: Iterable[FrameBlock], *, capture: int, engine: Engine, ports: Bool, jobs: int = 1
) -> Iterator[tuple[Columns, AnyArray]]:
    """Yield the facts of blocks as tables of about `TABLE_ROWS` frames.

    Parameters
    ----------
    blocks : iterable of FrameBlock
    capture : int
        Number of the capture, for the column of that name.
    engine : Engine
    ports : bool[65536]
        UDP destination ports of VXLAN.
    jobs : int
        Threads for the kernel.

    Yields
    ------
    columns : dict
        `RECORD_COLUMNS` and `FACTS`.
    fragments : FRAGMENT_DTYPE[k]
    """
    batch: _Batch | None = None
    for block in blocks:
        if batch is not None and batch.rows + len(block) > batch.capacity:
            yield batch.finish()
            batch = None
        if batch is None:
            batch = _Batch(max(TABLE_ROWS, len(block)))
        batch.add(block, capture, engine, ports, jobs)
    if batch is not None:
        yield batch.finish()
