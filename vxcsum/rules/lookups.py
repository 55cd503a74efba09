"""What rules look up: addresses by sum, connections, where a peer answers, ports of a sender."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.rules.base import address_halves, address_text
from vxcsum.rules.connections import CONNECTION_COLUMNS, connection_keys
from vxcsum.rules.nat import TUNNEL_PORTS, sum_of

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

    from vxcsum.packet.columns import I64, AnyArray
    from vxcsum.rules.context import Place
    from vxcsum.rules.evidence import Evidence, PairKey

Network: TypeAlias = "IPv4Network | IPv6Network"

_MAX_INNER = 4096
_MAX_TWINS = 16
#: Source ports of right packets that show which range a sender uses.
_MANY_PORTS = 20


class Lookups:
    """Indexes over the evidence, each made when it is first asked for."""

    evidence: Evidence
    pre_nat: tuple[Network, ...]
    suspects: dict[str, AnyArray]
    handshakes: dict[str, AnyArray]

    @cached_property
    def _connections(self) -> dict[bytes, list[int]]:
        """Rows of the handshakes by inner connection."""
        out: dict[bytes, list[int]] = {}
        for row, key in enumerate(connection_keys(self.handshakes)):
            out.setdefault(key, []).append(row)
        return out

    def _connection_of(self, suspect: int) -> bytes:
        one = np.array([suspect])
        (key,) = connection_keys({n: self.suspects[n][one] for n in CONNECTION_COLUMNS})
        return key

    def handshakes_of(self, suspect: int) -> I64:
        """Return the handshakes of the inner connection of a suspect, in the same direction."""
        return np.array(self._connections.get(self._connection_of(suspect), []), np.int64)

    @cached_property
    def addresses_by_sum(self) -> dict[int, list[tuple[int, int]]]:
        """The addresses seen, by their residue."""
        out: dict[int, list[tuple[int, int]]] = {}
        for address in sorted(self.evidence.addresses):
            out.setdefault(sum_of(address), []).append(address)
        return out

    @cached_property
    def tries(self) -> int:
        """How many old addresses an equation is tried with."""
        given = sum(min(network.num_addresses, 0xFFFF) for network in self.pre_nat)
        return len(self.evidence.addresses) + given

    def given_addresses(self) -> set[tuple[int, int]]:
        """Return the single addresses that the user gave."""
        return {
            address_halves(str(network.network_address))
            for network in self.pre_nat
            if network.num_addresses == 1
        }

    def was_given(self, address: tuple[int, int]) -> bool:
        """Tell whether an address is in a network that the user gave."""
        if not self.pre_nat:
            return False
        import ipaddress

        parsed = ipaddress.ip_address(address_text(address))
        return any(parsed in network for network in self.pre_nat)

    @cached_property
    def _answered(self) -> dict[PairKey, set[tuple[int, int]]]:
        out: dict[PairKey, set[tuple[int, int]]] = {}
        for key in self.evidence.paths:
            out.setdefault((*key[:3], 0, 0, key[5]), set()).add((key[3], key[4]))
        return out

    def answered_at(self, place: Place) -> set[tuple[int, int]]:
        """Return the addresses to which the destination of a path sends VXLAN packets itself."""
        key = (place.capture, *place.destination, 0, 0, place.key[5])
        return self._answered.get(key, set())

    @cached_property
    def _port_ranges(self) -> dict[tuple[int, int, int], range]:
        """What `_ports_of` found, by source."""
        return {}

    def _ports_of(self, source: tuple[int, int, int]) -> range:
        good = np.zeros(65536, np.bool_)
        for key, path in self.evidence.paths.items():
            if key[:3] == source and path.good_ports is not None:
                good |= path.good_ports > 0
        used = np.flatnonzero(good)
        usual = used[(used >= TUNNEL_PORTS.start) & (used < TUNNEL_PORTS.stop)]
        if used.size < _MANY_PORTS or 2 * usual.size > used.size:
            return TUNNEL_PORTS
        return range(int(used.min()), int(used.max()) + 1)

    def tunnel_ports(self, place: Place) -> range:
        """Return the source ports that the sender of a path takes for its tunnel.

        Those that Linux takes by default, unless many right packets show another range.
        """
        source = place.key[:3]
        if source not in self._port_ranges:
            self._port_ranges[source] = self._ports_of(source)
        return self._port_ranges[source]

    @cached_property
    def _right_syns(self) -> dict[tuple[bytes, int, int], dict[tuple[tuple[int, int], int], None]]:
        shakes = self.handshakes
        status = shakes["outer_udp_status"]
        right = np.flatnonzero((status == Status.VALID) | (status == Status.PARTIAL))
        some = {name: shakes[name][right] for name in CONNECTION_COLUMNS}
        out: dict[tuple[bytes, int, int], dict[tuple[tuple[int, int], int], None]] = {}
        for row, key in zip(right.tolist(), connection_keys(some), strict=True):
            name = (key, int(shakes["tcp_seq"][row]), int(shakes["tcp_flags"][row]))
            high, low = shakes["outer_src"][row].tolist()
            out.setdefault(name, {})[(high, low), int(shakes["outer_sport"][row])] = None
        return out

    def right_twins(self, suspect: int) -> list[tuple[tuple[int, int], int]]:
        """Return outer source and port of right packets with the same inner SYN."""
        key = self._connection_of(suspect)
        seq, flags = (int(self.suspects[n][suspect]) for n in ("tcp_seq", "tcp_flags"))
        return list(self._right_syns.get((key, seq, flags), {}))[:_MAX_TWINS]

    @cached_property
    def inner_by_sum(self) -> dict[int, list[tuple[int, int]]]:
        """The inner addresses of suspects and handshakes, at most some thousands, by residue."""
        both = [t[n] for t in (self.suspects, self.handshakes) for n in ("inner_src", "inner_dst")]
        unique = np.unique(np.concatenate(both), axis=0)[:_MAX_INNER]
        out: dict[int, list[tuple[int, int]]] = {}
        for high, low in unique.tolist():
            out.setdefault(sum_of((high, low)), []).append((high, low))
        return out
