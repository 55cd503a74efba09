"""The report as JSON lines: one of the report without its findings, then one of each finding."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vxcsum.report.report import Report


def render(report: Report) -> str:
    """Return a report as JSON lines, in ASCII: what ends a line elsewhere is escaped here.

    Parameters
    ----------
    report : Report
    """
    facts = report.to_dict()
    findings = facts.pop("findings")
    return "".join(json.dumps(each) + "\n" for each in (facts, *findings))
