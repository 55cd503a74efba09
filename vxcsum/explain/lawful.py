"""The laws of the catalogue, asked about one checksum, and what would decide between them.

One checksum proves little: a law with a free port or address fits many wrong values by chance. The
chance is told with each. Source: fact sheet, sections 1.2 and 1.4; the rules' pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.explain.question import ANOTHER, MAX_LISTED, Fit, Question
from vxcsum.rules import prices
from vxcsum.rules.case import MODULUS
from vxcsum.rules.engine import CATALOGUE, COMPETITORS
from vxcsum.rules.model import address_text, hex16
from vxcsum.rules.nat import candidates, sum_of
from vxcsum.rules.rewriting import ADDRESS, INVERSE, PORT, Rewriting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.case import Case
    from vxcsum.rules.law import Reading

_MAX_TRIED = 64
_PRE_NAT = "--pre-nat with the addresses of the node"
#: Addresses of a neighbourhood that are solved for.
_NEIGHBOURS = {4: 256, 6: MODULUS}


def laws(q: Question) -> Iterator[Fit]:
    """Yield every law that gives this checksum, each once for each way to read it."""
    case = q.case
    if case is None:
        return
    for competitor in COMPETITORS:
        law = competitor.law
        if law.slot != case.slot or law.whole:
            continue
        if isinstance(law, Rewriting):
            if law.fits(case).all():
                yield from _rewritten(q, case, competitor.code, law)
            continue
        reading = law.read(case)
        if reading is not None and reading.mask.all() and reading.predicts:
            yield _fit(q, case, competitor.code, reading)


def _decides(code: str) -> str:
    """Return what would decide for a rule."""
    said = CATALOGUE[code].RULE.apart.items()
    return "; ".join([ANOTHER, *(f"against {other}: {what}" for other, what in said)])


def _fit(q: Question, case: Case, code: str, reading: Reading) -> Fit:
    module: Any = CATALOGUE[code]
    recovered = module.recovered(case, reading) if hasattr(module, "recovered") else {}
    open_bits = max(0.0, float(reading.unknown[0]) - prices.KINDS)
    return Fit(
        code,
        module.RULE.formula,
        f"found {hex16(case.found[0])}, residual {hex16(case.residual[0])}, length "
        f"{int(case.length[0])}, protocol {int(case.protocol[0])}",
        recovered,
        min(1.0, 2.0 ** (open_bits - prices.OBSERVATION)),
        _decides(code),
    )


def _rewritten(q: Question, case: Case, code: str, law: Rewriting) -> Iterator[Fit]:
    """Solve ``value = c * dA + dP`` for the port alone, the address alone, or both."""
    value = law.value(case)
    formula, decides = CATALOGUE[code].RULE.formula, _decides(code)
    source = address_text(q.address("outer_src"))
    sport, one = q.value("outer_sport"), int(value[0])
    for option in law.options(case, value):
        old = int(option.old_port[0])
        if option.mode == PORT and _usual(case, old):
            yield Fit(
                code,
                formula,
                f"address kept: old port = {sport} - {hex16(one)} = {old}",
                {"pre_nat_source": source, "pre_nat_source_port": old},
                len(prices.TUNNEL_PORTS) / MODULUS,
                f"a right packet from port {old}; {decides}",
            )
        elif option.mode == ADDRESS and not one:
            yield Fit(
                code,
                formula,
                "0xffff = 0 - 0: the address stayed, only the port was rewritten",
                {"pre_nat_source": source},
                1 / MODULUS,
                decides,
            )
        elif option.mode == ADDRESS:
            yield from _address(q, code, one * INVERSE[law.factor] % MODULUS)
    if law.ports:
        pairs = list(_both(q, case, one, law.factor))
        if pairs:
            yield Fit(
                code,
                formula,
                "address and port: one equation, two unknowns; tried with the addresses known",
                {"pairs": pairs[:MAX_LISTED]},
                min(1.0, len(prices.TUNNEL_PORTS) / MODULUS * len(q.context.known)),
                f"{_PRE_NAT}; {decides}",
            )


def _usual(case: Case, port: int) -> bool:
    ports = np.array([port])
    return port in prices.TUNNEL_PORTS or bool(case.context.usual_port(case, ports)[0])


def _address(q: Question, code: str, change: int) -> Iterator[Fit]:
    ends = q.address("outer_src"), q.address("outer_dst")
    found = candidates(q.context, *ends, change)
    if not found:
        return
    solved = all(candidate.origin == "solved" for candidate in found)
    tried = _NEIGHBOURS[q.value("outer_ip_version")] if solved else len(q.context.known)
    yield Fit(
        code,
        CATALOGUE[code].RULE.formula,
        f"port kept, or it does not enter: S(old) = S(new) - {hex16(change)}",
        {"candidates": [f"{c.role} {c.text} ({c.origin})" for c in found[:MAX_LISTED]]},
        min(1.0, 2 * tried / MODULUS),
        f"{_PRE_NAT}; {_decides(code)}",
    )


def _both(q: Question, case: Case, value: int, factor: int) -> Iterator[str]:
    source, destination = q.address("outer_src"), q.address("outer_dst")
    for address in q.context.known[:_MAX_TRIED]:
        change = (sum_of(source) - sum_of(address)) % MODULUS
        old = (q.value("outer_sport") - value + factor * change) % MODULUS
        if change and address != destination and _usual(case, old):
            yield f"{address_text(address)} port {old}"
