"""# VX205 placeholder-ffff

## What it means

The outer UDP checksum is 0xffff in every packet, whatever it carries: a mark that meant "to be
computed", which nobody did.

## Why it matters

Receivers verify it and drop all traffic of the tunnel, ping included.

## How it is recognised

The field is 0xffff and not right, and either the outer IPv4 header checksum is 0 as well, or
packets with inner ICMP or ARP have it, too.

## Example

vxcsum analyze captures/synthetic/vx205.pcap

## Usual causes

* Open vSwitch with a userspace datapath writes 0xffff into its tunnel template; a network card
  that does not do the outer checksum sends it as it is.

## Look-alikes

* VX101: only inner TCP and UDP, the IPv4 header is right, ICMP keeps its 0.
* A right checksum of 0xffff.

## What to do

`ovs-vsctl set Open_vSwitch . other_config:userspace-tso-enable=false`; `ethtool -K lan0 tx off`
for ice; newer Open vSwitch and DPDK.

## References

openvswitch/ovs-issues #321; metal-stack/metal-images #429. Fact sheet: P15.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.checksum.status import Status
from vxcsum.packet.columns import distinct
from vxcsum.rules.base import Confidence, Finding, Remedy, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX205",
    "placeholder-ffff",
    "A placeholder of 0xffff was left in the outer checksum",
    Severity.ERROR,
)

_FULL = 0xFFFF
_REMEDIES = (
    Remedy(
        "Open vSwitch with a userspace datapath",
        "ovs-vsctl set Open_vSwitch . other_config:userspace-tso-enable=false",
        "costs throughput of large transfers",
    ),
    Remedy("the underlay device, for example ice", "ethtool -K lan0 tx off"),
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path with the placeholder."""
    for place in context.places("outer_udp"):
        rows = place.rows[context.column("outer_udp_found", place.rows) == _FULL]
        if not rows.size:
            continue
        empty = context.column("outer_ip_status", rows) == Status.INVALID
        empty &= context.column("outer_ip_found", rows) == 0
        spares_nobody = (~context.transport_rows(rows)).any() and not place.zero
        if empty.all() or spares_nobody:
            seen = len(distinct(context.expected("outer_udp", rows)))
            context.claim(rows, "outer_udp")
            yield context.finding(
                RULE,
                rows,
                confidence=Confidence.CONFIRMED if seen > 1 else Confidence.LIKELY,
                explanation=(
                    "The outer checksum is 0xffff whatever the packet carries: a placeholder of "
                    "the software that built the packet, which no device replaced."
                ),
                evidence={
                    "found": "0xffff",
                    "ipv4_header_checksum_zero": int(empty.sum()),
                    "observations": seen,
                },
                remedies=_REMEDIES,
            )
