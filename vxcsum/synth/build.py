"""From the packets of a recipe to the records of a capture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vxcsum.synth.containers import CONTAINERS, Container, file_of
from vxcsum.synth.packet import ETHERNET, framed
from vxcsum.synth.wire import truthful

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vxcsum.synth.packet import Packet
    from vxcsum.synth.recipes.recipe import Recipe

#: When captures begin, in microseconds since 1970.
START = 1_700_000_000_000_000


@dataclass(frozen=True, slots=True)
class Record:
    """One frame as it was captured, and the packet it belongs to."""

    octets: bytes
    original: int
    offset: int
    """Microseconds since the start."""
    owner: Packet


def records_of(packets: Iterable[Packet], linktype: int) -> Iterator[Record]:
    """Yield the frames of packets: fragments one by one, cut where they are to be cut.

    The owner of a frame has the marks that are true of it.
    """
    for p in packets:
        frames = framed(p, linktype)
        owner = truthful(p, frames, linktype)
        for frame in frames:
            yield Record(frame[: p.cut or None], len(frame), round(p.time * 1e6), owner)


def capture_of(
    packets: Iterable[Packet],
    linktype: int = ETHERNET,
    container: Container = CONTAINERS["pcap"],
) -> tuple[bytes, list[Packet]]:
    """Return the file of some packets, and the packet of each of its frames."""
    records = list(records_of(packets, linktype))
    timed = ((r.octets, START + r.offset, r.original) for r in records)
    return file_of(timed, linktype, container), [r.owner for r in records]


def small_capture(recipe: Recipe, seed: int = 0) -> tuple[bytes, list[Packet]]:
    """Return the pcap file of one making of a recipe, and the packet of each of its frames."""
    data, owners = capture_of(recipe.packets(seed), recipe.linktype)
    return (data[: -recipe.shorten], owners[:-1]) if recipe.shorten else (data, owners)
