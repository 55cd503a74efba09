"""# VX102 outer-lco-nat

## What it means

The tunnel sends outer UDP checksums. The kernel had computed one in advance (local checksum
offload) when NAT rewrote the outer header, and NAT then changed it in the wrong way.

## Why it matters

Receivers verify the outer checksum and drop the packet: TCP handshakes and DNS over the tunnel
fail or wait, ping works. It happens on current kernels (6.18 included), and nothing is 0xffff.

## How it is recognised

The inner checksum is still `CHECKSUM_PARTIAL`, so NAT treats the outer field as an
un-complemented pseudo-header sum: it adds the address difference with the wrong sign and skips
the port.

    residual = 2 * (S(new address) - S(old address)) + (new port - old port)      modulo 0xffff

It is the same for all packets of an outer flow, whatever they carry. Where the address stayed,
the field is simply the one that was right for the old port, and the old port follows from it.
Inner ICMP, ARP and superframes are right. Where none of them is seen, VX104 fits as well, and of a
few connections the finding is only possible. Where several addresses fit with the ports that follow
from them, all are listed, and none is said to be the one before NAT.

## Example

    vxcsum analyze captures/kernel/u61bug-nat-udpcsum.rcv.pcap

## Usual causes

* `MASQUERADE --random-fully` or SNAT that hits the node's own tunnel packets, with a VXLAN device
  whose outer checksum is on (the kernel's default since 4.6).
* The same NAT on a router in another namespace, reached over veth with offload on.

## Look-alikes

* VX104: a middlebox that updates nothing; inner ICMP is wrong there, too.
* VX201: the outer checksum is right once the inner one is finished.
* VX601, VX602: damage; the residual differs from packet to packet.

## What to do

Switch checksum offload off on the tunnel device, or stop NAT of the tunnel, or send no outer
checksum. A kernel upgrade does not help.

## References

Linux net/core/utils.c inet_proto_csum_replace4(), net/netfilter/nf_nat_proto.c; cilium PR #8705;
projectcalico/calico PR #6842, #4865; flannel-io/flannel #1282; kubernetes #96868. Fact sheet:
P02.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.rules.base import Finding, Remedy, Rule, Severity
from vxcsum.rules.nat import candidates, proven
from vxcsum.rules.platform import offload_off, platform_of, without_nat
from vxcsum.rules.readings import Reading, flows_of, read_flows
from vxcsum.rules.rewriting import rewriting_finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import I64
    from vxcsum.rules.context import Context, Place

RULE = Rule(
    "VX102",
    "outer-lco-nat",
    "NAT rewrote an outer UDP checksum that the kernel had finished in advance",
    Severity.ERROR,
)

_FORMULA = "residual = 2 * (S(new address) - S(old address)) + new port - old port"
#: Packets with inner ICMP that may be damaged by chance, for each that is right.
_FEW = 0.05


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each pair of outer addresses that shows the pattern."""
    for place in context.places("outer_udp"):
        transport = context.transport_rows(place.rows)
        # A tunnel without outer checksums is VX101's; where ICMP is hit as well, it is VX104.
        unsummed = place.zero and not place.summed
        others = int(np.count_nonzero(~transport))
        spares = others <= _FEW * max(place.spared, place.rows.size) and others <= place.spared
        if unsummed or not spares:
            continue
        rows = carriers(context, place)
        flows = flows_of(context, place, rows, context.residual("outer_udp", rows))
        contrast = bool(place.spared)
        reading = read_flows(
            context, place, flows, wrong=rows.size, coefficient=2, contrast=contrast
        )
        if reading is None or (not contrast and _told_as_stale(context, place, reading)):
            continue
        yield finding_of(context, place, reading, contrast=contrast)


def carriers(context: Context, place: Place) -> I64:
    """Return the suspects whose inner TCP or UDP checksum is right, or left to a device."""
    rows = place.rows[context.transport_rows(place.rows)]
    whole: I64 = rows[context.column("inner_l4_status", rows) != Status.INVALID]
    return whole


def finding_of(context: Context, place: Place, reading: Reading, *, contrast: bool) -> Finding:
    """Return the finding about a reading; ``contrast``: inner ICMP speaks against VX104."""
    first = int(reading.rows[0])
    return rewriting_finding(
        context,
        RULE,
        place,
        reading,
        formula=_FORMULA,
        explanation=_explanation(place, reading),
        contrast=contrast,
        evidence={
            "spared_icmp_and_other": place.spared,
            "alternatives": [] if contrast else [_ALTERNATIVE],
        },
        remedies=remedies(
            int(context.suspects["outer_dport"][first]), int(context.suspects["vni"][first])
        ),
    )


def _told_as_stale(context: Context, place: Place, reading: Reading) -> bool:
    """Tell whether a known address explains the residual as that of an old checksum: VX104."""
    if proven(reading.candidates) is not None:
        return False
    changes = {flow.value for flow in reading.flows}
    if reading.kept or len(changes) > 1:
        return False
    return proven(candidates(context, place.source, place.destination, changes.pop())) is not None


_ALTERNATIVE = (
    "VX104: a middlebox that updates no checksum looks the same in TCP and UDP; inner ICMP tells "
    "them apart: it is right here, and wrong there"
)


def _explanation(place: Place, reading: Reading) -> str:
    """Return what happened, in words."""
    if any(candidate.address == place.source for candidate in reading.candidates):
        what = "Whether the address was changed as well as the port, these sums do not tell."
    elif reading.kept:
        what = "The checksum is the one that was right before NAT changed the source port."
    else:
        what = "The address difference went into the checksum with the wrong sign."
    contrast = (
        f" {place.spared} packets with inner ICMP or ARP on the same path are right."
        if place.spared
        else ""
    )
    return (
        "The kernel finishes the outer checksum in advance where the inner one is left to the "
        "device (local checksum offload). NAT then rewrote the outer header and changed that "
        f"checksum in the wrong way. {what}{contrast} A receiver that verifies it drops the packet."
    )


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
