"""Findings about a rewritten outer header: confidence, mappings, evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vxcsum.rules.base import Confidence, Finding, Remedy, Rule, address_text, hex16
from vxcsum.rules.connections import connections
from vxcsum.rules.nat import proven
from vxcsum.rules.readings import MANY, MAX_CHANCE, RARE, Reading

if TYPE_CHECKING:
    from vxcsum.rules.context import Context, Place


def confidence_of(reading: Reading, *, contrast: bool) -> Confidence:
    """Return how sure a reading is, by independent observations."""
    repeated = max(flow.observations for flow in reading.flows)
    sure = reading.odds < RARE or repeated >= MANY
    if reading.proof or (contrast and (sure or reading.odds < MAX_CHANCE)):
        return Confidence.CONFIRMED
    seen = sum(flow.observations for flow in reading.flows)
    if reading.odds < MAX_CHANCE or repeated == 2 or (contrast and seen >= MANY):
        return Confidence.LIKELY
    return Confidence.POSSIBLE


def mappings_of(place: Place, reading: Reading) -> list[dict[str, Any]]:
    """Return what each flow was before and after NAT."""
    kept = reading.kept
    known = proven(reading.candidates) if reading.candidates else None
    out: dict[tuple[int, int | None], dict[str, Any]] = {}
    for flow in reading.flows:
        mapping: dict[str, Any] = {
            "pre_nat_source": address_text(place.source) if kept else None,
            "pre_nat_destination": address_text(place.destination) if kept else None,
            "pre_nat_source_port": flow.old_port,
            "post_nat_source": address_text(place.source),
            "post_nat_source_port": flow.sport,
            "frames": int(flow.rows.size),
            "value": hex16(flow.value),
        }
        if known is not None:
            mapping[f"pre_nat_{known.role}"] = known.text
        elif not kept and flow.old_port != flow.sport:
            mapping["pre_nat_source_port"] = None  # another one for each address that fits
        out[flow.sport, flow.old_port] = mapping
    return list(out.values())


def rewriting_finding(
    context: Context,
    rule: Rule,
    place: Place,
    reading: Reading,
    *,
    formula: str,
    explanation: str,
    contrast: bool,
    evidence: dict[str, Any],
    remedies: tuple[Remedy, ...],
) -> Finding:
    """Claim what a reading explains, and return the finding."""
    rows = reading.rows
    first = int(rows[0])
    mappings = mappings_of(place, reading)
    said: dict[str, Any] = {
        "post_nat_source": address_text(place.source),
        "destination": address_text(place.destination),
        "destination_port": int(context.suspects["outer_dport"][first]),
        "vni": int(context.suspects["vni"][first]),
        "found": hex16(context.suspects["outer_udp_found"][first]),
        "expected": hex16(context.expected("outer_udp", rows[:1])[0]),
        "residual": hex16(context.suspects["effective"][first]),
        "formula": formula,
        "flows": len(reading.flows),
        "observations": sum(flow.observations for flow in reading.flows),
        "chance": float(f"{reading.odds:.2g}"),
        "proven_by_later_packet": reading.proof,
        **evidence,
        "connections": connections(context, rows[context.transport_rows(rows)]),
        "mappings": mappings,
    }
    for name in ("pre_nat_source", "pre_nat_destination", "pre_nat_source_port"):
        values = {mapping[name] for mapping in mappings}
        if len(values) == 1 and None not in values:
            said[name] = values.pop()
    others = [address_text(address) for address in reading.others]
    if others:
        said["alternatives"] = [
            *said.get("alternatives", ()),
            f"the address was {', '.join(others[:4])} before NAT, and the ports others; "
            "--pre-nat tells",
        ]
        said["candidates"] = others
    if reading.candidates:
        said["candidates"] = list(dict.fromkeys(c.text for c in reading.candidates))
    confidence = confidence_of(reading, contrast=contrast)
    if confidence is not Confidence.POSSIBLE:
        context.translating.add((place.capture, *place.source))
    context.claim(rows, "outer_udp")
    return context.finding(
        rule,
        rows,
        confidence=confidence,
        explanation=explanation,
        evidence=said,
        remedies=remedies,
    )
