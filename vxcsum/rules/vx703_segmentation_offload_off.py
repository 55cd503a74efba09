"""# VX703 segmentation-offload-off

## What it means

A bulk transfer left its sender in segments that were already cut, although a device could have done
that: segmentation offload was not in use there.

## Why it matters

Cutting and summing in software costs much of the throughput of a tunnel: 2.9 against 9.4 Gbit/s in
one report. It is what switching checksum offload off comes to, the usual workaround for VX101
and VX102.

## How it is recognised

At least 50 TCP segments with 500 octets of payload or more on average from one node to another,
and no superframe among them. Likely where some of the sender's checksums are unfinished, the
capture marks the packets as outgoing, or the vantage is given as sender: then this is what the
sender made. Possible where nothing shows where the capture was taken: behind a device all segments
are cut and summed. No finding where the capture was taken at the receiver, by its marks or by
unfinished checksums in the other direction.

## Example

    vxcsum analyze captures/kernel/h618-throughput-off.snd-s200.pcap

## Usual causes

* `ethtool -K DEVICE tx off` on the tunnel device, by hand or by Felix (`ChecksumOffloadBroken`).
* A path through a device without segmentation offload for tunnels.

## Look-alikes

* A capture behind the sending device, on the wire or at the receiver.
* Small messages, which there is nothing to cut of.

## What to do

Take one capture with offload on and compare: `vxcsum compare OFF ON` tells what it brings and
whether it corrupts checksums.

## References

Linux Documentation/networking/segmentation-offloads.rst; projectcalico/felix PR #2811. Fact sheet:
section 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.packet.columns import Kind
from vxcsum.rules.base import Confidence, Finding, Rule, Severity, address_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.flow.offload import Transfer
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX703",
    "segmentation-offload-off",
    "Segments were cut before they were captured",
    Severity.INFO,
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
