"""Which inner connections the frames of a finding belong to, and when they got through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.packet.ip import IPPROTO_TCP
from vxcsum.rules.base import address_text

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64, AnyArray, Bool
    from vxcsum.rules.context import Context

#: A finding lists at most this many connections, and as many packets of each.
MAX_CONNECTIONS = 20
_SYN, _ACK = 0x02, 0x10


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
    groups: dict[tuple[Any, ...], list[int]] = {}
    for row in rows.tolist():
        s = context.suspects
        key = (
            s["inner_src"][row].tobytes(),
            s["inner_dst"][row].tobytes(),
            int(s["inner_sport"][row]),
            int(s["inner_dport"][row]),
            int(s["inner_protocol"][row]),
        )
        groups.setdefault(key, []).append(row)
    ordered = sorted(groups.values(), key=lambda members: -len(members))
    return [_describe(context, np.array(members)) for members in ordered[:MAX_CONNECTIONS]]


def _describe(context: Context, rows: I64) -> dict[str, Any]:
    s, first = context.suspects, int(rows[0])
    times = s["timestamp"][rows].astype(np.int64)
    start = int(times.min())
    tcp = int(s["inner_protocol"][first]) == IPPROTO_TCP
    out: dict[str, Any] = {
        "source": endpoint(s["inner_src"][first], s["inner_sport"][first]),
        "destination": endpoint(s["inner_dst"][first], s["inner_dport"][first]),
        "protocol": "tcp" if tcp else "udp",
        "frames": int(rows.size),
        "seconds": [round((t - start) / 1e9, 3) for t in sorted(times.tolist())[:MAX_CONNECTIONS]],
    }
    if tcp and (s["tcp_flags"][rows] & np.uint8(_SYN | _ACK) == _SYN).any():
        later = context.handshakes["timestamp"][_same(context, first)].astype(np.int64)
        later = later[later > start]
        if later.size:
            out["got_through_after_seconds"] = round((int(later.min()) - start) / 1e9, 3)
    return out


def _same(context: Context, row: int) -> Bool:
    """Return the handshakes that are SYNs of the connection of a suspect."""
    shakes, s = context.handshakes, context.suspects
    mask: Bool = shakes["capture"] == s["capture"][row]
    mask &= (shakes["tcp_flags"] & np.uint8(_SYN | _ACK)) == _SYN
    for name in ("inner_src", "inner_dst"):
        mask &= (shakes[name] == s[name][row]).all(axis=1)
    for name in ("inner_sport", "inner_dport"):
        mask &= shakes[name] == s[name][row]
    return mask
