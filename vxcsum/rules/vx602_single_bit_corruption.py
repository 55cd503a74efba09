"""# VX602 single-bit-corruption

## What it means

A few packets are damaged, each in a single bit.

## Why it matters

Flipped bits that the link CRC did not catch happened inside a machine: memory, a bus, a cheap
switch or network card. The payload of other packets may be hit unnoticed.

## How it is recognised

residual = 2^k or -2^k modulo 0xffff

with k differing between packets, in a small share of the packets of a path.

## Example

vxcsum analyze captures/kernel/u61fix-netem-corrupt-udpcsum.rcv.pcap

## Usual causes

* Failing memory, in hosts or in network devices.
* Test tools that flip bits on purpose (netem corrupt).

## Look-alikes

* VX102 with neighbouring addresses: the residual is a power of two as well, but always the same
  one.
* VX601: damage of more than one bit.

## What to do

Find the hop by capturing on both ends; look at `ethtool -S`, `dmesg` and ECC counters
(`edac-util`); exchange parts.

## References

J. Stone, C. Partridge, "When the CRC and TCP checksum disagree", SIGCOMM 2000. Fact sheet: P61.
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
    "VX602",
    "single-bit-corruption",
    "Single bits were flipped in a few packets",
    Severity.ERROR,
)

_SINGLE_BITS = np.array([1 << bit for bit in range(16)] + [0xFFFF - (1 << b) for b in range(16)])
#: Share of single bits among the residuals of damage that is not distinct.
_MOSTLY = 0.5
_REMEDIES = (
    Remedy("on both ends of the path", "ethtool -S eth0 | grep -iE 'crc|err|drop'"),
    Remedy("memory errors of a host", "dmesg | grep -iE 'edac|mce|hardware error'"),
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture in which single bits explain a few wrong packets."""
    by_capture: dict[int, list[Leftover]] = {}
    for left in leftovers(context):
        flips = np.isin(left.residuals, _SINGLE_BITS)
        # A bit that is stuck gives the same residual again and again.
        if flips.any() and (left.sporadic or (left.few and flips.mean() > _MOSTLY)):
            chosen = Leftover(left.capture, left.rows[flips], left.total, left.residuals[flips])
            by_capture.setdefault(left.capture, []).append(chosen)
    for found in by_capture.values():
        rows, evidence = describe(context, found)
        yield context.finding(
            RULE,
            rows,
            confidence=Confidence.CONFIRMED if rows.size > 2 else Confidence.LIKELY,
            explanation=(
                f"{rows.size} of {evidence['frames_on_these_paths']} packets on these paths are "
                "wrong by a power of two, single bits were flipped."
            ),
            evidence=evidence,
            remedies=_REMEDIES,
        )
