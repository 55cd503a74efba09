"""The addresses that a translated packet may have had, and when none of them is proven."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.checksum.status import Status
from vxcsum.rules.census import TRANSPORT
from vxcsum.rules.nat import Address, Candidate, may_be_translated, sum_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vxcsum.rules.context import Context, Place
    from vxcsum.rules.readings import Flow, Reading

_MODULUS = 0xFFFF
#: With more known addresses than this, only those with something to be said for them are tried.
MAX_TRIED = 64
#: Of those that fit as well, so many are told.
_MAX_OTHERS = 8


def known_addresses(context: Context, place: Place) -> list[Address]:
    """Return the addresses that were seen or given and may be those before NAT."""
    seen = (a for a in context.evidence.addresses if may_be_translated(a, place.source))
    return sorted({*seen, *context.given_addresses()} - {place.source, place.destination})


def others_that_fit(
    context: Context,
    place: Place,
    flows: list[Flow],
    coefficient: int,
    known: list[Address],
    chosen: Address | None,
) -> list[Address]:
    """Return the known addresses that would explain all flows as well, with other ports."""
    ports = context.tunnel_ports(place)
    out = []
    kept = [] if chosen is None else [place.source]
    for address in [*kept, *known[:MAX_TRIED]]:
        shift = coefficient * (sum_of(place.source) - sum_of(address))
        if address == chosen or (shift % _MODULUS == 0 and address != place.source):
            continue
        if all((flow.sport - flow.value + shift) % _MODULUS in ports for flow in flows):
            out.append(address)
    return out[:_MAX_OTHERS]


def take_back(
    context: Context, place: Place, reading: Reading, hinted: Sequence[Address] = ()
) -> None:
    """Take back what is not proven, where other addresses that were seen fit as well.

    That the address was kept is proven where the peer sends to it: it is that of a node. Another
    one to which the peer sends, and from which nothing comes, is only doubted for one like it.
    """
    node = place.source in context.answered_at(place)
    told = any(candidate.origin == "given" for candidate in reading.candidates)
    if reading.kept and node:
        reading.others = []  # among many addresses some always fit
    elif any(candidate.address in hinted for candidate in reading.candidates):
        reading.others = [address for address in reading.others if address in hinted]
    if not reading.others or reading.proof or told:
        return
    first = [place.source] if reading.kept else []
    reading.kept = False
    reading.candidates += [
        Candidate(address, "source", "seen") for address in (*first, *reading.others)
    ]


def sends_itself(context: Context, place: Place, address: Address) -> bool:
    """Tell whether another node sends right packets to the same peer: it is not translated."""
    own = (place.capture, *address, *place.destination, place.key[5])
    path = context.evidence.paths.get(own)
    right = (Status.VALID, Status.PARTIAL)
    return address != place.source and path is not None and path.outer(TRANSPORT, *right) > 0
