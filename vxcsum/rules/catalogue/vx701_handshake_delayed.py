"""# VX701 handshake-delayed

## What it means

Connections were established only after their SYN had been sent more than once. The first
finding names the one that waited longest: when its SYNs left, when it got through, and why, if
a wrong checksum was the cause.

## Why it matters

This is what people notice: a service that answers after 1, 3, 7, 15, 31 or 63 seconds, or after
69 on newer kernels.

## How it is recognised

The same SYN (ends and sequence number) is repeated at least 0.1 s later. TCP waits longer than
that; copies of a packet that is seen at several interfaces are closer. Then the client
acknowledges. The delay runs from the first SYN to that acknowledgement.

A wrong checksum is the cause where an error of this report covers most of the attempts that
failed: the SYN, or the SYN-ACK that answered it. Where the outer source port stayed the same
for all that failed and changed for the one that got through, the NAT mapping had expired in
conntrack (`nf_conntrack_udp_timeout`, 30 s).

## Example

    vxcsum analyze captures/kernel/u61bug-k8s-clusterip-norehash.snd.pcap

## Usual causes

* VX101 or VX102: NAT of the tunnel's own packets. It takes 63 seconds where retransmissions
  keep their flow hash (kernels before 4.9, or `net.core.txrehash=0`): each one keeps the NAT
  mapping alive, until the pause before one is longer than its timeout. It takes about one
  second where they do not. Kernels with `tcp_syn_linear_timeouts` (6.5 and later) repeat the
  first SYNs every second, and get through after about 69.
* Loss, a firewall, a full accept queue: the checksums are right.

## Look-alikes

* A SYN-ACK that is late: the same pauses, and a round trip longer than they are.
* An outer port that changes from SYN to SYN without any wrong checksum: a new flow hash, not
  NAT.
* VX702: nothing ever got through.

## What to do

Cure the cause that the finding names. Without one, look where the SYNs get lost: capture at the
other node as well.

## References

RFC 6298 section 2 (initial timeout); Linux net.ipv4.tcp_syn_retries, tcp_syn_linear_timeouts;
commit 3acf3ec3f4b0 (a new flow hash for each retransmitted SYN); kubernetes #88986.
docs/fact-sheet.md, section 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules.model import Confidence, Finding, Rule, Severity
from vxcsum.rules.waits import by_place, evidence_of, numbers_of, severity_of, why

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX701",
    "handshake-delayed",
    "Connections waited: their SYN had to be sent again",
    Severity.WARNING,
    story=True,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each pair of nodes and cause."""
    late = [w for w in context.waits if w.established is not None and w.failed]
    for group in by_place(late):
        longest = group[0]
        numbers, times = numbers_of(group)
        others = f", the longest of {len(group):,}" if len(group) > 1 else ""
        yield context.finding_about(
            RULE,
            longest.capture,
            numbers,
            times,
            severity=severity_of(group, RULE.severity),
            confidence=Confidence.CONFIRMED,
            explanation=(
                f"{longest.client} waited {longest.delay:.3g} s for {longest.server}{others}: "
                f"attempt {len(longest.times)} got through ({longest.timing}). {why(longest)}"
            ),
            evidence=evidence_of(group),
            remedies=() if longest.cause is None else longest.cause.remedies,
        )
