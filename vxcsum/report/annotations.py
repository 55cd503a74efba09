"""The findings as annotations of a GitHub workflow run.

Source: GitHub Docs, "Workflow commands for GitHub Actions"; escapes as in actions/toolkit,
packages/core/src/command.ts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vxcsum.report.facts import frames_of
from vxcsum.rules.model import Severity
from vxcsum.tabular.words import printable

if TYPE_CHECKING:
    from vxcsum.report.report import Report
    from vxcsum.rules.model import Finding

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}

#: ``<stdin>``, ``<bytes>``, ``<packets>`` and their like.
_NO_FILE = re.compile("<[a-z]+>")


def render(report: Report) -> str:
    """Return one workflow command a finding; nothing where nothing was found.

    Parameters
    ----------
    report : Report
    """
    return "".join(f"{_annotation(finding)}\n" for finding in report.findings)


def _annotation(finding: Finding) -> str:
    title = f"{finding.code} {finding.rule.name}"
    first = "" if finding.first_frame is None else f", the first is {finding.first_frame}"
    lines = [
        f"{finding.rule.title} ({finding.confidence.value}, {frames_of(finding.frames)}{first})",
        finding.explanation,
        *(f"{remedy.when}: {remedy.command}" for remedy in finding.remedies if remedy.command),
    ]
    command = _COMMANDS[finding.severity]
    message = "\n".join(printable(line) for line in lines)
    return f"::{command} {_file(finding.capture)}title={_property(title)}::{_data(message)}"


def _file(name: str) -> str:
    """Return the property that says which file of the repository; octets and pipes are none."""
    return "" if _NO_FILE.fullmatch(name) else f"file={_property(printable(name))},"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
