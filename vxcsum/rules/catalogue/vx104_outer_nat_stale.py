"""# VX104 outer-nat-stale

## What it means

A device rewrote the outer address or port, or the VNI, and left the outer UDP checksum as it
was.

## Why it matters

Receivers that verify the outer checksum drop every packet that passed the device.

## How it is recognised

The law:

    residual = S(new address) - S(old address) + new port - old port      modulo 0xffff

Where the VNI was rewritten, the residual is the difference of its words. The residual is
constant in an outer flow, and packets with inner ICMP or ARP are hit like the others. The field
is the one that was right for the old header. docs/diagnosis.md explains how laws compete.

Where address and port both changed, one equation has two unknowns. Candidates are listed, and
neither is reported as the old value unless `--pre-nat` or another capture decides.

## Example

    vxcsum analyze captures/synthetic/vx104.pcap

## Usual causes

* NAT in userspace, XDP and eBPF programs that rewrite headers and update no checksum.
* ESP in transport mode through NAT.

## Look-alikes

* VX102: inner ICMP and superframes are right. Where only the port changed and neither was seen,
  both fit.
* VX105: an address and a port were rewritten, and one of them was updated. The packet before
  NAT decides.
* VX908: IPv4 header checksums are wrong by the same amount, or the way back has the same
  difference with the same sign. The capture was edited.

## What to do

Correct the device. Until then correct the checksum behind it:

    tc qdisc add dev eth0 clsact
    tc filter add dev eth0 egress protocol ip u32 match ip protocol 17 0xff action csum udp

Or use a tunnel without outer checksums.

## References

RFC 1624; moby/moby #37115; opnsense/src #312; xdp-tutorial #160. docs/fact-sheet.md, P04 and
P06.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.rules.around import PingSpared
from vxcsum.rules.mappings import rewritten
from vxcsum.rules.model import Finding, Remedy, Rule, Severity, hex16
from vxcsum.rules.prices import CLAIMS
from vxcsum.rules.rewriting import VNI, Rewriting, vni_sum
from vxcsum.rules.scope import EVERY

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64
    from vxcsum.rules.case import Case
    from vxcsum.rules.contest import Verdict
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX104",
    "outer-nat-stale",
    "The outer header was rewritten and its checksum was not",
    Severity.ERROR,
    apart={
        "VX102": "inner ICMP and superframes, which are wrong as well with VX104; or an address "
        "that changed",
        "VX105": "the packet before NAT",
        "VX908": "the way back: NAT leaves the opposite there, or nothing; an edit leaves the same",
        "VX507": "the packet before the translator, or another destination",
        "VX509": "the packet before the translator, or another destination",
    },
    formula="residual = S(new address) - S(old address) + new port - old port",
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


def _residual(case: Case) -> I64:
    return case.residual


LAWS = (Rewriting(EVERY, _residual, 1, CLAIMS["VX104"], zero=False, vnis=True),)


def told(context: Context, verdicts: list[Verdict]) -> Finding:
    """Return the finding about one pair of outer addresses."""
    rows = np.sort(np.concatenate([verdict.rows for verdict in verdicts]))
    renumbered = [v for v in verdicts if int(v.details["mode"][0]) == VNI]
    if renumbered:
        return _vni(context, renumbered[0], rows)
    spared = PingSpared.of(context, rows)
    evidence = rewritten(
        context,
        verdicts,
        RULE.formula,
        icmp_and_other_hit=spared.hit,
    )
    hit = (
        f"{spared.hit:,} packets with inner ICMP or ARP are hit like all others, so it is no "
        "matter of the sender's offload."
        if spared.hit
        else "No packet with inner ICMP was seen that would tell this from VX102."
    )
    return context.finding(
        RULE,
        rows,
        confidence=verdicts[0].confidence,
        explanation=(
            "The outer header was rewritten on the way, and its checksum is the one of the old "
            f"header. {hit}"
        ),
        evidence=evidence.to_dict(),
        remedies=_REMEDIES,
    )


def _vni(context: Context, verdict: Verdict, rows: I64) -> Finding:
    value = int(verdict.details["value"][0])
    new = int(context.suspects["vni"][rows[0]])
    old = [
        vni
        for vni in context.vnis(verdict.case)
        if vni != new
        and (int(vni_sum(np.int64(new)) - vni_sum(np.int64(vni))) - value) % 0xFFFF == 0
    ]
    return context.finding(
        RULE,
        rows,
        confidence=verdict.confidence,
        explanation=(
            f"The VNI was changed from {old[0]} to {new} on the way, and the outer checksum is the "
            "one of the old VNI."
        ),
        evidence={
            "pre_nat_vni": old[0],
            "post_nat_vni": new,
            "candidates": [str(vni) for vni in old],
            "residual": hex16(value),
            "formula": "residual = S(new VNI) - S(old VNI)",
        },
        remedies=_REMEDIES,
    )
