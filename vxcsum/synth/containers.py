"""The two file formats: a head and a tail around each frame, one at a time or by the thousand."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from vxcsum.errors import VxcsumError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Octets: TypeAlias = npt.NDArray[np.uint8]
Integers: TypeAlias = npt.NDArray[np.int64]

SNAPLEN = 262144


class Container(Protocol):
    """How frames are put into a file. Times are microseconds since 1970."""

    name: str

    def header(self, linktype: int) -> bytes:
        """Return what the file begins with."""
        ...

    def size(self, captured: int) -> int:
        """Return the octets of a record."""
        ...

    def record(self, frame: bytes, time: int, original: int) -> bytes:
        """Return the record of a frame; ``original`` is its length on the wire."""
        ...

    def frames(self, records: Octets, captured: int) -> Octets:
        """Return where the frames are in some records of one size, as a view."""
        ...

    def stamp(self, records: Octets, captured: int, times: Integers) -> None:
        """Write what is around the frames of some records of one size."""
        ...


class _Pcap:
    name = "pcap"

    def header(self, linktype: int) -> bytes:
        return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, linktype)

    def size(self, captured: int) -> int:
        return 16 + captured

    def record(self, frame: bytes, time: int, original: int) -> bytes:
        return struct.pack("<IIII", *divmod(time, 1_000_000), len(frame), original) + frame

    def frames(self, records: Octets, captured: int) -> Octets:
        return records[:, 16 : 16 + captured]

    def stamp(self, records: Octets, captured: int, times: Integers) -> None:
        words = np.empty((len(records), 4), "<u4")
        words[:, 0], words[:, 1] = np.divmod(times, 1_000_000)
        words[:, 2:] = captured
        records[:, :16] = words.view(np.uint8)


class _Pcapng:
    name = "pcapng"

    def header(self, linktype: int) -> bytes:
        section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
        return section + struct.pack("<IIHHII", 1, 20, linktype, 0, SNAPLEN, 20)

    def size(self, captured: int) -> int:
        return 32 + captured + -captured % 4

    def record(self, frame: bytes, time: int, original: int) -> bytes:
        size, (high, low) = self.size(len(frame)), divmod(time, 1 << 32)
        head = struct.pack("<IIIIIII", 6, size, 0, high, low, len(frame), original)
        return head + frame + bytes(-len(frame) % 4) + struct.pack("<I", size)

    def frames(self, records: Octets, captured: int) -> Octets:
        return records[:, 28 : 28 + captured]

    def stamp(self, records: Octets, captured: int, times: Integers) -> None:
        size = self.size(captured)
        words = np.zeros((len(records), 7), "<u4")
        words[:, 0], words[:, 1] = 6, size
        words[:, 3], words[:, 4] = np.divmod(times, 1 << 32)
        words[:, 5:] = captured
        records[:, :28] = words.view(np.uint8)
        records[:, 28 + captured :] = 0
        records[:, size - 4 :] = np.frombuffer(struct.pack("<I", size), np.uint8)


CONTAINERS: dict[str, Container] = {"pcap": _Pcap(), "pcapng": _Pcapng()}


def container_of(name: str, container: str | None) -> Container:
    """Return the format of a file, by its name where it is not given.

    Raises
    ------
    VxcsumError
        An unknown format, or the suffix of a compressed file.
    """
    if container is not None:
        if container not in CONTAINERS:
            problem = f"unknown format {container!r}: wanted {' or '.join(CONTAINERS)}"
            raise VxcsumError(problem)
        return CONTAINERS[container]
    if name.endswith((".gz", ".zst", ".xz", ".lz4", ".bz2")):
        problem = f"{name!r} names a compressed file: captures are written as pcap or pcapng"
        raise VxcsumError(problem)
    return CONTAINERS["pcapng" if name.endswith(".pcapng") else "pcap"]


def file_of(
    records: Iterable[tuple[bytes, int, int]], linktype: int, container: Container
) -> bytes:
    """Return a whole file of (frame, time, length on the wire)."""
    return container.header(linktype) + b"".join(container.record(*each) for each in records)


def checked_size(frames: Sequence[bytes]) -> None:
    """Refuse frames that readers take for damage."""
    for number, frame in enumerate(frames, 1):
        if len(frame) > SNAPLEN:
            problem = f"frame {number} has {len(frame)} octets, more than the {SNAPLEN} of a record"
            raise VxcsumError(problem)
