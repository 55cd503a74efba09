"""The report as a person meets it in a notebook, and in one screen of a plain REPL."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from vxcsum.report.facts import evidence_rows, frames_of, frames_told, verdict
from vxcsum.rules.model import Severity
from vxcsum.tabular.preview import CELL_STYLE, TABLE_STYLE, escaped, html_table, text_table
from vxcsum.tabular.words import clipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.report.report import Report
    from vxcsum.rules.model import Finding

#: Findings shown at most; `Report.findings` has all.
MAX_FINDINGS = 20
_MAX_ROWS = 30
_LONGEST_VALUE = 400
_LONGEST_TEXT = 2000
#: Seen on white and on black; the words say the severity, too.
_COLORS = {Severity.ERROR: "#e5484d", Severity.WARNING: "#d98a00", Severity.INFO: "#3b8eea"}
_GOOD = "#30a46c"


def summary(report: Report) -> str:
    """Return a report in a few lines of text: verdict, and one line a finding."""
    number = len(report.findings)
    size = f"{frames_of(report.frames['total'])}, {number} finding{'' if number == 1 else 's'}"
    lines = [f"<Report: {size}>", clipped(verdict(report)[1], _LONGEST_VALUE)]
    rows = [
        [
            finding.code,
            finding.severity.name.lower(),
            finding.confidence.value,
            f"{finding.frames:,}",
            finding.rule.title,
        ]
        for finding in report.findings[:MAX_FINDINGS]
    ]
    if rows:
        lines.append(text_table(("rule", "severity", "confidence", "frames", "what"), rows))
    if number > MAX_FINDINGS:
        lines.append(_left_out(number))
    return "\n".join(lines)


def render(report: Report) -> str:
    """Return a report as HTML of bounded length, without script or anything from outside.

    Text keeps the colour of the page, so it can be read on a light and on a dark one; what comes
    from captures and names of files is escaped.

    Parameters
    ----------
    report : Report
    """
    worst = report.worst
    color = _GOOD if worst is None else _COLORS[worst]
    out = [
        f'<div class="mathjax_ignore" style="border-left:4px solid {color};padding:.2em .8em">',
        f"<p><strong>{escaped(clipped(verdict(report)[1], _LONGEST_VALUE))}</strong></p>",
    ]
    for finding in report.findings[:MAX_FINDINGS]:
        out += _finding(finding)
    if len(report.findings) > MAX_FINDINGS:
        out.append(f"<p>{_left_out(len(report.findings))}</p>")
    statuses = list(next(iter(report.layers.values())))
    rows = [
        [layer, *(f"{number:,}" if number else "" for number in counts.values())]
        for layer, counts in report.layers.items()
        if any(counts.values())
    ]
    if rows:
        out.append(html_table("Checksums", ["layer", *statuses], rows))
    out.append(f"<p>{escaped(frames_told(report))}</p>")
    out += [f"<p>Note: {escaped(limit)}.</p>" for limit in report.evidence.limits]
    out.append("</div>")
    return "".join(out)


def _left_out(number: int) -> str:
    return f"and {number - MAX_FINDINGS:,} more findings"


def _finding(finding: Finding) -> Iterator[str]:
    """Yield a part that can be folded; errors are open."""
    opened = " open" if finding.severity is Severity.ERROR else ""
    color = _COLORS[finding.severity]
    said = (
        f"{finding.severity.name.lower()}, {finding.confidence.value}, {frames_of(finding.frames)}"
    )
    yield f'<details{opened} style="border-left:3px solid {color};padding-left:.8em;margin:.6em 0">'
    yield f"<summary><strong>{escaped(finding.code)} {escaped(finding.rule.name)}</strong>: "
    yield f"{escaped(finding.rule.title)} ({said})</summary>"
    yield f"<p>{escaped(clipped(finding.explanation, _LONGEST_TEXT))}</p>"
    rows = [("capture", finding.capture), *islice(evidence_rows(finding), _MAX_ROWS)]
    yield f'<table style="{TABLE_STYLE}"><tbody>'
    for name, value in rows:
        yield f'<tr><th scope="row" style="{CELL_STYLE}">{escaped(name)}</th>'
        yield f'<td style="{CELL_STYLE}">{escaped(clipped(value, _LONGEST_VALUE))}</td></tr>'
    yield "</tbody></table>"
    for remedy in finding.remedies:
        yield f"<p>{escaped(remedy.when)}{':' if remedy.command else ''}</p>"
        if remedy.command:
            yield f'<pre style="white-space:pre-wrap"><code>{escaped(remedy.command)}</code></pre>'
        if remedy.note:
            yield f"<p>{escaped(remedy.note)}</p>"
    yield "</details>"
