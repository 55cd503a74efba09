"""# VX603 payload-rewritten

## What it means

Some packets with payload are wrong, all by the same amount, while packets without payload on
the same path are right. Something in the payload was replaced.

## Why it matters

The receiver drops the packets. Exactly the messages that were to be changed are lost.

## How it is recognised

The law, for packets with payload only:

    residual = S(new octets) - S(old octets)      the same value, unknown

docs/diagnosis.md explains how laws compete.

## Example

    vxcsum analyze captures/synthetic/vx603.pcap

## Usual causes

* Application gateways (FTP, SIP), inspection devices, and eBPF programs that rewrite payload.

## Look-alikes

* VX302: packets without payload are wrong, too.
* VX908: payload was scrubbed in the file. The values differ from packet to packet, both
  directions are hit, and what is wrong is answered.
* VX601: the residuals differ.

## What to do

Switch the gateway or inspection off for a test, and find it by capturing before and after it.

## References

RFC 1624; nftables commit f89abfb4068d. docs/fact-sheet.md, P62.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.evidence.census import TCP
from vxcsum.rules.around import Around
from vxcsum.rules.contrasts import Constant, by_place
from vxcsum.rules.model import Finding, Rule, Severity, hex16
from vxcsum.rules.prices import CLAIMS
from vxcsum.rules.scope import TRANSPORT, Scope

if TYPE_CHECKING:
    from vxcsum.rules.contest import Verdict
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX603",
    "payload-rewritten",
    "The payload was changed without updating the checksum",
    Severity.ERROR,
    apart={
        "VX302": "packets without payload, which are wrong as well with VX302",
        "VX908": "answers, and the way back",
        "VX306": "segments of other sizes",
    },
    formula="residual = S(new octets) - S(old octets)",
)

LAWS = (Constant(Scope(frozenset((TCP,)), payload=True), CLAIMS["VX603"], by_place),)


def told(context: Context, verdicts: list[Verdict]) -> Finding:
    """Return the finding about one path."""
    rows = np.concatenate([verdict.rows for verdict in verdicts])
    return context.finding(
        RULE,
        rows,
        confidence=verdicts[0].confidence,
        explanation=(
            "Only packets with payload are wrong, all by the same amount, and others on this path "
            "are right: octets of the payload were replaced, and the checksum was not."
        ),
        evidence={
            "residual": hex16(context.suspects["inner_l4_residual"][rows[0]]),
            "observations": np.unique(context.observations("inner_l4")[rows]).size,
            "right_on_this_path": Around.of(context, rows).right(TRANSPORT),
        },
    )
