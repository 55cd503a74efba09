"""What a frame consists of: its headers, and what their checksums cover."""

from __future__ import annotations

from dataclasses import dataclass, field

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
PROTOCOLS = {ICMP: "icmp", TCP: "tcp", UDP: "udp", ICMPV6: "icmpv6"}
_FIELD = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}


@dataclass(frozen=True, slots=True)
class Part:
    """A header, a payload, or what follows them: octets ``start <= i < stop`` of the frame."""

    name: str
    start: int
    stop: int
    said: str = ""


@dataclass(slots=True)
class Ip:
    """An IP packet; all places are offsets in the frame."""

    level: str  # outer, inner or plain
    version: int
    start: int
    header: int  # octets of the header, without extension headers
    payload: int
    stop: int  # by the length field
    src: bytes
    dst: bytes
    final: bytes  # the destination that the pseudo-header counts
    protocol: int
    jumbo: bool = False
    ident: int = 0
    fragment_offset: int = 0
    more: bool = False

    @property
    def fragment(self) -> bool:
        """Whether it is a fragment."""
        return self.more or self.fragment_offset > 0


@dataclass(slots=True)
class Transport:
    """A TCP, UDP or ICMP header, and what its checksum covers."""

    ip: Ip
    protocol: int
    start: int
    length: int  # octets covered, by the length fields
    pseudo: list[tuple[str, bytes]]  # what its pseudo-header consists of

    @property
    def field(self) -> int:
        """Offset of the checksum field."""
        return self.start + _FIELD[self.protocol]

    @property
    def layer(self) -> str:
        """The layer of the checksum."""
        return f"{self.ip.level}_{PROTOCOLS[self.protocol]}"


@dataclass(slots=True)
class Anatomy:
    """What a frame consists of."""

    octets: bytes
    parts: list[Part] = field(default_factory=list)
    ips: list[Ip] = field(default_factory=list)
    transports: list[Transport] = field(default_factory=list)

    def ip(self, level: str) -> Ip | None:
        """Return the IP packet of a level."""
        return next((ip for ip in self.ips if ip.level == level), None)
