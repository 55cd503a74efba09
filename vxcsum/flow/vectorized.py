"""Following connections with NumPy: the reference, and the fallback where nothing is compiled.

The frames of a table are sorted by connection, then whole columns are counted at once; only
handshakes are followed one frame after another. Equal octet for octet to ``native.c``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.grouping import group_labels
from vxcsum.checksum.status import Status
from vxcsum.flow.counting import count, handshakes
from vxcsum.flow.records import ABSENT_TIME
from vxcsum.packet.columns import Direction, Kind
from vxcsum.packet.protocols import IPPROTO_TCP, IPPROTO_UDP

if TYPE_CHECKING:
    from vxcsum.flow.records import Columns, Records, State
    from vxcsum.packet.columns import I64, AnyArray, Bool

_SYN, _ACK = 2, 16
_ODD = np.uint64(0x9E3779B97F4A7C15)


def follow(table: Columns, state: State) -> tuple[I64, I64]:
    """Take in the frames of a table; they come after all that were taken in before.

    Returns
    -------
    rows, connections : int64[k]
        SYNs that repeat an earlier one, and the numbers of their connections.
    """
    protocol = table["inner_protocol"]
    wanted = (table["kind"] != Kind.OTHER) & (table["inner_l4_status"] != Status.ABSENT)
    wanted &= (protocol == IPPROTO_TCP) | (protocol == IPPROTO_UDP)
    rows = np.flatnonzero(wanted)
    if not rows.size:
        return rows, rows
    frames = _Frames(table, rows)
    connection, first = _connections(frames, state)
    tracked = connection >= 0
    if first.size:
        _begin(state, frames, first)
    if not tracked.all():
        state.untracked += int(np.count_nonzero(~tracked))
        frames, connection = frames.take(tracked), connection[tracked]
    if not connection.size:
        return rows[:0], rows[:0]
    end = (frames["in_order"] != _orders(state.memory, connection)).astype(np.int64)
    count(state, frames, connection, end)
    return handshakes(state.memory, frames, connection, end)


class _Frames(dict[str, Any]):
    """Columns of some rows of a table, sorted by their ends, those of the same ends in order."""

    def __init__(self, table: Columns, rows: I64) -> None:
        super().__init__()
        src, dst = table["inner_src"][rows], table["inner_dst"][rows]
        sport, dport = table["inner_sport"][rows], table["inner_dport"][rows]
        order = _in_order(src, dst, sport, dport)
        swap = order[:, None]
        direction, ifindex = table["direction"][rows], table["ifindex"][rows]
        side = 1 + ((direction == Direction.OUT) != order)
        side[(direction == Direction.UNKNOWN) | (ifindex != 0)] = 0
        ends = {
            "low": np.where(swap, src, dst),
            "high": np.where(swap, dst, src),
            "low_port": np.where(order, sport, dport),
            "high_port": np.where(order, dport, sport),
            "side": side.astype(np.uint8),
            "ifindex": ifindex,
        }
        for name in ("capture", "interface", "vni", "kind", "inner_protocol"):
            ends[name] = table[name][rows]
        labels = _labels(*ends.values())
        sorting = np.argsort(labels, kind="stable")
        self.update({name: column[sorting] for name, column in ends.items()})
        self["row"] = rows[sorting]
        self["labels"] = labels[sorting]
        self["in_order"] = order[sorting]
        for name in _COLUMNS:
            self[name] = table[name][self["row"]]
        self["timestamp"] = self["timestamp"].astype(np.int64)
        tcp = self["inner_protocol"] == IPPROTO_TCP
        self["tcp"] = tcp
        self["tcp_flags"] = np.where(tcp, self["tcp_flags"], np.uint8(0))
        self["opens"] = (self["tcp_flags"] & (_SYN | _ACK)) == _SYN
        self["lost"] = self["inner_l4_status"] == Status.INVALID
        self["lost"] |= self["outer_udp_status"] == Status.INVALID

    def take(self, which: AnyArray) -> _Frames:
        """Return some of the frames."""
        part = _Frames.__new__(_Frames)
        part.update({name: column[which] for name, column in self.items()})
        return part


_COLUMNS = (
    "direction",
    "timestamp",
    "frame_number",
    "outer_src",
    "outer_dst",
    "outer_sport",
    "outer_dport",
    "outer_udp_status",
    "inner_src",
    "inner_dst",
    "inner_sport",
    "inner_dport",
    "inner_l4_length",
    "inner_l4_status",
    "origlen",
    "tcp_flags",
    "tcp_seq",
    "tcp_header_length",
)
_KEY = (
    "low",
    "high",
    "low_port",
    "high_port",
    "side",
    "ifindex",
    "capture",
    "interface",
    "vni",
    "kind",
    "inner_protocol",
)


def _labels(*columns: AnyArray) -> I64:
    """Return a number for each row, equal where all columns are: `group_labels` with one sort."""
    key = np.zeros(len(columns[0]), np.uint64)
    parts = [part for column in columns for part in np.atleast_2d(column.T)]
    for part in parts:
        key ^= part.astype(np.uint64)
        key *= _ODD
        key ^= key >> np.uint64(29)
    _, heads, labels = np.unique(key, return_index=True, return_inverse=True)
    if any((part != part[heads][labels]).any() for part in parts):
        return group_labels(*columns)  # different ends with the same key: made to be so
    return labels


def _in_order(src: AnyArray, dst: AnyArray, sport: AnyArray, dport: AnyArray) -> Bool:
    order: Bool = np.where(src[:, 1] == dst[:, 1], sport <= dport, src[:, 1] < dst[:, 1])
    return np.where(src[:, 0] == dst[:, 0], order, src[:, 0] < dst[:, 0])


def _orders(memory: Records, connection: I64) -> Bool:
    """Return whether the first end of each frame's connection comes before the other."""
    heads = np.flatnonzero(np.r_[True, connection[1:] != connection[:-1]][: connection.size])
    address, port = memory["address"][connection[heads]], memory["port"][connection[heads]]
    order = _in_order(address[:, 0], address[:, 1], port[:, 0], port[:, 1])
    return np.repeat(order, np.diff(np.r_[heads, connection.size]))


def _connections(frames: _Frames, state: State) -> tuple[I64, I64]:
    """Return the connection of each frame, -1 without room, and the first frames of new ones."""
    memory, labels = state.memory, frames["labels"]
    heads = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1]])
    sizes = np.diff(np.r_[heads, labels.size])
    keys = _keys(frames, heads)
    known = np.array([state.known.get(key, -1) for key in keys], np.int64)
    usable = known >= 0
    usable[usable] = memory["superseded"][known[usable]] == 0

    # A SYN begins another connection unless it repeats the one before it.
    opening = np.flatnonzero(frames["opens"])
    seq, order, label = (frames[n][opening] for n in ("tcp_seq", "in_order", "labels"))
    repeats = np.zeros(opening.size, np.bool_)
    repeats[1:] = (label[1:] == label[:-1]) & (seq[1:] == seq[:-1]) & (order[1:] == order[:-1])
    group = np.repeat(np.arange(heads.size), sizes)
    earliest = np.flatnonzero(np.r_[True, label[1:] != label[:-1]]) if opening.size else opening
    old = known[group[opening[earliest]]]
    there = old >= 0
    goes_on = usable[group[opening[earliest]]] & there
    goes_on[there] &= memory["begun"][old[there]] == 1
    goes_on[there] &= memory["isn"][old[there]] == seq[earliest][there]
    goes_on[there] &= _orders(memory, old[there]) == order[earliest][there]
    repeats[earliest] = goes_on

    begins = np.zeros(labels.size, np.bool_)
    begins[heads] = ~usable
    begins[opening[~repeats]] = True
    part = np.cumsum(begins | np.isin(np.arange(labels.size), heads)) - 1
    starts = np.flatnonzero(np.r_[True, part[1:] != part[:-1]])
    numbers = known[group[starts]]
    new = np.flatnonzero(begins[starts])
    # Connections are numbered in the order of their first frames.
    by_row = new[np.argsort(frames["row"][starts[new]], kind="stable")]
    numbers[by_row] = state.count + np.arange(by_row.size)
    numbers[numbers >= len(memory)] = -1
    first = starts[by_row[numbers[by_row] >= 0]]
    state.count += first.size
    head = np.searchsorted(starts, heads)
    previous = np.r_[-1, numbers[:-1]]
    previous[head] = known
    memory["superseded"][previous[(previous >= 0) & (previous != numbers)]] = 1
    latest = np.maximum.reduceat(numbers, head)
    for place in np.flatnonzero(latest > known).tolist():
        state.known[keys[place]] = int(latest[place])
    return numbers[part], first


def _keys(frames: _Frames, heads: I64) -> list[bytes]:
    parts = [np.atleast_2d(frames[name][heads].T).T.astype(np.uint64) for name in _KEY]
    table = np.ascontiguousarray(np.concatenate(parts, axis=1))
    return [row.tobytes() for row in table]


def _begin(state: State, frames: _Frames, first: I64) -> None:
    new = state.memory[state.count - first.size : state.count]
    new["address"][:, 0], new["address"][:, 1] = (
        frames["inner_src"][first],
        frames["inner_dst"][first],
    )
    new["port"][:, 0], new["port"][:, 1] = (
        frames["inner_sport"][first],
        frames["inner_dport"][first],
    )
    new["first"] = new["last"] = frames["timestamp"][first]
    new["first_frame"] = frames["frame_number"][first]
    for name in ("last_syn", "syn_ack", "established", "round_trip"):
        new[name] = ABSENT_TIME
    for name in ("first_data", "last_data"):
        new["from"][name] = ABSENT_TIME
    for name in ("outer_src", "outer_dst", "outer_sport", "outer_dport", "capture", "interface"):
        new[name] = frames[name][first]
    for name in ("ifindex", "vni", "kind", "side"):
        new[name] = frames[name][first]
    new["protocol"] = frames["inner_protocol"][first]
    new["begun"] = frames["opens"][first]
    new["isn"] = np.where(new["begun"] == 1, frames["tcp_seq"][first], 0)
