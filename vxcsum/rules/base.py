"""What a rule is, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from vxcsum.tabular.words import address_text as address_text  # used all over the rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import I64, AnyArray
    from vxcsum.rules.context import Context

#: A finding lists at most this many frame numbers, unless more are asked for.
MAX_FRAME_NUMBERS = 1000


class Severity(IntEnum):
    """What a finding means for the network."""

    INFO = 1
    WARNING = 2
    ERROR = 3


class Confidence(StrEnum):
    """How sure a finding is, by independent observations."""

    POSSIBLE = "possible"
    LIKELY = "likely"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class Remedy:
    """One way to cure a cause: when it fits, and the command that does it."""

    when: str
    command: str = ""
    note: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the remedy as the report has it."""
        out = {"when": self.when, "command": self.command}
        if self.note:
            out["note"] = self.note
        return out


@dataclass(frozen=True, slots=True)
class Rule:
    """A way in which checksums go wrong, or look as if they did."""

    code: str
    name: str
    title: str
    severity: Severity


@dataclass(slots=True)
class Finding:
    """One cause at one place."""

    rule: Rule
    severity: Severity
    confidence: Confidence
    capture: str
    capture_number: int  # of the captures of a report, from 0: names need not differ
    frames: int
    frame_numbers: list[int]
    first_timestamp: int | None  # ns since 1970 UTC
    last_timestamp: int | None
    explanation: str
    evidence: dict[str, Any] = field(default_factory=dict)
    remedies: tuple[Remedy, ...] = ()
    first_frame: int | None = None
    last_frame: int | None = None

    @property
    def code(self) -> str:
        """The rule's code."""
        return self.rule.code

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as the JSON report has it."""
        return {
            "rule": self.rule.code,
            "name": self.rule.name,
            "severity": self.severity.name.lower(),
            "confidence": self.confidence.value,
            "title": self.rule.title,
            "capture": self.capture,
            "frames": self.frames,
            "first_frame": self.first_frame,
            "last_frame": self.last_frame,
            "frame_numbers": self.frame_numbers,
            "first_timestamp": iso_time(self.first_timestamp),
            "last_timestamp": iso_time(self.last_timestamp),
            "evidence": self.evidence,
            "explanation": self.explanation,
            "remedies": [remedy.to_dict() for remedy in self.remedies],
        }


class RuleModule(Protocol):
    """What each file of this folder offers: its page (the docstring), `RULE` and `find`."""

    RULE: Rule

    def find(self, context: Context) -> Iterator[Finding]:
        """Yield what the evidence shows, and claim the wrong checksums it explains."""
        ...


def iso_time(nanoseconds: int | None) -> str | None:
    """Return a time as ISO 8601 in UTC with all nine digits, ``2026-11-23T02:50:14.499871000Z``."""
    if nanoseconds is None:
        return None
    return f"{np.datetime64(nanoseconds, 'ns')}Z"


def address_halves(text: str) -> tuple[int, int]:
    """Return the 64-bit halves of an address as the tables have them."""
    import ipaddress

    parsed = ipaddress.ip_address(text)
    value = int(parsed) if parsed.version == 6 else 0xFFFF << 32 | int(parsed)
    return value >> 64, value & 0xFFFF_FFFF_FFFF_FFFF


def hex16(value: Any) -> str:
    """Return a checksum as people write it, ``0x0058``."""
    return f"0x{int(value):04x}"


def place_in_time(
    frame_number: I64, timestamp: AnyArray, bound: int = MAX_FRAME_NUMBERS
) -> tuple[int, list[int], int | None, int | None]:
    """Return count, listed frame numbers, first and last time (ns) of some frames."""
    if not frame_number.size:
        return 0, [], None, None
    order = np.argsort(frame_number, kind="stable")
    times = timestamp.astype(np.int64)
    listed = frame_number[order[:bound]].tolist()
    return int(frame_number.size), listed, int(times.min()), int(times.max())
