"""# VX403 ipv6-outer-zero

## What it means

The tunnel runs over IPv6 and sends no outer UDP checksum.

## Why it matters

IPv6 has no header checksum, so UDP must have one; tunnels may leave it out only where both ends
are told to. Otherwise the receiver drops everything, ping included.

## How it is recognised

The outer IP version is 6 and the UDP field is 0.

## Example

vxcsum analyze captures/netns/v6_udp6zerocsumtxnoudp6zerocsumrx_nat_rx.pcap

## Usual causes

* A device made with `udp6zerocsumtx`, and a peer without `udp6zerocsumrx`.

## Look-alikes

* VX404: the packet inside the tunnel has no checksum.
* VX401: a computed 0 that was not sent as 0xffff.

## What to do

Make both ends with `udp6zerocsumtx udp6zerocsumrx`, or neither. Some hardware drops such packets
in any case.

## References

RFC 6935; RFC 6936; RFC 8200 section 8.1. Fact sheet: P32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules.base import Confidence, Finding, Remedy, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX403",
    "ipv6-outer-zero",
    "Outer UDP over IPv6 without a checksum",
    Severity.WARNING,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture that shows it."""
    for number, _, seen in context.showing("ipv6_outer_zero"):
        yield context.counted(
            RULE,
            number,
            seen,
            confidence=Confidence.CONFIRMED,
            explanation=(
                "UDP over IPv6 needs a checksum. A tunnel may leave it out, but only where the "
                "receiving end is told so; if it is not, it drops every packet."
            ),
            remedies=(
                Remedy(
                    "both ends, if they are to go without",
                    "ip link add DEVICE type vxlan id VNI udp6zerocsumtx udp6zerocsumrx",
                ),
                Remedy(
                    "the sender, otherwise",
                    "ip link add DEVICE type vxlan id VNI noudp6zerocsumtx",
                ),
                Remedy("receiver: does it drop?", "nstat -az | grep Udp6InCsumErrors"),
            ),
        )
