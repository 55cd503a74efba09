"""# VX508 wrong-destination

## What it means

The packet has a routing header or a source route. Its checksum was computed with the address in
the IP header, which is the next stop and not the final destination.

## Why it matters

Receivers that verify the checksum drop the packets. Others take them, so the mistake may go
unnoticed until a new kernel or device begins to verify.

## How it is recognised

The law:

    residual = S(final destination) - S(destination in the header)

Its scope is packets that have a route with stops left. docs/diagnosis.md explains how laws
compete.

## Example

    vxcsum analyze captures/synthetic/vx508.pcap

## Usual causes

* Software that knows nothing of routing headers, or computes the checksum at the wrong stop.

## Look-alikes

* VX302: an address was rewritten, and there is no routing header. Both leave a constant: the
  destination of the route decides.
* VX908: addresses were renamed in the file, in both directions.

## What to do

Correct the software that computes the checksum. A wrong outer checksum can be avoided until
then: send none, as RFC 7348 recommends. For a wrong inner checksum there is no such way.

## References

RFC 8200 section 8.1; RFC 791 section 3.1. docs/fact-sheet.md, P47.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules.mistakes import both, congruent, none_known
from vxcsum.rules.model import Rule, Severity

if TYPE_CHECKING:
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.case import Case

RULE = Rule(
    "VX508",
    "wrong-destination",
    "The pseudo-header was computed with an intermediate destination",
    Severity.ERROR,
    formula="residual = S(final destination) - S(destination in the header)",
    sentence=(
        "The checksum was computed with the destination in the IP header. A packet with a "
        "routing header or a source route counts its final destination instead."
    ),
)


def _next_stop(case: Case) -> list[Bool]:
    off = case.number("off_route")
    return [(off != 0) & congruent(case.residual, off)]


LAWS = both(_next_stop, spared=none_known)
