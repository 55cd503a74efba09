"""# VX507 wrong-length

## What it means

The length in the pseudo-header is not that of the segment: it is 0, or a header too much or too
little was counted in.

## Why it matters

Receivers that verify the checksum drop the packets. Others take them, so the mistake may go
unnoticed until a new kernel or device begins to look.

## How it is recognised

residual = length - length used modulo 0xffff

where the length used is 0, or off by the size of a UDP, TCP, IPv4, IPv6 or Ethernet header; in at
least three packets with different right checksums. Where NAT between neighbours (VX102, VX104)
would leave the same difference, the finding says so and is only likely.

## Example

vxcsum analyze captures/synthetic/vx507.pcap

## Usual causes

* The IP total length taken for that of the segment, or the payload length for the datagram
  length.
* A template for segmentation, which has length 0, sent as it is.

## Look-alikes

* VX509: the protocol number is wrong; the differences are others.
* VX304: padding was counted in, so that the difference depends on the length.

## What to do

Correct the software that computes the checksum. Until then the tunnel works without an outer UDP
checksum, which RFC 7348 recommends in any case; a wrong inner checksum has no such way out.

## References

RFC 768; RFC 9293 section 3.1; RFC 8200 section 8.1. Fact sheet: P46.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vxcsum.rules.arithmetic import (
    CONSTANT_SHARE,
    MODULUS,
    Sample,
    by_formula,
    congruent,
    one_in,
)
from vxcsum.rules.base import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import Bool
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX507",
    "wrong-length",
    "The pseudo-header was computed with a wrong length",
    Severity.ERROR,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path that shows the mistake."""
    yield from by_formula(
        context,
        RULE,
        fits,
        chance=one_in(13),
        formula="residual = length - length used",
        explanation=("The checksum is right but for the length in the pseudo-header."),
        share=CONSTANT_SHARE,
        details=recovered,
    )


#: Header sizes by which the length may be off: UDP, Ethernet, TCP or IPv4, TCP with options, IPv6.
_OFF_BY = (8, -8, -14, 20, -20, 28, -28, 32, -34, 40, -40, -54)


def fits(sample: Sample) -> Bool:
    """Return where one wrong length explains all residuals."""
    best = congruent(sample.residual, sample.length)
    for off in _OFF_BY:
        fit = congruent(sample.residual, off)
        if fit.sum() > best.sum():
            best = fit
    return best


def recovered(sample: Sample, mask: Bool) -> dict[str, Any]:
    """Return by how much the length was off."""
    residual = int(sample.residual[mask][0])
    off = residual if residual <= MODULUS // 2 else residual - MODULUS
    if congruent(sample.residual[mask], sample.length[mask]).all():
        return {"length_used": 0}
    return {"length_off_by": -off}
