"""# VX600 unexplained-checksum

## What it means

Checksums are wrong, and no rule of this catalogue explains how they came about.

## Why it matters

A receiver that verifies them drops the packets. Because many packets of a path are hit, or all in
the same way, chance damage does not explain it either: some software or hardware errs.

## How it is recognised

By exclusion: the checksum is invalid, no other rule claims it, and it does not look like damage.

## Example

A capture whose addresses were rewritten by an anonymiser that left the checksums alone.

## Usual causes

* Captures that were edited or anonymised.
* A network function that changes packets without updating their checksums.
* A defect that is not known yet.

## Look-alikes

* VX601: few packets are hit, each in its own way.

## What to do

Look whether the residual is constant: then one field was changed by that difference. Capture
before and after each hop to find where the checksum goes wrong.

## References

RFC 1071, RFC 1624. Fact sheet: section 1.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.rules.base import Confidence, Finding, Remedy, Rule, Severity
from vxcsum.rules.unexplained import Leftover, describe, leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX600",
    "unexplained-checksum",
    "Wrong checksums that no known cause explains",
    Severity.ERROR,
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
    several = residuals.size > 1
    constant = several and bool((residuals == residuals[0]).all())
    if constant:
        how = (
            f" They all differ from the right value by 0x{int(residuals[0]):04x}: one field was "
            "changed by that much without updating the checksum, or counted wrongly."
        )
    else:
        how = " They differ from the right value by varying amounts." if several else ""
    rows, evidence = describe(context, group)
    return context.finding(
        RULE,
        rows,
        confidence=Confidence.CONFIRMED,
        explanation=(
            f"The checksums of {rows.size} packet{'s' if several else ''} are wrong, and no known "
            f"cause fits.{how}"
        ),
        evidence=evidence,
        remedies=_REMEDIES,
    )
