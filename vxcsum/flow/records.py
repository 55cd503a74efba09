"""What is kept of a connection: one record, written alike by both twins.

A connection is what two ends (address and port) say to each other over TCP or UDP, in one capture,
at one interface, in one VXLAN network or outside of any; its first end sent the first frame. A SYN
that does not repeat the one it began with begins another connection.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from vxcsum.packet.columns import I64, AnyArray

    Records: TypeAlias = npt.NDArray[np.void]

#: Connections followed, 496 octets each; memory is taken as they come.
MAX_CONNECTIONS = 1 << 20
#: Data segments are counted by octets up to this, larger ones together.
MAX_SEGMENT = 65536
#: SYNs closer than this are one, seen at two places: Linux waits 1 s, and no TCP less than 0.2 s.
COPY_NANOSECONDS = 100_000_000
#: No time: what ``NaT`` is as a number.
ABSENT_TIME = np.iinfo(np.int64).min

#: What one end sent.
DIRECTION = np.dtype(
    [
        ("first_data", "i8"),  # ns since 1970 UTC, as all times
        ("last_data", "i8"),
        ("octets", "i8"),  # of payload, repeated ones included
        ("repeated_octets", "i8"),
        ("damaged_octets", "i8"),  # with a wrong checksum: receivers drop them
        ("end", "i8"),  # octets after the SYN, or from the first one seen, that were reached
        ("at", "i8"),  # where the last segment began
        ("missing", "i8"),  # octets that were skipped and not seen since
        ("frames", "u4"),
        ("data_frames", "u4"),
        ("repeated_frames", "u4"),
        (
            "late_frames",
            "u4",
        ),  # filled what was skipped: reordered, or repeated by TCP
        ("largest", "u4"),  # octets of payload
        ("superframes", "u4"),
        ("partial", "u4"),
        ("valid", "u4"),
        ("invalid", "u4"),
        ("outer_invalid", "u4"),
        ("seq", "u4"),  # of the last segment
        ("tcp_flags", "u1"),  # all that were seen
        ("tracked", "u1"),
        ("directions", "u1"),  # one bit for each `Direction` seen
        ("unused", "u1"),
    ]
)

#: Octets that were skipped, counted as in `DIRECTION`; some of them may have come since.
HOLE = np.dtype([("low", "i8"), ("length", "u4"), ("missing", "u4")])
#: Holes of each end that are told apart; of more, those that are closest become one.
HOLES = 3

CONNECTION = np.dtype(
    [
        ("address", "u8", (2, 2)),
        ("capture", "i4"),
        ("interface", "i4"),
        ("ifindex", "u4"),
        ("vni", "u4"),
        ("isn", "u4"),
        ("port", "u2", (2,)),
        ("kind", "u1"),
        ("protocol", "u1"),
        ("side", "u1"),  # tells interfaces apart that have no numbers
        ("begun", "u1"),  # 1: with a SYN
        ("superseded", "u1"),  # 1: the same ends began another one
        ("unused", "u1", (3,)),
        ("last", "i8"),
        ("established", "i8"),  # the first end acknowledges
        ("from", DIRECTION, (2,)),
        ("first", "i8"),
        ("first_frame", "i8"),
        ("last_syn", "i8"),
        ("syn_ack", "i8"),  # the first one
        ("round_trip", "i8"),  # ns from the last SYN until established
        ("outer_src", "u8", (2,)),  # of the first frame, as all of the outer packet
        ("outer_dst", "u8", (2,)),
        ("syns", "u4"),
        ("syn_acks", "u4"),
        ("lost_syns", "u4"),  # SYNs of either end with a wrong checksum, until established
        ("unused_count", "u4"),
        ("outer_sport", "u2"),
        ("outer_dport", "u2"),
        ("last_outer_sport", "u2"),  # of the last SYN until established
        ("unused_ports", "u2"),
        ("holes", HOLE, (2, HOLES)),  # of each end, the lowest first
    ]
)


class Columns(Protocol):
    """A table of frames: its columns by name."""

    def __getitem__(self, name: str, /) -> AnyArray:
        """Return a column."""
        ...


class State:
    """The connections so far, and what both twins need to go on.

    Parameters
    ----------
    bound : int
        Connections followed at most.
    """

    def __init__(self, bound: int = MAX_CONNECTIONS) -> None:
        # Memory that is only zeros is not taken before it is written to.
        self.memory: Records = np.zeros(bound, CONNECTION)
        #: The index: at the place that its ends and the seed give, or behind it, the number of a
        #: connection, counted from 1. The seed differs, so that captures which crowd one place of
        #: it are hard to make.
        self.slots = np.zeros(1 << bound.bit_length(), np.int32)
        self.seed = int.from_bytes(os.urandom(8), "little")
        self.segments: I64 = np.zeros((2, MAX_SEGMENT + 1), np.int64)
        self.count = 0
        self.untracked = 0

    @property
    def connections(self) -> Records:
        """The records, in the order of their first frames."""
        return self.memory[: self.count]
