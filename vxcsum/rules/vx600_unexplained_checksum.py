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

from vxcsum.rules.base import Confidence, Finding, Rule, Severity
from vxcsum.rules.unexplained import describe, leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX600",
    "unexplained-checksum",
    "Wrong checksums that no known cause explains",
    Severity.ERROR,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path that has unexplained checksums left."""
    for left in leftovers(context):
        values, counts = np.unique(left.residuals, return_counts=True)
        constant = left.rows.size > 1 and counts.max() == left.rows.size
        how = (
            f"They all differ from the right value by 0x{int(values[0]):04x}: one field was "
            "changed by that much without updating the checksum, or counted wrongly."
            if constant
            else "They differ from the right value by varying amounts."
        )
        rows, evidence = describe(context, [left])
        yield context.finding(
            RULE,
            rows,
            confidence=Confidence.CONFIRMED,
            explanation=(
                f"The checksums of {left.rows.size} packets are wrong, and no known cause fits. "
                f"{how}"
            ),
            evidence=evidence,
        )
