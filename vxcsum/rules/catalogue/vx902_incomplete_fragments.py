"""# VX902 incomplete-fragments

## What it means

Datagrams were sent in IP fragments, and some of the fragments are not in the capture.

## Why it matters

The checksum covers the whole datagram. Without all fragments it cannot be verified, and is
counted as `unverifiable`. Fragmented VXLAN packets cost throughput in any case: the MTU of the
overlay is too large.

## How it is recognised

A first fragment whose others are not found within the next 4,096 frames.

## Example

    vxcsum analyze captures/netns/udpcsum_nonat_frag_rx.pcap

## Usual causes

* A capture filter on a UDP port: later fragments have no UDP header and do not match.
* Fragments that were lost.

## Look-alikes

* Complete sets of fragments: they are verified by adding the sums of the fragments.

## What to do

Capture with a filter that keeps fragments, and lower the MTU of the overlay until there are
none.

## References

RFC 791 section 3.2; RFC 8200 section 4.5; RFC 7348 section 4.3. docs/fact-sheet.md, P51.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.fragments import WINDOW
from vxcsum.checksum.status import Reason
from vxcsum.evidence.captures import Count, Seen, any_reason
from vxcsum.rules.model import Remedy, Rule, Severity

if TYPE_CHECKING:
    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX902",
    "incomplete-fragments",
    "Fragments are missing, so some checksums cannot be verified",
    Severity.INFO,
    sentence=(
        "These frames begin fragmented datagrams whose other fragments are not in the capture."
    ),
    remedies=(
        Remedy(
            "capture again, with fragments",
            "tcpdump -s 0 'udp port 4789 or (ip[6:2] & 0x3fff != 0) or ip6[6] = 44'",
        ),
    ),
)


def _there(seen: Seen) -> bool:
    return seen.unverifiable


def _open(table: PacketTable) -> Bool:
    return any_reason(table, np.uint8(Reason.FRAGMENT))


COUNT = Count(_open, _there)


def evidence(context: Context, capture: int) -> dict[str, int]:
    """Return what is said of a capture."""
    del context, capture
    return {"searched_frames": WINDOW}
