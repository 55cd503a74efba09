"""# VX101 outer-zero-nat-partial

## What it means

The tunnel sends no outer UDP checksum (the field is 0), but these packets carry a wrong one.
NAT rewrote the outer header on the sending node, and the kernel "updated" a checksum that was
never there.

## Why it matters

Receivers verify an outer checksum that is not 0, and drop the packet. Connections that begin
while the NAT mapping lives wait: one second where the sender picks a new source port for each
SYN, 63 seconds or more where it does not. Ping works throughout, which misleads everybody.

## How it is recognised

Only packets with inner TCP or UDP are hit, because only their checksum is left to the device
(`CHECKSUM_PARTIAL`). The kernel takes that for the state of the outer header and adds the
difference of the addresses, as if the field held an un-complemented pseudo-header sum:

    found = S(new address) - S(old address)        modulo 0xffff
    found = 0xffff                                 where only the port changed

Ports, payload and lengths do not enter. The field is the same in packets whose right checksums
differ. Superframes are hit like single segments. ICMP and ARP keep their 0. The rule is named
where this law needs the fewest bits; docs/diagnosis.md explains how laws compete.

## Example

    vxcsum analyze captures/kernel/u61bug-k8s-clusterip-norehash.snd.pcap

## Usual causes

* kube-proxy before 1.16.13, 1.17.9, 1.18.6 or 1.19 with `MASQUERADE --random-fully`. The mark
  of the inner packet survives encapsulation, so the outer packet is masqueraded, too.
* Any other NAT of the node's own tunnel packets, on a kernel without commit ea64d8d6c675
  (before 5.7, and before stable 5.6.13, 5.4.41, 4.19.123, 4.14.181; distributions backport it).

## Look-alikes

* A right checksum of 0xffff: about one packet in 65,535 has it, and it verifies.
* VX102: the tunnel sends outer checksums. The residual is constant, not the field.
* VX103: textbook arithmetic on a field of 0. The sign is opposite, and ICMP is hit. Where only
  the address changed, ICMP decides, or which of the two addresses is known (`--pre-nat`).
* VX205: a placeholder of 0xffff. Where only SYNs are seen, ICMP or ARP in the tunnel decides,
  an IPv4 header checksum of 0, or the way back: if it carries checksums, the tunnel sends some.

## What to do

Switch checksum offload off on the tunnel device of the sending node. It costs throughput:

    ethtool -K DEVICE tx-checksum-ip-generic off

Or stop the second masquerade (newer kube-proxy, or no NAT for the tunnel's port). Or take a
kernel with the fix.

## References

Linux commit ea64d8d6c675 "netfilter: nat: never update the UDP checksum when it's 0";
kubernetes #88986, PR #92035; projectcalico/calico #3145; flannel-io/flannel #1279; RFC 768; RFC
7348 section 5. docs/fact-sheet.md, P01.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.rules.around import PingSpared
from vxcsum.rules.mappings import rewritten
from vxcsum.rules.model import Finding, Remedy, Rule, Severity
from vxcsum.rules.platform import offload_off, platform_of, without_nat
from vxcsum.rules.prices import CLAIMS
from vxcsum.rules.rewriting import Rewriting
from vxcsum.rules.scope import TRANSPORT, Scope

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64
    from vxcsum.rules.case import Case
    from vxcsum.rules.contest import Verdict
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX101",
    "outer-zero-nat-partial",
    "NAT rewrote the outer UDP header of an offloaded packet",
    Severity.ERROR,
    apart={
        "VX103": "inner ICMP or ARP, which keeps its zero with VX101; or the old address, given "
        "with --pre-nat",
        "VX205": "inner ICMP or ARP, an outer IP header checksum of 0, and whether the way back "
        "carries checksums",
        "VX601": "another wrong packet of the flow whose right checksum differs",
    },
    formula="found = S(new address) - S(old address) modulo 0xffff; 0 is sent as 0xffff",
)


def _field(case: Case) -> I64:
    return case.found % 0xFFFF


LAWS = (Rewriting(Scope(TRANSPORT), _field, 1, CLAIMS["VX101"], zero=True, ports=False),)


def told(context: Context, verdicts: list[Verdict]) -> Finding:
    """Return the finding about one pair of outer addresses."""
    rows = np.sort(np.concatenate([verdict.rows for verdict in verdicts]))
    spared = PingSpared.of(context, rows)
    evidence = rewritten(
        context,
        verdicts,
        RULE.formula,
        frames_without_checksum=spared.zero,
        spared_icmp_and_other=spared.frames,
    )
    kept = all(mapping.value == "0x0000" for mapping in evidence.mappings)
    for mapping in evidence.mappings:
        if mapping.value == "0x0000":
            mapping.value = "0xffff"
    what = (
        "The field is 0xffff, which is what the address difference 0 becomes: NAT kept the address "
        "and changed the port."
        if kept
        else "The field is the difference of the addresses before and after NAT."
    )
    contrast = (
        f" {spared.frames:,} packets with inner ICMP or ARP on the same path kept their zero."
        if spared.frames
        else ""
    )
    return context.finding(
        RULE,
        rows,
        confidence=verdicts[0].confidence,
        explanation=(
            "This tunnel sends no outer UDP checksum, but the kernel wrote one into the packets "
            "that NAT rewrote while their inner checksum was left to the device. "
            f"{what}{contrast} A receiver that verifies it drops the packet."
        ),
        evidence=evidence.to_dict(),
        remedies=remedies(evidence.destination_port, evidence.vni),
    )


def remedies(port: int, vni: int) -> tuple[Remedy, ...]:
    """Return what cures the defect on the node that sent the packets."""
    return (
        *offload_off(platform_of(port, vni)),
        Remedy(
            "Kubernetes before 1.16.13, 1.17.9, 1.18.6 or 1.19",
            "kubectl -n kube-system get daemonset kube-proxy -o wide",
            "shows the version; a newer one stops the second masquerade of the tunnel packet",
        ),
        Remedy(
            "the kernel lacks commit ea64d8d6c675 (5.7; stable 5.6.13, 5.4.41, 4.19.123, 4.14.181)",
            "uname -r",
            "a kernel with the commit leaves a checksum of zero alone; it cures this, not VX102",
        ),
        without_nat(port),
    )
