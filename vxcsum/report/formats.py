"""The formats of a report, each in a module of its own that is loaded on use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vxcsum.report.report import Report

_MODULES = {
    "jsonl": "vxcsum.report.lines",
    "csv": "vxcsum.report.rows",
    "markdown": "vxcsum.report.markdown",
    "github": "vxcsum.report.annotations",
}
FORMATS = ("text", "json", *_MODULES)


def render(report: Report, format_: str, *, color: bool = False, top: int = 0) -> str:
    """Return a report in one of `FORMATS`.

    Parameters
    ----------
    report : Report
    format_ : str
    color : bool
        Whether to write ANSI colours; only text has them.
    top : int
        How many connections to list; only in text.
    """
    if format_ == "text":
        return report.to_text(color=color, top=top)
    if format_ == "json":
        return report.to_json()
    rendered: str = importlib.import_module(_MODULES[format_]).render(report)
    return rendered
