"""# VX401 udp-zero-for-ffff

## What it means

A UDP checksum that came out as 0 was sent as 0, which means "no checksum". It has to be sent as
0xffff.

## Why it matters

Over IPv4 the datagram merely goes unprotected. Over IPv6 the receiver drops it. One packet in
65,536 is lost, and nobody ever finds out why.

## How it is recognised

In a capture whose other UDP checksums are not 0, every 0 is of this kind:

    found = 0 and expected = 0xffff

## Example

    vxcsum analyze captures/synthetic/vx401.pcap

## Usual causes

* An encapsulator or offload engine that leaves out the last step of RFC 768.

## Look-alikes

* A tunnel without checksums: there all are 0, and one in 65,536 is of this kind by chance.
* VX404: no checksum at all over IPv6.

## What to do

Correct the software or firmware: 0 becomes 0xffff.

## References

RFC 768; raspberrypi/linux #1832; gopacket PR #883. docs/fact-sheet.md, P30.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.evidence.captures import Count, Seen
from vxcsum.evidence.census import UDP
from vxcsum.packet.columns import Coverage
from vxcsum.rules.model import Confidence, Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX401",
    "udp-zero-for-ffff",
    "A computed UDP checksum of 0 was sent as 0",
    Severity.WARNING,
    wrong=Status.ZERO,
)


def _there(seen: Seen) -> bool:
    return bool(seen.outer[Status.ZERO] or seen.inner[Status.ZERO])


def _exact(table: PacketTable) -> Bool:
    out = np.zeros(len(table), np.bool_)
    for slot in ("outer_udp", "inner_l4"):
        exact = (table[f"{slot}_status"] == np.uint8(Status.ZERO)) & (
            table[f"{slot}_residual"] == 0
        )
        exact &= table[f"{slot}_coverage"] == np.uint8(Coverage.COMPLETE)
        out |= exact
    return out


COUNT = Count(_exact, _there)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture that shows it."""
    for number, _, seen in context.showing(RULE.code):
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
    seen = context.histogram(capture)
    outer, inner = seen.sum(axis=(0, 1, 2, 4)), seen[:, :, UDP].sum(axis=(0, 1, 2))
    zeros = int(outer[Status.ZERO] + inner[Status.ZERO])
    others = sum(int(outer[s] + inner[s]) for s in (Status.VALID, Status.PARTIAL))
    return zeros == exact and others > 0
