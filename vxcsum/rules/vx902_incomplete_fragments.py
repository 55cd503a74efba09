"""# VX902 incomplete-fragments

## What it means

Datagrams were sent in IP fragments, and some of the fragments are not in the capture.

## Why it matters

The checksum covers the whole datagram. Without all fragments it cannot be verified, and is
counted as `unverifiable`. Fragmented VXLAN packets cost throughput in any case: the MTU of the
overlay is too large.

## How it is recognised

A first fragment whose others are not found within the next 4,096 frames.

## Example

    vxcsum analyze captures/netns/udpcsum_nonat_frag_rx.pcap

## Usual causes

* A capture filter on a UDP port: later fragments have no UDP header and do not match.
* Fragments that were lost.

## Look-alikes

* Complete sets of fragments: they are verified by adding the sums of the fragments.

## What to do

Capture with a filter that keeps fragments, and lower the MTU of the overlay so that there are
none.

## References

RFC 791 section 3.2; RFC 8200 section 4.5; RFC 7348 section 4.3. Fact sheet: P51.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.checksum.fragments import WINDOW
from vxcsum.rules.base import Confidence, Finding, Remedy, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX902",
    "incomplete-fragments",
    "Fragments are missing, so some checksums cannot be verified",
    Severity.INFO,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture with incomplete datagrams."""
    for number, _, seen in context.showing("incomplete"):
        yield context.counted(
            RULE,
            number,
            seen,
            confidence=Confidence.CONFIRMED,
            explanation=(
                "These frames begin fragmented datagrams whose other fragments are not in the "
                "capture."
            ),
            evidence={"searched_frames": WINDOW},
            remedies=(
                Remedy(
                    "capture again, with fragments",
                    "tcpdump -s 0 'udp port 4789 or (ip[6:2] & 0x3fff != 0) or ip6[6] = 44'",
                ),
            ),
        )
