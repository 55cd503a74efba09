"""# VX703 segmentation-offload-off

## What it means

TCP was already segmented when it was captured: in this bulk transfer no segmentation offload
was seen, although a device could have done it.

## Why it matters

Segmenting and summing in software costs much of the throughput of a tunnel: 2.9 against about 6
Gbit/s in one report. That is the price of switching checksum offload off, the usual workaround
for VX101 and VX102.

## How it is recognised

A bulk transfer of large segments from one node to another, and no superframe among them. It is
likely where some of the sender's checksums are unfinished, where the capture marks the packets
as outgoing, or with `--vantage sender`: then this is what the sender made. It is possible where
nothing shows where the capture was taken: behind a device all segments are cut and summed.
There is no finding where the capture was taken at the receiver, by its marks or by unfinished
checksums in the other direction.

## Example

    vxcsum analyze captures/kernel/h618-throughput-off.snd-s200.pcap

## Usual causes

* `ethtool -K DEVICE tx off` on the tunnel device, by hand or by Felix
  (`ChecksumOffloadBroken`).
* A path through a device without segmentation offload for tunnels.

## Look-alikes

* A capture behind the sending device, on the wire or at the receiver.
* Small messages: there is nothing to segment.

## What to do

Take one capture with offload on and compare what it brings, and whether it corrupts checksums:

    vxcsum compare OFF.pcap ON.pcap

## References

Linux Documentation/networking/segmentation-offloads.rst; projectcalico/felix PR #2811.
docs/fact-sheet.md, P01 and section 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.packet.columns import Kind
from vxcsum.rules.model import Confidence, Finding, Rule, Severity, address_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.flow.offload import Transfer
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX703",
    "segmentation-offload-off",
    "Segments were cut before they were captured",
    Severity.INFO,
    story=True,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each direction between two nodes."""
    for transfer in context.transfers:
        if transfer.kind != Kind.VXLAN or not transfer.cut:
            continue
        seen = transfer.unfinished or transfer.outgoing is True
        given = context.asked_vantage == "sender"
        elsewhere = context.asked_vantage in ("receiver", "wire") or transfer.unfinished_back
        elsewhere |= transfer.outgoing is False
        if not seen and not given and elsewhere:
            continue
        yield _finding(context, transfer, sure=seen or given)


def _finding(context: Context, transfer: Transfer, *, sure: bool) -> Finding:
    sender, receiver = address_text(transfer.sender), address_text(transfer.receiver)
    if transfer.unfinished:
        where = (
            f"{transfer.partial:,} of its packets have unfinished checksums, so it left those to "
        )
        where += "a device, but not the cutting"
    elif transfer.outgoing:
        where = (
            "the capture marks them as outgoing, so their sender cut and summed them in software"
        )
    elif sure:
        where = "captured at the sender, as given by --vantage: cut and summed in software"
    else:
        where = (
            "if this was captured at the sender, it cut and summed them in software; behind its "
            "device they always look like this (--vantage says which)"
        )
    facts = context.captures[transfer.capture]
    return Finding(
        rule=RULE,
        severity=RULE.severity,
        confidence=Confidence.LIKELY if sure else Confidence.POSSIBLE,
        capture=facts.name,
        capture_number=transfer.capture,
        frames=transfer.data_frames,
        frame_numbers=[],
        first_timestamp=None,
        last_timestamp=None,
        explanation=(
            f"{transfer.data_frames:,} segments of at most {transfer.largest_segment:,} octets "
            f"went from {sender} to {receiver}, and none was larger than a wire carries: {where}."
        ),
        evidence={
            "sender_node": sender,
            "receiver_node": receiver,
            "segments": transfer.data_frames,
            "largest_segment": transfer.largest_segment,
            "mean_segment": int(np.rint(transfer.octets / transfer.data_frames)),
            "superframes": transfer.superframes,
            "partial": transfer.partial,
            "valid": transfer.valid,
            "checksum_offload": transfer.checksum_offload,
            "goodput_bits_per_second": None
            if transfer.goodput is None
            else round(transfer.goodput),
        },
    )
