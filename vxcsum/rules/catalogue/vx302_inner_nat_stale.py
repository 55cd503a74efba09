"""# VX302 inner-nat-stale

## What it means

A service or NAT rewrote an inner address or port. The inner TCP or UDP checksum was not
updated, or in the wrong way.

## Why it matters

The receiving host drops the packets. The service is dead for the connections concerned.

## How it is recognised

The law has two forms. Not updated:

    residual = S(new address) - S(old address) + new port - old port

Updated as if it were unfinished, as in VX102:

    residual = 2 * (S(new address) - S(old address)) + new port - old port

The residual is the same for all packets of an inner flow, with and without payload. Where the
address before the rewrite is known, it has to fit exactly. Where nothing is known, a constant
is all there is, and other rules explain it as well. docs/diagnosis.md explains how laws
compete.

## Example

    vxcsum analyze captures/synthetic/vx302.pcap

## Usual causes

* Service load balancing or NAT between pod and tunnel (eBPF, OVS, IPVS) that does not update a
  finished checksum.

## Look-alikes

* VX603: only packets with payload are hit.
* VX301: the residuals differ.
* VX104: the outer header.
* VX508, VX509, VX600 with a constant, and VX908 with renamed addresses leave a constant, too.
  The way back decides, the destination of a route, or a second service.

## What to do

Find the step that rewrites: capture on the pod and on the tunnel device, and report it to the
maker of the CNI with both captures.

## References

projectcalico/calico #7040; kube-ovn #723. docs/fact-sheet.md, P21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.algebra import HALF
from vxcsum.packet.columns import Kind
from vxcsum.rules.connections import connections
from vxcsum.rules.contrasts import Constant, by_ends
from vxcsum.rules.model import Finding, Rule, Severity, address_text, hex16
from vxcsum.rules.nat import is_ipv4, solve_network, sum_of
from vxcsum.rules.prices import CLAIMS, WORD
from vxcsum.rules.scope import TRANSPORT, Scope

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64, AnyArray, Bool
    from vxcsum.rules.case import Case
    from vxcsum.rules.contest import Verdict
    from vxcsum.rules.context import Context
    from vxcsum.rules.law import Reading
    from vxcsum.rules.prepared import Address
    from vxcsum.rules.undecided import Undecided

RULE = Rule(
    "VX302",
    "inner-nat-stale",
    "The inner header was rewritten and its checksum was not",
    Severity.ERROR,
    apart={
        "VX908": "the way back: NAT leaves the opposite there, or nothing; an edit leaves the same",
        "VX603": "packets without payload: are they right?",
        "VX508": "the destination of the route",
        "VX509": "a second service, or the way back",
        "VX507": "packets of other lengths",
        "VX601": "more packets of the connection: all are off by the same",
    },
    formula="residual = c * (S(new address) - S(old address)) + new port - old port, c = 1 or 2",
)

_MODULUS = 0xFFFF


def _price(case: Case, value: I64) -> AnyArray:
    return case.context.inner_price(case, value)


def _in_a_tunnel_or_known(case: Case) -> Bool:
    """Before the tunnel there is much that rewrites; there a known address has to fit."""
    return np.asarray((case.column("kind") == Kind.VXLAN) | (_price(case, case.residual) < WORD))


LAWS = (
    Constant(Scope(TRANSPORT), CLAIMS["VX302"], by_ends, price=_price, where=_in_a_tunnel_or_known),
)


def told(context: Context, verdicts: list[Verdict]) -> Finding:
    """Return the finding about one path."""
    rows = np.concatenate([verdict.rows for verdict in verdicts])
    residual = context.suspects["inner_l4_residual"][rows].astype(np.int64)
    ends = context.flows("inner_l4")[rows]
    mappings = [_mapping(context, rows[m]) for m in _groups(context, rows, residual)]
    evidence: dict[str, Any] = {
        "residual": mappings[0]["residual"],
        "observations": np.unique(context.observations("inner_l4")[rows]).size,
        "flows": np.unique(ends).size,
        "connections": connections(context, rows),
        "mappings": mappings,
    }
    candidates = list(dict.fromkeys(c for m in mappings for c in m["candidates"]))
    if candidates:
        evidence["candidates"] = candidates
    for name in ("pre_nat_source", "pre_nat_destination"):
        values = {m[name] for m in mappings}
        if len(values) == 1 and None not in values:
            evidence[name] = values.pop()
    return context.finding(
        RULE,
        rows,
        confidence=verdicts[0].confidence,
        explanation=(
            "All packets of these inner connections are off by the same amount, whatever they "
            "carry: an address or a port was rewritten and the checksum not updated for it."
        ),
        evidence=evidence,
    )


def recovered(case: Case, reading: Reading) -> dict[str, Any]:
    """Return the old port if only that was rewritten, and addresses that fit."""
    row = int(np.flatnonzero(reading.mask)[0])
    residual = int(case.residual[row])
    out: dict[str, Any] = {
        "pre_nat_source_port": int(case.number("inner_sport")[row] - residual) % _MODULUS
    }
    found = _candidates(case.context, int(case.rows[row]), residual)
    if found:
        out["candidates"] = [f"{role} {address_text(address)}" for address, role in found[:8]]
    return out


def _groups(context: Context, rows: I64, residual: I64) -> list[I64]:
    """Return the rows of each pair of inner addresses and residual."""
    s = context.suspects
    key = np.column_stack((s["inner_src"][rows], s["inner_dst"][rows], residual.astype(np.uint64)))
    labels = np.unique(key, axis=0, return_inverse=True)[1].ravel()
    order = np.argsort(labels, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return sorted(groups, key=lambda members: int(members[0]))


def _mapping(context: Context, rows: I64) -> dict[str, Any]:
    s, first = context.suspects, int(rows[0])
    ports = np.unique(s["inner_sport"][rows])
    residual = int(s["inner_l4_residual"][first])
    found = _candidates(context, first, residual)
    out: dict[str, Any] = {
        "pre_nat_source": None,
        "pre_nat_destination": None,
        "pre_nat_source_port": None,
        "post_nat_source": address_text(s["inner_src"][first]),
        "post_nat_destination": address_text(s["inner_dst"][first]),
        "post_nat_source_port": int(ports[0]) if ports.size == 1 else None,
        "frames": int(s["frames"][rows].sum()),
        "residual": hex16(residual),
        "candidates": [address_text(address) for address, _ in found],
    }
    if len(set(found)) == 1 and s["kind"][first] == Kind.VXLAN:
        address, role = found[0]
        out[f"pre_nat_{role}"] = address_text(address)
    return out


def _candidates(context: Undecided, row: int, residual: int) -> list[tuple[Address, str]]:
    """Return addresses that explain a residual, and whose they were."""
    s = context.suspects
    source, destination = (tuple(s[name][row].tolist()) for name in ("inner_src", "inner_dst"))
    found: list[tuple[Address, str]] = []
    for role, new in (("destination", destination), ("source", source)):
        for change in (residual, residual * HALF % _MODULUS):
            wanted = (sum_of(new) - change) % _MODULUS
            tried = [a for a in context.inner_by_sum.get(wanted, ()) if is_ipv4(a) == is_ipv4(new)]
            for network in context.pre_nat:
                if (network.version == 4) == is_ipv4(new):
                    tried += solve_network(network, wanted)
            found += [(a, role) for a in tried if a not in (source, destination)]
    return list(dict.fromkeys(found))
