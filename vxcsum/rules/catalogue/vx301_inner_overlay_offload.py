"""# VX301 inner-overlay-offload

## What it means

Inner TCP and UDP checksums of a path are wrong, each in its own way, while inner ICMP is right.
A device computed them, and cannot do it for this tunnel.

## Why it matters

TCP and UDP between the nodes are dead, ping works.

## How it is recognised

The values follow no law, so the pattern has to tell. All inner TCP and UDP of one sender is
wrong, SYNs and pure acknowledgements included. Inner ICMP is right, its payload too. The outer
checksum is 0 or right. Only one direction is hit, and what is wrong is never answered.
docs/diagnosis.md explains how the pattern is weighed.

## Example

    vxcsum analyze captures/synthetic/vx301.pcap

## Usual causes

* vmxnet3 on vSphere with a VXLAN port that the virtual device does not handle (8472 where NSX
  is in use, or ports of your own).
* Other network cards with tunnel offload on ports they do not know.

## Look-alikes

* VX908: payload that was scrubbed in the file leaves random values, too. SYNs and pure
  acknowledgements decide (they have no payload), payload of ICMP, and answers.
* VX306: only large segments are wrong.
* VX305: only TCP over IPv6 is.
* VX201: unfinished checksums captured at the sender.
* VX601: few packets are hit, ICMP among them.

## What to do

Switch tunnel offload off on the underlay device of the sender, not on the tunnel device:

    ethtool -K ens192 tx-udp_tnl-segmentation off
    ethtool -K ens192 tx-udp_tnl-csum-segmentation off

Or change the VXLAN port.

## References

Linux commits dacce2be3312, b22580233d47, 1dac3b1bc66d; projectcalico/calico #4727, #9433;
flannel #2388; Broadcom KB 432932. docs/fact-sheet.md, P20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.packet.columns import Kind
from vxcsum.rules.around import Around
from vxcsum.rules.contrasts import Contrast
from vxcsum.rules.model import Finding, Remedy, Rule, Severity
from vxcsum.rules.prices import CLAIMS
from vxcsum.rules.scope import PING, TRANSPORT, Scope

if TYPE_CHECKING:
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.case import Case
    from vxcsum.rules.contest import Verdict
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX301",
    "inner-overlay-offload",
    "Inner TCP and UDP checksums are wrong, ICMP is right",
    Severity.ERROR,
    apart={
        "VX306": "SYNs and pure acknowledgements: are they right?",
        "VX908": "ICMP payload, answers, and the way back",
        "VX601": "more packets of the path: with VX301 no TCP or UDP packet is right",
    },
)

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


def _in_a_tunnel(case: Case) -> Bool:
    return np.asarray(case.column("kind") == Kind.VXLAN)


LAWS = (Contrast(Scope(TRANSPORT), CLAIMS["VX301"], _in_a_tunnel),)


def told(context: Context, verdicts: list[Verdict]) -> Finding:
    """Return the finding about one pair of outer addresses."""
    rows = np.concatenate([verdict.rows for verdict in verdicts])
    around = Around.of(context, rows)
    wrong = int(context.suspects["frames"][rows].sum())
    right, ping = around.right(TRANSPORT), around.right(PING)
    return context.finding(
        RULE,
        rows,
        confidence=verdicts[0].confidence,
        explanation=(
            f"{wrong:,} inner TCP and UDP checksums on this path are wrong, each in its own way, "
            f"and {right:,} are right, while inner ICMP is: a device that computes inner checksums "
            "does it wrongly for this tunnel."
        ),
        evidence={
            "wrong": wrong,
            "right": right,
            "icmp_right": ping,
            "distinct_residuals": np.unique(context.suspects["inner_l4_residual"][rows]).size,
        },
        remedies=REMEDIES,
    )
