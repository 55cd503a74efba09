"""The frames of a pcap or pcapng file, and the same file with other frames.

Nothing of vxcsum is used here. A file is a list of `Record`; joined together they are the file
again, octet by octet. What is no frame (headers, other blocks, a last record that is cut short) is
kept as it is.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Order = Literal["<", ">"]

SECOND = 10**9
_PCAP: dict[bytes, tuple[Order, int]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 10**6),
    b"\xa1\xb2\xc3\xd4": (">", 10**6),
    b"\x4d\x3c\xb2\xa1": ("<", 10**9),
    b"\xa1\xb2\x3c\x4d": (">", 10**9),
}
_SECTION = b"\n\r\r\n"
_INTERFACE, _SIMPLE, _ENHANCED = 1, 3, 6
_SIMPLE_START, _ENHANCED_START = 12, 28
_END_OF_OPTIONS, _RESOLUTION = 0, 9


@dataclass(frozen=True)
class Record:
    """A piece of a file. Where ``start`` is 0 it holds no frame."""

    raw: bytes
    order: Order
    pcapng: bool
    start: int = 0
    caplen: int = 0
    original: int = 0
    linktype: int = -1
    ticks: int | None = None  # None: it has no time
    per_second: int = 10**6
    section: int = 0
    interface: int = 0

    @property
    def octets(self) -> bytes:
        return self.raw[self.start : self.start + self.caplen]

    @property
    def nanoseconds(self) -> int:
        return 0 if self.ticks is None else int(Fraction(self.ticks * SECOND, self.per_second))

    def with_octets(self, octets: bytes) -> Record:
        """The same record with another frame; the length on the wire changes by as much."""
        original = max(0, self.original + len(octets) - self.caplen)
        end = self.start + self.caplen
        raw = self.raw[: self.start] + octets + self.raw[end:]
        if len(octets) != self.caplen:
            raw = self._of_size(octets, original, self.raw[end:])
        return replace(self, raw=raw, caplen=len(octets), original=original)

    def later(self, nanoseconds: int) -> Record:
        """The same record, later by a time that its clock can tell."""
        if self.ticks is None:
            return self
        ticks = self.ticks + nanoseconds * self.per_second // SECOND
        at, base = (12, 1 << 32) if self.pcapng else (0, self.per_second)
        high, low = divmod(ticks, base)
        when = struct.pack(self.order + "II", high & 0xFFFFFFFF, low)
        return replace(self, raw=self.raw[:at] + when + self.raw[at + 8 :], ticks=ticks)

    def _of_size(self, octets: bytes, original: int, rest: bytes) -> bytes:
        numbers = struct.pack(self.order + "II", len(octets), original)
        if not self.pcapng:
            return self.raw[:8] + numbers + octets
        enhanced = self.start == _ENHANCED_START
        head = self.raw[8:20] + numbers if enhanced else numbers[4:]
        options = rest[-self.caplen % 4 : -4]
        body = head + octets + bytes(-len(octets) % 4) + options
        length = struct.pack(self.order + "I", len(body) + 12)
        return self.raw[:4] + length + body + length


@dataclass(frozen=True)
class _Interface:
    linktype: int
    snaplen: int
    per_second: int


def records(data: bytes) -> list[Record]:
    """A file in pieces. Whatever follows a piece that cannot be read is one piece without frame."""
    if data[:4] in _PCAP:
        return _pcap_records(data)
    if data[:4] == _SECTION:
        return _pcapng_records(data)
    raise ValueError(f"no pcap or pcapng file: it begins with {data[:4].hex() or 'nothing'}")


def frames(data: bytes) -> list[Record]:
    """The records that hold frames."""
    return [record for record in records(data) if record.start]


def rebuild(data: bytes, octets: Sequence[bytes]) -> bytes:
    """The file with other octets in its frames, one after another; all else stays as it is."""
    pieces, number = [], 0
    for record in records(data):
        if record.start:
            changed = octets[number] != record.octets
            pieces.append(record.with_octets(octets[number]).raw if changed else record.raw)
            number += 1
        else:
            pieces.append(record.raw)
    if number != len(octets):
        raise ValueError(f"{len(octets)} frames for a file of {number}")
    return b"".join(pieces)


def joined(pieces: Iterable[Record]) -> bytes:
    return b"".join(piece.raw for piece in pieces)


def _pcap_records(data: bytes) -> list[Record]:
    order, per_second = _PCAP[data[:4]]
    if len(data) < 24:
        return [Record(data, order, pcapng=False)]
    linktype = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    out = [Record(data[:24], order, pcapng=False)]
    at = 24
    while at + 16 <= len(data):
        second, part, caplen, original = struct.unpack_from(order + "IIII", data, at)
        end = at + 16 + caplen
        if end > len(data):
            break
        ticks = second * per_second + part
        kept = Record(data[at:end], order, False, 16, caplen, original, linktype, ticks, per_second)
        out.append(kept)
        at = end
    if at < len(data):
        out.append(Record(data[at:], order, pcapng=False))
    return out


def _pcapng_records(data: bytes) -> list[Record]:
    out: list[Record] = []
    order: Order = "<"
    interfaces: list[_Interface] = []
    at, section = 0, -1
    while at + 12 <= len(data):
        if data[at : at + 4] == _SECTION:
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
            section += 1
        kind, length = struct.unpack_from(order + "II", data, at)
        if length < 12 or length % 4 or at + length > len(data):
            break
        raw = data[at : at + length]
        plain = Record(raw, order, pcapng=True, section=section)
        if kind == _INTERFACE and length >= 20:
            interfaces.append(_interface(raw, order))
        out.append(_frame_of(plain, kind, interfaces))
        at += length
    if at < len(data):
        out.append(Record(data[at:], order, pcapng=True, section=max(section, 0)))
    return out


def _frame_of(plain: Record, kind: int, interfaces: list[_Interface]) -> Record:
    raw, order = plain.raw, plain.order
    if kind == _ENHANCED and len(raw) >= 32:
        number, high, low, caplen, original = struct.unpack_from(order + "IIIII", raw, 8)
        if number < len(interfaces) and _ENHANCED_START + caplen <= len(raw) - 4:
            of = interfaces[number]
            return replace(
                plain,
                start=_ENHANCED_START,
                caplen=caplen,
                original=original,
                linktype=of.linktype,
                ticks=high << 32 | low,
                per_second=of.per_second,
                interface=number,
            )
    elif kind == _SIMPLE and len(raw) >= 16 and interfaces:
        original = struct.unpack_from(order + "I", raw, 8)[0]
        of = interfaces[0]
        caplen = min(original, of.snaplen or original, len(raw) - 16)
        return replace(
            plain, start=_SIMPLE_START, caplen=caplen, original=original, linktype=of.linktype
        )
    return plain


def _interface(raw: bytes, order: Order) -> _Interface:
    linktype, _, snaplen = struct.unpack_from(order + "HHI", raw, 8)
    per_second, at = 10**6, 16
    while at + 4 <= len(raw) - 4:
        code, length = struct.unpack_from(order + "HH", raw, at)
        if code == _END_OF_OPTIONS:
            break
        if code == _RESOLUTION and length == 1:
            exponent = raw[at + 4]
            per_second = 2 ** (exponent & 0x7F) if exponent & 0x80 else 10**exponent
        at += 4 + length + -length % 4
    return _Interface(linktype, snaplen, per_second)


def pcap(kept: Sequence[Record]) -> bytes:
    """Frames of one link type as a pcap file: micro, or nano where the times need it."""
    linktypes = {record.linktype for record in kept}
    if len(linktypes) > 1:
        raise ValueError(f"link types {sorted(linktypes)}: a pcap file has one")
    nano = any(record.nanoseconds % 1000 for record in kept)
    per_second, magic = (SECOND, 0xA1B23C4D) if nano else (10**6, 0xA1B2C3D4)
    linktype = linktypes.pop() if linktypes else 1
    out = [struct.pack("<IHHiIII", magic, 2, 4, 0, 0, 262144, linktype)]
    for record in kept:
        second, rest = divmod(record.nanoseconds, SECOND)
        part = rest * per_second // SECOND
        out.append(struct.pack("<IIII", second, part, record.caplen, record.original))
        out.append(record.octets)
    return b"".join(out)


def pcapng(kept: Sequence[Record]) -> bytes:
    """Frames as a pcapng file of one section, with nanoseconds and the interfaces they had."""
    interfaces = sorted({_device(record) for record in kept})
    out = [_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))]
    resolution = struct.pack("<HHB3xHH", _RESOLUTION, 1, 9, _END_OF_OPTIONS, 0)
    out += [
        _block(_INTERFACE, struct.pack("<HHI", linktype, 0, 0) + resolution)
        for _, _, linktype in interfaces
    ]
    for record in kept:
        number = interfaces.index(_device(record))
        high, low = divmod(record.nanoseconds, 1 << 32)
        head = struct.pack("<IIIII", number, high, low, record.caplen, record.original)
        out.append(_block(_ENHANCED, head + record.octets + bytes(-record.caplen % 4)))
    return b"".join(out)


def _device(record: Record) -> tuple[int, int, int]:
    return record.section, record.interface, record.linktype


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length
