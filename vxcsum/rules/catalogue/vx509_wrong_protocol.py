"""# VX509 wrong-protocol

## What it means

The protocol number in the pseudo-header is not that of the segment.

## Why it matters

Receivers that verify the checksum drop the packets. Others take them, so the mistake may go
unnoticed until a new kernel or device begins to verify.

## How it is recognised

The law:

    residual = protocol - protocol used      modulo 0xffff

The numbers used are those of TCP, UDP, ICMP, ICMPv6, of IPv6 extension headers and tunnels,
and 0. docs/diagnosis.md explains how laws compete.

## Example

    vxcsum analyze captures/synthetic/vx509.pcap

## Usual causes

* A constant of another protocol in copied code.
* The Next Header field of the IPv6 header was taken as it is, although extension headers
  follow.

## Look-alikes

* VX302, VX600 with a constant, VX908 with renamed addresses: a constant, too. The way back
  decides, or a second service.
* VX507: a wrong length. The differences are others.
* VX505: small residuals that vary.

## What to do

Correct the software that computes the checksum. A wrong outer checksum can be avoided until
then: send none, as RFC 7348 recommends. For a wrong inner checksum there is no such way.

## References

RFC 768; RFC 8200 section 8.1. docs/fact-sheet.md, P48.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.packet.protocols import IPPROTO_ICMP
from vxcsum.rules.mistakes import both, congruent
from vxcsum.rules.model import Rule, Severity
from vxcsum.rules.prices import OCTET

if TYPE_CHECKING:
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.case import Case
    from vxcsum.rules.law import Reading

RULE = Rule(
    "VX509",
    "wrong-protocol",
    "The pseudo-header was computed with a wrong protocol number",
    Severity.ERROR,
    apart={
        "VX104": "the packet before a translator, or another destination",
        "VX102": "the packet before a translator, or another destination",
        "VX302": "the way back, or a second service",
    },
    formula="residual = protocol - protocol used",
    sentence=("The checksum is right but for the protocol number in the pseudo-header."),
)

#: Protocol numbers that may have been used: none, ICMP, IPv4, TCP, UDP, IPv6, extension headers.
_NUMBERS = (0, 1, 4, 6, 17, 41, 43, 44, 58, 60)


def _wrong_number(case: Case) -> list[Bool]:
    there = case.protocol != IPPROTO_ICMP
    return [
        there & (case.protocol != number) & congruent(case.residual, case.protocol - number)
        for number in _NUMBERS
    ]


LAWS = both(_wrong_number, form_bits=OCTET)


def recovered(case: Case, reading: Reading) -> dict[str, int]:
    """Return the protocol number that was used."""
    del case
    row = int(np.flatnonzero(reading.mask)[0])
    return {"protocol_used": _NUMBERS[int(reading.details["option"][row])]}
