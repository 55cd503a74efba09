"""What is common to the two rules for checksums that no other rule explains."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.status import LAYERS
from vxcsum.packet.columns import SLOTS, Kind
from vxcsum.rules.base import address_text, hex16
from vxcsum.rules.context import SLOT_BIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vxcsum.packet.columns import I64, U16
    from vxcsum.rules.context import Context

#: Damage hits few packets; where more are wrong than this share, something systematic is at work.
SPORADIC_SHARE = 0.2
#: Of the residuals of damaged packets, at least this share differ from each other.
_DISTINCT_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Place:
    """The unexplained checksums of one path: a pair of outer addresses, or all plain frames."""

    capture: int
    rows: I64
    total: int
    residuals: U16

    @property
    def sporadic(self) -> bool:
        """Tell whether this looks like damage: few packets, each wrong in its own way."""
        distinct = np.unique(self.residuals).size
        few = self.rows.size <= SPORADIC_SHARE * self.total
        return few and distinct >= _DISTINCT_SHARE * self.rows.size


def places(context: Context) -> Iterator[Place]:
    """Yield the paths that have unexplained checksums.

    Addresses in a header whose own checksum is wrong are not to be believed: such frames share one
    place, which is all of the capture.
    """
    suspects = context.suspects
    groups: dict[tuple[int, ...], list[int]] = {}
    vxlan = suspects["kind"] == Kind.VXLAN
    damaged = vxlan & context.still_open("outer_ip")
    for row in np.flatnonzero(suspects["open"]).tolist():
        key: tuple[int, ...] = (int(suspects["capture"][row]), int(vxlan[row]))
        if vxlan[row] and not damaged[row]:
            key += (*suspects["outer_src"][row].tolist(), *suspects["outer_dst"][row].tolist())
        groups.setdefault(key, []).append(row)
    for key, members in groups.items():
        capture, rows = key[0], np.array(members)
        if len(key) > 2:
            pair = context.evidence.pairs.get((capture, key[2], key[3], key[4], key[5]))
            total = rows.size if pair is None else int(pair.counts.sum())
        elif key[1]:
            every = context.evidence.pairs.items()
            total = sum(int(pair.counts.sum()) for name, pair in every if name[0] == capture)
        else:
            total = context.evidence.captures[capture].plain_checked
        yield Place(capture, rows, total, _residuals(context, rows))


def _residuals(context: Context, rows: I64) -> U16:
    """Return the residual of the innermost checksum that is wrong, of each suspect."""
    out = np.zeros(rows.size, np.uint16)
    for slot in SLOTS:  # the innermost comes last
        wrong = (context.column("open", rows) & SLOT_BIT[slot]) != 0
        np.copyto(out, context.column(f"{slot}_residual", rows), where=wrong)
    return out


def describe(context: Context, found: Sequence[Place]) -> tuple[I64, dict[str, Any]]:
    """Claim the checksums of some places; return their rows and what is to be said of them."""
    rows = np.sort(np.concatenate([place.rows for place in found]))
    wrong: Counter[str] = Counter()
    for layer in LAYERS.values():
        of_layer = (context.column("open", rows) & SLOT_BIT[layer.slot]) != 0
        of_layer &= context.column("kind", rows) == layer.kind
        if layer.protocol is not None:
            of_layer &= context.column("inner_protocol", rows) == layer.protocol
        wrong[layer.name] = int(of_layer.sum())
    residuals = np.concatenate([place.residuals for place in found])
    values, counts = np.unique(residuals, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:8]
    paths: Counter[str] = Counter()
    for row in rows[:10_000].tolist():
        level = "outer" if context.suspects["kind"][row] == Kind.VXLAN else "inner"
        ends = (context.suspects[f"{level}_{end}"][row] for end in ("src", "dst"))
        paths[" > ".join(address_text(end) for end in ends)] += 1
    evidence = {
        "wrong": {layer: number for layer, number in wrong.items() if number},
        "frames_on_these_paths": sum(place.total for place in found),
        "paths": dict(paths.most_common(8)),
        "distinct_residuals": int(values.size),
        "residuals": {hex16(values[i]): int(counts[i]) for i in order},
    }
    context.claim(rows, *SLOTS)
    return rows, evidence
