"""The evidence in columns, as laws and rules read it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from vxcsum.checksum.algebra import expected_field
from vxcsum.checksum.status import Status
from vxcsum.evidence.census import ICMP, ICMPV6, NONE, TCP, UDP
from vxcsum.packet.columns import SLOTS
from vxcsum.packet.protocols import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP
from vxcsum.rules.beside import Beside, InnerBeside, OuterBeside, connection_keys
from vxcsum.rules.case import INNER, OUTER, Case
from vxcsum.rules.nat import is_ipv4
from vxcsum.rules.scope import PING, Kinds, Scope

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Network, IPv6Network

    from vxcsum.evidence.evidence import Evidence
    from vxcsum.evidence.suspects import Doubtful
    from vxcsum.packet.columns import I64, U8, U16, U64, AnyArray, Bool
    from vxcsum.rules.model import Finding

Network: TypeAlias = "IPv4Network | IPv6Network"
Address: TypeAlias = tuple[int, int]

#: One bit per slot: which checksums of a suspect are wrong and unexplained.
SLOT_BIT = {slot: np.uint8(1 << number) for number, slot in enumerate(SLOTS)}
_KIND_OF_PROTOCOL = {
    IPPROTO_TCP: TCP,
    IPPROTO_UDP: UDP,
    IPPROTO_ICMP: ICMP,
    IPPROTO_ICMPV6: ICMPV6,
}


@dataclass(frozen=True, slots=True)
class CaptureFacts:
    """What rules may know of a capture beside its frames."""

    name: str
    frames: int
    snaplen: int
    complete: bool
    damage: str | None
    last_timestamp: int | None


class Prepared:
    """Evidence prepared for the contest and the rules.

    Attributes
    ----------
    suspects : dict of columns
        See `vxcsum.evidence.suspects`; ``open`` has a bit for each slot that is wrong and that
        nothing has explained yet.
    entries : structured array
        The frames of the suspects: ``suspect``, ``frame`` and ``time``.
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
        suspects, entries = evidence.suspects.result()
        self.suspects, self.entries = with_doubtful(suspects, entries, evidence.doubtful)
        self.doubtful: Bool = self.suspects.pop("doubtful")
        self.handshakes = evidence.handshakes.columns()
        open_: U8 = np.zeros(len(self.suspects["path"]), np.uint8)
        for slot, bit in SLOT_BIT.items():
            open_ |= (self.suspects[f"{slot}_status"] == Status.INVALID) * bit
        covered = self.suspects["inner_l4_status"] == Status.PARTIAL
        open_ |= (covered & (self.suspects["outer_udp_status"] == Status.VALID)) * SLOT_BIT[INNER]
        open_[self.doubtful] = 0
        self.suspects["open"] = open_
        #: The errors found so far, and for each suspect the number of the one it is part of, or -1.
        self.errors: list[Finding] = []
        #: Off by a constant that no law explains: left to VX600.
        self.reserved: Bool = np.zeros(open_.size, np.bool_)
        #: Frames that look unfinished by chance, and are part of a finding.
        self.joined: Bool = np.zeros(open_.size, np.bool_)
        self._exempted: dict[str, I64] = {}
        self.blame: I64 = np.full(open_.size, -1, np.int64)

    def still_open(self, slot: str) -> Bool:
        """Return which suspects have a wrong, unexplained checksum in a slot."""
        return np.asarray((self.suspects["open"] & SLOT_BIT[slot]) != 0)

    def column(self, name: str, rows: I64) -> AnyArray:
        """Return a column of some suspects."""
        return self.suspects[name][rows]

    def expected(self, slot: str, rows: I64) -> U16:
        """Return what the checksums of some suspects should be on the wire."""
        udp = (slot == OUTER) | (self.column("inner_protocol", rows) == IPPROTO_UDP)
        found, residual = (self.column(f"{slot}_{what}", rows) for what in ("found", "residual"))
        return expected_field(found, residual, udp=udp & (slot[-3:] != "_ip"))

    @cached_property
    def transport(self) -> U8:
        """What the inner packet of each suspect is, as in `vxcsum.evidence.census`."""
        out = np.full(len(self.suspects["path"]), NONE, np.uint8)
        there = self.suspects["inner_l4_status"] != Status.ABSENT
        for protocol, kind in _KIND_OF_PROTOCOL.items():
            out[there & (self.suspects["inner_protocol"] == protocol)] = kind
        return out

    @cached_property
    def _kinds(self) -> Kinds:
        return Kinds.of_suspects(self.suspects, self.transport)

    def kinds_of(self, rows: I64) -> Kinds:
        """Return what some suspects are."""
        k = self._kinds
        columns = (k.transport, k.version, k.payload, k.superframe, k.unfinished)
        return Kinds(*(column[rows] for column in columns))

    @cached_property
    def _outer_flows(self) -> tuple[I64, I64]:
        keys = self.suspects["path"] << 16 | self.suspects["outer_sport"]
        flow_keys, labels = np.unique(keys, return_inverse=True)
        return flow_keys, labels

    @property
    def flow_keys(self) -> I64:
        """The path and the source port of each outer flow, as one number."""
        return self._outer_flows[0]

    @cached_property
    def _inner_flows(self) -> tuple[U64, I64]:
        s = self.suspects
        ends = (s[name] for name in ("inner_src", "inner_dst", "inner_sport", "inner_dport"))
        keys, labels = np.unique(connection_keys(s["capture"], *ends), return_inverse=True)
        return keys, labels

    @cached_property
    def conversations(self) -> I64:
        """The inner connection of each suspect, both directions of it as one."""
        s = self.suspects
        ends = [s[name] for name in ("inner_src", "inner_dst", "inner_sport", "inner_dport")]
        there = connection_keys(s["capture"], *ends)
        back = connection_keys(s["capture"], ends[1], ends[0], ends[3], ends[2])
        labels: I64 = np.unique(there ^ back, return_inverse=True)[1]
        return labels

    @property
    def connection_keys(self) -> U64:
        """What tells each inner connection, in one direction."""
        return self._inner_flows[0]

    def flows(self, slot: str) -> I64:
        """Return the outer flow, or the inner connection, of each suspect."""
        return self._outer_flows[1] if slot == OUTER else self._inner_flows[1]

    @cached_property
    def _observations(self) -> dict[str, I64]:
        out = {}
        for slot in (OUTER, INNER):
            found, residual = (self.suspects[f"{slot}_{w}"].astype(np.int64) for w in _VALUES)
            expected = (found - residual) % 0xFFFF
            keys = self.flows(slot) << 32 | expected << 16 | found
            out[slot] = np.unique(keys, return_inverse=True)[1]
        return out

    def observations(self, slot: str) -> I64:
        """Return numbers that are the same for one flow, right checksum and found checksum."""
        return self._observations[slot]

    def slot_bit(self, slot: str) -> np.uint8:
        """Return the bit of a slot in the column ``open``."""
        return SLOT_BIT[slot]

    # What is on the paths

    @cached_property
    def outer_beside(self) -> OuterBeside:
        """What is right outside."""
        return OuterBeside(self.evidence)

    @cached_property
    def _inner_beside(self) -> InnerBeside:
        return InnerBeside(self.evidence)

    def beside(self, slot: str) -> Beside:
        """Return what is right in a slot."""
        return self.outer_beside if slot == OUTER else self._inner_beside

    @cached_property
    def frames_of_paths(self) -> I64:
        """Frames of each path."""
        path, _, frames = self.evidence.paths.cells()
        out: I64 = np.bincount(path, frames, len(self.evidence.paths.keys)).astype(np.int64)
        return out

    def histogram(self, capture: int) -> I64:
        """Return all frames of a capture, `vxcsum.evidence.census.SHAPE`."""
        keys = self.evidence.paths.keys
        return self.evidence.paths.histogram(
            [number for number, key in enumerate(keys) if key.capture == capture]
        )

    def nothing_answered(self, capture: int) -> bool:
        """Tell whether packets go one way only between nodes that talk over IPv6."""
        paths = self.evidence.paths
        tunnels = [
            (number, key)
            for number, key in enumerate(paths.keys)
            if key.capture == capture and key.kind == "tunnel" and not is_ipv4(key.source)
        ]
        zero = [
            key
            for number, key in tunnels
            if self.outer_beside.zeros[number] and not self.outer_beside.sums[number]
        ]
        return bool(zero) and all(paths.find(key.back) is None for key in zero)

    def largest_right(self, case: Case) -> I64:
        """Return the octets of the largest right TCP segment on each path of a case."""
        largest = self.outer_beside.largest_right
        out = np.zeros(case.places, np.int64)
        there = case.paths >= 0
        np.maximum.at(out, case.paths[there], largest[there])
        return out

    def right_errors(self, case: Case) -> AnyArray:
        """Return how many right ICMP messages of each place are no echo."""
        right = self.beside(INNER).at(case, Scope(PING), whole=False)
        echoes = np.zeros(len(self.evidence.paths.keys))
        for number, (requests, replies) in self.evidence.echoes.items():
            echoes[number] = requests + replies
        there = case.paths >= 0
        own = np.bincount(case.paths[there], echoes[there], case.places)
        return np.asarray(np.maximum(right - own, 0.0))

    def right_of_flows(self, flows: I64) -> int:
        """Return how many right observations some outer flows have."""
        return int(np.isin(self.outer_beside.flow, self.flow_keys[flows]).sum())


_VALUES = ("found", "residual")


def with_doubtful(
    suspects: dict[str, AnyArray], entries: AnyArray, doubtful: Doubtful
) -> tuple[dict[str, AnyArray], AnyArray]:
    """Return suspects and their frames with those that may look unfinished by chance."""
    size = len(suspects["path"])
    parts = doubtful.result()
    more = sum(len(part["path"]) for part in parts) if size else 0
    out = dict(suspects)
    if more:
        for name, column in suspects.items():
            out[name] = np.concatenate([column, *(part[name] for part in parts)])
        extra = np.zeros(more, entries.dtype)
        extra["suspect"] = size + np.arange(more)
        extra["frame"], extra["time"] = out["first_frame"][size:], out["first"][size:]
        entries = np.concatenate([entries, extra])
    out["doubtful"] = np.arange(size + more) >= size
    return out, entries
