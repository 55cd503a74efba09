"""Which packets a law hits, told by what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.evidence.captures import ETHERNET_FRAME
from vxcsum.evidence.census import ICMP, ICMPV6, NONE, TCP, UDP

if TYPE_CHECKING:
    from vxcsum.packet.columns import AnyArray, Bool

EVERYTHING = frozenset((NONE, TCP, UDP, ICMP, ICMPV6))
TRANSPORT = frozenset((TCP, UDP))
PING = frozenset((ICMP, ICMPV6))
#: Octets of an outer UDP datagram around an inner transport header: UDP, VXLAN, Ethernet, IP.
_AROUND = {4: 8 + 8 + 14 + 20, 6: 8 + 8 + 14 + 40}
_LONGEST_TCP_HEADER = 60


@dataclass(frozen=True, slots=True)
class Scope:
    """Packets told by what they are: a law spares all others.

    Attributes
    ----------
    transports : frozenset of int
        What the inner packet is, as in `vxcsum.evidence.census`.
    versions : frozenset of int
        IP versions of the inner packet; 0 where it is none.
    payload : bool
        Of TCP, only packets with payload; all others have some.
    superframes : bool
        Whether packets that are still to be cut are hit as well.
    finished : bool
        Not those whose outer checksum holds nothing but the sum of its pseudo-header: it is neither
        right nor wrong for a law about octets that it does not cover.
    """

    transports: frozenset[int] = EVERYTHING
    versions: frozenset[int] = frozenset((0, 4, 6))
    payload: bool = False
    superframes: bool = True
    finished: bool = False

    def holds(self, kinds: Kinds) -> Bool:
        """Return which packets are hit."""
        mask = _among(kinds.transport, self.transports, EVERYTHING)
        mask &= _among(kinds.version, self.versions, frozenset((0, 4, 6)))
        if self.payload:
            mask &= kinds.payload
        if not self.superframes:
            mask &= ~kinds.superframe
        if self.finished:
            mask &= ~kinds.unfinished
        return mask


def octets_of_segment(length: AnyArray, version: AnyArray) -> AnyArray:
    """Return the octets of an inner transport header and its data, from the outer UDP length."""
    out: AnyArray = length.astype(np.int64) - np.where(version == 6, _AROUND[6], _AROUND[4])
    return out


#: All packets.
EVERY = Scope()


def _among(values: AnyArray, wanted: frozenset[int], every: frozenset[int]) -> Bool:
    if wanted == every:
        return np.ones(values.size, np.bool_)
    mask: Bool = np.isin(values, sorted(wanted))
    return mask


@dataclass(frozen=True, slots=True)
class Kinds:
    """What some packets are.

    Attributes
    ----------
    transport, version : int[n]
    payload, superframe, unfinished : bool[n]
    """

    transport: AnyArray
    version: AnyArray
    payload: Bool
    superframe: Bool
    unfinished: Bool

    @classmethod
    def of_suspects(cls, columns: dict[str, AnyArray], transport: AnyArray) -> Kinds:
        """Return what wrong packets are."""
        length = columns["inner_l4_length"]
        header = columns["tcp_header_length"]
        payload = np.where(transport == TCP, (length > header) & (header > 0), transport != NONE)
        large = np.maximum(columns["outer_udp_length"], length) > ETHERNET_FRAME
        finished = np.zeros(large.size, np.bool_)
        return cls(transport, columns["inner_ip_version"], payload, large, finished)

    @classmethod
    def of_right(
        cls, transport: AnyArray, version: AnyArray, length: AnyArray, unfinished: Bool
    ) -> Kinds:
        """Return what right packets in tunnels are, told by their outer UDP length."""
        long = octets_of_segment(length, version) > _LONGEST_TCP_HEADER
        payload = np.where(transport == TCP, long, transport != NONE)
        large = length > ETHERNET_FRAME
        return cls(transport, version, payload, large, unfinished)
