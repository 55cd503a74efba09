"""# VX403 ipv6-outer-zero

## What it means

The tunnel runs over IPv6 and sends no outer UDP checksum.

## Why it matters

IPv6 has no header checksum, so UDP must have one. Tunnels may leave it out only where both ends
are told to. Otherwise the receiver drops everything, ping included. It can be the cause of
connections that are never answered: where nothing that went through such a tunnel came back, it
is the first suspect.

## How it is recognised

The outer IP version is 6 and the UDP field is 0. Whether the other end accepts that is not in
the packets. Answers show that it does.

## Example

    vxcsum analyze captures/netns/v6_udp6zerocsumtxnoudp6zerocsumrx_nat_rx.pcap

## Usual causes

* A device made with `udp6zerocsumtx`, and a peer without `udp6zerocsumrx`.
* A collect-metadata or lightweight tunnel (`external`, `ip route ... encap`) without the `csum`
  flag.

## Look-alikes

* VX404: the packet inside the tunnel has no checksum.
* VX401: a computed 0 that was not sent as 0xffff.
* VX702: no answer for another reason. A capture in which such packets are answered excludes
  this one.

## What to do

Does the receiver drop them?

    nstat -az | grep Udp6InCsumErrors

Make both ends go without, or the sender send checksums:

    ip link add DEVICE type vxlan id VNI udp6zerocsumtx udp6zerocsumrx
    ip link add DEVICE type vxlan id VNI noudp6zerocsumtx

Collect-metadata and lightweight tunnels take the `csum` flag of the route or tunnel. Some
hardware drops such packets in any case.

## References

RFC 6935; RFC 6936; RFC 8200 section 8.1; FRRouting/frr #22996. docs/fact-sheet.md, P32.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.evidence.captures import Count, Seen
from vxcsum.rules.model import Confidence, Finding, Remedy, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX403",
    "ipv6-outer-zero",
    "Outer UDP over IPv6 without a checksum",
    Severity.WARNING,
    wrong=Status.ZERO,
)
#: The same rule where nothing is ever answered: then it can be the cause of it.
_UNANSWERED = replace(RULE, stops_all=True)
_REMEDIES = (
    Remedy(
        "both ends, if they are to go without",
        "ip link add DEVICE type vxlan id VNI udp6zerocsumtx udp6zerocsumrx",
    ),
    Remedy(
        "the sender, otherwise",
        "ip link add DEVICE type vxlan id VNI noudp6zerocsumtx",
    ),
    Remedy(
        "devices with external or collect-metadata mode, and lightweight tunnels",
        "ip route add PREFIX encap ip6 id VNI dst NODE csum dev DEVICE",
        "the flag csum of the route or tunnel key, which such devices take in place of their own",
    ),
    Remedy("receiver: does it drop?", "nstat -az | grep Udp6InCsumErrors"),
)


def _there(seen: Seen) -> bool:
    return bool(seen.outer[Status.ZERO])


def _over_ipv6(table: PacketTable) -> Bool:
    empty: Bool = table["outer_udp_status"] == np.uint8(Status.ZERO)
    empty &= table["outer_ip_version"] == 6
    return empty


COUNT = Count(_over_ipv6, _there)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture that shows it."""
    for number, _, seen in context.showing(RULE.code):
        silent = context.nothing_answered(number)
        impact = (
            " Nothing that is sent this way is answered in this capture, which fits a receiver "
            "that was not told: it drops every packet, ping included."
            if silent
            else ""
        )
        yield context.counted(
            _UNANSWERED if silent else RULE,
            number,
            seen,
            confidence=Confidence.CONFIRMED,
            explanation=(
                "UDP over IPv6 needs a checksum. A tunnel may leave it out, but only where the "
                f"receiving end is told so; if it is not, it drops every packet.{impact}"
            ),
            evidence={"answered": not silent},
            remedies=_REMEDIES,
        )
