"""Every formula of the catalogue that fits one checksum, and what would decide between them.

One checksum proves little: a formula with a free port or address fits many wrong values by
chance. The chance is told with each. Source: fact sheet, sections 1.2 and 1.4; the rules' pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.algebra import HALF
from vxcsum.checksum.status import Reason, Status
from vxcsum.explain.arithmetic import MODULUS
from vxcsum.explain.question import ANOTHER, MAX_LISTED, Fit, Question, hex_or_unknown
from vxcsum.explain.rewritten import outer_nat
from vxcsum.packet.protocols import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_UDP, VXLAN_RCO
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
from vxcsum.rules.hazards import UDP_TUNNEL_PORTS
from vxcsum.rules.nat import sum_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


#: Formulas that stand in rule files: module, formula, how many of 65,535 fields fit, what decides.
_MISTAKES: tuple[tuple[ModuleType, str, float, str], ...] = (
    (vx501_swapped_octets, "swap16(found) = expected", 1, ANOTHER),
    (vx502_odd_octet_misplaced, "residual = 255 * last octet", 256, "packets of even length"),
    (vx503_field_not_zeroed, "residual = -S(pseudo-header)", 1, ANOTHER),
    (vx504_complement_missing, "found = -expected", 1, ANOTHER),
    (vx505_carries_lost, "residual = number of carries lost", 0, "packets of other lengths"),
    (vx506_pseudo_header_missing, "residual = S(pseudo-header)", 1, ANOTHER),
    (vx507_wrong_length, "residual = length - length used", 13, "packets of other lengths"),
    (vx508_wrong_destination, "residual = S(final destination) - S(next stop)", 1, ANOTHER),
    (vx509_wrong_protocol, "residual = protocol - protocol used", 9, "packets of other lengths"),
    (vx304_padding_counted, "residual = -S(padding) - octets of padding", 5, "longer packets"),
)


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
        and q.value("vxlan_flags") & VXLAN_RCO
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
    elif w.status == Status.VALID and w.found == MODULUS != w.expected:
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
        yield from outer_nat(q)
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
            f"right would be {hex_or_unknown(w.expected)}",
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
            "the other half of the echo, which has the old identifier; " + ANOTHER,
        )
        return
    for coefficient, name in ((1, "dA"), (2, "2 * dA")):
        change = residual if coefficient == 1 else residual * HALF % MODULUS
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
                {"candidates": found[:MAX_LISTED]},
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
        numbers = (
            f"residual {hex_or_unknown(w.residual_on_wire)}, length {length}, protocol {protocol}"
        )
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
