"""What no law explains: damage, headers that were edited, and what remains unknown."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.packet.columns import SLOTS, Kind, distinct
from vxcsum.rules import prices
from vxcsum.rules.bits import damaged, edited
from vxcsum.rules.model import address_text, hex16

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vxcsum.packet.columns import I64, U16, Bool
    from vxcsum.rules.context import Context

#: Residuals of one bit that was set or cleared.
SINGLE_BITS = np.array([1 << bit for bit in range(16)] + [0xFFFF - (1 << b) for b in range(16)])
_RESIDUALS = 0xFFFF


@dataclass(frozen=True, slots=True)
class Leftover:
    """The unexplained checksums of one path, or of all frames whose addresses are damaged."""

    capture: int
    rows: I64
    frames: int
    total: int
    residuals: U16
    flipped: Bool

    @property
    def few(self) -> bool:
        """Tell whether a small share of the path is hit, as damage does."""
        return self.frames <= prices.MOST_DAMAGE * self.total

    @property
    def sporadic(self) -> bool:
        """Tell whether this looks like damage: few packets, each wrong in its own way."""
        seen = np.unique(self.residuals).size
        # Of many residuals drawn at random, some are the same.
        expected = _RESIDUALS * -math.expm1(-self.rows.size / _RESIDUALS)
        return self.few and seen >= prices.MOSTLY_DIFFERENT * expected

    def only(self, mask: Bool) -> Leftover:
        """Return some of them."""
        columns = {name: getattr(self, name)[mask] for name in ("rows", "residuals", "flipped")}
        return replace(self, **columns)


def different(found: Sequence[Leftover]) -> int:
    """Return how many different residuals some leftovers have."""
    return int(np.unique(np.concatenate([left.residuals for left in found])).size)


def leftovers(context: Context) -> Iterator[Leftover]:
    """Yield the paths that have unexplained checksums.

    Addresses in a header whose own checksum is wrong are not to be believed: such frames are put
    together, and compared with all of the capture.
    """
    s = context.suspects
    rows = np.flatnonzero(s["open"] != 0)
    path = s["path"][rows]
    order = np.argsort(path, kind="stable")
    cuts = np.flatnonzero(np.diff(path[order])) + 1
    totals = context.frames_of_paths
    for members in np.split(order, cuts) if rows.size else []:
        mine = rows[np.sort(members)]
        number = int(s["path"][mine[0]])
        key = context.evidence.paths.keys[number]
        total = totals[number]
        if key.kind == "untrusted":
            total = context.captures[key.capture].frames
        yield Leftover(
            key.capture,
            mine,
            int(s["frames"][mine].sum()),
            int(total),
            *_innermost(context, mine),
        )


def edited_headers(context: Context) -> Iterator[tuple[int, I64]]:
    """Yield captures in which IP headers are wrong so often that damage is no reason.

    Their frames are claimed.
    """
    s = context.suspects
    bits = context.slot_bit("outer_ip") | context.slot_bit("inner_ip")
    wrong = (s["open"] & bits) != 0
    for capture in distinct(s["capture"][wrong]).tolist():
        rows = np.flatnonzero(wrong & (s["capture"] == capture))
        hit, frames = float(s["frames"][rows].sum()), float(context.captures[capture].frames)
        damage = prices.CLAIMS["VX601"] + float(damaged(hit, frames))
        edit = prices.EDIT_PAYLOAD + float(edited(hit, frames))
        edit += prices.ONE_WAY * (not context.both_ways(rows))
        if damage - edit >= prices.LIKELY:
            s["open"][rows] = 0
            yield capture, rows


def _innermost(context: Context, rows: I64) -> tuple[U16, Bool]:
    """Return the residual of the innermost wrong checksum of each suspect, and if it is one bit."""
    residuals, flipped = np.zeros(rows.size, np.uint16), np.zeros(rows.size, np.bool_)
    for slot in SLOTS:  # the innermost comes last
        wrong = (context.column("open", rows) & context.slot_bit(slot)) != 0
        np.copyto(residuals, context.column(f"{slot}_residual", rows), where=wrong)
        np.copyto(flipped, context.flipped(slot, rows), where=wrong)
    return residuals, flipped


def describe(context: Context, found: Sequence[Leftover]) -> tuple[I64, dict[str, Any]]:
    """Claim the checksums of some leftovers; return their rows and what is to be said of them."""
    rows = np.sort(np.concatenate([leftover.rows for leftover in found]))
    frames = context.suspects["frames"][rows]
    values, inverse = np.unique(_innermost(context, rows)[0], return_inverse=True)
    counts = np.bincount(inverse, frames).astype(np.int64)
    order = np.argsort(-counts, kind="stable")[:8]
    paths: Counter[str] = Counter()
    for row, times in zip(rows[:10_000].tolist(), frames.tolist(), strict=False):
        level = "outer" if context.suspects["kind"][row] == Kind.VXLAN else "inner"
        ends = (context.suspects[f"{level}_{end}"][row] for end in ("src", "dst"))
        paths[" > ".join(address_text(end) for end in ends)] += times
    total = min(sum(left.total for left in found), context.captures[found[0].capture].frames)
    evidence = {
        "wrong": context.layer_names(rows),
        "frames_on_these_paths": total,
        "paths": dict(paths.most_common(8)),
        "distinct_residuals": int(values.size),
        "residuals": {hex16(values[i]): int(counts[i]) for i in order},
    }
    context.suspects["open"][rows] = 0
    return rows, evidence
