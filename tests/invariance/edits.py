"""What people do to a capture before they share it: one function for each edit.

``edited(data, "inner-ports")`` is the whole file with every frame edited. Checksums stay as they
are; only where a name ends in ``-fixed`` those of IPv4 headers are computed anew, as many tools do.
``inner`` is the innermost header: that of a plain frame, too. ``outer`` is what is around it.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from container import frames, rebuild

if TYPE_CHECKING:
    from collections.abc import Callable

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
NULL, ETHERNET, SLL, LOOP, SLL2 = 0, 1, 113, 108, 276
RAW = (12, 14, 101, 228, 229)
VXLAN_PORTS = (4789, 8472, 4790, 4876)
_GPE_PORT = 4790
_TAGS = (0x8100, 0x88A8, 0x9100)
_IPV4, _IPV6 = 0x0800, 0x86DD
_FRAGMENT, _AUTHENTICATION = 44, 51
_EXTENSIONS = (0, 43, 60, _FRAGMENT, _AUTHENTICATION)
_LAST_ICMPV6_WITH_PAYLOAD = 129  # those above speak of neighbours and groups


# Where things are.


@dataclass(frozen=True)
class Ip:
    """An IP packet in a frame; offsets are those of the frame."""

    at: int
    version: int
    protocol: int
    l4: int
    end: int
    first: bool = True  # not a later fragment
    fragment: bytes = b""  # what all fragments of a packet share
    tunnel: bool = False

    @property
    def width(self) -> int:
        return 4 if self.version == 4 else 16

    @property
    def addresses(self) -> tuple[int, int]:
        """Where its source and its destination are."""
        first = self.at + (12 if self.version == 4 else 8)
        return first, first + self.width

    @property
    def checksum(self) -> int | None:
        """Where the checksum of its payload is."""
        place = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}.get(self.protocol)
        return self.l4 + place if place is not None and self.first else None


@dataclass
class Layout:
    """Where the headers of a frame are."""

    ips: list[Ip] = field(default_factory=list)
    link_macs: list[int] = field(default_factory=list)
    inner_macs: list[int] = field(default_factory=list)
    vxlan: list[int] = field(default_factory=list)


def layout(frame: bytes | bytearray, linktype: int) -> Layout:
    """Find the headers that are in a frame; what is cut off or unknown is left out."""
    out = Layout()
    kind, at = _link(frame, linktype, out)
    _network(frame, kind, at, len(frame), out)
    return out


def _link(frame: bytes | bytearray, linktype: int, out: Layout) -> tuple[int, int]:
    if linktype == ETHERNET:
        out.link_macs += [0, 6]
        return _word(frame, 12), 14
    if linktype == SLL:
        if _word(frame, 4) == 6:
            out.link_macs.append(6)
        return _word(frame, 14), 16
    if linktype == SLL2:
        if len(frame) > 11 and frame[11] == 6:
            out.link_macs.append(12)
        return _word(frame, 0), 20
    if linktype in RAW:
        return _by_version(frame, 0), 0
    if linktype in (NULL, LOOP):
        return _by_version(frame, 4), 4
    return -1, 0


def _word(frame: bytes | bytearray, at: int) -> int:
    return int.from_bytes(frame[at : at + 2], "big") if at + 2 <= len(frame) else -1


def _by_version(frame: bytes | bytearray, at: int) -> int:
    return {4: _IPV4, 6: _IPV6}.get(frame[at] >> 4, -1) if at < len(frame) else -1


def _network(frame: bytes | bytearray, kind: int, at: int, end: int, out: Layout) -> None:
    while kind in _TAGS:
        kind, at = _word(frame, at + 2), at + 4
    ip = None
    if kind == _IPV4:
        ip = _ipv4(frame, at, end)
    elif kind == _IPV6:
        ip = _ipv6(frame, at, end)
    if ip is None:
        return
    header = ip.l4 + 8
    if (
        ip.protocol == UDP
        and ip.first
        and header + 8 <= ip.end
        and _word(frame, ip.l4 + 2) in VXLAN_PORTS
        and frame[header] & 0x08
    ):
        out.ips.append(replace(ip, tunnel=True))
        out.vxlan.append(header)
        _carried(frame, header, ip, out)
    else:
        out.ips.append(ip)


def _carried(frame: bytes | bytearray, header: int, ip: Ip, out: Layout) -> None:
    at = header + 8
    generic = _word(frame, ip.l4 + 2) == _GPE_PORT and frame[header] & 0x04
    if generic and frame[header + 3] in (1, 2):
        _network(frame, _IPV4 if frame[header + 3] == 1 else _IPV6, at, ip.end, out)
    elif at + 14 <= ip.end:
        out.inner_macs += [at, at + 6]
        _network(frame, _word(frame, at + 12), at + 14, ip.end, out)


def _ipv4(frame: bytes | bytearray, at: int, end: int) -> Ip | None:
    if at + 20 > end or frame[at] >> 4 != 4 or frame[at] & 15 < 5:
        return None
    l4 = at + 4 * (frame[at] & 15)
    total = _word(frame, at + 2)
    end = min(end, at + total) if total else end  # 0: BIG TCP, or left to a device
    word = _word(frame, at + 6)
    parts = bytes(frame[at + 12 : at + 20] + frame[at + 4 : at + 6]) if word & 0x3FFF else b""
    return Ip(at, 4, frame[at + 9], l4, max(l4, end), not word & 0x1FFF, parts)


def _ipv6(frame: bytes | bytearray, at: int, end: int) -> Ip | None:
    if at + 40 > end or frame[at] >> 4 != 6:
        return None
    length = _word(frame, at + 4)
    end = min(end, at + 40 + length) if length else end
    protocol, l4, first, parts = frame[at + 6], at + 40, True, b""
    while protocol in _EXTENSIONS and l4 + 8 <= end:
        size = 8 * (frame[l4 + 1] + 1)
        if protocol == _FRAGMENT:
            size, first = 8, not _word(frame, l4 + 2) & 0xFFF8
            parts = bytes(frame[at + 8 : at + 40] + frame[l4 + 4 : l4 + 8])
        elif protocol == _AUTHENTICATION:
            size = 4 * (frame[l4 + 1] + 2)
        protocol, l4 = frame[l4], l4 + size
        if not first:
            break
    return Ip(at, 6, protocol, l4, max(l4, end), first, parts)


# What an edit remembers while it goes through a capture.


@dataclass
class State:
    """Everything old and what it became, so that the same becomes the same."""

    rng: random.Random
    names: dict[tuple[str, bytes], bytes] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    tunnel_fragments: set[bytes] = field(default_factory=set)
    sequences: dict[bytes, int] = field(default_factory=dict)
    permutations: dict[bytes, list[int]] = field(default_factory=dict)
    chosen: bytes = b""

    def count(self, kind: str) -> int:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return self.counts[kind]

    def name(self, kind: str, old: bytes, new: Callable[[int], bytes]) -> bytes:
        """What became of something old; ``new`` makes it from a number that counts from 1."""
        known = self.names.get((kind, old))
        if known is None:
            known = self.names[kind, old] = new(self.count(kind))
        return known


Edit: TypeAlias = "Callable[[bytearray, int, State], None]"
Where: TypeAlias = "Callable[[Layout, State], list[Ip]]"


def inner(found: Layout, state: State) -> list[Ip]:
    """The innermost IP header, which a plain frame has, too."""
    return [ip for ip in found.ips if not _is_outer(ip, state)]


def outer(found: Layout, state: State) -> list[Ip]:
    """The IP headers around a tunnel; also of the later fragments of one."""
    return [ip for ip in found.ips if _is_outer(ip, state)]


def every(found: Layout, state: State) -> list[Ip]:
    return list(found.ips)


def _is_outer(ip: Ip, state: State) -> bool:
    if ip.tunnel and ip.fragment:
        state.tunnel_fragments.add(ip.fragment)
    return ip.tunnel or bool(ip.fragment and ip.fragment in state.tunnel_fragments)


def ones_sum(octets: bytes | bytearray) -> int:
    """The ones-complement sum of 16-bit words."""
    padded = bytes(octets) + bytes(len(octets) % 2)
    total: int = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def correct_header(frame: bytearray, ip: Ip) -> None:
    """Compute the checksum of an IPv4 header anew, where all of it was captured."""
    header = 4 * (frame[ip.at] & 15)
    if ip.version != 4 or ip.at + header > len(frame):
        return
    frame[ip.at + 10 : ip.at + 12] = bytes(2)
    found = 0xFFFF - ones_sum(frame[ip.at : ip.at + header])
    frame[ip.at + 10 : ip.at + 12] = found.to_bytes(2, "big")


def put(frame: bytearray, at: int, octets: bytes) -> None:
    """Write octets, as far as the frame goes."""
    room = max(0, len(frame) - at)
    frame[at : at + len(octets)] = octets[:room]


# Payload.


def payload(fill: Callable[[State, int], bytes]) -> Edit:
    """Replace what TCP, UDP and ICMP carry innermost."""

    def edit(frame: bytearray, linktype: int, state: State) -> None:
        found = layout(frame, linktype)
        outer(found, state)
        for ip in found.ips:
            if not ip.tunnel:
                start = _payload_start(frame, ip)
                if start is not None and start < ip.end:
                    frame[start : ip.end] = fill(state, ip.end - start)

    return edit


def _payload_start(frame: bytearray, ip: Ip) -> int | None:
    if ip.protocol not in (TCP, UDP, ICMP, ICMPV6):
        return None
    if not ip.first:
        return ip.l4
    if ip.protocol == TCP:
        return ip.l4 + max(20, 4 * (frame[ip.l4 + 12] >> 4)) if ip.l4 + 13 <= ip.end else None
    if ip.protocol == ICMPV6 and (ip.l4 >= ip.end or frame[ip.l4] > _LAST_ICMPV6_WITH_PAYLOAD):
        return None
    return ip.l4 + 8


# Addresses.


def addresses(
    where: Where,
    rename: Callable[[State, bytes], bytes],
    *,
    fixed: bool,
    choose: Where | None = None,
) -> Edit:
    """Rename the addresses of some headers; only those of one host where one is chosen."""

    def edit(frame: bytearray, linktype: int, state: State) -> None:
        found = layout(frame, linktype)
        if choose is not None and not state.chosen:
            state.chosen = _first_host(frame, choose(found, state))
        for ip in where(found, state):
            for at in ip.addresses:
                old = bytes(frame[at : at + ip.width])
                if not is_special(old) and (choose is None or old == state.chosen):
                    frame[at : at + ip.width] = rename(state, old)
            if fixed:
                correct_header(frame, ip)

    return edit


def _first_host(frame: bytearray, ips: list[Ip]) -> bytes:
    for ip in ips:
        at = ip.addresses[0]
        old = bytes(frame[at : at + ip.width])
        if not is_special(old):
            return old
    return b""


def is_special(address: bytes) -> bool:
    """Whether an address is of no single host, or means the same everywhere: nobody renames it."""
    if len(address) == 4:
        return address[0] in (0, 127) or address[0] >= 224
    return address[0] == 0xFF or address[:2] == b"\xfe\x80" or not any(address[:15])


def numbered(state: State, old: bytes) -> bytes:
    """10.99.0.1, 10.99.0.2 and so on; 2001:db8::1 and so on."""
    if len(old) == 4:
        return state.name("v4", old, lambda n: bytes([10, 99]) + struct.pack(">H", n & 0xFFFF))
    return state.name(
        "v6", old, lambda n: bytes.fromhex("20010db8") + bytes(8) + struct.pack(">I", n)
    )


def prefix_preserving(state: State, old: bytes) -> bytes:
    """Every octet by a permutation of its own for what is before it: networks stay networks."""
    start = 0 if len(old) == 4 else 1
    new = bytearray(old)
    for place in range(start, len(old)):
        key = bytes([len(old)]) + old[:place]
        known = state.permutations.get(key)
        if known is None:
            known = state.permutations[key] = _permutation(state, hosts_only=place == 0)
        new[place] = known[old[place]]
    return bytes(new)


def _permutation(state: State, *, hosts_only: bool) -> list[int]:
    """A random permutation; ``hosts_only`` leaves first octets alone that have a meaning."""
    moved = [n for n in range(256) if not hosts_only or (0 < n < 224 and n != 127)]
    to = list(moved)
    state.rng.shuffle(to)
    out = list(range(256))
    for old, new in zip(moved, to, strict=True):
        out[old] = new
    return out


# Fields of headers.


def inner_ports(frame: bytearray, linktype: int, state: State) -> None:
    """Both ports of TCP and UDP; those of tunnels stay."""
    for ip in inner(layout(frame, linktype), state):
        if ip.protocol in (TCP, UDP) and ip.first and ip.l4 + 4 <= ip.end:
            for at in (ip.l4, ip.l4 + 2):
                _rename_port(frame, at, state, "inner port", 10000)


def outer_source_ports(frame: bytearray, linktype: int, state: State) -> None:
    for ip in layout(frame, linktype).ips:
        if ip.tunnel:
            _rename_port(frame, ip.l4, state, "outer port", 49151)


def _rename_port(frame: bytearray, at: int, state: State, kind: str, base: int) -> None:
    old = bytes(frame[at : at + 2])
    if int.from_bytes(old, "big") not in VXLAN_PORTS:
        put(frame, at, state.name(kind, old, lambda n: ((base + n) & 0xFFFF).to_bytes(2, "big")))


def all_ports(frame: bytearray, linktype: int, state: State) -> None:
    inner_ports(frame, linktype, state)
    outer_source_ports(frame, linktype, state)


def field_of_ip(
    where: Where, change: Callable[[bytearray, Ip, State], None], *, fixed: bool
) -> Edit:
    """Change something in some IP headers."""

    def edit(frame: bytearray, linktype: int, state: State) -> None:
        for ip in where(layout(frame, linktype), state):
            change(frame, ip, state)
            if fixed:
                correct_header(frame, ip)

    return edit


def dscp(frame: bytearray, ip: Ip, state: State) -> None:
    """Expedited forwarding, whatever it was."""
    value = 46 << 2
    if ip.version == 4:
        frame[ip.at + 1] = value
    else:
        frame[ip.at] = 0x60 | value >> 4
        frame[ip.at + 1] = (value & 15) << 4 | frame[ip.at + 1] & 15


def ttl(frame: bytearray, ip: Ip, state: State) -> None:
    frame[ip.at + (8 if ip.version == 4 else 7)] = 64


def identification(frame: bytearray, ip: Ip, state: State) -> None:
    """Count from 1; the fragments of a packet keep one number."""
    if ip.version != 4:
        return
    if ip.fragment:
        new = state.name("fragment", ip.fragment, lambda _: _number(state))
    else:
        new = _number(state)
    frame[ip.at + 4 : ip.at + 6] = new


def _number(state: State) -> bytes:
    return (state.count("identification") & 0xFFFF).to_bytes(2, "big")


def macs(places: Callable[[Layout], list[int]]) -> Edit:
    """Rename MAC addresses; those of groups stay."""

    def edit(frame: bytearray, linktype: int, state: State) -> None:
        for at in places(layout(frame, linktype)):
            old = bytes(frame[at : at + 6])
            if len(old) == 6 and not old[0] & 1 and any(old):
                new = state.name("mac", old, lambda n: b"\2\0" + struct.pack(">I", n))
                frame[at : at + 6] = new

    return edit


def vni(frame: bytearray, linktype: int, state: State) -> None:
    for at in layout(frame, linktype).vxlan:
        old = bytes(frame[at + 4 : at + 7])
        put(frame, at + 4, state.name("vni", old, lambda n: (4096 + n).to_bytes(3, "big")))


def _tcp(frame: bytearray, linktype: int, state: State, octets: int) -> list[Ip]:
    return [
        ip
        for ip in inner(layout(frame, linktype), state)
        if ip.protocol == TCP and ip.first and ip.l4 + octets <= ip.end
    ]


def tcp_sequence(frame: bytearray, linktype: int, state: State) -> None:
    """Numbers as Wireshark shows them: from 0 in each direction."""
    for ip in _tcp(frame, linktype, state, 14):
        src, dst = (bytes(frame[at : at + ip.width]) for at in ip.addresses)
        sport, dport = bytes(frame[ip.l4 : ip.l4 + 2]), bytes(frame[ip.l4 + 2 : ip.l4 + 4])
        seq, ack = struct.unpack_from(">II", frame, ip.l4 + 4)
        base = state.sequences.setdefault(src + dst + sport + dport, seq)
        struct.pack_into(">I", frame, ip.l4 + 4, (seq - base) & 0xFFFFFFFF)
        if frame[ip.l4 + 13] & 0x10:
            base = state.sequences.setdefault(dst + src + dport + sport, (ack - 1) & 0xFFFFFFFF)
            struct.pack_into(">I", frame, ip.l4 + 8, (ack - base) & 0xFFFFFFFF)


def tcp_timestamps(frame: bytearray, linktype: int, state: State) -> None:
    for ip in _tcp(frame, linktype, state, 20):
        at, end = ip.l4 + 20, min(ip.l4 + 4 * (frame[ip.l4 + 12] >> 4), ip.end)
        while at < end and frame[at]:
            if frame[at] == 1:
                at += 1
                continue
            length = frame[at + 1] if at + 1 < end else 0
            if length < 2:
                break
            if frame[at] == 8 and length == 10:
                frame[at + 2 : min(at + 10, end)] = bytes(min(8, end - at - 2))
            at += length


def tcp_window(frame: bytearray, linktype: int, state: State) -> None:
    for ip in _tcp(frame, linktype, state, 16):
        struct.pack_into(">H", frame, ip.l4 + 14, 29200)


EDITS: dict[str, Edit] = {
    "payload-zeroed": payload(lambda _, size: bytes(size)),
    "payload-pattern": payload(lambda _, size: b"X" * size),
    "payload-random": payload(lambda state, size: state.rng.randbytes(size)),
    "inner-addresses": addresses(inner, numbered, fixed=False),
    "inner-addresses-fixed": addresses(inner, numbered, fixed=True),
    "outer-addresses": addresses(outer, numbered, fixed=False),
    "outer-addresses-fixed": addresses(outer, numbered, fixed=True),
    "all-addresses": addresses(every, numbered, fixed=False),
    "all-addresses-fixed": addresses(every, numbered, fixed=True),
    "one-host": addresses(every, numbered, fixed=False, choose=inner),
    "one-host-fixed": addresses(every, numbered, fixed=True, choose=inner),
    "one-node": addresses(every, numbered, fixed=False, choose=outer),
    "one-node-fixed": addresses(every, numbered, fixed=True, choose=outer),
    "prefix-preserving": addresses(every, prefix_preserving, fixed=False),
    "prefix-preserving-fixed": addresses(every, prefix_preserving, fixed=True),
    "inner-ports": inner_ports,
    "outer-source-ports": outer_source_ports,
    "all-ports": all_ports,
    "inner-dscp": field_of_ip(inner, dscp, fixed=False),
    "inner-dscp-fixed": field_of_ip(inner, dscp, fixed=True),
    "outer-dscp": field_of_ip(outer, dscp, fixed=False),
    "outer-dscp-fixed": field_of_ip(outer, dscp, fixed=True),
    "ttl": field_of_ip(every, ttl, fixed=False),
    "ttl-fixed": field_of_ip(every, ttl, fixed=True),
    "ip-id": field_of_ip(every, identification, fixed=False),
    "ip-id-fixed": field_of_ip(every, identification, fixed=True),
    "outer-macs": macs(lambda found: found.link_macs),
    "inner-macs": macs(lambda found: found.inner_macs),
    "vni": vni,
    "tcp-sequence": tcp_sequence,
    "tcp-timestamps": tcp_timestamps,
    "tcp-window": tcp_window,
}


def edited(data: bytes, name: str, seed: int = 1) -> bytes:
    """The whole file with one edit made in every frame."""
    return edited_by(data, EDITS[name], f"{name} {seed}")


def edited_by(data: bytes, edit: Edit, seed: str = "1") -> bytes:
    """The whole file with an edit of any kind made in every frame."""
    state = State(random.Random(seed))
    changed = []
    for record in frames(data):
        frame = bytearray(record.octets)
        edit(frame, record.linktype, state)
        changed.append(bytes(frame))
    return rebuild(data, changed)
