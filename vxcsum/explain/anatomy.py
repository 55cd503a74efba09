"""One frame taken apart, header by header.

Sources: as for `vxcsum.packet.link`, `vxcsum.packet.ip` and `vxcsum.packet.transport`, which do the
same for many frames at once; RFC 7348 section 5 and draft-ietf-nvo3-vxlan-gpe for the tunnel.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from vxcsum.explain.parts import ICMP, ICMPV6, PROTOCOLS, TCP, UDP, Anatomy, Ip, Part, Transport

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_HEADER = {TCP: 20, UDP: 8, ICMP: 8, ICMPV6: 8}
_EXTENSIONS = {0, 43, 44, 51, 60, 135, 139, 140}
_EXTENSION_NAMES = {0: "hop-by-hop options", 43: "routing header", 44: "fragment header"}
_MAX_EXTENSIONS = 256
_IPV4, _IPV6, _ARP = 0x0800, 0x86DD, 0x0806
_TAGS = (0x8100, 0x88A8, 0x9100)
_LINKS = {1: "Ethernet", 113: "Linux cooked", 276: "Linux cooked v2", 0: "null", 108: "loop"}
_TCP_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")
_GPE_PORT = 4790


class _Dissector:
    """Takes one frame apart; `payloads` are datagrams put together from their fragments."""

    def __init__(
        self, octets: bytes, origlen: int, ports: Collection[int], payloads: Mapping[str, bytes]
    ) -> None:
        self.anatomy = Anatomy(octets)
        self.limit = max(origlen, len(octets))
        self.ports = ports
        self.payloads = payloads

    @property
    def octets(self) -> bytes:
        return self.anatomy.octets

    def u8(self, at: int) -> int:
        return self.octets[at] if at < len(self.octets) else 0

    def u16(self, at: int) -> int:
        return self.u8(at) << 8 | self.u8(at + 1)

    def add(self, name: str, start: int, stop: int, said: str = "") -> None:
        self.anatomy.parts.append(Part(name, start, stop, said))

    def frame(self, linktype: int) -> None:
        found = self.link(linktype)
        position, end = len(self.octets), len(self.octets)
        if found is not None:
            position, ethertype = self.tags(*found, "", end)
            end = self.network(position, ethertype, end, "plain")
        if end < len(self.octets):
            here = max(end, self.anatomy.parts[-1].stop if self.anatomy.parts else 0)
            if here < len(self.octets):
                self.add("trailer", here, len(self.octets), "no checksum covers it")

    def link(self, linktype: int) -> tuple[int, int] | None:
        """Return where the network header is, and its Ethertype (0: unknown)."""
        have = len(self.octets)
        name = _LINKS.get(linktype)
        if linktype == 1:
            return self.ethernet(0, "", have)
        if linktype in (113, 276):
            length, at = (16, 14) if linktype == 113 else (20, 0)
            if have < length:
                self.short(f"{name} header", 0, length)
                return None
            packet_type = self.u16(0) if linktype == 113 else self.u8(10)
            way = "outgoing" if packet_type == 4 else "incoming"
            self.add(f"{name} header", 0, length, f"{way}, type 0x{self.u16(at):04x}")
            return length, self.u16(at)
        if linktype in (0, 108):
            if have < 4:
                self.short(f"{name} header", 0, 4)
                return None
            small = not self.u16(0) or not self.u16(2)
            family = self.u8(0) | self.u8(3) if small else 0
            self.add(f"{name} header", 0, 4, f"address family {family}")
            return 4, {2: _IPV4, 10: _IPV6, 24: _IPV6, 28: _IPV6, 30: _IPV6}.get(family, 0)
        if linktype in (12, 14, 101):
            return 0, {4: _IPV4, 6: _IPV6}.get(self.u8(0) >> 4, 0)
        if linktype in (228, 229):
            return 0, _IPV4 if linktype == 228 else _IPV6
        self.add(f"link type {linktype}", 0, have, "not known here")
        return None

    def short(self, name: str, start: int, wanted: int) -> None:
        have = max(len(self.octets) - start, 0)
        if have:
            self.add(name, start, len(self.octets), f"cut short: {have} of {wanted} octets")

    def ethernet(self, at: int, prefix: str, end: int) -> tuple[int, int] | None:
        if at + 14 > end:
            self.short(f"{prefix}Ethernet header", at, 14)
            return None
        macs = [self.octets[a : a + 6].hex(":") for a in (at + 6, at)]
        kind = self.u16(at + 12)
        said = f"{macs[0]} > {macs[1]}, type 0x{kind:04x}"
        self.add(f"{prefix}Ethernet header", at, at + 14, said)
        return at + 14, kind

    def tags(self, at: int, kind: int, prefix: str, end: int) -> tuple[int, int]:
        for _ in range(4):
            if kind not in _TAGS:
                break
            if at + 4 > end:
                self.short(f"{prefix}VLAN tag", at, 4)
                return at, 0
            kind = self.u16(at + 2)
            said = f"VLAN {self.u16(at) & 0xFFF}, type 0x{kind:04x}"
            self.add(f"{prefix}VLAN tag", at, at + 4, said)
            at += 4
        return at, kind

    def network(self, at: int, kind: int, end: int, level: str) -> int:
        """Take an IP packet apart; return where it ends."""
        prefix = "inner " if level == "inner" else ""
        nibble = self.u8(at) >> 4 if at < end else 0
        ip: Ip | None
        if kind == _IPV4 and nibble == 4:
            ip = self.ipv4(at, end, level, prefix)
        elif kind == _IPV6 and nibble == 6:
            ip = self.ipv6(at, end, level, prefix)
        else:
            name = "ARP" if kind == _ARP else "no IP packet"
            if at < end:
                self.add(f"{prefix}{name}", at, end, "no Internet checksum")
            return end
        if ip is None:
            return end
        self.anatomy.ips.append(ip)
        whole = self.payloads.get(level)
        if whole is not None:
            # From here on the datagram is read as if it had not been fragmented.
            self.anatomy.octets = self.octets[: ip.payload] + whole
            ip.stop = end = self.limit = ip.payload + len(whole)
        inside = min(end, ip.stop)
        if ip.fragment_offset:
            self.add(f"{prefix}payload", ip.payload, inside, "a later fragment: no header in it")
        elif (
            ip.protocol in PROTOCOLS
            and (ip.protocol != ICMP) | (ip.version == 4)
            and (ip.protocol != ICMPV6 or ip.version == 6)
        ):
            self.transport(ip, inside, prefix)
        elif ip.payload < inside:
            self.add(f"{prefix}payload", ip.payload, inside, f"protocol {ip.protocol}")
        return inside

    def ipv4(self, at: int, end: int, level: str, prefix: str) -> Ip | None:
        header = (self.u8(at) & 15) * 4
        if at + 20 > end or header < 20 or at + header > end:
            self.short(f"{prefix}IPv4 header", at, max(header, 20))
            return None
        total, flags = self.u16(at + 2), self.u16(at + 6)
        src, dst = self.octets[at + 12 : at + 16], self.octets[at + 16 : at + 20]
        protocol = self.u8(at + 9)
        piece = _fragment(self.u16(at + 4), (flags & 0x1FFF) * 8, flags >> 13 & 1)
        said = f"{_text(src)} > {_text(dst)}, protocol {protocol}, length {total}"
        said += f", TTL {self.u8(at + 8)}{piece}"
        self.add(f"{prefix}IPv4 header", at, at + header, said)
        return Ip(
            level, 4, at, header, at + header,
            max(at + total, at + header) if total else self.limit,
            src, dst, self.routed(at, header) or dst, protocol,
            jumbo=not total,
            ident=self.u16(at + 4),
            fragment_offset=(flags & 0x1FFF) * 8,
            more=bool(flags & 0x2000),
        )  # fmt: skip

    def routed(self, at: int, header: int) -> bytes | None:
        """Return the final destination of a source route that is not used up."""
        option, end = at + 20, at + header
        while option < end and self.u8(option):
            if self.u8(option) == 1:
                option += 1
                continue
            length = self.u8(option + 1) if option + 1 < end else 0
            if length < 2 or option + length > end:
                return None
            if self.u8(option) in (131, 137) and length >= 7 and self.u8(option + 2) < length:
                return self.octets[option + length - 4 : option + length]
            option += length
        return None

    def ipv6(self, at: int, end: int, level: str, prefix: str) -> Ip | None:
        if at + 40 > end:
            self.short(f"{prefix}IPv6 header", at, 40)
            return None
        length, kind = self.u16(at + 4), self.u8(at + 6)
        src, dst = self.octets[at + 8 : at + 24], self.octets[at + 24 : at + 40]
        said = f"{_text(src)} > {_text(dst)}, next header {kind}, length {length}"
        self.add(f"{prefix}IPv6 header", at, at + 40, said)
        jumbo = not length and kind != 59 and self.limit > at + 40
        stop = self.limit if jumbo else at + 40 + length
        ip = Ip(level, 6, at, 40, at + 40, stop, src, dst, dst, kind, jumbo=jumbo)
        for _ in range(_MAX_EXTENSIONS):
            if ip.protocol not in _EXTENSIONS or ip.fragment_offset:
                return ip
            if not self.extension(ip, end, prefix):
                return None
        return None

    def extension(self, ip: Ip, end: int, prefix: str) -> bool:
        """Step over one extension header."""
        at, kind = ip.payload, ip.protocol
        size = 8 if kind == 44 else (self.u8(at + 1) + (2 if kind == 51 else 1)) * (
            4 if kind == 51 else 8
        )  # fmt: skip
        name = f"{prefix}{_EXTENSION_NAMES.get(kind, f'extension header {kind}')}"
        if at + size > end:
            self.short(name, at, size)
            return False
        said = f"next header {self.u8(at)}"
        if kind == 0 and ip.jumbo and self.u16(at + 2) == 0xC204:
            ip.stop = at + (self.u16(at + 4) << 16 | self.u16(at + 6))
        if kind == 43 and self.u8(at + 3):
            entries, routing = self.u8(at + 1) // 2, self.u8(at + 2)
            entry = {0: entries - 1, 2: 0, 4: 0}.get(routing, -1)
            if entry >= 0 and entries:
                ip.final = self.octets[at + 8 + 16 * entry : at + 24 + 16 * entry]
                said += f", final destination {_text(ip.final)}"
        if kind == 44:
            ip.fragment_offset = self.u16(at + 2) & 0xFFF8
            ip.more = bool(self.u16(at + 2) & 1)
            ip.ident = self.u16(at + 4) << 16 | self.u16(at + 6)
            said += _fragment(ip.ident, ip.fragment_offset, ip.more)
        self.add(name, at, at + size, said)
        ip.protocol, ip.payload = self.u8(at), at + size
        return True

    def transport(self, ip: Ip, end: int, prefix: str) -> None:
        at, protocol = ip.payload, ip.protocol
        name = f"{prefix}{PROTOCOLS[protocol].upper().replace('V6', 'v6')}"
        length = ip.stop - at
        if protocol == UDP and end - at >= 6 and not (ip.jumbo and not self.u16(at + 4)):
            length = self.u16(at + 4)
        told = length if protocol == UDP or not ip.fragment else 0
        pseudo = []
        if protocol != ICMP:
            label = "destination" if ip.final == ip.dst else "final destination"
            pseudo = [
                ("source", ip.src),
                (label, ip.final),
                ("protocol", protocol.to_bytes(2, "big")),
                ("length", (told % (1 << 32)).to_bytes(4, "big").removeprefix(b"\0\0")),
            ]
        self.anatomy.transports.append(Transport(ip, protocol, at, length, pseudo))
        header = _HEADER[protocol]
        if protocol == TCP and end - at >= 14:
            header = max((self.u8(at + 12) >> 4) * 4, header)
        if at + header > end:
            self.short(f"{name} header", at, header)
            return
        self.add(f"{name} header", at, at + header, self.ports_of(at, protocol))
        if protocol == UDP and ip.level != "inner" and self.is_vxlan(at, end, length):
            self.vxlan(ip, at + 8, min(end, at + length), min(at + length, ip.stop))
            if at + length < end:
                self.add("behind the datagram", at + length, end, "no checksum covers it")
            return
        stop = min(end, at + length) if protocol == UDP else end
        if at + header < stop:
            self.add(f"{prefix}payload", at + header, stop)
        if stop < end and at + header <= stop:
            self.add(f"{prefix}octets behind the datagram", stop, end)

    def ports_of(self, at: int, protocol: int) -> str:
        if protocol in (ICMP, ICMPV6):
            return f"type {self.u8(at)}, code {self.u8(at + 1)}, identifier {self.u16(at + 4)}"
        said = f"port {self.u16(at)} > {self.u16(at + 2)}"
        if protocol == UDP:
            return f"{said}, length {self.u16(at + 4)}"
        flags = [name for bit, name in enumerate(_TCP_FLAGS) if self.u8(at + 13) >> bit & 1]
        seq = int.from_bytes(self.octets[at + 4 : at + 8], "big")
        return f"{said}, {' '.join(flags) or 'no flags'}, sequence number {seq}"

    def is_vxlan(self, at: int, end: int, length: int) -> bool:
        there = at + 16 <= end and length >= 16 and self.u16(at + 2) in self.ports
        return there and bool(self.u8(at + 8) & 0x08)

    def vxlan(self, ip: Ip, at: int, end: int, limit: int) -> None:
        ip.level = "outer"
        vni = int.from_bytes(self.octets[at + 4 : at + 7], "big")
        self.add("VXLAN header", at, at + 8, f"flags 0x{self.u16(at):04x}, VNI {vni}")
        following = self.u8(at + 3)
        bare = self.u16(at - 6) == _GPE_PORT and self.u8(at) & 0x04 and following != 3
        if bare:
            found: tuple[int, int] | None = (at + 8, {1: _IPV4, 2: _IPV6}.get(following, 0))
        else:
            found = self.ethernet(at + 8, "inner ", end)
        if found is None:
            return
        position, kind = found if bare else self.tags(*found, "inner ", end)
        limit, self.limit = self.limit, limit
        stop = self.network(position, kind, end, "inner")
        self.limit = limit
        if stop < end:
            self.add("inner trailer", stop, end, "the outer checksum alone covers it")


def _text(address: bytes) -> str:
    return str(ipaddress.ip_address(address))


def _fragment(ident: int, offset: int, more: object) -> str:
    if not offset and not more:
        return ""
    return f", fragment {ident:#x} from octet {offset}" + ("" if more else ", the last")


def dissect(
    octets: bytes,
    linktype: int,
    origlen: int,
    ports: Collection[int],
    payloads: Mapping[str, bytes] | None = None,
) -> Anatomy:
    """Take one frame apart.

    Parameters
    ----------
    octets : bytes
        What was captured of it.
    linktype, origlen : int
    ports : collection of int
        UDP destination ports of VXLAN.
    payloads : mapping of str to bytes, optional
        By level (``plain`` for the outermost packet, ``inner``): the payload of a datagram that
        this frame has the first fragment of, put together.

    Returns
    -------
    Anatomy
        Its octets go on behind the frame where a datagram was put together.
    """
    dissector = _Dissector(octets, origlen, ports, payloads or {})
    dissector.frame(linktype)
    return dissector.anatomy
