"""# VX603 payload-rewritten

## What it means

Some packets with payload are wrong, all by the same amount, while packets without payload on the
same path are right: something in the payload was replaced.

## Why it matters

The receiver drops the packets, so exactly the messages that were to be changed are lost.

## How it is recognised

residual = S(new octets) - S(old octets)

the same in at least three packets that all carry payload, on a path with right packets.

## Example

vxcsum analyze captures/synthetic/vx603.pcap

## Usual causes

* Application gateways (FTP, SIP), inspection devices, and eBPF programs that rewrite payload.

## Look-alikes

* VX302: packets without payload are wrong, too.
* VX601: the residuals differ.

## What to do

Switch the gateway or inspection off for a test, and find it by capturing before and after it.

## References

RFC 1624; nftables commit f89abfb4068d. Fact sheet: P62.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.packet.protocols import IPPROTO_TCP
from vxcsum.rules.arithmetic import observations, samples
from vxcsum.rules.base import Confidence, Finding, Rule, Severity, hex16
from vxcsum.rules.census import TRANSPORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX603",
    "payload-rewritten",
    "The payload was changed without updating the checksum",
    Severity.ERROR,
)

_MIN_PACKETS = 3


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path where only packets with payload are off by a constant."""
    for every in samples(context):
        sample = every.only(every.protocol == IPPROTO_TCP)
        right = sample.place.path.inner(TRANSPORT, Status.VALID, Status.PARTIAL)
        if sample.place.slot != "inner_l4" or not sample.rows.size or right < _MIN_PACKETS:
            continue
        payload = sample.length > sample.column("tcp_header_length")
        values, counts = np.unique(sample.residual, return_counts=True)
        value = int(values[counts.argmax()])
        mask = sample.residual == value
        if not payload[mask].all() or 2 * mask.sum() < mask.size:
            continue
        seen = observations(sample, mask)
        if seen < _MIN_PACKETS:
            continue
        rows = sample.rows[mask]
        context.claim(rows, "inner_l4")
        yield context.finding(
            RULE,
            rows,
            confidence=Confidence.LIKELY,
            explanation=(
                "Only packets with payload are wrong, all by the same amount, and others on this "
                "path are right: octets of the payload were replaced, and the checksum was not."
            ),
            evidence={
                "residual": hex16(value),
                "observations": seen,
                "right_on_this_path": right,
            },
        )
