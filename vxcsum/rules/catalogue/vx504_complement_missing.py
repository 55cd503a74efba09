"""# VX504 complement-missing

## What it means

The field holds the sum of the packet. The checksum is the complement of that sum.

## Why it matters

Receivers that verify the checksum drop the packets. Others take them, so the mistake may go
unnoticed until a new kernel or device begins to verify.

## How it is recognised

The law:

    found = -expected                 modulo 0xffff
    residual = -2 * expected          modulo 0xffff

It predicts the field of every packet, without any unknown. docs/diagnosis.md explains how laws
compete.

## Example

    vxcsum analyze captures/synthetic/vx504.pcap

## Usual causes

* Software that mixes up a function for partial sums with one for finished checksums.

## Look-alikes

* VX201: the sum of the pseudo-header alone, which is left there on purpose.
* VX501: the octets are swapped.

## What to do

Correct the software that computes the checksum. A wrong outer checksum can be avoided until
then: send none, as RFC 7348 recommends. For a wrong inner checksum there is no such way.

## References

RFC 1071 section 1. docs/fact-sheet.md, P43.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules.mistakes import both, congruent
from vxcsum.rules.model import Rule, Severity
from vxcsum.rules.prices import CLAIMS

if TYPE_CHECKING:
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.case import Case

RULE = Rule(
    "VX504",
    "complement-missing",
    "The sum was stored without its complement",
    Severity.ERROR,
    formula="found = S(pseudo-header) + S(packet), not complemented",
    sentence=(
        "The field holds the plain sum: the last step of the computation, taking the "
        "complement, is missing."
    ),
)


def _plain_sum(case: Case) -> list[Bool]:
    return [congruent(case.found, -case.expected)]


LAWS = both(_plain_sum, claim=CLAIMS["VX504"])
