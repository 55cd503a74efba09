"""What a rule is given: the evidence, what the user knows, and which frames are unexplained yet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.algebra import expected_field
from vxcsum.checksum.grouping import group_labels, grouped
from vxcsum.checksum.status import LAYERS, Status
from vxcsum.checksum.table import STORED_COLUMNS
from vxcsum.flow.offload import Transfer, transfers
from vxcsum.packet.columns import SLOTS, Kind
from vxcsum.packet.protocols import IPPROTO_TCP, IPPROTO_UDP
from vxcsum.rules.base import (
    Confidence,
    Finding,
    Remedy,
    Rule,
    Severity,
    place_in_time,
)
from vxcsum.rules.census import ICMP, ICMPV6, NONE, TCP, UDP, Path
from vxcsum.rules.evidence import Evidence, effective_residual, overflow_key, plain_key
from vxcsum.rules.lookups import Lookups, Network
from vxcsum.rules.waits import Wait, find_waits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vxcsum.packet.columns import I64, U8, U16, AnyArray, Bool
    from vxcsum.rules.accumulators import Occurrences
    from vxcsum.rules.evidence import PairKey
    from vxcsum.rules.hazards import CaptureEvidence

#: One bit per slot: which checksums of a suspect are wrong and unexplained.
SLOT_BIT = {slot: np.uint8(1 << number) for number, slot in enumerate(SLOTS)}
#: Inner packets that the offload defects spare: no transport checksum is left to the device.
SPARED = (NONE, ICMP, ICMPV6)
_EVERYTHING = (NONE, TCP, UDP, ICMP, ICMPV6)


@dataclass(frozen=True, slots=True)
class CaptureFacts:
    """What rules may know of a capture beside its frames."""

    name: str
    frames: int
    snaplen: int
    complete: bool
    damage: str | None
    last_timestamp: int | None


@dataclass(slots=True)
class Place:
    """Wrong, unexplained checksums of one slot on one path."""

    key: PairKey
    path: Path
    slot: str
    rows: I64  # into the suspects

    @property
    def capture(self) -> int:
        """Number of the capture."""
        return self.key[0]

    @property
    def source(self) -> tuple[int, int]:
        """Outer source address as 64-bit halves."""
        return self.key[1], self.key[2]

    @property
    def destination(self) -> tuple[int, int]:
        """Outer destination address as 64-bit halves."""
        return self.key[3], self.key[4]

    @property
    def spared(self) -> int:
        """Frames with inner ICMP or no transport whose outer checksum is right."""
        return self.path.outer(SPARED, Status.VALID, Status.PARTIAL)

    @property
    def zero(self) -> int:
        """Frames without an outer checksum."""
        return self.path.outer(_EVERYTHING, Status.ZERO)

    @property
    def summed(self) -> int:
        """Frames with a right, non-zero outer checksum."""
        return self.path.outer(_EVERYTHING, Status.VALID, Status.PARTIAL)


class Context(Lookups):
    """Evidence prepared for the rules.

    Attributes
    ----------
    suspects : dict of columns
        Frames with at least one invalid checksum; ``open`` has a bit for each slot that is wrong
        and that no rule has claimed yet, ``effective`` the outer residual once a partial inner
        checksum is finished.
    handshakes : dict of columns
        TCP packets with SYN.
    """

    def __init__(
        self,
        evidence: Evidence,
        captures: Sequence[CaptureFacts],
        *,
        pre_nat: Sequence[Network] = (),
        vantage: str = "auto",
    ) -> None:
        self.evidence = evidence
        self.captures = captures
        self.pre_nat = tuple(pre_nat)
        self.asked_vantage = vantage
        self.suspects = evidence.suspects.columns(STORED_COLUMNS)
        self.handshakes = evidence.handshakes.columns(STORED_COLUMNS)
        self.suspects["effective"] = effective_residual(self.suspects)
        open_: U8 = np.zeros(len(self.suspects["capture"]), np.uint8)
        for slot, bit in SLOT_BIT.items():
            open_ |= (self.suspects[f"{slot}_status"] == Status.INVALID) * bit
        self.suspects["open"] = open_
        #: The errors found so far, and for each suspect the number of the one it is part of, or -1.
        self.errors: list[Finding] = []
        self.blame: I64 = np.full(open_.size, -1, np.int64)
        #: Capture and address of nodes that were found to send wrongly translated packets.
        self.translating: set[tuple[int, int, int]] = set()

    def still_open(self, slot: str) -> Bool:
        """Return which suspects have a wrong, unexplained checksum in a slot."""
        return np.asarray((self.suspects["open"] & SLOT_BIT[slot]) != 0)

    def claim(self, rows: I64, *slots: str) -> None:
        """Mark checksums as explained."""
        for slot in slots:
            self.suspects["open"][rows] &= ~SLOT_BIT[slot]

    def capture_evidence(self) -> Iterator[tuple[int, CaptureEvidence]]:
        """Yield number and evidence of each capture that has frames."""
        yield from sorted(self.evidence.captures.items())

    def showing(self, name: str) -> Iterator[tuple[int, CaptureEvidence, Occurrences]]:
        """Yield number and evidence of each capture in which something was seen, and what was seen.

        Parameters
        ----------
        name : str
            The attribute of `CaptureEvidence` that is not to be empty.
        """
        for number, capture in self.capture_evidence():
            seen: Occurrences = getattr(capture, name)
            if seen.frames:
                yield number, capture, seen

    @cached_property
    def _path_labels(self) -> tuple[I64, dict[int, PairKey]]:
        """The number of the path of each suspect, and the paths by number."""
        s = self.suspects
        vxlan = s["kind"] == Kind.VXLAN
        ends = (s["outer_src"] * vxlan[:, None], s["outer_dst"] * vxlan[:, None])
        labels = group_labels(s["capture"], *ends, s["outer_dport"] * vxlan)
        numbers: dict[PairKey, int] = {}
        for rows in grouped(labels):
            number = numbers.setdefault(self._path_of(int(rows[0])), len(numbers))
            labels[rows] = -1 - number
        return -1 - labels, {number: key for key, number in numbers.items()}

    def by_path(self, rows: I64) -> Iterator[tuple[PairKey, I64]]:
        """Yield suspects by path, the path of the first row first."""
        labels, keys = self._path_labels
        for members in grouped(labels[rows]):
            yield keys[int(labels[rows[members[0]]])], rows[members]

    def _path_of(self, row: int) -> PairKey:
        capture = int(self.suspects["capture"][row])
        if self.suspects["kind"][row] != Kind.VXLAN:
            return plain_key(capture)
        source = self.suspects["outer_src"][row].tolist()
        destination = self.suspects["outer_dst"][row].tolist()
        key = (capture, *source, *destination, int(self.suspects["outer_dport"][row]))
        return key if key in self.evidence.paths else overflow_key(capture)

    def places(self, *slots: str) -> Iterator[Place]:
        """Yield the paths with unexplained checksums in some slots, in order of appearance.

        Addresses in a header whose own checksum is wrong are not to be believed; such frames
        belong to no place here.
        """
        for slot in slots:
            trusted = self.still_open(slot) & ~self.still_open("outer_ip")
            for key, rows in self.by_path(np.flatnonzero(trusted)):
                if key == overflow_key(key[0]):
                    continue  # many pairs together say nothing of one of them
                yield Place(key, self.evidence.paths.get(key, Path()), slot, rows)

    def transport_rows(self, rows: I64) -> Bool:
        """Return which suspects have an inner TCP or UDP header."""
        protocol = self.column("inner_protocol", rows)
        transport: Bool = (protocol == IPPROTO_TCP) | (protocol == IPPROTO_UDP)
        transport &= self.column("inner_l4_status", rows) != Status.ABSENT
        return transport

    def column(self, name: str, rows: I64) -> AnyArray:
        """Return a column of some suspects."""
        return self.suspects[name][rows]

    def residual(self, slot: str, rows: I64) -> U16:
        """Return the residuals of some suspects as they will be on the wire."""
        return self.column("effective" if slot == "outer_udp" else f"{slot}_residual", rows)

    def expected(self, slot: str, rows: I64) -> U16:
        """Return what the checksums of some suspects should be on the wire."""
        udp = (slot == "outer_udp") | (self.column("inner_protocol", rows) == IPPROTO_UDP)
        found = self.column(f"{slot}_found", rows)
        return expected_field(found, self.residual(slot, rows), udp=udp & (slot[-3:] != "_ip"))

    def layer_names(self, rows: I64) -> dict[str, int]:
        """Return how many of some suspects have an open checksum in each layer."""
        out = {}
        for layer in LAYERS.values():
            mask = (self.column("open", rows) & SLOT_BIT[layer.slot]) != 0
            mask &= self.column("kind", rows) == layer.kind
            if layer.protocol is not None:
                mask &= self.column("inner_protocol", rows) == layer.protocol
            if mask.any():
                out[layer.name] = int(mask.sum())
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
        capture = int(self.column("capture", rows)[0])
        finding = self.finding_about(
            rule,
            capture,
            self.column("frame_number", rows),
            self.column("timestamp", rows),
            confidence=confidence,
            explanation=explanation,
            evidence=evidence,
            remedies=remedies,
            severity=severity,
        )
        if finding.severity == Severity.ERROR:
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
        frames, listed, first, last = place_in_time(numbers, times, self.evidence.listed)
        finding = Finding(
            rule=rule,
            severity=rule.severity if severity is None else severity,
            confidence=confidence,
            capture=self.captures[capture].name,
            capture_number=capture,
            frames=frames,
            frame_numbers=listed,
            first_frame=int(numbers.min()),
            last_frame=int(numbers.max()),
            first_timestamp=first,
            last_timestamp=last,
            explanation=explanation,
            evidence=evidence,
            remedies=remedies,
        )
        if finding.severity == Severity.ERROR:
            self.errors.append(finding)
        return finding

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
        return Finding(
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
