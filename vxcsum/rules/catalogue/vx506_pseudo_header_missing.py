"""# VX506 pseudo-header-missing

## What it means

The checksum covers the transport header and its data alone. The pseudo-header, with the
addresses, the protocol and the length, was not counted.

## Why it matters

Receivers that verify the checksum drop the packets. Others take them, so the mistake may go
unnoticed until a new kernel or device begins to verify.

## How it is recognised

The law:

    residual = S(pseudo-header)

It predicts the field of every packet, without any unknown. docs/diagnosis.md explains how laws
compete.

## Example

    vxcsum analyze captures/synthetic/vx506.pcap

## Usual causes

* Software that treats UDP, TCP or ICMPv6 like ICMPv4, which has no pseudo-header.

## Look-alikes

* VX503: the pseudo-header was counted twice. The sign is opposite.

## What to do

Correct the software that computes the checksum. A wrong outer checksum can be avoided until
then: send none, as RFC 7348 recommends. For a wrong inner checksum there is no such way.

## References

RFC 768; RFC 9293 section 3.1; RFC 8200 section 8.1. docs/fact-sheet.md, P45.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules.mistakes import both, congruent
from vxcsum.rules.model import Rule, Severity

if TYPE_CHECKING:
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.case import Case

RULE = Rule(
    "VX506",
    "pseudo-header-missing",
    "The pseudo-header was left out of the checksum",
    Severity.ERROR,
    formula="residual = S(pseudo-header)",
    sentence=("The checksum is right for the segment alone: the pseudo-header was not counted in."),
)


def _without(case: Case) -> list[Bool]:
    return [congruent(case.residual, case.pseudo) & (case.pseudo != 0)]


LAWS = both(_without)
