"""# VX103 outer-zero-nat-rfc1624

## What it means

The tunnel sends no outer UDP checksum (the field is 0), and a translator updated it all the same,
by the textbook formula for incremental updates.

## Why it matters

Receivers verify an outer checksum that is not 0. All packets of the rewritten flow are dropped,
ping included.

## How it is recognised

found = -(S(new address) - S(old address) + new port - old port) modulo 0xffff

The field is constant for an outer flow, whatever the packet carries, and packets with inner ICMP
or ARP are hit like the others.

## Example

vxcsum analyze captures/synthetic/vx103.pcap

## Usual causes

* NAT in userspace, in eBPF programs or in middleboxes that do not know that 0 means "no
  checksum".
* `bpf_l4_csum_replace()` without `BPF_F_MARK_MANGLED_0`.

## Look-alikes

* VX101: the sign is opposite, the port does not enter, and ICMP keeps its 0.
* VX104: the tunnel sends checksums, and they were not updated.

## What to do

Make the translator leave a UDP checksum of 0 alone. Until then, let the tunnel send real
checksums, or exempt its port from NAT.

## References

RFC 768; RFC 1624; OpenVPN issue #1037; cilium #28707. Fact sheet: P03 and P06.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.packet.columns import distinct
from vxcsum.rules.base import Finding, Remedy, Rule, Severity
from vxcsum.rules.census import ICMP, ICMPV6, NONE, TCP, UDP
from vxcsum.rules.nat import proven
from vxcsum.rules.readings import MODULUS, few, flows_of, read_flows
from vxcsum.rules.rewriting import rewriting_finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import AnyArray, Bool
    from vxcsum.rules.context import Context, Place

RULE = Rule(
    "VX103",
    "outer-zero-nat-rfc1624",
    "NAT updated an outer checksum that was not there",
    Severity.ERROR,
)

_REMEDIES = (
    Remedy("the translator", note="make it leave a UDP checksum of 0 as it is (RFC 768)"),
    Remedy(
        "the tunnel, until then",
        "ip link add DEVICE type vxlan id VNI dstport PORT udpcsum",
        "recreates it with outer checksums, for the translator to update; on Linux mind VX102",
    ),
)


#: So many packets speak for it where none without outer checksum is seen.
_MANY = 8


def _unsummed(context: Context, place: Place) -> bool:
    """Tell whether packets without outer checksum are seen between the two ends."""
    back = context.evidence.paths.get(
        (place.capture, *place.destination, *place.source, place.key[5])
    )
    everything = (NONE, TCP, UDP, ICMP, ICMPV6)
    return bool(place.zero or (back is not None and back.outer(everything, Status.ZERO)))


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each pair of outer addresses that shows the pattern."""
    for place in context.places("outer_udp"):
        if place.summed and not place.zero:
            continue
        transport = context.transport_rows(place.rows)
        others = int(np.count_nonzero(~transport))
        values = -context.column("outer_udp_found", place.rows).astype(np.int64) % MODULUS
        mixture = _opposite_signs(values, transport)
        if mixture:
            values = np.where(transport, -values % MODULUS, values)
        flows = flows_of(context, place, place.rows, values)
        reading = read_flows(
            context, place, flows, wrong=place.rows.size, coefficient=1, contrast=others > 1
        )
        if reading is None or few(place, reading):
            continue
        residuals = distinct(context.residual("outer_udp", place.rows))
        if residuals.size < distinct(values).size:
            continue  # there was a checksum: it is off by what does not vary, VX102 or VX104
        # A field that stays the same while the packets differ was no checksum.
        steady = others or any(flow.observations > 1 for flow in reading.flows)
        if not _unsummed(context, place) and (reading.rows.size < _MANY or not steady):
            continue
        port_kept = all(flow.old_port == flow.sport for flow in reading.flows)
        if port_kept and not others and proven(reading.candidates) is None:
            continue  # without ICMP and without a known address, the sign cannot be told
        yield rewriting_finding(
            context,
            RULE,
            place,
            reading,
            formula="found = -(S(new address) - S(old address) + new port - old port)",
            explanation=(
                "This tunnel sends no outer UDP checksum. A translator rewrote the outer header "
                "and updated the empty field as if it held one, so that receivers verify it and "
                f"drop the packet. {others} packets with inner ICMP or ARP are hit as well."
            ),
            contrast=others > 1,
            evidence={
                "icmp_and_other_hit": others,
                "frames_without_checksum": place.zero,
                "opposite_signs": mixture,
            },
            remedies=_REMEDIES,
        )


def _opposite_signs(values: AnyArray, transport: Bool) -> bool:
    """Tell whether TCP and UDP carry the opposite of what ICMP and ARP do.

    It is the signature of ``bpf_l4_csum_replace()`` with ``BPF_F_PSEUDO_HDR`` and without
    ``BPF_F_MARK_MANGLED_0``: the sign depends on whether the inner checksum is partial.
    """
    one, other = distinct(values[transport]), distinct(values[~transport])
    if one.size != 1 or other.size != 1 or not one[0]:
        return False
    return int(one[0] + other[0]) % MODULUS == 0
