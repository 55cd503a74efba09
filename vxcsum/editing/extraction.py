"""`extract`: chosen frames of a capture, as they were."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.capture import Stretches
from vxcsum.capture.pcap import FILE_HEADER, PcapReader
from vxcsum.editing.choosing import Choice
from vxcsum.editing.containers import PcapFilter, PcapngFilter, PcapngWriter, PcapWriter
from vxcsum.editing.destination import opened, suffix_of
from vxcsum.editing.selection import selection_of
from vxcsum.errors import TruncatedCaptureWarning, VxcsumError
from vxcsum.packet.engine import index_of
from vxcsum.source.again import one_stream, rereadable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from typing import BinaryIO

    from vxcsum.capture import CaptureReader
    from vxcsum.editing.destination import Destination
    from vxcsum.pipeline import Reading

SCHEMA = "vxcsum.extract/1"
_BY_SUFFIX = {".pcap": "pcap", ".pcapng": "pcapng", ".ntar": "pcapng"}


@dataclass(slots=True)
class Extraction:
    """What `extract` did.

    Attributes
    ----------
    source, destination : str
    container : str
        "pcap" or "pcapng", of what was written.
    frames : int
        Frames of the capture.
    written : int
        Frames that were written.
    commented : int
        Of these, how many got a comment.
    uncommented : int
        Frames in simple packet blocks, which cannot hold the comment there was for them.
    """

    source: str
    destination: str
    container: str
    frames: int = 0
    written: int = 0
    commented: int = 0
    uncommented: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return what was done as a JSON document has it."""
        return {
            "schema": SCHEMA,
            "source": self.source,
            "destination": self.destination,
            "container": self.container,
            "frames": self.frames,
            "written": self.written,
            "commented": self.commented,
            "uncommented": self.uncommented,
        }

    def __str__(self) -> str:
        """Return what was done, in a line."""
        said = f"{self.written:,} of {self.frames:,} frames"
        if self.commented:
            said += f", {self.commented:,} with a comment"
        return f"{said}: {self.destination} ({self.container})"


def extract(
    source: Any,
    destination: Destination,
    *,
    rule: Iterable[str] | str = (),
    status: Iterable[str] | str = (),
    layer: Iterable[str] | str = (),
    frames: str | Iterable[int] | None = None,
    flow: Iterable[str] | str = (),
    time: str | None = None,
    comment: bool = False,
    ports: Collection[int] | None = None,
    engine: str = "auto",
    jobs: int | None = None,
    pre_nat: Iterable[str] = (),
    vantage: str = "auto",
    on_start: Callable[[Reading], None] | None = None,
) -> Extraction:
    """Write chosen frames to a new capture, each record as it was.

    Several kinds of choice narrow further; several of one kind widen.

    Parameters
    ----------
    source : path, "-", URL, bytes or binary file
        One capture; read more than once, so what is no regular file is copied to a temporary one.
    destination : path or binary file
        A file appears whole or not at all. ``.pcap`` and ``.pcapng`` choose the container, which
        is that of the source otherwise; ``.gz`` behind it compresses.
    rule : iterable of str
        Frames that a finding names: by code, its beginning, or name.
    status, layer : iterable of str
        Frames with a checksum of such a status in such a layer; in any where none is given.
    frames : str or iterable of int, optional
        Frame numbers: ``1-10,25``, ``40-``.
    flow : iterable of str
        ``ADDRESS:PORT-ADDRESS:PORT``, IPv6 in brackets, ``*`` for any; both directions, the
        endpoints of the tunnel or those inside.
    time : str, optional
        ``FROM..TO``: ISO 8601 (UTC) or seconds after the first frame; either may be missing.
    comment : bool
        Whether to say on each frame what was found, in a pcapng comment. A pcap becomes a pcapng;
        a destination named ``.pcap`` is refused.
    ports, engine, jobs, pre_nat, vantage
        As for `vxcsum.analyze`.
    on_start : callable, optional
        Is given each `Reading` before it begins, to see how far it has come.

    Returns
    -------
    Extraction

    Raises
    ------
    CaptureError
        The source is no capture or cannot be read.
    VxcsumError
        A choice that makes no sense, or a destination that cannot be written: one named for a
        compression other than gzip, or for pcap where there are to be comments.

    Warns
    -----
    TruncatedCaptureWarning
        The capture ends early.

    Notes
    -----
    From pcap to pcap and from pcapng to pcapng, headers and records are the same octets, in
    pcapng with sections, interfaces, names, secrets, statistics and comments; only the length of
    a section becomes "not told". A record that is cut short at the end is left out.
    """
    selection = selection_of(
        rule=rule, status=status, layer=layer, frames=frames, flow=flow, time=time
    )
    told = _container(destination, comment=comment)
    with rereadable(source) as capture, one_stream(capture) as stream:
        choice = Choice(
            capture,
            selection,
            comments=comment,
            ports=ports,
            engine=engine,
            jobs=jobs,
            pre_nat=pre_nat,
            vantage=vantage,
            on_start=on_start,
        )
        stretches = Stretches(stream, index=index_of(choice.reading.engine))
        reader = stretches.reader
        container = told or reader.container
        steps = choice.steps(stream.name)
        with opened(destination, [stream.name]) as (file, name):
            result = Extraction(stream.name, name, container)
            writer = _writer(file, reader, container)
            for stretch in stretches:
                if not stretch.understood:
                    break
                chosen = np.zeros(0, np.bool_)
                comments: dict[int, str] = {}
                if stretch.frames is not None:
                    chosen, comments = steps.next(stretch.frames)
                writer.write(stretch, chosen, comments)
                result.written += int(chosen.sum())
                result.commented += len(comments)
            if isinstance(writer, PcapWriter):
                writer.finish()
            if isinstance(writer, PcapngFilter):
                result.uncommented = writer.uncommented
                result.commented -= writer.uncommented
            result.frames = reader.frames
        if reader.damage is not None:
            message = f"{reader.name}: {reader.damage}"
            warnings.warn(message, TruncatedCaptureWarning, stacklevel=2)
    return result


def _container(destination: Destination, *, comment: bool) -> str | None:
    """Return the container that a destination has to be; None: that of the source."""
    told = _BY_SUFFIX.get(suffix_of(destination))
    if comment and told == "pcap":
        problem = f"{destination!s}: a pcap holds no comments; wanted a name that ends in .pcapng"
        raise VxcsumError(problem)
    return "pcapng" if comment else told


def _writer(
    file: BinaryIO, reader: CaptureReader, container: str
) -> PcapFilter | PcapngFilter | PcapngWriter | PcapWriter:
    if isinstance(reader, PcapReader):
        if container == "pcapng":
            return PcapngWriter(file, reader.interfaces[0])
        return PcapFilter(file, file_header=FILE_HEADER, record_header=reader.flavour.record_header)
    if container == "pcapng":
        return PcapngFilter(file)
    return PcapWriter(file, reader.interfaces, reader.name)
