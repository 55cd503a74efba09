"""Which frames of a capture a selection takes, and what the analysis says of them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.analysis import analyze
from vxcsum.checksum.status import LAYERS, Status
from vxcsum.editing.lockstep import Lockstep
from vxcsum.evidence.suspects import effective_residual
from vxcsum.packet.columns import SLOTS
from vxcsum.pipeline import Reading
from vxcsum.rules.engine import selected
from vxcsum.rules.model import hex16

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from vxcsum.capture import FrameBlock
    from vxcsum.checksum.table import PacketTable
    from vxcsum.editing.selection import Selection
    from vxcsum.packet.columns import I64, AnyArray, Bool
    from vxcsum.rules.model import Finding

#: Frames that one finding may name; beyond, statuses and layers have to do.
LISTED_FRAMES = 1_000_000
_NAMES = list(LAYERS)
_NOTHING = 255
#: A chosen frame, and for each slot its wrong checksum, if there is one.
_ROW_DTYPE = np.dtype(
    [("frame", "i8"), ("layer", "u1", 4), ("found", "u2", 4), ("expected", "u2", 4)]
)


class Choice:
    """A selection applied to a capture.

    Parameters
    ----------
    capture : Source
        Can be opened again and again.
    selection : Selection
    comments : bool
        Whether to say what the analysis found about each frame.
    ports, engine, jobs, pre_nat, vantage
        As for `vxcsum.analyze`.
    on_start : callable, optional
        Is given each `Reading` before it begins, to see how far it has come.

    Attributes
    ----------
    reading : Reading

    Warns
    -----
    UserWarning
        A finding has more frames than are known by number, or there are more wrong checksums than
        are examined for their cause.
    """

    def __init__(
        self,
        capture: Any,
        selection: Selection,
        *,
        comments: bool = False,
        ports: Collection[int] | None = None,
        engine: str = "auto",
        jobs: int | None = None,
        pre_nat: Iterable[str] = (),
        vantage: str = "auto",
        on_start: Callable[[Reading], None] | None = None,
    ) -> None:
        selected(selection.rules or None, None)  # a wrong rule is told before the work
        self._selection = selection
        self._comments = comments
        self._findings: list[tuple[Finding, I64]] = []
        self.reading = Reading(capture, ports=ports, engine=engine, jobs=jobs)
        if selection.rules or comments:
            report = analyze(
                capture,
                ports=ports,
                engine=engine,
                jobs=jobs,
                pre_nat=pre_nat,
                vantage=vantage,
                listed_frames=LISTED_FRAMES,
                on_start=on_start,
            )
            self._findings = [
                (finding, np.unique(np.array(finding.frame_numbers, np.int64)))
                for finding in report.findings
            ]
            dropped = report.evidence.suspects.dropped
            if selection.rules and dropped:
                warnings.warn(
                    f"{dropped:,} more frames with a wrong checksum were not examined for their "
                    "cause: they may belong to the rule, too; --status invalid chooses all",
                    stacklevel=3,
                )
        if selection.rules:
            self._name_frames(selected(selection.rules, None))
        if on_start is not None:
            on_start(self.reading)

    def _name_frames(self, codes: set[str]) -> None:
        named = [np.zeros(0, np.int64)]
        for finding, numbers in self._findings:
            if finding.code not in codes:
                continue
            named.append(numbers)
            if len(numbers) < finding.frames:
                warnings.warn(
                    f"{finding.code} counts {finding.frames:,} frames, {len(numbers):,} of them "
                    "are known by number; --status and --layer choose without such a bound",
                    stacklevel=4,
                )
        self._selection.named = np.unique(np.concatenate(named))

    def tables(self) -> Iterator[PacketTable]:
        """Yield the chosen frames as tables."""
        for table in self.reading.tables():
            times = table["timestamp"].astype(np.int64)
            chosen = self._selection.of_records(table["frame_number"], times)
            yield table[chosen & self._selection.of_table(table)]

    def steps(self, name: str) -> Steps:
        """Return the choice for one who walks along the blocks of the capture."""
        if self._selection.looks_inside or self._comments:
            return Steps(self._selection, Lockstep(self._rows(), name), self._findings)
        return Steps(self._selection, None, [])

    def _rows(self) -> Iterator[tuple[int, AnyArray]]:
        for table in self.reading.tables():
            last = int(table["frame_number"][-1])
            some = table[self._selection.of_table(table)]
            rows = np.zeros(len(some), _ROW_DTYPE)
            rows["frame"] = some["frame_number"]
            if self._comments:
                _describe(some, rows)
            yield last, rows


def _describe(table: PacketTable, rows: AnyArray) -> None:
    rows["layer"] = _NOTHING
    for number, layer in enumerate(LAYERS.values()):
        slot = SLOTS.index(layer.slot)
        wrong = table.layer_mask(layer.name) & (table[f"{layer.slot}_status"] == Status.INVALID)
        rows["layer"][wrong, slot] = number
        rows["found"][wrong, slot] = table[f"{layer.name}_found"][wrong]
        rows["expected"][wrong, slot] = table[f"{layer.name}_expected"][wrong]
    # Over an unfinished inner checksum, the outer one has to be right for what will be sent.
    outer = rows["layer"][:, SLOTS.index("outer_udp")] != _NOTHING
    if outer.any():
        columns = {
            name: table[name]
            for name in (
                "inner_l4_status",
                "outer_udp_lco",
                "inner_l4_pseudo",
                "outer_udp_residual",
            )
        }
        right = table["outer_udp_found"].astype(np.int64) - effective_residual(columns)
        right = (right - 1) % 0xFFFF + 1  # UDP sends 0xffff for 0
        rows["expected"][outer, SLOTS.index("outer_udp")] = right[outer]


class Steps:
    """A choice along the blocks of a capture, in order."""

    def __init__(
        self, selection: Selection, steps: Lockstep | None, findings: list[tuple[Finding, I64]]
    ) -> None:
        self._selection = selection
        self._steps = steps
        self._findings = findings

    def next(self, block: FrameBlock) -> tuple[Bool, dict[int, str]]:
        """Return which frames of a block are chosen, ``bool[n]``, and comments by row."""
        numbers = np.arange(block.first_frame, block.first_frame + len(block))
        chosen = self._selection.of_records(numbers, block.timestamp)
        if self._steps is None:
            return chosen, {}
        parts = self._steps.until(int(numbers[-1]))
        rows = np.concatenate([np.zeros(0, _ROW_DTYPE), *parts])
        inside = np.zeros(len(block), np.bool_)
        inside[rows["frame"] - block.first_frame] = True
        chosen &= inside
        if not self._findings or not chosen.any():
            return chosen, {}
        said: dict[int, list[str]] = {}
        for finding, named in self._findings:
            for row in np.flatnonzero(chosen & np.isin(numbers, named)).tolist():
                said.setdefault(row, []).append(_sentence(finding))
        places = {int(frame) - block.first_frame: n for n, frame in enumerate(rows["frame"])}
        comments = {row: _comment(parts, rows[places[row]]) for row, parts in said.items()}
        return chosen, comments


def _sentence(finding: Finding) -> str:
    rule = finding.rule
    sure = f"{finding.severity.name.lower()}, {finding.confidence.value}"
    return f"{rule.code} {rule.name} ({sure}): {rule.title}"


def _comment(sentences: list[str], row: AnyArray) -> str:
    wrong = [
        f"{_NAMES[layer]} found {hex16(found)}, right would be {hex16(expected)}"
        for layer, found, expected in zip(row["layer"], row["found"], row["expected"], strict=True)
        if layer != _NOTHING
    ]
    return "; ".join([*sentences, *wrong])
