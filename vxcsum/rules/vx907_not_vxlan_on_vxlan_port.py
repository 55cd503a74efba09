"""# VX907 not-vxlan-on-vxlan-port

## What it means

UDP packets go to a port of VXLAN, but have no VXLAN header with its I flag.

## Why it matters

They are verified as plain UDP. If they were meant to be VXLAN, both ends disagree about the
protocol.

## How it is recognised

A UDP destination port of the VXLAN set, and no complete 8-octet header with the flag 0x08.

## Example

vxcsum analyze captures/synthetic/vx907.pcap

## Usual causes

* Another protocol on the port: OTV or LISP on 8472, replies of scanners, monitoring.
* Frames cut so short that the VXLAN header is missing.

## Look-alikes

* VXLAN on a port of its own: add it with `--port +PORT`.

## What to do

Check which program uses the port: `ss -lunp`.

## References

RFC 7348 section 5. Fact sheet: P57.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.rules.base import Confidence, Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Context

RULE = Rule(
    "VX907",
    "not-vxlan-on-vxlan-port",
    "Packets on a VXLAN port that are not VXLAN",
    Severity.INFO,
)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each capture that shows it."""
    for number, _, seen in context.showing("not_vxlan"):
        yield context.counted(
            RULE,
            number,
            seen,
            confidence=Confidence.CONFIRMED,
            explanation=(
                "These packets go to a VXLAN port but carry no valid VXLAN header; they were "
                "verified as plain UDP."
            ),
        )
