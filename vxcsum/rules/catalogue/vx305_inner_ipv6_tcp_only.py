"""# VX305 inner-ipv6-tcp-only

## What it means

Inside an IPv4 tunnel only TCP over IPv6 has wrong checksums. TCP over IPv4 and other protocols
over IPv6 are right.

## Why it matters

Dual-stack services fail over IPv6, and clients that fall back to IPv4 hide it.

## How it is recognised

By its scope: inner TCP over IPv6 is wrong below an outer IPv4 header, and what would be right
under this law is right: TCP over IPv4, UDP and ICMPv6 on the same path. The values follow no
law. docs/diagnosis.md explains how the pattern is weighed.

## Example

    vxcsum analyze captures/synthetic/vx305.pcap

## Usual causes

* i40e and i40evf drivers before their fix: they computed the inner IPv6 pseudo-header wrongly
  below an outer IPv4 header.

## Look-alikes

* VX301: all inner TCP and UDP is wrong.
* VX908: payload was scrubbed in the file. TCP over IPv4 is wrong, too, if it is there.

## What to do

Update the driver. Until then, on the underlay device of the sender:

    ethtool -K eth0 tx-udp_tnl-segmentation off tx-checksum-ipv6 off

## References

Linux commits df23075fc825, 85e76d0312a3, 791b4089e326. docs/fact-sheet.md, P24.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.evidence.census import TCP
from vxcsum.rules.around import Around
from vxcsum.rules.contrasts import Contrast
from vxcsum.rules.model import Finding, Remedy, Rule, Severity
from vxcsum.rules.prices import CLAIMS
from vxcsum.rules.scope import Scope

if TYPE_CHECKING:
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.case import Case
    from vxcsum.rules.contest import Verdict
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX305",
    "inner-ipv6-tcp-only",
    "Only inner TCP over IPv6 is wrong",
    Severity.ERROR,
    apart={
        "VX301": "right TCP over IPv4, or UDP over IPv6, on the same path",
        "VX908": "the way back, and whether the packets are answered",
    },
)


def _over_ipv4(case: Case) -> Bool:
    return np.asarray(case.column("outer_ip_version") == 4)


LAWS = (Contrast(Scope(frozenset((TCP,)), frozenset((6,))), CLAIMS["VX305"], _over_ipv4),)


def told(context: Context, verdicts: list[Verdict]) -> Finding:
    """Return the finding about one pair of outer addresses."""
    rows = np.concatenate([verdict.rows for verdict in verdicts])
    around = Around.of(context, rows)
    wrong = int(context.suspects["frames"][rows].sum())
    right = around.right((TCP,), versions=(6,))
    others = around.right() - right
    return context.finding(
        RULE,
        rows,
        confidence=verdicts[0].confidence,
        explanation=(
            f"All {wrong:,} wrong checksums on this path are of TCP over IPv6 inside IPv4, and "
            f"{others:,} packets of other kinds are right: the network card or its driver errs for "
            "this combination."
        ),
        evidence={"wrong": wrong, "right_tcp_ipv6": right, "right_others": others},
        remedies=(
            Remedy(
                "the underlay device of the sending node",
                "ethtool -K eth0 tx-udp_tnl-segmentation off tx-checksum-ipv6 off",
                "until the driver is updated",
            ),
        ),
    )
