"""Mistakes of software that computes checksums: one formula each, tried on all wrong checksums.

A formula is believed where it fits at least three packets whose right checksums differ, and most
of the unexplained ones of the same kind on the path. Sources: RFC 1071; fact sheet, section 1.2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.algebra import HALF
from vxcsum.checksum.status import Status
from vxcsum.packet.columns import distinct
from vxcsum.packet.protocols import IPPROTO_UDP
from vxcsum.rules.base import Confidence, Finding, Remedy, Rule, hex16
from vxcsum.rules.census import NONE, PING, TRANSPORT
from vxcsum.rules.nat import candidates
from vxcsum.rules.odds import power

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vxcsum.packet.columns import I64, AnyArray, Bool
    from vxcsum.rules.context import Context, Place

MODULUS = 0xFFFF
#: Packets with different right checksums that a formula has to fit.
MIN_OBSERVATIONS = 3
#: Share of the unexplained checksums of a kind that it has to fit.
MIN_SHARE = 0.5
#: The same for formulas that leave one small constant in all packets.
CONSTANT_SHARE = 0.9
_MAX_ODDS = 1e-4
#: A mistake of software hits at least this share of its packets; a stuck bit does not.
_COMMON = 0.05
#: Addresses before NAT that are told as another explanation.
_MAX_TOLD = 4
#: A contrast between two kinds of packets is believed below this chance.
MAX_CONTRAST = 1e-3
#: What cures a mistake of software.
REMEDIES = (
    Remedy(
        "the software that sends these packets",
        note="correct how it computes the checksum, or send no outer one (RFC 7348 section 5)",
    ),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """Wrong checksums of one kind on one path, as signed 64-bit columns.

    Attributes
    ----------
    found, expected, residual, pseudo : int64[n]
        Residues, but for ``found``, which is the field.
    length : int64[n]
        Octets that the checksum covers.
    protocol : int64[n]
        Of the header that holds the checksum.
    """

    context: Context
    place: Place
    rows: I64
    protocol: I64
    found: I64
    expected: I64
    residual: I64
    pseudo: I64
    length: I64

    def only(self, mask: Bool | I64) -> Sample:
        """Return some of the rows."""
        columns = ("rows", "protocol", "found", "expected", "residual", "pseudo", "length")
        return replace(self, **{name: getattr(self, name)[mask] for name in columns})

    def column(self, name: str) -> AnyArray:
        """Return another column of the same rows."""
        return self.context.column(name, self.rows)


def samples(context: Context) -> Iterator[Sample]:
    """Yield the unexplained transport checksums by path and slot."""
    for place in context.places("outer_udp", "inner_l4"):
        rows = place.rows
        outer = place.slot == "outer_udp"
        if not outer:
            # The outer checksum covers the inner packet as it was encapsulated: where it is wrong
            # by the same amount, or for no known reason, something happened on the way.
            same = context.column("effective", rows) == context.column("inner_l4_residual", rows)
            same &= context.column("outer_udp_status", rows) == Status.INVALID
            rows = rows[~(same | context.still_open("outer_udp")[rows])]
        if not rows.size:
            continue
        protocol = context.column("inner_protocol", rows)
        if outer:
            protocol = np.full(rows.size, IPPROTO_UDP)
        length = "outer_udp_length" if outer else "inner_l4_length"
        yield Sample(
            context=context,
            place=place,
            rows=rows,
            protocol=protocol.astype(np.int64),
            found=context.column(f"{place.slot}_found", rows).astype(np.int64),
            expected=context.expected(place.slot, rows).astype(np.int64),
            residual=context.residual(place.slot, rows).astype(np.int64),
            pseudo=context.column(f"{place.slot}_pseudo", rows).astype(np.int64),
            length=context.column(length, rows).astype(np.int64),
        )


def congruent(left: Any, right: Any) -> Bool:
    """Return where two columns are the same residue."""
    return np.asarray((np.asarray(left, np.int64) - right) % MODULUS == 0)


def observations(sample: Sample, mask: Bool) -> int:
    """Return how many different packets a mask holds; retransmissions are one observation."""
    seen = np.column_stack((sample.expected[mask], sample.residual[mask], sample.length[mask]))
    return len(np.unique(seen, axis=0))


def _frames_of_kind(sample: Sample) -> int:
    """Return how many packets of the path have such a checksum that was verified."""
    verified = (Status.VALID, Status.INVALID)
    if sample.place.slot == "outer_udp":
        return sample.place.path.outer((NONE, *TRANSPORT, *PING), *verified)
    return sample.place.path.inner((*TRANSPORT, *PING), *verified)


def by_formula(
    context: Context,
    rule: Rule,
    fits: Callable[[Sample], Bool],
    *,
    chance: Callable[[Sample], float],
    explanation: str,
    formula: str,
    share: float = MIN_SHARE,
    details: Callable[[Sample, Bool], dict[str, Any]] | None = None,
    remedies: tuple[Remedy, ...] = REMEDIES,
    believable: Callable[[Sample, Bool], bool] | None = None,
) -> Iterator[Finding]:
    """Yield a finding for each path where a formula explains the wrong checksums.

    Parameters
    ----------
    context, rule
    fits : callable
        Returns for a `Sample` which rows the formula explains.
    chance : callable
        Returns for a `Sample` how likely a random field fits.
    explanation, formula : str
    share : float
        Of the unexplained checksums, what it has to fit.
    details : callable, optional
        Returns what was recovered, for the evidence.
    remedies : tuple of Remedy
    believable : callable, optional
        What else has to be true of a `Sample` and what fits in it.
    """
    for sample in samples(context):
        mask = fits(sample)
        hits = int(mask.sum())
        common = _COMMON * _frames_of_kind(sample)
        if hits < max(MIN_OBSERVATIONS, share * sample.rows.size, common):
            continue
        if sample.place.slot == "outer_udp" and sample.place.spared > sample.rows.size // 2:
            continue  # who computes checksums wrongly does so for inner ICMP as well
        seen = observations(sample, mask)
        odds = power(chance(sample), seen)
        if seen < MIN_OBSERVATIONS or odds > _MAX_ODDS:
            continue
        if believable is not None and not believable(sample, mask):
            continue
        rows = sample.rows[mask]
        first = int(np.flatnonzero(mask)[0])
        evidence: dict[str, Any] = {
            "wrong": context.layer_names(rows),
            "formula": formula,
            "found": hex16(sample.found[first]),
            "expected": hex16(sample.expected[first]),
            "residual": hex16(sample.residual[first]),
            "observations": seen,
            "chance": float(f"{odds:.2g}"),
        }
        if details is not None:
            evidence.update(details(sample, mask))
        translated = _translated(sample.only(mask))
        if translated:
            evidence["alternatives"] = translated
        sure = seen > MIN_OBSERVATIONS and not translated
        context.claim(rows, sample.place.slot)
        yield context.finding(
            rule,
            rows,
            confidence=Confidence.CONFIRMED if sure else Confidence.LIKELY,
            explanation=explanation,
            evidence=evidence,
            remedies=remedies,
        )


def _translated(sample: Sample) -> list[str]:
    """Return how NAT between neighbours would explain the same, for one difference in all rows."""
    values = distinct(sample.residual).tolist()
    if sample.place.slot != "outer_udp" or len(values) > 1:
        return []
    changes = {"VX104": values[0]}
    if sample.context.transport_rows(sample.rows).all():  # VX102 spares inner ICMP
        changes["VX102"] = values[0] * HALF % MODULUS
    said = []
    ends = sample.place.source, sample.place.destination
    for code, change in changes.items():
        found = [candidate.text for candidate in candidates(sample.context, *ends, change)]
        if found:
            said.append(f"{code}: before NAT the address was {' or '.join(found[:_MAX_TOLD])}")
    return said


def by_chance(wrong: int, spared: int) -> float:
    """Return how likely damage that spares nobody hits only one of two kinds of packets.

    Parameters
    ----------
    wrong : int
        Packets of the first kind, all wrong.
    spared : int
        Packets of the second kind, all right.
    """
    return 1 / comb(wrong + spared, wrong)


def one_in(number: float) -> Callable[[Sample], float]:
    """Return a chance that does not depend on the sample: ``number`` of 65,535 fields fit."""
    return lambda _sample: number / MODULUS
