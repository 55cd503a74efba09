"""# VX506 pseudo-header-missing

## What it means

The checksum covers the transport header and its data alone. The pseudo-header, with the
addresses, the protocol and the length, was not counted.

## Why it matters

Receivers that verify the checksum drop the packets. Others take them, so the mistake may go
unnoticed until a new kernel or device begins to look.

## How it is recognised

residual = S(pseudo-header)

in at least three packets with different right checksums.

## Example

vxcsum analyze captures/synthetic/vx506.pcap

## Usual causes

* Software that treats UDP, TCP or ICMPv6 like ICMPv4, which has no pseudo-header.

## Look-alikes

* VX503: the pseudo-header was counted twice; the sign is opposite.

## What to do

Correct the software that computes the checksum. Until then the tunnel works without an outer UDP
checksum, which RFC 7348 recommends in any case; a wrong inner checksum has no such way out.

## References

RFC 768; RFC 9293 section 3.1; RFC 8200 section 8.1. Fact sheet: P45.
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
    "VX506",
    "pseudo-header-missing",
    "The pseudo-header was left out of the checksum",
    Severity.ERROR,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path that shows the mistake."""
    yield from by_formula(
        context,
        RULE,
        fits,
        chance=one_in(1),
        formula="residual = S(pseudo-header)",
        explanation=(
            "The checksum is right for the segment alone: the pseudo-header was not counted in."
        ),
    )


def fits(sample: Sample) -> Bool:
    """Return where only the pseudo-header is missing."""
    return congruent(sample.residual, sample.pseudo)
