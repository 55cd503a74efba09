"""Report: what an analysis came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vxcsum.checksum.status import LAYERS, STATUSES
from vxcsum.packet.columns import Kind
from vxcsum.rules.base import Severity, iso_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vxcsum.pipeline import CaptureInfo
    from vxcsum.rules.base import Finding
    from vxcsum.rules.evidence import Evidence

SCHEMA = "vxcsum.report/1"


@dataclass(frozen=True, slots=True)
class Report:
    """The result of `vxcsum.analyze`.

    Attributes
    ----------
    findings : list of Finding
        Worst first.
    captures : list of CaptureInfo
    """

    version: str
    engine: str
    captures: Sequence[CaptureInfo]
    vxlan_ports: tuple[int, ...]
    evidence: Evidence
    findings: Sequence[Finding]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong: no finding is an error."""
        return self.worst is None or self.worst < Severity.ERROR

    @property
    def worst(self) -> Severity | None:
        """The severity of the worst finding; None where there is none."""
        return max((finding.severity for finding in self.findings), default=None)

    @property
    def layers(self) -> dict[str, dict[str, int]]:
        """Counts by layer and status; every layer and status is there."""
        counts = self.evidence.layers
        return {
            layer: {status.name.lower(): int(counts[number, status]) for status in STATUSES}
            for number, layer in enumerate(LAYERS)
        }

    @property
    def frames(self) -> dict[str, int]:
        """Counts of frames: total, vxlan, plain, other, truncated, fragments."""
        kinds = self.evidence.kinds
        return {
            "total": int(kinds.sum()),
            "vxlan": int(kinds[Kind.VXLAN]),
            "plain": int(kinds[Kind.PLAIN]),
            "other": int(kinds[Kind.OTHER]),
            "truncated": self.evidence.truncated_frames,
            "fragments": self.evidence.fragments,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the report with the names and the order of the JSON schema."""
        return {
            "schema": SCHEMA,
            "version": self.version,
            "engine": self.engine,
            "captures": [_capture(info) for info in self.captures],
            "vxlan_ports": list(self.vxlan_ports),
            "frames": self.frames,
            "layers": self.layers,
            "findings": [finding.to_dict() for finding in self.findings],
            "limits": self.evidence.limits,
        }

    def to_json(self) -> str:
        """Return `to_dict` as a JSON document."""
        import json  # most reports are text

        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    def to_text(self, *, color: bool = False) -> str:
        """Return the report as an operator reads it in a terminal."""
        from vxcsum.report.text import render  # the text needs Report itself

        return render(self, color=color)

    def __str__(self) -> str:
        """Return the report as text, without colours."""
        return self.to_text()

    def __repr__(self) -> str:
        """Return one line."""
        found = ", ".join(f"{f.code} ({f.frames:,})" for f in self.findings) or "nothing"
        return f"<Report: {self.frames['total']:,} frames, found {found}>"


def _capture(info: CaptureInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "container": info.container,
        "compression": info.compression,
        "linktypes": info.linktypes,
        "frames": info.frames,
        "bytes": info.octets,
        "snaplen": info.snaplen,
        "complete": info.complete,
        "first_timestamp": iso_time(info.first_timestamp),
        "last_timestamp": iso_time(info.last_timestamp),
    }
