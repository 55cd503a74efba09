"""# VX503 field-not-zeroed

## What it means

The checksum was computed while its field still held something, and that was added in. What it
held is the pseudo-header sum that the kernel leaves for a device (`CHECKSUM_PARTIAL`).

## Why it matters

Receivers that verify the checksum drop the packets. Others take them, so the mistake may go
unnoticed until a new kernel or device begins to look.

## How it is recognised

residual = -(pseudo-header sum)

in at least three packets whose pseudo-header sums differ or whose right checksums differ.

## Example

vxcsum analyze captures/synthetic/vx503.pcap

## Usual causes

* A forwarder that completes partial checksums in software by summing the whole packet,
  pseudo-header included, without clearing the field first.

## Look-alikes

* VX201: the pseudo-header sum alone stands in the field.
* VX506: the pseudo-header was left out; the sign is opposite.

## What to do

Correct the software that computes the checksum. Until then the tunnel works without an outer UDP
checksum, which RFC 7348 recommends in any case; a wrong inner checksum has no such way out.

## References

RFC 1071 section 1; Linux skb_checksum_help(). Fact sheet: P42.
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
    "VX503",
    "field-not-zeroed",
    "The old content of the checksum field was counted in",
    Severity.ERROR,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path that shows the mistake."""
    yield from by_formula(
        context,
        RULE,
        fits,
        chance=one_in(1),
        formula="residual = -S(pseudo-header)",
        explanation=(
            "The checksum was computed over the packet while the pseudo-header sum that the kernel "
            "leaves in the field was still there, so that sum was counted twice."
        ),
    )


def fits(sample: Sample) -> Bool:
    """Return where the pseudo-header sum was counted twice."""
    return congruent(sample.residual, -sample.pseudo)
