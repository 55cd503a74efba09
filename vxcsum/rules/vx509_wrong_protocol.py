"""# VX509 wrong-protocol

## What it means

The protocol number in the pseudo-header is not that of the segment.

## Why it matters

Receivers that verify the checksum drop the packets. Others take them, so the mistake may go
unnoticed until a new kernel or device begins to look.

## How it is recognised

residual = protocol - protocol used modulo 0xffff

for the numbers of TCP, UDP, ICMP, ICMPv6, of IPv6 extension headers and tunnels, and 0; the same
in at least three packets with different right checksums.

## Example

vxcsum analyze captures/synthetic/vx509.pcap

## Usual causes

* A constant of another protocol in copied code.
* The Next Header field of the IPv6 header taken as it is, although extension headers follow.

## Look-alikes

* VX507: a wrong length; the differences are others.
* VX505: small residuals that vary.

## What to do

Correct the software that computes the checksum. Until then the tunnel works without an outer UDP
checksum, which RFC 7348 recommends in any case; a wrong inner checksum has no such way out.

## References

RFC 768; RFC 8200 section 8.1. Fact sheet: P48.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

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
    "VX509",
    "wrong-protocol",
    "The pseudo-header was computed with a wrong protocol number",
    Severity.ERROR,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path that shows the mistake."""
    yield from by_formula(
        context,
        RULE,
        fits,
        chance=one_in(9),
        formula="residual = protocol - protocol used",
        explanation=("The checksum is right but for the protocol number in the pseudo-header."),
        share=CONSTANT_SHARE,
        details=recovered,
    )


#: Protocol numbers that may have been used: none, ICMP, IPv4, TCP, UDP, IPv6, extension headers.
_NUMBERS = (0, 1, 4, 6, 17, 41, 43, 44, 58, 60)


def fits(sample: Sample) -> Bool:
    """Return where one wrong protocol number explains all residuals."""
    best = np.zeros(sample.rows.size, np.bool_)
    for number in _NUMBERS:
        fit = congruent(sample.residual, sample.protocol - number)
        fit &= sample.protocol != number
        if fit.sum() > best.sum():
            best = fit
    best &= sample.protocol != 1
    return best


def recovered(sample: Sample, mask: Bool) -> dict[str, Any]:
    """Return the protocol number that was used."""
    used = (sample.protocol[mask] - sample.residual[mask]) % MODULUS
    return {"protocol_used": int(used[0])}
