"""What the NumPy twin counts: frames sorted by connection, those of each one in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.flow.records import ABSENT_TIME, COPY_NANOSECONDS, MAX_SEGMENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vxcsum.flow.records import Records, State
    from vxcsum.packet.columns import I64, AnyArray

_SYN, _RST, _ACK = 2, 4, 16
_UDP_HEADER = 8
_JUMBO_FRAME, _ETHERNET_FRAME = 9216 + 64, 1600
#: Numbers below this can be kept apart by adding, without overflow.
_SAFE = 1 << 62


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


def count(state: State, frames: Mapping[str, AnyArray], connection: I64, end: I64) -> None:
    """Add what is counted of frames, and of those with payload."""
    heads = np.flatnonzero(np.r_[True, connection[1:] != connection[:-1]])
    numbers, last = connection[heads], state.memory["last"]
    last[numbers] = np.maximum(last[numbers], np.maximum.reduceat(frames["timestamp"], heads))
    runs = _Runs(state.memory, connection, end)
    inner = frames["inner_l4_status"][runs.sorting]
    outer = frames["outer_udp_status"][runs.sorting]
    runs.add("frames", np.ones(inner.size, np.uint8))
    runs.add("partial", inner == Status.PARTIAL)
    runs.add("valid", inner == Status.VALID)
    runs.add("invalid", inner == Status.INVALID)
    runs.add("outer_invalid", outer == Status.INVALID)
    runs.combine(np.bitwise_or, "tcp_flags", frames["tcp_flags"][runs.sorting])

    seen = np.left_shift(np.uint8(1), frames["direction"][runs.sorting] & np.uint8(7))
    runs.combine(np.bitwise_or, "directions", seen)

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


def handshakes(
    memory: Records, frames: Mapping[str, AnyArray], connection: I64, end: I64
) -> tuple[I64, I64]:
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
            record["round_trip"] = _elapsed(int(record["last_syn"]), now)
            continue
        if lost and opening:
            record["lost_syns"] += 1
        if flag & _ACK:
            if record["syn_ack"] == ABSENT_TIME:
                record["syn_ack"] = now
            record["syn_acks"] += 1
        elif one_end == 0 and record["begun"]:
            if record["syns"]:
                if _elapsed(int(record["last_syn"]), now) < COPY_NANOSECONDS:
                    continue
                repeated.append((row, number))
            record["syns"] += 1
            record["last_syn"] = now
            if opening:
                record["last_outer_sport"] = port
    found = np.array(sorted(repeated), np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _elapsed(start: int, stop: int) -> int:
    """Return a difference of times from captures as 64 bits have it."""
    return (stop - start + (1 << 63)) % (1 << 64) - (1 << 63)
