"""FlowTable: one row for each connection, one NumPy column for each fact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vxcsum.flow.records import ABSENT_TIME
from vxcsum.packet.columns import Kind
from vxcsum.packet.protocols import IPPROTO_TCP, IPPROTO_UDP
from vxcsum.tabular.fields import Field, How
from vxcsum.tabular.table import ColumnTable, preview_of

if TYPE_CHECKING:
    from vxcsum.flow.records import Records
    from vxcsum.packet.columns import I64, AnyArray, Bool

_FIN, _SYN, _RST = 1, 2, 4


class FlowState(IntEnum):
    """How far a connection came."""

    SEEN = 0
    """UDP, or TCP whose SYN is not in the capture."""
    UNANSWERED = 1
    """SYNs of the client and nothing from the server."""
    ANSWERED = 2
    """The server answered, and the client never acknowledged."""
    REFUSED = 3
    """Reset by either end before it was established."""
    ESTABLISHED = 4
    CLOSED = 5
    """Both ends sent a FIN."""
    RESET = 6
    """Reset without that."""


def _inside(flows: FlowTable) -> Bool:
    inside: Bool = flows["kind"] == Kind.VXLAN
    return inside


def _field_of(name: str) -> Field:
    """Return how a column is told."""
    if name in ("client", "server"):
        return Field(How.ADDRESS)
    if name in ("client_node", "server_node"):
        return Field(How.ADDRESS, present=_inside)
    if name == "vni":
        return Field(present=_inside)
    if name == "kind":
        return Field(How.WORD, words=tuple(kind.name.lower() for kind in Kind))
    if name == "protocol":
        return Field(How.WORD, words=_PROTOCOLS)
    if name == "state":
        return Field(How.WORD, words=tuple(state.name.lower() for state in FlowState))
    return Field()


_PROTOCOLS = tuple({IPPROTO_TCP: "tcp", IPPROTO_UDP: "udp"}.get(n) for n in range(IPPROTO_UDP + 1))
_SHOWN = ("client", "client_port", "server", "server_port", "state", "syns", "delay_seconds")


class FlowTable(ColumnTable):
    """Connections as columns, in the order of their first frames.

    ``flows["client_octets"]`` is a column; ``flows[mask]``, ``flows[10:20]`` and ``flows[indices]``
    are tables of some rows. Columns that begin with ``client_`` or ``server_`` count what that end
    sent. The client is who sent the first SYN; where there is none, who did not send a SYN-ACK, or
    has the higher port. Times are ``datetime64[ns]`` in UTC, ``NaT`` where there are none; seconds
    and goodput (bits a second) are floats, NaN where there are none; addresses are ``uint64[n, 2]``
    as in `PacketTable`, those of the nodes 0 outside of VXLAN.
    """

    FIELDS: ClassVar[Mapping[str, Field]] = {}
    ROW = "connections"
    STRONG = ("unanswered", "answered")

    def __init__(self, records: Records) -> None:
        self._records = records
        self._swapped: Bool | None = None

    def __len__(self) -> int:
        """Return the number of connections."""
        return len(self._records)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the columns."""
        return iter(COLUMNS)

    def keys(self) -> Any:
        """Return the names of the columns."""
        return COLUMNS.keys()

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a column."""
        return name in COLUMNS

    def __getitem__(self, key: Any) -> Any:
        """Return a column by its name, or some rows as a table."""
        if isinstance(key, str):
            return COLUMNS[key](self)
        if isinstance(key, (int, np.integer)):
            if not -len(self) <= key < len(self):
                problem = f"row {key} is out of range: the table has {len(self)} rows"
                raise IndexError(problem)
            key = slice(key, key + 1 or None)
        return FlowTable(self._records[key])

    def __eq__(self, other: object) -> bool:
        """Tables are compared by identity; compare their columns."""
        return self is other

    __hash__ = object.__hash__

    def preview(self) -> tuple[list[str], list[list[str]]]:
        """Return names and cells of what is shown of each row."""
        return preview_of(self, [*_SHOWN, "client_octets", "server_octets"])

    def field(self, name: str) -> AnyArray:
        """Return a field of the records as it was counted."""
        values: AnyArray = self._records[name]
        return values

    @property
    def swapped(self) -> Bool:
        """Whether the server sent the first frame, ``bool[n]``."""
        if self._swapped is None:
            flags = self._records["from"]["tcp_flags"]
            answers, port = (flags & _SYN) != 0, self._records["port"]
            lower = ~answers[:, 1] & (port[:, 0] < port[:, 1])
            self._swapped = (self._records["begun"] == 0) & (answers[:, 0] | lower)
        return self._swapped

    def of_end(self, name: str, end: int) -> AnyArray:
        """Return a field that both ends have, of the client (0) or of the server (1)."""
        return self._picked(self._records[name], end)

    def sent(self, name: str, end: int) -> AnyArray:
        """Return what the client (0) or the server (1) sent."""
        return self._picked(self._records["from"][name], end)

    def _picked(self, values: AnyArray, end: int) -> AnyArray:
        picked: AnyArray = values[np.arange(len(values)), np.where(self.swapped, 1 - end, end)]
        return picked


Column = Callable[[FlowTable], "AnyArray"]


def _time(name: str) -> Column:
    return lambda flows: flows.field(name).view("M8[ns]")


def _field(name: str) -> Column:
    return lambda flows: flows.field(name)


def _end(name: str, end: int) -> Column:
    return lambda flows: flows.of_end(name, end)


def _sent(name: str, end: int) -> Column:
    return lambda flows: flows.sent(name, end)


def _sent_time(name: str, end: int) -> Column:
    return lambda flows: np.ascontiguousarray(flows.sent(name, end)).view("M8[ns]")


def _node(end: int) -> Column:
    def column(flows: FlowTable) -> AnyArray:
        forward = flows.field("outer_src" if end == 0 else "outer_dst")
        backward = flows.field("outer_dst" if end == 0 else "outer_src")
        return np.where(flows.swapped[:, None], backward, forward)

    return column


def _new_octets(end: int) -> Callable[[FlowTable], I64]:
    def column(flows: FlowTable) -> I64:
        lost = flows.sent("repeated_octets", end) + flows.sent("damaged_octets", end)
        new: I64 = flows.sent("octets", end) - lost
        return new

    return column


def _goodput(end: int) -> Column:
    def column(flows: FlowTable) -> AnyArray:
        lasted = flows.sent("last_data", end) - flows.sent("first_data", end)
        with np.errstate(divide="ignore", invalid="ignore"):
            speed: AnyArray = _new_octets(end)(flows) * 8e9 / lasted
        return np.where(lasted > 0, speed, np.nan)

    return column


def _seconds(duration: I64, known: I64) -> AnyArray:
    return np.where(known == ABSENT_TIME, np.nan, duration / 1e9)


def _delay(flows: FlowTable) -> AnyArray:
    established = flows.field("established")
    lasted = np.maximum(established - flows.field("first"), 0)  # captures may be out of order
    return _seconds(lasted, established)


def _state(flows: FlowTable) -> AnyArray:
    client, server = flows.sent("tcp_flags", 0), flows.sent("tcp_flags", 1)
    begun = flows.field("begun") == 1
    established = flows.field("established") != ABSENT_TIME
    reset = ((client | server) & _RST) != 0
    state = np.full(len(flows), FlowState.SEEN, np.uint8)
    state[begun] = FlowState.UNANSWERED
    state[begun & (flows.sent("frames", 1) > 0)] = FlowState.ANSWERED
    state[begun & reset] = FlowState.REFUSED
    state[established] = FlowState.ESTABLISHED
    state[established & reset] = FlowState.RESET
    state[established & ((client & server & _FIN) != 0)] = FlowState.CLOSED
    return state


_COUNTS = {
    "frames": "frames",
    "data_frames": "data_frames",
    "octets": "octets",
    "repeated_octets": "repeated_octets",
    "retransmissions": "repeated_frames",
    "late_frames": "late_frames",
    "missing_octets": "missing",
    "largest_segment": "largest",
    "superframes": "superframes",
    "partial": "partial",
    "valid": "valid",
    "invalid": "invalid",
    "outer_invalid": "outer_invalid",
}
_ENDS = (("client", 0), ("server", 1))

COLUMNS: dict[str, Column] = {
    "capture": _field("capture"),
    "kind": _field("kind"),
    "interface": _field("interface"),
    "ifindex": _field("ifindex"),
    "vni": _field("vni"),
    "protocol": _field("protocol"),
    "client": _end("address", 0),
    "client_port": _end("port", 0),
    "server": _end("address", 1),
    "server_port": _end("port", 1),
    **{f"{end}_node": _node(n) for end, n in _ENDS},
    "state": _state,
    "first_frame": _field("first_frame"),
    "first_timestamp": _time("first"),
    "last_timestamp": _time("last"),
    "syns": _field("syns"),
    "syn_acks": _field("syn_acks"),
    "lost_syns": _field("lost_syns"),
    "delay_seconds": _delay,
    "round_trip_seconds": lambda f: _seconds(f.field("round_trip"), f.field("round_trip")),
    **{f"{end}_{name}": _sent(field, n) for end, n in _ENDS for name, field in _COUNTS.items()},
    **{
        f"{end}_{name}": _sent_time(name, n)
        for end, n in _ENDS
        for name in ("first_data", "last_data")
    },
    **{f"{end}_goodput": _goodput(n) for end, n in _ENDS},
}

FlowTable.FIELDS = {name: _field_of(name) for name in COLUMNS}
