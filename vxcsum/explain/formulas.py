"""Every formula of the catalogue that fits one checksum, and what would decide between them.

One checksum proves little: a formula with a free port or address fits many wrong values by
chance. The chance is told with each. Source: fact sheet, sections 1.2 and 1.4; the rules' pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.status import Reason, Status
from vxcsum.explain.arithmetic import MODULUS
from vxcsum.packet.ip import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP
from vxcsum.rules import (
    vx304_padding_counted,
    vx501_swapped_octets,
    vx502_odd_octet_misplaced,
    vx503_field_not_zeroed,
    vx504_complement_missing,
    vx505_carries_lost,
    vx506_pseudo_header_missing,
    vx507_wrong_length,
    vx508_wrong_destination,
    vx509_wrong_protocol,
)
from vxcsum.rules.arithmetic import Sample
from vxcsum.rules.base import address_text, hex16
from vxcsum.rules.census import Path
from vxcsum.rules.context import Place
from vxcsum.rules.engine import CATALOGUE
from vxcsum.rules.evidence import plain_key
from vxcsum.rules.hazards import UDP_TUNNEL_PORTS
from vxcsum.rules.nat import candidates, sum_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from vxcsum.checksum.table import PacketTable
    from vxcsum.explain.workings import Working
    from vxcsum.rules.context import Context

_MAX_LISTED = 8
_HALF = 0x8000  # the inverse of 2 modulo 0xffff
_RCO_FLAG = 0x0020
_ANOTHER = "a second wrong packet of the flow whose right checksum differs"
_PRE_NAT = "--pre-nat with the addresses of the node"
_ICMP = "inner ICMP or ARP on the same path: spared here, wrong with VX103 and VX104"

#: Formulas that stand in rule files: module, formula, how many of 65,535 fields fit, what decides.
_MISTAKES: tuple[tuple[ModuleType, str, float, str], ...] = (
    (vx501_swapped_octets, "swap16(found) = expected", 1, _ANOTHER),
    (vx502_odd_octet_misplaced, "residual = 255 * last octet", 256, "packets of even length"),
    (vx503_field_not_zeroed, "residual = -S(pseudo-header)", 1, _ANOTHER),
    (vx504_complement_missing, "found = -expected", 1, _ANOTHER),
    (vx505_carries_lost, "residual = number of carries lost", 0, "packets of other lengths"),
    (vx506_pseudo_header_missing, "residual = S(pseudo-header)", 1, _ANOTHER),
    (vx507_wrong_length, "residual = length - length used", 13, "packets of other lengths"),
    (vx508_wrong_destination, "residual = S(final destination) - S(next stop)", 1, _ANOTHER),
    (vx509_wrong_protocol, "residual = protocol - protocol used", 9, "packets of other lengths"),
    (vx304_padding_counted, "residual = -S(padding) - octets of padding", 5, "longer packets"),
)


@dataclass(slots=True)
class Fit:
    """A formula that fits a checksum.

    Attributes
    ----------
    rule : str or None
        Code; None for arithmetic that no rule stands for.
    formula : str
    numbers : str
        The formula with the numbers of this frame.
    recovered : dict
        What follows from it.
    chance : float or None
        Share of random fields that fit as well; None where the status says it all.
    decides : str
        What would decide for it, or against it.
    named : bool
        Whether a finding of the whole capture says so.
    """

    rule: str | None
    formula: str
    numbers: str = ""
    recovered: dict[str, Any] = field(default_factory=dict)
    chance: float | None = None
    decides: str = ""
    named: bool = False

    @property
    def title(self) -> str:
        """The rule's title; what the formula says where there is no rule."""
        if self.rule is None:
            return "arithmetic that no rule stands for"
        return CATALOGUE[self.rule].RULE.title

    def to_dict(self) -> dict[str, Any]:
        """Return the formula as the JSON document has it."""
        return {
            "rule": self.rule,
            "title": self.title,
            "formula": self.formula,
            "numbers": self.numbers,
            "recovered": self.recovered,
            "chance": self.chance,
            "decides": self.decides,
            "named": self.named,
        }


@dataclass(frozen=True, slots=True)
class Question:
    """One checksum, with all that its formulas look at.

    Attributes
    ----------
    context : Context
        Of the whole capture.
    suspect : int or None
        Row of the frame among its suspects; None where nothing in it is wrong.
    row : PacketTable
    working : Working
    inner : Working or None
        The transport checksum inside, for the outer one.
    """

    context: Context
    suspect: int | None
    row: PacketTable
    working: Working
    inner: Working | None = None

    def value(self, name: str) -> int:
        """Return a column of the frame."""
        return int(self.row[name][0])

    def address(self, name: str) -> tuple[int, int]:
        """Return an address of the frame as 64-bit halves."""
        high, low = self.row[name][0].tolist()
        return high, low

    @property
    def place(self) -> Place:
        """The path of the frame."""
        key = plain_key(0)
        slot = "outer_udp" if self.working.layer == "outer_udp" else "inner_l4"
        if self.working.layer[:5] != "plain":
            ends = (*self.address("outer_src"), *self.address("outer_dst"))
            key = (0, *ends, self.value("outer_dport"))
        rows = np.array([0 if self.suspect is None else self.suspect])
        return Place(key, self.context.evidence.paths.get(key, Path()), slot, rows)


def fits(question: Question) -> list[Fit]:
    """Return the formulas that fit, the least likely to fit by chance first."""
    working = question.working
    if working.status == Status.INVALID and working.residual_on_wire:
        out = [*_wrong(question)]
    else:
        out = [*_by_status(question)]
    return sorted(out, key=lambda fit: fit.chance or 0)


def _by_status(q: Question) -> Iterator[Fit]:
    w, layer = q.working, q.working.layer
    found = "not captured" if w.found is None else hex16(w.found)
    if layer == "outer_udp" and w.status == Status.PARTIAL and w.reason == Reason.LCO:
        yield Fit(
            "VX201",
            "outer residual = inner residual, both not 0",
            f"found {found}, right once the inner checksum is finished",
            decides="a capture on the receiver: there both are finished",
        )
    elif layer == "outer_udp" and w.status == Status.PARTIAL:
        yield Fit(
            "VX203",
            "found = S(outer pseudo-header)",
            f"{found} = S(pseudo-header)",
            decides="a capture on the receiver: there it is finished, or the sender's device fails",
        )
    elif (
        w.status == Status.PARTIAL
        and layer.startswith("inner")
        and q.value("vxlan_flags") & (_RCO_FLAG)
    ):
        yield Fit("VX405", "flag 0x00200000 in the VXLAN header", f"found {found}")
    elif w.status == Status.PARTIAL:
        length = ", with length 0" if w.reason == Reason.LSO else ""
        yield Fit(
            "VX201",
            f"found = S(pseudo-header{length})",
            f"{found} = S(pseudo-header{length})",
            decides="where it was taken: on the sending host it is harmless; on the wire, or still "
            "so on the receiver, VX202",
        )
    elif w.status == Status.VALID and w.found == MODULUS and not layer.endswith("udp"):
        yield Fit("VX402", "found = 0xffff where 0x0000 is meant", "0xffff and 0 are one residue")
    if layer == "outer_udp" and w.status == Status.VALID and q.inner is not None:
        if q.inner.status == Status.PARTIAL:
            yield Fit(
                "VX204",
                "outer residual = 0, inner found = S(inner pseudo-header)",
                "the outer checksum is right over an inner one that is unfinished",
                decides="where the tunnel begins: no Linux sends this itself",
            )
    elif w.status == Status.ZERO:
        yield from _zero(q)


def _zero(q: Question) -> Iterator[Fit]:
    w = q.working
    if w.complete and w.expected == MODULUS:
        yield Fit(
            "VX401",
            "found = 0, right would be 0xffff",
            "a computed 0 has to be sent as 0xffff",
            chance=1 / MODULUS,
            decides="whether other packets of the sender carry a checksum",
        )
    if w.layer == "outer_udp" and q.value("outer_ip_version") == 6:
        yield Fit(
            "VX403",
            "no UDP checksum over IPv6",
            "legal for tunnels where both ends agree (RFC 6935)",
            decides="the receiver's udp6zerocsumrx",
        )
    inside = w.layer == "inner_udp" and q.value("inner_ip_version") == 6
    if inside and q.value("inner_dport") not in UDP_TUNNEL_PORTS:
        yield Fit("VX404", "no UDP checksum over IPv6", "receivers drop it (RFC 8200 8.1)")


def _wrong(q: Question) -> Iterator[Fit]:
    layer = q.working.layer
    if layer.endswith("ipv4"):
        yield from _header(q)
    elif layer == "outer_udp":
        yield from _outer_nat(q)
    else:
        yield from _inner(q)
    if not layer.endswith("ipv4") and q.suspect is not None:
        yield from _mistakes(q)
    yield from _changed_octets(q)


def _header(q: Question) -> Iterator[Fit]:
    w = q.working
    if w.found == 0:
        yield Fit(
            "VX206",
            "found = 0, expected is not",
            f"right would be {_hex(w.expected)}",
            chance=1 / MODULUS,
            decides="a capture on the receiver: the device fills it in when sending",
        )
    if w.residual == MODULUS - 0x0100:
        yield Fit(
            None,
            "residual = -0x0100",
            "the TTL was decremented by one, the checksum was not updated",
            chance=1 / MODULUS,
            decides="a capture before the router",
        )


def _hex(value: int | None) -> str:
    return "?" if value is None else hex16(value)


def _outer_nat(q: Question) -> Iterator[Fit]:
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
    other = "a packet of the path without outer checksum; inner ICMP, which is hit as well"
    yield from _rewritten(q, place, "VX103", -found % MODULUS, 1, other)
    other = "inner ICMP or ARP on the same path: wrong as well here, right with VX102"
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
    decides = f"{_ANOTHER}, with the same field; {seen}"
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
    return {"candidates": [_candidate(c) for c in found[:_MAX_LISTED]]} if found else {}


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
    address = "2 * (S(new address) - S(old address))" if coefficient == 2 else (
        "S(new address) - S(old address)"
    )  # fmt: skip
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
    change = value if coefficient == 1 else value * _HALF % MODULUS
    known = _addresses(q, place, change)
    if known:
        yield Fit(
            rule,
            formula,
            f"port kept: S(old) = S(new) - {hex16(change)}",
            known,
            _chance_of(q, known),
            f"{_ANOTHER}, with the same residual; {_PRE_NAT}; {decides}",
        )
    both = list(_both(q, place, value, coefficient))
    if both:
        yield Fit(
            rule,
            formula,
            "address and port: one equation, two unknowns; tried with the addresses known",
            {"pairs": both[:_MAX_LISTED]},
            min(1.0, share * len(q.context.evidence.addresses)),
            f"{_PRE_NAT}; {decides}",
        )


def _both(q: Question, place: Place, value: int, coefficient: int) -> Iterator[str]:
    ports = q.context.tunnel_ports(place)
    known = q.context.evidence.addresses | q.context.given_addresses()
    for address in sorted(known - {place.source, place.destination})[:64]:
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


def _inner(q: Question) -> Iterator[Fit]:
    residual = q.working.residual or 0
    protocol = q.value("inner_protocol")
    if protocol in (IPPROTO_ICMP, IPPROTO_ICMPV6):
        identifier = q.value("inner_dport")
        old = (identifier - residual) % MODULUS
        yield Fit(
            "VX303",
            "residual = new identifier - old identifier",
            f"old identifier = {identifier} - {hex16(residual)} = {old}",
            {"old_identifier": old},
            1.0,
            "the other half of the echo, which has the old identifier; " + _ANOTHER,
        )
        return
    for coefficient, name in ((1, "dA"), (2, "2 * dA")):
        change = residual if coefficient == 1 else residual * _HALF % MODULUS
        found = []
        for role, column in (("destination", "inner_dst"), ("source", "inner_src")):
            wanted = (sum_of(self := q.address(column)) - change) % MODULUS
            found += [
                f"{role} {address_text(address)}"
                for address in q.context.inner_by_sum.get(wanted, ())
                if address != self
            ]
        if found:
            yield Fit(
                "VX302",
                f"residual = {name}, dA = S(new address) - S(old address)",
                f"dA = {hex16(change)}",
                {"candidates": found[:_MAX_LISTED]},
                min(1.0, 2 * len(q.context.inner_by_sum) / MODULUS),
                "other packets of the inner connection: all have the same residual",
            )
    sport = q.value("inner_sport")
    yield Fit(
        "VX302",
        "residual = new port - old port",
        f"old source port = {sport} - {hex16(residual)} = {(sport - residual) % MODULUS}, if only "
        "that was rewritten",
        {"pre_nat_source_port": (sport - residual) % MODULUS},
        1.0,
        "other packets of the inner connection: all have the same residual",
    )


def _mistakes(q: Question) -> Iterator[Fit]:
    """Try the formulas of the rule files on this one checksum."""
    w, place = q.working, q.place
    outer = place.slot == "outer_udp"
    protocol = IPPROTO_UDP if outer else q.value("inner_protocol")
    length = q.value("outer_udp_length" if outer else "inner_l4_length")

    def one(value: int) -> Any:
        return np.array([value], np.int64)

    sample = Sample(
        q.context,
        place,
        place.rows,
        one(protocol),
        one(w.found or 0),
        one(w.right or 0),
        one(w.residual_on_wire or 0),
        one(w.pseudo % MODULUS),
        one(length),
    )
    for module, formula, number, decides in _MISTAKES:
        fit = module.fits(sample)
        if not fit[0]:
            continue
        recovered = module.recovered(sample, fit) if hasattr(module, "recovered") else {}
        chance = (number or (length + 40) // 2) / MODULUS
        numbers = f"residual {_hex(w.residual_on_wire)}, length {length}, protocol {protocol}"
        yield Fit(module.RULE.code, formula, numbers, recovered, chance, decides)


def _changed_octets(q: Question) -> Iterator[Fit]:
    residual = q.working.residual_on_wire or 0
    for bit in range(16):
        for way, change in (("0 to 1", 1 << bit), ("1 to 0", MODULUS - (1 << bit))):
            if change == residual:
                yield Fit(
                    "VX602",
                    "residual = 2^k or -2^k",
                    f"bit {bit} of a word was flipped from {way}",
                    {"bit": bit, "flipped": way},
                    32 / MODULUS,
                    "a retransmission of the same packet that is right; other wrong packets with "
                    "other bits",
                )
    yield Fit(
        "VX603" if not q.working.layer.endswith("ipv4") else None,
        "residual = S(new octets) - S(old octets)",
        f"the octets covered sum up to {hex16(residual)} more than when it was computed",
        {},
        1.0,
        "the same packet captured before, octet by octet; random damage (VX601) differs from "
        "packet to packet",
    )
