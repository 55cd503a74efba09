"""The words of a judgement, and the layers they are said of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from vxcsum.packet.columns import Kind
from vxcsum.packet.protocols import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP


class Status(IntEnum):
    """What is to be said of one checksum of one frame."""

    ABSENT = 0
    VALID = 1
    ZERO = 2
    PARTIAL = 3
    INVALID = 4
    UNVERIFIABLE = 5


class Reason(IntEnum):
    """Why a status is what it is, where that needs saying."""

    NONE = 0
    LCO = 1
    """Right once the device has finished the partial inner checksum (local checksum offload)."""
    LSO = 2
    """A partial checksum whose pseudo-header has length 0, as Windows leaves it for LSO."""
    TRUNCATED = 3
    FRAGMENT = 4
    """Other fragments of the datagram are not in the capture."""
    MALFORMED = 5


#: The statuses that are counted and reported.
STATUSES = tuple(status for status in Status if status is not Status.ABSENT)


@dataclass(frozen=True, slots=True)
class Layer:
    """One of the twelve places a checksum can be: a slot of the table, and which frames use it."""

    name: str
    slot: str
    kind: Kind
    protocol: int | None = None


_L4 = {"tcp": IPPROTO_TCP, "udp": IPPROTO_UDP, "icmp": IPPROTO_ICMP, "icmpv6": IPPROTO_ICMPV6}

LAYERS: dict[str, Layer] = {
    layer.name: layer
    for layer in (
        Layer("outer_ipv4", "outer_ip", Kind.VXLAN),
        Layer("outer_udp", "outer_udp", Kind.VXLAN),
        Layer("inner_ipv4", "inner_ip", Kind.VXLAN),
        *(Layer(f"inner_{name}", "inner_l4", Kind.VXLAN, number) for name, number in _L4.items()),
        Layer("plain_ipv4", "inner_ip", Kind.PLAIN),
        *(Layer(f"plain_{name}", "inner_l4", Kind.PLAIN, number) for name, number in _L4.items()),
    )
}
