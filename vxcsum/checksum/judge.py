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
from vxcsum.packet.protocols import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, VXLAN_RCO

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64, U8, Bool, Columns

_COVERAGES = len(Coverage)
#: A verdict is looked up by what is known of a slot: coverage, and one bit each for a sum that
#: comes out (residual 0) and for a UDP field of 0.
_SUM_RIGHT, _UDP_ZERO = 8, 16


def _table() -> tuple[U8, U8, Bool]:
    """Return status, reason, and whether the field is still to be compared, by index."""
    status = np.zeros(32, np.uint8)
    reason = np.zeros(32, np.uint8)
    undecided = np.zeros(32, np.bool_)
    unsummed = {
        Coverage.TRUNCATED: Reason.TRUNCATED,
        Coverage.FRAGMENT: Reason.FRAGMENT,
        Coverage.MALFORMED: Reason.MALFORMED,
        Coverage.FIELD_CUT: Reason.TRUNCATED,
        Coverage.FIELDLESS: Reason.MALFORMED,
    }
    readable = (Coverage.COMPLETE, Coverage.TRUNCATED, Coverage.FRAGMENT)
    for index in range(32):
        coverage = index & 7
        if coverage in (Coverage.ABSENT, _COVERAGES):
            continue
        if index & _UDP_ZERO and coverage in (*readable, Coverage.MALFORMED):
            status[index] = Status.ZERO
        elif coverage != Coverage.COMPLETE:
            status[index] = Status.UNVERIFIABLE
            reason[index] = unsummed[Coverage(coverage)]
            undecided[index] = coverage in readable
        else:
            status[index] = Status.VALID if index & _SUM_RIGHT else Status.INVALID
            undecided[index] = not index & _SUM_RIGHT
    return status, reason, undecided


_STATUS, _REASON, _UNDECIDED = _table()


def judge(columns: Columns) -> None:
    """Add the status and reason columns of all four slots, in place.

    Parameters
    ----------
    columns : dict
        Facts, with the fragments of a datagram already added up.
    """
    for slot in ("outer_ip", "inner_ip"):
        _look_up(columns, slot)
    udp = columns["inner_protocol"] == IPPROTO_UDP
    _judge_inner(columns, _look_up(columns, "inner_l4", udp & (columns["inner_l4_found"] == 0)))
    _judge_outer(columns, _look_up(columns, "outer_udp", columns["outer_udp_found"] == 0))


def _look_up(columns: Columns, slot: str, zero: Bool | None = None) -> I64:
    """Write what coverage, sum and zero decide; return the rows whose field is to be compared."""
    index: U8 = (columns[f"{slot}_residual"] == 0).view(np.uint8) * np.uint8(_SUM_RIGHT)
    index += columns[f"{slot}_coverage"]
    if zero is not None:
        index += zero.view(np.uint8) * np.uint8(_UDP_ZERO)
    first = index[0] if index.size else 0
    if (index == first).all():  # the rule for headers, and for healthy traffic
        columns[f"{slot}_status"] = np.full(index.size, _STATUS[first])
        columns[f"{slot}_reason"] = np.full(index.size, _REASON[first])
        return np.arange(index.size) if _UNDECIDED[first] else np.arange(0)
    columns[f"{slot}_status"] = _STATUS[index]
    columns[f"{slot}_reason"] = _REASON[index]
    return np.flatnonzero(_UNDECIDED[index])


def _judge_inner(columns: Columns, rows: I64) -> None:
    """Tell partial checksums from wrong ones, in ``rows``."""
    if not rows.size:
        return
    found, pseudo = columns["inner_l4_found"][rows], columns["inner_l4_pseudo"][rows]
    protocol = columns["inner_protocol"][rows]
    # A first fragment does not tell the length of its datagram, only UDP says so itself.
    own = np.where(columns["kind"][rows] == Kind.VXLAN, np.uint8(2), np.uint8(1))
    open_ = columns["inner_l4_coverage"][rows] == Coverage.FRAGMENT
    told = ~(open_ & ((columns["fragment"][rows] & own) != 0)) | (protocol == IPPROTO_UDP)
    told &= protocol != IPPROTO_ICMP
    full = told & (difference(found, pseudo) == 0)
    # Windows leaves length 0 in the pseudo-header of a segment it wants cut (LSO).
    bare = residue(pseudo.astype(np.int64) - columns["inner_l4_length"][rows])
    lso = told & ~full & (difference(found, bare) == 0)
    lso &= (protocol == IPPROTO_TCP) | (protocol == IPPROTO_UDP)
    columns["inner_l4_status"][rows[full | lso]] = Status.PARTIAL
    columns["inner_l4_reason"][rows[full]] = Reason.NONE
    columns["inner_l4_reason"][rows[lso]] = Reason.LSO


def _judge_outer(columns: Columns, rows: I64) -> None:
    """Tell partial and LCO checksums from wrong ones, in ``rows``."""
    if not rows.size:
        return
    found = columns["outer_udp_found"][rows]
    partial = difference(found, columns["outer_udp_pseudo"][rows]) == 0
    pending = columns["inner_l4_status"][rows] == Status.PARTIAL
    # With remote checksum offload the inner one stays unfinished, and the outer one covers it so.
    pending &= (columns["vxlan_flags"][rows] & VXLAN_RCO) == 0
    # Fact sheet 1.3: with a partial inner checksum the headers alone decide, whatever was cut off.
    lco = difference(columns["outer_udp_lco"][rows], columns["inner_l4_pseudo"][rows])
    finished = pending & ~partial & (lco == 0)
    wrong = pending & ~partial & (lco != 0)
    columns["outer_udp_status"][rows[partial | finished]] = Status.PARTIAL
    columns["outer_udp_status"][rows[wrong]] = Status.INVALID
    columns["outer_udp_reason"][rows[partial | wrong]] = Reason.NONE
    columns["outer_udp_reason"][rows[finished]] = Reason.LCO
    cut = wrong & (columns["outer_udp_coverage"][rows] != Coverage.COMPLETE)
    columns["outer_udp_residual"][rows[cut]] = lco[cut]
