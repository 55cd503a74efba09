"""Which inner connections the frames of a finding belong to, and when they got through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.packet.protocols import IPPROTO_TCP
from vxcsum.rules.model import address_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vxcsum.packet.columns import I64, AnyArray
    from vxcsum.rules.context import Context

#: What tells an inner connection, in one direction.
CONNECTION_COLUMNS = ("capture", "inner_src", "inner_dst", "inner_sport", "inner_dport")
#: A finding lists at most this many connections, and as many packets of each.
MAX_CONNECTIONS = 20
_SYN, _ACK = 0x02, 0x10


def connection_keys(columns: Mapping[str, AnyArray]) -> list[bytes]:
    """Return a key for each row: its inner connection, in one direction."""
    parts = [np.atleast_2d(columns[n].T).T.astype(np.uint64) for n in CONNECTION_COLUMNS]
    table = np.ascontiguousarray(np.concatenate(parts, axis=1))
    return [row.tobytes() for row in table]


def endpoint(address: AnyArray, port: Any) -> str:
    """Return an address and a port as people write them, ``[2001:db8::1]:53``."""
    text = address_text(address)
    return f"[{text}]:{int(port)}" if ":" in text else f"{text}:{int(port)}"


def connections(context: Context, rows: I64) -> list[dict[str, Any]]:
    """Return the inner connections of some suspects, those with the most packets first.

    Parameters
    ----------
    context : Context
    rows : int64[n]
        Suspects of one capture, with inner TCP or UDP.

    Returns
    -------
    list of dict
        ``source``, ``destination``, ``protocol``, ``frames``, ``seconds`` (of each packet after the
        first), and ``got_through_after_seconds`` where a later SYN had no wrong checksum.
    """
    labels = context.flows("inner_l4")[rows]
    frames = np.bincount(labels, context.column("frames", rows))
    names, first = np.unique(labels, return_index=True)
    most = np.lexsort((first, -frames[names]))[:MAX_CONNECTIONS]
    return [_describe(context, rows[labels == label]) for label in names[most].tolist()]


def _describe(context: Context, rows: I64) -> dict[str, Any]:
    s, first = context.suspects, int(rows[0])
    _, times = context.frames_of(rows)
    start = int(s["first"][rows].min())
    tcp = int(s["inner_protocol"][first]) == IPPROTO_TCP
    out: dict[str, Any] = {
        "source": endpoint(s["inner_src"][first], s["inner_sport"][first]),
        "destination": endpoint(s["inner_dst"][first], s["inner_dport"][first]),
        "protocol": "tcp" if tcp else "udp",
        "frames": int(s["frames"][rows].sum()),
        "seconds": [round((t - start) / 1e9, 3) for t in sorted(times.tolist())[:MAX_CONNECTIONS]],
    }
    if tcp and (s["tcp_flags"][rows] & np.uint8(_SYN | _ACK) == _SYN).any():
        shakes = context.handshakes_of(first)
        flags = context.handshakes["tcp_flags"][shakes]
        shakes = shakes[(flags & np.uint8(_SYN | _ACK)) == _SYN]
        for name in ("outer_udp_status", "inner_l4_status"):
            shakes = shakes[context.handshakes[name][shakes] != Status.INVALID]
        # Outside of the tunnel the same SYN may be seen as well, and says nothing of its way.
        shakes = shakes[context.handshakes["kind"][shakes] == s["kind"][first]]
        later = context.handshakes["timestamp"][shakes].astype(np.int64)
        later = later[later > start]
        if later.size:
            out["got_through_after_seconds"] = round((int(later.min()) - start) / 1e9, 3)
    return out
