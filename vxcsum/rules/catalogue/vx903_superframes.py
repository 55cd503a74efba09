"""# VX903 superframes

## What it means

TCP frames in this capture are longer than any wire carries: several segments travel as one.

## Why it matters

It tells where the capture was taken: before segmentation on the sending host, or after merging
on the receiving one. Throughput over the tunnel profits from it. On the receiving side one
merged frame has one checksum for many segments: the card kept one of them, or the kernel (GRO)
rebuilt an unfinished one. Where the data of such a frame is acknowledged, its checksum is no
fault.

## How it is recognised

TCP frames longer than jumbo frames, or longer than Ethernet's usual frames with an unfinished
checksum. Only the direction tells a merged frame from a sender's superframe: unmerged frames of
the same direction are finished at a receiver, and unfinished at a sender.

## Example

    vxcsum analyze captures/kernel/h618-tcp-offload-on.snd.pcap

## Usual causes

* TSO or GSO at the sender, GRO or LRO at the receiver.

## Look-alikes

* VX904: more than 64 KiB, with length fields of 0.
* VX905: the headers describe one segment only.
* VX306: a segment with a wrong checksum is never merged. It shows up alone.

## What to do

Nothing.

## References

Linux Documentation/networking/segmentation-offloads.rst. docs/fact-sheet.md, P52 and P09.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.evidence.captures import ETHERNET_FRAME, JUMBO_FRAME, Count, Seen
from vxcsum.packet.protocols import IPPROTO_TCP
from vxcsum.rules.model import Rule, Severity

if TYPE_CHECKING:
    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX903",
    "superframes",
    "Frames larger than a wire carries",
    Severity.INFO,
    explains=True,
    sentence=(
        "Several TCP segments travel in one frame: segmentation or receive offload is in "
        "use where this was captured."
    ),
)


def _there(seen: Seen) -> bool:
    return seen.large


def _several(table: PacketTable) -> Bool:
    origlen = table["origlen"]
    pending = table["inner_l4_status"] == np.uint8(Status.PARTIAL)
    big: Bool = (origlen > JUMBO_FRAME) | ((origlen > ETHERNET_FRAME) & pending)
    big &= table["inner_protocol"] == IPPROTO_TCP
    return big


COUNT = Count(_several, _there)


def exempt(context: Context) -> None:
    """Claim checksums of frames longer than any wire carries: one of many segments was kept."""
    merged = np.flatnonzero(context.suspects["oversized"] == 1)
    context.exempt(RULE.code, merged, "outer_udp", "inner_l4")


def evidence(context: Context, capture: int) -> dict[str, int]:
    """Return what is said of a capture."""
    return {"largest_frame": context.evidence.captures[capture].largest_frame}
