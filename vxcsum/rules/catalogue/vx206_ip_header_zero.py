"""# VX206 ip-header-zero

## What it means

The IPv4 header checksum is 0 where another value is right: it was left to the device.

## Why it matters

In a capture from the sending host it means nothing. On the wire, routers drop the packet.

## How it is recognised

The field is 0, and the sum of the header expects another value. 0 is the right value of about
one header in 65,536; such a header is valid.

## Example

    vxcsum analyze captures/synthetic/vx206.pcap

## Usual causes

* IPv4 transmit checksum offload on the capturing host, Windows among them.
* Packets made by tools that leave the field empty.

## Look-alikes

* VX205: a placeholder in the outer UDP checksum, together with this.

## What to do

Nothing, unless the capture comes from the receiving host.

## References

RFC 791 section 3.1; Wireshark "may be caused by IP checksum offload". docs/fact-sheet.md, P16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.rules.model import Confidence, Finding, Rule, Severity
from vxcsum.rules.vantage import vantage_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX206",
    "ip-header-zero",
    "IPv4 header checksums are 0: left to the device",
    Severity.INFO,
    explains=True,
)


def exempt(context: Context) -> None:
    """Claim the header checksums that are empty: nothing else is to explain them."""
    for slot in ("outer_ip", "inner_ip"):
        hit = context.still_open(slot) & (context.suspects[f"{slot}_found"] == 0)
        context.exempt(RULE.code, np.flatnonzero(hit), slot)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture with empty IPv4 header checksums."""
    for capture, rows in context.exempted(RULE.code):
        vantage = vantage_of(context.evidence.captures[capture], context.asked_vantage)
        on_wire = vantage.given and vantage.where == "wire"
        yield context.finding(
            RULE,
            rows,
            confidence=Confidence.LIKELY,
            explanation=(
                "The IPv4 header checksum of these packets is 0, as it is before a device or a "
                "driver fills it in. Captured on the sending host that is normal; on the wire a "
                "router drops them."
            ),
            evidence={"found": "0x0000", "vantage": vantage.where},
            severity=Severity.ERROR if on_wire else Severity.INFO,
        )
