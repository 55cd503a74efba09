"""The sums of one frame, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vxcsum.checksum.status import LAYERS, Reason, Status
from vxcsum.explain.arithmetic import MODULUS, Term, fold
from vxcsum.packet.columns import Coverage
from vxcsum.rules.model import hex16

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.checksum.table import PacketTable
    from vxcsum.explain.parts import Anatomy, Ip, Transport
    from vxcsum.explain.question import Fit

_WHY = {
    Reason.LCO: "right once the inner checksum is finished (local checksum offload)",
    Reason.LSO: "the pseudo-header sum with length 0, as Windows leaves it for large sends",
    Reason.TRUNCATED: "cut short by the snaplen",
    Reason.FRAGMENT: "other fragments of the datagram are not in the capture",
    Reason.MALFORMED: "a length that cannot be",
}


@dataclass(slots=True)
class Working:
    """One checksum of a frame, and how it comes about.

    Attributes
    ----------
    layer : str
    status : Status
    reason : Reason
    field_offset : int
        Offset of the checksum field in the frame.
    start, stop : int
        What the checksum covers, by the length fields.
    found : int or None
        What the field holds; None where it was not captured.
    terms : list of Term
        What is summed: pseudo-header first, then the octets covered, as far as they are there.
    complete : bool
        Whether they are all there.
    ahead : list of Term
        With an unfinished inner checksum: what the outer one follows from (fact sheet, 1.3). The
        last term is subtracted, all others are added.
    fits : list of Fit
        The formulas of the catalogue that fit.
    """

    layer: str
    status: Status
    reason: Reason
    field_offset: int
    start: int
    stop: int
    found: int | None
    terms: list[Term]
    complete: bool
    ahead: list[Term] = field(default_factory=list)
    fits: list[Fit] = field(default_factory=list)

    @property
    def total(self) -> int:
        """The sum of all terms, with its carries."""
        return sum(term.sum for term in self.terms)

    @property
    def missing(self) -> int:
        """How many of the octets covered are not there."""
        there = [term for term in self.terms if term.start is not None]
        fields = sum(term.field is not None for term in there)
        return self.stop - self.start - sum(len(term.octets) for term in there) - 2 * fields

    @property
    def pseudo(self) -> int:
        """The folded sum of the pseudo-header."""
        return fold(sum(term.sum for term in self.terms if term.start is None))

    def _field_for(self, total: int) -> int:
        value = MODULUS - fold(total)
        return MODULUS if value == 0 and self.layer.endswith("udp") else value

    @property
    def expected(self) -> int | None:
        """What the field should hold over the octets as they are; None where that is unknown."""
        return self._field_for(self.total) if self.complete else None

    @property
    def expected_ahead(self) -> int | None:
        """What the outer field should hold once the inner checksum is finished."""
        if not self.ahead:
            return None
        total = sum(term.sum for term in self.ahead[:-1]) - self.ahead[-1].sum
        return self._field_for(total % MODULUS)

    @property
    def right(self) -> int | None:
        """What the field should hold on the wire."""
        ahead = self.expected_ahead
        return self.expected if ahead is None else ahead

    @property
    def residual(self) -> int | None:
        """Found minus expected over the octets as they are, modulo 0xffff."""
        return self._minus(self.expected)

    @property
    def residual_on_wire(self) -> int | None:
        """Found minus what is right on the wire, modulo 0xffff."""
        return self._minus(self.right)

    def _minus(self, expected: int | None) -> int | None:
        if expected is None or self.found is None:
            return None
        return (self.found - expected) % MODULUS

    @property
    def why(self) -> str:
        """The reason of the status in words; empty where it needs none."""
        return _WHY.get(self.reason, "")

    def to_dict(self) -> dict[str, Any]:
        """Return the working as the JSON document has it."""
        return {
            "layer": self.layer,
            "status": self.status.name.lower(),
            "reason": self.why or None,
            "field_offset": self.field_offset,
            "covers": [self.start, self.stop],
            "complete": self.complete,
            "found": _hex(self.found),
            "expected": _hex(self.right),
            "residual": _hex(self.residual_on_wire),
            "expected_as_captured": _hex(self.expected),
            "residual_as_captured": _hex(self.residual),
            "pseudo_header_sum": _hex(self.pseudo) if self.layer[-4:] != "ipv4" else None,
            "sum": f"0x{self.total:x}",
            "terms": [term.to_dict() for term in self.terms],
            "finished": None
            if not self.ahead
            else {
                "terms": [term.to_dict() for term in self.ahead[:-1]],
                "minus": self.ahead[-1].to_dict(),
            },
            "formulas": [fit.to_dict() for fit in self.fits],
        }


def _hex(value: int | None) -> str | None:
    return None if value is None else hex16(value)


def workings(anatomy: Anatomy, row: PacketTable) -> list[Working]:
    """Return the checksums of a frame, outermost first.

    Parameters
    ----------
    anatomy : Anatomy
    row : PacketTable
        The frame as the engine judged it: status and reason are from there, all sums are not.
    """
    out = []
    for name, layer in LAYERS.items():
        if not row.layer_mask(name)[0]:
            continue
        status = Status(int(row[f"{layer.slot}_status"][0]))
        reason = Reason(int(row[f"{layer.slot}_reason"][0]))
        complete = int(row[f"{layer.slot}_coverage"][0]) == Coverage.COMPLETE
        if layer.slot.endswith("_ip"):
            ip = anatomy.ip(name.partition("_")[0])
            out.append(_header(anatomy, ip, name, status, reason, complete=complete))
        else:
            transport = next((t for t in anatomy.transports if t.layer == name), None)
            out.append(_segment(anatomy, transport, name, status, reason, complete=complete))
    found = {working.layer: working for working in out}
    outer = found.get("outer_udp")
    for inner in found.values():
        pending = inner.layer.startswith("inner_") and inner.status == Status.PARTIAL
        if outer is not None and pending:
            outer.ahead = list(_ahead(outer, inner))
    return list(found.values())


def _unknown(layer: str, status: Status, reason: Reason) -> Working:
    return Working(layer, status, reason, 0, 0, 0, None, [], complete=False)


def _field(anatomy: Anatomy, at: int, stop: int) -> int | None:
    if at + 2 > min(stop, len(anatomy.octets)):
        return None
    return anatomy.octets[at] << 8 | anatomy.octets[at + 1]


def _header(
    anatomy: Anatomy, ip: Ip | None, layer: str, status: Status, reason: Reason, *, complete: bool
) -> Working:
    if ip is None:
        return _unknown(layer, status, reason)
    stop = ip.start + ip.header
    octets = _without(anatomy.octets[ip.start : stop], 10)
    term = Term("IPv4 header", octets, ip.start, field=10)
    found = _field(anatomy, ip.start + 10, stop)
    return Working(
        layer, status, reason, ip.start + 10, ip.start, stop, found, [term], complete=complete
    )


def _without(octets: bytes, at: int) -> bytes:
    """Return octets without the two of the field, which is zero while it is computed."""
    return octets[:at] + octets[at + 2 :] if at + 2 <= len(octets) else octets


def _segment(
    anatomy: Anatomy,
    transport: Transport | None,
    layer: str,
    status: Status,
    reason: Reason,
    *,
    complete: bool,
) -> Working:
    if transport is None:
        return _unknown(layer, status, reason)
    start, field_at = transport.start, transport.field
    stop = start + transport.length
    terms = [Term(f"pseudo-header: {name}", octets) for name, octets in transport.pseudo]
    reach = min(stop, len(anatomy.octets), transport.ip.stop)
    for name, first, last in _spans(anatomy, start, reach):
        octets = anatomy.octets[first:last]
        inside = field_at - first if first <= field_at <= last - 2 else None
        if inside is not None:
            octets = _without(octets, inside)
        odd = bool((first - start) % 2)
        terms.append(Term(name, octets, first, odd=odd, field=inside))
    found = _field(anatomy, field_at, reach)
    return Working(layer, status, reason, field_at, start, stop, found, terms, complete=complete)


def _spans(anatomy: Anatomy, start: int, stop: int) -> Iterator[tuple[str, int, int]]:
    """Yield the parts between two places, without a gap."""
    at = start
    for part in anatomy.parts:
        if part.stop <= at or part.start >= stop:
            continue
        if part.start > at:
            yield "octets", at, part.start
            at = part.start
        yield part.name, at, min(part.stop, stop)
        at = min(part.stop, stop)
    if at < stop:
        yield "octets", at, stop


def _ahead(outer: Working, inner: Working) -> Iterator[Term]:
    """Yield what a finished outer checksum follows from: headers, less the inner pseudo-header.

    A right inner segment sums to the opposite of its pseudo-header, whatever it carries.
    """
    for term in outer.terms:
        if term.start is None or term.start + len(term.octets) <= inner.start:
            yield term
    octets = b"".join(t.octets for t in inner.terms if t.start is None)
    yield Term("less the inner pseudo-header", octets)
