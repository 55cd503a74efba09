"""What the NumPy twin counts: frames sorted by connection, those of each one in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.flow.records import ABSENT_TIME, COPY_NANOSECONDS, MAX_SEGMENT
from vxcsum.flow.tracking import Runs, track
from vxcsum.packet.columns import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vxcsum.flow.records import Records, State
    from vxcsum.packet.columns import I64, AnyArray

_SYN, _RST, _ACK = 2, 4, 16
_UDP_HEADER = 8
_JUMBO_FRAME, _ETHERNET_FRAME = 9216 + 64, 1600


def count(state: State, frames: Mapping[str, AnyArray], connection: I64, end: I64) -> None:
    """Add what is counted of frames, and of those with payload."""
    heads = np.flatnonzero(np.r_[True, connection[1:] != connection[:-1]])
    numbers, last = connection[heads], state.memory["last"]
    last[numbers] = np.maximum(last[numbers], np.maximum.reduceat(frames["timestamp"], heads))
    runs = Runs(state.memory, connection, end)
    inner = frames["inner_l4_status"][runs.sorting]
    outer = frames["outer_udp_status"][runs.sorting]
    runs.add("frames", np.ones(inner.size, np.uint8))
    runs.add("partial", inner == Status.PARTIAL)
    runs.add("valid", inner == Status.VALID)
    runs.add("invalid", inner == Status.INVALID)
    runs.add("outer_invalid", outer == Status.INVALID)
    flags = np.where(frames["lost"], frames["tcp_flags"] & ~np.uint8(_RST), frames["tcp_flags"])
    runs.combine(np.bitwise_or, "tcp_flags", flags[runs.sorting])

    seen = np.left_shift(np.uint8(1), frames["direction"][runs.sorting] & np.uint8(7))
    runs.combine(np.bitwise_or, "directions", seen)

    _from_syns(state.memory, frames, connection, end)
    header = np.where(frames["tcp"], frames["tcp_header_length"], np.uint8(_UDP_HEADER))
    length = frames["inner_l4_length"].astype(np.int64)
    rows = np.flatnonzero((header > 0) & (length > header))
    if not rows.size:
        return
    runs = Runs(state.memory, connection[rows], end[rows])
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
    for inside in (0, 1):
        some = tcp & ((frames["kind"][rows] == Kind.VXLAN) == inside)
        segments = np.bincount(np.minimum(octets[some], MAX_SEGMENT))
        state.segments[inside, : segments.size] += segments
    # Where a checksum is wrong, the sequence number may be what is damaged.
    sound = np.flatnonzero(tcp & (status != Status.INVALID))
    if sound.size:
        octets, rows = octets[sound], rows[sound]
        opens = (frames["tcp_flags"][rows] & _SYN) != 0
        seq = frames["tcp_seq"][rows] + opens.astype(np.uint32)
        track(Runs(state.memory, connection[rows], end[rows]), state.memory, seq, octets)


def _from_syns(memory: Records, frames: Mapping[str, AnyArray], connection: I64, end: I64) -> None:
    """Count the octets of ends that sent a SYN from the one after it.

    Where data came before the SYN, they are counted from the first of these.
    """
    sent = memory["from"]
    fresh = frames["tcp"] & (frames["inner_l4_status"] != Status.INVALID)
    fresh &= sent["tracked"][connection, end] == 0
    syn = (frames["tcp_flags"] & _SYN) != 0
    header = frames["tcp_header_length"]
    data = (header > 0) & (frames["inner_l4_length"] > header)
    rows = np.flatnonzero(fresh & (syn | data))
    _, first = np.unique(connection[rows] * 2 + end[rows], return_index=True)
    rows = rows[first]  # frames of a connection are in order
    rows = rows[syn[rows]]
    sent["tracked"][connection[rows], end[rows]] = 1
    sent["seq"][connection[rows], end[rows]] = frames["tcp_seq"][rows] + np.uint32(1)


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
        & ~frames["lost"]
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
