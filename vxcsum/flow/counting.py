"""What the NumPy twin counts: frames sorted by connection, those of each one in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.flow.records import ABSENT_TIME, COPY_NANOSECONDS, MAX_SEGMENT
from vxcsum.flow.tracking import track
from vxcsum.packet.columns import Kind

if TYPE_CHECKING:
    from vxcsum.flow.records import Records, State
    from vxcsum.flow.tracking import Runs
    from vxcsum.flow.vectorized import Frames
    from vxcsum.packet.columns import I64, Bool

_SYN, _RST, _ACK = 2, 4, 16
_UDP_HEADER = 8
_JUMBO_FRAME, _ETHERNET_FRAME = 9216 + 64, 1600


def count(state: State, frames: Frames, runs: Runs) -> None:
    """Add what is counted of frames, and of those with payload."""
    last = state.memory["last"]
    latest = np.maximum.reduceat(frames.times, runs.heads)
    np.maximum.at(last, runs.connection, latest)
    inner, outer = frames["inner_l4_status"], frames["outer_udp_status"]
    runs.add_totals("frames", runs.sizes)
    runs.add("partial", inner == Status.PARTIAL)
    runs.add("valid", inner == Status.VALID)
    runs.add("invalid", inner == Status.INVALID)
    runs.add("outer_invalid", outer == Status.INVALID)
    flags = np.where(frames.lost, frames.flags & ~np.uint8(_RST), frames.flags)
    runs.combine(np.bitwise_or, "tcp_flags", flags)
    seen = np.left_shift(np.uint8(1), frames["direction"] & np.uint8(7))
    runs.combine(np.bitwise_or, "directions", seen)

    header = np.where(frames.tcp, frames["tcp_header_length"], np.uint8(_UDP_HEADER))
    data = (header > 0) & (frames["inner_l4_length"] > header)
    _from_syns(state.memory, frames, runs, data)
    rows = np.flatnonzero(data)
    if rows.size:
        octets = frames["inner_l4_length"][rows].astype(np.int64) - header[rows]
        if rows.size != data.size:
            frames = frames.take(rows)
        _count_data(state, frames, runs.part(rows), octets)


def _count_data(state: State, frames: Frames, runs: Runs, octets: I64) -> None:
    status, tcp, origlen = frames["inner_l4_status"], frames.tcp, frames["origlen"]
    runs.add_totals("data_frames", runs.sizes)
    runs.add("octets", octets)
    runs.combine(np.maximum, "largest", octets)
    runs.add("damaged_octets", np.where(status == Status.INVALID, octets, 0))
    first = state.memory["from"]["first_data"]
    before = first[runs.where]
    first[runs.where] = np.where(before == ABSENT_TIME, frames.times[runs.heads], before)
    runs.combine(np.maximum, "last_data", frames.times)  # no time is less than any
    big = (origlen > _JUMBO_FRAME) | ((origlen > _ETHERNET_FRAME) & (status == Status.PARTIAL))
    runs.add("superframes", big & tcp)
    for inside in (0, 1):
        some = tcp & ((frames["kind"] == Kind.VXLAN) == inside)
        segments = np.bincount(np.minimum(octets[some], MAX_SEGMENT))
        state.segments[inside, : segments.size] += segments
    # Where a checksum is wrong, the sequence number may be what is damaged.
    sound = np.flatnonzero(tcp & (status != Status.INVALID))
    if sound.size:
        opens = (frames.flags[sound] & _SYN) != 0
        seq = frames["tcp_seq"][sound] + opens.astype(np.uint32)
        track(runs.part(sound), state.memory, seq, octets[sound])


def _from_syns(memory: Records, frames: Frames, runs: Runs, data: Bool) -> None:
    """Count the octets of ends that sent a SYN from the one after it.

    Where data came before the SYN, they are counted from the first of these.
    """
    sent = memory["from"]
    syn = (frames.flags & _SYN) != 0
    if not syn.any():
        return
    fresh = runs.spread(sent["tracked"][runs.where] == 0)
    fresh &= frames.tcp & (frames["inner_l4_status"] != Status.INVALID)
    rows = np.flatnonzero(fresh & (syn | data))
    group = np.searchsorted(runs.heads, rows, "right") - 1
    first = np.diff(group, prepend=-1) != 0
    rows, group = rows[first], group[first]
    rows, group = rows[syn[rows]], group[syn[rows]]
    where = runs.connection[group], runs.end[group]
    sent["tracked"][where] = 1
    sent["seq"][where] = frames["tcp_seq"][rows] + np.uint32(1)


def handshakes(memory: Records, frames: Frames, runs: Runs) -> tuple[I64, I64]:
    """Follow SYNs and the first acknowledgement of each connection, one after another."""
    flags = frames.flags
    connection, end = runs.connection, runs.end
    opening = (memory["begun"][connection] == 1) & (end == 0)
    opening &= memory["established"][connection] == ABSENT_TIME
    events = (flags & _SYN) != 0
    if opening.any():
        answers = np.flatnonzero(
            runs.spread(opening) & ((flags & (_SYN | _RST | _ACK)) == _ACK) & ~frames.lost
        )
        group = np.searchsorted(runs.heads, answers, "right")
        events[answers[np.diff(group, prepend=0) != 0]] = True
    rows = np.flatnonzero(events)
    group = np.searchsorted(runs.heads, rows, "right") - 1
    in_time = np.lexsort((frames.row[rows], connection[group]))
    rows, group = rows[in_time], group[in_time]
    columns = (frames.row, flags, frames.times, frames.lost, frames["outer_sport"])
    events_of = (column[rows].tolist() for column in columns)
    repeated: list[tuple[int, int]] = []
    for number, one_end, row, flag, now, lost, port in zip(
        connection[group].tolist(), end[group].tolist(), *events_of, strict=True
    ):
        record = memory[number]
        opening = record["established"] == ABSENT_TIME
        if not flag & _SYN:
            record["established"] = now
            # Captures may be out of order.
            record["round_trip"] = max(0, _elapsed(int(record["last_syn"]), now))
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
