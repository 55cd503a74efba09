"""# VX904 big-tcp

## What it means

IP packets in this capture are too long for their 16-bit length fields (BIG TCP). The fields are
0, or a jumbo payload option has the length.

## Why it matters

Many tools misread such packets. Here their checksums are verified with all 32 bits of the
length.

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

RFC 2675; the-tcpdump-group/tcpdump #1396. docs/fact-sheet.md, P53.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.evidence.captures import Count, Seen
from vxcsum.rules.model import Rule, Severity

if TYPE_CHECKING:
    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX904",
    "big-tcp",
    "Packets of more than 64 KiB",
    Severity.INFO,
    sentence=("These packets are longer than a 16-bit length field can say."),
)


#: What a 16-bit length can say, and the header of IPv6.
_LONGEST = 0xFFFF + 40


def _there(seen: Seen) -> bool:
    return seen.large


def _longer(table: PacketTable) -> Bool:
    longer: Bool = np.maximum(table["inner_length"], table["outer_length"]) > _LONGEST
    return longer


COUNT = Count(_longer, _there)


def evidence(context: Context, capture: int) -> dict[str, int]:
    """Return what is said of a capture."""
    return {"largest_frame": context.evidence.captures[capture].largest_frame}
