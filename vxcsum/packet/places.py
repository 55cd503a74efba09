"""Where the IP headers of frames are: what the columns leave out, for those who change octets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.packet.ip import dissect_ip
from vxcsum.packet.link import find_network
from vxcsum.packet.vectorized import inner_network
from vxcsum.packet.windows import Octets

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64, U8, U16, U32


@dataclass(slots=True)
class Headers:
    """The IP headers of frames, in octets from the start of each frame.

    Attributes
    ----------
    position : int64[n, 2]
        Where the first IP header starts, and the one behind a VXLAN header.
    stop : int64[n, 2]
        First octet behind what was captured of each packet.
    """

    position: I64
    stop: I64


def ip_headers(octets: U8, offset: I64, caplen: U32, origlen: U32, linktype: U16) -> Headers:
    """Find the IP headers of frames.

    Parameters
    ----------
    octets : uint8[m]
        With `SLACK` octets behind the last frame.
    offset : int64[n]
        Where each frame starts in ``octets``.
    caplen, origlen : uint32[n]
    linktype : uint16[n]

    Returns
    -------
    Headers
        The second column means something in VXLAN frames only.
    """
    source = Octets(octets)
    end = offset + caplen
    limit = offset + np.maximum(caplen, origlen)
    network = find_network(source, linktype, offset, end)
    ip = dissect_ip(source, network.position, network.ethertype, end, limit)
    outer_stop = np.minimum(end, ip.stop)
    start = np.minimum(ip.payload, end)
    dport = source.window(start, 8).u16(2)
    vxlan = source.window(np.minimum(start + 8, end), 8)
    behind = np.minimum(start + 16, end)
    position, ethertype = inner_network(source, vxlan, dport, behind, outer_stop)
    inner = dissect_ip(source, position, ethertype, outer_stop, np.minimum(limit, ip.stop))
    return Headers(
        np.column_stack((network.position, position)) - offset[:, None],
        np.column_stack((outer_stop, np.minimum(outer_stop, inner.stop))) - offset[:, None],
    )
