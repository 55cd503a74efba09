"""# VX402 minus-zero

## What it means

A TCP, ICMP or IPv4 header checksum is 0xffff where the usual arithmetic gives 0x0000. Both are
the same number in ones-complement arithmetic.

## Why it matters

Receivers that add everything up accept it. Those that compute the checksum anew and compare
drop the packet, about one in 65,000.

## How it is recognised

The checksum verifies, the field is 0xffff, and the protocol is not UDP.

## Example

    vxcsum analyze captures/synthetic/vx402.pcap

## Usual causes

* Incremental updates by the formula of RFC 1141, which RFC 1624 corrects.

## Look-alikes

* UDP: it sends 0xffff for 0.
* ICMP messages of zeros alone, such as an echo reply with identifier 0: their checksum is
  0xffff. Those whose type, code and identifier are 0 are not counted, whatever follows.

## What to do

Use the third equation of RFC 1624 for incremental updates.

## References

RFC 1624 section 4; RFC 1141. docs/fact-sheet.md, P31 and section 1.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.algebra import may_be_all_zero
from vxcsum.checksum.status import Status
from vxcsum.evidence.captures import Count, Seen
from vxcsum.packet.protocols import IPPROTO_UDP
from vxcsum.rules.model import Rule, Severity

if TYPE_CHECKING:
    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import Bool

RULE = Rule(
    "VX402",
    "minus-zero",
    "Checksums of 0xffff where 0x0000 is usual",
    Severity.INFO,
    sentence=(
        "These checksums are right in ones-complement arithmetic, but written as 0xffff "
        "where 0x0000 is usual; a receiver that compares instead of adding drops them."
    ),
)


def _always(seen: Seen) -> bool:
    return len(seen.table) > 0


def _minus_zero(table: PacketTable) -> Bool:
    out = np.zeros(len(table), np.bool_)
    for slot in ("outer_ip", "inner_ip", "inner_l4"):
        minus = table[f"{slot}_found"] == 0xFFFF
        if minus.any():
            minus &= table[f"{slot}_status"] == np.uint8(Status.VALID)
            if slot == "inner_l4":
                minus &= table["inner_protocol"] != IPPROTO_UDP
                minus &= ~may_be_all_zero(table)
            out |= minus
    return out


COUNT = Count(_minus_zero, _always)
