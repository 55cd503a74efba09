"""# VX505 carries-lost

## What it means

The sum was cut to 16 bits, and the carries were not added back in at the low end.

## Why it matters

Receivers that verify the checksum drop the packets. Others take them, so the mistake may go
unnoticed until a new kernel or device begins to verify.

## How it is recognised

The law:

    residual = number of lost carries

The number is at most that of the 16-bit words. It grows with the length of the packet and
differs from packet to packet. docs/diagnosis.md explains how laws compete.

## Example

    vxcsum analyze captures/synthetic/vx505.pcap

## Usual causes

* A 16-bit accumulator, or a single fold where two are needed.

## Look-alikes

* VX507, VX509: the residual is small, too, but the same whatever the packet contains.

## What to do

Correct the software that computes the checksum. A wrong outer checksum can be avoided until
then: send none, as RFC 7348 recommends. For a wrong inner checksum there is no such way.

## References

RFC 1071 section 2(A). docs/fact-sheet.md, P44.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.rules.mistakes import both, congruent
from vxcsum.rules.model import Rule, Severity

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64, AnyArray, Bool
    from vxcsum.rules.case import Case

RULE = Rule(
    "VX505",
    "carries-lost",
    "Carries of the sum were lost",
    Severity.ERROR,
    apart={"VX507": "packets of other lengths", "VX509": "packets of other lengths"},
    formula="residual = number of lost carries",
    sentence=(
        "The residuals are small and positive, as many as a 16-bit sum of such a packet loses "
        "carries: they were dropped where ones-complement addition adds them at the low end."
    ),
)

#: Octets of a pseudo-header, at most.
_PSEUDO_HEADER = 40


def _words(case: Case) -> I64:
    return (case.length + _PSEUDO_HEADER) // 2


def _carries(case: Case) -> list[Bool]:
    plausible = (case.residual > 0) & (case.residual <= _words(case))
    return [plausible & ~congruent(case.residual, case.length)]


def _open(case: Case) -> AnyArray:
    return np.log2(np.maximum(_words(case), 2))


LAWS = both(_carries, open_bits=_open)
