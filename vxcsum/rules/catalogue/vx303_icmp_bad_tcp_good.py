"""# VX303 icmp-bad-tcp-good

## What it means

ICMP checksums are wrong, and those of TCP and UDP are right. With severity info: ICMP is right
in this capture and no answer to it was captured, while TCP works. Then the fault is at the
receiver.

## Why it matters

Ping is the first thing everybody tries, and here it misleads: the network carries TCP. ICMP
errors matter more. A "fragmentation needed" message with a wrong checksum is dropped, the
sender never learns the path MTU, and TCP stalls with large segments. Ping is not what fails
then.

## How it is recognised

The scope is ICMP or ICMPv6 alone. Where a translator changed the identifier of echo requests
and left the checksum alone, the residual is constant for one identifier:

    residual = new identifier - old identifier

ICMP errors have no identifier: only the pattern speaks for them. docs/diagnosis.md explains how
laws compete.

Where echo requests are right and none is answered while TCP is established on the same path,
the capture is clean. This is reported as info.

## Example

    vxcsum analyze captures/synthetic/vx303.pcap

## Usual causes

* NAT or an eBPF program that rewrites the identifier of echo requests, or the packet quoted in
  an ICMP error, and updates no checksum.
* Software that counts padding into the checksum of short packets.
* Where the capture is clean: a receiver whose network card delivers a wrong sum
  (CHECKSUM_COMPLETE) for protocols it does not parse.

## Look-alikes

* VX101, VX102: the opposite. Ping works and TCP fails.
* VX304: padding, which other short packets show as well.
* VX601: single damaged packets, of any protocol.

## What to do

Does the size matter, and does the receiver count errors?

    ping -s 56 -c 3 ADDRESS; ping -s 1400 -c 3 ADDRESS
    nstat -az | grep -i csum

Capture on both ends. On the receiver, for a test:

    ethtool -K eth0 rx off

Where ICMP errors are wrong and TCP stalls, lower the MTU or clamp the MSS until the translator
is corrected.

## References

githedgehog/dataplane #1778; Broadcom KB 385625; RFC 792; RFC 4443; RFC 1191.
docs/fact-sheet.md, P22.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.evidence.occurrences import Occurrences
from vxcsum.flow.records import ABSENT_TIME
from vxcsum.packet.columns import Kind
from vxcsum.packet.protocols import IPPROTO_ICMP, IPPROTO_TCP
from vxcsum.rules import prices
from vxcsum.rules.around import Around
from vxcsum.rules.law import Reading
from vxcsum.rules.model import Confidence, Finding, Remedy, Rule, Severity, hex16
from vxcsum.rules.scope import PING, TRANSPORT, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.evidence.paths import PathKey
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.case import Case
    from vxcsum.rules.contest import Verdict
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX303",
    "icmp-bad-tcp-good",
    "ICMP checksums are wrong while those of TCP are right",
    Severity.ERROR,
    apart={
        "VX908": "the way back, and whether the echo requests are answered",
        "VX601": "more ICMP packets, and right TCP packets beside them",
        "VX304": "longer packets, which carry no padding",
    },
    formula="residual = new identifier - old identifier",
)

_PROVE_RECEIVER = (
    Remedy("receiver: does it count errors?", "nstat -az | grep -iE 'IcmpInCsumErrors|csum'"),
    Remedy("receiver: does its network card err?", "ethtool -K eth0 rx off", "for a test"),
    Remedy("does the size matter?", "ping -s 56 -c 3 ADDRESS; ping -s 1400 -c 3 ADDRESS"),
    Remedy("the other end", "tcpdump -s 0 -w receiver.pcap", "and analyse that capture, too"),
)


#: Types of ICMP and ICMPv6 messages that report an error and quote the packet concerned.
_ERRORS = ((3, 4, 5, 11, 12), (1, 2, 3, 4))
_SCOPE = Scope(PING)


def is_error(case: Case) -> Bool:
    """Return which ICMP messages report an error: they have no identifier."""
    kind = case.number("inner_sport") >> 8
    v4 = case.column("inner_protocol") == IPPROTO_ICMP
    return np.where(v4, np.isin(kind, _ERRORS[0]), np.isin(kind, _ERRORS[1]))


@dataclass(frozen=True, slots=True)
class Pings:
    """ICMP is wrong: by one difference for each identifier, or each message in its own way."""

    errors: bool
    claim: float = prices.CLAIMS["VX303"]
    slot: str = "inner_l4"
    whole: bool = False

    def read(self, case: Case) -> Reading | None:
        """Return the echoes, or the errors."""
        mask = case.within(_SCOPE)
        mask &= is_error(case) == self.errors
        if not mask.any():
            return None
        # A difference is written once for an identifier; errors have none.
        key = case.flow << 17 | case.residual if not self.errors else case.observation
        firsts = np.flatnonzero(mask)[np.unique(key[mask], return_index=True)[1]]
        unknown = prices.WORD * np.bincount(case.place[firsts], minlength=case.places)
        spared = case.context.right_errors(case) if self.errors else None
        return Reading(mask, unknown + prices.CHANGED, _SCOPE, spared=spared)


LAWS = (Pings(errors=False), Pings(errors=True))


def told(context: Context, verdicts: list[Verdict]) -> Finding:
    """Return the finding about one path."""
    rows = np.concatenate([verdict.rows for verdict in verdicts])
    s, right = context.suspects, Around.of(context, rows).right(TRANSPORT)
    errors = bool(is_error(verdicts[0].case).all())
    evidence = {
        "icmp_wrong": int(s["frames"][rows].sum()),
        "icmp_errors": errors,
        "tcp_and_udp_right": right,
        "residual": hex16(s["inner_l4_residual"][rows[0]]),
    }
    why = "Their residuals vary: padding or payload was counted in or changed."
    if errors:
        why = (
            "They report errors, so ping is not concerned: a sender that does not accept them does "
            "not learn that its packets are too large, and its large transfers stall."
        )
    else:
        rewritten = _identifiers(context, verdicts)
        if rewritten:
            evidence["identifiers"] = rewritten[:20]
            why = (
                "The residual is the same for all packets with one identifier: it was rewritten "
                "without updating the checksum. Ping fails, and TCP works."
            )
    return context.finding(
        RULE,
        rows,
        confidence=verdicts[0].confidence,
        explanation=f"ICMP checksums are wrong here, those of TCP and UDP are right. {why}",
        evidence=evidence,
        remedies=_PROVE_RECEIVER,
    )


def recovered(case: Case, reading: Reading) -> dict[str, int]:
    """Return the identifier from before a translator; errors have none."""
    row = int(np.flatnonzero(reading.mask)[0])
    if bool(is_error(case)[row]):
        return {}
    return {"old_identifier": int(case.number("inner_dport")[row] - case.residual[row]) % 0xFFFF}


def _identifiers(context: Context, verdicts: list[Verdict]) -> list[dict[str, int]]:
    rows = np.concatenate([verdict.rows for verdict in verdicts])
    s = context.suspects
    identifiers = s["inner_dport"][rows].astype(np.int64)
    residuals = s["inner_l4_residual"][rows].astype(np.int64)
    out = []
    for identifier in np.unique(identifiers).tolist():
        mine = identifiers == identifier
        values = np.unique(residuals[mine])
        if values.size == 1 and s["frames"][rows[mine]].sum() > 1:
            old = (identifier - int(values[0])) % 0xFFFF
            out.append({"identifier": identifier, "pre_nat_identifier": old})
    return out


def find(context: Context) -> Iterator[Finding]:
    """Yield paths on which echo requests are right and get no reply, and TCP works."""
    echoes = context.evidence.echoes
    for number, key in enumerate(context.evidence.paths.keys):
        requests, _ = echoes.get(number, (0, 0))
        if requests < prices.MIN_REQUESTS or key.kind not in ("tunnel", "plain"):
            continue
        back = context.evidence.paths.find(key.back)
        if back is None or echoes.get(back, (0, 0))[1]:
            continue
        around = Around.of_path(context, number)
        if not around.wrong(PING) and around.right(PING) >= requests and _tcp_works(context, key):
            yield context.counted(
                RULE,
                key.capture,
                Occurrences(frames=requests),
                severity=Severity.INFO,
                confidence=Confidence.POSSIBLE,
                explanation=(
                    f"This capture is clean: {requests:,} echo requests are right, get no reply, "
                    "and TCP on the same path works. Look at the receiver."
                ),
                evidence={"echo_requests": requests, "echo_replies": 0},
                remedies=_PROVE_RECEIVER,
            )


def _tcp_works(context: Context, key: PathKey) -> bool:
    """Tell whether a TCP connection was established on a path, or carried data both ways."""
    flows = context.evidence.connections.table
    tunnelled = key.kind == "tunnel"
    rows = flows.field("capture") == key.capture
    rows &= flows.field("protocol") == IPPROTO_TCP
    rows &= flows.field("kind") == (Kind.VXLAN if tunnelled else Kind.PLAIN)
    if tunnelled:
        ends = [np.array(end, np.uint64) for end in (key.source, key.destination)]
        here, there = ((flows.field("outer_src") == end).all(axis=1) for end in ends)
        to_here, to_there = ((flows.field("outer_dst") == end).all(axis=1) for end in ends)
        rows &= (here & to_there) | (there & to_here)
    works = flows.field("established") != ABSENT_TIME
    works |= (flows.field("from")["data_frames"] > 0).all(axis=1)
    return bool((works & rows).any())
