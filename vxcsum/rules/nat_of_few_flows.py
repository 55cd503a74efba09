"""VX102 where little was seen of it: what is left over once nothing more specific fits.

A few connections, no packet with inner ICMP to compare with: one in-range port proves nothing, as
every other value gives one. But damage does not choose what opens a connection, nor does it leave
twice the same; where each flow is off by an amount of its own, there is hardly another cause. It is
named, as possible. What a node was proven to do to one peer, it is believed to do to the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.rules import vx102_outer_lco_nat as vx102
from vxcsum.rules.readings import Flow, flows_of, port_alone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.rules.base import Finding
    from vxcsum.rules.context import Context, Place

RULE = vx102.RULE
_SYN = np.uint8(0x02)


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each pair of outer addresses that nothing speaks against."""
    for place in context.places("outer_udp"):
        rows = vx102.carriers(context, place)
        if not rows.size or rows.size < place.rows.size or (place.zero and not place.summed):
            continue
        flows = flows_of(context, place, rows, context.residual("outer_udp", rows))
        reading = port_alone(context, place, flows)
        if reading is None or reading.rows.size < rows.size:
            continue
        if place.key[:3] not in context.translating and not _credible(context, place, flows):
            continue
        yield vx102.finding_of(context, place, reading, contrast=False)


def _credible(context: Context, place: Place, flows: list[Flow]) -> bool:
    """Tell whether each flow has what damage would not leave, and there is more than one packet."""
    ports = context.tunnel_ports(place)
    packets = sum(flow.rows.size for flow in flows)
    for flow in flows:
        opening = (context.column("tcp_flags", flow.rows) & _SYN).any()
        if flow.rows.size == 1 and flow.sport in ports and not opening:
            return False
    return packets > 1
