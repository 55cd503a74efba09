"""What laws and rules are given, and how they tell what they found."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.status import LAYERS, Status
from vxcsum.flow.offload import Transfer, transfers
from vxcsum.rules.model import Confidence, Finding, Remedy, Rule, Severity
from vxcsum.rules.undecided import Undecided
from vxcsum.rules.waits import Wait, find_waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.evidence.captures import CaptureEvidence
    from vxcsum.evidence.occurrences import Occurrences
    from vxcsum.packet.columns import I64, AnyArray


class Context(Undecided):
    """The evidence, what is undecided, and how findings are made of it."""

    def frames_of(self, rows: I64) -> tuple[I64, I64]:
        """Return numbers and times of the frames of some suspects, in order."""
        mask = np.zeros(len(self.suspects["path"]), np.bool_)
        mask[rows] = True
        mine = self.entries[mask[self.entries["suspect"]]]
        order = np.argsort(mine["frame"], kind="stable")
        return mine["frame"][order], mine["time"][order]

    def layer_names(self, rows: I64) -> dict[str, int]:
        """Return how many frames of some suspects have a wrong checksum in each layer."""
        out = {}
        frames = self.column("frames", rows)
        for layer in LAYERS.values():
            mask = self.column(f"{layer.slot}_status", rows) == Status.INVALID
            mask &= self.column("kind", rows) == layer.kind
            if layer.protocol is not None:
                mask &= self.column("inner_protocol", rows) == layer.protocol
            if mask.any():
                out[layer.name] = int(frames[mask].sum())
        return out

    def finding(
        self,
        rule: Rule,
        rows: I64,
        *,
        confidence: Confidence,
        explanation: str,
        evidence: dict[str, Any],
        remedies: tuple[Remedy, ...] = (),
        severity: Severity | None = None,
    ) -> Finding:
        """Return a finding about some suspects of one capture."""
        s = self.suspects
        capture = int(s["capture"][rows[0]])
        numbers, _ = self.frames_of(rows)
        finding = Finding(
            rule=rule,
            severity=rule.severity if severity is None else severity,
            confidence=confidence,
            capture=self.captures[capture].name,
            capture_number=capture,
            frames=int(s["frames"][rows].sum()),
            frame_numbers=numbers[: self.evidence.listed].tolist(),
            first_frame=int(s["first_frame"][rows].min()),
            last_frame=int(s["last_frame"][rows].max()),
            first_timestamp=int(s["first"][rows].min()),
            last_timestamp=int(s["last"][rows].max()),
            explanation=explanation,
            evidence=evidence,
            remedies=remedies,
        )
        if finding.severity == Severity.ERROR:
            self.errors.append(finding)
            self.blame[rows[self.blame[rows] < 0]] = len(self.errors) - 1
        return finding

    @cached_property
    def waits(self) -> list[Wait]:
        """The connections that waited, once all that is wrong with checksums has been found."""
        return find_waits(self)

    @cached_property
    def transfers(self) -> list[Transfer]:
        """What nodes sent each other over TCP, the most octets first."""
        return transfers(self.evidence.connections.table)

    def finding_about(
        self,
        rule: Rule,
        capture: int,
        numbers: I64,
        times: AnyArray,
        *,
        confidence: Confidence,
        explanation: str,
        evidence: dict[str, Any],
        remedies: tuple[Remedy, ...] = (),
        severity: Severity | None = None,
    ) -> Finding:
        """Return a finding about frames given by number and time."""
        order = np.argsort(numbers, kind="stable")
        nanoseconds = times.astype(np.int64)
        finding = Finding(
            rule=rule,
            severity=rule.severity if severity is None else severity,
            confidence=confidence,
            capture=self.captures[capture].name,
            capture_number=capture,
            frames=int(numbers.size),
            frame_numbers=numbers[order[: self.evidence.listed]].tolist(),
            first_frame=int(numbers.min()),
            last_frame=int(numbers.max()),
            first_timestamp=int(nanoseconds.min()),
            last_timestamp=int(nanoseconds.max()),
            explanation=explanation,
            evidence=evidence,
            remedies=remedies,
        )
        if finding.severity == Severity.ERROR:
            self.errors.append(finding)
        return finding

    def capture_evidence(self) -> Iterator[tuple[int, CaptureEvidence]]:
        """Yield number and evidence of each capture that has frames."""
        yield from sorted(self.evidence.captures.items())

    def showing(self, name: str) -> Iterator[tuple[int, CaptureEvidence, Occurrences]]:
        """Yield number and evidence of each capture in which something was counted."""
        for number, capture in self.capture_evidence():
            seen = capture.seen(name)
            if seen.frames:
                yield number, capture, seen

    def counted(
        self,
        rule: Rule,
        capture: int,
        seen: Occurrences,
        *,
        confidence: Confidence,
        explanation: str,
        evidence: dict[str, Any] | None = None,
        remedies: tuple[Remedy, ...] = (),
        severity: Severity | None = None,
    ) -> Finding:
        """Return a finding about frames that were only counted."""
        finding = Finding(
            rule=rule,
            severity=rule.severity if severity is None else severity,
            confidence=confidence,
            capture=self.captures[capture].name,
            capture_number=capture,
            frames=seen.frames,
            frame_numbers=list(seen.numbers),
            first_frame=seen.numbers[0] if seen.numbers else None,
            last_frame=seen.last_frame,
            first_timestamp=seen.first_timestamp,
            last_timestamp=seen.last_timestamp,
            explanation=explanation,
            evidence=evidence or {},
            remedies=remedies,
        )
        if finding.severity == Severity.ERROR or rule.stops_all:
            self.errors.append(finding)
        return finding
