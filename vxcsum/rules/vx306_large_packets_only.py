"""# VX306 large-packets-only

## What it means

Small TCP packets on a path are right, and all above a certain size are wrong.

## Why it matters

Connections open and small requests work; large transfers stall.

## How it is recognised

At least three wrong TCP checksums, all in segments larger than any right one on the same path.
Where all are off by the same amount, it is that of the superframe's other segments:

    residual = length - length of the superframe

## Example

vxcsum analyze captures/synthetic/vx306.pcap

## Usual causes

* Segmentation offload for tunnels that cuts segments without correcting their checksums.
* Virtual switches that limit offload to a packet size (Hyper-V, Azure).

## Look-alikes

* VX903, VX905: superframes captured before they were cut.
* VX601: sizes do not matter.

## What to do

`ethtool -K eth0 tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off` on the underlay
device of the sending node, or a smaller MTU on the tunnel for a test.

## References

flannel-io/flannel #790; coreos/tectonic #1171. Fact sheet: P25.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.packet.columns import distinct
from vxcsum.packet.protocols import IPPROTO_TCP
from vxcsum.rules.arithmetic import MAX_CONTRAST, MODULUS, by_chance
from vxcsum.rules.base import Confidence, Finding, Remedy, Rule, Severity
from vxcsum.rules.census import TCP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import I64
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX306",
    "large-packets-only",
    "Only large TCP segments are wrong",
    Severity.ERROR,
)

_MIN_PACKETS = 3
_UNCUT = " The length of the whole superframe was left in the pseudo-header."
#: Octets that no offload cuts and no limit of a switch stops.
_LARGE = 500


def _uncut_length(context: Context, rows: I64) -> bool:
    """Tell whether pseudo-headers hold the length of a superframe of whole segments.

    The residual is then its segments' payload without the one at hand, with the opposite sign
    (fact sheet, section 1.2, row h).
    """
    lengths = context.column("inner_l4_length", rows).astype(np.int64)
    payload = np.maximum(lengths - context.column("tcp_header_length", rows), 1)
    rest = -context.residual("inner_l4", rows).astype(np.int64) % MODULUS
    return bool(((rest > 0) & (rest % payload == 0) & (rest + lengths <= MODULUS)).all())


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path on which size decides."""
    for place in context.places("inner_l4"):
        if context.still_open("outer_udp")[place.rows].any():
            continue  # damage on the way
        rows = place.rows[context.column("inner_protocol", place.rows) == IPPROTO_TCP]
        lengths = context.column("inner_l4_length", rows)
        right = place.path.inner((TCP,), Status.VALID)
        largest = place.path.largest_good
        if rows.size < _MIN_PACKETS or right < _MIN_PACKETS or not largest:
            continue
        if int(lengths.min()) <= max(largest, _LARGE):
            continue
        if by_chance(rows.size, right) * len(context.evidence.paths) > MAX_CONTRAST:
            continue
        residuals = distinct(context.residual("inner_l4", rows)).size
        uncut = _uncut_length(context, rows)
        if residuals == 1 and not uncut:
            continue  # VX603
        context.claim(rows, "inner_l4")
        yield context.finding(
            RULE,
            rows,
            confidence=Confidence.LIKELY if rows.size >= 10 else Confidence.POSSIBLE,
            explanation=(
                f"All TCP segments on this path up to {largest} octets are right, and the "
                f"{rows.size} wrong ones are all larger: what cuts large segments errs."
                f"{_UNCUT if uncut else ''}"
            ),
            evidence={
                "largest_right_octets": largest,
                "smallest_wrong_octets": int(lengths.min()),
                "distinct_residuals": int(residuals),
            },
            remedies=(
                Remedy(
                    "the underlay device of the sending node",
                    "ethtool -K eth0 tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off",
                    "costs throughput of large transfers",
                ),
            ),
        )
