"""# VX905 gso-partial-lengths

## What it means

The frame is much longer than the packet its headers describe. They are those of the first
segment that a device will cut from it (partial GSO).

## Why it matters

Checksums computed with those lengths are neither right nor wrong. Nothing on the wire looks
like this.

## How it is recognised

Far more octets follow the end of the packet than padding or a trailer has.

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

the-tcpdump-group/tcpdump #594; Linux Documentation/networking/segmentation-offloads.rst.
docs/fact-sheet.md, P54.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.evidence.captures import Count, Seen, has_long_trailer
from vxcsum.rules.model import Confidence, Rule, Severity

if TYPE_CHECKING:
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX905",
    "gso-partial-lengths",
    "Frames whose headers speak of one segment only",
    Severity.INFO,
    explains=True,
    sentence=(
        "The headers of these frames describe one segment, and the frame holds many: "
        "a device will cut them and write the lengths and checksums."
    ),
    confidence=Confidence.LIKELY,
)


def _there(seen: Seen) -> bool:
    return seen.large


COUNT = Count(has_long_trailer, _there)


def exempt(context: Context) -> None:
    """Claim what such frames have: nothing on the wire looks like them."""
    long = np.flatnonzero(context.suspects["oversized"] == 2)
    context.exempt(RULE.code, long, "outer_udp", "inner_l4")


def evidence(context: Context, capture: int) -> dict[str, int]:
    """Return what is said of a capture."""
    return {"largest_frame": context.evidence.captures[capture].largest_frame}
