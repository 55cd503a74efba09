"""Following connections with the compiled twin of `vxcsum.flow.vectorized`.

Importing this module raises ImportError where the extension was not built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.flow import _native

if TYPE_CHECKING:
    from vxcsum.flow.records import Columns, State
    from vxcsum.packet.columns import I64

_COLUMNS = {
    "kind": "u1",
    "direction": "u1",
    "inner_protocol": "u1",
    "inner_l4_status": "u1",
    "outer_udp_status": "u1",
    "tcp_flags": "u1",
    "tcp_header_length": "u1",
    "inner_sport": "u2",
    "inner_dport": "u2",
    "outer_sport": "u2",
    "outer_dport": "u2",
    "inner_l4_length": "u4",
    "tcp_seq": "u4",
    "origlen": "u4",
    "vni": "u4",
    "ifindex": "u4",
    "capture": "i4",
    "interface": "i4",
    "timestamp": "i8",
    "frame_number": "i8",
    "inner_src": "u8",
    "inner_dst": "u8",
    "outer_src": "u8",
    "outer_dst": "u8",
}


def follow(table: Columns, state: State) -> tuple[I64, I64]:
    """Take in the frames of a table; see `vxcsum.flow.vectorized.follow`."""
    rows = len(table["kind"])
    columns = {n: np.ascontiguousarray(table[n]).view(code) for n, code in _COLUMNS.items()}
    syns = np.empty((2, rows), np.int64)
    buffers = (state.memory, state.slots, state.segments, syns[0], syns[1])
    state.count, found, untracked = _native.follow(columns, rows, *buffers, state.count, state.seed)
    state.untracked += untracked
    return syns[0, :found], syns[1, :found]
