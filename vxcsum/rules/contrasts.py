"""Laws that say only which packets are hit, and laws of one difference for a group of packets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.rules import prices
from vxcsum.rules.bits import edited, which
from vxcsum.rules.case import MODULUS
from vxcsum.rules.law import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from vxcsum.packet.columns import I64, AnyArray, Bool
    from vxcsum.rules.case import Case
    from vxcsum.rules.scope import Scope


@dataclass(frozen=True, slots=True)
class Contrast:
    """Packets of some kinds are wrong, each in its own way, and all others are right.

    Attributes
    ----------
    scope : Scope
        What is hit.
    claim : float
    where : callable, optional
        Case -> ``bool[n]``: what else has to be true of a packet.
    unknown : float
        Bits of what the scope leaves open.
    """

    scope: Scope
    claim: float
    where: Callable[[Case], Bool] | None = None
    unknown: float = 0.0
    slot: str = "inner_l4"
    whole: bool = False

    def read(self, case: Case) -> Reading | None:
        """Return what it explains."""
        mask = case.within(self.scope)
        if self.where is not None:
            mask &= self.where(case)
        if not mask.any():
            return None
        unknown = np.full(case.places, self.unknown)
        if not self.whole:
            return Reading(mask, unknown, self.scope, predicts=0.0)
        each = np.minimum(prices.OBSERVATION * case.observed(mask), case.listed(mask, prices.WORD))
        return Reading(mask, unknown + each + _few_of(case, mask, self.scope), self.scope)


def _few_of(case: Case, mask: Bool, scope: Scope) -> AnyArray:
    """Return what it costs to believe that an edit spared most of what it is about."""
    hit = case.observed(mask)
    every = hit + case.context.beside(case.slot).at(case, scope, whole=True)
    out: AnyArray = np.maximum(edited(hit, every) - which(hit, every), 0.0)
    return out


@dataclass(frozen=True, slots=True)
class Constant:
    """All packets of a group are off by one difference.

    Attributes
    ----------
    scope : Scope
    claim : float
    groups : callable
        Case -> labels ``int64[n]``, one array for each way to put packets together; a place takes
        the cheapest.
    unfinished : bool
        Whether a row may be an unfinished checksum, which holds the old pseudo-header: its
        difference is then the pseudo-header sum without the field.
    price : callable, optional
        Case, value -> ``float[n]``: bits of a difference; any word by default.
    where : callable, optional
        Case -> ``bool[n]``: what else has to be true of a packet.
    """

    scope: Scope
    claim: float
    groups: Callable[[Case], tuple[I64, ...]]
    unfinished: bool = False
    price: Callable[[Case, I64], AnyArray] | None = None
    where: Callable[[Case], Bool] | None = None
    slot: str = "inner_l4"
    whole: bool = False

    def read(self, case: Case) -> Reading | None:
        """Return what it explains."""
        allowed = case.within(self.scope)
        if self.where is not None:
            allowed &= self.where(case)
        if self.unfinished:  # one that still is shows no change
            allowed &= case.column(f"{case.slot}_status") == Status.INVALID
        rows = np.flatnonzero(allowed)
        if not rows.size:
            return None
        some = case.only(rows)
        price = np.full(rows.size, prices.WORD)
        if self.price is not None:
            price = np.minimum(price, self.price(some, some.residual))
        values = [some.residual]
        if self.unfinished:
            values.append((some.pseudo - some.found) % MODULUS)
        options = [_grouped(some, group, price, *values) for group in self.groups(some)]
        each = prices.OBSERVATION + prices.KEPT_AT_A_LOSS  # what is left over costs as well
        worth = np.array([each * some.observed(mask) - cost for mask, cost in options])
        best = worth.argmax(axis=0)
        mask = np.choose(best[some.place], [mask for mask, _ in options])
        unknown = np.choose(best, [cost for _, cost in options])
        unknown = unknown + float(np.log2(len(options)))
        out = np.zeros(case.rows.size, np.bool_)
        out[rows[mask]] = True
        return Reading(out, unknown, self.scope)


def _grouped(case: Case, group: I64, price: AnyArray, *values: I64) -> tuple[Bool, AnyArray]:
    """Return who has the value of his group, where that pays, and what the values cost."""
    label = np.unique(case.place << 40 | group, return_inverse=True)[1]
    _, has = case.most_frequent(label, *values)
    size = int(label.max()) + 1
    seen = case.counted(label, has, size)
    cost = np.full(size, prices.WORD)
    cost[label[has]] = price[has]
    good = prices.OBSERVATION * seen - cost > -prices.KEPT_AT_A_LOSS
    mask: Bool = has & good[label]
    labels, first = np.unique(label[mask], return_index=True)
    unknown = np.bincount(case.place[mask][first], cost[labels], case.places)
    if len(values) > 1:  # which are unfinished
        every = case.observed(mask)
        finished = case.observed(mask & (values[0] == case.most_frequent(label, *values)[0]))
        unknown = unknown + np.maximum(which(finished, every) - 1.0, 0.0) * (every > 0)
    return mask, unknown


def by_place(case: Case) -> tuple[I64, ...]:
    """Put all packets of a place together."""
    return (case.place,)


def by_ends(case: Case) -> tuple[I64, ...]:
    """Put packets together by connection, pair of addresses, destination, or source."""
    source, destination = case.context.inner_ends(case)
    pair = source << 20 | destination
    return (case.flow, pair, destination, source)


def by_direction(case: Case) -> tuple[I64, ...]:
    """Put packets together by connection, in one direction or in both, or all."""
    return (case.flow, case.context.conversations[case.rows], case.place)


def by_unordered_ends(case: Case) -> tuple[I64, ...]:
    """Put packets of both directions together: all, by pair, by either end, by connection."""
    if case.slot == "outer_udp":
        source, destination = case.context.outer_ends(case)
        flow = case.flow
    else:
        source, destination = case.context.inner_ends(case)
        flow = case.context.conversations[case.rows]
    pair = np.minimum(source, destination) << 20 | np.maximum(source, destination)
    return (case.place, pair, destination, source, flow)
