"""# VX304 padding-counted

## What it means

Octets behind the end of the packet, with which a short frame is filled up, were counted into the
checksum.

## Why it matters

Short packets fail: pure acknowledgements, SYNs, small pings, DNS. Larger ones pass.

## How it is recognised

residual = -k k octets of zero padding, counted into the length residual = -S(padding) - k padding
that is not zero residual = -S(padding) counted as data only

in at least three packets that have padding. Zero padding counted as data only changes nothing.

## Example

vxcsum analyze captures/synthetic/vx304.pcap

## Usual causes

* Software that takes the length of the packet from the frame instead of the IP header.
* Hypervisor switches that count a trailer into the inner checksum.

## Look-alikes

* VX507: a wrong length that has nothing to do with padding.
* Padding itself: it is harmless, and not covered by any checksum.

## What to do

Take lengths from the headers. As a test: larger packets (`ping -s 1000`) work.

## References

githedgehog/dataplane #1778; secdev/scapy #4906; Broadcom KB 385625. Fact sheet: P23.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.packet.columns import Kind
from vxcsum.rules.arithmetic import MODULUS, Sample, by_formula, congruent, one_in
from vxcsum.rules.base import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import I64, Bool
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX304",
    "padding-counted",
    "Padding was counted into the checksum",
    Severity.ERROR,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path on which padding was counted."""
    yield from by_formula(
        context,
        RULE,
        fits,
        chance=one_in(3),
        formula="residual = -S(padding) - k, k octets of padding",
        explanation=(
            "These packets are short and padded. Their checksums are right if the padding is "
            "counted in, which it must not be; larger packets are right."
        ),
        details=recovered,
        remedies=(),
    )


def padding(sample: Sample) -> tuple[I64, ...]:
    """Return number and sum of the octets behind each packet."""
    start = sample.column("inner_l4_offset").astype(np.int64)
    stop = start + sample.length
    vxlan = sample.column("kind") == Kind.VXLAN
    outer = sample.column("outer_udp_offset").astype(np.int64)
    outer += sample.column("outer_udp_length")
    count = np.where(vxlan, outer, sample.column("origlen")) - stop
    # Inside VXLAN the sum of the padding is what the other sums leave of the outer one.
    body = sample.residual - sample.pseudo
    rest = sample.column("outer_udp_residual").astype(np.int64) - sample.column("outer_udp_lco")
    sums = np.where(vxlan & (sample.column("outer_udp_status") > 0), rest - body, 0) % MODULUS
    return count, sums


def fits(sample: Sample) -> Bool:
    """Return where counting the padding in makes the checksum right."""
    if sample.place.slot != "inner_l4":
        return np.zeros(sample.rows.size, np.bool_)
    count, sums = padding(sample)
    # A zero outer checksum or a cut frame leaves no sum to compare with; then only the length.
    fit = congruent(sample.residual, -count) | congruent(sample.residual, -count - sums)
    fit |= congruent(sample.residual, -sums)
    # An odd packet has its first octet of padding in the low half of a word.
    lanes = sums * 256 % MODULUS
    fit |= congruent(sample.residual, -lanes) | congruent(sample.residual, -count - lanes)
    return fit & (count > 0) & (count < 64)


def recovered(sample: Sample, mask: Bool) -> dict[str, Any]:
    """Return the numbers of padding octets."""
    count, _ = padding(sample)
    return {"padding_octets": sorted(set(count[mask].tolist()))[:20]}
