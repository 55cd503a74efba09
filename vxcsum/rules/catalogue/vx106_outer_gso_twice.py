"""# VX106 outer-gso-twice

## What it means

A tunnel packet was segmented twice in software. The first pass had already finished its outer
UDP checksum, and the second took that for an unfinished one. No NAT is involved.

## Why it matters

Receivers verify the outer checksum and drop whole bursts of large transfers. Throughput breaks
down. Handshakes, small requests and ping work. Current kernels have it (reported for 5.15 to
7.0).

## How it is recognised

The law, with l the UDP length of the segment and L that of the intermediate packet it was cut
from:

    found = S(outer pseudo-header) + 2 * (L - l)      modulo 0xffff, inner IPv4
    found = S(outer pseudo-header) + 3 * (L - l)      modulo 0xffff, inner IPv6
    L - l = (n - 1) * payload                         n segments in the intermediate packet

L is the only unknown, one for each intermediate packet. A short last segment shares the L of
its burst. A flow shows one constant residual and a few others. Only TCP with payload is hit,
and only in large bursts. SYN, ACK, FIN, ping, small bursts, retransmissions and the way back
are right, on the same outer port. docs/diagnosis.md explains how laws compete.

## Example

    vxcsum analyze captures/cases/gso-double-18.pcap

## Usual causes

* Forwarded TCP that GRO merged enters a VXLAN device with outer checksum on, and a device below
  it (a macvlan, for example) segments once more.

## Look-alikes

* VX102: NAT. There the outer port decides, and all small packets on it are wrong. Here the same
  outer port carries right packets.
* VX306: the inner checksum of large segments is wrong; here the outer one is.
* VX601: damage has no law.

## What to do

Switch segmentation offload off on the tunnel device of the node that forwards:

    ethtool -K DEVICE tso off

That costs less than checksum offload. A tunnel without outer checksums (`noudpcsum`) is not hit
either. iptables cures nothing here.

## References

pjknkda/vxlan-gso-csum-bug, docs/REPORT.md; Linux __skb_udp_tunnel_segment() in
net/ipv4/udp_offload.c. docs/fact-sheet.md, P08.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.algebra import HALF
from vxcsum.evidence.census import TCP
from vxcsum.rules import prices
from vxcsum.rules.case import MODULUS
from vxcsum.rules.law import Reading
from vxcsum.rules.model import Finding, Remedy, Rule, Severity, address_text, hex16
from vxcsum.rules.platform import DEVICE, find_device, platform_of
from vxcsum.rules.scope import Scope

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64, Bool
    from vxcsum.rules.case import Case
    from vxcsum.rules.contest import Verdict
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX106",
    "outer-gso-twice",
    "A tunnel packet was segmented twice, and its outer checksum was spoilt by the second time",
    Severity.ERROR,
    apart={
        "VX102": "small packets of the same outer port, which are right with VX106",
        "VX601": "more segments of the burst: they share one length of the packet in between",
    },
    formula="found = S(outer pseudo-header) + m * (L - l), m = 2 (inner IPv4) or 3 (IPv6)",
)

_SCOPE = Scope(frozenset((TCP,)), payload=True, superframes=False)
#: Segments of a packet that GSO made, as far as an IP length reaches.
_MOST_SEGMENTS = 128


def lengths(case: Case) -> tuple[I64, Bool]:
    """Return the UDP length of the packet in between, and where what is missing is whole segments.

    found = S(outer pseudo-header) + m (L - l), m = 2 where the inner packet is IPv4, 3 where it is
    IPv6. A segment as large as any of its flow lacks whole segments, and perhaps the short one at
    the end; that one lacks whole segments alone.
    """
    change = (case.found - case.pseudo) % MODULUS
    rest = np.where(case.column("inner_ip_version") == 6, change // 3, change * HALF % MODULUS)
    sound = (case.column("inner_ip_version") != 6) | (change % 3 == 0)
    payload = np.maximum(case.number("inner_l4_length") - case.number("tcp_header_length"), 1)
    largest = np.ones(int(case.flow.max(initial=0)) + 1, np.int64)
    np.maximum.at(largest, case.flow, payload)
    segments, odd = np.divmod(rest, largest[case.flow])
    whole: Bool = sound & (rest > 0) & (odd == 0) & (segments < _MOST_SEGMENTS)
    whole &= rest + case.length <= MODULUS
    return rest + case.length, whole


@dataclass(frozen=True, slots=True)
class Twice:
    """The law; its unknown is the length of each packet in between."""

    claim: float = prices.CLAIMS["VX106"]
    slot: str = "outer_udp"
    whole: bool = False

    def read(self, case: Case) -> Reading | None:
        """Return the segments whose packet in between is one of whole segments, and short ones."""
        hit = np.flatnonzero(case.within(_SCOPE))
        if not hit.size:
            return None
        some = case.only(hit)
        between, whole = lengths(some)
        if not whole.any():
            return None
        key = some.flow << 17 | between % (1 << 17)
        keys, first = np.unique(key[whole], return_index=True)
        mask = np.zeros(case.rows.size, np.bool_)
        mask[hit] = np.isin(key, keys)
        length = np.zeros(case.rows.size, np.int64)
        length[hit] = between
        where = some.place[whole][first]
        unknown = np.bincount(where, minlength=case.places) * prices.SEGMENTS
        unknown = unknown + case.context.other_tunnel(case, zero=False)
        return Reading(mask, unknown, _SCOPE, details={"length": length})


LAWS = (Twice(),)


def told(context: Context, verdicts: list[Verdict]) -> Finding:
    """Return the finding about one pair of outer addresses."""
    rows = np.concatenate([verdict.rows for verdict in verdicts])
    length = np.concatenate([verdict.details["length"] for verdict in verdicts])
    s, first = context.suspects, int(rows[0])
    payload = s["inner_l4_length"][rows].astype(np.int64) - s["tcp_header_length"][rows]
    full = payload == payload.max()
    segments = (length - s["outer_udp_length"][rows]) // int(payload.max()) + 1
    platform = platform_of(int(s["outer_dport"][first]), int(s["vni"][first]))
    right = context.right_of_flows(np.unique(context.flows("outer_udp")[rows]))
    contrast = (
        f" {right:,} kinds of packets from the same outer ports are right, which NAT would not "
        "spare."
        if right
        else ""
    )
    several = np.unique(segments[full]).tolist()
    return context.finding(
        RULE,
        rows,
        confidence=verdicts[0].confidence,
        explanation=(
            "These TCP segments were cut from a tunnel packet that software had cut out of a "
            f"larger one before, {_listed(several)} segments long. The first cut finished the "
            "outer checksum, and the second took it for an unfinished one. There is no NAT in this."
            f"{contrast} A receiver that verifies the checksum drops the segments."
        ),
        evidence={
            "source": address_text(s["outer_src"][first]),
            "destination": address_text(s["outer_dst"][first]),
            "destination_port": int(s["outer_dport"][first]),
            "vni": int(s["vni"][first]),
            "found": hex16(s["outer_udp_found"][first]),
            "expected": hex16(context.expected("outer_udp", rows[:1])[0]),
            "residual": hex16(s["outer_udp_residual"][first]),
            "formula": RULE.formula,
            "segments": max(several),
            "udp_length_between": sorted(np.unique(length).tolist())[:16],
            "device": platform.device,
            "right_packets_of_the_same_ports": right,
        },
        remedies=(
            *find_device(platform),
            Remedy(
                "the node that sends these packets, at once",
                f"ethtool -K {platform.device} tso off",
                "costs less than switching checksum offload off; the cut is then made once",
            ),
            Remedy(
                "the tunnel can do without outer checksums",
                f"ip link add {DEVICE} type vxlan id {int(s['vni'][first])} "
                f"dstport {int(s['outer_dport'][first])} noudpcsum",
                "recreates it; with the other options that the device has",
            ),
        ),
    )


def _listed(numbers: list[int]) -> str:
    shown = [str(number) for number in numbers[:4]]
    return " or ".join(shown)
