"""# VX507 wrong-length

## What it means

The length in the pseudo-header is not that of the segment. It is 0, or a header too much or too
little was counted in.

## Why it matters

Receivers that verify the checksum drop the packets. Others take them, so the mistake may go
unnoticed until a new kernel or device begins to verify.

## How it is recognised

The law:

    residual = length - length used      modulo 0xffff

The length used is 0, or differs by the size of a UDP, TCP, IPv4, IPv6 or Ethernet header.
docs/diagnosis.md explains how laws compete.

## Example

    vxcsum analyze captures/synthetic/vx507.pcap

## Usual causes

* The IP total length was taken for that of the segment, or the payload length for the datagram
  length.
* A template for segmentation, which has length 0, was sent as it is.

## Look-alikes

* VX102, VX104: NAT between neighbouring addresses or ports leaves a small constant, too.
  Packets of another length decide, or another flow.
* VX509: the protocol number is wrong. The differences are others.
* VX304: padding was counted in, so the difference depends on the length.

## What to do

Correct the software that computes the checksum. A wrong outer checksum can be avoided until
then: send none, as RFC 7348 recommends. For a wrong inner checksum there is no such way.

## References

RFC 768; RFC 9293 section 3.1; RFC 8200 section 8.1. docs/fact-sheet.md, P46.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.rules.case import MODULUS
from vxcsum.rules.mistakes import both, congruent
from vxcsum.rules.model import Rule, Severity
from vxcsum.rules.prices import OCTET, SIGN

if TYPE_CHECKING:
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.case import Case
    from vxcsum.rules.law import Reading

RULE = Rule(
    "VX507",
    "wrong-length",
    "The pseudo-header was computed with a wrong length",
    Severity.ERROR,
    apart={
        "VX104": "the packet before a translator, or another destination",
        "VX102": "the packet before a translator, or another destination",
        "VX302": "the way back, or a second service",
        "VX600": "packets of other lengths",
    },
    formula="residual = length - length used",
    sentence=("The checksum is right but for the length in the pseudo-header."),
)

#: Header sizes by which the length may be off: UDP, Ethernet, TCP or IPv4, TCP with options, IPv6.
_OFF_BY = (8, -8, -14, 20, -20, 28, -28, 32, -34, 40, -40, -54)


def _wrong_length(case: Case) -> list[Bool]:
    there = case.pseudo != 0  # ICMP over IPv4 has no pseudo-header
    return [there & congruent(case.residual, off) for off in (case.length, *_OFF_BY)]


LAWS = both(_wrong_length, form_bits=SIGN + OCTET)


def recovered(case: Case, reading: Reading) -> dict[str, int]:
    """Return by how much the length was off."""
    row = int(np.flatnonzero(reading.mask)[0])
    if int(reading.details["option"][row]) == 0:
        return {"length_used": 0}
    residual = int(case.residual[row])
    return {"length_off_by": -(residual if residual <= MODULUS // 2 else residual - MODULUS)}
