"""# VX404 ipv6-inner-udp-zero

## What it means

A UDP datagram over IPv6 inside the tunnel has a checksum of 0.

## Why it matters

Hosts must drop it: over IPv6 the checksum is required.

## How it is recognised

The inner IP version is 6, the UDP field is 0, and the destination port is not one of a tunnel.

## Example

    vxcsum analyze captures/synthetic/vx404.pcap

## Usual causes

* Software that treats UDP over IPv6 like UDP over IPv4.
* A translator from IPv4 that passes on a 0.

## Look-alikes

* VX403: the outer header. Tunnels may go without.
* VX401: a computed 0 that was not sent as 0xffff.

## What to do

Make the sender compute the checksum.

## References

RFC 8200 section 8.1; RFC 6935. docs/fact-sheet.md, P33.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.evidence.captures import Count, Seen
from vxcsum.evidence.census import UDP
from vxcsum.packet.columns import Kind
from vxcsum.packet.protocols import UDP_TUNNEL_PORTS
from vxcsum.rules import prices
from vxcsum.rules.model import Confidence, Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX404",
    "ipv6-inner-udp-zero",
    "UDP over IPv6 inside the tunnel without a checksum",
    Severity.ERROR,
    wrong=Status.ZERO,
    layers=("inner_udp",),
)


def _there(seen: Seen) -> bool:
    return bool(seen.inner[Status.ZERO])


def _illegal(table: PacketTable) -> Bool:
    empty: Bool = table["inner_l4_status"] == np.uint8(Status.ZERO)
    empty &= table["inner_ip_version"] == 6
    empty &= table["kind"] == np.uint8(Kind.VXLAN)
    empty &= ~np.isin(table["inner_dport"], UDP_TUNNEL_PORTS)
    return empty


COUNT = Count(_illegal, _there)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture that shows it."""
    for number, _, seen in context.showing(RULE.code):
        over_ipv6 = context.histogram(number)[:, 2, UDP].sum(axis=(0, 1))
        right = int(over_ipv6[Status.VALID] + over_ipv6[Status.PARTIAL])
        severity = Severity.ERROR if right <= 2 * seen.frames else Severity.WARNING
        if right > prices.ZERO_BY_DAMAGE * seen.frames:
            severity = Severity.INFO
        yield context.counted(
            RULE,
            number,
            seen,
            confidence=Confidence.CONFIRMED,
            explanation=(
                "UDP over IPv6 has to have a checksum; a host that receives these datagrams drops "
                "them."
            ),
            severity=severity if seen.frames >= prices.MANY_ZEROS else Severity.INFO,
        )
