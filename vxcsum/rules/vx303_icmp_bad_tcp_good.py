"""# VX303 icmp-bad-tcp-good

## What it means

ICMP checksums are wrong and those of TCP and UDP are right; or, with severity info, ICMP is right
in this capture and goes unanswered while TCP works, so the fault is at the receiver.

## Why it matters

Ping is the first thing everybody tries, and here it misleads: the network carries TCP.

## How it is recognised

ICMP or ICMPv6 checksums on a path are wrong, TCP and UDP checksums on it are right. Where the
residual is constant for one identifier, a translator changed the identifier and left the checksum
alone:

    residual = new identifier - old identifier

Where echo requests are right and get no reply while TCP is established on the same path, the
capture is clean: this is told as info.

## Example

vxcsum analyze captures/synthetic/vx303.pcap

## Usual causes

* A NAT or eBPF program that rewrites the identifier of echo requests without updating the
  checksum.
* Software that counts padding into the checksum of short packets.
* Where the capture is clean: a receiver whose network card hands up a wrong sum
  (CHECKSUM_COMPLETE) for protocols it does not parse.

## Look-alikes

* VX101, VX102: the opposite, ping works and TCP fails.
* VX304: padding, which other short packets show as well.

## What to do

Compare `ping -s 56` with `ping -s 1400`; look at `nstat -az | grep -i csum` on the receiver;
capture on both ends; `ethtool -K eth0 rx off` on the receiver, for a test.

## References

githedgehog/dataplane #1778; Broadcom KB 385625. Fact sheet: P22.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.flow.records import ABSENT_TIME
from vxcsum.packet.columns import Kind, distinct
from vxcsum.packet.protocols import IPPROTO_TCP
from vxcsum.rules.accumulators import Occurrences
from vxcsum.rules.arithmetic import by_chance
from vxcsum.rules.base import Confidence, Finding, Remedy, Rule, Severity, hex16
from vxcsum.rules.census import PING, TRANSPORT
from vxcsum.rules.evidence import plain_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import I64
    from vxcsum.rules.context import Context
    from vxcsum.rules.evidence import PairKey

RULE = Rule(
    "VX303",
    "icmp-bad-tcp-good",
    "Ping fails while TCP works",
    Severity.ERROR,
)

_MIN_PACKETS = 3
#: A guess is worth more here than elsewhere: ping is what people try.
_MAX_CHANCE = 0.0125
_PROVE_RECEIVER = (
    Remedy("receiver: does it count errors?", "nstat -az | grep -iE 'IcmpInCsumErrors|csum'"),
    Remedy("receiver: does its network card err?", "ethtool -K eth0 rx off", "for a test"),
    Remedy("does the size matter?", "ping -s 56 -c 3 ADDRESS; ping -s 1400 -c 3 ADDRESS"),
    Remedy("the other end", "tcpdump -s 0 -w receiver.pcap", "and analyse that capture, too"),
)


def find(context: Context) -> Iterator[Finding]:
    """Yield findings for paths on which ICMP fails and TCP works."""
    for place in context.places("inner_l4"):
        icmp = np.isin(context.column("inner_protocol", place.rows), (1, 58))
        rows = place.rows[icmp & ~context.still_open("outer_udp")[place.rows]]
        right = place.path.inner(TRANSPORT, Status.VALID, Status.PARTIAL)
        wrong = place.path.inner(TRANSPORT, Status.INVALID)
        good_icmp = place.path.inner(PING, Status.VALID)
        if rows.size < max(_MIN_PACKETS, good_icmp) or right < _MIN_PACKETS or 20 * wrong > right:
            continue
        if by_chance(rows.size, right) > _MAX_CHANCE:
            continue
        context.claim(rows, "inner_l4")
        yield _wrong(context, rows, right)
    yield from _unanswered(context)


def _wrong(context: Context, rows: I64, right: int) -> Finding:
    identifiers = context.column("inner_dport", rows).astype(np.int64)
    residuals = context.column("inner_l4_residual", rows).astype(np.int64)
    rewritten = []
    for identifier in distinct(identifiers).tolist():
        values = distinct(residuals[identifiers == identifier])
        if values.size == 1 and (identifiers == identifier).sum() > 1:
            old = (identifier - int(values[0])) % 0xFFFF
            rewritten.append({"identifier": identifier, "pre_nat_identifier": old})
    evidence = {
        "icmp_wrong": int(rows.size),
        "tcp_and_udp_right": right,
        "residual": hex16(residuals[0]),
    }
    why = "Their residuals vary: padding or payload was counted in or changed."
    if rewritten:
        evidence["identifiers"] = rewritten[:20]
        why = (
            "The residual is the same for all packets with one identifier: it was rewritten "
            "without updating the checksum."
        )
    return context.finding(
        RULE,
        rows,
        confidence=Confidence.LIKELY if rewritten else Confidence.POSSIBLE,
        explanation=f"ICMP checksums are wrong here, those of TCP and UDP are right. {why}",
        evidence=evidence,
        remedies=_PROVE_RECEIVER,
    )


def _tcp_works(context: Context, key: PairKey) -> bool:
    """Tell whether a TCP connection was established on a path, or carried data both ways."""
    flows = context.evidence.connections.table
    tunnelled = key != plain_key(key[0])
    rows = flows.field("capture") == key[0]
    rows &= flows.field("protocol") == IPPROTO_TCP
    rows &= flows.field("kind") == (Kind.VXLAN if tunnelled else Kind.PLAIN)
    if tunnelled:
        ends = [np.array(key[n : n + 2], np.uint64) for n in (1, 3)]
        here, there = ((flows.field("outer_src") == end).all(axis=1) for end in ends)
        to_here, to_there = ((flows.field("outer_dst") == end).all(axis=1) for end in ends)
        rows &= (here & to_there) | (there & to_here)
    works = flows.field("established") != ABSENT_TIME
    works |= (flows.field("from")["data_frames"] > 0).all(axis=1)
    return bool((works & rows).any())


def _unanswered(context: Context) -> Iterator[Finding]:
    """Echo requests that are right and get no reply, on a path where TCP works."""
    for key, path in context.evidence.paths.items():
        back_key = key if key == plain_key(key[0]) else (key[0], *key[3:5], *key[1:3], key[5])
        back = context.evidence.paths.get(back_key)
        if back is None or path.echo_requests < _MIN_PACKETS or back.echo_replies:
            continue
        right = path.inner(PING, Status.VALID)
        wrong = path.inner(PING, Status.INVALID) or path.outer(PING, Status.INVALID)
        if not wrong and right >= path.echo_requests and _tcp_works(context, key):
            seen = Occurrences(frames=path.echo_requests)
            yield context.counted(
                RULE,
                key[0],
                seen,
                severity=Severity.INFO,
                confidence=Confidence.POSSIBLE,
                explanation=(
                    f"This capture is clean: {path.echo_requests} echo requests are right, get no "
                    "reply, and TCP on the same path works. Look at the receiver."
                ),
                evidence={"echo_requests": path.echo_requests, "echo_replies": 0},
                remedies=_PROVE_RECEIVER,
            )
