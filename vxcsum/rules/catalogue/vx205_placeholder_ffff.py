"""# VX205 placeholder-ffff

## What it means

The outer UDP checksum is 0xffff in every packet, whatever it carries: a mark that meant "to be
computed", and nobody computed it.

## Why it matters

Receivers verify it and drop all traffic of the tunnel, ping included.

## How it is recognised

The law:

    found = 0xffff, in packets whose right checksums differ

All inner protocols are hit, ICMP and ARP included, and often the outer IPv4 header checksum is
0 as well. docs/diagnosis.md explains how laws compete.

## Example

    vxcsum analyze captures/synthetic/vx205.pcap

## Usual causes

* Open vSwitch with a userspace datapath writes 0xffff into its tunnel template. A network card
  that does not do the outer checksum sends it as it is.

## Look-alikes

* VX101: only inner TCP and UDP, and ICMP keeps its 0. Where only SYNs are seen, both fit: ICMP
  or ARP in the tunnel decides, or an IPv4 header checksum of 0, or the way back. If that
  carries checksums, the tunnel sends some, and VX101 is out.
* A right checksum of 0xffff.

## What to do

In Open vSwitch:

    ovs-vsctl set Open_vSwitch . other_config:userspace-tso-enable=false

On the underlay device, for example of the ice driver:

    ethtool -K lan0 tx off

Newer Open vSwitch and DPDK do not send it.

## References

openvswitch/ovs-issues #321; metal-stack/metal-images #429. docs/fact-sheet.md, P15.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.rules.mistakes import Formula
from vxcsum.rules.model import Finding, Remedy, Rule, Severity
from vxcsum.rules.prices import CLAIMS
from vxcsum.rules.scope import EVERY

if TYPE_CHECKING:
    from vxcsum.packet.columns import AnyArray, Bool
    from vxcsum.rules.case import Case
    from vxcsum.rules.contest import Verdict
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX205",
    "placeholder-ffff",
    "A placeholder of 0xffff was left in the outer checksum",
    Severity.ERROR,
    apart={
        "VX101": "inner ICMP or ARP, which has it as well with VX205; an outer IP header checksum "
        "of 0; and whether the way back carries checksums",
    },
    formula="found = 0xffff in every packet",
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


def _full(case: Case) -> list[Bool]:
    return [case.found == _FULL]


def _with_checksums(case: Case) -> AnyArray:
    """A placeholder is no checksum of a tunnel that sends none."""
    return case.context.other_tunnel(case, zero=False)


LAWS = (Formula(_full, "outer_udp", CLAIMS["VX205"], scope=EVERY, place_bits=_with_checksums),)


def told(context: Context, verdicts: list[Verdict]) -> Finding:
    """Return the finding about one pair of outer addresses."""
    rows = np.concatenate([verdict.rows for verdict in verdicts])
    s = context.suspects
    empty = (s["outer_ip_status"][rows] == Status.INVALID) & (s["outer_ip_found"][rows] == 0)
    return context.finding(
        RULE,
        rows,
        confidence=verdicts[0].confidence,
        explanation=(
            "The outer checksum is 0xffff whatever the packet carries: a placeholder of the "
            "software that built the packet, which no device replaced."
        ),
        evidence={
            "found": "0xffff",
            "ipv4_header_checksum_zero": int(s["frames"][rows[empty]].sum()),
            "observations": np.unique(context.observations("outer_udp")[rows]).size,
        },
        remedies=_REMEDIES,
    )
