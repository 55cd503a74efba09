"""From facts to statuses: the five words of a checksum, on whole columns.

The order where two would fit: zero (UDP only), valid, partial, invalid, unverifiable. ``zero`` and
``partial`` need only headers, so frames cut short still get them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.algebra import difference, residue
from vxcsum.checksum.status import Reason, Status
from vxcsum.packet.columns import Coverage, Kind
from vxcsum.packet.ip import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP

if TYPE_CHECKING:
    from vxcsum.packet.columns import U8, Bool, Columns

#: What remains to be said where neither field nor sum decides, by coverage.
_STATUS_BY_COVERAGE = np.array(
    [
        Status.ABSENT,
        Status.INVALID,
        Status.UNVERIFIABLE,
        Status.UNVERIFIABLE,
        Status.UNVERIFIABLE,
        Status.UNVERIFIABLE,
        Status.UNVERIFIABLE,
    ],
    np.uint8,
)
_REASON_BY_COVERAGE = np.array(
    [
        Reason.NONE,
        Reason.NONE,
        Reason.TRUNCATED,
        Reason.FRAGMENT,
        Reason.MALFORMED,
        Reason.TRUNCATED,
        Reason.MALFORMED,
    ],
    np.uint8,
)


def judge(columns: Columns) -> None:
    """Add the status and reason columns of all four slots, in place.

    Parameters
    ----------
    columns : dict
        Facts, with the fragments of a datagram already added up.
    """
    for slot in ("outer_ip", "inner_ip"):
        coverage = columns[f"{slot}_coverage"]
        status = _STATUS_BY_COVERAGE[coverage]
        status[(coverage == Coverage.COMPLETE) & (columns[f"{slot}_residual"] == 0)] = Status.VALID
        columns[f"{slot}_status"] = status
        columns[f"{slot}_reason"] = _REASON_BY_COVERAGE[coverage]
    _judge_inner(columns)
    _judge_outer(columns)


def _readable(coverage: U8) -> Bool:
    """Where the checksum field was captured and the lengths around it make sense."""
    readable: Bool = (coverage == Coverage.COMPLETE) | (coverage == Coverage.TRUNCATED)
    readable |= coverage == Coverage.FRAGMENT
    return readable


def _judge_inner(columns: Columns) -> None:
    coverage, found = columns["inner_l4_coverage"], columns["inner_l4_found"]
    protocol, pseudo = columns["inner_protocol"], columns["inner_l4_pseudo"]
    status, reason = _STATUS_BY_COVERAGE[coverage], _REASON_BY_COVERAGE[coverage]
    readable = _readable(coverage)
    udp = protocol == IPPROTO_UDP

    open_rows = np.flatnonzero(
        readable & ((coverage != Coverage.COMPLETE) | (columns["inner_l4_residual"] != 0))
    )
    if open_rows.size:
        field, sum_ = found[open_rows], pseudo[open_rows]
        kind = protocol[open_rows]
        # A first fragment does not tell the length of its datagram, only UDP says so itself.
        told = (coverage[open_rows] != Coverage.FRAGMENT) | (kind == IPPROTO_UDP)
        told &= kind != IPPROTO_ICMP
        full = told & (difference(field, sum_) == 0)
        # Windows leaves length 0 in the pseudo-header of a segment it wants cut (LSO).
        bare = residue(sum_.astype(np.int64) - columns["inner_l4_length"][open_rows])
        lso = told & ~full & (difference(field, bare) == 0)
        lso &= (kind == IPPROTO_TCP) | (kind == IPPROTO_UDP)
        status[open_rows[full | lso]] = Status.PARTIAL
        reason[open_rows[full]] = Reason.NONE
        reason[open_rows[lso]] = Reason.LSO
    valid = (coverage == Coverage.COMPLETE) & (columns["inner_l4_residual"] == 0)
    status[valid] = Status.VALID
    zero = udp & (readable | (coverage == Coverage.MALFORMED)) & (found == 0)
    status[zero] = Status.ZERO
    reason[zero] = Reason.NONE
    columns["inner_l4_status"], columns["inner_l4_reason"] = status, reason


def _judge_outer(columns: Columns) -> None:
    coverage, found = columns["outer_udp_coverage"], columns["outer_udp_found"]
    residual = columns["outer_udp_residual"]
    status, reason = _STATUS_BY_COVERAGE[coverage], _REASON_BY_COVERAGE[coverage]
    readable = _readable(coverage)
    valid = (coverage == Coverage.COMPLETE) & (residual == 0)
    status[valid] = Status.VALID
    zero = (readable | (coverage == Coverage.MALFORMED)) & (found == 0)
    status[zero] = Status.ZERO
    reason[zero] = Reason.NONE

    rows = np.flatnonzero(readable & ~valid & ~zero)
    if not rows.size:
        columns["outer_udp_status"], columns["outer_udp_reason"] = status, reason
        return
    partial = difference(found[rows], columns["outer_udp_pseudo"][rows]) == 0
    pending = (columns["inner_l4_status"][rows] == Status.PARTIAL) & (
        columns["kind"][rows] == Kind.VXLAN
    )
    # patterns 1.3: with a partial inner checksum the headers alone decide, whatever was cut off.
    lco = difference(columns["outer_udp_lco"][rows], columns["inner_l4_found"][rows])
    finished = pending & ~partial & (lco == 0)
    wrong = pending & ~partial & (lco != 0)
    status[rows[partial | finished]] = Status.PARTIAL
    status[rows[wrong]] = Status.INVALID
    reason[rows[partial | wrong]] = Reason.NONE
    reason[rows[finished]] = Reason.LCO
    cut = wrong & (coverage[rows] != Coverage.COMPLETE)
    residual[rows[cut]] = lco[cut]
    columns["outer_udp_status"], columns["outer_udp_reason"] = status, reason
