"""# VX501 swapped-octets

## What it means

The checksum was computed correctly and stored with its octets in the wrong order.

## Why it matters

Receivers that verify the checksum drop the packets. Others take them, so the mistake may go
unnoticed until a new kernel or device begins to verify.

## How it is recognised

The law:

    swap16(found) = expected
    residual = 256 * expected - expected      modulo 0xffff

It predicts the field of every packet, without any unknown. docs/diagnosis.md explains how laws
compete.

## Example

    vxcsum analyze captures/synthetic/vx501.pcap

## Usual causes

* A missing `htons()`, or one too many, in software that writes headers.

## Look-alikes

* VX504: the complement is missing.
* A checksum whose octets are equal looks the same either way, and is right.

## What to do

Correct the software that computes the checksum. A wrong outer checksum can be avoided until
then: send none, as RFC 7348 recommends. For a wrong inner checksum there is no such way.

## References

RFC 1071 section 2(B). docs/fact-sheet.md, P40.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules.case import MODULUS
from vxcsum.rules.mistakes import both, congruent
from vxcsum.rules.model import Rule, Severity
from vxcsum.rules.prices import CLAIMS

if TYPE_CHECKING:
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.case import Case

RULE = Rule(
    "VX501",
    "swapped-octets",
    "The two octets of the checksum are swapped",
    Severity.ERROR,
    formula="swap16(found) = expected",
    sentence=(
        "The field is the right checksum with its two octets exchanged: the software that "
        "wrote it took the byte order of the host for that of the network."
    ),
)


def _swapped(case: Case) -> list[Bool]:
    return [congruent(case.found * 256 % MODULUS, case.expected)]


LAWS = both(_swapped, claim=CLAIMS["VX501"])
