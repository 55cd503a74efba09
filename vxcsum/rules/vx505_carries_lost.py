"""# VX505 carries-lost

## What it means

The sum was cut to 16 bits without adding the carries back in at the low end.

## Why it matters

Receivers that verify the checksum drop the packets. Others take them, so the mistake may go
unnoticed until a new kernel or device begins to look.

## How it is recognised

residual = number of lost carries

It is at most the number of 16-bit words, grows with the length of the packet, and differs from
packet to packet.

## Example

vxcsum analyze captures/synthetic/vx505.pcap

## Usual causes

* A 16-bit accumulator, or a single fold where two are needed.

## Look-alikes

* VX507, VX509: a small residual, too, but the same whatever the packet contains.

## What to do

Correct the software that computes the checksum. Until then the tunnel works without an outer UDP
checksum, which RFC 7348 recommends in any case; a wrong inner checksum has no such way out.

## References

RFC 1071 section 2(A). Fact sheet: P44.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.rules.arithmetic import Sample, by_formula
from vxcsum.rules.base import Finding, Remedy, Rule, Severity
from vxcsum.rules.unexplained import SPORADIC_SHARE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import Bool
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX505",
    "carries-lost",
    "Carries of the sum were lost",
    Severity.ERROR,
)

_REMEDIES = (
    Remedy(
        "the software that sends these packets",
        "correct how it computes the checksum, or send no outer UDP checksum (RFC 7348 section 5)",
    ),
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path that shows the mistake."""
    yield from by_formula(
        context,
        RULE,
        fits,
        chance=chance_of,
        formula="residual = number of lost carries",
        explanation=(
            "The residuals are small and positive, as many as a 16-bit sum of such a packet loses "
            "carries: they were dropped where ones-complement addition adds them at the low end."
        ),
        remedies=_REMEDIES,
    )


def fits(sample: Sample) -> Bool:
    """Return where the residual is a plausible number of carries.

    The numbers vary with what the packets contain, and every packet of the sender is concerned:
    small residuals that are constant, or rare, have other causes.
    """
    words = (sample.length + 40) // 2
    fit: Bool = (sample.residual > 0) & (sample.residual <= words)
    varied = np.unique(sample.residual[fit]).size > 1
    common = fit.sum() > SPORADIC_SHARE * sample.place.path.frames
    return fit & (varied and bool(common))


def chance_of(sample: Sample) -> float:
    """Return the share of fields that are a plausible number of carries away."""
    return float(((sample.length + 40) // 2).mean()) / 0xFFFF
