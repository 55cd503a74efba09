"""Connections as text: those that waited first, then those that carried most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.flow.table import FlowState
from vxcsum.packet.protocols import IPPROTO_TCP
from vxcsum.rules.connections import endpoint

if TYPE_CHECKING:
    from vxcsum.flow.table import FlowTable
    from vxcsum.packet.columns import I64

_PREFIXES = ("", "k", "M", "G", "T")


def most_notable(flows: FlowTable, count: int) -> I64:
    """Return the rows of the connections that waited longest, then of those that carried most."""
    waited = np.where(flows["syns"] > 1, flows.field("last_syn") - flows.field("first"), 0)
    octets = flows["client_octets"] + flows["server_octets"]
    return np.lexsort((np.arange(len(flows)), -octets, -waited))[:count]


def connection_lines(flows: FlowTable, count: int) -> list[str]:
    """Return a table of some connections, one line each, with a line of titles."""
    rows: list[tuple[str, ...]] = [
        ("connection", "state", "SYNs", "wait", "sent", "received", "again", "goodput")
    ]
    rows += [_line(flows[int(row)]) for row in most_notable(flows, count)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [f"{row[0]:<{widths[0]}}", f"{row[1]:<{widths[1]}}"]
        cells += [f"{c:>{w}}" for c, w in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return lines


def _line(flow: FlowTable) -> tuple[str, ...]:
    one = {name: flow[name][0] for name in _SHOWN}
    client, server = (
        endpoint(one["client"], one["client_port"]),
        endpoint(one["server"], one["server_port"]),
    )
    tcp = int(one["protocol"]) == IPPROTO_TCP
    delay = float(one["delay_seconds"])
    again = int(one["client_retransmissions"]) + int(one["server_retransmissions"])
    goodput = np.fmax(one["client_goodput"], one["server_goodput"])
    return (
        f"{client} > {server}" + ("" if tcp else " udp"),
        FlowState(int(one["state"])).name.lower() if tcp else "",
        str(int(one["syns"])) if tcp else "",
        "" if np.isnan(delay) else f"{delay:.3f} s",
        _short(int(one["client_octets"])) + "B",
        _short(int(one["server_octets"])) + "B",
        str(again) if tcp else "",
        "" if np.isnan(goodput) else _short(float(goodput)) + "bit/s",
    )


_SHOWN = (
    "client",
    "client_port",
    "server",
    "server_port",
    "protocol",
    "state",
    "syns",
    "delay_seconds",
    "client_octets",
    "server_octets",
    "client_retransmissions",
    "server_retransmissions",
    "client_goodput",
    "server_goodput",
)


def _short(value: float) -> str:
    for prefix in _PREFIXES:
        if value < 1000 or prefix == _PREFIXES[-1]:
            break
        value /= 1000
    return f"{value:.3g} {prefix}"
