"""# VX301 inner-overlay-offload

## What it means

All inner TCP or UDP checksums of a path are wrong, each in its own way, while inner ICMP is
right: a device computed them, and cannot do it for this tunnel.

## Why it matters

TCP and UDP between the nodes are dead, ping works.

## How it is recognised

At least three wrong inner TCP or UDP checksums with different residuals, next to none right,
right inner ICMP, and an outer checksum that is 0 or right. After three pings it is only possible.

## Example

vxcsum analyze captures/synthetic/vx301.pcap

## Usual causes

* vmxnet3 on vSphere with a VXLAN port that the virtual device does not handle (8472 where NSX is
  in use, or ports of your own).
* Other network cards with tunnel offload on ports they do not know.

## Look-alikes

* VX305: only TCP over IPv6.
* VX201: unfinished checksums captured at the sender.
* VX601: few packets are hit.

## What to do

Switch tunnel offload off on the underlay device (not on the tunnel): `ethtool -K ens192
tx-udp_tnl-segmentation off; ethtool -K ens192 tx-udp_tnl-csum-segmentation off`; or change the
VXLAN port.

## References

Linux commits dacce2be3312, b22580233d47, 1dac3b1bc66d; projectcalico/calico #4727, #9433; flannel
#2388; Broadcom KB 432932. Fact sheet: P20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.packet.columns import Kind, distinct
from vxcsum.rules.arithmetic import MAX_CONTRAST, by_chance
from vxcsum.rules.base import Confidence, Finding, Remedy, Rule, Severity
from vxcsum.rules.census import PING, TRANSPORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX301",
    "inner-overlay-offload",
    "Inner TCP and UDP checksums are wrong, ICMP is right",
    Severity.ERROR,
)

_MIN_PACKETS = 3
#: Right TCP and UDP packets, for each wrong one, that are still taken for exceptions.
_FEW = 0.05
#: A guess that ``ping -c 3`` can support: below `MAX_CONTRAST` it is more than that.
_MAX_CHANCE = 0.0125
_OUTER_WRONG = (Status.INVALID,)
REMEDIES = (
    Remedy(
        "the underlay device of the sending node, not the tunnel device",
        "ethtool -K ens192 tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off",
        "costs segmentation offload for the tunnel",
    ),
    Remedy(
        "if that does not suffice",
        "ethtool -K ens192 tx-checksum-ip-generic off",
        "checksums in software for all traffic of that device",
    ),
    Remedy(
        "vSphere",
        note="use UDP port 8472 where NSX is absent and 4789 where it is present, or a host with "
        "the fix (ESXi 8.0U3)",
    ),
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path whose inner TCP and UDP is wrong throughout."""
    for place in context.places("inner_l4"):
        rows = place.rows[context.transport_rows(place.rows)]
        rows = rows[context.column("kind", rows) == Kind.VXLAN]
        right = place.path.inner(TRANSPORT, Status.VALID)
        ping = place.path.inner(PING, Status.VALID)
        different = distinct(context.column("inner_l4_residual", rows)).size
        chance = by_chance(rows.size, ping) * len(context.evidence.paths)
        if (
            rows.size < _MIN_PACKETS
            or different < 0.5 * rows.size
            or right > _FEW * rows.size
            or chance > _MAX_CHANCE
            or np.isin(context.column("outer_udp_status", rows), _OUTER_WRONG).any()
        ):
            continue
        context.claim(rows, "inner_l4")
        yield context.finding(
            RULE,
            rows,
            confidence=Confidence.LIKELY if chance < MAX_CONTRAST else Confidence.POSSIBLE,
            explanation=(
                f"{rows.size} inner TCP and UDP checksums on this path are wrong, each in its own "
                f"way, and {right} are right, while inner ICMP is: a device that computes inner "
                "checksums does it wrongly for this tunnel."
            ),
            evidence={
                "wrong": int(rows.size),
                "right": right,
                "icmp_right": ping,
                "distinct_residuals": different,
            },
            remedies=REMEDIES,
        )
