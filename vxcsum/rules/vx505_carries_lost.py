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

from vxcsum.packet.columns import distinct
from vxcsum.rules.arithmetic import MIN_SHARE, Sample, by_formula, congruent
from vxcsum.rules.base import Finding, Rule, Severity
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


#: Single flipped bits leave small residuals as well: more packets, and nearly all, have to fit.
_MIN_PACKETS, _MIN_SHARE = 5, 0.9


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path that shows the mistake."""
    yield from by_formula(
        context,
        RULE,
        fits,
        chance=chance_of,
        believable=varied,
        share=_MIN_SHARE,
        formula="residual = number of lost carries",
        explanation=(
            "The residuals are small and positive, as many as a 16-bit sum of such a packet loses "
            "carries: they were dropped where ones-complement addition adds them at the low end."
        ),
    )


def fits(sample: Sample) -> Bool:
    """Return where the residual is a plausible number of carries."""
    words = (sample.length + 40) // 2
    fit: Bool = (sample.residual > 0) & (sample.residual <= words)
    return fit


def varied(sample: Sample, mask: Bool) -> bool:
    """Tell whether the numbers differ within a flow, and most packets are concerned.

    They depend on what a packet contains. Small residuals that are constant for a flow come from
    NAT or from a wrong constant, rare ones from damage.
    """
    if mask.sum() < max(_MIN_PACKETS, SPORADIC_SHARE * sample.place.path.frames):
        return False
    if congruent(sample.residual, sample.length)[mask].mean() > MIN_SHARE:
        return False  # a length of 0: VX507
    level = "outer" if sample.place.slot == "outer_udp" else "inner"
    ports = sample.column(f"{level}_sport")[mask].astype(np.int64) << 16
    ports += sample.column(f"{level}_dport")[mask]
    pairs = np.unique(np.column_stack((ports, sample.residual[mask])), axis=0)
    return len(pairs) > distinct(ports).size


def chance_of(sample: Sample) -> float:
    """Return the share of fields that are a plausible number of carries away."""
    return float(((sample.length + 40) // 2).mean()) / 0xFFFF
