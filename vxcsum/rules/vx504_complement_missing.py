"""# VX504 complement-missing

## What it means

The field holds the sum of the packet. The checksum is the complement of that sum.

## Why it matters

Receivers that verify the checksum drop the packets. Others take them, so the mistake may go
unnoticed until a new kernel or device begins to look.

## How it is recognised

found = -expected modulo 0xffff

in at least three packets with different right checksums.

## Example

vxcsum analyze captures/synthetic/vx504.pcap

## Usual causes

* Software that mixes up a function for partial sums with one for finished checksums.

## Look-alikes

* VX201: the sum of the pseudo-header alone, which is left there on purpose.
* VX501: the octets are swapped.

## What to do

Correct the software that computes the checksum. Until then the tunnel works without an outer UDP
checksum, which RFC 7348 recommends in any case; a wrong inner checksum has no such way out.

## References

RFC 1071 section 1. Fact sheet: P43.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules.arithmetic import Sample, by_formula, congruent, one_in
from vxcsum.rules.base import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import Bool
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX504",
    "complement-missing",
    "The sum was stored without its complement",
    Severity.ERROR,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path that shows the mistake."""
    yield from by_formula(
        context,
        RULE,
        fits,
        chance=one_in(1),
        formula="found = S(pseudo-header) + S(packet), not complemented",
        explanation=(
            "The field holds the plain sum: the last step of the computation, taking the "
            "complement, is missing."
        ),
    )


def fits(sample: Sample) -> Bool:
    """Return where the complement of the field is right."""
    return congruent(sample.found, -sample.expected)
