"""What laws look up of ports, and of the same handshake elsewhere."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.algebra import address_sum
from vxcsum.checksum.status import Status
from vxcsum.rules import prices
from vxcsum.rules.beside import connection_keys
from vxcsum.rules.prepared import Prepared

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64, U64, AnyArray, Bool
    from vxcsum.rules.case import Case
    from vxcsum.rules.prepared import Address

_MAX_TWINS = 16


class Ports(Prepared):
    """Indexes over source ports and handshakes, each made when it is first asked for."""

    @cached_property
    def _ports_of_nodes(self) -> dict[tuple[int, Address], tuple[int, int, int, int]]:
        """Lowest and highest right source port of a node, how many there are, how many usual."""
        beside = self.outer_beside
        flows = np.unique(beside.flow)
        path, port = flows >> 16, flows & 0xFFFF
        usual = (port >= prices.TUNNEL_PORTS.start) & (port < prices.TUNNEL_PORTS.stop)
        out: dict[tuple[int, Address], tuple[int, int, int, int]] = {}
        keys = self.evidence.paths.keys
        paths, first = np.unique(path, return_index=True)
        ends = [*first[1:].tolist(), path.size][: first.size]
        for number, start, end in zip(paths.tolist(), first.tolist(), ends, strict=True):
            mine, ok = port[start:end], usual[start:end]
            node = (keys[number].capture, keys[number].source)
            low, high, many, good = out.get(node, (65535, 0, 0, 0))
            out[node] = (
                min(low, int(mine.min())),
                max(high, int(mine.max())),
                many + mine.size,
                good + int(ok.sum()),
            )
        return out

    def _node_ports(self, name: int) -> tuple[int, int, int, int]:
        if name < 0:
            return 65535, 0, 0, 0
        key = self.evidence.paths.keys[name]
        return self._ports_of_nodes.get((key.capture, key.source), (65535, 0, 0, 0))

    def usual_port(self, case: Case, port: I64) -> Bool:
        """Return which ports are in the range that their sender takes, where it is another one."""
        low, high = np.full(case.places, 65536), np.full(case.places, -1)
        for place, name in enumerate(case.names.tolist()):
            least, most, many, usual = self._node_ports(name)
            if many >= prices.MANY_PORTS and 2 * usual < many:
                low[place], high[place] = least, most
        inside: Bool = (port >= low[case.place]) & (port <= high[case.place])
        return inside

    def right_ports_inside(self, case: Case) -> AnyArray:
        """Return how many right ports a node uses, 0 where one is outside of the usual range."""
        out = np.zeros(case.places)
        for place, name in enumerate(case.names.tolist()):
            _, _, many, usual = self._node_ports(name)
            out[place] = many if many == usual else 0
        return out

    @cached_property
    def _right_handshakes(self) -> tuple[U64, I64, I64, I64]:
        """Inner connection, outer source port and sum, and row of right SYNs, by connection."""
        shakes = self.handshakes
        status = shakes["outer_udp_status"]
        right = np.flatnonzero((status == Status.VALID) | (status == Status.PARTIAL))
        ends = (shakes[n][right] for n in ("inner_src", "inner_dst", "inner_sport", "inner_dport"))
        keys = connection_keys(shakes["capture"][right], *ends)
        order = np.argsort(keys, kind="stable")
        sums = address_sum(shakes["outer_src"][right]).astype(np.int64)
        ports = shakes["outer_sport"][right][order].astype(np.int64)
        return keys[order], ports, sums[order], right[order]

    def right_before(self, case: Case, port: I64, hint: AnyArray | None) -> AnyArray:
        """Return for each row among how many right ports of its connection a port is, or 0."""
        keys, ports, sums, _ = self._right_handshakes
        out = np.zeros(case.rows.size)
        if not keys.size:
            return out
        own = address_sum(case.column("outer_src")).astype(np.int64)
        wanted = own if hint is None else hint[case.place]
        mine = case.context.connection_keys[case.context.flows("inner_l4")[case.rows]]
        low, high = np.searchsorted(keys, mine, "left"), np.searchsorted(keys, mine, "right")
        for row in np.flatnonzero(high > low).tolist():
            some = slice(int(low[row]), int(high[row]))
            if ((ports[some] == port[row]) & (sums[some] == wanted[row])).any():
                out[row] = np.unique(ports[some]).size
        return out

    def right_twins(self, case: Case, at: I64) -> tuple[I64, I64, I64, I64, I64]:
        """Return right packets with the same SYN as some rows of a case.

        Returns
        -------
        at, sum, port, row, number : int64[m]
            Row of the case, sum of the twin's outer source, its outer port, its row among the
            handshakes, and how many twins the row has.
        """
        keys, ports, sums, rows = self._right_handshakes
        mine = case.context.connection_keys[case.context.flows("inner_l4")[case.rows[at]]]
        low, high = np.searchsorted(keys, mine, "left"), np.searchsorted(keys, mine, "right")
        number = np.minimum(high - low, _MAX_TWINS)
        of = np.repeat(np.arange(at.size), number)
        twin = (
            np.repeat(low, number)
            + np.arange(of.size)
            - np.repeat(np.cumsum(number) - number, number)
        )
        s, shakes = self.suspects, self.handshakes
        suspect, row = case.rows[at[of]], rows[twin]
        same = shakes["tcp_seq"][row] == s["tcp_seq"][suspect]
        same &= (shakes["tcp_flags"][row] & np.uint8(0x17)) == s["tcp_flags"][suspect]
        twins = np.bincount(of[same], minlength=at.size)
        return at[of[same]], sums[twin[same]], ports[twin[same]], row[same], twins[of[same]]

    def handshakes_of(self, suspect: int) -> I64:
        """Return the handshakes of the inner connection of a suspect, in the same direction."""
        s, one = self.suspects, np.array([suspect])
        names = ("inner_src", "inner_dst", "inner_sport", "inner_dport")
        mine = connection_keys(s["capture"][one], *(s[n][one] for n in names))[0]
        return np.flatnonzero(self._handshake_keys == mine)

    @cached_property
    def _handshake_keys(self) -> U64:
        names = ("inner_src", "inner_dst", "inner_sport", "inner_dport")
        return connection_keys(self.handshakes["capture"], *(self.handshakes[n] for n in names))

    def handshake_source(self, row: int) -> tuple[tuple[int, int], int]:
        """Return outer source and port of a right handshake, by its place among these."""
        high, low = self.handshakes["outer_src"][row].tolist()
        return (high, low), int(self.handshakes["outer_sport"][row])
