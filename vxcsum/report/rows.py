"""The findings as CSV: one row each."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from vxcsum.tabular.words import printable

if TYPE_CHECKING:
    from vxcsum.report.report import Report
    from vxcsum.rules.model import Finding

COLUMNS = (
    "rule",
    "name",
    "severity",
    "confidence",
    "title",
    "capture",
    "frames",
    "first_frame",
    "last_frame",
    "first_timestamp",
    "last_timestamp",
    "explanation",
    "evidence",
    "remedy",
    "command",
)
#: What makes spreadsheets take a cell for a formula, also in the full width of East Asian text.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def render(report: Report) -> str:
    r"""Return the findings as CSV with a header, cells as RFC 4180 quotes them.

    Text that a spreadsheet would calculate is preceded by an apostrophe, and control characters
    are written as ``\u001b``: names of captures are not to be trusted.

    Parameters
    ----------
    report : Report
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for finding in report.findings:
        writer.writerow([_cell(value) for value in _row(finding)])
    return out.getvalue()


def _row(finding: Finding) -> list[Any]:
    told = finding.to_dict()
    told["evidence"] = json.dumps(finding.evidence)
    told["remedy"], told["command"] = "", ""
    if finding.remedies:
        told["remedy"], told["command"] = finding.remedies[0].when, finding.remedies[0].command
    return [told[name] for name in COLUMNS]


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
