"""Laws: what they say of wrong checksums, and how many bits that is worth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from vxcsum.rules import prices
from vxcsum.rules.scope import EVERY

if TYPE_CHECKING:
    from vxcsum.packet.columns import AnyArray, Bool
    from vxcsum.rules.case import Case
    from vxcsum.rules.scope import Scope

#: What is gained where nothing is explained.
NEVER = -1e9


@dataclass(slots=True)
class Reading:
    """What a law says of some wrong checksums.

    Attributes
    ----------
    mask : bool[n]
        Those that it explains.
    unknown : float[places]
        Bits of what it leaves open.
    scope : Scope
        What it hits.
    predicts : float
        Bits that it saves for each observation.
    spared : float[places], optional
        Right observations that it would hit, where the scope cannot tell.
    details : dict of str to array
        What it recovers, for each row of the case.
    """

    mask: Bool
    unknown: AnyArray
    scope: Scope = EVERY
    predicts: float = prices.OBSERVATION
    spared: AnyArray | None = None
    details: dict[str, AnyArray] = field(default_factory=dict)


class Law(Protocol):
    """How a cause changes checksums."""

    @property
    def slot(self) -> str:
        """Which wrong checksums it looks at: "outer_udp" or "inner_l4"."""
        ...

    @property
    def whole(self) -> bool:
        """Whether it is about the capture as a whole, and not about single paths."""
        ...

    @property
    def claim(self) -> float:
        """What it costs."""
        ...

    def read(self, case: Case) -> Reading | None:
        """Return what it explains of a case, at all places at once."""
        ...


@dataclass(frozen=True, slots=True)
class Competitor:
    """A law of a rule."""

    code: str
    law: Law


def gains(competitor: Competitor, case: Case, repeated: Bool | None = None) -> Score | None:
    """Score a law at all places of a case; None where it explains nothing."""
    if not case.rows.size:
        return None
    reading = competitor.law.read(case)
    if reading is None or not reading.mask.any():
        return None
    observed = case.observed(reading.mask)
    gain = reading.predicts * observed - reading.unknown - competitor.law.claim
    gain += case.saved(
        reading.mask, reading.scope, whole=competitor.law.whole, spared=reading.spared
    )
    if repeated is not None:
        gain += np.where(repeated, competitor.law.claim - prices.FURTHER, 0.0)
    left = case.sum(np.ones(case.rows.size), ~reading.mask)
    if competitor.law.whole:
        one_way = case.context.one_way(case, reading.mask, reading.scope)
        gain -= np.where(observed == 1, prices.ONE_WAY, one_way)
    else:
        gain -= case.context.answered_bits(case, reading.mask)
    # Of one packet, a law that predicts no value says nothing.
    whole = np.where(
        (left == 0) & ((observed > 1) | (reading.predicts > 0)), prices.NOTHING_LEFT, 0.0
    )
    gain[observed == 0] = NEVER
    return Score(competitor, reading, gain, whole)


@dataclass(slots=True)
class Score:
    """A law with its gain at each place, and what it gets there if nothing is left over."""

    competitor: Competitor
    reading: Reading
    plain: AnyArray
    whole: AnyArray

    @property
    def gain(self) -> AnyArray:
        """In bits."""
        out: AnyArray = self.plain + self.whole
        return out
