"""# VX702 connection-blackholed

## What it means

A client sent its SYN several times and was never connected: no answer was captured, or what
answered did not arrive.

## Why it matters

The service does not work at all for this client. It gives up after two minutes with a timeout.

## How it is recognised

The same SYN is repeated, no acknowledgement of the client follows, and neither end resets the
connection. `delay_seconds` runs to the last SYN seen. The finding is only possible where the
capture ends before TCP would have tried again, likely otherwise, and confirmed where a wrong
checksum covers every attempt.

It is an error inside a tunnel, and where a wrong checksum is the cause. Outside of a tunnel,
where scanners and dead addresses are common, it is a warning.

## Example

    vxcsum analyze captures/kernel/u61bug-nat-timeline.snd.pcap

## Usual causes

* VX101 or VX102 with a NAT rule that catches every packet of the tunnel, so no retransmission
  escapes it.
* VX301: the inner checksums of all TCP packets are wrong.
* VX202: unfinished checksums got onto the wire.
* VX403: an outer checksum of 0 over IPv6, which the receiver does not accept.
* A firewall, a missing route, a server that is gone: the checksums are right.

## Look-alikes

* A closed port answers with a reset, and a client that lost interest sends one: no finding.
* VX701: it got through in the end.

## What to do

Cure the cause that the finding names. Without one, capture at the other node: do the SYNs
arrive, and does the answer leave?

## References

RFC 9293 section 3.10.7; Linux net.ipv4.tcp_syn_retries. docs/fact-sheet.md, section 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules.model import Confidence, Finding, Rule, Severity
from vxcsum.rules.waits import by_place, evidence_of, numbers_of, why

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context
    from vxcsum.rules.waits import Wait

RULE = Rule(
    "VX702",
    "connection-blackholed",
    "Connections were never established, however often the SYN was sent",
    Severity.ERROR,
    story=True,
    unreachable=True,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each pair of nodes and cause."""
    silent = [w for w in context.waits if w.established is None and not w.refused and w.failed > 1]
    for group in by_place(silent):
        longest = group[0]
        numbers, times = numbers_of(group)
        others = f", and {len(group) - 1:,} more like it" if len(group) > 1 else ""
        answered = "was answered, but never established" if longest.answered else "had no answer"
        yield context.finding_about(
            RULE,
            longest.capture,
            numbers,
            times,
            severity=Severity.ERROR if longest.nodes or longest.cause else Severity.WARNING,
            confidence=_confidence(context, longest),
            explanation=(
                f"{longest.client} tried {len(longest.times)} times in {longest.delay:.3g} s to "
                f"reach {longest.server}{others}, and {answered} ({longest.timing}). "
                f"{why(longest)}"
            ),
            evidence=evidence_of(group),
            remedies=() if longest.cause is None else longest.cause.remedies,
        )


def _confidence(context: Context, wait: Wait) -> Confidence:
    if wait.cause is not None and wait.covered == wait.failed:
        return Confidence.CONFIRMED
    end = context.captures[wait.capture].last_timestamp or wait.times[-1]
    next_one = wait.times[-1] + 2 * (wait.times[-1] - wait.times[-2])
    return Confidence.LIKELY if end >= next_one else Confidence.POSSIBLE
