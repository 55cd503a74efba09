"""The formulas of a rewritten outer header: one equation, an address and a port unknown.

Source: fact sheet, sections 1.2 and 1.4; the pages of VX101 to VX105 and VX205.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vxcsum.checksum.algebra import HALF
from vxcsum.checksum.status import Status
from vxcsum.explain.arithmetic import MODULUS
from vxcsum.explain.question import ANOTHER, MAX_LISTED, Fit, Question
from vxcsum.packet.protocols import IPPROTO_TCP, IPPROTO_UDP
from vxcsum.rules.base import address_text, hex16
from vxcsum.rules.nat import candidates, sum_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.context import Place

_MAX_TRIED = 64
_SENDER = "a capture at the sender, before the translator"
_PRE_NAT = "--pre-nat with the addresses of the node"
_ICMP = "inner ICMP or ARP on the same path: spared here, wrong with VX103 and VX104"


def outer_nat(q: Question) -> Iterator[Fit]:
    """Yield what fits a wrong outer UDP checksum, if NAT rewrote the header."""
    w, place = q.working, q.place
    found, residual = w.found or 0, w.residual_on_wire or 0
    transport = q.value("inner_protocol") in (IPPROTO_TCP, IPPROTO_UDP) and q.inner is not None
    header_zero = q.value("outer_ip_status") == Status.INVALID and q.value("outer_ip_found") == 0
    if found == MODULUS and header_zero:
        yield Fit(
            "VX205",
            "found = 0xffff, IPv4 header checksum = 0",
            "placeholders for a device that did not fill them in",
            chance=1 / MODULUS**2,
            decides="inner ICMP with the same value",
        )
    if transport:
        yield from _zero_updated(q, place, found)
        yield from _rewritten(q, place, "VX102", residual, 2, _ICMP)
    other = f"a packet of the path without outer checksum; inner ICMP, hit as well; {_SENDER}"
    yield from _rewritten(q, place, "VX103", -found % MODULUS, 1, other)
    other = f"inner ICMP or ARP on the same path: wrong here, right with VX102; {_SENDER}"
    yield from _rewritten(q, place, "VX104", residual, 1, other)
    if q.suspect is not None:
        yield from _half(q, place, residual)


def _zero_updated(q: Question, place: Place, found: int) -> Iterator[Fit]:
    """VX101: found = S(new address) - S(old address)."""
    formula = "found = S(new address) - S(old address); 0 is sent as 0xffff"
    seen = (
        f"{place.zero:,} packets of this path carry no checksum, which speaks for it"
        if place.zero
        else "a packet of this path without outer checksum"
    )
    decides = f"{ANOTHER}, with the same field; {seen}"
    if found == MODULUS:
        yield Fit(
            "VX101",
            formula,
            "0xffff = 0 - 0: the address stayed, only the port was rewritten",
            {"pre_nat_source": address_text(place.source)},
            1 / MODULUS,
            decides,
        )
        return
    known = _addresses(q, place, found)
    if known:
        yield Fit(
            "VX101",
            formula,
            f"S(old) = S(new) - {hex16(found)}",
            known,
            _chance_of(q, known),
            f"{decides}; {_PRE_NAT}",
        )


def _addresses(q: Question, place: Place, change: int) -> dict[str, Any]:
    """Return addresses before NAT whose sums differ by a change from those in the packet."""
    if not change % MODULUS:
        return {}
    found = candidates(q.context, place.source, place.destination, change % MODULUS)
    return {"candidates": [_candidate(c) for c in found[:MAX_LISTED]]} if found else {}


def _candidate(candidate: Any) -> str:
    return f"{candidate.role} {candidate.text} ({candidate.origin})"


def _chance_of(q: Question, known: dict[str, Any]) -> float:
    """Return how often a random field has candidates as good as these."""
    if all(text.endswith("(solved)") for text in known["candidates"]):
        return 2 * 256 / MODULUS if q.value("outer_ip_version") == 4 else 1.0
    return min(1.0, q.context.tries / MODULUS)


def _rewritten(
    q: Question, place: Place, rule: str, value: int, coefficient: int, decides: str
) -> Iterator[Fit]:
    """Solve ``value = c * dA + dP`` for the port alone, the address alone, or both."""
    name = "residual" if rule != "VX103" else "-found"
    address = "S(new address) - S(old address)"
    address = f"2 * ({address})" if coefficient == 2 else address
    formula = f"{name} = {address} + new port - old port"
    ports = q.context.tunnel_ports(place)
    share = len(ports) / MODULUS
    sport = q.value("outer_sport")
    old_port = (sport - value) % MODULUS
    if value and old_port in ports:
        yield Fit(
            rule,
            formula,
            f"address kept: old port = {sport} - {hex16(value)} = {old_port}",
            {"pre_nat_source": address_text(place.source), "pre_nat_source_port": old_port},
            share,
            f"a right packet from port {old_port}; {decides}",
        )
    change = value if coefficient == 1 else value * HALF % MODULUS
    known = _addresses(q, place, change)
    if known:
        yield Fit(
            rule,
            formula,
            f"port kept: S(old) = S(new) - {hex16(change)}",
            known,
            _chance_of(q, known),
            f"{ANOTHER}, with the same residual; {_PRE_NAT}; {decides}",
        )
    both = list(_both(q, place, value, coefficient))
    if both:
        yield Fit(
            rule,
            formula,
            "address and port: one equation, two unknowns; tried with the addresses known",
            {"pairs": both[:MAX_LISTED]},
            min(1.0, share * len(q.context.evidence.addresses)),
            f"{_PRE_NAT}; {decides}",
        )


def _both(q: Question, place: Place, value: int, coefficient: int) -> Iterator[str]:
    ports = q.context.tunnel_ports(place)
    known = q.context.evidence.addresses | q.context.given_addresses()
    for address in sorted(known - {place.source, place.destination})[:_MAX_TRIED]:
        change = sum_of(place.source) - sum_of(address)
        old_port = (q.value("outer_sport") - value + coefficient * change) % MODULUS
        if change % MODULUS and old_port in ports:
            yield f"{address_text(address)} port {old_port}"


def _half(q: Question, place: Place, residual: int) -> Iterator[Fit]:
    """VX105: the same packet was captured before NAT."""
    for old, old_port in q.context.right_twins(int(place.rows[0])):
        address = (sum_of(place.source) - sum_of(old)) % MODULUS
        port = (q.value("outer_sport") - old_port) % MODULUS
        for forgotten, change in (("port", port), ("address", address)):
            if change == residual and address and port:
                yield Fit(
                    "VX105",
                    f"residual = what the {forgotten} changed by",
                    f"the same SYN was right from {address_text(old)} port {old_port}",
                    {"pre_nat_source": address_text(old), "pre_nat_source_port": old_port},
                    1 / MODULUS,
                    "more packets seen before and after NAT",
                )
