"""# VX401 udp-zero-for-ffff

## What it means

A UDP checksum that came out as 0 was sent as 0, which means "no checksum". It has to be sent as
0xffff.

## Why it matters

Over IPv4 the datagram merely goes unprotected. Over IPv6 the receiver drops it: one packet in
65,536 is lost, which nobody ever finds.

## How it is recognised

found = 0 and expected = 0xffff

in a capture where every UDP checksum of 0 is of this kind, and the others are not 0.

## Example

vxcsum analyze captures/synthetic/vx401.pcap

## Usual causes

* An encapsulator or offload engine that leaves out the last step of RFC 768.

## Look-alikes

* A tunnel without checksums: there all are 0, and one in 65,536 by chance is of this kind.
* VX404: no checksum at all over IPv6.

## What to do

Correct the software or firmware: 0 becomes 0xffff.

## References

RFC 768; raspberrypi/linux #1832; gopacket PR #883. Fact sheet: P30.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.checksum.status import Status
from vxcsum.rules.base import Confidence, Finding, Rule, Severity
from vxcsum.rules.census import ICMP, ICMPV6, NONE, TCP, UDP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX401",
    "udp-zero-for-ffff",
    "A computed UDP checksum of 0 was sent as 0",
    Severity.WARNING,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture that shows it."""
    for number, _, seen in context.showing("zero_for_ffff"):
        if not _only_kind(context, number, seen.frames):
            continue
        yield context.counted(
            RULE,
            number,
            seen,
            confidence=Confidence.LIKELY,
            explanation=(
                "The right checksum of these datagrams is 0xffff, and they carry 0, while all "
                "others in the capture carry checksums: the step that turns 0 into 0xffff is "
                "missing."
            ),
        )


def _only_kind(context: Context, capture: int, exact: int) -> bool:
    """Tell whether all zeros of a capture are of this kind, among checksums that are not 0."""
    paths = [path for key, path in context.evidence.paths.items() if key[0] == capture]
    everything = (NONE, TCP, UDP, ICMP, ICMPV6)
    zeros = sum(p.outer(everything, Status.ZERO) + p.inner((UDP,), Status.ZERO) for p in paths)
    others = sum(
        p.outer(everything, Status.VALID, Status.PARTIAL)
        + p.inner((UDP,), Status.VALID, Status.PARTIAL)
        for p in paths
    )
    return zeros == exact and others > 0
