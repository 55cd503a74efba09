"""Translators of the outer header, and their ways to update its checksum."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, TypeAlias

from vxcsum.synth.packet import (
    Packet,
    ip,
    outer_of,
)
from vxcsum.synth.recipes.recipe import (
    mark,
)
from vxcsum.synth.sums import (
    constant,
)
from vxcsum.synth.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


OLD, NEW, FAR = ip("192.0.2.11"), ip("192.0.2.77"), ip("198.51.100.77")

#: 16-bit words before and after.
Words: TypeAlias = list[tuple[int, int]]
#: Outer checksum, words of the address, words of the port -> outer checksum.
Update: TypeAlias = "Callable[[int, Words, Words], int]"


def add(left: int, right_: int) -> int:
    """Add in ones-complement arithmetic."""
    total = left + right_
    return (total & 0xFFFF) + (total >> 16)


def rfc1624(value: int, words: Words) -> int:
    """Update by equation 3 of RFC 1624, HC' = ~(~HC + ~m + m')."""
    for old, new in words:
        value = 0xFFFF - add(add(0xFFFF - value, 0xFFFF - old), new)
    return value


def textbook(value: int, address: Words, port: Words) -> int:
    """Update for address and port, as RFC 1624 has it."""
    return rfc1624(value, address + port)


def stale(value: int, _address: Words, _port: Words) -> int:
    """Update nothing."""
    return value


def address_only(value: int, address: Words, _port: Words) -> int:
    """Forget the port."""
    return rfc1624(value, address)


def port_only(value: int, _address: Words, port: Words) -> int:
    """Forget the address."""
    return rfc1624(value, port)


def kernel(value: int, address: Words, _port: Words) -> int:
    """The update of an unfinished field: plain addition; the port is skipped, 0 is mangled."""
    for old, new in address:
        value = add(add(value, 0xFFFF - old), new)
    return 0xFFFF if value in (0, 0xFFFF) else value


def words(old: bytes, new: bytes) -> Words:
    """Return the words of two values side by side."""
    count = len(old) // 2
    return list(
        zip(struct.unpack(f">{count}H", old), struct.unpack(f">{count}H", new), strict=True)
    )


def nat(
    p: Packet,
    update: Update,
    *,
    src: bytes | None = None,
    dst: bytes | None = None,
    sport: int | None = None,
) -> Packet:
    """The packet behind a translator that updates its outer checksum in some way."""
    new = p.but(node_src=src or p.node_src, node_dst=dst or p.node_dst, sport=sport or p.sport)
    before = outer_of(p)
    address = words(p.node_src, new.node_src) + words(p.node_dst, new.node_dst)
    value = update(before, address, [(p.sport, new.sport)])
    return new.but(outer=constant(value))


class Ports:
    """What a translator gives the flows in exchange for their ports."""

    def __init__(self, seed: int) -> None:
        self.rng = Traffic(seed).rng
        self.known: dict[int, int] = {}

    def __call__(self, p: Packet) -> int:
        """Return the port that a flow gets."""
        return self.known.setdefault(p.sport, self.rng.randrange(1024, 32000))


def translate(
    packets: Iterable[Packet],
    where: Callable[[Packet], bool],
    update: Update,
    code: str,
    *,
    src: bytes | None = None,
    dst: bytes | None = None,
    ports: Ports | None = None,
    healthy: Callable[[Packet], bool] | None = None,
) -> list[Packet]:
    """NAT for some packets; those for which ``healthy`` says so are updated rightly."""
    out = []
    for p in packets:
        if not where(p):
            out.append(p)
            continue
        sport = ports(p) if ports else None
        if healthy is not None and healthy(p):
            new = p.but(node_src=src or p.node_src, node_dst=dst or p.node_dst)
            out.append(new.but(sport=sport or p.sport))
            continue
        out.append(mark(nat(p, update, src=src, dst=dst, sport=sport), code))
    return out


def node_traffic(seed: int, node: bytes = OLD, peer: bytes = ip("192.0.2.12")) -> list[Packet]:
    """Packets without a tunnel between nodes: their addresses are seen in the capture."""
    t = Traffic(seed)
    t.pod_a, t.pod_b = node, peer
    t.connection(1)
    return [p.but(plain=True) for p in t.packets]
