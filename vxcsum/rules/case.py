"""Wrong checksums that laws compete for, in columns, and what is right beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.evidence.census import NONE
from vxcsum.evidence.right import mixed
from vxcsum.rules import prices
from vxcsum.rules.bits import choice, which
from vxcsum.rules.scope import EVERY

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64, AnyArray, Bool
    from vxcsum.rules.scope import Scope
    from vxcsum.rules.undecided import Undecided

MODULUS = 0xFFFF
OUTER, INNER = "outer_udp", "inner_l4"
_UNNAMED = 1 << 31


def _lot(numbers: I64) -> AnyArray:
    """Return a number between 0 and 1 for each number, the same each time."""
    out: AnyArray = mixed(numbers.astype(np.uint64) + np.uint64(1)) / 2.0**64
    return out


@dataclass(frozen=True)
class Case:
    """Wrong checksums of one slot, each at one place.

    Attributes
    ----------
    context : Undecided
    slot : {"outer_udp", "inner_l4"}
        Whose values are looked at.
    rows : int64[n]
        Suspects.
    place : int64[n]
        Where each belongs: a path, or a capture; counted from 0.
    paths : int64[m]
        Place of each path of the evidence, or -1.
    names : int64[places]
        The number of the path, or for a capture -1 minus its number.
    share : float64[m], optional
        Of the wrong checksums of each path, the share that is here; all where None.
    """

    context: Undecided
    slot: str
    rows: I64
    place: I64
    paths: I64
    names: I64
    share: AnyArray | None = None

    @property
    def places(self) -> int:
        """How many places there are."""
        return self.names.size

    def only(self, mask: Bool | I64) -> Case:
        """Return some of the wrong checksums, at the same places."""
        return replace(self, rows=self.rows[mask], place=self.place[mask])

    def column(self, name: str) -> AnyArray:
        """Return a column of the suspects."""
        return self.context.suspects[name][self.rows]

    def number(self, name: str) -> I64:
        """Return a column of the suspects as ``int64``."""
        return self.column(name).astype(np.int64)

    @property
    def shares(self) -> AnyArray:
        """The share of each path that is here."""
        return np.ones(self.paths.size) if self.share is None else self.share

    @cached_property
    def found(self) -> I64:
        """The fields."""
        return self.number(f"{self.slot}_found")

    @cached_property
    def residual(self) -> I64:
        """The residuals on the wire."""
        return self.number(f"{self.slot}_residual")

    @cached_property
    def expected(self) -> I64:
        """The right fields, as residues."""
        return (self.found - self.residual) % MODULUS

    @cached_property
    def pseudo(self) -> I64:
        """Sums of the pseudo-headers."""
        return self.number(f"{self.slot}_pseudo") % MODULUS

    @cached_property
    def length(self) -> I64:
        """Octets that the checksums cover."""
        return self.number("outer_udp_length" if self.slot == OUTER else "inner_l4_length")

    @cached_property
    def protocol(self) -> I64:
        """Protocols of the headers that hold the checksums."""
        if self.slot == OUTER:
            return np.full(self.rows.size, 17)
        return self.number("inner_protocol")

    @cached_property
    def flow(self) -> I64:
        """Outer flows, or inner connections in one direction."""
        return self.context.flows(self.slot)[self.rows]

    @cached_property
    def mapping(self) -> I64:
        """Outer flows, apart for each inner connection: a port may be used again for another."""
        inner = self.context.flows(INNER)[self.rows]
        named = self.context.transport[self.rows] != NONE
        keys = self.flow << 32 | np.where(named, inner, _UNNAMED + self.observation)
        labels: I64 = np.unique(keys, return_inverse=True)[1]
        return labels

    @cached_property
    def observation(self) -> I64:
        """Numbers that are the same for one flow, right checksum and found checksum."""
        return self.context.observations(self.slot)[self.rows]

    @cached_property
    def firsts(self) -> Bool:
        """One row of each observation."""
        first = np.zeros(self.rows.size, np.bool_)
        first[np.unique(self.observation, return_index=True)[1]] = True
        return first

    def sum(self, values: AnyArray, mask: Bool | None = None) -> AnyArray:
        """Add values up by place, ``float64[places]``."""
        if mask is None:
            return np.bincount(self.place, values, self.places)
        return np.bincount(self.place[mask], values[mask], self.places)

    def observed(self, mask: Bool) -> AnyArray:
        """Return how many observations some rows are, by place."""
        rows = np.flatnonzero(mask)
        rows = rows[np.unique(self.observation[rows], return_index=True)[1]]
        return np.bincount(self.place[rows], minlength=self.places).astype(np.float64)

    def listed(self, mask: Bool, each: float) -> AnyArray:
        """Return the bits of a list of residuals, some of which come again, by place.

        Parameters
        ----------
        mask : bool[n]
        each : float
            Bits of one of them.
        """
        rows = np.flatnonzero(mask & self.firsts)
        keys, times = np.unique(self.place[rows] << 17 | self.residual[rows], return_counts=True)
        again = times > 1
        place, counts = keys[again] >> 17, times[again].astype(np.float64)
        every = np.bincount(keys >> 17, times, self.places)
        total = np.bincount(place, counts, self.places)
        spent = np.bincount(place, counts * np.log2(total[place] / counts), self.places)
        values = np.bincount(place, minlength=self.places) + every - total
        out: AnyArray = each * values + spent + which(total, every)
        return out

    def within(self, scope: Scope) -> Bool:
        """Return which rows a scope holds."""
        return scope.holds(self.context.kinds_of(self.rows))

    def counted(self, label: I64, mask: Bool, size: int) -> AnyArray:
        """Return how many observations of a mask each label has."""
        pairs = np.unique(label[mask] << 32 | self.observation[mask]) >> 32
        return np.bincount(pairs, minlength=size)

    def most_frequent(self, group: I64, *values: I64) -> tuple[I64, Bool]:
        """Return for each row the value that its group has in most observations, and who has it.

        Parameters
        ----------
        group : int64[n]
        *values : int64[n]
            Ways to read each row; it has all of them.

        Notes
        -----
        Of values that are as frequent, the smallest.
        """
        rows = np.unique(group << 32 | self.observation, return_index=True)[1]
        every = np.concatenate([group[rows] << 17 | value[rows] for value in values])
        pairs, inverse = np.unique(every, return_inverse=True)
        # The first way to read a row is preferred.
        weight = np.ones(every.size)
        weight[rows.size :] = prices.OTHER_READING
        counts = np.bincount(inverse, weight, pairs.size)
        order = np.lexsort((pairs, -counts, pairs >> 17))
        groups, start = np.unique(pairs[order] >> 17, return_index=True)
        best = pairs[order][start] & 0x1FFFF
        chosen = best[np.searchsorted(groups, group)] if groups.size else values[0]
        has: Bool = values[0] == chosen
        for value in values[1:]:
            has |= value == chosen
        return chosen, has

    def thinned(self) -> Case:
        """Return so many flows of each path, and packets of these, as suffice to score laws."""
        path = self.number("path")
        size = np.bincount(path, minlength=self.paths.size)
        if int(size.max(initial=0)) <= prices.SCORED:
            return self
        flows, first, of = np.unique(self.flow, return_index=True, return_inverse=True)
        each = np.bincount(path[first], minlength=self.paths.size)
        kept = np.maximum(
            prices.SCORED / np.maximum(size, 1), prices.MIN_FLOWS / np.maximum(each, 1)
        )
        chosen = (_lot(flows) < kept[path[first]])[of]
        left = np.bincount(path[chosen], minlength=self.paths.size)
        chosen &= _lot(self.observation) < (2 * prices.SCORED / np.maximum(left, 1))[path]
        there = np.bincount(path[chosen], minlength=self.paths.size)
        share = np.where(size > 0, there / np.maximum(size, 1), 1.0)
        return replace(self.only(chosen), share=share)

    def _explained(self, mine: I64, hit: AnyArray, scope: Scope) -> AnyArray:
        """Return the bits that tell which wrong ones in a scope are explained, by place.

        One by one, or by flow and then in those flows.
        """
        inside = self.within(scope)
        every = np.maximum(self.observed(inside), hit)
        flows, of = np.unique(self.flow[mine], return_index=True)
        at = np.unique(self.flow[inside], return_index=True)[1]
        in_flows = np.maximum(self.observed(inside & np.isin(self.flow, flows)), hit)
        picked = np.bincount(self.place[mine][of], minlength=self.places).astype(np.float64)
        some = np.bincount(self.place[inside][at], minlength=self.places).astype(np.float64)
        out: AnyArray = np.minimum(which(hit, every), choice(picked, some) + which(hit, in_flows))
        return out

    # What is right beside them

    def saved(
        self, claimed: Bool, scope: Scope, *, whole: bool, spared: AnyArray | None = None
    ) -> AnyArray:
        """Return the bits that a law saves in telling which packets are wrong, by place.

        Parameters
        ----------
        claimed : bool[n]
            What the law explains.
        scope : Scope
            What it hits; of these, all packets or those of chosen flows.
        whole : bool
            Whether it hits all paths of the capture, in both directions.
        spared : float[places], optional
            Right observations that it would hit, where the scope cannot tell.
        """
        beside = self.context.beside(self.slot)
        path = self.number("path")
        paths, of_row = np.unique(path, return_inverse=True)
        firsts = np.flatnonzero(self.firsts)
        wrong = np.bincount(of_row[firsts], minlength=paths.size).astype(np.float64)
        mine = np.flatnonzero(claimed)
        mine = mine[np.unique(self.observation[mine], return_index=True)[1]]
        taken = np.bincount(of_row[mine], minlength=paths.size).astype(np.float64)
        right = beside.by_path(EVERY)[paths] * self.shares[paths]
        without = which(wrong, wrong + right) - which(wrong - taken, wrong - taken + right)
        saved = np.bincount(self.paths[paths], without, self.places)
        hit = np.bincount(self.place[mine], minlength=self.places).astype(np.float64)
        saved -= self._explained(mine, hit, scope)
        picks = spared is None and not whole
        if spared is None:
            spared = beside.at(self, scope, whole=whole)
        everywhere = which(hit, hit + spared)
        if not picks:  # who edits a capture does not pick flows
            edited: AnyArray = saved - everywhere
            return edited
        flows, first = np.unique(self.flow[mine], return_index=True)
        where = self.place[mine][first]
        picked = np.bincount(where, minlength=self.places).astype(np.float64)
        of_flows, every = beside.of_flows(self, flows, where, scope)
        some = choice(picked, every) + which(hit, hit + of_flows)
        out: AnyArray = saved - np.minimum(everywhere, some)
        return out
