"""Display filters for Wireshark that show what `extract` would take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.editing.choosing import Choice
from vxcsum.editing.parsing import joined
from vxcsum.editing.selection import ranges_of, selection_of
from vxcsum.errors import VxcsumError
from vxcsum.packet.columns import Kind, distinct
from vxcsum.packet.protocols import IPPROTO_TCP, IPPROTO_UDP
from vxcsum.rules.model import address_text
from vxcsum.source.again import rereadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vxcsum.checksum.table import PacketTable

#: Ranges of frames in one filter; Wireshark takes more, people do not.
MAX_RANGES = 1000
#: Connections in one filter.
MAX_CONNECTIONS = 200
#: What Wireshark takes for a tunnel unless told otherwise: VXLAN, and VXLAN-GPE with its P flag.
_VXLAN_PORT, _GPE_PORT, _P_FLAG = 4789, 4790, 0x0400
_PORTS = {IPPROTO_TCP: "tcp", IPPROTO_UDP: "udp"}


def display_filter(
    source: Any,
    *,
    by: str = "frames",
    on_ports: Callable[[list[int]], None] | None = None,
    **selection: Any,
) -> str:
    """Return a Wireshark display filter for chosen frames.

    Parameters
    ----------
    source : path, "-", URL, bytes or binary file
        One capture.
    by : {"frames", "flows"}
        Frame numbers, which hold in this capture alone; or the connections that the frames belong
        to, which hold in others, too: one of the other end, or an extract.
    on_ports : callable, optional
        Is given the UDP ports of the chosen frames' tunnels that Wireshark does not take for VXLAN
        unless told to (Decode As): what is inside is not seen there, and such a filter by flows
        shows nothing. Not called where there are none.
    **selection
        As for `vxcsum.extract`: ``rule``, ``status``, ``layer``, ``frames``, ``flow``, ``time``,
        and how to read: ``ports``, ``engine``, ``jobs``, ``pre_nat``, ``vantage``.

    Returns
    -------
    str
        ``frame.number == 0``, which is never true, where no frame is chosen.

    Raises
    ------
    CaptureError
        The source is no capture or cannot be read.
    VxcsumError
        A choice that makes no sense, or one of too many ranges or connections for a filter.
    """
    if by not in ("frames", "flows"):
        problem = f"unknown kind of filter {by!r}: wanted frames or flows"
        raise VxcsumError(problem)
    options = {
        name: selection.pop(name)
        for name in ("ports", "engine", "jobs", "pre_nat", "vantage")
        if name in selection
    }
    wanted = selection_of(**selection)
    with rereadable(source) as capture:
        ports: set[int] = set()
        tables = _noting(Choice(capture, wanted, **options).tables(), ports)
        shown = (_by_number if by == "frames" else _by_connection)(tables)
    if on_ports is not None and ports:
        on_ports(sorted(ports))
    return shown


def _noting(tables: Iterator[PacketTable], ports: set[int]) -> Iterator[PacketTable]:
    """Yield tables, and add the ports of tunnels that Wireshark does not look into to a set."""
    for table in tables:
        port = table["outer_dport"]
        known = (port == _VXLAN_PORT) | ((port == _GPE_PORT) & (table["vxlan_flags"] & _P_FLAG > 0))
        ports.update(distinct(port[(table["kind"] == Kind.VXLAN) & ~known]).tolist())
        yield table


def _by_number(tables: Iterator[PacketTable]) -> str:
    ranges: list[tuple[int, int]] = []
    for table in tables:
        ranges = joined([*ranges, *ranges_of(table["frame_number"])])
        if len(ranges) > MAX_RANGES:
            problem = (
                f"the frames chosen are more than {MAX_RANGES:,} ranges of numbers, too many for a "
                "display filter: choose fewer, filter by flows, or write them to a file"
            )
            raise VxcsumError(problem)
    if not ranges:
        return "frame.number == 0"
    # Spaces around the dots: without, newer versions take 1..3 for a number.
    parts = [f"{low} .. {high}" if high > low else f"{low}" for low, high in ranges]
    return f"frame.number in {{{', '.join(parts)}}}"


def _by_connection(tables: Iterator[PacketTable]) -> str:
    terms: dict[str, None] = {}
    for table in tables:
        ported = np.isin(table["inner_protocol"], list(_PORTS)) & (
            table["inner_l4_status"] != Status.ABSENT
        )
        columns = (
            table["inner_ip_version"].tolist(),
            (table["inner_protocol"] * ported).tolist(),
            table["inner_src"].tolist(),
            table["inner_dst"].tolist(),
            table["inner_sport"].tolist(),
            table["inner_dport"].tolist(),
        )
        for row in dict.fromkeys(zip(*(map(_key, column) for column in columns), strict=True)):
            if row[0]:
                terms[_term(*row)] = None
        if len(terms) > MAX_CONNECTIONS:
            problem = (
                f"the frames chosen belong to more than {MAX_CONNECTIONS:,} connections, too many "
                "for a display filter: choose fewer, or write them to a file"
            )
            raise VxcsumError(problem)
    return " || ".join(terms) or "frame.number == 0"


def _key(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _term(
    version: int,
    protocol: int,
    source: tuple[int, int],
    destination: tuple[int, int],
    sport: int,
    dport: int,
) -> str:
    """Return the filter of one connection, both directions, the same whichever is given."""
    ip = "ip" if version == 4 else "ipv6"
    one, other = sorted([(source, sport), (destination, dport)])
    parts = [f"{ip}.addr == {address_text(end[0])}" for end in (one, other)]
    if protocol:
        parts += [f"{_PORTS[protocol]}.port == {end[1]}" for end in (one, other)]
    return f"({' && '.join(dict.fromkeys(parts))})"
