"""# VX102 outer-lco-nat

## What it means

The tunnel sends outer UDP checksums. The kernel had finished one in advance (local checksum
offload) when NAT rewrote the outer header. NAT then changed it in the wrong way.

## Why it matters

Receivers verify the outer checksum and drop the packet. TCP handshakes and DNS through the
tunnel fail or wait, ping works. Current kernels have it (6.18 included), and nothing is 0xffff.

## How it is recognised

The inner checksum is still `CHECKSUM_PARTIAL`, so NAT treats the outer field as an
un-complemented pseudo-header sum. It adds the address difference with the wrong sign and skips
the port:

    residual = 2 * (S(new address) - S(old address)) + (new port - old port)      modulo 0xffff

The residual is the same for all packets of an outer flow that are hit, whatever they carry.
Inner ICMP, ARP and superframes are right. The rule is named where this law needs the fewest
bits (docs/diagnosis.md).

Where the address stayed, the field is the one that was right for the old port, and the old port
follows. Where only the address changed, its sum follows. Where both changed, one equation has
two unknowns: candidates are listed, and neither is reported as the old value. A right packet of
the same inner connection from the old port settles it; so does `--pre-nat`.

## Example

    vxcsum analyze captures/kernel/u61bug-nat-udpcsum.rcv.pcap

## Usual causes

* `MASQUERADE --random-fully` or SNAT that catches the node's own tunnel packets, with a VXLAN
  device whose outer checksum is on (the kernel's default since 4.6).
* The same NAT on a router in another namespace, reached over veth with offload on.

## Look-alikes

* VX104: a device that updates nothing. Where only the port changed, both leave the same values:
  inner ICMP decides (right here, wrong there), a superframe, or an address that changed.
* VX105: the packet before NAT decides.
* VX106: segmented twice. The same outer port carries right packets as well, and there is no
  NAT.
* VX201: the outer checksum is right once the inner one is finished.
* VX601: one wrong SYN may be damage. The same packet, right, from another port decides.
* VX908: an edited capture has the same difference in both directions.

## What to do

Switch checksum offload off on the tunnel device of the sending node. It costs throughput:

    ethtool -K DEVICE tx-checksum-ip-generic off

Or stop NAT of the tunnel, or send no outer checksum (`noudpcsum`, on a kernel with commit
ea64d8d6c675). A kernel upgrade does not help.

## References

Linux net/core/utils.c inet_proto_csum_replace4(), net/netfilter/nf_nat_proto.c; cilium PR
#8705; projectcalico/calico PR #6842, #4865; flannel-io/flannel #1282; kubernetes #96868.
docs/fact-sheet.md, P02 and P09.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.rules.around import PingSpared
from vxcsum.rules.mappings import Rewritten, rewritten
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
    "VX102",
    "outer-lco-nat",
    "NAT rewrote an outer UDP checksum that the kernel had finished in advance",
    Severity.ERROR,
    apart={
        "VX104": "inner ICMP and superframes, which are right with VX102; or an address that "
        "changed",
        "VX105": "the packet before NAT",
        "VX601": "the same packet, right, from another port",
        "VX602": "the same packet, right, from another port",
    },
    formula="residual = 2 * (S(new address) - S(old address)) + new port - old port",
)


def _residual(case: Case) -> I64:
    return case.residual


LAWS = (Rewriting(Scope(TRANSPORT, superframes=False), _residual, 2, CLAIMS["VX102"], zero=False),)


def told(context: Context, verdicts: list[Verdict]) -> Finding:
    """Return the finding about one pair of outer addresses."""
    rows = np.sort(np.concatenate([verdict.rows for verdict in verdicts]))
    spared = PingSpared.of(context, rows)
    evidence = rewritten(
        context,
        verdicts,
        RULE.formula,
        spared_icmp_and_other=spared.frames,
    )
    contrast = (
        f" {spared.frames:,} packets with inner ICMP or ARP on the same path are right."
        if spared.frames
        else ""
    )
    return context.finding(
        RULE,
        rows,
        confidence=verdicts[0].confidence,
        explanation=(
            "The kernel finishes the outer checksum in advance where the inner one is left to the "
            "device (local checksum offload). NAT then rewrote the outer header and changed that "
            f"checksum in the wrong way. {_what(evidence)}{contrast} A receiver that verifies it "
            "drops the packet."
        ),
        evidence=evidence.to_dict(),
        remedies=remedies(evidence.destination_port, evidence.vni),
    )


def _what(evidence: Rewritten) -> str:
    if any(mapping.port_if_address_kept is not None for mapping in evidence.mappings):
        return "Whether the address was changed as well as the port, these sums do not tell."
    if all(m.pre_nat_source == m.post_nat_source for m in evidence.mappings):
        return "The checksum is the one that was right before NAT changed the source port."
    return "The address difference went into the checksum with the wrong sign."


_CALICO_PORT = 4789
_CALICO = (
    Remedy(
        "Calico",
        "kubectl patch felixconfiguration default --type merge -p "
        '\'{"spec":{"featureDetectOverride":"ChecksumOffloadBroken=true"}}\'',
        "Felix v3.29 and later leave the offload on with kernels after 5.7, and a newer kernel "
        "does not help: 6.18 has this defect; after setting false again, Felix does not switch the "
        "offload back on by itself",
    ),
)


def remedies(port: int, vni: int) -> tuple[Remedy, ...]:
    """Return what cures the defect on the node that sent the packets."""
    platform = platform_of(port, vni)
    return (
        *offload_off(platform),
        without_nat(port),
        Remedy(
            "the kernel has commit ea64d8d6c675 (5.7, or a backport)",
            f"ip link del {platform.device}; "
            f"ip link add {platform.device} type vxlan id {vni} dstport {port} noudpcsum",
            "with the other options that the device has; on older kernels this turns into VX101",
        ),
        *(_CALICO if port == _CALICO_PORT else ()),
    )
