"""The findings of a page: the worst in full with evidence and commands, the rest in a line each."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from vxcsum.report.boxes import clip, table
from vxcsum.report.facts import Mood, evidence_rows, frames_of, note, verdict
from vxcsum.report.markup import Markup, join, tag
from vxcsum.rules.model import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vxcsum.report.report import Report
    from vxcsum.rules.model import Finding, Remedy

#: What a page holds at most: findings in full, of one rule in full, and in one line.
MAX_FULL, MAX_SAME, MAX_BRIEF = 40, 5, 200
#: From so many findings on, a table of them comes first.
_OVERVIEW = 4


def findings(report: Report) -> Markup:
    """Return what was found, worst first."""
    serious = [f for f in report.findings if f.severity > Severity.INFO]
    notes = [f for f in report.findings if f.severity == Severity.INFO]
    parts: list[Markup] = []
    if not serious:
        good = "Nothing is wrong with the checksums that could be verified."
        other = "No finding is an error or a warning."
        parts.append(tag("p", good if verdict(report)[0] is Mood.GOOD else other))
    several = len(report.captures) > 1
    full: list[Finding] = []
    brief: list[Finding] = []
    of_rule: Counter[str] = Counter()
    for finding in serious:
        of_rule[finding.code] += 1
        fits = of_rule[finding.code] <= MAX_SAME and len(full) < MAX_FULL
        (full if fits else brief).append(finding)
    if len(full) >= _OVERVIEW:
        parts.append(_overview(full, several=several))
    told: dict[tuple[Remedy, ...], int] = {}
    for number, finding in enumerate(full, 1):
        before = told.setdefault(finding.remedies, number)
        parts.append(_finding(finding, number, before, several=several))
    if brief:
        parts.append(tag("h3", "More findings"))
        parts.append(_briefly(brief, several=several))
    if notes:
        parts.append(tag("h3", "Also seen"))
        parts.append(_briefly(notes, several=several))
    parts += [tag("p", f"Note: {limit}.", class_="quiet") for limit in report.evidence.limits]
    return join(parts)


def _briefly(findings: Sequence[Finding], *, several: bool) -> Markup:
    shown = [
        tag("li", clip(note(f) + (f", in {f.capture}" if several else "")))
        for f in findings[:MAX_BRIEF]
    ]
    if findings[MAX_BRIEF:]:
        shown.append(tag("li", f"and {len(findings) - MAX_BRIEF:,} more"))
    return tag("ul", *shown)


def _overview(findings: Sequence[Finding], *, several: bool) -> Markup:
    """Return a table of contents for many findings."""
    columns = ["rule", "what", "severity", "frames", *(["capture"] if several else [])]
    rows = [
        tag(
            "tr",
            tag("th", tag("a", finding.code, href=f"#finding-{number}"), scope="row"),
            tag("td", finding.rule.title),
            tag("td", finding.severity.name.lower()),
            tag("td", f"{finding.frames:,}", class_="number"),
            tag("td", clip(finding.capture), class_="name") if several else "",
        )
        for number, finding in enumerate(findings, 1)
    ]
    return table("Findings", "Worst first", columns, rows, numbers=(3,))


def _finding(finding: Finding, number: int, before: int, *, several: bool) -> Markup:
    """Return a finding in full; remedies that an earlier one has are not said twice."""
    severity = finding.severity.name.lower()
    parts = [
        tag("h3", f"{finding.code} {finding.rule.name}", id=f"finding-{number}-title"),
        tag(
            "p",
            *(tag("span", severity, class_="badge"), f" {finding.confidence.value}, "),
            frames_of(finding.frames),
            f", in {clip(finding.capture)}" if several else "",
        ),
        tag("p", finding.rule.title, class_="title"),
        tag("p", clip(finding.explanation)),
    ]
    rows = list(evidence_rows(finding))
    if rows:
        parts.append(tag("h4", "Evidence"))
        parts.append(_evidence(rows))
    if finding.remedies and before < number:
        link = tag("a", "the same as above", href=f"#finding-{before}-cures")
        parts.append(tag("p", tag("strong", "What to do: "), link, "."))
    elif finding.remedies:
        parts.append(tag("h4", "What to do", id=f"finding-{number}-cures"))
        hint = "A click on a command selects all of it."
        parts.append(tag("p", hint, class_="quiet small screen"))
        parts.append(tag("ol", *(_remedy(r) for r in finding.remedies), class_="cures"))
    return tag(
        "article",
        *parts,
        id=f"finding-{number}",
        class_=severity,
        aria_labelledby=f"finding-{number}-title",
    )


def _evidence(rows: list[tuple[str, str]]) -> Markup:
    """Return names and values; values of one name stand together."""
    named = [(name or rows[at - 1][0], value) for at, (name, value) in enumerate(rows)]
    parts: list[Markup] = []
    for name, values in groupby(named, key=lambda row: row[0]):
        parts.append(tag("dt", name))
        parts += [tag("dd", clip(value)) for _, value in values]
    return tag("dl", *parts)


def _remedy(remedy: Remedy) -> Markup:
    lines = join(remedy.command.split("\n"), Markup("\n"))
    return tag(
        "li",
        tag("p", f"{remedy.when[:1].upper()}{remedy.when[1:]}:"),
        tag("pre", tag("code", lines)) if remedy.command else "",
        tag("p", remedy.note, class_="quiet small") if remedy.note else "",
    )
