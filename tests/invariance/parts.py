"""Parts and forms of a capture: what must not change a verdict, and damage."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from container import SECOND, Record, frames, joined, pcap, pcapng, rebuild, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def part(data: bytes, share: float, seed: int) -> bytes:
    """A random part of the frames, one at least."""
    rng = random.Random(f"part {share} {seed}")
    pieces = records(data)
    places = [n for n, piece in enumerate(pieces) if piece.start]
    kept = {n for n in places if rng.random() < share}
    if not kept and places:
        kept = {rng.choice(places)}
    return joined(piece for n, piece in enumerate(pieces) if not piece.start or n in kept)


def run(data: bytes, first: int, count: int) -> bytes:
    """So many frames one after another, from the ``first``, which counts from 0."""
    number, kept = 0, []
    for piece in records(data):
        if not piece.start:
            kept.append(piece)
            continue
        if first <= number < first + count:
            kept.append(piece)
        number += 1
    return joined(kept)


def pieces(data: bytes, number: int) -> list[bytes]:
    """The capture split into files one after another; as many as have frames."""
    total = len(frames(data))
    size = -(-total // number) or 1
    return [run(data, first, size) for first in range(0, total, size)]


def duration(data: bytes) -> int:
    """Nanoseconds from the earliest frame to the latest."""
    times = [frame.nanoseconds for frame in frames(data)]
    return max(times) - min(times) if times else 0


def repeated(data: bytes, times: int, pause: int = SECOND) -> bytes:
    """The capture so many times, each time a whole number of seconds later than before.

    The copies of a section of pcapng follow it, as they need its interfaces.
    """
    step = -(-(duration(data) + pause) // SECOND) * SECOND
    out: list[Record] = []
    for section in _sections(records(data)):
        whole = [piece for piece in section if piece.start]
        last = max((n for n, piece in enumerate(section) if piece.start), default=len(section) - 1)
        copies = [piece.later(step * n) for n in range(1, times) for piece in whole]
        out += [*section[: last + 1], *copies, *section[last + 1 :]]
    return joined(out)


def _sections(every: Sequence[Record]) -> Iterator[list[Record]]:
    for number in sorted({piece.section for piece in every}):
        yield [piece for piece in every if piece.section == number]


def as_pcap(data: bytes) -> bytes:
    """The frames as a pcap file; ValueError where they have several link types."""
    return pcap(frames(data))


def as_pcapng(data: bytes) -> bytes:
    return pcapng(frames(data))


def has_one_interface(data: bytes) -> bool:
    """Whether a pcap file can tell all that this file does."""
    return len({(frame.section, frame.interface) for frame in frames(data)}) < 2


def union(*captures: bytes, together: bool = True) -> bytes:
    """The frames of several captures in the order of their times, as a pcapng file.

    Every capture keeps its interfaces. ``together`` moves them so that all begin at the same time.
    """
    listed = [
        [replace(frame, section=1000 * n + frame.section) for frame in frames(data)]
        for n, data in enumerate(captures)
    ]
    starts = [min((frame.nanoseconds for frame in each), default=0) for each in listed]
    begin = max(starts, default=0)
    moved = [
        frame.later(begin - start) if together else frame
        for each, start in zip(listed, starts, strict=True)
        for frame in each
    ]
    return pcapng(sorted(moved, key=lambda frame: frame.nanoseconds))


# Damage, as `tests/catalogue/soak.py` has it.


def _bit(rng: random.Random, frame: bytearray) -> None:
    frame[rng.randrange(len(frame))] ^= 1 << rng.randrange(8)


def _bits(rng: random.Random, frame: bytearray) -> None:
    for _ in range(rng.randrange(2, 9)):
        _bit(rng, frame)


def _word(rng: random.Random, frame: bytearray) -> None:
    size = min(rng.choice((1, 2, 4)), len(frame))
    at = rng.randrange(len(frame) - size + 1)
    frame[at : at + size] = rng.randbytes(size)


def _octets(rng: random.Random, frame: bytearray) -> None:
    for _ in range(rng.randrange(1, 20)):
        frame[rng.randrange(len(frame))] = rng.randrange(256)


def _zeros(rng: random.Random, frame: bytearray) -> None:
    at, size = rng.randrange(len(frame)), rng.randrange(1, 40)
    frame[at : at + size] = bytes(min(size, len(frame) - at))


def _cut(rng: random.Random, frame: bytearray) -> None:
    if len(frame) > 1:
        del frame[rng.randrange(1, len(frame)) :]


def _swapped(rng: random.Random, frame: bytearray) -> None:
    if len(frame) > 1:
        at = rng.randrange(len(frame) - 1)
        frame[at], frame[at + 1] = frame[at + 1], frame[at]


DAMAGE: dict[str, Callable[[random.Random, bytearray], None]] = {
    "bit": _bit,
    "bits": _bits,
    "word": _word,
    "octets": _octets,
    "zeros": _zeros,
    "cut": _cut,
    "swapped": _swapped,
}


def damaged(data: bytes, rate: float, seed: int, kind: str | None = None) -> bytes:
    """The capture with a share of its frames damaged, one at least; of one kind, or of all."""
    rng = random.Random(f"damage {rate} {seed} {kind}")
    octets = [frame.octets for frame in frames(data)]
    rows = [n for n in range(len(octets)) if rng.random() < rate]
    if not rows and octets:
        rows = [rng.randrange(len(octets))]
    for row in rows:
        frame = bytearray(octets[row])
        if frame:
            DAMAGE[kind or rng.choice(list(DAMAGE))](rng, frame)
        octets[row] = bytes(frame)
    return rebuild(data, octets)
