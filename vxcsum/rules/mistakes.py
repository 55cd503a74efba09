"""Laws that compute what stands in the field: mistakes of software, placeholders, constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.rules import prices
from vxcsum.rules.case import MODULUS, OUTER
from vxcsum.rules.law import Reading
from vxcsum.rules.model import Finding, Remedy, Rule, hex16
from vxcsum.rules.scope import EVERY, EVERYTHING, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vxcsum.packet.columns import AnyArray, Bool
    from vxcsum.rules.case import Case
    from vxcsum.rules.contest import Verdict
    from vxcsum.rules.context import Context


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that gives the field of every packet that it hits.

    Attributes
    ----------
    options : callable
        Case -> one ``bool[n]`` for each form of the mistake; a path shows one of them.
    slot : {"outer_udp", "inner_l4"}
    claim : float
    open_bits : callable, optional
        Case -> ``float[n]``: what each observation leaves open.
    form_bits : float
        What it costs to say which form it is, if more are possible than are tried.
    scope : Scope, optional
        What it hits; by default the kinds of packets in which it is seen.
    place_bits : callable, optional
        Case -> ``float[places]``: what it costs to believe it there.
    spared : callable, optional
        Case -> ``float[places]``: right ones that it would hit, where the scope cannot tell.
    """

    options: Callable[[Case], Sequence[Bool]]
    slot: str
    claim: float = prices.CLAIM
    open_bits: Callable[[Case], AnyArray] | None = None
    form_bits: float = 0.0
    scope: Scope | None = None
    place_bits: Callable[[Case], AnyArray] | None = None
    spared: Callable[[Case], AnyArray] | None = None
    whole: bool = False

    def read(self, case: Case) -> Reading | None:
        """Return what it explains."""
        masks = list(self.options(case))
        seen = np.array([case.observed(mask) for mask in masks])
        best = seen.argmax(axis=0)[case.place]
        mask = np.choose(best, masks) if len(masks) > 1 else masks[0]
        if not mask.any():
            return None
        unknown = np.full(case.places, max(self.form_bits, float(np.log2(len(masks)))))
        if self.open_bits is not None:
            unknown += case.sum(self.open_bits(case), mask & case.firsts)
        if self.place_bits is not None:
            unknown += self.place_bits(case)
        scope = self.scope
        if scope is None:
            scope = seen_in(case, mask)
            unknown += prices.KINDS * (scope != EVERY)
        spared = None if self.spared is None else self.spared(case)
        return Reading(mask, unknown, scope, spared=spared, details={"option": best})


def seen_in(case: Case, mask: Bool) -> Scope:
    """Return the kinds of packets in which some rows are seen."""
    kinds = case.context.kinds_of(case.rows[mask])
    transports = frozenset(np.unique(kinds.transport).tolist())
    if case.slot == OUTER and len(transports) > 1:
        transports = EVERYTHING  # who computes an outer checksum does not look what is inside
    return Scope(transports)


def none_known(case: Case) -> AnyArray:
    """Say that of the kind that a law hits no right ones are known."""
    return np.zeros(case.places)


def congruent(left: AnyArray, right: AnyArray | int) -> Bool:
    """Return where two columns are the same residue."""
    return np.asarray((np.asarray(left, np.int64) - right) % MODULUS == 0)


def both(
    options: Callable[[Case], Sequence[Bool]],
    *,
    claim: float = prices.CLAIM,
    open_bits: Callable[[Case], AnyArray] | None = None,
    form_bits: float = 0.0,
    spared: Callable[[Case], AnyArray] | None = None,
) -> tuple[Formula, ...]:
    """Return a formula for outer and for inner checksums."""
    return tuple(
        Formula(options, slot, claim, open_bits, form_bits, spared=spared)
        for slot in ("outer_udp", "inner_l4")
    )


#: What cures a mistake of software.
REMEDIES = (
    Remedy(
        "the software that sends these packets",
        note="correct how it computes the checksum, or send no outer one (RFC 7348 section 5)",
    ),
)


def told(
    context: Context,
    rule: Rule,
    verdicts: list[Verdict],
    recovered: Callable[[Case, Reading], dict[str, Any]] | None,
) -> Finding:
    """Return the finding about a path on which the formula of a rule won."""
    rows = np.concatenate([verdict.rows for verdict in verdicts])
    slot, first, won = verdicts[0].case.slot, rows[:1], verdicts[0]
    evidence: dict[str, Any] = {
        "wrong": context.layer_names(rows),
        "formula": rule.formula,
        "found": hex16(context.column(f"{slot}_found", first)[0]),
        "expected": hex16(context.expected(slot, first)[0]),
        "residual": hex16(context.column(f"{slot}_residual", first)[0]),
        "observations": np.unique(context.observations(slot)[rows]).size,
    }
    if recovered is not None:
        every = Reading(np.ones(won.rows.size, np.bool_), np.zeros(1), details=won.details)
        evidence |= recovered(won.case, every)
    return context.finding(
        rule,
        rows,
        confidence=won.confidence,
        explanation=rule.sentence,
        evidence=evidence,
        remedies=REMEDIES if rule.remedies is None else rule.remedies,
    )
