"""What is true of a capture that was made."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

SCHEMA = "vxcsum.synth/1"


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def marked_of(
    findings: Mapping[str, Sequence[int] | None], info: Mapping[str, Sequence[int] | None]
) -> set[int]:
    """Return the frames that a scenario is about: those of its findings, or else of its info."""
    wrong = {number for numbers in findings.values() for number in numbers or ()}
    return wrong or {number for numbers in info.values() for number in numbers or ()}


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of a capture that was made.

    Attributes
    ----------
    scenario : str
        The recipe, or ``healthy``.
    about : str
        What the capture shows, in one sentence.
    seed : int
    capture : str
        Its file.
    container : {"pcap", "pcapng"}
    linktype : int
    frames, octets : int
        Of the file.
    findings : dict of str to list of int, or None
        Rule: the frames, from 1, in which it is true. Errors and warnings. None where the rule
        is true of the capture, or of connections, and not of frames of its own. What became of
        connections (VX7) is only said by scenarios that are about them.
    info : dict of str to list of int, or None
        The same for rules that find something worth saying, and nothing wrong.
    rate : float
        Share of the frames that are in ``findings``, or in ``info`` where those are empty.
    recovered : dict
        Values from before a rewriting, which the evidence has to name.
    options : dict
        How the capture has to be analysed, where the defaults do not do.
    """

    scenario: str
    about: str
    seed: int
    capture: str
    container: str
    linktype: int
    frames: int
    octets: int
    findings: dict[str, list[int] | None] = field(default_factory=dict)
    info: dict[str, list[int] | None] = field(default_factory=dict)
    recovered: dict[str, list[Any]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Share of the frames that are in ``findings``, or else in ``info``."""
        marked = len(marked_of(self.findings, self.info))
        return marked / self.frames if self.frames else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the truth as the JSON beside a capture has it."""
        return {
            "schema": SCHEMA,
            "scenario": self.scenario,
            "about": self.about,
            "seed": self.seed,
            "capture": self.capture,
            "container": self.container,
            "linktype": self.linktype,
            "frames": self.frames,
            "bytes": self.octets,
            "findings": self.findings,
            "info": self.info,
            "rate": self.rate,
            "recovered": self.recovered,
            "options": self.options,
        }

    def to_json(self) -> str:
        """Return `to_dict` as a JSON document."""
        return json.dumps(self.to_dict()) + "\n"
