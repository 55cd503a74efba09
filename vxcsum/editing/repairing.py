"""`repair`: the same capture with right checksums."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.capture import SLACK, Stretches
from vxcsum.checksum.status import LAYERS
from vxcsum.editing.corrections import CHANGE_DTYPE, ELSEWHERE, Left, corrections
from vxcsum.editing.destination import opened
from vxcsum.editing.lockstep import Lockstep
from vxcsum.errors import VxcsumError
from vxcsum.packet.engine import index_of
from vxcsum.packet.places import ip_headers
from vxcsum.packet.protocols import (
    IPPROTO_ICMP,
    IPPROTO_ICMPV6,
    IPPROTO_NONE,
    IPPROTO_TCP,
    IPPROTO_UDP,
)
from vxcsum.pipeline import Reading
from vxcsum.source.again import one_stream, rereadable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from vxcsum.capture import FrameBlock, Stretch
    from vxcsum.checksum.table import PacketTable
    from vxcsum.editing.destination import Destination
    from vxcsum.packet.columns import AnyArray, Bool

SCHEMA = "vxcsum.repair/1"
_NAMES = list(LAYERS)
_IS_INNER = np.array([name.startswith("inner") for name in _NAMES])


@dataclass(slots=True)
class Repair:
    """What `repair` did.

    Attributes
    ----------
    source, destination : str
    frames : int
        Frames of the capture.
    changed : dict of str to int
        Checksums that were changed, by layer; every layer is there.
    left : dict of (str, str) to int
        Checksums that are not right, or not known to be, and were left alone: by layer and why.
    frames_changed, frames_not_read : int
        Frames that were changed, and frames that may hold checksums that were not looked at: the
        innermost packet is not IP, or of a protocol that is not followed.
    """

    source: str
    destination: str
    frames: int = 0
    frames_changed: int = 0
    frames_not_read: int = 0
    changed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LAYERS, 0))
    left: dict[tuple[str, str], int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return what was done as the JSON document has it."""
        return {
            "schema": SCHEMA,
            "source": self.source,
            "destination": self.destination,
            "frames": self.frames,
            "frames_changed": self.frames_changed,
            "frames_not_read": self.frames_not_read,
            "changed": self.changed,
            "left": [
                {"layer": layer, "reason": why, "checksums": count}
                for (layer, why), count in sorted(self.left.items(), key=_by_layer)
            ],
        }

    def __str__(self) -> str:
        """Return what was done, in a few lines."""
        total = sum(self.changed.values())
        lines = [
            f"{total:,} checksums changed in {self.frames_changed:,} of {self.frames:,} frames"
        ]
        lines += [f"  {name:<13} {count:,}" for name, count in self.changed.items() if count]
        if self.left:
            lines.append("Left as they were")
        lines += [
            f"  {layer:<13} {count:,}: {why}"
            for (layer, why), count in sorted(self.left.items(), key=_by_layer)
        ]
        if self.frames_not_read:
            lines.append(
                f"{self.frames_not_read:,} frames not looked into: without IP, or inside a tunnel "
                "without IP (ARP), or with headers that are cut short or not followed (MPLS, GRE, "
                "IP in IP, SCTP)"
            )
        return "\n".join(lines) + "\n"


def _by_layer(entry: tuple[tuple[str, str], int]) -> tuple[int, str]:
    return _NAMES.index(entry[0][0]), entry[0][1]


def repair(
    source: Any,
    destination: Destination,
    *,
    only: Iterable[str] | str | None = None,
    fill_zero: bool = False,
    ports: Collection[int] | None = None,
    engine: str = "auto",
    jobs: int | None = None,
    on_change: Callable[[AnyArray], None] | None = None,
    on_start: Callable[[Reading], None] | None = None,
) -> Repair:
    """Write a capture with right checksums; all other octets stay as they are.

    Wrong checksums are computed anew and unfinished ones are completed, inner ones first and the
    outer one over them. What cannot be verified is left alone.

    Parameters
    ----------
    source : path, "-", URL, bytes or binary file
        One capture; read twice, so what is no regular file is copied to a temporary one.
    destination : path or binary file
        A file appears whole or not at all. Compressed with gzip where its name ends in ``.gz``.
    only : iterable of str, optional
        The layers to repair; all where None. An outer checksum that covers what is repaired is
        not right any more where it is not among them.
    fill_zero : bool
        Whether UDP checksums of 0 are computed where 0 is legal. Over IPv6 outside of tunnels it
        is not, and they always are.
    ports, engine, jobs
        As for `vxcsum.analyze`.
    on_change : callable, optional
        Is given the changes, in order, as arrays with ``frame``, ``layer`` (place in `LAYERS`),
        ``offset``, ``old``, ``new``.
    on_start : callable, optional
        Is given each `Reading` before it begins, to see how far it has come.

    Returns
    -------
    Repair

    Raises
    ------
    CaptureError
        The source is no capture or cannot be read.
    VxcsumError
        A layer is unknown, or the destination cannot be written.

    Warns
    -----
    TruncatedCaptureWarning
        The capture ends early; what makes no sense is copied as it is.
    """
    layers = _layers(only)
    with rereadable(source) as capture, one_stream(capture) as stream:
        reading = Reading(capture, ports=ports, engine=engine, jobs=jobs)
        if on_start is not None:
            on_start(reading)
        stretches = Stretches(stream, index=index_of(reading.engine))
        with opened(destination, [stream.name]) as (file, name):
            result = Repair(stream.name, name)
            left = Left(result.left)
            judged = _judged(reading, layers, result, left, fill_zero=fill_zero)
            steps = Lockstep(judged, stream.name)
            for stretch in stretches:
                if stretch.frames is not None:
                    changes = _patch(stretch, stretch.frames, steps, left)
                    _count(result, changes)
                    if on_change is not None and len(changes):
                        on_change(changes)
                file.write(stretch.octets)
            for _ in judged:  # to the end, where a capture that ends early is told
                pass
            result.frames = stretches.reader.frames
    return result


def _layers(only: Iterable[str] | str | None) -> set[str]:
    if only is None:
        return set(LAYERS)
    chosen = {only} if isinstance(only, str) else set(only)
    for name in sorted(chosen):
        if name not in LAYERS:
            problem = f"unknown layer {name!r}: wanted one of {', '.join(LAYERS)}"
            raise VxcsumError(problem)
    return chosen


def _judged(
    reading: Reading, layers: set[str], result: Repair, left: Left, *, fill_zero: bool
) -> Iterator[tuple[int, AnyArray]]:
    for table in reading.tables():
        result.frames_not_read += int(np.count_nonzero(~_followed(table)))
        changes = corrections(table, layers, left, fill_zero=fill_zero, ports=reading.ports)
        yield int(table["frame_number"][-1]), changes


def _followed(table: PacketTable) -> Bool:
    """Return whose innermost packet is IP with a transport header that is verified, or none."""
    version, protocol = table["inner_ip_version"], table["inner_protocol"]
    either = (version > 0) & np.isin(protocol, (IPPROTO_TCP, IPPROTO_UDP, IPPROTO_NONE))
    own = np.where(version == 4, IPPROTO_ICMP, IPPROTO_ICMPV6)
    return np.asarray(either | ((version > 0) & (protocol == own)))


def _count(result: Repair, changes: AnyArray) -> None:
    result.frames_changed += len(np.unique(changes["frame"]))
    counts = np.bincount(changes["layer"], minlength=len(_NAMES))
    for number in np.flatnonzero(counts):
        result.changed[_NAMES[number]] += int(counts[number])


def _patch(stretch: Stretch, block: FrameBlock, steps: Lockstep, left: Left) -> AnyArray:
    """Change the octets of a stretch; return what was changed."""
    parts = steps.until(block.first_frame + len(block) - 1)
    changes = np.concatenate([np.zeros(0, CHANGE_DTYPE), *parts])
    if not len(changes):
        return changes
    rows = changes["frame"] - block.first_frame
    octets = np.frombuffer(stretch.octets + bytes(SLACK), np.uint8)
    start = block.position - stretch.position + block.offset
    some, of = np.unique(rows, return_inverse=True)
    headers = ip_headers(
        octets, start[some], block.caplen[some], block.origlen[some], block.linktype[some]
    )
    layer = changes["layer"]
    level = _IS_INNER[layer].astype(np.int64)
    at_header = changes["offset"] < 0
    changes["offset"] = np.where(at_header, headers.position[of, level] + 10, changes["offset"])
    # A header may be split over fragments: then what is at this place is padding.
    here = changes["offset"] + 2 <= headers.stop[of, level]
    at = start[rows] + changes["offset"] * here
    here &= (octets[at].astype(np.int64) << 8 | octets[at + 1]) == changes["old"]
    # What covers a field that cannot be changed was computed as if it could.
    here &= ~np.isin(rows, rows[~here])
    for number in layer[~here].tolist():
        left.one(_NAMES[number], ELSEWHERE)
    _write(stretch.octets, at[here], changes["new"][here])
    done: AnyArray = changes[here]
    return done


def _write(octets: bytearray, at: AnyArray, values: AnyArray) -> None:
    view = np.frombuffer(octets, np.uint8)
    view[at] = values >> 8
    view[at + 1] = values & 0xFF
