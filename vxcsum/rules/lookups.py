"""What laws look up: addresses by sum, ports of a sender, the same inner packet elsewhere."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.algebra import address_sum
from vxcsum.evidence.census import NONE
from vxcsum.evidence.right import mixed
from vxcsum.rules import prices
from vxcsum.rules.model import address_halves
from vxcsum.rules.nat import is_ipv4, may_be_translated, sum_of
from vxcsum.rules.ports import Ports
from vxcsum.rules.scope import EVERY

if TYPE_CHECKING:
    from vxcsum.evidence.paths import PathKey
    from vxcsum.packet.columns import I64, AnyArray, Bool
    from vxcsum.rules.case import Case
    from vxcsum.rules.prepared import Address

_MODULUS = 0xFFFF
#: Inner addresses that are tried as those before NAT.
_MAX_INNER = 4096
#: Addresses before NAT that are tried together with ports, for each path.
MAX_HINTS = 8


class Lookups(Ports):
    """Indexes over the evidence, each made when it is first asked for."""

    # Addresses

    @cached_property
    def given(self) -> list[Address]:
        """The single addresses that the user gave."""
        return [
            address_halves(str(network.network_address))
            for network in self.pre_nat
            if network.num_addresses == 1
        ]

    @cached_property
    def known(self) -> list[Address]:
        """The addresses that were seen or given and may be those before NAT."""
        return sorted(self.evidence.addresses | set(self.given))

    @cached_property
    def addresses_by_sum(self) -> dict[int, list[Address]]:
        """The addresses seen, by their residue."""
        out: dict[int, list[Address]] = {}
        for address in sorted(self.evidence.addresses):
            out.setdefault(sum_of(address), []).append(address)
        return out

    @cached_property
    def inner_by_sum(self) -> dict[int, list[Address]]:
        """The inner addresses of suspects and handshakes, at most some thousands, by residue."""
        both = [t[n] for t in (self.suspects, self.handshakes) for n in ("inner_src", "inner_dst")]
        unique = np.unique(np.concatenate(both), axis=0)[:_MAX_INNER]
        out: dict[int, list[Address]] = {}
        for high, low in unique.tolist():
            out.setdefault(sum_of((high, low)), []).append((high, low))
        return out

    @cached_property
    def _known_sums(self) -> Bool:
        """Sums of known addresses: of IPv4 in the first row, of IPv6 in the second."""
        table = np.zeros((2, _MODULUS + 1), np.bool_)
        for address in self.known:
            table[0 if is_ipv4(address) else 1, sum_of(address)] = True
        return table

    @property
    def _price_known(self) -> float:
        return prices.SEEN + float(np.log2(2 * max(len(self.known), 1)))

    @property
    def _price_of_network(self) -> float | None:
        """What an address within the networks that were given costs."""
        sizes = [n.num_addresses for n in self.pre_nat if 1 < n.num_addresses <= prices.TELLING]
        return prices.SEEN + float(np.log2(2 * sum(sizes))) if sizes else None

    def address_price(self, case: Case, change: I64) -> AnyArray:
        """Return what the address is worth that was changed by a difference of sums, for each row.

        Nothing where it was kept; less for those that were seen or given.
        """
        out = np.full(case.rows.size, prices.UNKNOWN_ADDRESS)
        family = (case.column("outer_ip_version") == 6).astype(np.int64)
        network = self._price_of_network
        for end, other in (("outer_src", "outer_dst"), ("outer_dst", "outer_src")):
            here = address_sum(case.column(end)).astype(np.int64)
            there = address_sum(case.column(other)).astype(np.int64)
            wanted = (here - change) % _MODULUS
            seen = self._known_sums[family, wanted] & (wanted != there)
            out[seen] = np.minimum(out[seen], self._price_known)
            if network is not None:
                solved = self._solved_sums[family, wanted]
                out[solved] = np.minimum(out[solved], network)
        out[change == 0] = 0.0
        return out

    @cached_property
    def _solved_sums(self) -> Bool:
        table = np.zeros((2, _MODULUS + 1), np.bool_)
        for network in self.pre_nat:
            if network.num_addresses <= prices.TELLING:
                for address in network:
                    table[int(network.version == 6), sum_of(address_halves(str(address)))] = True
        return table

    # Who sends to whom

    @cached_property
    def _sent_to(self) -> dict[tuple[int, Address, int], set[Address]]:
        """The addresses to which a node sends, by capture, node and port."""
        out: dict[tuple[int, Address, int], set[Address]] = {}
        for key in self.evidence.paths.keys:
            if key.kind == "tunnel":
                out.setdefault((key.capture, key.source, key.port), set()).add(key.destination)
        return out

    def answered_at(self, key: PathKey) -> set[Address]:
        """Return the addresses to which the destination of a path sends tunnel packets itself."""
        return self._sent_to.get((key.capture, key.destination, key.port), set())

    def kept_address(self, key: PathKey) -> bool:
        """Tell whether the peer of a path is configured to send to its source.

        Then that is the address of the node, and NAT changed the port alone. A tunnel that carries
        ARP may have learned it: its peer sends to what NAT made of the address, but for multicast,
        which goes to the peers that it was given.
        """
        if key.source not in self.answered_at(key):
            return False
        paths = self.evidence.paths
        both = [paths.find(one) for one in (key, key.back)]
        seen = paths.histogram([number for number in both if number is not None])
        return both[1] in self.evidence.flooded or not seen[:, 0, NONE].any()

    def sends_itself(self, key: PathKey, address: Address) -> bool:
        """Tell whether another node sends right packets to the same peer: it is not translated."""
        number = self.evidence.paths.find(key._replace(source=address))
        return number is not None and bool(self.outer_beside.by_path(EVERY)[number] > 0)

    @cached_property
    def _hints(self) -> dict[int, list[Address]]:
        return {}

    def hints(self, number: int) -> list[Address]:
        """Return the addresses that the source of a path may have had before NAT.

        Those that were given; and where the peer does not send to the source, those to which it
        sends and from which nothing comes.
        """
        if number not in self._hints:
            key = self.evidence.paths.keys[number]
            hints = [a for a in self.given if may_be_translated(a, key.source)]
            if key.kind == "tunnel" and key.source not in self.answered_at(key):
                hints += sorted(
                    address
                    for address in self.answered_at(key) - set(hints)
                    if may_be_translated(address, key.source)
                    and not self.sends_itself(key, address)
                )
            self._hints[number] = [a for a in hints if a != key.source][:MAX_HINTS]
        return self._hints[number]

    def hint_sums(self, case: Case, number: int) -> I64:
        """Return the sum of one hint for each place, -1 where there is none."""
        out = np.full(case.places, -1, np.int64)
        for place, name in enumerate(case.names.tolist()):
            hints = self.hints(name) if name >= 0 else []
            if number < len(hints):
                out[place] = sum_of(hints[number])
        return out

    def hint_price(self, case: Case) -> AnyArray:
        """Return what one of the hints costs, by place."""
        number = [len(self.hints(name)) if name >= 0 else 0 for name in case.names.tolist()]
        out: AnyArray = prices.SEEN + np.log2(2 * np.maximum(np.array(number, np.float64), 1))
        return out

    def change_to(self, case: Case, hint: AnyArray) -> I64:
        """Return S(new source) - S(hint) for each row."""
        out: I64 = address_sum(case.column("outer_src")).astype(np.int64) - hint[case.place]
        return out

    # Tunnels

    def vnis(self, case: Case) -> list[int]:
        """Return the VNIs of the captures of a case."""
        captures = np.unique(case.column("capture")).tolist()
        seen = {
            v
            for c in captures
            if c in self.evidence.captures
            for v in self.evidence.captures[c].vnis
        }
        return sorted(seen)

    def other_tunnel(self, case: Case, *, zero: bool) -> AnyArray:
        """Return what it costs to believe that a tunnel sends no checksum, or that it sends one."""
        out = np.zeros(case.places)
        zeros, summed = self.outer_beside.zeros, self.outer_beside.sums
        for place, name in enumerate(case.names.tolist()):
            if name < 0:
                continue
            seen = (int(zeros[name]), int(summed[name]))
            if seen == (0, 0):
                back = self.evidence.paths.find(self.evidence.paths.keys[name].back)
                seen = (0, 0) if back is None else (int(zeros[back]), int(summed[back]))
            wanted, other = seen if zero else seen[::-1]
            if other and not wanted:
                out[place] = prices.OTHER_TUNNEL
        return out

    # Ends

    @cached_property
    def _ends(self) -> dict[str, I64]:
        out = {}
        for level in ("outer", "inner"):
            ends = [self.suspects[f"{level}_{end}"] for end in ("src", "dst")]
            both = np.concatenate(ends)
            labels = np.unique(mixed(both[:, 0].copy()) ^ both[:, 1], return_inverse=True)[1]
            out[f"{level}_src"], out[f"{level}_dst"] = np.split(labels, [len(ends[0])])
        return out

    def inner_ends(self, case: Case) -> tuple[I64, I64]:
        """Return a number for the inner source and destination of each row."""
        return self._ends["inner_src"][case.rows], self._ends["inner_dst"][case.rows]

    def outer_ends(self, case: Case) -> tuple[I64, I64]:
        """Return a number for the outer source and destination of each row."""
        return self._ends["outer_src"][case.rows], self._ends["outer_dst"][case.rows]

    def both_ways(self, rows: I64) -> bool:
        """Tell whether some suspects are packets of both directions between two nodes, or hosts."""
        for level in ("outer", "inner"):
            source, destination = (self._ends[f"{level}_{end}"][rows] for end in ("src", "dst"))
            there, back = source << 32 | destination, destination << 32 | source
            if np.isin(there[source != destination], back).any():
                return True
        return False

    def inner_price(self, case: Case, value: I64) -> AnyArray:
        """Return what a known inner address costs that a difference comes from, for each row."""
        known = np.zeros(_MODULUS + 1, np.bool_)
        for total in self.inner_by_sum:
            known[total] = True
        number = sum(len(found) for found in self.inner_by_sum.values())
        out = np.full(case.rows.size, prices.WORD)
        half = value * 0x8000 % _MODULUS
        for end, other in (("inner_dst", "inner_src"), ("inner_src", "inner_dst")):
            here = address_sum(case.column(end)).astype(np.int64)
            there = address_sum(case.column(other)).astype(np.int64)
            for change in (value, half):
                wanted = (here - change) % _MODULUS
                fits = known[wanted] & (wanted != there) & (change != 0)
                out[fits] = prices.SEEN + np.log2(4 * number)
        return out
