"""# VX103 outer-zero-nat-rfc1624

## What it means

The tunnel sends no outer UDP checksum (the field is 0). A translator updated it all the same,
by the textbook formula for incremental updates.

## Why it matters

Receivers verify an outer checksum that is not 0. All packets of the translated flow are
dropped, ping included.

## How it is recognised

The law:

    found = -(S(new address) - S(old address) + new port - old port)      modulo 0xffff

The field is constant in an outer flow, whatever the packet carries. Packets with inner ICMP or
ARP are hit like the others. docs/diagnosis.md explains how laws compete.

An eBPF program may mix two laws in one flow: inner TCP and UDP have the address difference,
ICMP and ARP its negative.

## Example

    vxcsum analyze captures/synthetic/vx103.pcap

## Usual causes

* NAT in userspace, in eBPF programs or in middleboxes that do not know that 0 means "no
  checksum".
* `bpf_l4_csum_replace()` without `BPF_F_MARK_MANGLED_0`.

## Look-alikes

* VX101: the sign is opposite, the port does not enter, and ICMP keeps its 0. Where only the
  address changed and no ICMP was seen, both fit, with old and new address exchanged: the one
  that is known (`--pre-nat`) decides.
* VX104: the tunnel sends checksums, and they were not updated.

## What to do

Make the translator leave a UDP checksum of 0 alone. Until then, let the tunnel send real
checksums, or exempt its port from NAT.

## References

RFC 768; RFC 1624; OpenVPN #1037; cilium #28707. docs/fact-sheet.md, P03 and P06.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.rules.around import PingSpared
from vxcsum.rules.mappings import rewritten
from vxcsum.rules.model import Finding, Remedy, Rule, Severity
from vxcsum.rules.prices import CLAIMS
from vxcsum.rules.rewriting import Rewriting
from vxcsum.rules.scope import EVERY, TRANSPORT

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64
    from vxcsum.rules.case import Case
    from vxcsum.rules.contest import Verdict
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX103",
    "outer-zero-nat-rfc1624",
    "NAT updated an outer checksum that was not there",
    Severity.ERROR,
    apart={
        "VX101": "inner ICMP or ARP, which is hit as well with VX103; or the old address, given "
        "with --pre-nat",
        "VX104": "packets of the tunnel that were not rewritten: do they carry a checksum?",
    },
    formula="found = -(S(new address) - S(old address) + new port - old port)",
)

_REMEDIES = (
    Remedy("the translator", note="make it leave a UDP checksum of 0 as it is (RFC 768)"),
    Remedy(
        "the tunnel, until then",
        "ip link add DEVICE type vxlan id VNI dstport PORT udpcsum",
        "recreates it with outer checksums, for the translator to update; on Linux mind VX102",
    ),
)


def _updated(case: Case) -> I64:
    return -case.found % 0xFFFF


def _opposite_signs(case: Case) -> I64:
    """TCP and UDP carry the opposite of what ICMP and ARP do.

    It is the signature of ``bpf_l4_csum_replace()`` with ``BPF_F_PSEUDO_HDR`` and without
    ``BPF_F_MARK_MANGLED_0``: the sign depends on whether the inner checksum is partial.
    """
    transport = np.isin(case.context.kinds_of(case.rows).transport, sorted(TRANSPORT))
    return np.where(transport, case.found % 0xFFFF, -case.found % 0xFFFF)


_TEXTBOOK = Rewriting(EVERY, _updated, 1, CLAIMS["VX103"], zero=True)
LAWS = (_TEXTBOOK, replace(_TEXTBOOK, value=_opposite_signs))


def told(context: Context, verdicts: list[Verdict]) -> Finding:
    """Return the finding about one pair of outer addresses."""
    rows = np.sort(np.concatenate([verdict.rows for verdict in verdicts]))
    spared = PingSpared.of(context, rows)
    evidence = rewritten(
        context,
        verdicts,
        RULE.formula,
        icmp_and_other_hit=spared.hit,
        frames_without_checksum=spared.zero,
        opposite_signs=any(verdict.law is LAWS[1] for verdict in verdicts),
    )
    return context.finding(
        RULE,
        rows,
        confidence=verdicts[0].confidence,
        explanation=(
            "This tunnel sends no outer UDP checksum. A translator rewrote the outer header and "
            "updated the empty field as if it held one, so that receivers verify it and drop the "
            f"packet. {spared.hit:,} packets with inner ICMP or ARP are hit as well."
        ),
        evidence=evidence.to_dict(),
        remedies=_REMEDIES,
    )
