"""# VX402 minus-zero

## What it means

A TCP, ICMP or IPv4 header checksum is 0xffff where the usual arithmetic gives 0x0000. Both are
the same number in ones-complement arithmetic.

## Why it matters

Receivers that add everything up accept it. Those that compute the checksum anew and compare drop
the packet, about one in 65,000.

## How it is recognised

The checksum verifies, the field is 0xffff, and the protocol is not UDP.

## Example

vxcsum analyze captures/synthetic/vx402.pcap

## Usual causes

* Incremental updates by the formula of RFC 1141, which RFC 1624 corrects.

## Look-alikes

* UDP: 0xffff is what it sends for 0.
* ICMP messages of zeros alone, such as an echo reply with identifier 0: their checksum is 0xffff.
  Those whose type, code and identifier are 0 are not counted, whatever follows.

## What to do

Use the third equation of RFC 1624 for incremental updates.

## References

RFC 1624 section 4; RFC 1141. Fact sheet: P31.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules.base import Confidence, Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX402",
    "minus-zero",
    "Checksums of 0xffff where 0x0000 is usual",
    Severity.INFO,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture that shows it."""
    for number, _, seen in context.showing("minus_zero"):
        yield context.counted(
            RULE,
            number,
            seen,
            confidence=Confidence.CONFIRMED,
            explanation=(
                "These checksums are right in ones-complement arithmetic, but written as 0xffff "
                "where 0x0000 is usual; a receiver that compares instead of adding drops them."
            ),
        )
