"""# VX202 partial-leak

## What it means

Packets arrived with checksums that were left for a device to finish, and no device did.

## Why it matters

The receiving host drops them. TCP connections never open, ping works.

## How it is recognised

The field holds the pseudo-header sum, as in VX201, and the capture is from behind the device.
It was taken on the wire (`--vantage wire`), or at the receiver, where packets that look so are
repeated and never answered while ping is. Of a capture of several interfaces only what came
through a tunnel counts.

Captures of both nodes prove it: the same packet is unfinished at the sender, and still
unfinished at the receiver.

## Example

    vxcsum analyze --vantage wire captures/synthetic/vx202.pcap

## Usual causes

* A forwarder that ignores the offload state of packets: AF_PACKET, tap and AF_XDP programs,
  DPDK and VPP with vhost, netmap.
* A driver or virtual network card that does not complete checksums it promised to.

## Look-alikes

* VX201: the capture is from before the device. Packets between containers of one host stay
  unfinished all the way, and are answered.
* VX204: the outer checksum covers the unfinished inner one.
* VX701: an outer port that changes from SYN to SYN is a new flow hash here, not NAT.

## What to do

Switch transmit offload off where the packets come from, in the guest or pod:

    ethtool -K eth0 tx off

For DHCP, on the host that forwards:

    iptables -t mangle -A POSTROUTING -p udp --dport bootpc -j CHECKSUM --checksum-fill

## References

lkl #418; DPDK/grout #724; VPP #2684; virtio-spec #185. docs/fact-sheet.md, P11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.packet.columns import Direction, Kind
from vxcsum.rules.model import Confidence, Finding, Remedy, Rule, Severity
from vxcsum.rules.vantage import vantage_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import I64
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX202",
    "partial-leak",
    "Unfinished checksums got onto the wire",
    Severity.ERROR,
    wrong=Status.PARTIAL,
)

_ACK = 0x10
_REMEDIES = (
    Remedy("the guest, pod or host that sends these packets", "ethtool -K eth0 tx off"),
    Remedy(
        "DHCP of virtual machines",
        "iptables -t mangle -A POSTROUTING -p udp --dport bootpc -j CHECKSUM --checksum-fill",
    ),
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture in which unfinished checksums are no artefact."""
    for number, capture in context.capture_evidence():
        vantage = vantage_of(capture, context.asked_vantage)
        partial = capture.seen("VX201")
        if vantage.where == "wire" and partial.frames:
            yield context.counted(
                RULE,
                number,
                partial,
                confidence=Confidence.CONFIRMED,
                explanation=(
                    "These packets are on the wire with checksums that no device has finished; the "
                    "receiver drops them."
                ),
                evidence={"vantage": vantage.where, "vantage_reason": vantage.reason},
                remedies=_REMEDIES,
            )
        elif vantage.where == "receiver":
            rows = unanswered(context, number)
            if rows.size:
                shakes = context.handshakes
                yield context.finding_about(
                    RULE,
                    number,
                    shakes["frame_number"][rows],
                    shakes["timestamp"][rows],
                    confidence=Confidence.LIKELY,
                    explanation=(
                        "At the receiver these SYNs have checksums that no device has finished. "
                        "They are repeated and never answered: the receiver drops them."
                    ),
                    evidence={"vantage": vantage.where, "vantage_reason": vantage.reason},
                    remedies=_REMEDIES,
                )


def unanswered(context: Context, capture: int) -> I64:
    """Return repeated, unfinished SYNs without a SYN-ACK, as rows of the handshakes.

    A host that sends them on is not their receiver. On one with several interfaces in the capture
    they may come from its own guests; what comes out of a tunnel does not.
    """
    shakes = context.handshakes
    several = len(context.evidence.captures[capture].interfaces) > 1
    sent_on: set[tuple[bytes, ...]] = set()
    forward: dict[tuple[bytes, ...], list[int]] = {}
    answered: set[tuple[bytes, ...]] = set()
    for row in np.flatnonzero(shakes["capture"] == capture).tolist():
        ends = [shakes[n][row].tobytes() for n in ("inner_src", "inner_sport")]
        ends += [shakes[n][row].tobytes() for n in ("inner_dst", "inner_dport")]
        if shakes["direction"][row] == Direction.OUT:
            sent_on.add(tuple(ends))
        if int(shakes["tcp_flags"][row]) & _ACK:
            answered.add((*ends[2:], *ends[:2]))
        elif (
            shakes["inner_l4_status"][row] == Status.PARTIAL
            and shakes["outer_udp_status"][row] != Status.VALID  # VX204
            and shakes["direction"][row] != Direction.OUT
            and (shakes["kind"][row] == Kind.VXLAN or not several)
        ):
            forward.setdefault(tuple(ends), []).append(row)
    rows = [
        row
        for key, members in forward.items()
        if len(members) > 1 and key not in answered and key not in sent_on
        for row in members
    ]
    return np.array(sorted(rows), np.int64)
