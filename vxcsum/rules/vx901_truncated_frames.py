"""# VX901 truncated-frames

## What it means

Frames were cut short when they were captured, so some checksums cannot be recomputed.

## Why it matters

What was cut off cannot be judged. The checksums concerned are counted as `unverifiable`, never as
wrong.

## How it is recognised

The captured length is smaller than the original one, and the octets a checksum covers are
missing.

## Example

    vxcsum analyze captures/kernel/u61bug-nat-snaplen.rcv-s96.pcap

## Usual causes

* tcpdump or dumpcap with a small snaplen (`-s 96`).

## Look-alikes

* VX909: the capture file itself ends early.

## What to do

Capture with `tcpdump -s 0`. To save space and still see VX101 and VX102, 128 octets suffice on
the sending host, where the outer checksum can be decided from the headers.

## References

pcap: draft-ietf-opsawg-pcap section 5. Fact sheet: P50.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules.base import Confidence, Finding, Remedy, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX901",
    "truncated-frames",
    "Frames cut short by the snaplen hide some checksums",
    Severity.INFO,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture with checksums that were cut off."""
    for number, capture, seen in context.showing("truncated"):
        yield context.counted(
            RULE,
            number,
            seen,
            confidence=Confidence.CONFIRMED,
            explanation=(
                "Octets that a checksum covers were not captured, so it can be neither right "
                "nor wrong here."
            ),
            evidence={
                "snaplen": context.captures[number].snaplen,
                "smallest_caplen": capture.smallest_caplen,
                "largest_origlen": capture.largest_origlen,
            },
            remedies=(Remedy("capture again", "tcpdump -s 0 -w capture.pcap"),),
        )
