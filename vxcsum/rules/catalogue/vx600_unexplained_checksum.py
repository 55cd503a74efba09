"""# VX600 unexplained-checksum

## What it means

Checksums are wrong, and no law of this catalogue explains how they came about.

## Why it matters

A receiver that verifies them drops the packets. Chance damage does not explain them either:
some software or hardware errs, or the capture was edited.

## How it is recognised

By exclusion. No law describes these checksums in fewer bits than listing them, or one field is
off by a constant that nothing accounts for:

    residual = the same value, of unknown origin

That nothing fits proves nothing, so the rule is never more than possible. docs/diagnosis.md
explains how laws compete.

## Example

    vxcsum analyze captures/synthetic/vx600.pcap

## Usual causes

* Captures that were edited or anonymised.
* A network function that changes packets and does not update their checksums.
* A defect that is not known yet.

## Look-alikes

* VX601: few packets are hit, each in its own way.
* VX302, VX508, VX509, VX908: a constant, too. The way back decides, the destination of a route,
  or a second service.

## What to do

Is the residual constant? Then one field was changed by that difference. Find the hop: capture
before and after it.

    vxcsum explain CAPTURE FRAME

shows one frame with every formula that fits.

## References

RFC 1071, RFC 1624. docs/fact-sheet.md, section 1.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.rules import prices
from vxcsum.rules.contrasts import Constant, by_place
from vxcsum.rules.leftovers import describe, leftovers
from vxcsum.rules.model import Confidence, Finding, Remedy, Rule, Severity
from vxcsum.rules.scope import EVERY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context
    from vxcsum.rules.leftovers import Leftover

RULE = Rule(
    "VX600",
    "unexplained-checksum",
    "Wrong checksums that no known cause explains",
    Severity.ERROR,
    unexplained=True,
)

_REMEDIES = (
    Remedy(
        "find the hop that changes the packets",
        "tcpdump -s 0 -w before.pcap; tcpdump -s 0 -w after.pcap",
        "on both sides of each hop, and compare the two",
    ),
)
#: Beyond so many paths, the rest of a capture shares one finding.
_MAX_PATHS = 50

#: One field off by a constant that nothing explains: a rival of laws that know why.
RIVALS = tuple(
    Constant(EVERY, prices.CLAIM, by_place, slot=slot) for slot in ("outer_udp", "inner_l4")
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path that has unexplained checksums left."""
    by_capture: dict[int, list[Leftover]] = {}
    for left in leftovers(context):
        by_capture.setdefault(left.capture, []).append(left)
    for found in by_capture.values():
        groups = [[left] for left in found[:_MAX_PATHS]]
        if len(found) > _MAX_PATHS:
            groups.append(found[_MAX_PATHS:])
        for group in groups:
            yield _finding(context, group)


def _finding(context: Context, group: list[Leftover]) -> Finding:
    residuals = np.concatenate([left.residuals for left in group])
    rows, evidence = describe(context, group)
    number = int(context.suspects["frames"][rows].sum())
    several = number > 1
    how = " They differ from the right value by varying amounts." if several else ""
    if several and bool((residuals == residuals[0]).all()):
        how = (
            f" They all differ from the right value by 0x{int(residuals[0]):04x}: one field was "
            "changed by that much without updating the checksum, or counted wrongly."
        )
    return context.finding(
        RULE,
        rows,
        confidence=Confidence.POSSIBLE,
        explanation=(
            f"The checksums of {number:,} packet{'s' if several else ''} are wrong, and no known "
            f"cause fits.{how}"
        ),
        evidence=evidence,
        remedies=_REMEDIES,
    )
