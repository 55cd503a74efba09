"""What is to be said of one frame, and finding it out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.analysis import analyze, networks_of
from vxcsum.errors import VxcsumError
from vxcsum.evidence.evidence import Evidence
from vxcsum.explain.formulas import fits
from vxcsum.explain.frames import fetch
from vxcsum.explain.question import Question
from vxcsum.explain.workings import workings
from vxcsum.packet.columns import Kind
from vxcsum.pipeline import Reading
from vxcsum.rules.context import Context
from vxcsum.rules.model import iso_time
from vxcsum.rules.prepared import CaptureFacts
from vxcsum.source.again import rereadable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from vxcsum.explain.frames import FragmentSet, Frame
    from vxcsum.explain.parts import Part
    from vxcsum.explain.workings import Working
    from vxcsum.report.report import Report
    from vxcsum.rules.model import Finding

SCHEMA = "vxcsum.explain/1"
#: Frames that one finding names by number at most, to look this one up among them.
_LISTED_FRAMES = 1_000_000
#: Octets of the frame in the JSON document.
_MAX_OCTETS = 1024


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is to be said of one frame.

    ``str()`` and `to_text` give it as text, `to_dict` for JSON; notebooks show it as HTML.

    Attributes
    ----------
    name : str
        The capture.
    number : int
        Of the frame, from 1.
    timestamp : str
        ISO 8601, UTC.
    linktype, caplen, origlen : int
    kind : str
        "vxlan", "plain" or "other".
    octets : bytes
        What was captured of it.
    parts : list of Part
        Headers and payloads, in order. Behind the frame's own octets are those of other
        fragments, where the datagram is complete.
    workings : list of Working
        Its checksums, outermost first.
    fragments : list of FragmentSet
    findings : list of Finding
        Those of the whole capture that name this frame.
    """

    name: str
    number: int
    timestamp: str
    linktype: int
    caplen: int
    origlen: int
    kind: str
    octets: bytes
    parts: list[Part]
    workings: list[Working]
    fragments: list[FragmentSet]
    findings: list[Finding]

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as a JSON document has it; long octets are cut."""
        return {
            "schema": SCHEMA,
            "capture": self.name,
            "frame": self.number,
            "timestamp": self.timestamp,
            "linktype": self.linktype,
            "caplen": self.caplen,
            "origlen": self.origlen,
            "kind": self.kind,
            "octets": self.octets[:_MAX_OCTETS].hex(),
            "layers": [
                {"name": part.name, "start": part.start, "stop": part.stop, "detail": part.said}
                for part in self.parts
            ],
            "fragments": [fragments.to_dict() for fragments in self.fragments],
            "checksums": [working.to_dict() for working in self.workings],
            "findings": [
                {
                    "rule": finding.code,
                    "name": finding.rule.name,
                    "severity": finding.severity.name.lower(),
                    "confidence": finding.confidence.value,
                    "title": finding.rule.title,
                    "frames": finding.frames,
                }
                for finding in self.findings
            ],
        }

    def to_json(self) -> str:
        """Return `to_dict` as a JSON document."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    def to_text(self) -> str:
        """Return the explanation as text."""
        from vxcsum.explain.text import render  # the text needs Explanation itself

        return render(self)

    def to_html(self) -> str:
        """Return the explanation as one HTML element, without scripts and links."""
        from vxcsum.explain.html import render  # as above

        return render(self)

    def __str__(self) -> str:
        """Return the explanation as text."""
        return self.to_text()

    def __repr__(self) -> str:
        """Return one line."""
        said = ", ".join(f"{w.layer} {w.status.name.lower()}" for w in self.workings)
        return f"<Explanation: frame {self.number}, {said or 'no checksum'}>"

    def _repr_html_(self) -> str:
        return self.to_html()


def explained(
    source: Any,
    frame: int,
    *,
    ports: Collection[int] | None,
    engine: str,
    jobs: int | None,
    pre_nat: Iterable[str],
    vantage: str,
    on_start: Callable[[Reading], None] | None,
) -> Explanation:
    """Return the explanation of a frame; see `vxcsum.explain.explain`."""
    if frame < 1:
        problem = f"there is no frame {frame}: they count from 1 upwards"
        raise VxcsumError(problem)
    with rereadable(source) as capture:
        reading = Reading(capture, ports=ports, engine=engine, jobs=jobs)
        found = fetch(capture, reading, frame)
        report = analyze(
            capture,
            ports=ports,
            engine=engine,
            jobs=jobs,
            pre_nat=pre_nat,
            vantage=vantage,
            listed_frames=_LISTED_FRAMES,
            on_start=on_start,
        )
    context = _context(report, pre_nat, vantage)
    return _explained(found, report, context)


def _context(report: Report, pre_nat: Iterable[str], vantage: str) -> Context:
    facts = [
        CaptureFacts(i.name, i.frames, i.snaplen, i.complete, i.damage, i.last_timestamp)
        for i in report.captures
    ]
    return Context(report.evidence, facts, pre_nat=networks_of(pre_nat), vantage=vantage)


def _explained(found: Frame, report: Report, context: Context) -> Explanation:
    row = found.row
    number = int(row["frame_number"][0])
    named = [f for f in report.findings if number in f.frame_numbers]
    sums = workings(found.anatomy, row)
    codes = {finding.code for finding in named}
    context, suspect = _suspect(context, found, report)
    inner = next((w for w in sums if w.layer.startswith("inner_") and w.layer[-4:] != "ipv4"), None)
    for working in sums:
        inside = inner if working.layer == "outer_udp" else None
        working.fits = fits(Question(context, suspect, row, working, inside))
        for fit in working.fits:
            fit.named = fit.rule in codes
        working.fits.sort(key=lambda fit: not fit.named)
    return Explanation(
        name=found.name,
        number=number,
        timestamp=iso_time(int(row["timestamp"].astype(np.int64)[0])) or "",
        linktype=int(row["linktype"][0]),
        caplen=int(row["caplen"][0]),
        origlen=int(row["origlen"][0]),
        kind=Kind(int(row["kind"][0])).name.lower(),
        octets=found.octets,
        parts=found.anatomy.parts,
        workings=sums,
        fragments=found.fragments,
        findings=named,
    )


def _suspect(context: Context, found: Frame, report: Report) -> tuple[Context, int | None]:
    """Return the context whose suspects have the frame, and its row there; None: not wrong."""
    row = found.row
    number = int(row["frame_number"][0])
    rows = context.entries["suspect"][context.entries["frame"] == number]
    if rows.size:
        return context, int(rows[0])
    alone = Evidence(report.vxlan_ports)
    alone.update(row)
    if not alone.suspects.paths:
        return context, None
    # Beyond the bound of the evidence: what is known of this frame, and all addresses.
    alone.plain_addresses |= report.evidence.addresses
    return Context(alone, context.captures, pre_nat=context.pre_nat), 0
