"""# VX908 rewritten-capture

## What it means

IPv4 header checksums and transport checksums are wrong by the same amount, throughout the
capture: addresses were exchanged in the file.

## Why it matters

It is no fault of the network. Diagnoses from such a capture are worth little.

## How it is recognised

residual of the IPv4 header = residual of the transport checksum

in at least three packets, and in a large share of the capture. No router forwards a packet with a
wrong header checksum.

## Example

vxcsum analyze captures/synthetic/vx908.pcap

## Usual causes

* tcprewrite or an anonymiser without its option to correct checksums.
* Traffic generators that fill in addresses and leave checksums alone.

## Look-alikes

* VX104: the IPv4 header is right, as a router would have updated it.
* VX601: a damaged address gives the same picture in single packets.

## What to do

Analyse the original capture.

## References

tcprewrite(1), --fixcsum. Fact sheet: P58.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.packet.columns import distinct
from vxcsum.rules.base import Confidence, Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX908",
    "rewritten-capture",
    "Addresses in this capture were rewritten afterwards",
    Severity.WARNING,
)

_MIN_PACKETS = 3
_MIN_SHARE = 0.2


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture that was rewritten."""
    s = context.suspects
    hit = np.zeros(len(s["capture"]), np.bool_)
    for header, slot in (("outer_ip", "outer_udp"), ("inner_ip", "inner_l4")):
        both = context.still_open(header) & context.still_open(slot)
        hit |= both & (s[f"{header}_residual"] == s[f"{slot}_residual"])
    for capture in distinct(s["capture"][hit]).tolist():
        rows = np.flatnonzero(hit & (s["capture"] == capture))
        frames = context.captures[capture].frames
        if rows.size < max(_MIN_PACKETS, _MIN_SHARE * frames):
            continue
        context.claim(rows, "outer_ip", "outer_udp", "inner_ip", "inner_l4")
        yield context.finding(
            RULE,
            rows,
            confidence=Confidence.LIKELY,
            explanation=(
                "The header checksum of these packets is wrong by the same amount as their "
                "transport checksum: addresses were exchanged after the packets were captured."
            ),
            evidence={"frames_in_capture": frames},
        )
