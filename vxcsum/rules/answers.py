"""Connections whose wrong packets were acknowledged: nobody verifies, or the capture was edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.flow.records import ABSENT_TIME
from vxcsum.flow.table import FlowState
from vxcsum.packet.protocols import IPPROTO_TCP
from vxcsum.rules.beside import connection_keys

if TYPE_CHECKING:
    from vxcsum.flow.table import FlowTable
    from vxcsum.packet.columns import U64, Bool


def answered(flows: FlowTable, keys: U64) -> Bool:
    """Return for some inner connections whether what was wrong in them was accepted.

    Parameters
    ----------
    flows : FlowTable
    keys : uint64[n]
        `vxcsum.rules.beside.connection_keys`, in one direction, in ascending order.

    Notes
    -----
    A connection that was established although every SYN was wrong, or that both ends closed
    although payload was wrong and none of it was sent again.
    """
    out = np.zeros(keys.size, np.bool_)
    if not keys.size or not len(flows):
        return out
    lost = flows.field("lost_syns")
    shaken = (flows.field("established") != ABSENT_TIME) & (lost > 0)
    shaken &= lost >= flows.field("syns") + flows.field("syn_acks")
    closed = flows["state"] == FlowState.CLOSED
    address, port = flows.field("address"), flows.field("port")
    for end in (0, 1):
        sent = flows.field("from")[:, end]
        accepted = closed & (sent["damaged_octets"] > 0) & (sent["repeated_octets"] == 0)
        accepted &= sent["damaged_octets"] >= sent["octets"]
        mine = (shaken | accepted) & (flows.field("protocol") == IPPROTO_TCP)
        some = connection_keys(
            flows.field("capture")[mine],
            address[mine, end],
            address[mine, 1 - end],
            port[mine, end],
            port[mine, 1 - end],
        )
        out |= np.isin(keys, some)
    return out
