"""One checksum with all that formulas look at, and a formula that fits it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.rules.case import INNER, OUTER, Case
from vxcsum.rules.engine import CATALOGUE
from vxcsum.rules.model import hex16

if TYPE_CHECKING:
    from vxcsum.checksum.table import PacketTable
    from vxcsum.explain.workings import Working
    from vxcsum.rules.context import Context

#: Candidates listed of one formula.
MAX_LISTED = 8
ANOTHER = "a second wrong packet of the flow whose right checksum differs"


def hex_or_unknown(value: int | None) -> str:
    """Return a checksum as people write it."""
    return "?" if value is None else hex16(value)


@dataclass(slots=True)
class Fit:
    """A formula that fits a checksum.

    Attributes
    ----------
    rule : str or None
        Code; None for arithmetic that no rule stands for.
    formula : str
    numbers : str
        The formula with the numbers of this frame.
    recovered : dict
        What follows from it.
    chance : float or None
        Share of random fields that fit as well; None where the status says it all.
    decides : str
        What would decide for it, or against it.
    named : bool
        Whether a finding of the whole capture says so.
    """

    rule: str | None
    formula: str
    numbers: str = ""
    recovered: dict[str, Any] = field(default_factory=dict)
    chance: float | None = None
    decides: str = ""
    named: bool = False

    @property
    def title(self) -> str:
        """The rule's title; what the formula says where there is no rule."""
        if self.rule is None:
            return "arithmetic that no rule stands for"
        return CATALOGUE[self.rule].RULE.title

    def to_dict(self) -> dict[str, Any]:
        """Return the formula as the JSON document has it."""
        return {
            "rule": self.rule,
            "title": self.title,
            "formula": self.formula,
            "numbers": self.numbers,
            "recovered": self.recovered,
            "chance": self.chance,
            "decides": self.decides,
            "named": self.named,
        }


@dataclass(frozen=True, slots=True)
class Question:
    """One checksum, with all that its formulas look at.

    Attributes
    ----------
    context : Context
        Of the whole capture.
    suspect : int or None
        Row of the frame among its suspects; None where nothing in it is wrong.
    row : PacketTable
    working : Working
    inner : Working or None
        The transport checksum inside, for the outer one.
    """

    context: Context
    suspect: int | None
    row: PacketTable
    working: Working
    inner: Working | None = None

    def value(self, name: str) -> int:
        """Return a column of the frame."""
        return int(self.row[name][0])

    def address(self, name: str) -> tuple[int, int]:
        """Return an address of the frame as 64-bit halves."""
        high, low = self.row[name][0].tolist()
        return high, low

    @property
    def case(self) -> Case | None:
        """The checksum alone, as laws see it; None where it is no suspect's."""
        slot = OUTER if self.working.layer == "outer_udp" else INNER
        if self.suspect is None or self.working.layer.endswith("ipv4"):
            return None
        path = int(self.context.suspects["path"][self.suspect])
        paths = np.full(len(self.context.evidence.paths.keys), -1, np.int64)
        paths[path] = 0
        rows = np.array([self.suspect])
        return Case(self.context, slot, rows, np.zeros(1, np.int64), paths, np.array([path]))
