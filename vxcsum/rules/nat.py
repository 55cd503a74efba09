"""Recovering what NAT rewrote, from the checksum it left behind.

All sums are residues modulo 0xffff. ``dA = S(new address) - S(old address)``; a candidate for the
old address has to have the sum that the equation leaves. Source: fact sheet, sections 1.2 and 1.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vxcsum.rules import prices
from vxcsum.tabular.words import address_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vxcsum.rules.context import Context
    from vxcsum.rules.prepared import Network

_MODULUS = 0xFFFF
#: At most this many addresses are tried or listed for one wide network given by the user.
MAX_CANDIDATES = 256

Address = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An address that the packet may have had before NAT, and why it is thought of."""

    address: Address
    role: str  # "source" or "destination"
    origin: str  # "seen", "given" or "solved"

    @property
    def text(self) -> str:
        """The address as people write it."""
        return address_text(self.address)


def sum_of(address: Address) -> int:
    """Return the residue of an address."""
    return (address[0] + address[1]) % _MODULUS


def is_ipv4(address: Address) -> bool:
    """Tell whether an address is IPv4 (``::ffff:0:0/96`` in the tables)."""
    return address[0] == 0 and address[1] >> 32 == 0xFFFF


def may_be_translated(old: Address, new: Address) -> bool:
    """Tell whether NAT can have made one address of another: of one family, and of one host each.

    Multicast addresses belong to no host; link-local ones leave no link (RFC 4291, section 2.5.6).
    """
    if is_ipv4(old) != is_ipv4(new):
        return False
    if is_ipv4(old):
        return (old[1] >> 28 & 0xF) < 0xE and (old[1] >> 16 & 0xFFFF) not in (0xA9FE, 0)
    return old[0] >> 56 != 0xFF and old[0] >> 54 != 0x3FA and old != (0, 0)


def solve_neighbour(address: Address, wanted: int) -> list[Address]:
    """Return the addresses next to one whose sum is ``wanted``.

    Next to it means: in its /24, or for IPv6 in its /64 with all but the low 16 bits as they are
    in it, or zero. At most one of each kind solves the sum.
    """
    high, low = address
    bases = [low & ~0xFFFF] if is_ipv4(address) else [low & ~0xFFFF, 0]
    found = []
    for base in dict.fromkeys(bases):
        word = (wanted - sum_of((high, base))) % _MODULUS
        for value in (word, _MODULUS) if word == 0 else (word,):
            solution = (high, base | value)
            near = not is_ipv4(address) or (low ^ solution[1]) < 0x100
            if near and solution != address:
                found.append(solution)
    return found


def solve_network(network: Network, wanted: int) -> list[Address]:
    """Return addresses of a network whose sum is ``wanted``, at most `MAX_CANDIDATES`.

    The low 16 bits follow from the others, so at most one address in 65,535 is tried; of a
    network wider than a /8 (IPv6: /104) the first ones are.
    """
    base = int(network.network_address)
    if network.version == 4:
        base |= 0xFFFF << 32
    free = network.max_prefixlen - network.prefixlen
    found: list[Address] = []
    for upper in range(min(1 << max(free - 16, 0), 1 << 16)):
        stem = base & ~0xFFFF | upper << 16
        halves = (stem >> 64, stem & 0xFFFF_FFFF_FFFF_FFFF)
        word = (wanted - sum_of(halves)) % _MODULUS
        for value in (word, _MODULUS) if word == 0 else (word,):
            inside = free >= 16 or value >> free == (base & 0xFFFF) >> free
            if inside:
                found.append((halves[0], halves[1] | value))
            if len(found) >= MAX_CANDIDATES:
                return found
    return found


def candidates(
    context: Context, source: Address, destination: Address, change: int
) -> list[Candidate]:
    """Return who may have been rewritten into ``source`` or ``destination``, best first.

    Parameters
    ----------
    context : Context
    source, destination : Address
        As they are in the packet, after NAT.
    change : int
        ``S(new) - S(old)``, not 0.
    """
    roles = (("source", source), ("destination", destination))
    seen, given, solved = [], [], []
    for role, address in roles:
        wanted = (sum_of(address) - change) % _MODULUS
        others = [
            a for a in context.addresses_by_sum.get(wanted, ()) if a not in (source, destination)
        ]
        seen += [Candidate(a, role, "seen") for a in others if may_be_translated(a, address)]
        for network in context.pre_nat:
            if (network.version == 6) == is_ipv4(address):
                continue
            solutions = solve_network(network, wanted)
            origin = "given" if network.num_addresses <= prices.TELLING else "solved"
            given += [Candidate(known, role, origin) for known in solutions if known != address]
        solved += [Candidate(a, role, "solved") for a in solve_neighbour(address, wanted)]
    return _without_repeats([*seen, *given, *solved])


def _without_repeats(ordered: Iterable[Candidate]) -> list[Candidate]:
    unique: dict[tuple[Address, str], Candidate] = {}
    for candidate in ordered:
        unique.setdefault((candidate.address, candidate.role), candidate)
    return list(unique.values())


def proven(found: Sequence[Candidate]) -> Candidate | None:
    """Return the one candidate that has a better origin than all others, if there is one.

    Sources come before destinations, as that is what NAT of a tunnel rewrites. An address that is
    merely solved for is never proven: some address of a network has a good chance to fit.
    """
    for origin in ("seen", "given"):
        for role in ("source", "destination"):
            fitting = [c for c in found if (c.origin, c.role) == (origin, role)]
            if fitting:
                return fitting[0] if len(fitting) == 1 else None
    return None
