"""# VX306 large-packets-only

## What it means

Small TCP packets on a path are right, and those above a certain size are wrong.

## Why it matters

Connections open and small requests work. Large transfers stall.

## How it is recognised

By its scope: the wrong inner TCP checksums are those of segments larger than any right one on
the path. Where the length of the superframe stayed in the pseudo-header, the values follow a
law as well:

    residual = length - length of the superframe

docs/diagnosis.md explains how laws compete.

## Example

    vxcsum analyze captures/synthetic/vx306.pcap

## Usual causes

* Segmentation offload for tunnels that cuts segments and does not correct their checksums.
* Virtual switches that limit offload to a packet size (Hyper-V, Azure).

## Look-alikes

* VX106: the outer checksum of large bursts is wrong, the inner one is right.
* VX301, or payload scrubbed in the file (VX908): SYNs and pure acknowledgements decide, payload
  of ICMP, and answers.
* VX903, VX905: superframes captured before they were cut.
* Large segments that are right, repeated and never acknowledged: a path MTU black hole. No
  checksum is at fault.

## What to do

Switch segmentation offload for tunnels off on the underlay device of the sender:

    ethtool -K eth0 tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off

For a test, a smaller MTU on the tunnel.

## References

flannel-io/flannel #790; coreos/tectonic #1171. docs/fact-sheet.md, P25.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.evidence.census import TCP
from vxcsum.rules import prices
from vxcsum.rules.case import MODULUS
from vxcsum.rules.law import Reading
from vxcsum.rules.model import Finding, Remedy, Rule, Severity
from vxcsum.rules.scope import Scope

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64, Bool
    from vxcsum.rules.case import Case
    from vxcsum.rules.contest import Verdict
    from vxcsum.rules.context import Context

RULE = Rule(
    "VX306",
    "large-packets-only",
    "Only large TCP segments are wrong",
    Severity.ERROR,
    apart={
        "VX301": "SYNs and pure acknowledgements, which are right with VX306",
        "VX603": "segments of other sizes",
        "VX908": "ICMP payload, answers, and the way back",
    },
)

_SCOPE = Scope(frozenset((TCP,)), payload=True)
_UNCUT = " The length of the whole superframe was left in the pseudo-header."


def _uncut(case: Case) -> Bool:
    """Tell which pseudo-headers hold the length of a superframe of whole segments.

    The residual is then its segments' payload without the one at hand, with the opposite sign
    (fact sheet, section 1.2, row h).
    """
    payload = np.maximum(case.length - case.number("tcp_header_length"), 1)
    rest = -case.residual % MODULUS
    return np.asarray((rest > 0) & (rest % payload == 0) & (rest + case.length <= MODULUS))


@dataclass(frozen=True, slots=True)
class Large:
    """TCP segments larger than any right one are wrong; their values are free, or follow."""

    uncut: bool
    claim: float = prices.CLAIMS["VX306"]
    slot: str = "inner_l4"
    whole: bool = False

    def read(self, case: Case) -> Reading | None:
        """Return the large segments."""
        largest = case.context.largest_right(case)
        mask = case.within(_SCOPE) & (case.length > np.maximum(largest[case.place], prices.LARGE))
        mask &= largest[case.place] > 0
        # A size between the largest right and the smallest wrong one: no wrong one may be smaller.
        smaller = case.within(_SCOPE) & ~mask
        mask &= case.sum(np.ones(case.rows.size), smaller)[case.place] == 0
        values: I64 = np.zeros(0, np.int64)
        unknown = np.full(case.places, prices.SEGMENTS)
        if self.uncut:
            mask &= _uncut(case)
            firsts = np.unique((case.place << 17 | case.residual)[mask])
            values = firsts >> 17
            unknown += prices.SEGMENTS * np.bincount(values, minlength=case.places)
        if not mask.any():
            return None
        predicts = prices.OBSERVATION if self.uncut else 0.0
        return Reading(mask, unknown, _SCOPE, predicts, spared=np.zeros(case.places))


LAWS = (Large(uncut=True), Large(uncut=False))


def told(context: Context, verdicts: list[Verdict]) -> Finding:
    """Return the finding about one pair of outer addresses."""
    rows = np.concatenate([verdict.rows for verdict in verdicts])
    s = context.suspects
    largest = int(context.largest_right(verdicts[0].case).max())
    wrong = int(s["frames"][rows].sum())
    uncut = any(isinstance(v.law, Large) and v.law.uncut for v in verdicts)
    return context.finding(
        RULE,
        rows,
        confidence=verdicts[0].confidence,
        explanation=(
            f"All TCP segments on this path up to {largest:,} octets are right, and the {wrong:,} "
            f"wrong ones are all larger: what cuts large segments errs.{_UNCUT if uncut else ''}"
        ),
        evidence={
            "largest_right_octets": largest,
            "smallest_wrong_octets": int(s["inner_l4_length"][rows].min()),
            "distinct_residuals": np.unique(s["inner_l4_residual"][rows]).size,
        },
        remedies=(
            Remedy(
                "the underlay device of the sending node",
                "ethtool -K eth0 tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off",
                "costs throughput of large transfers",
            ),
        ),
    )
