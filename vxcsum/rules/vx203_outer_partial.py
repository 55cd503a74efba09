"""# VX203 outer-partial

## What it means

The outer UDP checksum is the un-complemented sum of its pseudo-header: it is left to the device.
The inner packet has no checksum that could be, or a finished one.

## Why it matters

Captured before the device it means nothing. On the wire the receiver drops the packet.

## How it is recognised

outer field = S(outer pseudo-header)

and the inner checksum is not partial.

## Example

vxcsum analyze captures/netns/udpcsum_nonat_vethtxon_rx.pcap

## Usual causes

* The sender of a tunnel with outer checksums, for inner ICMP, ARP and IPv6 neighbour discovery.
* On the wire: a network card that does not complete outer checksums on tunnel ports (hns3 before
  its fixes).

## Look-alikes

* VX201: the inner checksum is unfinished as well.
* VX102: the outer checksum is wrong, and no pseudo-header sum.

## What to do

Nothing for a capture from the sending host. On the wire: `ethtool -K eth0
tx-udp_tnl-csum-segmentation off` or `ethtool -K eth0 tx off` on the underlay device.

## References

Linux udp_set_csum() in net/ipv4/udp.c; commits 3db084d28dc0, a156998fc92d, 905416f18fe7 (hns3).
Fact sheet: P12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules.base import Confidence, Finding, Rule, Severity
from vxcsum.rules.vantage import vantage_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX203",
    "outer-partial",
    "Unfinished outer checksums",
    Severity.INFO,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture that shows it."""
    for number, capture, seen in context.showing("outer_partial"):
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
