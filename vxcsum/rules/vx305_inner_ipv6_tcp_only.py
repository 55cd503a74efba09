"""# VX305 inner-ipv6-tcp-only

## What it means

Inside an IPv4 tunnel only TCP over IPv6 has wrong checksums; TCP over IPv4 and other protocols
over IPv6 are right.

## Why it matters

Dual-stack services fail over IPv6, and the clients that fall back to IPv4 hide it.

## How it is recognised

At least three wrong inner TCP checksums, all over IPv6, the outer header being IPv4; next to none
right over IPv6, and right TCP over IPv4 or right UDP or ICMPv6 on the same path.

## Example

vxcsum analyze captures/synthetic/vx305.pcap

## Usual causes

* i40e and i40evf drivers before their fix: they computed the inner IPv6 pseudo-header wrongly
  when the outer header is IPv4.

## Look-alikes

* VX301: all inner TCP and UDP is wrong.

## What to do

Update the driver; until then `ethtool -K eth0 tx-udp_tnl-segmentation off tx-checksum-ipv6 off`.

## References

Linux commits df23075fc825, 85e76d0312a3, 791b4089e326. Fact sheet: P24.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.checksum.status import Status
from vxcsum.packet.protocols import IPPROTO_TCP
from vxcsum.rules.arithmetic import MAX_CONTRAST, by_chance
from vxcsum.rules.base import Confidence, Finding, Remedy, Rule, Severity
from vxcsum.rules.census import ICMPV6, TCP, UDP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX305",
    "inner-ipv6-tcp-only",
    "Only inner TCP over IPv6 is wrong",
    Severity.ERROR,
)

_MIN_PACKETS = 3
_FEW = 0.05


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path on which only TCP over IPv6 is wrong."""
    for place in context.places("inner_l4"):
        if context.still_open("outer_udp")[place.rows].any():
            continue  # damage on the way
        rows = place.rows
        tcp6 = (context.column("inner_protocol", rows) == IPPROTO_TCP) & (
            context.column("inner_ip_version", rows) == 6
        )
        if not tcp6.all() or not (context.column("outer_ip_version", rows) == 4).all():
            continue
        path = place.path
        right = path.inner((TCP,), Status.VALID, versions=(6,))
        contrast = path.inner((TCP,), Status.VALID, versions=(4,))
        contrast += path.inner((UDP, ICMPV6), Status.VALID, versions=(6,))
        if rows.size < _MIN_PACKETS or right > _FEW * rows.size:
            continue
        if by_chance(rows.size, contrast) * len(context.evidence.paths) > MAX_CONTRAST:
            continue
        context.claim(rows, "inner_l4")
        yield context.finding(
            RULE,
            rows,
            confidence=Confidence.LIKELY,
            explanation=(
                f"All {rows.size} wrong checksums on this path are of TCP over IPv6 inside IPv4, "
                f"and {contrast} packets of other kinds are right: the network card or its driver "
                "errs for this combination."
            ),
            evidence={"wrong": int(rows.size), "right_tcp_ipv6": right, "right_others": contrast},
            remedies=(
                Remedy(
                    "the underlay device of the sending node",
                    "ethtool -K eth0 tx-udp_tnl-segmentation off tx-checksum-ipv6 off",
                    "until the driver is updated",
                ),
            ),
        )
