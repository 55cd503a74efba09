"""What a rule is, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.tabular.words import address_text as address_text  # used all over the rules

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    """A way in which checksums go wrong, or look as if they did.

    Attributes
    ----------
    code, name, title : str
    severity : Severity
    formula : str
        What the law says of the checksum; empty where it says only which are hit.
    sentence : str
        What a finding says, where it is always the same.
    remedies : tuple of Remedy, optional
        What cures it, where that is always the same.
    confidence : Confidence
        How sure it is that what is counted is there; laws have margins instead.
    story : bool
        It is about connections, not about a checksum.
    unreachable : bool
        Of stories: nothing got through.
    explains : bool
        It accounts for checksums that do not come out right, and finds no error in them.
    unexplained : bool
        It says that checksums are wrong, and not why.
    wrong : Status
        The status of what is wrong, where that is not `Status.INVALID`.
    layers : tuple of str
        The layers it is about, where their status does not tell.
    stops_all : bool
        It can be why nothing is answered, although it is no error by itself.
    apart : mapping of str to str
        Rules that may explain the same, and what tells them apart.
    """

    code: str
    name: str
    title: str
    severity: Severity
    formula: str = ""
    sentence: str = ""
    remedies: tuple[Remedy, ...] | None = None
    confidence: Confidence = Confidence.CONFIRMED
    story: bool = False
    unreachable: bool = False
    explains: bool = False
    unexplained: bool = False
    wrong: Status = Status.INVALID
    layers: tuple[str, ...] = ()
    stops_all: bool = False
    apart: Mapping[str, str] = field(default_factory=dict, hash=False)


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
