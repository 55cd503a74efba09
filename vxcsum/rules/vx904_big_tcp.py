"""# VX904 big-tcp

## What it means

IP packets in this capture are too long for their 16-bit length fields: the fields are 0, or a
jumbo payload option has the length (BIG TCP).

## Why it matters

Many tools misread such packets. Here their checksums are verified with all 32 bits of the length.

## How it is recognised

An IP length beyond 65,535 octets, taken from the frame or from the jumbo payload option.

## Example

vxcsum analyze captures/synthetic/vx904.pcap

## Usual causes

* `gso_max_size` or `gro_max_size` above 65,536 on a device (Linux 5.19 for IPv6, 6.3 for IPv4).

## Look-alikes

* VX903: up to 64 KiB.
* A length of 0 in a short frame, as some drivers leave it for segmentation.

## What to do

Nothing.

## References

RFC 2675; the-tcpdump-group/tcpdump #1396. Fact sheet: P53.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules.base import Confidence, Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX904",
    "big-tcp",
    "Packets of more than 64 KiB",
    Severity.INFO,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture that shows it."""
    for number, capture, seen in context.showing("big_tcp"):
        yield context.counted(
            RULE,
            number,
            seen,
            confidence=Confidence.CONFIRMED,
            explanation=("These packets are longer than a 16-bit length field can say."),
            evidence={"largest_frame": capture.largest_frame},
        )
