"""# VX908 rewritten-capture

## What it means

The capture was edited after it was taken. Payload was scrubbed, addresses or ports were
renamed, or header fields were changed, and the checksums do not follow. IP headers may have
been corrected or not.

## Why it matters

It is no fault of the network. Diagnoses from such a capture are worth little.

## How it is recognised

An edit works on the file, not on a path. It hits all frames of the capture that have what was
edited, and it treats both directions alike. For renamed addresses or ports, d being the
difference:

    residual = d      the same sign in both directions

NAT has the opposite sign on the way back, or works in one direction only. Containment shows the
rest:

    outer residual = inner residual                    changed after encapsulation
    IPv4 header residual = transport residual          addresses changed, header not corrected

No router forwards a packet with a wrong IPv4 header checksum. Where header checksums are right,
IP headers were corrected in the file. Scrubbed payload leaves SYNs and pure acknowledgements
right. Unfinished checksums tell addresses as well: they still hold the sum of the old ones.
That wrong packets are answered as if they were right speaks for an edit, too. docs/diagnosis.md
explains how laws compete.

## Example

    vxcsum analyze captures/synthetic/vx908.pcap

## Usual causes

* tcprewrite or an anonymiser without its option to correct checksums, or one that corrects only
  IP headers.
* Tools that overwrite payload before a capture is handed on.
* Traffic generators that fill in addresses and leave checksums alone.

## Look-alikes

* VX104: the IPv4 header is right, as a router would have updated it, and the way back has no
  such difference, or the opposite sign.
* VX301: random values in TCP and UDP. SYNs and pure acknowledgements are wrong there, and
  nothing is answered.
* VX302, VX508, VX509: a constant, in one direction. The way back decides.
* VX601: a damaged address gives the same picture in single packets.

## What to do

Analyse the original capture.

## References

tcprewrite(1), --fixcsum. docs/fact-sheet.md, P58.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.evidence.census import ICMP, ICMPV6, TCP, UDP
from vxcsum.rules.contrasts import Constant, Contrast, by_direction, by_unordered_ends
from vxcsum.rules.leftovers import edited_headers
from vxcsum.rules.model import Confidence, Finding, Rule, Severity
from vxcsum.rules.prices import (
    BELOW_LIKELY,
    EDIT_ADDRESS,
    EDIT_HEADER,
    EDIT_PAYLOAD,
    PORT_INSIDE,
    SMALL_STEP,
    TUNNEL_PORTS,
    WORD,
)
from vxcsum.rules.scope import EVERY, TRANSPORT, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import I64, AnyArray, Bool
    from vxcsum.rules.case import Case
    from vxcsum.rules.contest import Verdict
    from vxcsum.rules.context import Context
    from vxcsum.rules.law import Law

RULE = Rule(
    "VX908",
    "rewritten-capture",
    "This capture was changed after it was taken",
    Severity.WARNING,
    explains=True,
    apart={
        "VX104": "the way back: an edit leaves the same there",
        "VX302": "the way back: an edit leaves the same there",
        "VX301": "the original capture, or the way back",
    },
)

_NAMED = frozenset((TCP, UDP, ICMPV6))
_PAYLOAD = Scope(frozenset((TCP, UDP, ICMP, ICMPV6)), payload=True)


def _old_port(case: Case, value: I64) -> AnyArray:
    """A port of a tunnel that was replaced costs what it costs where NAT replaced it."""
    old = (case.number("outer_sport") - value) % 0xFFFF
    inside = (old >= TUNNEL_PORTS.start) & (old < TUNNEL_PORTS.stop)
    return np.where(inside, PORT_INSIDE, WORD)


def _inner(case: Case, value: I64) -> AnyArray:
    """An inner address that was seen costs what it costs where NAT replaced it."""
    return np.minimum(_step(case, value), case.context.inner_price(case, value))


def _step(case: Case, value: I64) -> AnyArray:
    """Small steps are more frequent where something is renumbered."""
    del case
    size = np.minimum(value, 0xFFFF - value)
    out: AnyArray = SMALL_STEP + 2 * np.log2(size + 1)
    return out


def _inner_header(case: Case) -> Bool:
    """Wrong in the inner IP header by the same as outside."""
    return case.context.header_after[case.rows]


_EDITS: tuple[tuple[Law, str], ...] = (
    (
        Constant(
            Scope(finished=True),
            EDIT_ADDRESS,
            by_unordered_ends,
            unfinished=True,
            price=_old_port,
            slot="outer_udp",
            whole=True,
        ),
        "addresses or ports of the tunnel, MAC addresses or the VNI were replaced",
    ),
    (
        Constant(
            Scope(_NAMED),
            EDIT_ADDRESS,
            by_unordered_ends,
            unfinished=True,
            price=_inner,
            whole=True,
        ),
        "inner addresses were replaced",
    ),
    (
        Constant(Scope(TRANSPORT), EDIT_HEADER, by_unordered_ends, price=_inner, whole=True),
        "inner ports were replaced",
    ),
    (
        Constant(Scope(frozenset((TCP,))), EDIT_HEADER, by_direction, whole=True),
        "fields of the TCP header were replaced",
    ),
    (Contrast(_PAYLOAD, EDIT_PAYLOAD, whole=True), "payload was replaced"),
    (
        Contrast(Scope(frozenset((TCP,)), payload=True), EDIT_HEADER, whole=True),
        "payload of TCP was replaced",
    ),
    (
        Contrast(Scope(frozenset((TCP,))), EDIT_HEADER, whole=True),
        "fields of the TCP header were replaced",
    ),
    (Contrast(Scope(TRANSPORT), EDIT_HEADER, whole=True), "transport headers were changed"),
    (
        Contrast(EVERY, EDIT_PAYLOAD, _inner_header, slot="outer_udp", whole=True),
        "fields of the inner IP header were changed",
    ),
)
LAWS = tuple(law for law, _ in _EDITS)


def told(context: Context, verdicts: list[Verdict]) -> Finding:
    """Return the finding about one capture."""
    rows = np.unique(np.concatenate([verdict.rows for verdict in verdicts]))
    what = [dict.fromkeys(words for law, words in _EDITS if law is v.law) for v in verdicts]
    changes = list(dict.fromkeys(words for some in what for words in some))
    if not context.both_ways(rows):  # the way back would tell
        verdicts[0].margin = min(verdicts[0].margin, BELOW_LIKELY)
    return _finding(context, rows, verdicts[0].confidence, changes)


def find(context: Context) -> Iterator[Finding]:
    """Yield captures whose IP headers are wrong throughout, and nothing else is."""
    for _, rows in edited_headers(context):
        yield _finding(context, rows, Confidence.LIKELY, ["fields of IP headers were changed"])


def _finding(context: Context, rows: I64, confidence: Confidence, changes: list[str]) -> Finding:
    capture = int(context.suspects["capture"][rows[0]])
    where = "in both directions and " if context.both_ways(rows) else ""
    return context.finding(
        RULE,
        rows,
        confidence=confidence,
        explanation=(
            f"After this capture was taken, {' and '.join(changes)}, and the checksums were left "
            f"as they were: the packets are wrong {where}all over the capture. "
            "That is no fault of the network. Analyse the original capture."
        ),
        evidence={
            "changed": changes,
            "frames_in_capture": context.captures[capture].frames,
            "wrong": context.layer_names(rows),
        },
    )
