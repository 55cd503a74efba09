"""Frames with known checksums, built octet by octet with arithmetic of their own."""

from __future__ import annotations

import ipaddress
import struct
import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from vxcsum import Reason, Status, analyze
from vxcsum.checksum.status import LAYERS
from vxcsum.checksum.table import PacketTable, concatenate
from vxcsum.errors import TruncatedCaptureWarning
from vxcsum.pipeline import Reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vxcsum import Finding, Report

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
NAMES = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMPV6: "icmpv6"}
FIELD = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}  # where the checksum is in its header
RIGHT, ZERO, PARTIAL, LSO, LCO = "right", "zero", "partial", "lso", "lco"
NULL, ETHERNET, RAW, SLL, SLL2, LOOP = 0, 1, 101, 113, 276, 108
START = 1_700_000_000


def ones_sum(data: bytes) -> int:
    """The oracle, in three lines."""
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def address(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def pseudo(src: bytes, dst: bytes, protocol: int, length: int) -> int:
    return ones_sum(src + dst + struct.pack(">II", length, protocol))


def put(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + struct.pack(">H", value) + data[at + 2 :]


def take(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 0x80 >> bit % 8
    return bytes(changed)


def segment(
    protocol: int,
    src: bytes,
    dst: bytes,
    payload: bytes = b"",
    *,
    sport: int = 40000,
    dport: int = 80,
    seq: int = 1,
    flags: int = 0x10,
    value: str | int = RIGHT,
) -> bytes:
    """A TCP, UDP or ICMP packet; ``value`` is its checksum, or how to find it."""
    if protocol == TCP:
        head = struct.pack(">HHIIBBHHH", sport, dport, seq, 0, 5 << 4, flags, 1000, 0, 0)
    elif protocol == UDP:
        length = 8 + len(payload)
        head = struct.pack(">HHHH", sport, dport, length if length < 65536 else 0, 0)
    else:
        head = struct.pack(">BBHHH", 8 if protocol == ICMP else 128, 0, 0, sport, seq & 0xFFFF)
    octets = head + payload
    pseudo_sum = 0 if protocol == ICMP else pseudo(src, dst, protocol, len(octets))
    if value == RIGHT:
        found = 0xFFFF - ones_sum(struct.pack(">H", pseudo_sum) + octets)
        if protocol == UDP and found == 0:
            found = 0xFFFF
    elif value == PARTIAL:
        found = pseudo_sum
    elif value == LSO:
        found = pseudo(src, dst, protocol, 0)
    else:
        found = 0 if value == ZERO else int(value)
    return put(octets, FIELD[protocol], found)


def ipv4(
    payload: bytes,
    protocol: int,
    src: bytes,
    dst: bytes,
    *,
    options: bytes = b"",
    ident: int = 1,
    fragment: int = 0,
    ttl: int = 64,
    total: int | None = None,
) -> bytes:
    """``fragment`` is the whole field: flags and the offset in eights."""
    length = 20 + len(options)
    whole = length + len(payload) if total is None else total
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x40 | length // 4, 0, whole, ident, fragment, ttl, protocol, 0, src, dst
    )
    head += options
    return put(head, 10, 0xFFFF - ones_sum(head)) + payload


def ipv6(
    payload: bytes,
    protocol: int,
    src: bytes,
    dst: bytes,
    *,
    extensions: Sequence[tuple[int, bytes]] = (),
    length: int | None = None,
) -> bytes:
    """``extensions`` are (kind, octets after the next-header octet)."""
    kinds = [kind for kind, _ in extensions] + [protocol]
    chain = b"".join(
        bytes([following]) + rest
        for following, (_, rest) in zip(kinds[1:], extensions, strict=True)
    )
    payload = chain + payload
    told = len(payload) if length is None else length
    return struct.pack(">IHBB", 6 << 28, told, kinds[0], 64) + src + dst + payload


def ip(payload: bytes, protocol: int, src: bytes, dst: bytes, **more: Any) -> bytes:
    return (ipv4 if len(src) == 4 else ipv6)(payload, protocol, src, dst, **more)


def fragments_of(packet: bytes, sizes: Sequence[int], *, ident: int = 77) -> list[bytes]:
    """The IP fragments of a packet without options or extension headers; sizes in eights."""
    version6 = packet[0] >> 4 == 6
    head, protocol = (40, packet[6]) if version6 else (20, packet[9])
    src, dst = (packet[8:24], packet[24:40]) if version6 else (packet[12:16], packet[16:20])
    payload, out, at = packet[head:], [], 0
    for size in [*sizes, None]:
        end = len(payload) if size is None else min(at + 8 * size, len(payload))
        if at >= end:
            break
        more, piece = end < len(payload), payload[at:end]
        if version6:
            body = b"\0" + struct.pack(">HI", at | more, ident)
            out.append(ipv6(piece, protocol, src, dst, extensions=[(44, body)]))
        else:
            field_ = at // 8 | more << 13
            out.append(ipv4(piece, protocol, src, dst, ident=ident, fragment=field_))
        at = end
    return out


MACS = bytes.fromhex("020000000001020000000002")


def ethertype(packet: bytes) -> int:
    return 0x86DD if packet[:1] and packet[0] >> 4 == 6 else 0x0800


def ethernet(packet: bytes, *, tags: Sequence[int] = (), macs: bytes = MACS) -> bytes:
    kinds = [0x8100, 0x88A8, 0x9100, 0x8100]
    vlan = b"".join(struct.pack(">HH", kinds[n % 4], tag) for n, tag in enumerate(tags))
    return macs + vlan + struct.pack(">H", ethertype(packet)) + packet


def framed(packet: bytes, linktype: int = ETHERNET, tags: Sequence[int] = ()) -> bytes:
    """A packet behind the header of a link type."""
    if linktype == ETHERNET:
        return ethernet(packet, tags=tags)
    if linktype == SLL:
        return struct.pack(">HHH8sH", 4, 1, 6, MACS[:8], ethertype(packet)) + packet
    if linktype == SLL2:
        return struct.pack(">HHIHBB8s", ethertype(packet), 0, 3, 1, 0, 6, MACS[:8]) + packet
    if linktype in (NULL, LOOP):
        family = 2 if ethertype(packet) == 0x0800 else 30
        return struct.pack("<I" if linktype == NULL else ">I", family) + packet
    return packet


def tunnelled(
    inner: bytes,
    src: bytes,
    dst: bytes,
    *,
    sport: int = 50000,
    dport: int = 8472,
    vni: int = 1,
    value: str | int = ZERO,
    tags: Sequence[int] = (),
    macs: bytes = MACS,
    trailer: bytes = b"",
    ident: int = 1,
) -> bytes:
    """An IP packet with VXLAN; ``trailer`` pads the inner Ethernet frame."""
    header = struct.pack(">II", 0x08 << 24, vni << 8)
    carried = header + ethernet(inner, tags=tags, macs=macs) + trailer
    if value == LCO:
        value = lco_value(inner, src, dst, carried, sport, dport)
    datagram = segment(UDP, src, dst, carried, sport=sport, dport=dport, value=value)
    more = {"ident": ident} if len(src) == 4 else {}
    return ip(datagram, UDP, src, dst, **more)


def lco_value(inner: bytes, src: bytes, dst: bytes, carried: bytes, sport: int, dport: int) -> int:
    """The outer checksum of the packet as it will be once the inner one is finished."""
    done = finished(inner)
    at = carried.index(inner)
    carried = carried[:at] + done + carried[at + len(inner) :]
    return take(segment(UDP, src, dst, carried, sport=sport, dport=dport), 6)


def finished(packet: bytes) -> bytes:
    """A packet (no options, no extension headers) with a right transport checksum."""
    version6 = packet[0] >> 4 == 6
    head, protocol = (40, packet[6]) if version6 else (20, packet[9])
    src, dst = (packet[8:24], packet[24:40]) if version6 else (packet[12:16], packet[16:20])
    place = head + FIELD[protocol]
    body = put(packet[head:], FIELD[protocol], 0)
    total = 0 if protocol == ICMP else pseudo(src, dst, protocol, len(body))
    return put(packet, place, 0xFFFF - ones_sum(struct.pack(">H", total) + body))


@dataclass(frozen=True)
class Frame:
    """A frame with what is true of it: where its checksums cover it, and their statuses."""

    octets: bytes
    linktype: int = ETHERNET
    origlen: int = 0
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    truth: dict[str, Status] = field(default_factory=dict)

    @property
    def original(self) -> int:
        return self.origlen or len(self.octets)

    def cut(self, caplen: int) -> Frame:
        return replace(self, octets=self.octets[:caplen], origlen=self.original)

    def changed(self, octets: bytes) -> Frame:
        return replace(self, octets=octets)


def plain(packet: bytes, linktype: int = ETHERNET, tags: Sequence[int] = ()) -> Frame:
    return Frame(framed(packet, linktype, tags), linktype)


def as_frames(frames: Iterable[Frame | bytes]) -> list[Frame]:
    return [frame if isinstance(frame, Frame) else Frame(frame) for frame in frames]


def pcap(frames: Iterable[Frame | bytes], *, snaplen: int = 262144) -> bytes:
    """A capture of frames of one link type, a millisecond apart."""
    listed = as_frames(frames)
    linktype = listed[0].linktype if listed else ETHERNET
    assert all(frame.linktype == linktype for frame in listed)
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, linktype)]
    for number, frame in enumerate(listed):
        second, milli = divmod(number, 1000)
        stamp = (START + second, milli * 1000, len(frame.octets), frame.original)
        out += [struct.pack("<IIII", *stamp), frame.octets]
    return b"".join(out)


def pcapng(frames: Iterable[Frame | bytes]) -> bytes:
    """A capture of frames of any link types: one interface for each."""
    listed = as_frames(frames)
    linktypes = sorted({frame.linktype for frame in listed})
    blocks = [(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))]
    blocks += [(1, struct.pack("<HHI", linktype, 0, 0)) for linktype in linktypes]
    for number, frame in enumerate(listed):
        stamp = START * 10**6 + number * 1000
        interface = linktypes.index(frame.linktype)
        head = struct.pack(
            "<IIIII", interface, stamp >> 32, stamp & 0xFFFFFFFF, len(frame.octets), frame.original
        )
        blocks.append((6, head + frame.octets + bytes(-len(frame.octets) % 4)))
    out = []
    for kind, body in blocks:
        total = len(body) + 12
        out.append(struct.pack("<II", kind, total) + body + struct.pack("<I", total))
    return b"".join(out)


def read(source: Any, *, engine: str = "auto", **more: Any) -> PacketTable:
    """The whole table of a source; lists of frames become a capture."""
    if isinstance(source, list) and source and isinstance(source[0], (Frame, bytes)):
        source = pcapng(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TruncatedCaptureWarning)
        return concatenate(list(Reading(source, engine=engine, **more).tables()))


def diagnose(source: Any, **more: Any) -> Report:
    """The report of a source; lists of frames become a capture."""
    if isinstance(source, list) and source and isinstance(source[0], (Frame, bytes)):
        source = pcapng(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TruncatedCaptureWarning)
        return analyze(source, **more)


def statuses(table: PacketTable, row: int = 0) -> dict[str, Status]:
    """The checksums of a frame, by layer."""
    found = {name: Status(int(table[f"{name}_status"][row])) for name in LAYERS}
    return {name: status for name, status in found.items() if status != Status.ABSENT}


def reason(table: PacketTable, layer: str, row: int = 0) -> Reason:
    return Reason(int(table[f"{layer}_reason"][row]))


def counts(table: PacketTable) -> dict[str, dict[str, int]]:
    """Statuses counted by layer, without zeros."""
    out: dict[str, dict[str, int]] = {}
    for name in LAYERS:
        for status in Status:
            number = int((table[f"{name}_status"] == status).sum())
            if number and status != Status.ABSENT:
                out.setdefault(name, {})[status.name.lower()] = number
    return out


def problems(report: Report) -> list[Finding]:
    """The findings that say that a checksum is wrong; those of connections tell what it did."""
    errors = [finding for finding in report.findings if finding.severity.name == "ERROR"]
    return [finding for finding in errors if not finding.code.startswith("VX7")]


def codes(report: Report) -> dict[str, int]:
    """Frames of error findings, by rule."""
    out: dict[str, int] = {}
    for finding in problems(report):
        out[finding.code] = out.get(finding.code, 0) + finding.frames
    return out


def same_table(one: PacketTable, other: PacketTable) -> None:
    assert list(one) == list(other)
    for name in one:
        assert (one[name] == other[name]).all(), name
