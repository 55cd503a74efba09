"""# VX404 ipv6-inner-udp-zero

## What it means

A UDP datagram over IPv6 inside the tunnel has a checksum of 0.

## Why it matters

Hosts must drop it: over IPv6 the checksum is required.

## How it is recognised

The inner IP version is 6, the UDP field is 0, and the destination port is none of a tunnel.

## Example

vxcsum analyze captures/synthetic/vx404.pcap

## Usual causes

* Software that treats UDP over IPv6 like UDP over IPv4.
* A translator from IPv4 that passes on a zero.

## Look-alikes

* VX403: the outer header; tunnels may go without.
* VX401: a computed 0 that was not sent as 0xffff.

## What to do

Make the sender compute the checksum.

## References

RFC 8200 section 8.1; RFC 6935. Fact sheet: P33.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.checksum.status import Status
from vxcsum.rules.base import Confidence, Finding, Rule, Severity
from vxcsum.rules.census import UDP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX404",
    "ipv6-inner-udp-zero",
    "UDP over IPv6 inside the tunnel without a checksum",
    Severity.ERROR,
)


#: Single ones come from test tools, and from senders that do not turn a computed 0 into 0xffff.
_MANY = 2


#: For so many right checksums, one may be 0 by damage.
_DAMAGED = 5


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture that shows it."""
    for number, _, seen in context.showing("ipv6_inner_zero"):
        paths = [path for key, path in context.evidence.paths.items() if key[0] == number]
        right = sum(p.inner((UDP,), Status.VALID, Status.PARTIAL, versions=(6,)) for p in paths)
        severity = Severity.ERROR if right <= 2 * seen.frames else Severity.WARNING
        if right > _DAMAGED * seen.frames:
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
            severity=severity if seen.frames >= _MANY else Severity.INFO,
        )
