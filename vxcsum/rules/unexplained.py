"""What is common to the rules for checksums that no other rule explains."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.packet.columns import SLOTS, Kind, distinct
from vxcsum.rules.base import address_text, hex16
from vxcsum.rules.context import SLOT_BIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vxcsum.packet.columns import I64, U16
    from vxcsum.rules.context import Context

#: Damage hits few packets; where more are wrong than this share, something systematic is at work.
SPORADIC_SHARE = 0.2
#: Of the residuals of damaged packets, so many differ from each other, as a share of what
#: chance would give.
_DISTINCT_SHARE = 0.5
_RESIDUALS = 0xFFFF


@dataclass(frozen=True, slots=True)
class Leftover:
    """The unexplained checksums of one path, or of all frames whose addresses are damaged."""

    capture: int
    rows: I64
    total: int
    residuals: U16

    @property
    def few(self) -> bool:
        """Tell whether a small share of the path is hit."""
        return self.rows.size <= SPORADIC_SHARE * self.total

    @property
    def sporadic(self) -> bool:
        """Tell whether this looks like damage: few packets, each wrong in its own way."""
        different = distinct(self.residuals).size
        # Of many residuals drawn at random, some are the same.
        expected = _RESIDUALS * -math.expm1(-self.rows.size / _RESIDUALS)
        return self.few and different >= _DISTINCT_SHARE * expected


def leftovers(context: Context) -> Iterator[Leftover]:
    """Yield the paths that have unexplained checksums.

    Addresses in a header whose own checksum is wrong are not to be believed: such frames are put
    together, and compared with all of the capture.
    """
    damaged = context.still_open("outer_ip")
    open_ = context.suspects["open"] != 0
    for key, rows in context.by_path(np.flatnonzero(open_ & ~damaged)):
        path = context.evidence.paths.get(key)
        total = rows.size if path is None else path.frames
        yield Leftover(key[0], rows, total, innermost_residuals(context, rows))
    untrusted = np.flatnonzero(open_ & damaged)
    for capture in distinct(context.column("capture", untrusted)).tolist():
        rows = untrusted[context.column("capture", untrusted) == capture]
        own = [path for name, path in context.evidence.paths.items() if name[0] == capture]
        total = sum(path.frames for path in own)
        yield Leftover(capture, rows, total, innermost_residuals(context, rows))


def _frames(context: Context, found: Sequence[Leftover]) -> int:
    """Return the frames of some paths; one that stands for all of the capture has them all."""
    capture = found[0].capture
    return min(sum(left.total for left in found), context.captures[capture].frames)


def innermost_residuals(context: Context, rows: I64) -> U16:
    """Return the residual of the innermost checksum that is wrong, of each suspect."""
    out = np.zeros(rows.size, np.uint16)
    for slot in SLOTS:  # the innermost comes last
        wrong = (context.column("open", rows) & SLOT_BIT[slot]) != 0
        np.copyto(out, context.residual(slot, rows), where=wrong)
    return out


def describe(context: Context, found: Sequence[Leftover]) -> tuple[I64, dict[str, Any]]:
    """Claim the checksums of some leftovers; return their rows and what is to be said of them."""
    rows = np.sort(np.concatenate([leftover.rows for leftover in found]))
    values, counts = np.unique(innermost_residuals(context, rows), return_counts=True)
    order = np.argsort(-counts, kind="stable")[:8]
    paths: Counter[str] = Counter()
    for row in rows[:10_000].tolist():
        level = "outer" if context.suspects["kind"][row] == Kind.VXLAN else "inner"
        ends = (context.suspects[f"{level}_{end}"][row] for end in ("src", "dst"))
        paths[" > ".join(address_text(end) for end in ends)] += 1
    evidence = {
        "wrong": context.layer_names(rows),
        "frames_on_these_paths": _frames(context, found),
        "paths": dict(paths.most_common(8)),
        "distinct_residuals": int(values.size),
        "residuals": {hex16(values[i]): int(counts[i]) for i in order},
    }
    context.claim(rows, *SLOTS)
    return rows, evidence
