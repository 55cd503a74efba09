"""Fetching one frame of a capture, and the fragments that belong to it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.capture import open_capture
from vxcsum.checksum.fragments import WINDOW
from vxcsum.checksum.table import PacketTable, concatenate
from vxcsum.errors import VxcsumError
from vxcsum.explain.anatomy import dissect
from vxcsum.packet.columns import Kind
from vxcsum.packet.engine import index_of
from vxcsum.source.again import one_stream

if TYPE_CHECKING:
    from vxcsum.explain.parts import Anatomy, Ip
    from vxcsum.pipeline import Reading

_LARGEST_DATAGRAM = 0xFFFF


@dataclass(slots=True)
class FragmentSet:
    """The fragments of the datagram that a frame has a piece of.

    Attributes
    ----------
    level : str
        ``plain`` for the outermost packet, ``inner`` for the one inside the tunnel.
    frames : list of int
        Frames with a piece of it, in the order of the pieces.
    offset : int
        Where the piece of this frame begins in the datagram.
    payload : bytes or None
        The datagram; None where a piece is missing.
    """

    level: str
    frames: list[int] = field(default_factory=list)
    offset: int = 0
    payload: bytes | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the set as the JSON document has it."""
        return {
            "level": "inner" if self.level == "inner" else "outermost",
            "frames": self.frames,
            "offset": self.offset,
            "complete": self.payload is not None,
            "octets": None if self.payload is None else len(self.payload),
        }


@dataclass(slots=True)
class Frame:
    """A frame with what is known of it."""

    name: str
    row: PacketTable
    anatomy: Anatomy
    octets: bytes
    fragments: list[FragmentSet]


def fetch(capture: Any, reading: Reading, number: int) -> Frame:
    """Return a frame of a capture.

    Parameters
    ----------
    capture : Source
        Can be opened again and again.
    reading : Reading
        Of the same, not begun yet.
    number : int
        Counted from 1.

    Raises
    ------
    VxcsumError
        There is no such frame.
    """
    row, peers = _rows(reading, number)
    name = reading.captures[0].name
    if row is None:
        count = reading.captures[0].frames
        frames = f"{count:,} frame" + ("" if count == 1 else "s")
        problem = f"{name} has {frames}: there is no frame {number}"
        raise VxcsumError(problem)
    wanted = {number, *peers["frame_number"].tolist()}
    octets = _octets(capture, reading, wanted)
    mine = _dissected(row, octets[number], reading)
    sets = []
    payloads = {}
    for level in ("plain", "inner"):
        ip = _fragment_of(mine, level)
        if ip is not None:
            found = _collect(ip, level, row, peers, octets, reading)
            sets.append(found)
            if found.payload is not None and not found.offset:
                payloads[level] = found.payload
    if payloads:
        mine = _dissected(row, octets[number], reading, payloads)
    return Frame(name, row, mine, octets[number], sets)


def _rows(reading: Reading, number: int) -> tuple[PacketTable | None, PacketTable]:
    """Return the row of a frame, and those of fragments that may belong to it."""
    row: PacketTable | None = None
    near = []
    with closing(reading.tables()) as tables:
        for table in tables:
            numbers = table["frame_number"]
            if numbers[-1] >= number - WINDOW:
                near.append(table[(table["fragment"] > 0) & (abs(numbers - number) < WINDOW)])
            at = int(np.searchsorted(numbers, number))
            if row is None and at < len(table) and numbers[at] == number:
                row = table[at]
            if row is not None and (not row["fragment"][0] or numbers[-1] >= number + WINDOW):
                break
    peers = concatenate(near)
    if row is None or not row["fragment"][0]:
        return row, peers[:0]
    same = np.ones(len(peers), np.bool_)
    for name in ("interface", "ifindex", "direction"):
        same &= peers[name] == row[name]
    return row, peers[same]


def _octets(capture: Any, reading: Reading, wanted: set[int]) -> dict[int, bytes]:
    out: dict[int, bytes] = {}
    last = max(wanted)
    with one_stream(capture) as stream:
        for block in open_capture(stream, index=index_of(reading.engine)).blocks():
            for number in sorted(wanted):
                at = number - block.first_frame
                if 0 <= at < len(block):
                    start = int(block.offset[at])
                    out[number] = block.octets[start : start + int(block.caplen[at])].tobytes()
            if block.first_frame + len(block) > last:
                break
    return out


def _dissected(
    row: PacketTable, octets: bytes, reading: Reading, payloads: dict[str, bytes] | None = None
) -> Anatomy:
    linktype, origlen = int(row["linktype"][0]), int(row["origlen"][0])
    return dissect(octets, linktype, origlen, reading.ports, payloads)


def _fragment_of(anatomy: Anatomy, level: str) -> Ip | None:
    """Return the fragment of a level; the outermost packet is plain or outer."""
    levels = ("inner",) if level == "inner" else ("plain", "outer")
    return next((ip for ip in anatomy.ips if ip.level in levels and ip.fragment), None)


def _collect(
    ip: Ip,
    level: str,
    row: PacketTable,
    peers: PacketTable,
    octets: dict[int, bytes],
    reading: Reading,
) -> FragmentSet:
    """Put a datagram together; of several pieces at one place the one nearest in time counts."""
    number = int(row["frame_number"][0])
    found = FragmentSet(level, offset=ip.fragment_offset)
    pieces: dict[int, tuple[int, bytes, bool]] = {}
    for at, other in enumerate(peers["frame_number"].tolist()):
        if level == "inner" and (
            peers["kind"][at] != Kind.VXLAN or peers["vni"][at] != row["vni"][0]
        ):
            continue
        anatomy = _dissected(peers[at], octets[other], reading)
        piece = _fragment_of(anatomy, level)
        if piece is None or _key(piece) != _key(ip):
            continue
        if piece.stop > len(octets[other]) or piece.stop <= piece.payload:
            continue
        known = pieces.get(piece.fragment_offset)
        if known is None or abs(other - number) < abs(known[0] - number):
            body = octets[other][piece.payload : piece.stop]
            pieces[piece.fragment_offset] = (other, body, piece.more)
    reached, last = b"", False
    for offset in sorted(pieces):
        other, body, more = pieces[offset]
        found.frames.append(other)
        if offset == len(reached) and not last:
            reached += body
            last = not more
    whole = last and sum(len(body) for _, body, _ in pieces.values()) == len(reached)
    if whole and len(reached) <= _LARGEST_DATAGRAM:
        found.payload = reached
    return found


def _key(ip: Ip) -> tuple[Any, ...]:
    return ip.src, ip.dst, ip.ident, ip.protocol
