"""Reading a value as a rewritten address or port: the laws of NAT.

All of this family follow ``value = c * dA + dP`` modulo 0xffff, where ``value`` is constant for an
outer flow, ``dA = S(new address) - S(old address)``, ``dP = new port - old port``. One equation
with two unknowns: the port alone, the address alone, or a known address with any port are priced,
and the cheapest is taken. Source: docs/fact-sheet.md, sections 1.2 and 1.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.algebra import HALF
from vxcsum.rules import prices
from vxcsum.rules.case import MODULUS, Case
from vxcsum.rules.law import Reading
from vxcsum.rules.lookups import MAX_HINTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from vxcsum.packet.columns import I64, AnyArray, Bool
    from vxcsum.rules.scope import Scope

INVERSE = {1: 1, 2: HALF}
#: What was rewritten: nothing that the sum tells, the port, the address, both.
PORT, ADDRESS, BOTH, VNI = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Rewriting:
    """The law of a NAT defect.

    Attributes
    ----------
    scope : Scope
        Which packets are hit.
    value : callable
        Case -> ``int64[n]``: what is constant for a flow.
    factor : {1, 2}
        ``c`` of the law.
    claim : float
    zero : bool
        Whether it needs a tunnel that sends no checksum; otherwise one that sends them.
    ports : bool
        Whether the port enters.
    vnis : bool
        Whether a rewritten VNI leaves the same.
    """

    scope: Scope
    value: Callable[[Case], I64]
    factor: int
    claim: float
    zero: bool
    ports: bool = True
    vnis: bool = False
    slot: str = "outer_udp"
    whole: bool = False

    def read(self, case: Case) -> Reading | None:
        """Return what it explains."""
        mask = self.fits(case)
        rows = np.flatnonzero(mask)
        if not rows.size:
            return None
        some = case.only(rows)
        value = self.value(some)
        explained, unknown, details = self._cheapest(some, value)
        out = np.zeros(case.rows.size, np.bool_)
        out[rows[explained]] = True
        unknown = unknown + case.context.other_tunnel(case, zero=self.zero)
        spread = {name: _spread(values, rows, case.rows.size) for name, values in details.items()}
        return Reading(out, unknown, self.scope, details=spread)

    def fits(self, case: Case) -> Bool:
        """Return which rows may be hit."""
        mask = case.within(self.scope)
        # A header checksum of 0 was left to a device: NAT would have repaired it.
        mask &= ~((case.column("outer_ip_status") == 4) & (case.column("outer_ip_found") == 0))
        return mask

    def options(self, case: Case, value: I64) -> list[Option]:
        """Return the ways to read a value: as an address, a port, or both."""
        options = [_address_alone(case, value, self.factor, ports=self.ports)]
        if self.ports:
            steady, has = case.most_frequent(case.mapping, value)
            options.append(_ports(case, steady, has, None, 0))
            for number in range(MAX_HINTS):
                hint = case.context.hint_sums(case, number)
                if not (hint >= 0).any():
                    break
                options.append(_ports(case, steady, has, hint, self.factor))
        if self.vnis:
            options.append(_vni(case, value))
        return options

    def _cheapest(self, case: Case, value: I64) -> tuple[Bool, AnyArray, dict[str, AnyArray]]:
        """Return what the cheapest reading of each place explains, and its unknowns."""
        options = self.options(case, value)
        worth = np.array([prices.OBSERVATION * case.observed(o.mask) - o.unknown for o in options])
        best = worth.argmax(axis=0)
        chosen = best[case.place]
        mask = np.choose(chosen, [o.mask for o in options])
        unknown = np.choose(best, [o.unknown for o in options]) + prices.CHANGED * 2
        seen = np.array([case.observed(o.mask) for o in options])
        rival = np.where(seen >= seen[best, np.arange(case.places)], worth, -np.inf)
        rival[best, np.arange(case.places)] = -np.inf
        # What tells the same old ports is no rival.
        old_port = np.choose(chosen, [o.old_port for o in options])
        other = np.array([case.sum(o.mask & (o.old_port != old_port)) for o in options])
        rival[other == 0] = -np.inf
        sure = worth.max(axis=0) - rival.max(axis=0)
        mode = np.array([o.mode for o in options])[chosen]
        details = {
            "value": value,
            "mode": mode,
            "old_port": old_port,
            "hint": np.where(mode == BOTH, chosen - 2, -1),
            "sure": sure[case.place],
            "proof": np.choose(chosen, [o.proof for o in options]),
        }
        return mask, unknown, details


@dataclass(slots=True)
class Option:
    """One way to read the values: what it explains, what that costs, and the old ports."""

    mode: int
    mask: Bool
    unknown: AnyArray
    old_port: I64
    proof: Bool


def _spread(values: AnyArray, rows: I64, size: int) -> AnyArray:
    out = np.zeros(size, values.dtype)
    out[rows] = values
    return out


def _address_alone(case: Case, value: I64, factor: int, *, ports: bool) -> Option:
    """Read values that flows with different ports share: the port was kept, or does not enter."""
    sport = case.number("outer_sport")
    # A flow has one mapping.
    _, has = case.most_frequent(case.mapping, value)
    change = value * INVERSE[factor] % MODULUS
    price = case.context.address_price(case, change)
    # Every value that pays for itself; where ports enter the law, one value for the place.
    pairs, inverse = np.unique(case.place << 17 | value, return_inverse=True)
    seen = case.counted(inverse, has, pairs.size)
    cost = np.zeros(pairs.size)
    cost[inverse] = price
    # Which flows have which value.
    flows = np.unique((inverse << 32 | case.flow)[has]) >> 32
    having = np.bincount(flows, minlength=pairs.size)
    every = np.bincount(pairs >> 17, having, case.places)[pairs >> 17]
    cost = cost + having * np.log2(every / np.maximum(having, 1))
    worth = prices.OBSERVATION * seen - cost
    good = worth > 0
    if ports:
        place = pairs >> 17
        order = np.lexsort((-worth, place))
        first = np.ones(order.size, np.bool_)
        first[1:] = place[order][1:] != place[order][:-1]
        best = np.zeros(pairs.size, np.bool_)
        best[order[first]] = True
        good &= best
    good_rows = has & good[inverse] & (change != 0 if ports else True)
    spent = np.bincount(pairs[good] >> 17, cost[good], case.places)
    unknown = spent - (0.0 if ports else _outside(case, good_rows, sport))
    return Option(ADDRESS, good_rows, unknown, sport, np.zeros(sport.size, np.bool_))


def _ports(case: Case, steady: I64, has: Bool, hint: AnyArray | None, factor: int) -> Option:
    """Read values as rewritten ports; the address was kept, or is one that is known."""
    sport = case.number("outer_sport")
    shift = 0 if hint is None else factor * case.context.change_to(case, hint)
    old = (sport - steady + shift) % MODULUS
    proof = case.context.right_before(case, old, hint)
    inside = (old >= prices.TUNNEL_PORTS.start) & (old < prices.TUNNEL_PORTS.stop)
    inside |= case.context.usual_port(case, old)
    price = np.where(inside, prices.PORT_INSIDE, prices.PORT_OUTSIDE)
    price = np.where(proof > 0, prices.SEEN + np.log2(np.maximum(proof, 1)), price)
    price = np.where(old == sport, prices.CHANGED, price)
    # A flow and its old port are one mapping, written once.
    mappings, first, mapping = np.unique(
        case.flow << 17 | steady, return_index=True, return_inverse=True
    )
    seen = case.counted(mapping, has, mappings.size)
    cheapest = np.full(mappings.size, np.inf)
    np.minimum.at(cheapest, mapping, price)
    kept = prices.OBSERVATION * seen - cheapest > -prices.KEPT_AT_A_LOSS
    mask = has & kept[mapping]
    mask &= (old != sport) if hint is None else (hint[case.place] >= 0)
    used = np.zeros(mappings.size, np.bool_)
    used[mapping[mask]] = True
    unknown = np.bincount(case.place[first][used], cheapest[used], case.places)
    unknown = unknown - _outside(case, mask, sport)
    if hint is not None:
        unknown = unknown + case.context.hint_price(case)
    return Option(PORT if hint is None else BOTH, mask, unknown, old, proof > 0)


def _outside(case: Case, mask: Bool, sport: I64) -> AnyArray:
    """Return what ports are worth that no tunnel of the node takes otherwise, by place."""
    others = case.context.right_ports_inside(case)
    outside = (sport < prices.TUNNEL_PORTS.start) | (sport >= prices.TUNNEL_PORTS.stop)
    flows, first = np.unique(case.flow[mask & outside], return_index=True)
    if not flows.size:
        return np.zeros(case.places)
    where = case.place[mask & outside][first]
    worth = np.log2(prices.OUTSIDE_FACTOR * (others + prices.OUTSIDE_OTHERS))
    out: AnyArray = np.bincount(where, minlength=case.places) * np.maximum(worth, 0.0)
    return out


def _vni(case: Case, value: I64) -> Option:
    """Read one value as a VNI that was rewritten, from another one that was seen."""
    vni = case.number("vni")
    known = case.context.vnis(case)
    hit = np.zeros(case.rows.size, np.bool_)
    for old in known:
        change = (vni_sum(vni) - vni_sum(np.int64(old))) % MODULUS
        hit |= (change == value) & (vni != old)
    steady, has = case.most_frequent(case.place, value)
    del steady
    mask = hit & has
    cost = prices.SEEN + np.log2(2 * max(len(known), 1))
    return Option(
        VNI,
        mask,
        np.full(case.places, cost),
        case.number("outer_sport"),
        np.zeros(case.rows.size, np.bool_),
    )


def vni_sum(vni: I64 | np.int64) -> I64 | np.int64:
    """Return the sum of the two words that hold a VNI."""
    return (vni >> 8) + ((vni & 0xFF) << 8)
