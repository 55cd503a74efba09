"""What NAT rewrote, told of each flow: addresses and ports before and after it.

An old value is told only where it is proven: a right packet of the same inner connection came from
it, the user gave it, or several flows agree on one known address. A port is told with the address
only where that is sure: one sum leaves address and port undecided. Source: fact sheet, section 1.4.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.rules import prices
from vxcsum.rules.connections import connections
from vxcsum.rules.model import address_text, hex16
from vxcsum.rules.nat import Candidate, candidates, proven
from vxcsum.rules.rewriting import ADDRESS, BOTH, INVERSE, PORT

if TYPE_CHECKING:
    from vxcsum.rules.contest import Verdict
    from vxcsum.rules.context import Context
    from vxcsum.rules.prepared import Address

_MODULUS = 0xFFFF
#: Candidates listed of one finding.
_MAX_LISTED = 64


@dataclass(slots=True)
class Mapping:
    """What one outer flow was before and after NAT; None where it is not proven.

    Attributes
    ----------
    pre_nat_source, pre_nat_destination, post_nat_source : str
        Addresses.
    pre_nat_source_port, post_nat_source_port : int
        UDP ports.
    frames : int
    value : str
        What the law makes constant for the flow, hexadecimal.
    port_if_address_kept : int
        The old port if the address is the one from before NAT; where that is not proven.
    """

    pre_nat_source: str | None
    pre_nat_destination: str | None
    pre_nat_source_port: int | None
    post_nat_source: str
    post_nat_source_port: int | None
    frames: int
    value: str
    port_if_address_kept: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the mapping as the report has it."""
        out = {
            "pre_nat_source": self.pre_nat_source,
            "pre_nat_destination": self.pre_nat_destination,
            "pre_nat_source_port": self.pre_nat_source_port,
            "post_nat_source": self.post_nat_source,
            "post_nat_source_port": self.post_nat_source_port,
            "frames": self.frames,
            "value": self.value,
        }
        if self.port_if_address_kept is not None:
            out["port_if_address_kept"] = self.port_if_address_kept
        return out


@dataclass(slots=True)
class Rewritten:
    """The evidence of a rewritten outer header: see `docs/evidence.md` for units."""

    post_nat_source: str
    destination: str
    destination_port: int
    vni: int
    found: str
    expected: str
    residual: str
    formula: str
    flows: int
    observations: int
    proven_by_later_packet: bool
    connections: list[dict[str, Any]]
    mappings: list[Mapping]
    candidates: list[str] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the evidence as the report has it."""
        out = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        out |= out.pop("more")
        out["mappings"] = [mapping.to_dict() for mapping in self.mappings]
        if not self.candidates:
            del out["candidates"]
        for name in ("pre_nat_source", "pre_nat_destination", "pre_nat_source_port"):
            values = {getattr(mapping, name) for mapping in self.mappings}
            if len(values) == 1 and None not in values:
                out[name] = values.pop()
        return out


def rewritten(context: Context, verdicts: list[Verdict], formula: str, **more: Any) -> Rewritten:
    """Return the evidence of a path on which a law of NAT won."""
    rows = np.sort(np.concatenate([verdict.rows for verdict in verdicts]))
    s, first = context.suspects, int(rows[0])
    mappings: list[Mapping] = []
    told: list[Candidate] = []
    for verdict in verdicts:
        found, some = _mappings(context, verdict)
        mappings += found
        told += some
    kinds = context.kinds_of(rows)
    transport = rows[np.isin(kinds.transport, (1, 2))]
    return Rewritten(
        post_nat_source=address_text(s["outer_src"][first]),
        destination=address_text(s["outer_dst"][first]),
        destination_port=int(s["outer_dport"][first]),
        vni=int(s["vni"][first]),
        found=hex16(s["outer_udp_found"][first]),
        expected=hex16(context.expected("outer_udp", rows[:1])[0]),
        residual=hex16(s["outer_udp_residual"][first]),
        formula=formula,
        flows=len(np.unique(s["outer_sport"][rows])),
        observations=sum(
            int(v.case.observed(np.ones(v.rows.size, np.bool_)).sum()) for v in verdicts
        ),
        proven_by_later_packet=any(bool(v.details["proof"].any()) for v in verdicts),
        connections=connections(context, transport) if transport.size else [],
        mappings=mappings,
        candidates=list(dict.fromkeys(c.text for c in told))[:_MAX_LISTED],
        more=more,
    )


def _mappings(context: Context, verdict: Verdict) -> tuple[list[Mapping], list[Candidate]]:
    """Return what each flow was before and after NAT, and addresses that it may have had."""
    s, rows, details = context.suspects, verdict.rows, verdict.details
    ports = getattr(verdict.law, "ports", True)
    sport = s["outer_sport"][rows].astype(np.int64)
    key = details["value"] << 17 | (sport if ports else 0)
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    frames = np.bincount(inverse, s["frames"][rows]).astype(np.int64)
    low, high = (np.full(first.size, fill) for fill in (1 << 17, -1))
    np.minimum.at(low, inverse, sport)
    np.maximum.at(high, inverse, sport)
    nat = _Nat.of(context, verdict)
    mappings: list[Mapping] = []
    order = np.argsort(first, kind="stable")
    columns = (details[name][first][order].tolist() for name in _DETAILS)
    ends = (column[order].tolist() for column in (low, high, frames))
    for value, mode, old, hint, sure, proof, least, most, times in zip(
        *columns, *ends, strict=True
    ):
        told = nat.told(
            value if mode == ADDRESS else 0,
            mode,
            hint,
            sure=sure >= prices.LIKELY,
            proof=proof,
        )
        mappings.append(
            Mapping(
                told.source,
                told.destination,
                old if told.port else None,
                nat.source,
                least if least == most else None,
                times,
                hex16(value),
                old if told.if_kept else None,
            )
        )
    return mappings, [candidate for told in nat.known.values() for candidate in told.candidates]


_DETAILS = ("value", "mode", "old_port", "hint", "sure", "proof")


@dataclass(frozen=True, slots=True)
class _Told:
    """What is proven of a mapping, and addresses that fit."""

    source: str | None = None
    destination: str | None = None
    port: bool = False
    if_kept: bool = False
    candidates: tuple[Candidate, ...] = ()


@dataclass(slots=True)
class _Nat:
    """What is known of a path on which a law of NAT won."""

    context: Context
    ends: tuple[Address, Address]
    source: str
    destination: str
    factor: int
    ports: bool
    kept: bool
    hints: list[Address]
    known: dict[tuple[int, int, int, bool, bool], _Told] = field(default_factory=dict)

    @classmethod
    def of(cls, context: Context, verdict: Verdict) -> _Nat:
        s, row = context.suspects, int(verdict.rows[0])
        source, destination = _halves(s["outer_src"][row]), _halves(s["outer_dst"][row])
        return cls(
            context,
            (source, destination),
            address_text(source),
            address_text(destination),
            getattr(verdict.law, "factor", 1),
            getattr(verdict.law, "ports", True),
            source in context.given
            or context.kept_address(context.evidence.paths.keys[verdict.name]),
            context.hints(verdict.name),
        )

    def told(self, value: int, mode: int, hint: int, *, sure: bool, proof: bool) -> _Told:
        """Return what is proven of the mappings that were read alike."""
        key = (value, mode, hint, sure, proof)
        if key not in self.known:
            self.known[key] = self._tell(value, mode, hint, sure=sure, proof=proof)
        return self.known[key]

    def _tell(self, value: int, mode: int, hint: int, *, sure: bool, proof: bool) -> _Told:
        kept = _Told(self.source, self.destination, port=mode == PORT)
        certain = sure or proof
        if mode == ADDRESS:
            change = value * INVERSE[self.factor] % _MODULUS
            if not change:  # only the port was rewritten, which does not enter
                return kept
            found = tuple(candidates(self.context, *self.ends, change))
            old = proven(found) if certain else None
            source = old.text if old is not None and old.role == "source" else None
            destination = old.text if old is not None and old.role != "source" else None
            return _Told(source, destination, port=certain and self.ports, candidates=found)
        if mode == BOTH:
            address = self.hints[hint]
            if address in self.context.given or proof or (sure and len(self.hints) == 1):
                only = (Candidate(address, "source", "given"),)
                return _Told(address_text(address), port=True, candidates=only)
            both = tuple(Candidate(a, "source", "seen") for a in (address, self.ends[0]))
            return _Told(candidates=both)
        if mode == PORT and not (proof or self.kept):
            fitting = (self.ends[0], *self.hints)
            some = tuple(Candidate(a, "source", "seen") for a in fitting)
            return _Told(if_kept=True, candidates=some)
        return kept if mode == PORT else _Told()


def _halves(address: Any) -> Address:
    high, low = address.tolist()
    return high, low
