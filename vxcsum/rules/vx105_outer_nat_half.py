"""# VX105 outer-nat-half

## What it means

A translator rewrote both the outer address and the port, and took only one of them into the
checksum.

## Why it matters

Receivers that verify the outer checksum drop every packet that passed the translator.

## How it is recognised

residual = new port - old port the port was forgotten residual = S(new address) - S(old address)
the address was forgotten

This can be told only where the same inner packet was captured before the translator as well: a
SYN with the same addresses, ports and sequence number under another outer address and port.

## Example

vxcsum analyze captures/synthetic/vx105.pcap

## Usual causes

* Hand-written NAT, for example in eBPF, that calls one update too few.

## Look-alikes

* VX104: neither was taken into the checksum.
* VX102: the address entered with the wrong sign.
* Where only one of the two was rewritten, VX105 and VX104 are the same.

## What to do

Correct the translator: one update for each word that changed.

## References

RFC 1624. Fact sheet: P05.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.rules.base import Confidence, Finding, Remedy, Rule, Severity, address_text, hex16
from vxcsum.rules.connections import connections
from vxcsum.rules.nat import sum_of
from vxcsum.rules.odds import power

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import I64
    from vxcsum.rules.context import Context, Place

RULE = Rule(
    "VX105",
    "outer-nat-half",
    "NAT updated the checksum for the address or the port only",
    Severity.ERROR,
)

_MODULUS = 0xFFFF
_REMEDIES = (
    Remedy("the translator", note="make it update the checksum for the address and for the port"),
)


@dataclass(frozen=True, slots=True)
class _Twin:
    """The same inner packet before NAT."""

    source: tuple[int, int]
    sport: int
    forgotten: str


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each pair of outer addresses with a packet seen before NAT, too."""
    for place in context.places("outer_udp"):
        twins: dict[tuple[int, int], _Twin] = {}
        residuals = context.residual("outer_udp", place.rows)
        sports = context.column("outer_sport", place.rows)
        for row, residual, sport in zip(
            place.rows.tolist(), residuals.tolist(), sports.tolist(), strict=True
        ):
            twin = _twin(context, place, row, int(residual))
            if twin is not None:
                twins[int(sport), int(residual)] = twin
        if twins:
            keys = zip(sports.tolist(), residuals.tolist(), strict=True)
            mask = np.array([key in twins for key in keys])
            yield _finding(context, place, place.rows[mask], twins)


def _twin(context: Context, place: Place, row: int, residual: int) -> _Twin | None:
    s = context.suspects
    if not int(s["tcp_flags"][row]) & 0x02:
        return None
    new_port = int(s["outer_sport"][row])
    for old, old_port in context.right_twins(row):
        address = (sum_of(place.source) - sum_of(old)) % _MODULUS
        port = (new_port - old_port) % _MODULUS
        if not address or not port:
            continue
        if residual == port:
            return _Twin(old, old_port, "port")
        if residual == address:
            return _Twin(old, old_port, "address")
    return None


def _finding(
    context: Context, place: Place, rows: I64, twins: dict[tuple[int, int], _Twin]
) -> Finding:
    first = int(rows[0])
    forgotten = sorted({twin.forgotten for twin in twins.values()})
    mappings: list[dict[str, Any]] = [
        {
            "pre_nat_source": address_text(twin.source),
            "pre_nat_destination": address_text(place.destination),
            "pre_nat_source_port": twin.sport,
            "post_nat_source": address_text(place.source),
            "post_nat_source_port": sport,
            "frames": int((context.column("outer_sport", rows) == sport).sum()),
        }
        for (sport, _), twin in twins.items()
    ]
    evidence: dict[str, Any] = {
        "post_nat_source": address_text(place.source),
        "destination": address_text(place.destination),
        "destination_port": int(context.suspects["outer_dport"][first]),
        "vni": int(context.suspects["vni"][first]),
        "found": hex16(context.suspects["outer_udp_found"][first]),
        "expected": hex16(context.expected("outer_udp", rows[:1])[0]),
        "residual": hex16(context.suspects["effective"][first]),
        "formula": "residual = difference of what was forgotten",
        "forgotten": forgotten,
        "observations": len(twins),
        "chance": float(f"{power(2 / _MODULUS, len(twins)):.2g}"),
        "connections": connections(context, rows[context.transport_rows(rows)]),
        "mappings": mappings,
    }
    sources = {mapping["pre_nat_source"] for mapping in mappings}
    if len(sources) == 1:
        evidence["pre_nat_source"] = sources.pop()
    context.claim(rows, "outer_udp")
    return context.finding(
        RULE,
        rows,
        confidence=Confidence.CONFIRMED if len(twins) > 1 else Confidence.LIKELY,
        explanation=(
            "The same packets were captured before NAT. Address and port were rewritten, and the "
            f"checksum was updated without the {' or the '.join(forgotten)}."
        ),
        evidence=evidence,
        remedies=_REMEDIES,
    )
