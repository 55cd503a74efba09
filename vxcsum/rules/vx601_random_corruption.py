"""# VX601 random-corruption

## What it means

A few packets are damaged: their checksums are wrong, each in its own way.

## Why it matters

Links protect frames with a CRC, so damage that reaches a capture usually happened inside a
machine: memory, a driver, a network card, a virtual switch. TCP retransmits; UDP loses the
packet.

## How it is recognised

The residuals differ from packet to packet, follow no rule of this catalogue, and only a small
share of the packets on the path is hit.

## Example

    vxcsum analyze captures/kernel/u61fix-netem-corrupt-udpcsum.rcv.pcap

## Usual causes

* A failing cable, transceiver, network card or memory module on a path whose CRC was computed
  after the damage.
* Test tools that corrupt on purpose (netem).

## Look-alikes

* VX101, VX102: every packet of a flow is wrong, in the same way.
* VX600: most packets are wrong, or all in the same way, and no rule knows why.

## What to do

Find the hop: capture on both ends, compare the drop and CRC counters of the ports between
(`ethtool -S`), exchange parts.

## References

J. Stone, C. Partridge, "When the CRC and TCP checksum disagree", SIGCOMM 2000. Fact sheet: P60.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules.base import Confidence, Finding, Remedy, Rule, Severity
from vxcsum.rules.unexplained import Leftover, describe, leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX601",
    "random-corruption",
    "A few packets are damaged, each in its own way",
    Severity.ERROR,
)

_REMEDIES = (
    Remedy("on both ends of the path", "ethtool -S eth0 | grep -iE 'crc|err|drop'"),
    Remedy("receiver", "nstat -az | grep -i csum"),
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture with damaged packets."""
    by_capture: dict[int, list[Leftover]] = {}
    for left in leftovers(context):
        if left.sporadic:
            by_capture.setdefault(left.capture, []).append(left)
    for found in by_capture.values():
        rows, evidence = describe(context, found)
        if rows.size >= 10:
            confidence = Confidence.CONFIRMED
        else:
            confidence = Confidence.LIKELY if rows.size >= 3 else Confidence.POSSIBLE
        yield context.finding(
            RULE,
            rows,
            confidence=confidence,
            explanation=(
                f"{rows.size} of {evidence['frames_on_these_paths']} packets on these paths are "
                "wrong, and their residuals follow no rule: the octets were damaged on the way."
            ),
            evidence=evidence,
            remedies=_REMEDIES,
        )
