"""# VX304 padding-counted

## What it means

A short frame is filled up with octets behind the end of the packet. These were counted into the
checksum.

## Why it matters

Short packets fail: pure acknowledgements, SYNs, small pings, DNS. Larger ones pass.

## How it is recognised

Only packets with padding are wrong. The law has three forms, for k octets of padding:

    residual = -k                      padding of zeros, counted into the length
    residual = -S(padding) - k         padding that is not zero
    residual = -S(padding)             counted as data only

Padding of zeros that is counted as data only changes nothing. docs/diagnosis.md explains how
laws compete.

## Example

    vxcsum analyze captures/synthetic/vx304.pcap

## Usual causes

* Software that takes the length of the packet from the frame instead of the IP header.
* Hypervisor switches that count a trailer into the inner checksum.

## Look-alikes

* VX507: a wrong length that has nothing to do with padding.
* Padding itself: it is harmless, and no checksum covers it.

## What to do

Take lengths from the headers. As a test, larger packets work:

    ping -s 1000 ADDRESS

## References

githedgehog/dataplane #1778; secdev/scapy #4906; Broadcom KB 385625. docs/fact-sheet.md, P23.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.rules.case import MODULUS
from vxcsum.rules.mistakes import Formula, congruent, none_known
from vxcsum.rules.model import Rule, Severity
from vxcsum.rules.prices import CLAIMS

if TYPE_CHECKING:
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.case import Case
    from vxcsum.rules.law import Reading

RULE = Rule(
    "VX304",
    "padding-counted",
    "Padding was counted into the checksum",
    Severity.ERROR,
    apart={"VX303": "TCP packets with padding", "VX507": "longer packets, which have none"},
    formula="residual = -S(padding) - k, k octets of padding",
    sentence=(
        "These packets are short and padded. Their checksums are right if the padding is "
        "counted in, which it must not be; larger packets are right."
    ),
    remedies=(),
)

#: Padding fills a frame up to the least that Ethernet carries, 60 octets.
_MOST = 64


def _counted(case: Case) -> list[Bool]:
    count, total = case.number("padding"), case.number("padding_sum")
    # An odd packet has its first octet of padding in the low half of a word.
    lanes = total * 256 % MODULUS
    padded = (count > 0) & (count < _MOST)
    return [
        padded & congruent(case.residual, -counted)
        for counted in (count, count + total, total, lanes, count + lanes)
    ]


LAWS = (Formula(_counted, "inner_l4", CLAIMS["VX304"], spared=none_known),)


def recovered(case: Case, reading: Reading) -> dict[str, list[int]]:
    """Return how many octets of padding there were."""
    return {"padding_octets": np.unique(case.column("padding")[reading.mask]).tolist()[:20]}
