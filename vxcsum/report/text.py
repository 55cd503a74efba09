"""The report as text, for a tired operator: verdict, evidence, what to run."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from vxcsum.report.facts import (
    Mood,
    counts_told,
    evidence_rows,
    frames_of,
    frames_told,
    note,
    place_told,
    verdict,
)
from vxcsum.rules.model import Severity
from vxcsum.tabular.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.report.report import Report
    from vxcsum.rules.model import Finding

__all__ = ["WIDTH", "printable", "render"]

WIDTH = 92
_MOODS = {Mood.GOOD: "1;32", Mood.WARNING: "1;33", Mood.BAD: "1;31"}
_COLORS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.INFO: "36"}


class _Paint:
    """Colours, where they are wanted."""

    def __init__(self, *, color: bool) -> None:
        self.color = color

    def __call__(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text


def render(report: Report, *, color: bool = False, top: int = 0) -> str:
    """Return a report as text.

    Parameters
    ----------
    report : Report
    color : bool
        Whether to write ANSI colours.
    top : int
        How many connections to list.
    """
    paint = _Paint(color=color)
    mood, sentence = verdict(report)
    lines = [paint(sentence, _MOODS[mood]) if mood in _MOODS else sentence]
    serious = [f for f in report.findings if f.severity > Severity.INFO]
    notes = [f for f in report.findings if f.severity == Severity.INFO]
    listed = _connections(report, top, paint) if top else []
    if not serious:
        lines.append(counts_told(report))
        lines.append("Notes: " + "; ".join(map(note, notes)) + "." if notes else place_told(report))
        return "\n".join(lines + listed + _limits(report)) + "\n"
    told: set[str] = set()
    for finding in serious:
        lines += ["", *_finding(finding, paint, told, several=len(report.captures) > 1)]
        told.add(finding.code)
    if notes:
        lines += ["", paint("Also seen", "1")]
        lines += [f"  {note(finding)}" for finding in notes]
    lines += ["", paint("Checksums", "1"), *_table(report), frames_told(report)]
    return "\n".join(lines + listed + _limits(report)) + "\n"


def _connections(report: Report, top: int, paint: _Paint) -> list[str]:
    from vxcsum.report.connections import connection_lines  # only where they are asked for

    shown = min(top, len(report.flows))
    title = f"Connections, {shown:,} of {len(report.flows):,}"
    return ["", paint(title, "1"), *(f"  {line}" for line in connection_lines(report.flows, top))]


def _limits(report: Report) -> list[str]:
    return [f"Note: {limit}." for limit in report.evidence.limits]


def _wrap(text: str, indent: int) -> list[str]:
    return textwrap.wrap(
        printable(text),
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _finding(finding: Finding, paint: _Paint, told: set[str], *, several: bool) -> Iterator[str]:
    color = _COLORS[finding.severity]
    head = f"{finding.code} {finding.rule.name}"
    yield (
        paint(head, f"1;{color}")
        + f"  {finding.severity.name.lower()}, {finding.confidence.value}, "
        + frames_of(finding.frames)
        + (f", in {printable(finding.capture)}" if several else "")
    )
    yield f"  {finding.rule.title}"
    yield ""
    yield from _wrap(finding.explanation, 2)
    rows = list(evidence_rows(finding))
    if rows:
        yield ""
        yield f"  {paint('Evidence', '1')}"
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            first, *rest = _wrap(value, width + 6) or [""]
            yield f"    {name:<{width}}  {first.strip()}"
            yield from rest
    if finding.evidence.get("cause") in told:
        yield ""
        yield f"  {paint('What to do', '1')}"
        yield f"    as for {finding.evidence['cause']}"
    elif finding.remedies:
        yield ""
        yield f"  {paint('What to do', '1')}"
        for remedy in finding.remedies:
            yield from _wrap(f"- {remedy.when}:", 4)
            if remedy.command:
                yield f"        {paint(remedy.command, '1')}"
            if remedy.note:
                yield from _wrap(f"({remedy.note})", 8)


def _table(report: Report) -> Iterator[str]:
    for layer, counts in report.layers.items():
        said = [f"{number:,} {status}" for status, number in counts.items() if number]
        if said:
            yield f"  {layer:<13} {', '.join(said)}"
