"""What a status says of one checksum, and where it is wrong, which laws and changes give it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.checksum.status import Reason, Status
from vxcsum.explain.arithmetic import MODULUS
from vxcsum.explain.lawful import laws
from vxcsum.explain.question import Fit, Question, hex_or_unknown
from vxcsum.packet.protocols import UDP_TUNNEL_PORTS, VXLAN_RCO
from vxcsum.rules.model import hex16

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    if q.working.layer.endswith("ipv4"):
        yield from _header(q)
    yield from laws(q)
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
