"""# VX502 odd-octet-misplaced

## What it means

Packets of odd length have wrong checksums, because their last octet was added as the low half of
a word. It belongs into the high half, with a zero octet behind it.

## Why it matters

Receivers that verify the checksum drop the packets. Others take them, so the mistake may go
unnoticed until a new kernel or device begins to look.

## How it is recognised

residual = 255 * b b the last octet, 0 to 255

in at least three packets, all of odd length. Packets of even length are right.

## Example

vxcsum analyze captures/synthetic/vx502.pcap

## Usual causes

* Hand-written summing loops, above all those ported between byte orders.

## Look-alikes

* VX304: octets of padding were counted.
* VX601: damage; it does not care about lengths.

## What to do

Correct the software that computes the checksum. Until then the tunnel works without an outer UDP
checksum, which RFC 7348 recommends in any case; a wrong inner checksum has no such way out.

## References

RFC 1071 sections 1 and 4.1. Fact sheet: P41.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.rules.arithmetic import Sample, by_formula, one_in
from vxcsum.rules.base import Finding, Rule, Severity
from vxcsum.rules.unexplained import SPORADIC_SHARE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import Bool
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX502",
    "odd-octet-misplaced",
    "The last octet of odd-length packets was added on the wrong side",
    Severity.ERROR,
)


#: Packets of odd length that damage hits alone with a probability of one in 256.
_MANY = 8
#: The same where they are a good part of all packets.
_FEW = 6


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path that shows the mistake."""
    yield from by_formula(
        context,
        RULE,
        fits,
        chance=one_in(256),
        believable=all_odd,
        formula="residual = 255 * last octet, odd lengths only",
        explanation=(
            "Only packets of odd length are wrong, each by 255 times one octet: the last octet was "
            "added in the low half of its word, where it belongs into the high half."
        ),
    )


def fits(sample: Sample) -> Bool:
    """Return where the residual is 255 times an octet and the length is odd."""
    octet, rest = np.divmod(sample.residual, 255)
    fit: Bool = (rest == 0) & (octet <= 255) & (sample.length % 2 == 1)
    return fit & bool((sample.length % 2 == 1).all())


def all_odd(sample: Sample, mask: Bool) -> bool:
    """Tell whether so many packets are concerned that octets exchanged by damage are no reason.

    Exchanging the octets of any word leaves a multiple of 255 as well, in half of the cases in
    a packet of odd length.
    """
    common = mask.sum() > SPORADIC_SHARE * sample.place.path.frames
    hits = int(mask.sum())
    return hits >= _MANY or (bool(common) and hits >= _FEW)
