"""Following connections with NumPy: the reference, and the fallback where nothing is compiled.

The frames of a table are sorted by connection, then whole columns are counted at once; only
handshakes are followed one frame after another. Equal octet for octet to ``native.c``.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.flow.counting import count, handshakes
from vxcsum.flow.lookup import ends_of, enter, find, grouping, in_order, side_of, sorting
from vxcsum.flow.records import ABSENT_TIME
from vxcsum.flow.tracking import Runs
from vxcsum.packet.columns import Kind
from vxcsum.packet.protocols import IPPROTO_TCP, IPPROTO_UDP

if TYPE_CHECKING:
    from vxcsum.flow.lookup import Ends
    from vxcsum.flow.records import Columns, Records, State
    from vxcsum.packet.columns import I64, U8, AnyArray, Bool

_SYN, _ACK = 2, 16


class Frames:
    """Some rows of a table in some order; their columns are gathered when they are asked for."""

    def __init__(self, table: Columns, row: I64) -> None:
        self._table = table
        self._columns: dict[str, AnyArray] = {}
        self.row = row

    def __getitem__(self, name: str) -> AnyArray:
        """Return a column."""
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = self._table[name][self.row]
        return column

    def take(self, which: AnyArray) -> Frames:
        """Return some of the frames, or all in another order."""
        return Frames(self._table, self.row[which])

    @cached_property
    def tcp(self) -> Bool:
        """Whether they are of TCP."""
        return np.asarray(self["inner_protocol"] == IPPROTO_TCP)

    @cached_property
    def flags(self) -> U8:
        """Flags of TCP, 0 where they are of something else."""
        flags = self["tcp_flags"]
        return flags if self.tcp.all() else np.where(self.tcp, flags, np.uint8(0))

    @cached_property
    def times(self) -> I64:
        """Nanoseconds since 1970 UTC."""
        return self["timestamp"].view(np.int64)

    @cached_property
    def lost(self) -> Bool:
        """Whether a receiver drops them."""
        lost: Bool = self["inner_l4_status"] == Status.INVALID
        lost |= self["outer_udp_status"] == Status.INVALID
        return lost


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
    ends, order = ends_of(table, rows)
    sorted_, heads = grouping(ends)
    frames, order = Frames(table, rows[sorted_]), order[sorted_]
    ends = [part[sorted_[heads]] for part in ends]
    numbers, starts, new = _connections(frames, order, heads, ends, state)
    if new.size:
        _begin(state, frames.take(new))
    sizes = np.diff(starts, append=order.size)
    orders = _orders(state.memory, np.maximum(numbers, 0))
    connection, end = np.repeat(numbers, sizes), order != np.repeat(orders, sizes)
    if numbers.min() < 0:
        tracked = np.flatnonzero(connection >= 0)
        state.untracked += connection.size - tracked.size
        frames, connection, end = frames.take(tracked), connection[tracked], end[tracked]
        if not tracked.size:
            return tracked, tracked
    if end.any():
        run = np.cumsum(connection[1:] != connection[:-1])
        by_end = sorting(np.concatenate(([0], run)) * 2 + end)
        frames, connection, end = frames.take(by_end), connection[by_end], end[by_end]
    runs = Runs(state.memory, connection, end)
    count(state, frames, runs)
    return handshakes(state.memory, frames, runs)


def _connections(
    frames: Frames, order: Bool, heads: I64, ends: Ends, state: State
) -> tuple[I64, I64, I64]:
    """Find or begin the connections of frames that are sorted by their ends.

    Returns
    -------
    numbers : int64[k]
        The connection of each run of frames, -1 without room for it.
    starts : int64[k]
        Where each run starts.
    new : int64[m]
        The first frames of new connections, in the order of their numbers.
    """
    memory = state.memory
    slot, known = find(state, ends)
    usable = known >= 0
    usable[usable] = memory["superseded"][known[usable]] == 0
    begins, is_head = np.zeros((2, order.size), np.bool_)
    begins[heads] = ~usable
    is_head[heads] = True
    opening = np.flatnonzero((frames.flags & (_SYN | _ACK)) == _SYN)
    if opening.size:
        group = np.searchsorted(heads, opening, "right") - 1
        old = np.where(usable, known, -1)[group]
        repeats = _repeats(memory, frames["tcp_seq"][opening], order[opening], group, old)
        begins[opening[~repeats]] = True
    starts = np.flatnonzero(begins | is_head)
    head = np.searchsorted(starts, heads)
    numbers = np.repeat(known, np.diff(head, append=starts.size))
    new = np.flatnonzero(begins[starts])
    # Connections are numbered in the order of their first frames.
    new = new[np.argsort(frames.row[starts[new]])]
    numbers[new] = state.count + np.arange(new.size)
    numbers[numbers >= len(memory)] = -1
    new = new[numbers[new] >= 0]
    state.count += new.size
    previous = np.concatenate(([-1], numbers[:-1]))
    previous[head] = known
    memory["superseded"][previous[(previous >= 0) & (previous != numbers)]] = 1
    latest = np.maximum.reduceat(numbers, head)
    changed, there = latest > known, known >= 0
    state.slots[slot[changed & there]] = latest[changed & there] + 1
    enter(state, slot[changed & ~there], latest[changed & ~there])
    return numbers, starts, starts[new]


def _repeats(memory: Records, seq: AnyArray, order: Bool, group: I64, old: I64) -> Bool:
    """Return which SYNs repeat the one before them, rather than begin another connection."""
    repeats = np.zeros(seq.size, np.bool_)
    repeats[1:] = (group[1:] == group[:-1]) & (seq[1:] == seq[:-1]) & (order[1:] == order[:-1])
    earliest = np.flatnonzero(np.diff(group, prepend=-1))
    earliest = earliest[old[earliest] >= 0]
    old = old[earliest]
    goes_on = (memory["begun"][old] == 1) & (memory["isn"][old] == seq[earliest])
    goes_on &= _orders(memory, old) == order[earliest]
    repeats[earliest] = goes_on
    return repeats


def _orders(memory: Records, number: I64) -> Bool:
    """Return whether the first end of each connection comes before the other."""
    address, port = memory["address"][number], memory["port"][number]
    return in_order(address[:, 0], address[:, 1], port[:, 0], port[:, 1])


def _begin(state: State, frames: Frames) -> None:
    new = state.memory[state.count - frames.row.size : state.count]
    new["address"][:, 0], new["address"][:, 1] = frames["inner_src"], frames["inner_dst"]
    new["port"][:, 0], new["port"][:, 1] = frames["inner_sport"], frames["inner_dport"]
    new["first"] = new["last"] = frames.times
    new["first_frame"] = frames["frame_number"]
    for name in ("last_syn", "syn_ack", "established", "round_trip"):
        new[name] = ABSENT_TIME
    for name in ("first_data", "last_data"):
        new["from"][name] = ABSENT_TIME
    for name in ("outer_src", "outer_dst", "outer_sport", "outer_dport", "capture", "interface"):
        new[name] = frames[name]
    for name in ("ifindex", "vni", "kind"):
        new[name] = frames[name]
    new["protocol"] = frames["inner_protocol"]
    order = _orders(state.memory, state.count - new.size + np.arange(new.size))
    new["side"] = side_of(frames["direction"], frames["ifindex"], order)
    new["begun"] = (frames.flags & (_SYN | _ACK)) == _SYN
    new["isn"] = np.where(new["begun"] == 1, frames["tcp_seq"], 0)
