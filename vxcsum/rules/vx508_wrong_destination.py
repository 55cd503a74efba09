"""# VX508 wrong-destination

## What it means

The packet has a routing header or a source route. Its checksum was computed with the address in
the IP header, which is the next stop and not the final destination.

## Why it matters

Receivers that verify the checksum drop the packets. Others take them, so the mistake may go
unnoticed until a new kernel or device begins to look.

## How it is recognised

residual = S(final destination) - S(destination in the header)

in at least three packets that have a route with stops left.

## Example

vxcsum analyze captures/synthetic/vx508.pcap

## Usual causes

* Software that knows nothing of routing headers, or computes the checksum at the wrong stop.

## Look-alikes

* VX302: an address was rewritten; there is no routing header.

## What to do

Correct the software that computes the checksum. Until then the tunnel works without an outer UDP
checksum, which RFC 7348 recommends in any case; a wrong inner checksum has no such way out.

## References

RFC 8200 section 8.1; RFC 791 section 3.1. Fact sheet: P47.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.algebra import address_sum
from vxcsum.rules.arithmetic import Sample, by_formula, congruent, one_in
from vxcsum.rules.base import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import Bool
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX508",
    "wrong-destination",
    "The pseudo-header was computed with an intermediate destination",
    Severity.ERROR,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path that shows the mistake."""
    yield from by_formula(
        context,
        RULE,
        fits,
        chance=one_in(1),
        formula="residual = S(final destination) - S(destination in the header)",
        explanation=(
            "The checksum was computed with the destination in the IP header. A packet with a "
            "routing header or a source route counts its final destination instead."
        ),
    )


def fits(sample: Sample) -> Bool:
    """Return where the address in the header was counted instead of the final one."""
    level = "outer" if sample.place.slot == "outer_udp" else "inner"
    addresses = address_sum(sample.column(f"{level}_src")).astype(np.int64)
    addresses += address_sum(sample.column(f"{level}_dst"))
    used = addresses + sample.protocol + sample.length
    routed = ~congruent(sample.pseudo, used)
    routed &= congruent(sample.residual, sample.pseudo - used) & (sample.protocol != 1)
    return routed
