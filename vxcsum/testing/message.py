"""What the message of a failed assertion says: findings, and at most five frames."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.analysis import iter_packets
from vxcsum.checksum.algebra import difference, expected_field
from vxcsum.checksum.status import LAYERS, Status
from vxcsum.errors import TruncatedCaptureWarning
from vxcsum.packet.columns import Kind
from vxcsum.report.text import printable
from vxcsum.rules.model import address_text
from vxcsum.rules.platform import DEVICE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import U16
    from vxcsum.report.report import Report
    from vxcsum.rules.model import Finding

MAX_FRAMES = 5


@dataclass(frozen=True, slots=True)
class ListedFrame:
    """A frame that a finding names."""

    number: int
    ends: str
    statuses: dict[str, Status]
    values: dict[str, tuple[int, int]]
    """Layer: found and expected."""

    def line(self, wrong: Status) -> str:
        """Return what a message says of the frame."""
        shown = [
            f"{layer} {found:#06x} -> {expected:#06x}"
            for layer, (found, expected) in self.values.items()
            if self.statuses[layer] == wrong
        ]
        return f"  frame {self.number}: {', '.join(shown) or 'no checksum is wrong'} ({self.ends})"


def explained(
    title: str, findings: Sequence[Finding], report: Report, source: Any, *, named: bool = False
) -> str:
    """Return the message about some findings; ``named``: the title says which."""
    lines = [title]
    if not named:
        counts: dict[str, int] = {}
        for finding in findings:
            counts[finding.code] = counts.get(finding.code, 0) + finding.frames
        said = ", ".join(f"{code} ({n:,} frame{'s' * (n != 1)})" for code, n in counts.items())
        lines = [f"{title} {found_in(report)}: {said}"]
    left = MAX_FRAMES
    for finding in findings:
        rule = finding.rule
        kind = f"{finding.severity.name.lower()}, {finding.confidence.value}"
        where = f", in {printable(finding.capture)}" if len(report.captures) > 1 else ""
        lines += ["", f"{rule.code} {rule.name} ({kind}{where}): {rule.title}"]
        shown = statuses_of(finding, report, source, left)
        left -= len(shown)
        lines += [frame.line(rule.wrong) for frame in shown]
        if finding.frames > len(shown):
            rest = finding.frames - len(shown)
            lines.append(f"  {rest:,} {'more' if shown else 'frames'}")
        commands = [remedy.command for remedy in finding.remedies if remedy.command]
        shown_commands = 2 if any(DEVICE in command for command in commands[1:2]) else 1
        lines += [f"  what to do: {command}" for command in commands[:shown_commands]]
    return "\n".join(lines)


def found_in(report: Report) -> str:
    """Return the names of the captures, fit for a terminal."""
    return printable(", ".join(info.name for info in report.captures)) or "no capture"


def statuses_of(finding: Finding, report: Report, source: Any, limit: int) -> list[ListedFrame]:
    """Return the first frames that a finding names, read from the source once more."""
    wanted = np.array(finding.frame_numbers[:limit], np.int64)
    out: list[ListedFrame] = []
    with warnings.catch_warnings():  # it was given when the capture was analysed
        warnings.simplefilter("ignore", TruncatedCaptureWarning)
        for table in iter_packets(source, ports=report.vxlan_ports):
            if len(out) == len(wanted):
                break
            mask = table["capture"] == finding.capture_number
            mask &= np.isin(table["frame_number"], wanted)
            rows = table[mask]
            finished = _once_finished(rows)
            out += [_frame(rows, row, int(finished[row])) for row in range(len(rows))]
    return out


def _once_finished(table: PacketTable) -> U16:
    """Return the outer checksums that will be right once the inner ones are finished."""
    lco = difference(table["outer_udp_lco"], table["inner_l4_pseudo"])
    expected = expected_field(table["outer_udp_found"], lco, udp=True)
    pending = table["inner_l4_status"] == Status.PARTIAL
    finished: U16 = np.where(pending, expected, table["outer_udp_expected"])
    return finished


def _frame(table: PacketTable, row: int, outer: int) -> ListedFrame:
    statuses = {name: Status(int(table[f"{name}_status"][row])) for name in LAYERS}
    statuses = {name: status for name, status in statuses.items() if status is not Status.ABSENT}
    values = {
        name: (int(table[f"{name}_found"][row]), int(table[f"{name}_expected"][row]))
        for name in statuses
    }
    if "outer_udp" in values:
        values["outer_udp"] = (values["outer_udp"][0], outer)
    prefix = "outer" if table["kind"][row] == Kind.VXLAN else "inner"
    ends = " > ".join(
        _end(table[f"{prefix}_{end}"][row], int(table[f"{prefix}_{port}"][row]))
        for end, port in (("src", "sport"), ("dst", "dport"))
    )
    return ListedFrame(int(table["frame_number"][row]), ends, statuses, values)


def _end(address: Any, port: int) -> str:
    text = address_text(address)
    if not port:
        return text
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"
