"""# VX601 random-corruption

## What it means

A few packets are damaged: their checksums are wrong, each in its own way.

## Why it matters

Links protect frames with a CRC. Damage that reaches a capture usually happened inside a
machine: memory, a driver, a network card, a virtual switch. TCP retransmits; UDP loses the
packet.

## How it is recognised

The residuals differ from packet to packet and follow no law. Which packets are hit follows no
pattern either: one rate for the whole capture, whatever the protocol, size or flow. Where outer
and inner checksum are off by the same amount, the damage happened after encapsulation.
docs/diagnosis.md explains how laws compete.

## Example

    vxcsum analyze captures/kernel/u61fix-netem-corrupt-udpcsum.rcv.pcap

## Usual causes

* A failing cable, transceiver, network card or memory module on a path whose CRC was computed
  after the damage.
* Test tools that corrupt on purpose (netem).

## Look-alikes

* VX101, VX102: every packet of a flow is wrong, in the same way. One wrong SYN may be either:
  the same packet, right, from another port decides.
* VX602: each packet is damaged in one bit.
* VX600: most packets are wrong, or all in the same way, and no law fits.

## What to do

Find the hop: capture on both ends and compare the drop and CRC counters of the ports between.

    ethtool -S eth0

Exchange parts.

## References

J. Stone, C. Partridge, "When the CRC and TCP checksum disagree", SIGCOMM 2000.
docs/fact-sheet.md, P60.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules import prices
from vxcsum.rules.contest import confidence_of
from vxcsum.rules.leftovers import describe, different, leftovers
from vxcsum.rules.model import Finding, Remedy, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context
    from vxcsum.rules.leftovers import Leftover

RULE = Rule(
    "VX601",
    "random-corruption",
    "A few packets are damaged, each in its own way",
    Severity.ERROR,
    unexplained=True,
    apart={
        "VX102": "the same packet, right, from another port",
        "VX101": "another wrong packet of the flow whose right checksum differs",
    },
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
        frames = int(context.suspects["frames"][rows].sum())
        margin = prices.VARIED * (different(found) - 1)
        yield context.finding(
            RULE,
            rows,
            confidence=confidence_of(margin),
            explanation=(
                f"{frames:,} of {evidence['frames_on_these_paths']:,} packets on these paths are "
                "wrong, and their residuals follow no rule: the octets were damaged on the way."
            ),
            evidence=evidence | {"bits": margin, "margin": margin, "alternatives": []},
            remedies=_REMEDIES,
        )
