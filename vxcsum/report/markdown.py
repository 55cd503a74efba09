"""The report as Markdown, for issues, pull requests and wikis."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vxcsum.report.facts import evidence_rows, frames_of, frames_told, verdict
from vxcsum.tabular.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.report.report import Report
    from vxcsum.rules.model import Finding

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~$@&]|(?<=:)/)")


def render(report: Report) -> str:
    """Return a report as GitHub-flavoured Markdown.

    Values that may come from a capture or a file name stand in code spans, where markup, links
    and mentions are text.

    Parameters
    ----------
    report : Report
    """
    head, _, rest = verdict(report)[1].partition(": ")
    lines = ["# vxcsum", "", f"**{escaped(head)}:** {code(rest)}", ""]
    if report.findings:
        lines += [
            "| rule | severity | confidence | frames | capture | what |",
            "|---|---|---|--:|---|---|",
        ]
        lines += [_row(finding) for finding in report.findings]
        lines.append("")
    for finding in report.findings:
        lines += [*_section(finding), ""]
    lines += ["## Checksums", "", *_checksums(report), "", escaped(frames_told(report))]
    lines += [line for limit in report.evidence.limits for line in ("", f"Note: {escaped(limit)}.")]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Return text whose punctuation is no markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(printable(text).split()))


def code(text: str, *, cell: bool = False) -> str:
    """Return a code span, whose fence is longer than any in the text.

    Parameters
    ----------
    text : str
    cell : bool
        Whether it stands in a table, where a bar ends the cell even in a code span.
    """
    said = " ".join(printable(text).split()) or " "
    longest = max((len(ticks) for ticks in re.findall("`+", said)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if said.startswith("`") or said.endswith("`") else ""
    span = f"{fence}{pad}{said}{pad}{fence}"
    return span.replace("|", "\\|") if cell else span


def _row(finding: Finding) -> str:
    cells = (
        finding.code,
        finding.severity.name.lower(),
        finding.confidence.value,
        f"{finding.frames:,}",
        code(finding.capture, cell=True),
        escaped(finding.rule.title),
    )
    return f"| {' | '.join(cells)} |"


def _section(finding: Finding) -> Iterator[str]:
    yield f"## {finding.code} {finding.rule.name}"
    yield ""
    yield (
        f"{escaped(finding.rule.title)}: {finding.severity.name.lower()}, "
        f"{finding.confidence.value}, {frames_of(finding.frames)} in {code(finding.capture)}."
    )
    yield ""
    yield escaped(finding.explanation)
    rows = list(evidence_rows(finding))
    if rows:
        yield ""
        for name, value in rows:
            yield f"- {escaped(name) + ': ' if name else ''}{code(value)}"
    if finding.remedies:
        yield ""
        yield "What to do:"
        yield ""
        for remedy in finding.remedies:
            note = f" ({escaped(remedy.note)})" if remedy.note else ""
            command = f": {code(remedy.command)}" if remedy.command else ""
            yield f"- {escaped(remedy.when)}{command}{note}"


def _checksums(report: Report) -> Iterator[str]:
    statuses = list(next(iter(report.layers.values())))
    yield f"| layer | {' | '.join(statuses)} |"
    yield f"|---|{'--:|' * len(statuses)}"
    for layer, counts in report.layers.items():
        if any(counts.values()):
            numbers = " | ".join(f"{number:,}" for number in counts.values())
            yield f"| {code(layer)} | {numbers} |"
