"""One making of a scenario after another, as they stand in a capture of a given size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from vxcsum.synth.build import Record, records_of
from vxcsum.synth.recipes import Recipe, marked_frames
from vxcsum.synth.truth import marked_of

if TYPE_CHECKING:
    from typing import Self

    from vxcsum.synth.containers import Container

#: Source, destination, and ports of the outer header.
_Flow: TypeAlias = tuple[bytes, bytes, int, int]
#: Makings that are drawn for one whose flows are free.
_TRIES = 16
#: Flows that are remembered: a third of the ports that there are for two nodes.
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Making:
    """One making of a recipe."""

    records: list[Record]
    findings: dict[str, list[int]]
    info: dict[str, list[int]]

    @classmethod
    def of(cls, recipe: Recipe, seed: int) -> Self:
        """Make a recipe once."""
        records = list(records_of(recipe.packets(seed), recipe.linktype))
        return cls(records, *marked_frames([record.owner for record in records]))

    @property
    def frames(self) -> int:
        """All frames."""
        return len(self.records)

    @property
    def marked(self) -> int:
        """Frames that a rule is about."""
        return len(marked_of(self.findings, self.info))

    @property
    def flows(self) -> tuple[set[_Flow], set[_Flow]]:
        """Outer flows of packets that are right, and of marked ones."""
        found: tuple[set[_Flow], set[_Flow]] = (set(), set())
        for p in (record.owner for record in self.records):
            if not p.plain:
                found[bool(p.marks)].add((p.node_src, p.node_dst, p.dport, p.sport))
        return found

    def octets(self, container: Container) -> int:
        """Octets of its records in a container."""
        return sum(container.size(len(record.octets)) for record in self.records)


class Makings:
    """Makings of one recipe, whose outer flows are not those of earlier ones.

    A translator gives no two flows the same port as long as it remembers them; what is drawn at
    random may be the same.
    """

    def __init__(self, recipe: Recipe, seed: int) -> None:
        self._recipe = recipe
        self._seed = seed
        self._drawn = 0
        self._right: set[_Flow] = set()
        self._wrong: set[_Flow] = set()

    def __next__(self) -> Making:
        if len(self._right) + len(self._wrong) > _REMEMBERED:
            self._right.clear()
            self._wrong.clear()
        for _ in range(_TRIES):
            # Seeds of one capture are far from those of the next.
            seed = (self._seed << 32) + self._drawn if self._drawn else self._seed
            making = Making.of(self._recipe, seed)
            self._drawn += 1
            right, wrong = making.flows
            if wrong.isdisjoint(self._right) and self._wrong.isdisjoint(right | wrong):
                break
        self._right |= right
        self._wrong |= wrong
        return making
