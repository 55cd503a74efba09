"""# VX602 single-bit-corruption

## What it means

A few packets are damaged, each in a single bit.

## Why it matters

Flipped bits that the link CRC did not catch happened inside a machine: memory, a bus, a cheap
switch or network card. The payload of other packets may be hit unnoticed.

## How it is recognised

The law, with k differing from packet to packet:

    residual = 2^k or -2^k      modulo 0xffff

As for VX601, there is no pattern in which packets are hit. docs/diagnosis.md explains how laws
compete.

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

Find the hop: capture on both ends, and look at the counters and at memory errors.

    ethtool -S eth0
    dmesg
    edac-util

Exchange parts.

## References

J. Stone, C. Partridge, "When the CRC and TCP checksum disagree", SIGCOMM 2000.
docs/fact-sheet.md, P61.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules import prices
from vxcsum.rules.contest import confidence_of
from vxcsum.rules.leftovers import Leftover, describe, leftovers
from vxcsum.rules.model import Finding, Remedy, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX602",
    "single-bit-corruption",
    "Single bits were flipped in a few packets",
    Severity.ERROR,
    apart={"VX102": "the same packet, right, from another port"},
)

_REMEDIES = (
    Remedy("on both ends of the path", "ethtool -S eth0 | grep -iE 'crc|err|drop'"),
    Remedy("memory errors of a host", "dmesg | grep -iE 'edac|mce|hardware error'"),
)
#: What one flipped bit saves against any damage.
_WORTH = prices.OBSERVATION - prices.SINGLE_BIT


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture in which single bits explain a few wrong packets."""
    by_capture: dict[int, list[Leftover]] = {}
    for left in leftovers(context):
        if left.flipped.any() and left.few:
            by_capture.setdefault(left.capture, []).append(left.only(left.flipped))
    for found in by_capture.values():
        number = sum(left.rows.size for left in found)
        margin = _WORTH * number - prices.CLAIMS[RULE.code]
        rows, evidence = describe(context, found)
        frames = int(context.suspects["frames"][rows].sum())
        yield context.finding(
            RULE,
            rows,
            confidence=confidence_of(margin),
            explanation=(
                f"{frames:,} of {evidence['frames_on_these_paths']:,} packets on these paths are "
                "wrong by a power of two, single bits were flipped."
            ),
            evidence=evidence | {"bits": margin, "margin": margin, "alternatives": []},
            remedies=_REMEDIES,
        )
