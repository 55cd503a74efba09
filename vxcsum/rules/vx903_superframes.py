"""# VX903 superframes

## What it means

TCP segments in this capture are larger than any usual MTU: several segments travel as one.

## Why it matters

It tells where the capture was taken: before segmentation on the sending host, or after coalescing
on the receiving one. Throughput over the tunnel profits from it.

## How it is recognised

TCP frames longer than 9,280 octets, or longer than 1,600 with an unfinished checksum.

## Example

vxcsum analyze captures/kernel/h618-tcp-offload-on.snd.pcap

## Usual causes

* TSO, GSO or GRO.

## Look-alikes

* VX904: more than 64 KiB, with length fields of 0.
* VX905: the headers speak of one segment only.

## What to do

Nothing.

## References

Linux Documentation/networking/segmentation-offloads.rst. Fact sheet: P52.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules.base import Confidence, Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX903",
    "superframes",
    "Frames larger than a wire carries",
    Severity.INFO,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture that shows it."""
    for number, capture, seen in context.showing("superframes"):
        yield context.counted(
            RULE,
            number,
            seen,
            confidence=Confidence.CONFIRMED,
            explanation=(
                "Several TCP segments travel in one frame: segmentation or receive offload is in "
                "use where this was captured."
            ),
            evidence={"largest_frame": capture.largest_frame},
        )
