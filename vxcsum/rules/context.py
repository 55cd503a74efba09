"""What a rule is given: the evidence, what the user knows, and which frames are unexplained yet."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.checksum.table import STORED_COLUMNS
from vxcsum.packet.columns import SLOTS, Kind
from vxcsum.rules.base import Confidence, Finding, Remedy, Rule, Severity, place_in_time
from vxcsum.rules.evidence import ICMP, OTHER, TRANSPORT, Evidence, Pair, effective_residual

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vxcsum.packet.columns import I64, U8, U16, AnyArray, Bool
    from vxcsum.rules.evidence import Occurrences, PairKey

Network = IPv4Network | IPv6Network

#: One bit per slot: which checksums of a suspect are wrong and unexplained.
SLOT_BIT = {slot: np.uint8(1 << number) for number, slot in enumerate(SLOTS)}


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
class PairCase:
    """The suspects with a wrong outer checksum between one pair of outer addresses."""

    key: PairKey
    pair: Pair
    rows: I64  # into the suspects, inner TCP or UDP
    other_rows: I64  # inner ICMP, ARP and the rest

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

    def count(self, classes: Sequence[int], *statuses: Status) -> int:
        """Return how many frames of some classes have one of some outer statuses."""
        return int(self.pair.counts[np.ix_(list(classes), list(statuses))].sum())

    @property
    def spared(self) -> int:
        """Frames with inner ICMP or no transport whose outer checksum is right."""
        return self.count((ICMP, OTHER), Status.VALID, Status.PARTIAL)

    @property
    def zero(self) -> int:
        """Frames without an outer checksum."""
        return self.count((TRANSPORT, ICMP, OTHER), Status.ZERO)

    @property
    def summed(self) -> int:
        """Frames with a right, non-zero outer checksum."""
        return self.count((TRANSPORT, ICMP, OTHER), Status.VALID, Status.PARTIAL)


class Context:
    """Evidence prepared for the rules.

    Attributes
    ----------
    suspects : dict of columns
        Frames with at least one invalid checksum; ``open`` has a bit for each slot that is wrong
        and that no rule has claimed yet, ``effective`` the outer residual once a partial inner
        checksum is finished.
    """

    def __init__(
        self,
        evidence: Evidence,
        captures: Sequence[CaptureFacts],
        *,
        ports: Sequence[int],
        pre_nat: Sequence[Network] = (),
    ) -> None:
        self.evidence = evidence
        self.captures = captures
        self.ports = ports
        self.pre_nat = tuple(pre_nat)
        self.suspects = evidence.suspects.columns(STORED_COLUMNS)
        self.handshakes = evidence.handshakes.columns(STORED_COLUMNS)
        self.suspects["effective"] = effective_residual(self.suspects)
        open_: U8 = np.zeros(len(self.suspects["capture"]), np.uint8)
        for slot, bit in SLOT_BIT.items():
            open_ |= (self.suspects[f"{slot}_status"] == Status.INVALID) * bit
        self.suspects["open"] = open_

    def still_open(self, slot: str) -> Bool:
        """Return which suspects have a wrong, unexplained checksum in a slot."""
        return np.asarray((self.suspects["open"] & SLOT_BIT[slot]) != 0)

    def claim(self, rows: I64, *slots: str) -> None:
        """Mark checksums as explained."""
        for slot in slots:
            self.suspects["open"][rows] &= ~SLOT_BIT[slot]

    def pair_cases(self) -> Iterator[PairCase]:
        """Yield the pairs of outer addresses with unexplained outer checksums, in order."""
        rows = np.flatnonzero(self.still_open("outer_udp"))
        s = self.suspects
        transport = np.isin(s["inner_protocol"], (6, 17)) & (s["inner_l4_status"] != Status.ABSENT)
        groups: dict[PairKey, list[int]] = {}
        for row in rows.tolist():
            source, destination = s["outer_src"][row].tolist(), s["outer_dst"][row].tolist()
            groups.setdefault((int(s["capture"][row]), *source, *destination), []).append(row)
        for key, members in groups.items():
            index = np.array(members)
            yield PairCase(
                key=key,
                pair=self.evidence.pairs.get(key, Pair()),
                rows=index[transport[index]],
                other_rows=index[~transport[index]],
            )

    def column(self, name: str, rows: I64) -> AnyArray:
        """Return a column of some suspects."""
        return self.suspects[name][rows]

    def expected(self, rows: I64) -> U16:
        """Return the outer checksums of some suspects as they should be on the wire."""
        field = self.column("outer_udp_found", rows).astype(np.int64)
        value = (field - self.column("effective", rows)) % 0xFFFF
        return np.where(value == 0, 0xFFFF, value).astype(np.uint16)

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
        numbers = self.column("frame_number", rows)
        frames, listed, first, last = place_in_time(numbers, self.column("timestamp", rows))
        return Finding(
            rule=rule,
            severity=rule.severity if severity is None else severity,
            confidence=confidence,
            capture=self.captures[int(self.column("capture", rows)[0])].name,
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

    def is_vxlan(self, rows: I64) -> Bool:
        """Return which suspects are VXLAN frames."""
        return np.asarray(self.column("kind", rows) == Kind.VXLAN)


def occurrence_finding(
    context: Context,
    rule: Rule,
    capture: int,
    seen: Occurrences,
    *,
    confidence: Confidence,
    explanation: str,
    evidence: dict[str, Any],
    remedies: tuple[Remedy, ...] = (),
) -> Finding:
    """Return a finding about frames that were only counted."""
    return Finding(
        rule=rule,
        severity=rule.severity,
        confidence=confidence,
        capture=context.captures[capture].name,
        frames=seen.frames,
        frame_numbers=list(seen.numbers),
        first_frame=seen.numbers[0] if seen.numbers else None,
        last_frame=seen.last_frame,
        first_timestamp=seen.first_timestamp,
        last_timestamp=seen.last_timestamp,
        explanation=explanation,
        evidence=evidence,
        remedies=remedies,
    )
