"""What is right beside the wrong checksums: by path, by capture, by flow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.evidence.captures import ETHERNET_FRAME
from vxcsum.evidence.census import NONE, SHAPE, TCP
from vxcsum.evidence.right import mixed
from vxcsum.packet.columns import Kind
from vxcsum.packet.protocols import IPPROTO_TCP
from vxcsum.rules.case import INNER
from vxcsum.rules.scope import PING, Kinds, octets_of_segment

if TYPE_CHECKING:
    from vxcsum.evidence.evidence import Evidence
    from vxcsum.flow.table import FlowTable
    from vxcsum.packet.columns import I64, U64, AnyArray
    from vxcsum.rules.case import Case
    from vxcsum.rules.scope import Scope

_VERSIONS = np.array([0, 4, 6])


class Beside(Protocol):
    """Right observations of one slot."""

    def by_path(self, scope: Scope) -> AnyArray:
        """Return how many there are in each path of the evidence, ``float64[paths]``."""
        ...

    def at(self, case: Case, scope: Scope, *, whole: bool) -> AnyArray:
        """Return how many there are at each place; ``whole``: in its whole capture."""
        ...

    def of_flows(
        self, case: Case, flows: I64, where: I64, scope: Scope
    ) -> tuple[AnyArray, AnyArray]:
        """Return how many some flows have, by place, and how many flows there are in all."""
        ...


class _ByPath:
    """What both slots share."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self._captures = np.array([key.capture for key in evidence.paths.keys], np.int64)
        self._known: dict[Scope, AnyArray] = {}

    def by_path(self, scope: Scope) -> AnyArray:
        """Return how many there are in each path."""
        if scope not in self._known:
            self._known[scope] = self._count(scope)
        return self._known[scope]

    def _count(self, scope: Scope) -> AnyArray:
        raise NotImplementedError

    def at(self, case: Case, scope: Scope, *, whole: bool) -> AnyArray:
        """Return how many there are at each place."""
        counts = self.by_path(scope) * case.shares
        there = case.paths >= 0
        if not whole:
            return np.bincount(case.paths[there], counts[there], case.places)
        total = np.bincount(self._captures, counts)
        capture = np.zeros(case.places, np.int64)
        capture[case.paths[there]] = self._captures[there]
        out: AnyArray = total[capture] if total.size else np.zeros(case.places)
        return out


class OuterBeside(_ByPath):
    """Right outer checksums, each flow and length once."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        columns = evidence.right.columns()
        self._weight = float(1 << evidence.right.thinned)
        self.path, self.sport = columns["path"], columns["sport"]
        _, version, transport, status, inner = np.unravel_index(columns["code"], SHAPE)
        self.status, self._inner = status, inner
        self._odd = columns["length"] % 2 == 1
        # A finished one over an unfinished inner checksum is local checksum offload.
        large = columns["length"] > ETHERNET_FRAME
        unfinished = (status == Status.PARTIAL) & ((inner != Status.PARTIAL) | large)
        length = columns["length"]
        self.kinds = Kinds.of_right(transport, _VERSIONS[version], length, unfinished)
        self.flow = self.path << 16 | self.sport
        size = len(evidence.paths.keys)
        zero = status == Status.ZERO
        #: Right observations of each path without an outer checksum, and with one.
        self.zeros = np.bincount(self.path[zero], minlength=size)
        self.sums = np.bincount(self.path[~zero], minlength=size)
        #: Octets of the largest right inner TCP segment of each path.
        self.largest_right: I64 = np.zeros(size, np.int64)
        tcp = (transport == TCP) & (inner == Status.VALID)
        segment = octets_of_segment(length[tcp], self.kinds.version[tcp])
        np.maximum.at(self.largest_right, self.path[tcp], segment)

    def _count(self, scope: Scope) -> AnyArray:
        paths = self.path[scope.holds(self.kinds)]
        return np.bincount(paths, minlength=len(self.evidence.paths.keys)) * self._weight

    def odd(self, case: Case) -> AnyArray:
        """Return the share of odd lengths where the checksum of a case is right, by place."""
        right = (self._inner if case.slot == INNER else self.status) == Status.VALID
        size, there = len(self.evidence.paths.keys), case.paths >= 0
        odd, every = (
            np.bincount(
                case.paths[there], np.bincount(self.path[mine], minlength=size)[there], case.places
            )
            for mine in (right & self._odd, right)
        )
        # Outside of tunnels no lengths are kept.
        out: AnyArray = np.where(every > 0, odd / np.maximum(every, 1), 0.5)
        return out

    def of_flows(
        self, case: Case, flows: I64, where: I64, scope: Scope
    ) -> tuple[AnyArray, AnyArray]:
        """Return how many some outer flows have, by place, and how many flows there are."""
        mine = np.flatnonzero(scope.holds(self.kinds))
        keys = case.context.flow_keys[flows]
        here = self.flow[mine]
        counts = np.searchsorted(here, keys, "right") - np.searchsorted(here, keys, "left")
        spared = np.bincount(where, counts * self._weight, case.places)
        others = np.unique(here)
        others = others[~np.isin(others, keys)]
        place = case.paths[others >> 16]
        weight = case.shares[others >> 16][place >= 0] * self._weight
        every = np.bincount(place[place >= 0], weight, case.places)
        every += np.bincount(where, minlength=case.places)
        return spared, every


class InnerBeside(_ByPath):
    """Right inner checksums, as many as differ."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        path, code, frames = evidence.paths.cells()
        _, version, transport, _, status = np.unravel_index(code, SHAPE)
        right = (status == Status.VALID) & (transport != NONE)
        self._path, self._frames = path[right], frames[right]
        empty = np.zeros(int(right.sum()), np.bool_)
        self._kinds = Kinds(transport[right], _VERSIONS[version[right]], empty, empty, empty)
        self._share = evidence.variety.share
        self._flows = _Directions(evidence)

    def _count(self, scope: Scope) -> AnyArray:
        paths = len(self.evidence.paths.keys)
        total = np.zeros(paths)
        if scope.payload and TCP in scope.transports:
            flows = self._flows
            total += np.bincount(flows.path, flows.data, paths)
            scope = replace(scope, transports=scope.transports - {TCP}, payload=False)
        mask = scope.holds(self._kinds)
        total += np.bincount(self._path[mask], self._frames[mask], paths)
        return total * self._share

    def of_flows(
        self, case: Case, flows: I64, where: I64, scope: Scope
    ) -> tuple[AnyArray, AnyArray]:
        """Return how many some connections have, by place, and how many connections there are."""
        table = self._flows
        keys = case.context.connection_keys[flows]
        counts = table.data if scope.payload else table.right
        total = np.concatenate(([0.0], np.cumsum(counts)))
        low, high = (
            np.searchsorted(table.key, keys, "left"),
            np.searchsorted(table.key, keys, "right"),
        )
        spared = np.bincount(where, (total[high] - total[low]) * self._share, case.places)
        place = case.paths[table.path]
        weight = case.shares[table.path][place >= 0]
        every = np.bincount(place[place >= 0], weight, case.places)
        picked = np.bincount(where, minlength=case.places)
        if scope.transports <= PING:  # these are in no table of connections
            every = picked + self.at(case, scope, whole=False)
        return spared, np.maximum(every, picked)


class _Directions:
    """Each direction of each connection: its path, and how many right packets it has."""

    def __init__(self, evidence: Evidence) -> None:
        flows = evidence.connections.table
        parts = [self._one(evidence, flows, end) for end in (0, 1)]
        key, path, right, data = (
            np.concatenate([part[n] for part in parts]) for n in range(len(parts[0]))
        )
        order = np.argsort(key, kind="stable")
        self.key: U64 = key[order]
        self.path: I64 = path[order]
        self.right: AnyArray = right[order]
        self.data: AnyArray = data[order]

    @staticmethod
    def _one(evidence: Evidence, flows: FlowTable, end: int) -> tuple[AnyArray, ...]:
        address, port = flows.field("address"), flows.field("port")
        sent = flows.field("from")[:, end]
        keys = connection_keys(
            flows.field("capture"),
            address[:, end],
            address[:, 1 - end],
            port[:, end],
            port[:, 1 - end],
        )
        there = sent["frames"] > 0
        other = sent["invalid"].astype(np.int64) + sent["partial"]
        right = np.maximum(sent["data_frames"] - other, 0)
        data = np.minimum(sent["valid"], right).astype(np.float64)
        data *= flows.field("protocol") == IPPROTO_TCP
        path = _paths_of(evidence, flows, end)
        there &= path >= 0
        return keys[there], path[there], sent["valid"][there].astype(np.float64), data[there]


def _paths_of(evidence: Evidence, flows: FlowTable, end: int) -> I64:
    """Return the path that each connection takes in one direction, -1 where it is not known."""
    numbers: dict[tuple[int, ...], int] = {}
    plain: dict[int, int] = {}
    for number, key in enumerate(evidence.paths.keys):
        if key.kind == "tunnel":
            numbers[(key.capture, *key.source, *key.destination, key.port)] = number
        elif key.kind == "plain":
            plain[key.capture] = number
    ends = (flows.field("outer_src"), flows.field("outer_dst"))
    source, destination = ends if end == 0 else ends[::-1]
    columns = (
        flows.field("capture").tolist(),
        source.tolist(),
        destination.tolist(),
        flows.field("outer_dport").tolist(),
        (flows.field("kind") == Kind.VXLAN).tolist(),
    )
    out = [
        numbers.get((capture, *src, *dst, port), -1) if tunnel else plain.get(capture, -1)
        for capture, src, dst, port, tunnel in zip(*columns, strict=True)
    ]
    return np.array(out, np.int64)


def connection_keys(
    capture: AnyArray, source: AnyArray, destination: AnyArray, sport: AnyArray, dport: AnyArray
) -> U64:
    """Return a number for each row that tells inner connections apart, in one direction."""
    key: U64 = capture.astype(np.uint64)
    for address in (source, destination):
        for half in (0, 1):
            key = mixed(key ^ address[:, half])
    key ^= sport.astype(np.uint64) << np.uint64(16)
    key ^= dport
    return mixed(key)
