"""Healthy traffic by the gigabyte.

A row of frames is repeated. A batch of rows is one matrix, each frame of the row a range of its
columns, and only what differs between repetitions is written: times, ports, identifications,
sequence numbers, payload, and the checksums of these. A checksum is that of the template, updated
for the words that differ. The sum of a payload is the difference of two running sums over the pool
of random octets that it is cut from, so payload is touched once, by copying it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import numpy as np

from vxcsum.synth.build import START
from vxcsum.synth.packet import FIELD, ICMP, ICMPV6, TCP, UDP, framed, inner_packet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vxcsum.synth.containers import Container, Integers, Octets
    from vxcsum.synth.shapes import Slot

_BATCH_OCTETS = 16 << 20
_POOL_OCTETS = 4 << 20
_ROWS_OF_A_FLOW = 4096  # then its ports change, before its sequence numbers wrap
_PORTS = 28_000
#: Microseconds between two frames.
INTERVAL = 10


class _Pool:
    """Random octets, and the running sum of their 16-bit words."""

    def __init__(self, seed: int) -> None:
        self.octets: Octets = np.random.default_rng(seed).integers(0, 256, _POOL_OCTETS, np.uint8)
        running = np.cumsum(self.octets.view(">u2"), dtype=np.int64)
        self.sums: Integers = np.concatenate(([0], running))

    def take(self, out: Octets, shift: int) -> Integers:
        """Fill the rows of ``out`` and return the sum of each."""
        rows, size = out.shape
        step = (_POOL_OCTETS // 2 - size) // rows & ~1
        starts = 2 * (shift % (_POOL_OCTETS // 4)) + step * np.arange(rows)
        windows = np.lib.stride_tricks.sliding_window_view(self.octets, size)
        out[:] = windows[starts[0] : starts[-1] + 1 : step] if rows > 1 else windows[starts]
        total: Integers = self.sums[starts // 2 + size // 2] - self.sums[starts // 2]
        if size % 2:
            total += self.octets[starts + size - 1].astype(np.int64) << 8
        return total


@dataclass(slots=True)
class _Place:
    """One slot of a row: its frame, and where in it things are."""

    slot: Slot
    frame: bytes
    start: int
    """Of the frame in the row."""
    inner: int
    """Of the inner IP header in the frame."""
    outer: int
    """Of the outer IP header; -1 without a tunnel."""
    sequence: int = 0
    """Octets that its direction of the flow sent earlier in the row."""
    sent: int = 0
    """Octets that its direction sends in a row."""
    acknowledged: int = 0
    received: int = 0

    @property
    def transport(self) -> int:
        """Where the inner transport header is."""
        return self.inner + (20 if self.slot.inner == 4 else 40)


def _places(row: Sequence[Slot], linktype: int, container: Container) -> tuple[list[_Place], int]:
    places, column = [], 0
    sent: dict[tuple[int, bool], int] = {}
    for slot in row:
        packet = slot.template()
        (frame,) = framed(packet, linktype)
        inner = len(frame) - len(inner_packet(packet))
        outer = inner - 30 - (20 if slot.outer == 4 else 40) if not slot.plain else -1
        place = _Place(slot, frame, column, inner, outer)
        if slot.protocol == TCP:
            place.sequence = sent.get((slot.flow, slot.back), 0)
            place.acknowledged = sent.get((slot.flow, not slot.back), 0)
            sent[slot.flow, slot.back] = place.sequence + slot.payload
        places.append(place)
        column += container.size(len(frame))
    for place in places:
        place.sent = sent.get((place.slot.flow, place.slot.back), 0)
        place.received = sent.get((place.slot.flow, not place.slot.back), 0)
    return places, column


class Bulk:
    """Writes healthy frames, as many as wanted, in bounded memory.

    Parameters
    ----------
    row : sequence of Slot
    linktype : int
    container : Container
    seed : int
    """

    def __init__(self, row: Sequence[Slot], linktype: int, container: Container, seed: int) -> None:
        self._container = container
        self._places, self._octets = _places(row, linktype, container)
        self._pool = _Pool(seed)
        rows = max(1, _BATCH_OCTETS // self._octets)
        self._matrix: Octets = np.zeros((rows, self._octets), np.uint8)
        for place in self._places:
            self._frames(place, self._matrix)[:] = np.frombuffer(place.frame, np.uint8)
        self._done = 0

    def frames_within(self, octets: int) -> int:
        """Return how many frames fit into that many octets of a file."""
        rows, rest = divmod(octets, self._octets)
        ends = [*(place.start for place in self._places[1:]), self._octets]
        return rows * len(ends) + sum(end <= rest for end in ends)

    def write(self, out: IO[bytes], frames: int, offset: int) -> tuple[int, int]:
        """Write frames that begin at ``offset`` microseconds.

        Returns
        -------
        octets : int
        end : int
            Microseconds.
        """
        whole, rest = divmod(frames, len(self._places))
        octets = whole * self._octets + (self._places[rest].start if rest else 0)
        left = octets
        while left:
            part = self._matrix[: max(1, min(len(self._matrix), whole))]
            self._fill(part, offset)
            self._done += len(part)
            whole -= len(part)
            offset += len(part) * len(self._places) * INTERVAL
            flat = part.reshape(-1)[:left]
            out.write(flat.data)
            left -= len(flat)
        return octets, offset

    def _frames(self, place: _Place, part: Octets) -> Octets:
        size = len(place.frame)
        records = part[:, place.start : place.start + self._container.size(size)]
        return self._container.frames(records, size)

    def _fill(self, part: Octets, offset: int) -> None:
        number = self._done + np.arange(len(part))
        row = np.arange(len(part)) * len(self._places)
        for index, place in enumerate(self._places):
            size = len(place.frame)
            records = part[:, place.start : place.start + self._container.size(size)]
            self._container.stamp(records, size, START + offset + (row + index) * INTERVAL)
            self._vary(place, self._container.frames(records, size), number, index)

    def _vary(self, place: _Place, frames: Octets, number: Integers, index: int) -> None:
        """Write what differs between repetitions of a frame, and its checksums."""
        slot, at = place.slot, place.transport
        age = number % _ROWS_OF_A_FLOW
        port = 32768 + (number // _ROWS_OF_A_FLOW * 37 + slot.flow * 101) % _PORTS
        ident = (number * len(self._places) + index) & 0xFFFF
        words: list[tuple[int, Integers]] = []
        if slot.protocol in (TCP, UDP):
            words.append((at + 2 * slot.back, port))
        if slot.protocol == TCP:
            sequence = 1 + age * place.sent + place.sequence
            acknowledged = 1 + age * place.received + place.acknowledged
            for field, value in ((at + 4, sequence), (at + 8, acknowledged)):
                words += [(field, value >> 16), (field + 2, value & 0xFFFF)]
        elif slot.protocol in (ICMP, ICMPV6):
            words += [(at + 4, port), (at + 6, number & 0xFFFF)]
        total = np.zeros(len(number), np.int64)
        if slot.payload:
            total += self._pool.take(frames[:, at + slot.header :], index * 131 + int(number[0]))
        for field, value in words:
            _words(frames, field)[:] = value
            total += value
        if not (slot.unfinished and slot.protocol in (TCP, UDP)):
            field = at + FIELD[slot.protocol]
            self._seal(place, frames, field, total, udp=slot.protocol == UDP)
        if slot.inner == 4:
            _words(frames, place.inner + 4)[:] = ident
            self._seal(place, frames, place.inner + 10, ident)
        if place.outer < 0:
            return
        if slot.outer == 4:
            _words(frames, place.outer + 4)[:] = ident
            self._seal(place, frames, place.outer + 10, ident)
        start = place.inner - 30
        sport = 32768 + (number // _ROWS_OF_A_FLOW * 41 + slot.flow * 103 + slot.back) % _PORTS
        _words(frames, start)[:] = sport
        if slot.checksum and not (slot.unfinished and slot.protocol not in (TCP, UDP)):
            # A finished inner packet adds the same whatever is in it: its checksums see to that.
            self._seal(place, frames, start + 6, sport, udp=True)

    def _seal(
        self, place: _Place, frames: Octets, field: int, added: Integers, *, udp: bool = False
    ) -> None:
        """Write the checksum of the template, updated for words that were 0 there."""
        before = int.from_bytes(place.frame[field : field + 2], "big")
        value = (before - added) % 0xFFFF
        if udp:  # which says 0xffff for 0
            value[value == 0] = 0xFFFF
        _words(frames, field)[:] = value


def _words(frames: Octets, at: int) -> Integers:
    """Return the 16-bit words at one place of all frames, as a view to write to."""
    view: Integers = frames[:, at : at + 2].view(">u2")[:, 0]
    return view
