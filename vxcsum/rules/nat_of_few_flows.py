"""VX102 where little was seen of it: what is left over once nothing more specific fits.

A few connections, no packet with inner ICMP to compare with: one in-range port proves nothing, as
every other value gives one. But that all segments of a path are wrong, each flow by an amount of
its own and the same each time, has hardly another cause; so it is named, as possible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.checksum.status import Status
from vxcsum.rules import vx102_outer_lco_nat as vx102
from vxcsum.rules.census import TRANSPORT
from vxcsum.rules.readings import MANY, credible_alone, flows_of, port_alone
from vxcsum.rules.rewriting import rewriting_finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.base import Finding
    from vxcsum.rules.context import Context

RULE = vx102.RULE


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each pair of outer addresses that nothing speaks against."""
    for place in context.places("outer_udp"):
        rows = place.rows
        right = place.path.outer(TRANSPORT, Status.VALID, Status.PARTIAL, Status.ZERO)
        if rows.size < MANY or right or not context.transport_rows(rows).all():
            continue
        if (context.column("inner_l4_status", rows) == Status.INVALID).any():
            continue
        flows = flows_of(context, place, rows, context.residual("outer_udp", rows))
        single = any(flow.rows.size == 1 for flow in flows)  # damage is not the same twice
        if single and not credible_alone(context, place, rows):
            continue
        reading = port_alone(context, place, flows)
        if reading is None or reading.rows.size < rows.size:
            continue
        yield rewriting_finding(
            context,
            RULE,
            place,
            reading,
            formula=vx102.FORMULA,
            explanation=vx102.explanation(place, kept=True),
            contrast=False,
            evidence={"spared_icmp_and_other": place.spared, "alternatives": [vx102.ALTERNATIVE]},
            remedies=vx102.remedies_at(context, reading),
        )
