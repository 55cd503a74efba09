"""# VX105 outer-nat-half

## What it means

A translator rewrote both the outer address and the port, and took only one of them into the
checksum.

## Why it matters

Receivers that verify the outer checksum drop every packet that passed the translator.

## How it is recognised

The law has two forms:

    residual = new port - old port                           the port was forgotten
    residual = S(new address) - S(old address)               the address was forgotten

Other rules leave differences of the same size. This one is recognised only where the same inner
packet was captured before the translator as well: a SYN with the same addresses, ports and
sequence number under another outer address and port. docs/diagnosis.md explains how laws
compete.

## Example

    vxcsum analyze captures/synthetic/vx105.pcap

## Usual causes

* Hand-written NAT, for example in eBPF, that calls one update too few.

## Look-alikes

* VX104: neither was taken into the checksum.
* VX102: the address entered with the wrong sign.
* Where only one of the two was rewritten, VX105 and VX104 are the same.

## What to do

Correct the translator: one update for each word that changed.

## References

RFC 1624. docs/fact-sheet.md, P05.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.algebra import address_sum
from vxcsum.rules import prices
from vxcsum.rules.case import MODULUS
from vxcsum.rules.connections import connections
from vxcsum.rules.law import Reading
from vxcsum.rules.model import Finding, Remedy, Rule, Severity, address_text, hex16
from vxcsum.rules.scope import EVERY

if TYPE_CHECKING:
    from vxcsum.packet.columns import AnyArray
    from vxcsum.rules.case import Case
    from vxcsum.rules.contest import Verdict
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX105",
    "outer-nat-half",
    "NAT updated the checksum for the address or the port only",
    Severity.ERROR,
    apart={
        "VX102": "the packet before NAT",
        "VX104": "the packet before NAT",
    },
    formula="residual = difference of what was forgotten",
)

_REMEDIES = (
    Remedy("the translator", note="make it update the checksum for the address and for the port"),
)
_SYN = 0x02
_FORGOTTEN = ("port", "address")


@dataclass(frozen=True, slots=True)
class Half:
    """The same SYN was captured before NAT: both changes are known, and one half is missing."""

    claim: float = prices.CLAIMS["VX105"]
    slot: str = "outer_udp"
    whole: bool = False

    def read(self, case: Case) -> Reading | None:
        """Return the flows whose residual is the change of the port alone, or of the address."""
        sport = case.number("outer_sport")
        own = address_sum(case.column("outer_src")).astype(np.int64)
        opening = np.flatnonzero((case.column("tcp_flags") & _SYN) != 0)
        at, total, port, row, number = case.context.right_twins(case, opening)
        address, change = (own[at] - total) % MODULUS, (sport[at] - port) % MODULUS
        forgot_port, forgot_address = case.residual[at] == change, case.residual[at] == address
        fits = (address != 0) & (change != 0) & (forgot_port | forgot_address)
        twin = np.full(case.rows.size, -1)
        half = np.zeros(case.rows.size, np.int64)
        price: AnyArray = np.zeros(case.rows.size)
        twin[at[fits]], half[at[fits]] = row[fits], ~forgot_port[fits]
        price[at[fits]] = np.log2(number[fits])
        if not (twin >= 0).any():
            return None
        mask, twins_of, halves = _spread(case, twin, half)
        firsts = np.unique(case.flow[mask], return_index=True)[1]
        each = np.full(firsts.size, price.max())
        spent = np.bincount(case.place[mask][firsts], each, case.places)
        unknown = spent + prices.SEEN + prices.CHANGED
        details: dict[str, AnyArray] = {"twin": twins_of, "half": halves}
        return Reading(mask, unknown, EVERY, details=details)


def _spread(case: Case, twin: AnyArray, half: AnyArray) -> tuple[AnyArray, ...]:
    """Give all packets of a flow with the same residual the twin of its SYN."""
    key = case.flow << 17 | case.residual
    known = np.flatnonzero(twin >= 0)
    keys, first = np.unique(key[known], return_index=True)
    place = np.minimum(np.searchsorted(keys, key), keys.size - 1)
    mask = keys[place] == key
    chosen = known[first][place]
    return mask, np.where(mask, twin[chosen], -1), np.where(mask, half[chosen], 0)


LAWS = (Half(),)


def told(context: Context, verdicts: list[Verdict]) -> Finding:
    """Return the finding about one pair of outer addresses."""
    rows = np.concatenate([verdict.rows for verdict in verdicts])
    twins = np.concatenate([verdict.details["twin"] for verdict in verdicts])
    halves = np.concatenate([verdict.details["half"] for verdict in verdicts])
    order = np.argsort(rows, kind="stable")
    rows, twins, halves = rows[order], twins[order], halves[order]
    s, first = context.suspects, int(rows[0])
    forgotten = [_FORGOTTEN[number] for number in np.unique(halves).tolist()]
    destination = address_text(s["outer_dst"][first])
    mappings: list[dict[str, Any]] = []
    for sport in np.unique(s["outer_sport"][rows]).tolist():
        mine = s["outer_sport"][rows] == sport
        source, port = context.handshake_source(int(twins[mine][0]))
        mappings.append(
            {
                "pre_nat_source": address_text(source),
                "pre_nat_destination": destination,
                "pre_nat_source_port": port,
                "post_nat_source": address_text(s["outer_src"][first]),
                "post_nat_source_port": int(sport),
                "frames": int(s["frames"][rows[mine]].sum()),
            }
        )
    evidence: dict[str, Any] = {
        "post_nat_source": address_text(s["outer_src"][first]),
        "destination": destination,
        "destination_port": int(s["outer_dport"][first]),
        "vni": int(s["vni"][first]),
        "found": hex16(s["outer_udp_found"][first]),
        "expected": hex16(context.expected("outer_udp", rows[:1])[0]),
        "residual": hex16(s["outer_udp_residual"][first]),
        "formula": "residual = difference of what was forgotten",
        "forgotten": forgotten,
        "observations": len(mappings),
        "connections": connections(context, rows[np.isin(context.transport[rows], (1, 2))]),
        "mappings": mappings,
    }
    sources = {mapping["pre_nat_source"] for mapping in mappings}
    if len(sources) == 1:
        evidence["pre_nat_source"] = sources.pop()
    return context.finding(
        RULE,
        rows,
        confidence=verdicts[0].confidence,
        explanation=(
            "The same packets were captured before NAT. Address and port were rewritten, and the "
            f"checksum was updated without the {' or the '.join(forgotten)}."
        ),
        evidence=evidence,
        remedies=_REMEDIES,
    )


def recovered(case: Case, reading: Reading) -> dict[str, Any]:
    """Return where the same packet came from before NAT."""
    row = int(np.flatnonzero(reading.mask)[0])
    source, port = case.context.handshake_source(int(reading.details["twin"][row]))
    return {"pre_nat_source": address_text(source), "pre_nat_source_port": port}
