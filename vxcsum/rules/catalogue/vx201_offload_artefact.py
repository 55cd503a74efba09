"""# VX201 offload-artefact

## What it means

Checksums in this capture are unfinished: the field holds the un-complemented pseudo-header sum
(`CHECKSUM_PARTIAL`), and a device completes it later. The capture was taken before that.

## Why it matters

Wireshark and tcpdump paint such packets red. Nothing is wrong with them: they are right on the
wire.

## How it is recognised

The field equals the sum of the pseudo-header, with the segment's length in all its bits or, as
Windows leaves it for large sends, with length 0. The outer UDP checksum of a VXLAN packet may
be right for the packet as it *will* be (local checksum offload). Then both are off by the same
amount:

    outer residual = inner residual, both not 0

## Example

    vxcsum analyze captures/netns/udpcsum_nonat_vethtxon_rx.pcap

## Usual causes

* tcpdump on the sending host, on its VXLAN device, on veth, bridge or loopback.
* Packets between containers of one host: veth hands them over unfinished, and nobody minds.
* Frames that GRO merged at the receiver: the kernel rebuilds such a sum for the merged length.

## Look-alikes

* VX202: the same octets, but really on the wire. TCP then makes no progress.
* VX102: the outer checksum is wrong even once the inner one is finished.

## What to do

Nothing. To see finished checksums, capture on the receiving host, or switch transmit offload
off on the sending device for a test.

## References

Linux include/linux/skbuff.h (CHECKSUM_PARTIAL), Documentation/networking/checksum-offloads.rst;
Wireshark issue #18864. docs/fact-sheet.md, P10.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vxcsum.evidence.captures import Count, Seen, unfinished
from vxcsum.rules.catalogue.vx202_partial_leak import unanswered
from vxcsum.rules.model import Confidence, Finding, Rule, Severity
from vxcsum.rules.vantage import vantage_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.evidence.occurrences import Occurrences
    from vxcsum.packet.columns import I64
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX201",
    "offload-artefact",
    "Unfinished checksums: the capture was taken before the device completed them",
    Severity.INFO,
)


def _there(seen: Seen) -> bool:
    return seen.partial


COUNT = Count(unfinished, _there)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture with partial checksums that are artefacts."""
    for number, capture, every in context.showing(RULE.code):
        vantage = vantage_of(capture, context.asked_vantage)
        if vantage.where == "wire":
            continue
        seen = every
        if vantage.where == "receiver":
            seen = _without(seen, context.handshakes["frame_number"][unanswered(context, number)])
        seen = _without(seen, context.joined_frames(number))
        if not seen.frames:
            continue
        sure = capture.partial_out == every.frames or vantage.given
        yield context.counted(
            RULE,
            number,
            seen,
            confidence=Confidence.CONFIRMED if sure else Confidence.LIKELY,
            explanation=(
                "The checksum field of these packets holds the pseudo-header sum that the kernel "
                "leaves for the device to complete. That is how packets look on the sending host, "
                "or between containers of one host; on the wire they are right."
            ),
            evidence={
                "vantage": vantage.where,
                "vantage_reason": vantage.reason,
                "outgoing": capture.partial_out,
                "incoming": capture.partial_in,
                "outer_local_checksum_offload": capture.outer_lco,
                "would_change_the_verdict": (
                    "a capture of the same packets on the receiving host in which they are still "
                    "unfinished"
                ),
            },
        )


def _without(seen: Occurrences, numbers: I64) -> Occurrences:
    """Return what is left without the frames that VX202 explains."""
    taken = set(numbers.tolist())
    left = [number for number in seen.numbers if number not in taken]
    return replace(seen, frames=seen.frames - len(taken), numbers=left)
