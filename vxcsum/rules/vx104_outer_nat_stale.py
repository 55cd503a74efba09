"""# VX104 outer-nat-stale

## What it means

A device rewrote the outer address or port, or the VNI, and left the outer UDP checksum as it was.

## Why it matters

Receivers that verify the outer checksum drop every packet that passed the device.

## How it is recognised

residual = S(new address) - S(old address) + new port - old port modulo 0xffff

It is constant for an outer flow, and packets with inner ICMP or ARP are hit like the others, or
the address before NAT is known (`--pre-nat`) and fits.
Where the VNI was rewritten, the residual is the difference of its words.

## Example

vxcsum analyze captures/synthetic/vx104.pcap

## Usual causes

* NAT in userspace, XDP and eBPF programs that rewrite headers without updating the checksum.
* ESP in transport mode through NAT.

## Look-alikes

* VX102: inner ICMP is right.
* VX105: an address and a port were rewritten, and only one of them updated.
* VX908: IPv4 header checksums are wrong by the same amount: the capture was edited.

## What to do

Correct the device. Until then `tc filter add dev eth0 ... action csum udp` behind it, or a tunnel
without outer checksums.

## References

RFC 1624; moby/moby #37115; opnsense/src #312; xdp-tutorial #160. Fact sheet: P04 and P06.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.packet.columns import distinct
from vxcsum.rules.base import Confidence, Finding, Remedy, Rule, Severity, hex16
from vxcsum.rules.nat import proven
from vxcsum.rules.readings import MODULUS, few, flows_of, read_flows
from vxcsum.rules.rewriting import rewriting_finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context, Place

RULE = Rule(
    "VX104",
    "outer-nat-stale",
    "The outer header was rewritten and its checksum was not",
    Severity.ERROR,
)

_REMEDIES = (
    Remedy(
        "the device that rewrites", note="make it update the UDP checksum (RFC 1624, equation 3)"
    ),
    Remedy(
        "a Linux host behind it, until then",
        "tc qdisc add dev eth0 clsact; tc filter add dev eth0 egress protocol ip matchall "
        "action csum udp",
    ),
)
_MIN_OBSERVATIONS = 2


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each pair of outer addresses that shows the pattern."""
    for place in context.places("outer_udp"):
        others = int(np.count_nonzero(~context.transport_rows(place.rows)))
        if others < place.spared:
            continue
        renumbered = _vni(context, place)
        if renumbered is not None:
            yield renumbered
            continue
        flows = flows_of(context, place, place.rows, context.residual("outer_udp", place.rows))
        reading = read_flows(
            context, place, flows, wrong=place.rows.size, coefficient=1, contrast=others > 1
        )
        if reading is None or few(place, reading):
            continue
        if not others and proven(reading.candidates) is None:
            continue  # without ICMP, and without an address that is known, VX102 looks the same
        hit = (
            f"{others} packets with inner ICMP or ARP are hit like all others, so it is no matter "
            "of the sender's offload."
            if others
            else "No packet with inner ICMP was seen that would tell this from VX102; the address "
            "is known and does."
        )
        yield rewriting_finding(
            context,
            RULE,
            place,
            reading,
            formula="residual = S(new address) - S(old address) + new port - old port",
            explanation=(
                "The outer header was rewritten on the way, and its checksum is the one of the old "
                f"header. {hit}"
            ),
            contrast=others > 1,
            evidence={"icmp_and_other_hit": others},
            remedies=_REMEDIES,
        )


def _vni(context: Context, place: Place) -> Finding | None:
    """Read a residual as a VNI that was exchanged for another one seen in the capture."""
    residuals = context.residual("outer_udp", place.rows).astype(np.int64)
    vnis = context.column("vni", place.rows)
    values = distinct(residuals)
    expected = context.expected("outer_udp", place.rows)
    if values.size != 1 or distinct(vnis).size != 1 or distinct(expected).size < 2:
        return None
    new = int(vnis[0])
    seen = context.evidence.captures[place.capture].vnis
    old = [v for v in sorted(seen) if v != new and (_sum(new) - _sum(v) - values[0]) % MODULUS == 0]
    if not old:
        return None
    context.claim(place.rows, "outer_udp")
    return context.finding(
        RULE,
        place.rows,
        confidence=Confidence.LIKELY,
        explanation=(
            f"The VNI was changed from {old[0]} to {new} on the way, and the outer checksum is the "
            "one of the old VNI."
        ),
        evidence={
            "pre_nat_vni": old[0],
            "post_nat_vni": new,
            "candidates": [str(v) for v in old],
            "residual": hex16(values[0]),
            "formula": "residual = S(new VNI) - S(old VNI)",
        },
        remedies=_REMEDIES,
    )


def _sum(vni: int) -> int:
    """Return the sum of the two words that hold a VNI."""
    return (vni >> 8) + ((vni & 0xFF) << 8)
