"""# VX203 outer-partial

## What it means

The outer UDP checksum is the un-complemented sum of its pseudo-header: it is left to a device.
The inner packet has a finished checksum, or none.

## Why it matters

Captured before the device it means nothing. On the wire the receiver drops the packet.

## How it is recognised

The inner checksum is not partial, and the outer field is:

    outer field = S(outer pseudo-header)

## Example

    vxcsum analyze captures/netns/udpcsum_nonat_vethtxon_rx.pcap

## Usual causes

* The sender of a tunnel with outer checksums, for inner ICMP, ARP and IPv6 neighbour discovery.
* On the wire: a network card that does not complete outer checksums on tunnel ports (hns3
  before its fixes).

## Look-alikes

* VX201: the inner checksum is unfinished as well.
* VX102: the outer checksum is wrong, and is no pseudo-header sum.

## What to do

Nothing, for a capture from the sending host. If this was captured at the receiver, say so with
`--vantage receiver`: then it is the cause. Switch offload off on the underlay device of the
sender, the first line alone or both:

    ethtool -K eth0 tx-udp_tnl-csum-segmentation off
    ethtool -K eth0 tx off

## References

Linux udp_set_csum() in net/ipv4/udp.c; commits 3db084d28dc0, a156998fc92d, 905416f18fe7 (hns3);
flannel-io/flannel #1863. docs/fact-sheet.md, P12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Reason, Status
from vxcsum.evidence.captures import Count, Seen
from vxcsum.rules.model import Confidence, Finding, Rule, Severity
from vxcsum.rules.vantage import vantage_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX203",
    "outer-partial",
    "Unfinished outer checksums",
    Severity.INFO,
    wrong=Status.PARTIAL,
    layers=("outer_udp",),
)


def _there(seen: Seen) -> bool:
    return bool(seen.outer[Status.PARTIAL])


def _alone(table: PacketTable) -> Bool:
    partial: Bool = table["outer_udp_status"] == np.uint8(Status.PARTIAL)
    partial &= table["outer_udp_reason"] != np.uint8(Reason.LCO)
    partial &= table["inner_l4_status"] != np.uint8(Status.PARTIAL)
    return partial


COUNT = Count(_alone, _there)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture that shows it."""
    for number, capture, seen in context.showing(RULE.code):
        yield context.counted(
            RULE,
            number,
            seen,
            confidence=Confidence.LIKELY,
            explanation=(
                "The outer checksum of these packets is left to the device. That is how packets "
                "without an inner TCP or UDP checksum look before it; on the wire they would be "
                "dropped."
            ),
            evidence={"vantage": vantage_of(capture, context.asked_vantage).where},
            severity=(
                Severity.ERROR
                if vantage_of(capture, context.asked_vantage).where == "wire"
                else Severity.INFO
            ),
        )
