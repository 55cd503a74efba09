"""Report: what an analysis came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vxcsum.checksum.status import LAYERS, STATUSES
from vxcsum.flow.offload import transfers
from vxcsum.packet.columns import Kind
from vxcsum.rules.model import Severity, address_text, iso_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vxcsum.evidence.evidence import Evidence
    from vxcsum.flow.offload import Transfer
    from vxcsum.flow.table import FlowTable
    from vxcsum.pipeline import CaptureInfo
    from vxcsum.report.plots import Plots
    from vxcsum.rules.model import Finding

SCHEMA = "vxcsum.report/1"
#: Directions between nodes that the report lists, those with the most octets.
MAX_TRANSFERS = 100


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

    @property
    def flows(self) -> FlowTable:
        """The connections, one row each."""
        return self.evidence.connections.table

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
            "connections": len(self.flows),
            "transfers": [
                _transfer(transfer) for transfer in transfers(self.flows, limit=MAX_TRANSFERS)
            ],
            "limits": self.evidence.limits,
        }

    def to_json(self) -> str:
        """Return `to_dict` as a JSON document."""
        import json  # most reports are text

        return json.dumps(self.to_dict(), indent=2) + "\n"

    def to_text(self, *, color: bool = False, top: int = 0) -> str:
        """Return the report as an operator reads it in a terminal, with ``top`` connections."""
        from vxcsum.report.text import render  # the text needs Report itself

        return render(self, color=color, top=top)

    def to_html(self) -> str:
        """Return the report as one HTML page that needs nothing else, to be mailed or printed."""
        from vxcsum.report.html import render  # the page needs Report itself

        return render(self)

    @property
    def plot(self) -> Plots:
        """Its pictures; ``report.plot.status()`` is a Matplotlib figure, see `Plots`.

        Raises
        ------
        MissingDependencyError
            Matplotlib is not installed; the message says how to.
        """
        from vxcsum.report.plots import Plots

        return Plots(self)

    def __str__(self) -> str:
        """Return the report as text, without colours."""
        return self.to_text()

    def __repr__(self) -> str:
        """Return verdict and findings, one line each."""
        from vxcsum.report.notebook import summary

        return summary(self)

    def _repr_html_(self) -> str:
        """Return the report for notebooks: bounded, escaped, without script."""
        from vxcsum.report.notebook import render

        return render(self)


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


def _transfer(transfer: Transfer) -> dict[str, Any]:
    return {
        "capture": transfer.capture,
        "kind": transfer.kind.name.lower(),
        "sender": address_text(transfer.sender),
        "receiver": address_text(transfer.receiver),
        "frames": transfer.frames,
        "payload_bytes": transfer.new_octets,
        "goodput_bits_per_second": None if transfer.goodput is None else round(transfer.goodput, 1),
        "largest_segment": transfer.largest_segment,
        "superframes": transfer.superframes,
        "partial": transfer.partial,
        "valid": transfer.valid,
        "invalid": transfer.invalid,
        "checksum_offload": transfer.checksum_offload,
        "segmentation_offload": transfer.segmentation_offload,
    }
