"""# VX905 gso-partial-lengths

## What it means

The frame is much longer than the packet its headers describe: they are those of the first segment
that a device will cut from it (partial GSO).

## Why it matters

Checksums computed with those lengths are neither right nor wrong; nothing on the wire looks like
this.

## How it is recognised

More than 1,000 octets of the frame lie behind the end of the packet.

## Example

vxcsum analyze captures/synthetic/vx905.pcap

## Usual causes

* A sender with a device that does partial segmentation offload (GSO_PARTIAL) for tunnels.

## Look-alikes

* Ethernet padding and trailers, which are short.
* VX903: superframes whose headers have the whole length.

## What to do

Nothing. Capture on the receiving host to see what is on the wire.

## References

the-tcpdump-group/tcpdump #594; Linux segmentation-offloads.rst. Fact sheet: P54.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.rules.base import Confidence, Finding, Rule, Severity
from vxcsum.rules.hazards import has_long_trailer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX905",
    "gso-partial-lengths",
    "Frames whose headers speak of one segment only",
    Severity.INFO,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture with such frames; their checksums are not judged."""
    long = np.flatnonzero(has_long_trailer(context.suspects))
    context.claim(long, "outer_udp", "inner_l4")
    for number, capture, seen in context.showing("long_trailers"):
        yield context.counted(
            RULE,
            number,
            seen,
            confidence=Confidence.LIKELY,
            explanation=(
                "The headers of these frames describe one segment, and the frame holds many: "
                "a device will cut them and write the lengths and checksums."
            ),
            evidence={"largest_frame": capture.largest_frame},
        )
