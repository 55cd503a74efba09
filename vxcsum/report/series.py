"""What the plots show, as numbers: a report's evidence, arranged for the eye."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import LAYERS, STATUSES, Status
from vxcsum.evidence.census import SHAPE
from vxcsum.rules.model import address_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.evidence.evidence import Evidence
    from vxcsum.evidence.paths import PathKey
    from vxcsum.evidence.timeline import Timeline
    from vxcsum.packet.columns import I64, U16

#: Names of the slots as people say them.
_SLOT_NAMES = {
    "outer_udp": "outer UDP",
    "inner_l4": "inner or plain transport",
    "outer_ip": "outer IPv4 header",
    "inner_ip": "inner or plain IPv4 header",
}
#: Nodes that fit into a matrix, as senders and as receivers.
MAX_NODES = 16


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One status of one layer over time."""

    layer: str
    status: Status
    counts: I64  # by bin


@dataclass(frozen=True, slots=True)
class Residuals:
    """How often each residual was found in one place, the most frequent first."""

    place: str
    values: U16
    frames: I64

    @property
    def reading(self) -> str:
        """What the distribution says."""
        total, distinct = int(self.frames.sum()), len(self.values)
        if total == 1:
            return "one frame says nothing of the distribution"
        if distinct == 1:
            return "one value: one cause"
        if int(self.frames[:3].sum()) * 2 >= total and int(self.frames[0]) > 1:
            return "a few values stand out: few causes, or few NAT mappings"
        return "no value stands out: many NAT mappings, or random damage"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Frames, and those with a wrong checksum, from node to node.

    Attributes
    ----------
    sources, destinations : list of str
        Outer addresses, those with the most wrong frames first; the order of both is one.
    frames, wrong : int64[len(sources), len(destinations)]
    left_out : int
        Pairs of addresses for which there was no room.
    """

    sources: list[str]
    destinations: list[str]
    frames: I64
    wrong: I64
    left_out: int


def status_rows(timeline: Timeline) -> list[StatusRow]:
    """Return each status of each layer that was seen."""
    counts = timeline.counts[: timeline.bins]
    return [
        StatusRow(name, status, counts[:, number, status])
        for number, name in enumerate(LAYERS)
        for status in STATUSES
        if counts[:, number, status].any()
    ]


def residuals(evidence: Evidence) -> list[Residuals]:
    """Return the residuals of wrong checksums; those of the outer UDP as on the wire."""
    suspects, _ = evidence.suspects.result()
    out = []
    for slot, place in _SLOT_NAMES.items():
        rows = suspects[f"{slot}_status"] == Status.INVALID
        if rows.any():
            found, counts = suspects[f"{slot}_residual"][rows], suspects["frames"][rows]
            values, inverse = np.unique(found, return_inverse=True)
            frames = np.bincount(inverse, counts).astype(np.int64)
            order = np.argsort(-frames, kind="stable")
            out.append(Residuals(place, values[order], frames[order]))
    return out


def pairs(evidence: Evidence) -> Pairs:
    """Return frames from node to node, over all captures and ports."""
    seen: dict[tuple[str, str], tuple[int, int]] = {}
    left_out = 0
    for key, total, bad in frames_and_wrong(evidence):
        if key.kind == "others":
            left_out += 1
        if key.kind != "tunnel":
            continue
        ends = address_text(key.source), address_text(key.destination)
        frames, wrong = seen.get(ends, (0, 0))
        seen[ends] = frames + total, wrong + bad
    order, senders, receivers = _by_damage(seen), {s for s, _ in seen}, {d for _, d in seen}
    sources = [node for node in order if node in senders][:MAX_NODES]
    destinations = [node for node in order if node in receivers][:MAX_NODES]
    shape = len(sources), len(destinations)
    frames_of, wrong_of = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for (source, destination), (frames, wrong) in seen.items():
        if source in sources and destination in destinations:
            place = sources.index(source), destinations.index(destination)
            frames_of[place], wrong_of[place] = frames, wrong
        else:
            left_out += 1
    return Pairs(sources, destinations, frames_of, wrong_of, left_out)


def frames_and_wrong(evidence: Evidence) -> Iterator[tuple[PathKey, int, int]]:
    """Yield each path, its frames, and those with a wrong outer UDP or inner checksum."""
    path, code, frames = evidence.paths.cells()
    _, _, _, outer, inner = np.unravel_index(code, SHAPE)
    wrong = (outer == Status.INVALID) | (inner == Status.INVALID)
    size = len(evidence.paths.keys)
    totals, bad = np.bincount(path, frames, size), np.bincount(path, frames * wrong, size)
    yield from zip(
        evidence.paths.keys,
        totals.astype(int).tolist(),
        bad.astype(int).tolist(),
        strict=True,
    )


def _by_damage(seen: dict[tuple[str, str], tuple[int, int]]) -> list[str]:
    """Return all addresses, those with the most wrong frames first, then the busiest."""
    total: dict[str, tuple[int, int]] = {}
    for ends, (frames, wrong) in seen.items():
        for node in ends:
            before = total.get(node, (0, 0))
            total[node] = before[0] + wrong, before[1] + frames
    return sorted(total, key=lambda node: (-total[node][0], -total[node][1], node))
