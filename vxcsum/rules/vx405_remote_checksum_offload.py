"""# VX405 remote-checksum-offload

## What it means

The VXLAN header says that the inner checksum is deliberately unfinished and completed at the far
end of the tunnel.

## Why it matters

Nothing is wrong, as long as both ends know the extension.

## How it is recognised

The flag 0x00200000 in the first word of the VXLAN header.

## Example

vxcsum analyze captures/synthetic/vx405.pcap

## Usual causes

* A VXLAN device made with `remcsumtx`.

## Look-alikes

* VX202: unfinished checksums without that flag.

## What to do

Nothing. The receiving device needs `remcsumrx`.

## References

draft-herbert-vxlan-rco; Linux commits dfd8645ea1bd, 0ace2ca89cbd. Fact sheet: P34.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.packet.protocols import VXLAN_RCO
from vxcsum.rules.base import Confidence, Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX405",
    "remote-checksum-offload",
    "The tunnel uses remote checksum offload",
    Severity.INFO,
)


#: A single flag may be damage; those who use the extension set it in all packets with payload.
_MANY = 2
_MIN_SHARE = 0.1


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture that shows it."""
    for number, capture in context.capture_evidence():
        seen = capture.remote_offload
        if seen.frames < max(_MANY, _MIN_SHARE * capture.partial.frames):
            continue
        flagged = (context.suspects["vxlan_flags"] & VXLAN_RCO) != 0
        flagged &= context.suspects["capture"] == number
        context.claim(np.flatnonzero(flagged), "inner_l4")
        yield context.counted(
            RULE,
            number,
            seen,
            confidence=Confidence.CONFIRMED,
            explanation=(
                "These packets carry the flag of remote checksum offload: their inner checksum is "
                "finished at the far end of the tunnel."
            ),
        )
