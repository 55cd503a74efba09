"""# VX501 swapped-octets

## What it means

The checksum was computed rightly and stored with its octets in the wrong order.

## Why it matters

Receivers that verify the checksum drop the packets. Others take them, so the mistake may go
unnoticed until a new kernel or device begins to look.

## How it is recognised

swap16(found) = expected

in at least three packets with different right checksums.

## Example

vxcsum analyze captures/synthetic/vx501.pcap

## Usual causes

* A missing `htons()`, or one too many, in software that writes headers.

## Look-alikes

* VX504: the complement is missing.
* A checksum whose octets are equal looks the same either way, and is right.

## What to do

Correct the software that computes the checksum. Until then the tunnel works without an outer UDP
checksum, which RFC 7348 recommends in any case; a wrong inner checksum has no such way out.

## References

RFC 1071 section 2(B). Fact sheet: P40.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules.arithmetic import MODULUS, Sample, by_formula, congruent, one_in
from vxcsum.rules.base import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import Bool
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX501",
    "swapped-octets",
    "The two octets of the checksum are swapped",
    Severity.ERROR,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path that shows the mistake."""
    yield from by_formula(
        context,
        RULE,
        fits,
        chance=one_in(1),
        formula="swap16(found) = expected",
        explanation=(
            "The field is the right checksum with its two octets exchanged: the software that "
            "wrote it took the byte order of the host for that of the network."
        ),
    )


def fits(sample: Sample) -> Bool:
    """Return where exchanging the octets of the field makes it right."""
    return congruent(sample.found * 256 % MODULUS, sample.expected)
