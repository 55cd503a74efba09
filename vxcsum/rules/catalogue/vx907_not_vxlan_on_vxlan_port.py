"""# VX907 not-vxlan-on-vxlan-port

## What it means

UDP packets go to a VXLAN port and have no VXLAN header with its I flag.

## Why it matters

They are verified as plain UDP. If they were meant to be VXLAN, both ends disagree about the
protocol.

## How it is recognised

A UDP destination port of the VXLAN set, and no complete 8-octet header with the flag 0x08.

## Example

    vxcsum analyze captures/synthetic/vx907.pcap

## Usual causes

* Another protocol on the port: OTV or LISP on 8472, replies of scanners, monitoring.
* Frames cut so short that the VXLAN header is missing.

## Look-alikes

* VXLAN on a port of its own: add it with `--port +PORT`.

## What to do

Check which program uses the port:

    ss -lunp

## References

RFC 7348 section 5. docs/fact-sheet.md, P57.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.evidence.captures import Count, Seen
from vxcsum.evidence.census import UDP
from vxcsum.packet.columns import Kind
from vxcsum.packet.protocols import IPPROTO_UDP
from vxcsum.rules.model import Rule, Severity

if TYPE_CHECKING:
    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import Bool

RULE = Rule(
    "VX907",
    "not-vxlan-on-vxlan-port",
    "Packets on a VXLAN port that are not VXLAN",
    Severity.INFO,
    sentence=(
        "These packets go to a VXLAN port but carry no valid VXLAN header; they were "
        "verified as plain UDP."
    ),
)


def _there(seen: Seen) -> bool:
    return bool(seen.histogram[Kind.PLAIN, :, UDP].any())


def _plain_udp(table: PacketTable) -> Bool:
    plain: Bool = (table["kind"] == np.uint8(Kind.PLAIN)) & (table["inner_protocol"] == IPPROTO_UDP)
    plain &= table["inner_l4_status"] != np.uint8(Status.ABSENT)
    return plain


#: Of these, the ones to a VXLAN port of the analysis.
COUNT = Count(_plain_udp, _there, to_ports=True)
