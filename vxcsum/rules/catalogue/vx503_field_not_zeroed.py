"""# VX503 field-not-zeroed

## What it means

The checksum was computed while its field still held something, and that was added in. It held
the pseudo-header sum that the kernel leaves for a device (`CHECKSUM_PARTIAL`).

## Why it matters

Receivers that verify the checksum drop the packets. Others take them, so the mistake may go
unnoticed until a new kernel or device begins to verify.

## How it is recognised

The law:

    residual = -S(pseudo-header)      modulo 0xffff

It predicts the field of every packet, without any unknown. docs/diagnosis.md explains how laws
compete.

## Example

    vxcsum analyze captures/synthetic/vx503.pcap

## Usual causes

* A forwarder that completes partial checksums in software: it sums the whole packet,
  pseudo-header included, and does not clear the field first.

## Look-alikes

* VX201: the pseudo-header sum alone stands in the field.
* VX506: the pseudo-header was left out. The sign is opposite.

## What to do

Correct the software that computes the checksum. A wrong outer checksum can be avoided until
then: send none, as RFC 7348 recommends. For a wrong inner checksum there is no such way.

## References

RFC 1071 section 1; Linux skb_checksum_help(). docs/fact-sheet.md, P42.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules.mistakes import both, congruent
from vxcsum.rules.model import Rule, Severity

if TYPE_CHECKING:
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.case import Case

RULE = Rule(
    "VX503",
    "field-not-zeroed",
    "The old content of the checksum field was counted in",
    Severity.ERROR,
    formula="residual = -S(pseudo-header)",
    sentence=(
        "The checksum was computed over the packet while the pseudo-header sum that the kernel "
        "leaves in the field was still there, so that sum was counted twice."
    ),
)


def _counted_twice(case: Case) -> list[Bool]:
    return [congruent(case.residual, -case.pseudo)]


LAWS = both(_counted_twice)
