"""# VX909 capture-cut-short

## What it means

The capture file ends in the middle of a record, or its records stop making sense.

## Why it matters

Everything up to that place was analysed. What came after it is not in the report.

## How it is recognised

A record announces more octets than there are, or an impossible length.

## Example

    vxcsum analyze captures/synthetic/vx909.pcap

## Usual causes

* The capture is still being written, or the disk was full.
* A copy that was interrupted.

## Look-alikes

* VX901: single frames cut short by the snaplen. The file is whole.

## What to do

Copy or write the capture again. For a live capture write packets at once:

    tcpdump -U -i eth0 -w node1.pcap

## References

pcap: draft-ietf-opsawg-pcap section 5; pcapng: draft-ietf-opsawg-pcapng section 3.1.
docs/fact-sheet.md, family F.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules.model import Confidence, Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX909",
    "capture-cut-short",
    "The capture ends early or is damaged",
    Severity.WARNING,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture that could not be read to its end."""
    for number, capture in enumerate(context.captures):
        if capture.damage is not None:
            yield Finding(
                rule=RULE,
                severity=RULE.severity,
                confidence=Confidence.CONFIRMED,
                capture=capture.name,
                capture_number=number,
                frames=0,
                frame_numbers=[],
                first_timestamp=None,
                last_timestamp=capture.last_timestamp,
                explanation=(
                    f"The capture {capture.damage}. The {capture.frames:,} frames before that "
                    "place were analysed."
                ),
                evidence={"damage": capture.damage, "frames_read": capture.frames},
            )
