"""Following connections with NumPy: the reference, and the fallback where nothing is compiled.

The frames of a table are sorted by connection, then whole columns are counted at once; only
handshakes are followed one frame after another. Equal octet for octet to ``native.c``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.grouping import group_labels
from vxcsum.checksum.status import Status
from vxcsum.flow.records import ABSENT_TIME, COPY_NANOSECONDS, MAX_SEGMENT
from vxcsum.packet.columns import Direction, Kind
from vxcsum.packet.ip import IPPROTO_TCP, IPPROTO_UDP

if TYPE_CHECKING:
    from vxcsum.flow.records import Columns, Records, State
    from vxcsum.packet.columns import I64, AnyArray, Bool

_SYN, _RST, _ACK = 2, 4, 16
_UDP_HEADER = 8
_JUMBO_FRAME, _ETHERNET_FRAME = 9216 + 64, 1600
_SAFE = 1 << 62
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
    _count(state, frames, connection, end)
    return _handshakes(state.memory, frames, connection, end)


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


class _Runs:
    """Frames sorted by connection and end, for counting what each end of each one sent."""

    def __init__(self, memory: Records, connection: I64, end: I64) -> None:
        one = connection * 2 + end
        self.sorting = np.argsort(one, kind="stable")
        one = one[self.sorting]
        self.heads = np.flatnonzero(np.r_[True, one[1:] != one[:-1]])
        self.where = one[self.heads] // 2, one[self.heads] % 2
        self.group = np.repeat(np.arange(self.heads.size), np.diff(np.r_[self.heads, one.size]))
        self._sent = memory["from"]

    def add(self, name: str, values: AnyArray) -> None:
        """Add sorted values to a field."""
        if values.any():
            total = np.add.reduceat(values, self.heads, dtype=np.int64)
            field = self._sent[name]
            field[self.where] += total.astype(field.dtype)

    def combine(self, function: np.ufunc, name: str, values: AnyArray) -> None:
        """Combine sorted values with a field."""
        field = self._sent[name]
        reduced = function.reduceat(values, self.heads).astype(field.dtype)
        field[self.where] = function(field[self.where], reduced)


def _count(state: State, frames: _Frames, connection: I64, end: I64) -> None:
    """Add what is counted of frames, and of those with payload."""
    heads = np.flatnonzero(np.r_[True, connection[1:] != connection[:-1]])
    numbers, last = connection[heads], state.memory["last"]
    # The frames of a connection are together, but for one that began anew: hence not only its last.
    np.maximum.at(last, numbers, np.maximum.reduceat(frames["timestamp"], heads))
    runs = _Runs(state.memory, connection, end)
    inner = frames["inner_l4_status"][runs.sorting]
    outer = frames["outer_udp_status"][runs.sorting]
    runs.add("frames", np.ones(inner.size, np.uint8))
    runs.add("partial", inner == Status.PARTIAL)
    runs.add("valid", inner == Status.VALID)
    runs.add("invalid", inner == Status.INVALID)
    runs.add("outer_invalid", outer == Status.INVALID)
    runs.combine(np.bitwise_or, "tcp_flags", frames["tcp_flags"][runs.sorting])

    header = np.where(frames["tcp"], frames["tcp_header_length"], np.uint8(_UDP_HEADER))
    length = frames["inner_l4_length"].astype(np.int64)
    rows = np.flatnonzero((header > 0) & (length > header))
    if not rows.size:
        return
    runs = _Runs(state.memory, connection[rows], end[rows])
    rows = rows[runs.sorting]
    octets = length[rows] - header[rows]
    times, status = frames["timestamp"][rows], frames["inner_l4_status"][rows]
    tcp, origlen = frames["tcp"][rows], frames["origlen"][rows]
    runs.add("data_frames", np.ones(rows.size, np.uint8))
    runs.add("octets", octets)
    runs.combine(np.maximum, "largest", octets)
    first = state.memory["from"]["first_data"]
    first[runs.where] = np.where(
        first[runs.where] == ABSENT_TIME, times[runs.heads], first[runs.where]
    )
    runs.combine(np.maximum, "last_data", times)  # no time is less than any
    big = (origlen > _JUMBO_FRAME) | ((origlen > _ETHERNET_FRAME) & (status == Status.PARTIAL))
    runs.add("superframes", big & tcp)
    segments = np.bincount(np.minimum(octets[tcp], MAX_SEGMENT))
    state.segments[: segments.size] += segments
    # Where a checksum is wrong, the sequence number may be what is damaged.
    sound = np.flatnonzero(tcp & (status != Status.INVALID))
    if sound.size:
        octets, rows = octets[sound], rows[sound]
        opens = (frames["tcp_flags"][rows] & _SYN) != 0
        seq = frames["tcp_seq"][rows] + opens.astype(np.uint32)
        _track(_Runs(state.memory, connection[rows], end[rows]), state, seq, octets)


def _track(runs: _Runs, state: State, seq: AnyArray, octets: I64) -> None:
    """Tell new octets from repeated ones, and from those that fill what was skipped before."""
    sent, firsts, group, each = state.memory["from"], runs.heads, runs.group, runs.where
    lasts = np.r_[firsts[1:], seq.size] - 1
    before = sent[each]
    step = np.zeros(seq.size, np.int64)
    step[1:] = (seq[1:] - seq[:-1]).view(np.int32)
    step[firsts] = np.where(
        before["tracked"] == 1, before["at"] + (seq[firsts] - before["seq"]).view(np.int32), 0
    )
    start = _sums(step, firsts, group)
    stop = start + octets
    reached = np.empty(seq.size, np.int64)  # before each segment
    reached[1:] = stop[:-1]
    reached[firsts] = before["end"]
    reached = _running(np.maximum, reached, group, firsts)
    skipped = np.maximum(start - reached, 0)
    old = np.maximum(np.minimum(stop, reached) - start, 0)
    # What is missing grows by what is skipped and shrinks by what is old, but never below nothing.
    change = skipped - old
    change[firsts] += before["missing"]
    total = _sums(change, firsts, group)
    missing = total - np.minimum(_running(np.minimum, total, group, firsts), 0)
    previous = np.empty(seq.size, np.int64)
    previous[1:] = missing[:-1]
    previous[firsts] = before["missing"]
    filled = np.where(old > 0, previous - missing, 0)

    runs.add("repeated_octets", old - filled)
    runs.add("repeated_frames", old > filled)
    runs.add("late_frames", (start < reached) & (old == filled))
    sent["tracked"][each] = 1
    sent["seq"][each] = seq[lasts]
    sent["at"][each] = start[lasts]
    sent["missing"][each] = missing[lasts]
    sent["end"][each] = np.maximum(reached[lasts], stop[lasts])


def _sums(values: I64, firsts: I64, group: I64) -> I64:
    """Return running sums that begin anew with each group."""
    total = np.cumsum(values)
    return np.asarray(total - (total[firsts] - values[firsts])[group])


def _running(function: np.ufunc, values: I64, group: I64, firsts: I64) -> I64:
    """Return running maxima or minima that begin anew with each group."""
    low, high = int(values.min()), int(values.max())
    span = high - low + 1
    if span * firsts.size >= _SAFE:
        parts = np.split(values, firsts[1:])
        return np.concatenate([function.accumulate(part) for part in parts])
    apart = group * span if function is np.maximum else (group[-1] - group) * span
    running: I64 = function.accumulate(values - low + apart)
    return running - apart + low


def _handshakes(memory: Records, frames: _Frames, connection: I64, end: I64) -> tuple[I64, I64]:
    """Follow SYNs and the first acknowledgement of each connection, one after another."""
    flags = frames["tcp_flags"]
    begun = memory["begun"][connection] == 1
    answers = np.flatnonzero(
        begun
        & (end == 0)
        & ((flags & (_SYN | _RST | _ACK)) == _ACK)
        & (memory["established"][connection] == ABSENT_TIME)
    )
    answers = answers[np.unique(connection[answers], return_index=True)[1]]
    events = np.sort(np.r_[np.flatnonzero(flags & _SYN), answers])
    names = ("row", "tcp_flags", "timestamp", "lost", "outer_sport")
    columns = [frames[name][events].tolist() for name in names]
    repeated: list[tuple[int, int]] = []
    for number, one_end, row, flag, now, lost, port in zip(
        connection[events].tolist(), end[events].tolist(), *columns, strict=True
    ):
        record = memory[number]
        opening = record["established"] == ABSENT_TIME
        if not flag & _SYN:
            record["established"] = now
            record["round_trip"] = now - record["last_syn"]
            continue
        if lost and opening:
            record["lost_syns"] += 1
        if flag & _ACK:
            if record["syn_ack"] == ABSENT_TIME:
                record["syn_ack"] = now
            record["syn_acks"] += 1
        elif one_end == 0 and record["begun"]:
            if record["syns"]:
                if now - record["last_syn"] < COPY_NANOSECONDS:
                    continue
                repeated.append((row, number))
            record["syns"] += 1
            record["last_syn"] = now
            if opening:
                record["last_outer_sport"] = port
    found = np.array(sorted(repeated), np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]
