"""Captures for the benchmarks, from a seed: ``python -m benchmarks.data KIND --size 200M``.

A capture is a *row* of frames repeated with other ports, sequence numbers, identifications and
payload each time. A batch of rows is one matrix and each frame of the row a range of its columns,
so NumPy writes hundreds of MB a second in bounded memory. The sums are computed here, not by
vxcsum.

========== ==========================================================================
mtu        frames of 1,514 octets, inner TCP, half without and half with outer checksum
small      TCP segments with 0 to 12 octets of payload
superframes  64 kB frames, as seen before segmentation
imix       IPv4 and IPv6 outside and inside, VLAN, TCP, UDP, ICMP, options, fragments
corrupt    like mtu, with 1 % of the frames hit by VX101 or VX102
========== ==========================================================================
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import struct
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

KINDS = ("mtu", "small", "superframes", "imix", "corrupt")
FORMATS = ("pcap", "pcapng", "pcap.gz")
SEED = 63
VXLAN_PORT = 4789
FOLDER = Path(tempfile.gettempdir()) / "vxcsum-benchmarks"

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
_FLOWS = 1000  # of each slot of a row
_VERSION = 3  # of what this file writes; part of the name of the cached files
_BATCH_OCTETS = 32 << 20
_POOL_OCTETS = 16 << 20
_START = 1_700_000_000

Octets: TypeAlias = npt.NDArray[np.uint8]
Sums: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Slot:
    """One frame of a row."""

    payload: int
    protocol: int = TCP
    outer: int = 4
    inner: int = 4
    vlan: bool = False
    checksum: bool = False
    """Whether the outer UDP checksum is computed; it is 0 otherwise."""
    options: int = 0
    """Octets of IPv4 options of the inner packet."""
    fault: str = ""
    """VX101 or VX102."""
    cut: int = 0
    """Octets of outer IP payload in the first of two fragments; 0: whole."""

    @property
    def inner_header(self) -> int:
        """Octets of the inner IP header."""
        return 40 if self.inner == 6 else 20 + self.options

    @property
    def transport(self) -> int:
        """Octets from the inner transport header to the end."""
        header = {TCP: 32, UDP: 8, ICMP: 8, ICMPV6: 8}[self.protocol]
        return header + self.payload

    @property
    def outer_header(self) -> int:
        """Octets of the outer IP header."""
        return 20 if self.outer == 4 else 40

    @property
    def link(self) -> int:
        """Octets of the outer Ethernet header."""
        return 18 if self.vlan else 14

    @property
    def datagram(self) -> int:
        """Octets of the outer UDP datagram."""
        return 16 + 14 + self.inner_header + self.transport

    @property
    def lengths(self) -> list[int]:
        """Octets of the frames that this slot becomes."""
        head = self.link + self.outer_header
        if self.cut:
            return [head + self.cut, head + self.datagram - self.cut]
        return [head + self.datagram]


def row_of(kind: str) -> list[Slot]:
    """Return the frames that a kind of capture repeats."""
    full = 1514 - 14 - 20 - 30 - 20 - 32
    if kind == "mtu":
        return [Slot(full), Slot(full, checksum=True)]
    if kind == "small":
        return [Slot(payload, checksum=payload % 2 == 1) for payload in range(13)]
    if kind == "superframes":
        whole = 65535 - 20 - 30 - 20 - 32
        return [Slot(whole), Slot(whole, checksum=True)]
    if kind == "corrupt":
        return [
            *[Slot(full)] * 99,
            Slot(0, fault="VX101"),
            *[Slot(full, checksum=True)] * 99,
            Slot(0, checksum=True, fault="VX102"),
        ]
    if kind == "imix":
        return [
            *[Slot(0), Slot(0, checksum=True), Slot(0, inner=6), Slot(0, vlan=True)],
            *[Slot(0, outer=6, checksum=True), Slot(0, outer=6, inner=6, checksum=True)],
            *[Slot(48, UDP), Slot(61, UDP, checksum=True), Slot(300, UDP, inner=6, vlan=True)],
            *[Slot(56, ICMP), Slot(56, ICMPV6, inner=6), Slot(57, ICMP, checksum=True)],
            *[Slot(500), Slot(536, checksum=True), Slot(536, options=8), Slot(529, inner=6)],
            *[Slot(1200, outer=6, checksum=True), Slot(full), Slot(full, checksum=True)],
            *[Slot(full, vlan=True), Slot(1400, inner=6, checksum=True), Slot(full)],
            Slot(2000, UDP, checksum=True, cut=1480),
            Slot(1800, TCP, checksum=True, cut=1480),
        ]
    message = f"unknown kind {kind!r}: wanted one of {', '.join(KINDS)}"
    raise ValueError(message)


def _sum(octets: Octets) -> Sums:
    """Return the sum of the 16-bit words of each row; an odd last octet counts as the high one."""
    if octets.shape[1] % 2:
        octets = np.pad(octets, ((0, 0), (0, 1)))
    words = np.ascontiguousarray(octets).view(np.uint16)
    total: Sums = words.sum(axis=1, dtype=np.uint64).astype(np.int64) % 0xFFFF
    if sys.byteorder == "little":  # the sum of swapped words is the swapped sum (RFC 1071)
        total = ((total & 0xFF) << 8 | total >> 8) % 0xFFFF
    return total


def _field(total: Sums, *, udp: bool = False) -> Sums:
    """Return the checksum field for a sum; UDP writes 0xffff for 0, nobody else does (RFC 768)."""
    field = 0xFFFF - total % 0xFFFF
    return field if udp else field % 0xFFFF


def _put(octets: Octets, at: int, values: Sums | int, size: int = 2) -> None:
    values = np.broadcast_to(np.asarray(values, np.int64), (len(octets),))
    for place in range(size):
        octets[:, at + place] = values >> 8 * (size - 1 - place) & 0xFF


def _ip(octets: Octets, version: int, source: bytes, payload: int, protocol: int) -> None:
    """Write an IP header; ``source`` holds both addresses, octets beyond 20 are IPv4 options."""
    if version == 6:
        octets[:, :8] = np.frombuffer(struct.pack(">IHBB", 6 << 28, payload, protocol, 64), "u1")
        octets[:, 8:40] = np.frombuffer(source, "u1")
        return
    size = octets.shape[1]
    head = struct.pack(">BBHHHBBH", 0x40 | size // 4, 0, size + payload, 0, 0, 64, protocol, 0)
    octets[:, :12] = np.frombuffer(head, "u1")
    octets[:, 12:20] = np.frombuffer(source, "u1")
    octets[:, 20:] = 1  # no operation


def _seal(header: Octets) -> None:
    """Write the checksum of an IPv4 header."""
    _put(header, 10, 0)
    _put(header, 10, _field(_sum(header)))


def _addresses(version: int, place: str, last: int) -> bytes:
    if version == 6:
        prefix = bytes.fromhex("fd310007" if place == "outer" else "fd0a00f4") + bytes(10)
        return prefix + struct.pack(">H", last) + prefix + struct.pack(">H", 200)
    prefix = bytes((172, 31, 7)) if place == "outer" else bytes((10, 244, 1))
    return prefix + bytes((last,)) + prefix + bytes((200,))


def frames_of(slot: Slot, number: npt.NDArray[np.int64], place: int, pool: Octets) -> list[Octets]:
    """Return the frames of one slot, one row each for every row of the capture.

    Parameters
    ----------
    number : int64[n]
        Which repetition of the row.
    place : int
        Which slot of the row.
    pool : uint8[m]
        Random octets for payload.
    """
    rows = len(number)
    link, head = slot.link, slot.outer_header
    start = link + head  # of the outer UDP header
    frame = np.zeros((rows, start + slot.datagram), np.uint8)
    inner = frame[:, start + 30 : start + 30 + slot.inner_header]
    segment = frame[:, start + 30 + slot.inner_header :]

    if slot.payload:
        body = segment[:, slot.transport - slot.payload :]
        step = max(1, (len(pool) - slot.payload) // rows)
        shift = int(number[0] + 131 * place) % max(1, len(pool) - slot.payload - step * (rows - 1))
        windows = np.lib.stride_tricks.sliding_window_view(pool, slot.payload)
        body[:] = windows[shift : shift + step * rows : step]
    flow = (number * 31 + place * 7) % _FLOWS
    if slot.protocol in (TCP, UDP):
        _put(segment, 0, 40000 + flow)
        _put(segment, 2, 8080 if slot.protocol == TCP else 53)
    if slot.protocol == TCP:
        _put(segment, 4, number // _FLOWS * slot.payload & 0xFFFFFFFF, 4)  # the stream goes on
        _put(segment, 8, 1, 4)
        _put(segment, 12, 0x8018 if slot.payload else 0x8010)
        _put(segment, 14, 500)
        segment[:, 20:32] = np.frombuffer(bytes.fromhex("0101080a0000000100000002"), "u1")
    elif slot.protocol == UDP:
        _put(segment, 4, slot.transport)
    else:
        segment[:, 0] = 8 if slot.protocol == ICMP else 128
        _put(segment, 4, flow)
        _put(segment, 6, number & 0xFFFF)
    addresses = _addresses(slot.inner, "inner", 10 + place % 100)
    _ip(inner, slot.inner, addresses, slot.transport, slot.protocol)
    if slot.inner == 4:
        _put(inner, 4, number & 0xFFFF)
        _seal(inner)
    field = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}[slot.protocol]
    pseudo = 0
    if slot.protocol != ICMP:
        pseudo = _plain_sum(addresses) + slot.protocol + slot.transport
    _put(segment, field, _field(_sum(segment) + pseudo, udp=slot.protocol == UDP))

    ethernet = bytes.fromhex("020000000002 020000000001")
    tag = struct.pack(">HH", 0x8100, 100) if slot.vlan else b""
    kind = struct.pack(">H", 0x0800 if slot.outer == 4 else 0x86DD)
    frame[:, :link] = np.frombuffer(ethernet + tag + kind, "u1")
    outer = frame[:, link:start]
    # Nodes that compute checksums are not those that do not: the rules look at pairs of nodes.
    addresses = _addresses(slot.outer, "outer", 12 if slot.checksum else 11)
    _ip(outer, slot.outer, addresses, slot.datagram, UDP)
    if slot.outer == 4:
        _put(outer, 4, number * 101 + place & 0xFFFF)
        _seal(outer)
    sport = 33000 + flow
    _put(frame, start, sport)
    _put(frame, start + 2, VXLAN_PORT)
    _put(frame, start + 4, slot.datagram)
    frame[:, start + 8 : start + 16] = np.frombuffer(struct.pack(">II", 0x08000000, 1 << 8), "u1")
    kind = struct.pack(">H", 0x0800 if slot.inner == 4 else 0x86DD)
    inner_ethernet = bytes.fromhex("0a0000000002 0a0000000001") + kind
    frame[:, start + 16 : start + 30] = np.frombuffer(inner_ethernet, "u1")
    if slot.checksum:
        pseudo = _plain_sum(addresses) + UDP + slot.datagram
        _put(frame, start + 6, _field(_sum(frame[:, start:]) + pseudo, udp=True))
    rewritten = 1024 + (number * 7919 + place * 13) % 31000  # no port a Linux tunnel takes itself
    if slot.fault == "VX101":  # the address kept, the port changed: the field becomes 0xffff
        _put(frame, start, rewritten)
        _put(frame, start + 6, 0xFFFF)
    elif slot.fault == "VX102":  # the checksum stays that of the old port
        _put(frame, start, rewritten)
    return _fragments(frame, slot) if slot.cut else [frame]


def _plain_sum(octets: bytes) -> int:
    return sum(struct.unpack(f">{len(octets) // 2}H", octets))


def _fragments(frame: Octets, slot: Slot) -> list[Octets]:
    start = slot.link + 20
    pieces = []
    for at, end, flags in ((0, slot.cut, 0x2000), (slot.cut, slot.datagram, slot.cut // 8)):
        piece = np.concatenate([frame[:, :start], frame[:, start + at : start + end]], axis=1)
        header = piece[:, slot.link : start]
        _put(header, 2, 20 + end - at)
        _put(header, 6, flags)
        _seal(header)
        pieces.append(piece)
    return pieces


def _pcap_record(out: Octets, frame: Octets, nanoseconds: Sums) -> None:
    size = frame.shape[1]
    head = out[:, :16].view()
    values = np.empty((len(out), 4), "<u4")
    values[:, 0] = nanoseconds // 10**9
    values[:, 1] = nanoseconds % 10**9 // 1000
    values[:, 2:] = size
    head[:] = values.view(np.uint8)
    out[:, 16:] = frame


def _pcapng_record(out: Octets, frame: Octets, nanoseconds: Sums) -> None:
    size, whole = frame.shape[1], out.shape[1]
    values = np.zeros((len(out), 7), "<u4")
    values[:, 0] = 6
    values[:, 1] = whole
    values[:, 3] = nanoseconds // 1000 >> 32
    values[:, 4] = nanoseconds // 1000 & 0xFFFFFFFF
    values[:, 5:] = size
    out[:, :28] = values.view(np.uint8)
    out[:, 28 : 28 + size] = frame
    out[:, 28 + size : -4] = 0
    out[:, -4:] = np.frombuffer(struct.pack("<I", whole), "u1")


_PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
_PCAPNG_HEADER = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28) + struct.pack(
    "<IIHHII", 1, 20, 1, 0, 262144, 20
)


def _record_size(size: int, container: str) -> int:
    return 16 + size if container == "pcap" else 32 + size + -size % 4


def write(
    out: IO[bytes], kind: str, octets: int, *, container: str = "pcap", seed: int = SEED
) -> int:
    """Write about ``octets`` octets of capture and return the number of frames."""
    row = row_of(kind)
    pool = np.random.default_rng(seed).integers(0, 256, _POOL_OCTETS, np.uint8)
    sizes = [_record_size(size, container) for slot in row for size in slot.lengths]
    ends = np.cumsum(sizes)
    rows = max(1, round(octets / int(ends[-1])))
    batch = max(1, _BATCH_OCTETS // int(ends[-1]))
    record: Callable[[Octets, Octets, Sums], None]
    record = _pcap_record if container == "pcap" else _pcapng_record
    out.write(_PCAP_HEADER if container == "pcap" else _PCAPNG_HEADER)
    matrix = np.empty((batch, int(ends[-1])), np.uint8)
    for first in range(0, rows, batch):
        number = np.arange(first, min(first + batch, rows))
        part = matrix[: len(number)]
        place = 0
        for index, slot in enumerate(row):
            for frame in frames_of(slot, number, index, pool):
                time = _START * 10**9 + (number * len(sizes) + place) * 10_000
                record(part[:, ends[place] - sizes[place] : ends[place]], frame, time)
                place += 1
        out.write(part.tobytes())
    return rows * len(sizes)


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture on disk."""

    path: Path
    kind: str
    frames: int
    octets: int
    """Uncompressed."""


def capture(kind: str, octets: int, form: str = "pcap", *, seed: int = SEED) -> Capture:
    """Return a capture of about a size, made once and kept in the temporary folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{kind}-{octets}-{seed}-v{_VERSION}.{form}"
    container = form.removesuffix(".gz")
    sizes = [_record_size(size, container) for slot in row_of(kind) for size in slot.lengths]
    rows = max(1, round(octets / sum(sizes)))
    header = len(_PCAP_HEADER if container == "pcap" else _PCAPNG_HEADER)
    if not path.exists():
        temporary = path.with_name(f".{path.name}.tmp")
        if form.endswith(".gz"):
            plain = capture(kind, octets, container, seed=seed)
            with plain.path.open("rb") as source, gzip.open(temporary, "wb", 1) as packed:
                shutil.copyfileobj(source, packed, 1 << 20)
        else:
            with temporary.open("wb") as raw:
                write(raw, kind, octets, container=container, seed=seed)
        temporary.replace(path)
    return Capture(path, kind, rows * len(sizes), header + rows * sum(sizes))


def size_of(text: str) -> int:
    """Return a number of octets from ``200M``, ``2G``, ``1500``."""
    factors = {"K": 10**3, "M": 10**6, "G": 10**9}
    if text[-1:].upper() in factors:
        return int(float(text[:-1]) * factors[text[-1].upper()])
    return int(text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make one capture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--size", type=size_of, default=200_000_000, help="200M, 2G, 1500")
    parser.add_argument("--format", choices=FORMATS, default="pcap")
    parser.add_argument("--seed", type=int, default=SEED)
    chosen = parser.parse_args(arguments)
    made = capture(chosen.kind, chosen.size, chosen.format, seed=chosen.seed)
    sys.stdout.write(f"{made.path}: {made.frames:,} frames, {made.octets:,} octets\n")


if __name__ == "__main__":
    main()
