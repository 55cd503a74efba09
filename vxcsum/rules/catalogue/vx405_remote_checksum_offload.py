"""# VX405 remote-checksum-offload

## What it means

The VXLAN header says that the inner checksum is unfinished on purpose. The far end of the
tunnel completes it.

## Why it matters

Nothing is wrong, as long as both ends know the extension.

## How it is recognised

By the flag 0x00200000 in the first word of the VXLAN header.

## Example

    vxcsum analyze captures/synthetic/vx405.pcap

## Usual causes

* A VXLAN device made with `remcsumtx`.

## Look-alikes

* VX202: unfinished checksums without that flag.

## What to do

Nothing. The receiving device needs `remcsumrx`.

## References

draft-herbert-vxlan-rco; Linux commits dfd8645ea1bd, 0ace2ca89cbd. docs/fact-sheet.md, P34.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.evidence.captures import Count, Seen
from vxcsum.packet.protocols import VXLAN_RCO
from vxcsum.rules import prices
from vxcsum.rules.model import Confidence, Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX405",
    "remote-checksum-offload",
    "The tunnel uses remote checksum offload",
    Severity.INFO,
    explains=True,
)


def _there(seen: Seen) -> bool:
    return bool(seen.inner[Status.PARTIAL])


def _flagged(table: PacketTable) -> Bool:
    remote: Bool = (table["vxlan_flags"] & VXLAN_RCO) != 0
    remote &= table["inner_l4_status"] == np.uint8(Status.PARTIAL)  # damage sets the flag alone
    return remote


COUNT = Count(_flagged, _there)


def _used(context: Context) -> Iterator[int]:
    for number, capture, seen in context.showing(RULE.code):
        if seen.frames >= max(
            prices.MANY_FLAGS, prices.MIN_SHARE_OF_FLAGS * capture.seen("VX201").frames
        ):
            yield number


def exempt(context: Context) -> None:
    """Claim the inner checksums of flagged packets: they are finished at the far end."""
    for number in _used(context):
        flagged = (context.suspects["vxlan_flags"] & VXLAN_RCO) != 0
        flagged &= context.suspects["capture"] == number
        context.exempt(RULE.code, np.flatnonzero(flagged), "inner_l4")


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture that shows it."""
    for number in _used(context):
        yield context.counted(
            RULE,
            number,
            context.evidence.captures[number].seen(RULE.code),
            confidence=Confidence.CONFIRMED,
            explanation=(
                "These packets carry the flag of remote checksum offload: their inner checksum is "
                "finished at the far end of the tunnel."
            ),
        )
