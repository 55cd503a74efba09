"""# VX102 outer-lco-nat

## What it means

The tunnel sends outer UDP checksums. The kernel had computed one in advance (local checksum
offload) when NAT rewrote the outer header, and NAT then changed it in the wrong way.

## Why it matters

Receivers verify the outer checksum and drop the packet: TCP handshakes and DNS over the tunnel
fail or wait, ping works. It happens on current kernels (6.18 included), and nothing is 0xffff.

## How it is recognised

The inner checksum is still `CHECKSUM_PARTIAL`, so NAT treats the outer field as an
un-complemented pseudo-header sum: it adds the address difference with the wrong sign and skips the
port.

    residual = 2 * (S(new address) - S(old address)) + (new port - old port)      modulo 0xffff

It is the same for all packets of an outer flow, whatever they carry. Where the address stayed, the
field is simply the one that was right for the old port, and the old port follows from it. Inner
ICMP, ARP and superframes are right.

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
projectcalico/calico PR #6842, #4865; flannel-io/flannel #1282; kubernetes #96868.
Fact sheet: P02.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.rules.base import Confidence, Finding, Remedy, Rule, Severity, address_text, hex16
from vxcsum.rules.connections import connections
from vxcsum.rules.nat import TUNNEL_PORTS, Candidate, candidates, proven, sum_of
from vxcsum.rules.platform import platform_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import I64
    from vxcsum.rules.context import Context, Place
    from vxcsum.rules.nat import Address

RULE = Rule(
    "VX102",
    "outer-lco-nat",
    "NAT rewrote an outer UDP checksum that the kernel had finished in advance",
    Severity.ERROR,
)

_MODULUS = 0xFFFF
_HALF = 0x8000  # the inverse of 2 modulo 0xffff
_IN_RANGE = len(TUNNEL_PORTS) / _MODULUS
_MAX_CHANCE = 0.01
#: Packets with inner ICMP that may be damaged by chance, for each that is right.
_FEW = 0.05
_SINGLE_BITS = {1 << bit for bit in range(16)} | {_MODULUS - (1 << bit) for bit in range(16)}


@dataclass(slots=True)
class _Flow:
    """Suspects with one outer source port and one residual."""

    sport: int
    residual: int
    rows: I64
    observations: int
    old_port: int | None = None
    proof: bool = False


@dataclass(slots=True)
class _Hypothesis:
    """A reading of the residuals, and the odds that chance made it fit."""

    flows: list[_Flow]
    odds: float
    old_source: Address | None = None
    candidates: list[Candidate] = field(default_factory=list)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each pair of outer addresses that shows the pattern."""
    for case in context.places("outer_udp"):
        flows = _flows(context, case)
        others = np.count_nonzero(~context.transport_rows(case.rows))
        if not flows or others > _FEW * case.spared:
            continue
        chosen = _address_only(context, case, flows) or _port(context, case, flows)
        if chosen is None:
            continue
        rows = np.sort(np.concatenate([flow.rows for flow in chosen.flows]))
        context.claim(rows, "outer_udp")
        yield _finding(context, case, chosen, rows)


def _flows(context: Context, case: Place) -> list[_Flow]:
    """Return the outer flows that may have been rewritten: none of their small packets is right."""
    rows = case.rows[context.transport_rows(case.rows)]
    inner = context.column("inner_l4_status", rows)
    # VX101 tunnels have zero beside the wrong values, never a right checksum.
    if case.zero and not case.summed:
        return []
    rows = rows[(inner != Status.INVALID) & (context.column("effective", rows) != 0)]
    sports = context.column("outer_sport", rows)
    residuals = context.column("effective", rows)
    expected = context.expected("outer_udp", rows)
    flows = []
    for sport, residual in sorted(set(zip(sports.tolist(), residuals.tolist(), strict=True))):
        if case.path.good_ports is not None and case.path.good_ports[sport]:
            continue
        mask = (sports == sport) & (residuals == residual)
        flows.append(_Flow(sport, residual, rows[mask], len(np.unique(expected[mask]))))
    return flows


def _address_only(context: Context, case: Place, flows: list[_Flow]) -> _Hypothesis | None:
    """Ports kept: the residual is the same in flows with different ports."""
    sports: dict[int, set[int]] = {}
    for flow in flows:
        sports.setdefault(flow.residual, set()).add(flow.sport)
    residual = max(sports, key=lambda value: len(sports[value]))
    chosen = [flow for flow in flows if flow.residual == residual]
    observations = sum(flow.observations for flow in chosen)
    change = residual * _HALF % _MODULUS
    found = candidates(context, case.source, case.destination, change)
    if len(sports[residual]) < 2:
        # One flow: believed only where the address is known and explains it exactly.
        if proven(found) is None or not _plausible(case, chosen):
            return None
        odds = len(context.evidence.addresses) / _MODULUS**observations
    else:
        odds = (len(flows) / _MODULUS) ** (len(sports[residual]) - 1)
    if odds >= _MAX_CHANCE:
        return None
    for flow in chosen:
        flow.old_port = flow.sport
    return _Hypothesis(chosen, odds, candidates=found)


def _plausible(case: Place, flows: list[_Flow]) -> bool:
    return bool(case.spared) and all(flow.sport in TUNNEL_PORTS for flow in flows)


def _port(context: Context, case: Place, flows: list[_Flow]) -> _Hypothesis | None:
    """Ports rewritten; the address kept, or one that is known."""
    by_port: dict[int, int] = {}
    for flow in flows:
        by_port[flow.sport] = by_port.get(flow.sport, 0) + 1
    steady = [flow for flow in flows if by_port[flow.sport] == 1]
    if not steady or len(steady) < 0.9 * len(flows):
        return None
    old_sources: list[Address | None] = [None]
    old_sources += [c for c in sorted(context.evidence.addresses) if c != case.source]
    for old_source in old_sources:
        change = 0 if old_source is None else sum_of(case.source) - sum_of(old_source)
        if old_source is not None and change % _MODULUS == 0:
            continue
        for flow in steady:
            flow.old_port = (flow.sport - flow.residual + 2 * change) % _MODULUS
        if not all(flow.old_port in TUNNEL_PORTS for flow in steady):
            continue
        tries = 1 if old_source is None else len(old_sources)
        odds = tries * _odds(context, case, steady)
        if odds < _MAX_CHANCE or (old_source is None and _believable(case, steady)):
            found = [] if old_source is None else [Candidate(old_source, "source", "seen")]
            return _Hypothesis(steady, min(odds, 1.0), old_source, found)
    return None


def _odds(context: Context, case: Place, flows: list[_Flow]) -> float:
    """Return how likely chance would give old ports like these."""
    odds = 1.0
    for flow in flows:
        odds *= _IN_RANGE / _MODULUS ** (flow.observations - 1)
        flow.proof = _proof(context, case, flow)
        if flow.proof:
            odds /= _MODULUS
    return odds


def _proof(context: Context, case: Place, flow: _Flow) -> bool:
    """Look for a right packet of the same inner connection from exactly the recovered port."""
    shakes = context.handshakes
    mask = (shakes["outer_sport"] == flow.old_port) & (shakes["capture"] == case.capture)
    mask &= shakes["outer_udp_status"] != Status.ZERO
    for name, address in (("outer_src", case.source), ("outer_dst", case.destination)):
        mask &= (shakes[name] == np.array(address, np.uint64)).all(axis=1)
    row = int(flow.rows[0])
    for name in ("inner_src", "inner_dst"):
        mask &= (shakes[name] == context.suspects[name][row]).all(axis=1)
    for name in ("inner_sport", "inner_dport"):
        mask &= shakes[name] == context.suspects[name][row]
    return bool(mask.any())


def _believable(case: Place, flows: list[_Flow]) -> bool:
    """Believe a few packets only with the ICMP contrast, and where no single bit explains them."""
    return bool(case.spared) and not any(flow.residual in _SINGLE_BITS for flow in flows)


def _confidence(case: Place, chosen: _Hypothesis) -> Confidence:
    if any(flow.proof for flow in chosen.flows):
        return Confidence.CONFIRMED
    repeated = max(flow.observations for flow in chosen.flows)
    if chosen.odds < 1e-8 or (case.spared and chosen.odds < _MAX_CHANCE) or repeated >= 3:
        return Confidence.CONFIRMED
    if chosen.odds < _MAX_CHANCE or repeated == 2:
        return Confidence.LIKELY
    return Confidence.POSSIBLE


def _finding(context: Context, case: Place, chosen: _Hypothesis, rows: I64) -> Finding:
    kept = chosen.old_source is None and not chosen.candidates
    known = proven(chosen.candidates) if chosen.candidates else None
    mappings: dict[tuple[int, int | None], dict[str, Any]] = {}
    for flow in chosen.flows:
        mapping: dict[str, Any] = {
            "pre_nat_source": address_text(case.source) if kept else None,
            "pre_nat_destination": address_text(case.destination) if kept else None,
            "pre_nat_source_port": flow.old_port,
            "post_nat_source": address_text(case.source),
            "post_nat_source_port": flow.sport,
            "frames": int(flow.rows.size),
            "residual": hex16(flow.residual),
        }
        if known is not None:
            mapping[f"pre_nat_{known.role}"] = known.text
        mappings[flow.sport, flow.old_port] = mapping
    first = int(rows[0])
    port, vni = int(context.suspects["outer_dport"][first]), int(context.suspects["vni"][first])
    evidence: dict[str, Any] = {
        "post_nat_source": address_text(case.source),
        "destination": address_text(case.destination),
        "destination_port": port,
        "vni": vni,
        "found": hex16(context.suspects["outer_udp_found"][first]),
        "expected": hex16(context.expected("outer_udp", rows[:1])[0]),
        "residual": hex16(context.suspects["effective"][first]),
        "formula": "residual = 2 * (S(new address) - S(old address)) + new port - old port",
        "flows": len(chosen.flows),
        "observations": sum(flow.observations for flow in chosen.flows),
        "chance": float(f"{chosen.odds:.2g}"),
        "spared_icmp_and_other": case.spared,
        "proven_by_later_packet": any(flow.proof for flow in chosen.flows),
        "connections": connections(context, rows),
        "mappings": list(mappings.values()),
    }
    for name in ("pre_nat_source", "pre_nat_destination", "pre_nat_source_port"):
        values = {mapping[name] for mapping in mappings.values()}
        if len(values) == 1 and None not in values:
            evidence[name] = values.pop()
    if chosen.candidates:
        evidence["candidates"] = list(dict.fromkeys(c.text for c in chosen.candidates))
    return context.finding(
        RULE,
        rows,
        confidence=_confidence(case, chosen),
        explanation=_explanation(case, chosen, kept=kept),
        evidence=evidence,
        remedies=remedies(port, vni),
    )


def _explanation(case: Place, chosen: _Hypothesis, *, kept: bool) -> str:
    what = (
        "The checksum is the one that was right before NAT changed the source port."
        if kept
        else "The address difference went into the checksum with the wrong sign."
    )
    contrast = (
        f" {case.spared} packets with inner ICMP or ARP on the same path are right."
        if case.spared
        else ""
    )
    alternative = ""
    if not case.spared:
        alternative = (
            " A middlebox that updates no checksum at all would look the same; inner ICMP tells "
            "them apart: it is right here, and wrong there."
        )
    return (
        "The kernel finishes the outer checksum in advance where the inner one is left to the "
        "device (local checksum offload). NAT then rewrote the outer header and changed that "
        f"checksum in the wrong way. {what}{contrast}{alternative} Receivers drop the packet."
    )


def remedies(port: int, vni: int) -> tuple[Remedy, ...]:
    """Return what cures the defect on the node that sent the packets."""
    platform = platform_of(port, vni)
    return (
        Remedy(
            f"on the sending node, at once ({platform.name})",
            f"ethtool -K {platform.device} tx-checksum-ip-generic off",
            "costs throughput: checksums in software, no segmentation offload over the tunnel; "
            "lost at reboot unless a udev rule repeats it",
        ),
        Remedy(
            "the tunnel needs no NAT",
            f"iptables -t nat -I POSTROUTING 1 -p udp --dport {port} -j ACCEPT",
            "first make sure that no NAT of the tunnel is wanted",
        ),
        Remedy(
            "the kernel has commit ea64d8d6c675 (5.7, or a backport)",
            f"ip link add {platform.device} type vxlan id {vni} dstport {port} noudpcsum ...",
            "recreate the device without outer checksums; on older kernels this turns into VX101",
        ),
        Remedy(
            "Calico",
            "kubectl patch felixconfiguration default --type merge -p "
            '\'{"spec":{"featureDetectOverride":"ChecksumOffloadBroken=true"}}\'',
            "Felix from v3.29 on no longer switches the offload off on kernels after 5.7",
        ),
        Remedy("whatever else", "do not wait for a kernel upgrade: 6.18 still has this defect"),
    )
