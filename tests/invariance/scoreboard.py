"""How often vxcsum is right, and how often it names a cause that is not true.

    python tests/invariance/scoreboard.py [--shared DIR] [--sample N] [--seed N] [--only SECTION]
                                          [--json FILE] [--write FILE.md]

prints tables: captures with a known truth, synthetic scenarios, healthy captures as people edit
them, random parts, repetitions, damage. ``--sample`` takes so many captures for each table, 0 all.
The same seed gives the same tables.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from edits import EDITS, edited
from judging import (
    CAPTURES,
    CONFIDENCES,
    CONFIRMED,
    LIKELY,
    POSSIBLE,
    SHARED,
    Capture,
    Verdict,
    best,
    captures,
    distinct,
    false_names,
    frames_by_code,
    is_exact,
    some,
    verdicts,
)
from parts import DAMAGE, damaged, part, repeated

from vxcsum import synth
from vxcsum.synth.recipes import RECIPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Cell: TypeAlias = "str | int"

SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
PARTS_OF_EACH_SHARE = 2
REPETITIONS = (2, 8, 64)
MAX_OCTETS = 8_000_000  # of a repeated capture
RATES = (0.001, 0.01, 0.05, 0.2)
DAMAGES_OF_EACH_RATE = 3
#: Damage of one kind, or of all in one capture.
KINDS = (None, None, None, *DAMAGE)
#: Frames in all, None for the scenario alone; and the seed.
SIZES: dict[str, tuple[int | None, int]] = {
    "alone": (None, 0),
    "alone, other numbers": (None, 1),
    "in 500 frames": (500, 0),
    "in 5,000 frames": (5000, 0),
}


@dataclass
class Table:
    """One table of the board, and the cases that went wrong in it."""

    name: str
    title: str
    about: str
    columns: Sequence[str]
    rows: list[list[Cell]] = field(default_factory=list)
    cases: list[dict[str, Cell]] = field(default_factory=list)

    def wrong(self, capture: str, what: str, said: Iterable[Verdict | str]) -> None:
        words = [s if isinstance(s, str) else f"{s.code} {s.confidence} {s.frames}" for s in said]
        self.cases.append({"capture": capture, "what": what, "said": ", ".join(words)})

    def total(self) -> None:
        """Add a last row with the sums of the columns of numbers."""
        sums: list[Cell] = ["all"]
        for column in zip(*(row[1:] for row in self.rows), strict=True):
            numbers = [cell for cell in column if isinstance(cell, int)]
            sums.append(sum(numbers) if len(numbers) == len(column) else "")
        self.rows.append(sums)


@dataclass(frozen=True)
class Setting:
    """What to measure."""

    shared: Path = SHARED
    sample: int = 0
    seed: int = 1

    def choose(self, every: Sequence[Capture]) -> list[Capture]:
        return some(every, self.sample, self.seed)

    def everything(self) -> list[Capture]:
        """All captures of real traffic, each once."""
        folders = (CAPTURES, self.shared / "kernel", self.shared / "netns")
        return distinct(capture for folder in folders for capture in captures(folder))

    def healthy(self) -> list[Capture]:
        return self.choose([capture for capture in self.everything() if capture.is_healthy])

    def translated(self) -> list[Capture]:
        return self.choose([capture for capture in self.everything() if capture.is_nat])


def _by_confidence(found: Iterable[Verdict]) -> list[int]:
    """How many there are of each confidence."""
    counts = Counter(verdict.confidence for verdict in found)
    return [counts[confidence] for confidence in CONFIDENCES]


def _codes(counts: Counter[str]) -> str:
    return ", ".join(f"{code} {number}" for code, number in sorted(counts.items()))


class _Recall:
    """Counts for captures with a truth: what was named how surely, and what is not true."""

    COLUMNS = (
        *("captures", "exact", "causes", "named", "likely", "confirmed"),
        *(f"false, {confidence}" for confidence in CONFIDENCES),
    )

    def __init__(self) -> None:
        self.captures = self.exact = self.causes = 0
        self.named: Counter[str] = Counter()
        self.false = [0, 0, 0]

    def add(
        self,
        found: Sequence[Verdict],
        expected: dict[str, int | None],
        tolerated: Iterable[str] = (),
    ) -> tuple[bool, bool]:
        """Add a capture; returns whether it is exact, and whether nothing false is sure."""
        exact = is_exact(found, expected, tolerated)
        self.captures += 1
        self.exact += exact
        for code in expected:
            self.causes += 1
            confidence = best(found, code)
            if confidence:
                self.named[confidence] += 1
        false = [
            verdict
            for verdict in found
            if (verdict.is_cause or verdict.is_damage)
            and verdict.code not in {*expected, *tolerated}
        ]
        self.false = [a + b for a, b in zip(self.false, _by_confidence(false), strict=True)]
        return exact, not any(verdict.is_sure for verdict in false)

    def row(self, name: str) -> list[Cell]:
        sure = self.named[CONFIRMED]
        likely = sure + self.named[LIKELY]
        named = likely + self.named[POSSIBLE]
        numbers = (self.captures, self.exact, self.causes, named, likely, sure)
        return [name, *numbers, *self.false]


def golden(setting: Setting) -> Table:
    table = Table(
        "golden",
        "Captures with a known truth",
        "Exact: all that is true is named, in the right frames, and nothing else. Likely counts "
        "what is at least likely. False: rules VX1 to VX3, VX5 and VX6 that are not true.",
        ("folder", *_Recall.COLUMNS),
    )
    folders = {
        "captures": CAPTURES,
        "captures/synthetic": CAPTURES / "synthetic",
        "shared kernel": setting.shared / "kernel",
        "shared netns": setting.shared / "netns",
    }
    for name, folder in folders.items():
        recall = _Recall()
        for capture in setting.choose(captures(folder)):
            found = verdicts(capture.data, **capture.options)
            exact, _ = recall.add(found, capture.expected, capture.tolerated)
            if not exact:
                table.wrong(capture.name, f"expected {capture.expected}", _said(found))
        if recall.captures:
            table.rows.append(recall.row(name))
    table.total()
    return table


def _said(found: Sequence[Verdict]) -> list[str]:
    return [
        f"{code} {best(found, code)} {frames}"
        for code, (frames, _) in frames_by_code(found).items()
    ]


def scenarios(setting: Setting) -> Table:
    table = Table(
        "scenarios",
        "Synthetic scenarios",
        "All recipes of vxcsum.synth: of rules, and look-alikes. Columns as above.",
        ("recipes", *_Recall.COLUMNS),
    )
    for kind in ("vx", "like"):
        names = some([name for name in RECIPES if name.startswith(kind)], setting.sample, 1)
        for size, (frames, more) in SIZES.items():
            recall = _Recall()
            for name in names:
                made = _made(name, frames, 2 * (setting.seed - 1) + more)
                if made is None:
                    continue
                capture, truth = made
                expected = {
                    code: None if numbers is None else len(numbers)
                    for code, numbers in truth.findings.items()
                }
                found = verdicts(capture, **truth.options)
                exact, _ = recall.add(found, expected)
                if not exact:
                    table.wrong(f"{name} {size}", f"expected {expected}", _said(found))
            label = "of rules" if kind == "vx" else "look-alikes"
            table.rows.append(recall.row(f"{label}, {size}"))
    table.total()
    return table


def _made(name: str, frames: int | None, seed: int) -> tuple[bytes, synth.Truth] | None:
    """A scenario, or None where it cannot be made in this size."""
    recipe = RECIPES[name]
    alone = sum(1 for _ in recipe.packets(seed))
    if frames is not None and (2 * alone > frames or "summed" in recipe.unfit):
        return None
    return synth.make_capture(name, frames=frames, seed=seed)


def edited_healthy(setting: Setting) -> Table:
    table = Table(
        "edits",
        "Healthy captures as people edit them",
        "Nothing is wrong in the network, so nothing in it may be blamed at likely or above. "
        "False: captures by the surest false name of VX1, VX2 (errors), VX3 and VX5.",
        ("edit", "captures", *(f"false, {c}" for c in CONFIDENCES), "VX6, sure", "false names"),
    )
    healthy = setting.healthy()
    for name in EDITS:
        counts, codes, damage = Counter[str](), Counter[str](), 0
        for capture in healthy:
            found = verdicts(edited(capture.data, name, setting.seed))
            false = false_names(found, capture.tolerated)
            if false:
                counts[max((v.confidence for v in false), key=CONFIDENCES.index)] += 1
            sure = [verdict for verdict in false if verdict.is_sure]
            codes.update({verdict.code for verdict in sure})
            if sure:
                table.wrong(capture.name, name, sure)
            damage += any(v.is_damage and v.is_sure for v in found)
        numbers = [counts[confidence] for confidence in CONFIDENCES]
        table.rows.append([name, len(healthy), *numbers, damage, _codes(codes)])
    table.total()
    return table


def random_parts(setting: Setting) -> Table:
    table = Table(
        "parts",
        "Random parts of captures with NAT",
        "A part may say the same or less than the whole, and never another cause at likely or "
        "above. Nothing: no cause is named, or no wrong frame is left.",
        ("share", "parts", "same", "weaker", "nothing", "another, sure", "false names"),
    )
    translated = [(capture, capture.data) for capture in setting.translated()]
    whole = {capture.name: verdicts(data) for capture, data in translated}
    for share in SHARES:
        counts, codes = Counter[str](), Counter[str]()
        for capture, data in translated:
            for n in range(PARTS_OF_EACH_SHARE):
                found = verdicts(part(data, share, PARTS_OF_EACH_SHARE * setting.seed + n))
                counts[_compared(capture, whole[capture.name], found)] += 1
                another = other_causes(capture, found)
                if another:
                    counts["another"] += 1
                    codes.update({verdict.code for verdict in another})
                    table.wrong(capture.name, f"part {share} {n}", another)
        said = [counts[word] for word in ("same", "weaker", "nothing", "another")]
        number = len(translated) * PARTS_OF_EACH_SHARE
        table.rows.append([f"{share:.0%}", number, *said, _codes(codes)])
    table.total()
    return table


def _compared(capture: Capture, whole: Sequence[Verdict], found: Sequence[Verdict]) -> str:
    named = [(best(found, code), best(whole, code)) for code in capture.expected]
    if all(now is None for now, _ in named):
        return "nothing"
    return "same" if all(now == before for now, before in named) else "weaker"


def other_causes(capture: Capture, found: Iterable[Verdict]) -> list[Verdict]:
    """Sure causes, or sure damage, that are not the truth of a capture."""
    return [
        verdict
        for verdict in found
        if (verdict.is_cause or verdict.is_damage)
        and verdict.is_sure
        and not capture.may_name(verdict.code)
    ]


def repetitions(setting: Setting) -> Table:
    table = Table(
        "repetitions",
        "The same packets again, later",
        "The findings have to be the same, with as many more frames. Changed: another rule, "
        "confidence or number of frames. Large captures are left out.",
        ("captures", "times", "repeated", "changed", "another, sure"),
    )
    kinds = {"of NAT": setting.translated(), "healthy": setting.healthy()}
    for kind, chosen in kinds.items():
        for times in REPETITIONS:
            changed = another = number = 0
            for capture in chosen:
                data = capture.data
                if len(data) * times > MAX_OCTETS:
                    continue
                number += 1
                before, after = verdicts(data), verdicts(repeated(data, times))
                wrong = other_causes(capture, after)
                another += bool(wrong)
                if causes(before, times) != causes(after):
                    changed += 1
                    table.wrong(capture.name, f"{times} times", _said(after))
            table.rows.append([kind, str(times), number, changed, another])
    return table


def causes(found: Iterable[Verdict], times: int = 1) -> dict[tuple[str, str], int]:
    """Frames of each serious rule and confidence, multiplied; without what waited or was lost."""
    out: Counter[tuple[str, str]] = Counter()
    for verdict in found:
        if verdict.is_cause or verdict.is_damage:
            out[verdict.code, verdict.confidence] += verdict.frames * times
    return dict(out)


def damage(setting: Setting) -> Table:
    table = Table(
        "damage",
        "Damaged captures",
        "Healthy captures of real traffic, and synthetic ones, with a share of the frames damaged "
        "by chance, of one kind or of all. Damage has no cause, so none may be named.",
        ("frames damaged", "captures", *(f"false, {c}" for c in CONFIDENCES), "VX6", "false names"),
    )
    whole: list[tuple[str, bytes, frozenset[str]]] = [
        (capture.name, capture.data, capture.tolerated) for capture in setting.healthy()
    ]
    for shape in synth.SHAPES:
        data, _ = synth.make_capture("healthy", frames=400, shape=shape, seed=setting.seed)
        whole.append((f"healthy {shape}", data, frozenset()))
    before = {name: {v.code for v in verdicts(data)} for name, data, _ in whole}
    rng = random.Random(f"kinds {setting.seed}")
    for rate in RATES:
        counts, codes, named = Counter[str](), Counter[str](), 0
        for name, data, tolerated in whole:
            for n in range(DAMAGES_OF_EACH_RATE):
                kind = rng.choice(KINDS)
                found = verdicts(damaged(data, rate, DAMAGES_OF_EACH_RATE * setting.seed + n, kind))
                false = false_names(found, {*tolerated, *before[name]})
                if false:
                    counts[max((v.confidence for v in false), key=CONFIDENCES.index)] += 1
                sure = [verdict for verdict in false if verdict.is_sure]
                codes.update({verdict.code for verdict in sure})
                if sure:
                    table.wrong(name, f"damage {rate} {kind or 'all'}", sure)
                named += any(verdict.is_damage for verdict in found)
        numbers = [counts[confidence] for confidence in CONFIDENCES]
        number = len(whole) * DAMAGES_OF_EACH_RATE
        table.rows.append([f"{rate:.1%}", number, *numbers, named, _codes(codes)])
    table.total()
    return table


SECTIONS: dict[str, Callable[[Setting], Table]] = {
    "golden": golden,
    "scenarios": scenarios,
    "edits": edited_healthy,
    "parts": random_parts,
    "repetitions": repetitions,
    "damage": damage,
}


# Telling.


def plain(table: Table) -> str:
    """A table in columns."""
    lines = [list(map(str, table.columns)), *([_shown(cell) for cell in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    out = [table.title, ""]
    for line in lines:
        cells = [
            cell.rjust(width) if _is_number(cell) else cell.ljust(width)
            for cell, width in zip(line, widths, strict=True)
        ]
        out.append("  ".join(cells).rstrip())
    return "\n".join(out)


def markdown(tables: Sequence[Table], setting: Setting) -> str:
    """A page with all tables."""
    sample = f", {setting.sample} captures for each table" if setting.sample else ""
    out = [
        "# Scoreboard",
        f"Written by `python tests/invariance/scoreboard.py` (seed {setting.seed}{sample}).",
    ]
    for table in tables:
        numeric = [all(isinstance(row[n], int) for row in table.rows) for n in range(_width(table))]
        rule = ["---:" if number else "---" for number in numeric]
        lines = [table.columns, rule, *([_shown(cell) for cell in row] for row in table.rows)]
        text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        out += [f"## {table.title}", table.about, text]
    return "\n\n".join(out) + "\n"


def _width(table: Table) -> int:
    return len(table.columns)


def _shown(cell: Cell) -> str:
    return f"{cell:,}" if isinstance(cell, int) else cell


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").isdigit()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--shared", type=Path, default=SHARED, metavar="DIR")
    parser.add_argument("--sample", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--only", action="append", choices=SECTIONS)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--write", type=Path, metavar="FILE.md")
    given = parser.parse_args(arguments)
    setting = Setting(given.shared, given.sample, given.seed)
    tables = []
    for name in given.only or SECTIONS:
        tables.append(SECTIONS[name](setting))
        sys.stdout.write(f"{plain(tables[-1])}\n\n")
        sys.stdout.flush()
    if given.json:
        told = {"seed": setting.seed, "sample": setting.sample, "tables": list(map(asdict, tables))}
        given.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    if given.write:
        given.write.write_text(markdown(tables, setting), encoding="utf-8")


if __name__ == "__main__":
    main()
