"""Captures with a known truth, and whether a verdict agrees with it."""

from __future__ import annotations

import json
import random
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from vxcsum import analyze

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PROJECT = Path(__file__).resolve().parents[2]
CAPTURES = PROJECT / "captures"
SHARED = PROJECT.parent / "shared" / "captures"

POSSIBLE, LIKELY, CONFIRMED = "possible", "likely", "confirmed"
CONFIDENCES = (POSSIBLE, LIKELY, CONFIRMED)
SURE = (LIKELY, CONFIRMED)
_SERIOUS = ("WARNING", "ERROR")
_STORIES = "VX7"  # what became of connections is no cause

T = TypeVar("T")


@dataclass(frozen=True)
class Verdict:
    """A finding, as far as invariances are about it."""

    code: str
    severity: str
    confidence: str
    frames: int
    numbers: tuple[int, ...] = ()

    @property
    def is_serious(self) -> bool:
        return self.severity in _SERIOUS

    @property
    def is_sure(self) -> bool:
        return self.confidence in SURE

    @property
    def is_cause(self) -> bool:
        """Whether it blames something in the network or in a host."""
        if self.code.startswith("VX2"):
            return self.severity == "ERROR"
        return self.is_serious and self.code[:3] in ("VX1", "VX3", "VX5")

    @property
    def is_damage(self) -> bool:
        """Whether it says that octets were changed, by whatever."""
        return self.is_serious and self.code.startswith("VX6")


def verdicts(data: Any, **options: Any) -> list[Verdict]:
    """What vxcsum finds in a capture, or in a list of captures."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = analyze(data, **options)
    return [
        Verdict(
            f.code, f.severity.name, f.confidence.value, f.frames, tuple(map(int, f.frame_numbers))
        )
        for f in report.findings
    ]


@dataclass(frozen=True)
class Capture:
    """A capture and its truth."""

    name: str
    path: Path
    expected: dict[str, int | None]
    tolerated: frozenset[str] = frozenset()
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        return self.path.read_bytes()

    @property
    def is_healthy(self) -> bool:
        return not any(code[:3] in ("VX1", "VX2", "VX3", "VX5", "VX6") for code in self.expected)

    @property
    def is_nat(self) -> bool:
        return bool(self.expected) and all(code.startswith("VX1") for code in self.expected)

    def may_name(self, code: str) -> bool:
        return code in self.expected or code in self.tolerated


def captures(folder: Path) -> list[Capture]:
    """The captures of a folder's manifest; none where there is no manifest."""
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        return []
    entries = json.loads(manifest.read_text(encoding="utf-8"))["captures"]
    return [
        Capture(
            f"{folder.name}/{entry['file']}",
            folder / entry["file"],
            {code: _number(frames) for code, frames in entry["findings"].items()},
            frozenset(entry.get("tolerated", ())),
            entry.get("options", {}),
        )
        for entry in entries
        if "findings" in entry
    ]


def _number(frames: list[int] | int | None) -> int | None:
    return len(frames) if isinstance(frames, list) else frames


def distinct(every: Iterable[Capture]) -> list[Capture]:
    """Captures without those that are the same file under another name."""
    return list({capture.data: capture for capture in reversed(list(every))}.values())[::-1]


def some(every: Sequence[T], number: int, seed: int) -> list[T]:
    """So many of them by chance, in their order; all where the number is 0."""
    if not number or number >= len(every):
        return list(every)
    chosen = random.Random(f"some {seed}").sample(range(len(every)), number)
    return [every[n] for n in sorted(chosen)]


def frames_by_code(found: Iterable[Verdict]) -> dict[str, tuple[int, int]]:
    """Code of each serious finding: frames added up, and different frames."""
    total: Counter[str] = Counter()
    numbers: dict[str, set[int]] = {}
    for verdict in found:
        if verdict.is_serious:
            total[verdict.code] += verdict.frames
            numbers.setdefault(verdict.code, set()).update(verdict.numbers)
    return {code: (total[code], len(numbers[code])) for code in total}


def is_exact(
    found: Sequence[Verdict], expected: dict[str, int | None], tolerated: Iterable[str] = ()
) -> bool:
    """Whether everything that is true is found in the right frames, and nothing else."""
    got = frames_by_code(found)
    right = all(
        code in got and (frames is None or frames in got[code]) for code, frames in expected.items()
    )
    allowed = {*expected, *tolerated}
    return right and all(code in allowed or code.startswith(_STORIES) for code in got)


def false_names(found: Iterable[Verdict], allowed: Iterable[str] = ()) -> list[Verdict]:
    """Causes that are named and not true."""
    true = set(allowed)
    return [verdict for verdict in found if verdict.is_cause and verdict.code not in true]


def best(found: Iterable[Verdict], code: str) -> str | None:
    """The highest confidence with which a rule is named."""
    said = [verdict.confidence for verdict in found if verdict.code == code and verdict.is_serious]
    return max(said, key=CONFIDENCES.index, default=None)


def summary(found: Iterable[Verdict]) -> Counter[tuple[str, str, str]]:
    """Rule, severity and confidence of each finding: what may not depend on the form."""
    return Counter((verdict.code, verdict.severity, verdict.confidence) for verdict in found)
