"""# VX901 truncated-frames

## What it means

Frames were cut short when they were captured, so some checksums cannot be recomputed.

## Why it matters

What was cut off cannot be judged. The checksums concerned are counted as `unverifiable`, never
as wrong.

## How it is recognised

The captured length is smaller than the original one, and octets that a checksum covers are
missing.

## Example

    vxcsum analyze captures/kernel/u61bug-nat-snaplen.rcv-s96.pcap

## Usual causes

* tcpdump or dumpcap with a small snaplen (`-s 96`).

## Look-alikes

* VX909: the capture file itself ends early.
* A mirror that cuts packets in flight: lengths in the copied headers exceed what is there,
  though the frame was captured whole.

## What to do

Capture whole frames:

    tcpdump -s 0 -i eth0 -w node1.pcap

To save space and still see VX101 and VX102, 128 octets suffice on the sending host, where the
headers alone decide the outer checksum.

## References

pcap: draft-ietf-opsawg-pcap section 5. docs/fact-sheet.md, P50 and section 1.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Reason
from vxcsum.evidence.captures import Count, Seen, any_reason
from vxcsum.rules.model import Remedy, Rule, Severity

if TYPE_CHECKING:
    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX901",
    "truncated-frames",
    "Frames cut short by the snaplen hide some checksums",
    Severity.INFO,
    sentence=(
        "Octets that a checksum covers were not captured, so it can be neither right "
        "nor wrong here."
    ),
    remedies=(Remedy("capture again", "tcpdump -s 0 -w capture.pcap"),),
)


def _there(seen: Seen) -> bool:
    return seen.unverifiable


def _cut(table: PacketTable) -> Bool:
    return any_reason(table, np.uint8(Reason.TRUNCATED))


COUNT = Count(_cut, _there)


def evidence(context: Context, capture: int) -> dict[str, int]:
    """Return what is said of a capture."""
    return {
        "snaplen": context.captures[capture].snaplen,
        "smallest_caplen": context.evidence.captures[capture].smallest_caplen,
        "largest_origlen": context.evidence.captures[capture].largest_origlen,
    }
