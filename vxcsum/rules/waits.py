"""Who waited for a connection, for how long, and whether a wrong checksum was the cause."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.grouping import group_labels, grouped
from vxcsum.evidence.evidence import MAX_WAITS
from vxcsum.flow.records import COPY_NANOSECONDS
from vxcsum.flow.table import FlowState
from vxcsum.packet.columns import Direction, Kind
from vxcsum.rules import prices
from vxcsum.rules.blame import Blame
from vxcsum.rules.connections import endpoint
from vxcsum.rules.model import Severity, address_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vxcsum.flow.table import FlowTable
    from vxcsum.packet.columns import I64, AnyArray
    from vxcsum.rules.context import Context
    from vxcsum.rules.model import Finding

#: A finding lists at most this many connections.
MAX_LISTED = 20


@dataclass(frozen=True, slots=True)
class Wait:
    """A connection whose SYN had to be repeated."""

    capture: int
    kind: Kind
    isn: int
    nodes: tuple[str, str] | None  # outer addresses of client and server
    vni: int
    client: str
    server: str
    times: tuple[int, ...]  # ns, of the SYNs until it was established
    frames: tuple[int, ...]
    outer_ports: tuple[int, ...]
    established: int | None
    refused: bool
    answered: bool
    cause: Finding | None
    covered: int  # failed attempts with a wrong checksum
    unverified: int  # attempts with a checksum that could not be verified
    unfinished: bool  # sums left to a device, and nothing shows on which side of it this is

    @property
    def failed(self) -> int:
        """SYNs that brought nothing."""
        return len(self.times) - (self.established is not None)

    @property
    def delay(self) -> float:
        """Seconds from the first SYN until established, or to the last SYN."""
        end = self.times[-1] if self.established is None else self.established
        return round((end - self.times[0]) / 1e9, 6)

    @property
    def offsets(self) -> list[float]:
        """Seconds of the SYNs after the first."""
        return [round((time - self.times[0]) / 1e9, 6) for time in self.times]

    @property
    def port_changed(self) -> bool:
        """Whether all that failed had one outer source port, and what got through another one.

        Where the checksum gives away the port before NAT, it has to be that one.
        """
        failed = set(self.outer_ports[: self.failed])
        if self.nodes is None or self.established is None or self.failed < 2 or len(failed) > 1:
            return False
        last = self.outer_ports[-1]
        mappings = [] if self.cause is None else self.cause.evidence.get("mappings", [])
        known = {
            mapping["pre_nat_source_port"]
            for mapping in mappings
            if mapping["post_nat_source_port"] in failed
        } - {None}
        return last not in failed and (not known or last in known)

    @property
    def timing(self) -> str:
        """How the pauses between SYNs grow."""
        pauses = [b - a for a, b in pairwise(self.times)]
        steps = [b / a for a, b in pairwise(pauses) if a > 0]
        even = 0
        while even < len(steps) and 1 / prices.SAME_PAUSE < steps[even] < prices.SAME_PAUSE:
            even += 1
        rest = steps[even:]
        doubling = all(2 / prices.SAME_PAUSE < step < 2 * prices.SAME_PAUSE for step in rest)
        if not steps or not doubling:
            return "irregular" if steps else "one repetition"
        if even and rest:
            return "linear, then exponential backoff"
        return "linear backoff" if even else "exponential backoff"

    def to_dict(self) -> dict[str, Any]:
        """Return what the report says of it."""
        return {
            "client": self.client,
            "server": self.server,
            "delay_seconds": self.delay,
            "syn_offsets": self.offsets,
            "cause": None if self.cause is None else self.cause.code,
        }


def find_waits(context: Context) -> list[Wait]:
    """Return the connections whose SYN was repeated, each once, in the order of their first SYN.

    The same connection seen at several interfaces is told from where it is seen inside VXLAN.
    """
    flows = context.evidence.connections.table
    rows = np.flatnonzero((flows.field("begun") == 1) & (flows.field("syns") > 1))
    if rows.size > MAX_WAITS:
        lasted = flows.field("last_syn")[rows] - flows.field("first")[rows]
        rows = np.sort(rows[np.argsort(-lasted, kind="stable")[:MAX_WAITS]])
    if not rows.size:
        return []
    some = flows[rows]
    ends = (some.field(name) for name in ("capture", "address", "port", "isn"))
    labels = group_labels(*(column.reshape(rows.size, -1) for column in ends))
    syns = context.evidence.connections.syns
    syns = syns[np.argsort(syns["connection"], kind="stable")]
    errors = Blame(context)
    return _seen_once([_wait(some, rows, members, syns, errors) for members in grouped(labels)])


def _seen_once(waits: list[Wait]) -> list[Wait]:
    """Leave out what is seen before NAT and again inside the tunnel: the same SYN, other ends."""
    inside: dict[tuple[int, int], list[int]] = {}
    for wait in waits:
        if wait.kind == Kind.VXLAN:
            inside.setdefault((wait.capture, wait.isn), []).append(wait.times[0])
    for times in inside.values():
        times.sort()

    def again(wait: Wait) -> bool:
        times = inside.get((wait.capture, wait.isn), [])
        after = bisect_right(times, wait.times[0] - COPY_NANOSECONDS)
        return after < len(times) and times[after] < wait.times[0] + COPY_NANOSECONDS

    return [wait for wait in waits if wait.kind == Kind.VXLAN or not again(wait)]


def _wait(some: FlowTable, rows: I64, members: I64, syns: AnyArray, errors: Blame) -> Wait:
    kinds, losses = some.field("kind")[members], some.field("lost_syns")[members]
    best = int(members[np.lexsort((members, -losses.astype(np.int64), kinds != Kind.VXLAN))[0]])
    states = {FlowState(state) for state in some[members]["state"].tolist()}
    ends = some.field("established")[members]
    ends = ends[ends != np.iinfo(np.int64).min]
    established = int(ends.min()) if ends.size else None

    mine = slice(*np.searchsorted(syns["connection"], [rows[best], rows[best] + 1]).tolist())
    times = [int(some.field("first")[best]), *syns["timestamp"][mine].tolist()]
    frames = [int(some.field("first_frame")[best]), *syns["frame_number"][mine].tolist()]
    ports = [int(some.field("outer_sport")[best]), *syns["outer_sport"][mine].tolist()]
    count = len(times)
    if established is not None:
        count = max(1, sum(time <= established for time in times))
    vxlan = kinds[members.tolist().index(best)] == Kind.VXLAN
    one = some[best]
    nodes = tuple(address_text(one.field(name)[0]) for name in ("outer_src", "outer_dst"))
    address, port = one.field("address")[0], one.field("port")[0]
    failed = count - (established is not None)
    attempts = list(zip(times[:failed], frames[:failed], strict=True))
    cause, covered = errors.cause_of(one, attempts, established)
    sent = one.field("from")[0, 0]
    return Wait(
        capture=int(one.field("capture")[0]),
        kind=Kind.VXLAN if vxlan else Kind.PLAIN,
        isn=int(one.field("isn")[0]),
        nodes=(nodes[0], nodes[1]) if vxlan else None,
        vni=int(one.field("vni")[0]),
        client=endpoint(address[0], port[0]),
        server=endpoint(address[1], port[1]),
        times=tuple(times[:count]),
        frames=tuple(frames[:count]),
        outer_ports=tuple(ports[:count]),
        established=established,
        refused=FlowState.REFUSED in states,
        answered=bool(one.field("syn_acks")[0]),
        cause=cause,
        covered=covered,
        unverified=errors.unverified(int(one.field("capture")[0]), frames[:failed]),
        unfinished=bool(sent["partial"] >= failed and sent["directions"] == 1 << Direction.UNKNOWN),
    )


def by_place(waits: Sequence[Wait]) -> list[list[Wait]]:
    """Return waits by capture, pair of nodes and cause, the longest of each group first."""
    groups: dict[tuple[Any, ...], list[Wait]] = {}
    for wait in waits:
        cause = None if wait.cause is None else wait.cause.code
        groups.setdefault((wait.capture, wait.nodes, cause), []).append(wait)
    return [sorted(group, key=lambda wait: -wait.delay) for group in groups.values()]


def severity_of(group: Sequence[Wait], usual: Severity) -> Severity:
    """Return the severity of waits: an error where an error caused them."""
    return usual if group[0].cause is None else Severity.ERROR


def evidence_of(group: Sequence[Wait]) -> dict[str, Any]:
    """Return what is known of the longest wait, and a list of the others."""
    longest = group[0]
    out = longest.to_dict()
    out |= {
        "failed_attempts": longest.failed,
        "failed_with_wrong_checksum": longest.covered,
        "timing": longest.timing,
        "waiting_connections": len(group),
        "waiting": [wait.to_dict() for wait in group[:MAX_LISTED]],
    }
    if longest.nodes is not None:
        out |= {
            "client_node": longest.nodes[0],
            "server_node": longest.nodes[1],
            "vni": longest.vni,
            "outer_source_ports": list(longest.outer_ports),
            "conntrack_expiry": longest.port_changed,
        }
    return out


def numbers_of(group: Sequence[Wait]) -> tuple[I64, AnyArray]:
    """Return frame numbers and times of the SYNs."""
    frames = np.array([frame for wait in group for frame in wait.frames], np.int64)
    times = np.array([time for wait in group for time in wait.times], np.int64)
    return frames, times.view("M8[ns]")


def why(wait: Wait) -> str:
    """Say in a sentence or two what kept the SYNs from being answered."""
    if wait.cause is not None:
        said = (
            f"{wait.covered} of the {wait.failed} attempts that failed had a wrong checksum: "
            f"{wait.cause.code} {wait.cause.rule.name} is the cause."
        )
        if wait.port_changed:
            said += (
                f" All of them left from outer source port {wait.outer_ports[0]}, and the one "
                f"that got through from {wait.outer_ports[-1]}: the NAT mapping had expired in "
                "conntrack."
            )
        elif len(set(wait.outer_ports)) > 1:
            said += " The outer source port changed on the way, which makes a new NAT mapping."
        return said
    if wait.covered:
        return (
            f"{wait.covered} of the {wait.failed} attempts that failed had a wrong checksum; the "
            "others were lost, filtered, or answered late, so checksums are not the whole cause."
        )
    if wait.unverified:
        return (
            f"Whether their checksums are right cannot be told: {wait.unverified} of them could "
            "not be verified. Capture whole frames."
        )
    if wait.kind == Kind.PLAIN:
        return (
            "No wrong checksum is seen in them; what the tunnel makes of them is not in this "
            "capture, so capture on the underlay device as well."
        )
    if wait.unfinished:
        return (
            "Their checksums are unfinished: before the sender's device they have to be, at the "
            "receiver it would be the cause. --vantage says where this was captured."
        )
    return (
        "No wrong checksum is seen in them: they were lost, filtered, or answered late. Checksums "
        "are not the cause as far as this capture shows."
    )
