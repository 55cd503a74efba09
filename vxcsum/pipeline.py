"""From a source to judged tables: the one path that every face of vxcsum takes."""

from __future__ import annotations

import operator
import os
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vxcsum.capture import open_capture
from vxcsum.checksum.fragments import finish
from vxcsum.checksum.table import PacketTable
from vxcsum.errors import CaptureError, TruncatedCaptureWarning, VxcsumError
from vxcsum.packet.batch import facts
from vxcsum.packet.columns import distinct
from vxcsum.packet.engine import Engine, index_of, load_engine
from vxcsum.source import open_streams

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Iterator

    from vxcsum.capture import CaptureReader
    from vxcsum.packet.columns import AnyArray, Bool, Columns
    from vxcsum.source import OctetStream, StreamIterator

#: IANA 4789, Linux and flannel 8472, GPE 4790, Weave 6784, Kosmos 4876/4877/4866/4867, ACI 48879.
DEFAULT_PORTS = (4789, 8472, 4790, 6784, 4876, 4877, 4866, 4867, 48879)
BLOCK_OCTETS = 4 << 20

_LINKTYPE_NAMES = {
    0: "NULL",
    1: "EN10MB",
    12: "RAW",
    14: "RAW",
    101: "RAW",
    108: "LOOP",
    113: "LINUX_SLL",
    228: "IPV4",
    229: "IPV6",
    276: "LINUX_SLL2",
}


@dataclass(slots=True)
class CaptureInfo:
    """What is to be said of one capture of a source."""

    name: str
    container: str
    compression: str | None
    linktypes: list[str] = field(default_factory=list)
    frames: int = 0
    octets: int = 0
    snaplen: int = 0
    complete: bool = True
    damage: str | None = None
    first_timestamp: int | None = None  # ns since 1970 UTC
    last_timestamp: int | None = None


class Position(NamedTuple):
    """How far the reading of a source has come, in octets as they are stored."""

    name: str
    """The capture that is being read; empty before the first."""
    octets: int
    total: int | None
    """Of all captures; None where that is not known, as of a pipe."""


def port_set(ports: Iterable[int] | int | None) -> tuple[int, ...]:
    """Return VXLAN ports in ascending order; None stands for the default set."""
    chosen = {ports} if isinstance(ports, int) else set(DEFAULT_PORTS if ports is None else ports)
    for port in chosen:
        try:
            fits = 0 < operator.index(port) < 65536
        except TypeError:
            fits = False
        if not fits:
            problem = f"{port!r} is no UDP port: wanted 1 to 65535"
            raise VxcsumError(problem)
    return tuple(sorted(operator.index(port) for port in chosen))


class Reading:
    """The captures of a source, as judged tables of bounded size.

    Parameters
    ----------
    source : path, glob, directory, "-", URL, bytes, binary file, packets, or a list of them
    ports : collection of int, optional
        UDP destination ports of VXLAN.
    engine : {"auto", "native", "numpy"}
    jobs : int, optional
        Threads for the compiled kernel; all cores where None. Nothing in the result depends on it.
    block_octets : int
        Octets read at a time; nothing in the result depends on it.
    on_error : callable, optional
        Is told of an input that cannot be read; without it, the error is raised.
    """

    def __init__(
        self,
        source: Any,
        *,
        ports: Collection[int] | None = None,
        engine: str = "auto",
        jobs: int | None = None,
        block_octets: int = BLOCK_OCTETS,
        on_error: Callable[[CaptureError], None] | None = None,
    ) -> None:
        self.captures: list[CaptureInfo] = []
        self.ports = port_set(ports)
        self.engine: Engine = load_engine(engine)
        self._source = source
        try:
            fits = jobs is None or operator.index(jobs) > 0
        except TypeError:
            fits = False
        if not fits:
            problem = f"{jobs!r} is no number of threads: wanted 1 or more"
            raise VxcsumError(problem)
        self._jobs = jobs or os.cpu_count() or 1
        self._block_octets = block_octets
        self._on_error = on_error
        self._streams: StreamIterator | None = None
        # the stream that is read, its size, and octets read before it: one attribute, as other
        # threads look at it
        self._at: tuple[OctetStream, int | None, int] | None = None
        self._is_port: Bool = np.zeros(65536, np.bool_)
        self._is_port[list(self.ports)] = True

    def tables(self) -> Generator[PacketTable, None, None]:
        """Yield tables in the order of the captures and their frames."""
        streams = self._streams = open_streams(self._source)
        while True:
            try:
                stream = next(streams, None)
            except CaptureError as error:
                self._failed(error)
                continue
            if stream is None:
                return
            self._at = (stream, stream.size, self.position.octets)
            with stream:
                try:
                    reader = open_capture(
                        stream,
                        block_octets=self._block_octets,
                        index=index_of(self.engine),
                    )
                except CaptureError as error:
                    if not stream.from_directory:
                        self._failed(error)
                    continue
                yield from self._read(reader)

    @property
    def position(self) -> Position:
        """How far `tables` has come; may be asked for in another thread."""
        at, streams = self._at, self._streams
        if at is None or streams is None:
            return Position("", 0, None)
        stream, size, before = at
        octets = before + stream.octets_stored
        left = streams.octets_waiting
        total = None if size is None or left is None else max(before + size + left, octets)
        return Position(stream.name, octets, total)

    def _failed(self, error: CaptureError) -> None:
        if self._on_error is None:
            raise error
        self._on_error(error)

    def _read(self, reader: CaptureReader) -> Iterator[PacketTable]:
        info = CaptureInfo(reader.name, reader.container, reader.compression)
        number = len(self.captures)
        self.captures.append(info)
        seen: set[int] = set()
        tables = facts(
            reader.blocks(),
            capture=number,
            engine=self.engine,
            ports=self._is_port,
            jobs=max(1, self._jobs - 1),  # one thread is busy with what comes after the facts
        )
        if self._jobs > 1 and reader.at_hand:
            tables = _ahead(tables, reader)
        for columns in finish(tables):
            seen.update(distinct(columns["linktype"]).tolist())
            times = columns["timestamp"].view(np.int64)
            first, last = int(times.min()), int(times.max())
            if info.first_timestamp is not None and info.last_timestamp is not None:
                first = min(first, info.first_timestamp)
                last = max(last, info.last_timestamp)
            info.first_timestamp, info.last_timestamp = first, last
            yield PacketTable(columns)
        info.linktypes = [_LINKTYPE_NAMES.get(value, str(value)) for value in sorted(seen)]
        info.frames = reader.frames
        info.octets = reader.octets_read
        info.snaplen = reader.snaplen
        info.complete = reader.complete
        info.damage = reader.damage
        if reader.damage is not None:
            warnings.warn(f"{reader.name}: {reader.damage}", TruncatedCaptureWarning, stacklevel=2)


def _ahead(
    tables: Iterator[tuple[Columns, AnyArray]], reader: CaptureReader
) -> Iterator[tuple[Columns, AnyArray]]:
    """Yield the facts of tables while a thread makes those of the next one.

    A capture that fits into one table needs no thread.
    """
    for first in tables:
        if not reader.ended:
            break
        yield first
    else:
        return
    from concurrent.futures import ThreadPoolExecutor  # only where threads are wanted

    with ThreadPoolExecutor(1, "vxcsum-facts") as thread:
        coming = thread.submit(next, tables, None)
        yield first
        while (ready := coming.result()) is not None:
            coming = thread.submit(next, tables, None)
            yield ready
