"""# VX302 inner-nat-stale

## What it means

An inner address or port was rewritten, by a service or NAT, and the inner TCP or UDP checksum was
not updated, or in the wrong way.

## Why it matters

The receiving host drops the packets: the service is dead for the connections concerned.

## How it is recognised

residual = S(new address) - S(old address) + new port - old port not updated residual = 2 * (S(new
address) - S(old address)) + new port - old port as in VX102

The residual is the same for all packets of an inner flow, also for those without payload, or it
is explained exactly by an address that is known. Connections that show nothing but equal SYNs are
taken together.

## Example

vxcsum analyze captures/synthetic/vx302.pcap

## Usual causes

* Service load balancing or NAT between pod and tunnel (eBPF, OVS, IPVS) that does not update a
  finished checksum.

## Look-alikes

* VX603: only packets with payload are hit.
* VX301: the residuals differ.
* VX104: the outer header.

## What to do

Find the rewriting step: capture on the pod and on the tunnel device; report it to the maker of
the CNI with both captures.

## References

projectcalico/calico #7040; kube-ovn #723. Fact sheet: P21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.algebra import HALF
from vxcsum.checksum.grouping import group_labels, grouped
from vxcsum.packet.columns import distinct
from vxcsum.packet.protocols import IPPROTO_TCP, IPPROTO_UDP
from vxcsum.rules.arithmetic import Sample, observations, samples
from vxcsum.rules.base import Confidence, Finding, Rule, Severity, address_text, hex16
from vxcsum.rules.connections import connections
from vxcsum.rules.evidence import plain_key
from vxcsum.rules.nat import Address, is_ipv4, solve_network, sum_of
from vxcsum.rules.odds import power
from vxcsum.rules.readings import SINGLE_BITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import I64, Bool
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX302",
    "inner-nat-stale",
    "The inner header was rewritten and its checksum was not",
    Severity.ERROR,
)

_MODULUS = 0xFFFF
_ADDRESSES = ("inner_src", "inner_dst")
_MIN_PACKETS = 3
#: Of the unexplained checksums of a path, at least this share are of such flows.
_MIN_SHARE = 0.5


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each path with inner flows of constant residual."""
    for every in samples(context):
        sample = every.only((every.protocol == IPPROTO_TCP) | (every.protocol == IPPROTO_UDP))
        if sample.place.slot != "inner_l4" or not sample.rows.size:
            continue
        hit = np.zeros(sample.rows.size, np.bool_)
        mappings: list[dict[str, Any]] = []
        tunnelled = sample.place.key != plain_key(sample.place.capture)
        for members in _constant_flows(sample):
            flow = sample.only(members)
            seen = observations(flow, np.ones(members.size, np.bool_))
            if int(flow.residual[0]) in SINGLE_BITS and seen <= _MIN_PACKETS:
                continue  # bits flipped in two packets of a flow, by chance the same
            candidates = _candidates(context, flow)
            bare = (flow.length == flow.column("tcp_header_length")) & (
                flow.protocol == IPPROTO_TCP
            )
            header, enough = bool(bare.any()), seen >= _MIN_PACKETS
            if (enough and candidates) or (header and (candidates or (enough and tunnelled))):
                hit[members] = True
                mappings.append(_mapping(flow, candidates))
        if hit.sum() >= max(_MIN_SHARE * sample.rows.size, 1):
            yield _finding(context, sample, hit, mappings)


def _constant_flows(sample: Sample) -> Iterator[I64]:
    """Yield the rows of inner flows whose packets are all off by the same residual.

    Connections of which nothing but equal SYNs was seen are put together by their addresses.
    """
    left = np.ones(sample.rows.size, np.bool_)
    for names in (("inner_src", "inner_dst", "inner_sport", "inner_dport"), _ADDRESSES):
        rows = np.flatnonzero(left)
        for group in grouped(group_labels(*(sample.column(name)[rows] for name in names))):
            members = rows[group]
            residuals, expected = sample.residual[members], sample.expected[members]
            if (residuals == residuals[0]).all() and (expected != expected[0]).any():
                left[members] = False
                yield members


def _candidates(context: Context, flow: Sample) -> list[tuple[Address, str, int]]:
    """Return addresses that explain the residual: (address, role, factor of the difference)."""
    residual = int(flow.residual[0])
    ends = [flow.column(name)[0].tolist() for name in ("inner_src", "inner_dst")]
    found = []
    for role in ("destination", "source"):
        high, low = ends[1] if role == "destination" else ends[0]
        new = (high, low)
        for factor, change in ((1, residual), (2, residual * HALF % _MODULUS)):
            wanted = (sum_of(new) - change) % _MODULUS
            seen = context.inner_by_sum.get(wanted, ())
            tried = [a for a in seen if is_ipv4(a) == is_ipv4(new)]
            for network in context.pre_nat:
                if (network.version == 4) == is_ipv4(new):
                    tried += solve_network(network, wanted)
            found += [(a, role, factor) for a in tried if list(a) not in ends]
    return found


def _mapping(flow: Sample, candidates: list[tuple[Address, str, int]]) -> dict[str, Any]:
    ports = distinct(flow.column("inner_sport"))
    out: dict[str, Any] = {
        "pre_nat_source": None,
        "pre_nat_destination": None,
        "pre_nat_source_port": None,
        "post_nat_source": address_text(flow.column("inner_src")[0]),
        "post_nat_destination": address_text(flow.column("inner_dst")[0]),
        "post_nat_source_port": int(ports[0]) if ports.size == 1 else None,
        "frames": int(flow.rows.size),
        "residual": hex16(flow.residual[0]),
        "candidates": [address_text(a) for a, _, _ in candidates],
    }
    if len({(a, role) for a, role, _ in candidates}) == 1:
        address, role, _ = candidates[0]
        out[f"pre_nat_{role}"] = address_text(address)
    return out


def _finding(
    context: Context, sample: Sample, mask: Bool, mappings: list[dict[str, Any]]
) -> Finding:
    rows = sample.rows[mask]
    seen = observations(sample, mask)
    proven = any(m["pre_nat_source"] or m["pre_nat_destination"] for m in mappings)
    evidence: dict[str, Any] = {
        "residual": mappings[0]["residual"],
        "observations": seen,
        "chance": float(f"{power(1 / _MODULUS, max(seen - len(mappings), 0)):.2g}"),
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
    context.claim(rows, "inner_l4")
    return context.finding(
        RULE,
        rows,
        confidence=Confidence.CONFIRMED if proven and seen > 1 else Confidence.LIKELY,
        explanation=(
            "All packets of these inner connections are off by the same amount, whatever they "
            "carry: an address or a port was rewritten and the checksum not updated for it."
        ),
        evidence=evidence,
    )
