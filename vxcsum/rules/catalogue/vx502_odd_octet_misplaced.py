"""# VX502 odd-octet-misplaced

## What it means

Packets of odd length have wrong checksums. Their last octet was added as the low half of a
word. It belongs in the high half, with a 0 behind it.

## Why it matters

Receivers that verify the checksum drop the packets. Others take them, so the mistake may go
unnoticed until a new kernel or device begins to verify.

## How it is recognised

The law, b being the last octet (0 to 255):

    residual = 255 * b

Its scope is packets of odd length; those of even length are right. docs/diagnosis.md explains
how laws compete.

## Example

    vxcsum analyze captures/synthetic/vx502.pcap

## Usual causes

* Hand-written summing loops, above all those ported between byte orders.

## Look-alikes

* VX304: octets of padding were counted.
* VX601: damage does not care about lengths.

## What to do

Correct the software that computes the checksum. A wrong outer checksum can be avoided until
then: send none, as RFC 7348 recommends. For a wrong inner checksum there is no such way.

## References

RFC 1071 sections 1 and 4.1. docs/fact-sheet.md, P41.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.rules import prices
from vxcsum.rules.mistakes import both, seen_in
from vxcsum.rules.model import Rule, Severity

if TYPE_CHECKING:
    from vxcsum.packet.columns import AnyArray, Bool
    from vxcsum.rules.case import Case

RULE = Rule(
    "VX502",
    "odd-octet-misplaced",
    "The last octet of odd-length packets was added on the wrong side",
    Severity.ERROR,
    formula="residual = 255 * last octet, odd lengths only",
    sentence=(
        "Only packets of odd length are wrong, each by 255 times one octet: the last octet was "
        "added in the low half of its word, where it belongs into the high half."
    ),
)


def _last_octet(case: Case) -> list[Bool]:
    octet, rest = np.divmod(case.residual, 255)
    return [(rest == 0) & (octet < 256) & (case.length % 2 == 1)]


def _open(case: Case) -> AnyArray:
    return np.full(case.rows.size, prices.LAST_OCTET)


def _right_odd(case: Case) -> AnyArray:
    """Return about how many right packets of an odd length each place has."""
    scope = seen_in(case, np.ones(case.rows.size, np.bool_))
    right = case.context.beside(case.slot).at(case, scope, whole=False)
    return case.context.outer_beside.odd(case) * right


LAWS = both(_last_octet, open_bits=_open, spared=_right_odd)
