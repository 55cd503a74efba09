"""# VX906 multi-interface-duplicates

## What it means

The capture covers several interfaces, and packets appear more than once: on the interface of a
pod, on the tunnel device, and encapsulated on the underlay.

## Why it matters

Counts of frames are higher than counts of packets, and one packet may be unfinished in one
place and finished in another. No cause is counted twice for that.

## How it is recognised

TCP handshake packets with the same addresses, ports and sequence number on different
interfaces, within 50 ms.

## Example

    vxcsum analyze captures/kernel/u61bug-k8s-clusterip-norehash.any.pcap

## Usual causes

* `tcpdump -i any`; dumpcap with several `-i`.

## Look-alikes

* Retransmissions: the same packet on the same interface, later.

## What to do

Nothing. For counts, capture on one interface.

## References

tcpdump(1), the "any" device. docs/fact-sheet.md, P56.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.rules import prices
from vxcsum.rules.model import Confidence, Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX906",
    "multi-interface-duplicates",
    "The same packets were captured on several interfaces",
    Severity.INFO,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture with copies of handshake packets."""
    shakes = context.handshakes
    for number, capture in context.capture_evidence():
        if len(capture.interfaces) < 2:
            continue
        rows = np.flatnonzero(shakes["capture"] == number)
        seen: dict[tuple[object, ...], tuple[int, int, tuple[int, int]]] = {}
        copies: set[int] = set()
        for row in rows.tolist():
            key = tuple(
                shakes[name][row].tobytes()
                for name in (
                    "inner_src",
                    "inner_dst",
                    "inner_sport",
                    "inner_dport",
                    "tcp_seq",
                    "tcp_flags",
                )
            )
            time = int(shakes["timestamp"][row].astype(np.int64))
            where = (int(shakes["interface"][row]), int(shakes["ifindex"][row]))
            first = seen.get(key)
            if first is None or time - first[1] > prices.COPIES_WITHIN:
                seen[key] = (row, time, where)
            elif where != first[2]:
                copies |= {first[0], row}
        if copies:
            chosen = np.array(sorted(copies))
            yield context.finding_about(
                RULE,
                number,
                shakes["frame_number"][chosen],
                shakes["timestamp"][chosen],
                confidence=Confidence.CONFIRMED,
                explanation=(
                    "Handshake packets appear on several interfaces within milliseconds: they are "
                    "the same packets on their way through one host."
                ),
                evidence={"interfaces": len(capture.interfaces)},
            )
