"""pcap and pcapng in every variant, whole, cut and damaged, against builders of their own."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import os
import struct
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vxcsum import _optional
from vxcsum.capture import MAX_CAPLEN, SLACK, open_capture
from vxcsum.errors import CaptureError
from vxcsum.source import open_streams

if TYPE_CHECKING:
    from vxcsum.capture import CaptureReader

Frame = tuple[bytes, int, int]
SECOND = 10**9
START = 1_700_000_000 * SECOND
# octets, original length, microseconds since START
FRAMES = [
    (bytes(range(n % 251)) + bytes([n % 256]) * (n // 5), n + 100, n * 1_000_003)
    for n in (0, 1, 60, 61, 62, 63, 64, 126, 126, 126, 250, 3, 1000)
] + [(b"\xaa" * 126, 126, n) for n in range(40)]
COLUMNS = ("offset", "caplen", "origlen", "timestamp", "interface", "linktype", "flags")


def pcap(
    frames: list[Frame] = FRAMES,
    *,
    order: str = "<",
    magic: int = 0xA1B2C3D4,
    linktype: int = 1,
    version: tuple[int, int] = (2, 4),
    snaplen: int = 262144,
) -> bytes:
    out = [struct.pack(f"{order}IHHiIII", magic, *version, 0, 0, snaplen, linktype)]
    per_second = SECOND if magic == 0xA1B23C4D else 10**6
    for octets, origlen, micro in frames:
        second, rest = divmod(START // 1000 + micro, 10**6)
        rest *= per_second // 10**6
        out.append(struct.pack(f"{order}IIII", second, rest, len(octets), origlen))
        if magic == 0xA1B2CD34:
            out.append(struct.pack(f"{order}IHBB", 3, 0x800, 4, 0))
        out.append(octets)
    return b"".join(out)


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    total = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + total + body + total


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def shb(order: str = "<", length: int = -1, options: bytes = b"") -> bytes:
    fixed = struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, length)
    return block(order, 0x0A0D0D0A, fixed + options)


def idb(order: str = "<", linktype: int = 1, snaplen: int = 0, options: bytes = b"") -> bytes:
    return block(order, 1, struct.pack(f"{order}HHI", linktype, 0, snaplen) + options)


def epb(
    octets: bytes,
    *,
    order: str = "<",
    ticks: int = 0,
    interface: int = 0,
    origlen: int | None = None,
    options: bytes = b"",
) -> bytes:
    origlen = len(octets) if origlen is None else origlen
    head = (interface, ticks >> 32, ticks & 0xFFFFFFFF, len(octets), origlen)
    padded = octets + bytes(-len(octets) % 4)
    return block(order, 6, struct.pack(f"{order}5I", *head) + padded + options)


def pcapng(
    frames: list[Frame] = FRAMES,
    *,
    order: str = "<",
    tsresol: int | None = None,
    extras: bool = False,
) -> bytes:
    options = b"" if tsresol is None else option(order, 9, bytes([tsresol]))
    per_second = 10**6 if tsresol is None else 10**tsresol
    out = [shb(order), idb(order, options=options)]
    for number, (octets, origlen, micro) in enumerate(frames):
        ticks = (START // 1000 + micro) * (per_second // 10**6)
        out.append(epb(octets, order=order, ticks=ticks, origlen=origlen))
        if extras and number % 3 == 0:
            out.append(block(order, 4, bytes(4 * number)))
            out.append(block(order, 0x80000123, b""))
    return b"".join(out)


def compress(data: bytes, compression: str | None) -> bytes:
    if compression == "zstd":
        return bytes(_optional.zstd().compress(data))
    if compression == "lz4":
        return bytes(pytest.importorskip("lz4.frame").compress(data))
    return {None: bytes, "gzip": gzip.compress, "xz": lzma.compress}[compression](data)


def read(data: bytes, **options: Any) -> tuple[CaptureReader, list[bytes], dict[str, list[int]]]:
    """Read a capture; give the reader, the frames' octets and the columns."""
    (stream,) = open_streams(data)
    reader = open_capture(stream, **options)
    octets, columns = [], {name: [] for name in COLUMNS}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for piece in reader.blocks():
            assert piece.first_frame == len(octets) + 1
            assert len(piece) > 0
            end = int((piece.offset + piece.caplen).max())
            assert end + SLACK <= len(piece.octets)
            octets += [
                piece.octets[at : at + n].tobytes()
                for at, n in zip(piece.offset.tolist(), piece.caplen.tolist(), strict=True)
            ]
            for name in COLUMNS:
                columns[name] += getattr(piece, name).tolist()
            assert piece.offset.dtype == piece.timestamp.dtype == np.int64
            assert piece.caplen.dtype == piece.origlen.dtype == piece.flags.dtype == np.uint32
            assert piece.linktype.dtype == np.uint16
            assert piece.interface.dtype == np.int32
            assert piece.direction.dtype == np.uint8
    assert reader.frames == len(octets)
    assert reader.complete == (reader.damage is None)
    return reader, octets, columns


def check(
    data: bytes, frames: list[Frame] = FRAMES, **options: Any
) -> tuple[CaptureReader, dict[str, list[int]]]:
    reader, octets, columns = read(data, **options)
    assert octets == [frame[0] for frame in frames]
    assert columns["caplen"] == [len(frame[0]) for frame in frames]
    assert columns["origlen"] == [frame[1] for frame in frames]
    assert columns["timestamp"] == [START + frame[2] * 1000 for frame in frames]
    assert reader.complete
    return reader, columns


VARIANTS = {
    "micro": lambda order: pcap(order=order),
    "nano": lambda order: pcap(order=order, magic=0xA1B23C4D),
    "modified": lambda order: pcap(order=order, magic=0xA1B2CD34),
    "old": lambda order: pcap(order=order, version=(2, 1)),
    "ng": lambda order: pcapng(order=order),
    "ng-nano": lambda order: pcapng(order=order, tsresol=9),
    "ng-finer": lambda order: pcapng(order=order, tsresol=10, extras=True),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "gzip", "zstd", "xz", "lz4"])
@pytest.mark.parametrize("block_octets", [64, 1000, 8 << 20])
@pytest.mark.parametrize("live", [False, True])
def test_same_frames_in_every_container(
    variant: str, order: str, compression: str | None, block_octets: int, live: bool
) -> None:
    data = VARIANTS[variant](order)
    packed = compress(data, compression)
    reader, columns = check(packed, block_octets=block_octets, live=live)
    assert reader.compression == compression
    assert reader.container == ("pcapng" if "ng" in variant else "pcap")
    assert reader.octets_read == len(data)
    assert set(columns["linktype"]) == {1}
    assert set(columns["interface"]) == {0}


@pytest.mark.parametrize("variant", ["micro", "modified", "ng"])
@pytest.mark.parametrize("block_octets", [64, 1 << 16])
def test_cut_anywhere_gives_a_prefix_and_damage(variant: str, block_octets: int) -> None:
    frames = FRAMES[:9]
    whole = {
        "micro": pcap(frames),
        "modified": pcap(frames, magic=0xA1B2CD34),
        "ng": pcapng(frames, extras=True),
    }[variant]
    header = 28 if variant == "ng" else 24
    complete = 0
    for length in range(len(whole)):
        cut = whole[:length]
        if length < header:
            with pytest.raises(CaptureError):
                read(cut, block_octets=block_octets)
            continue
        reader, octets, _ = read(cut, block_octets=block_octets)
        assert octets == [frame[0] for frame in frames[: len(octets)]]
        complete += reader.complete
        if not reader.complete:
            assert "wanted" in reader.damage
    boundaries = 2 + len(frames) + 6 - 1 if variant == "ng" else len(frames)
    assert complete == boundaries


def test_damage_says_where() -> None:
    whole = pcap(FRAMES[:3])
    reader, octets, _ = read(whole[:-5])
    assert len(octets) == 2
    offset = len(whole) - 16 - len(FRAMES[2][0])
    assert reader.damage == (
        f"ends in the middle of record 3, at offset {offset:#x}: "
        f"{16 + len(FRAMES[2][0])} octets wanted, {len(FRAMES[2][0]) + 11} left"
    )


def test_cut_compressed_capture_names_the_compression() -> None:
    octets = os.urandom(50_000)
    data = compress(pcap([(octets, 50_000, 0)] * 3), "gzip")
    reader, _, _ = read(data[: len(data) // 2])
    assert reader.damage.startswith("gzip stream ends early; ends in the middle of record")
    assert not reader.complete


@pytest.mark.parametrize("caplen", [MAX_CAPLEN + 1, 0xFFFFFFFF])
@pytest.mark.parametrize("block_octets", [64, 1 << 16])
def test_absurd_captured_length(caplen: int, block_octets: int) -> None:
    bad = struct.pack("<IIII", 0, 0, caplen, 60) + bytes(100)
    reader, octets, _ = read(pcap(FRAMES[:5]) + bad, block_octets=block_octets)
    assert len(octets) == 5
    assert "record 6" in reader.damage


def test_largest_frame() -> None:
    frame = (b"\x5a" * MAX_CAPLEN, MAX_CAPLEN, 0)
    check(pcap([frame, FRAMES[3]]), [frame, FRAMES[3]], block_octets=4096)
    check(pcapng([frame, FRAMES[3]]), [frame, FRAMES[3]], block_octets=4096)


@pytest.mark.parametrize(
    ("word", "linktype", "fcs"),
    [(1, 1, 0), (0x300000E5, 229, 0), (0x24000001, 1, 4), (0xF0000001, 1, 0)],
)
def test_linktype_word(word: int, linktype: int, fcs: int) -> None:
    reader, columns = check(pcap(linktype=word))
    assert set(columns["linktype"]) == {linktype}
    assert reader.interfaces[0].fcs_octets == fcs
    assert reader.snaplen == 262144


def test_largest_pcap_timestamp() -> None:
    data = pcap([]) + struct.pack("<IIII", 0xFFFFFFFF, 0xFFFFFFFF, 0, 0)
    assert read(data)[2]["timestamp"] == [0xFFFFFFFF * SECOND + 0xFFFFFFFF * 1000]


def test_more_frames_than_a_block_holds() -> None:
    frames = [(b"x" * (n % 3), 9, n) for n in range(70_000)]
    check(pcap(frames), frames)
    check(pcapng(frames), frames)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"snoop\0\0\0" + bytes(60), "snoop"),
        (b"frame,protocol\n1,udp\n", "plain text"),
        (b"BZh91AY&SY", "bzip2"),
        (bytes(100), "00 00 00 00"),
        (pcap()[:23], "too short"),
        (shb()[:27], "too short"),
        (shb()[:8] + bytes(30), "byte-order magic"),
        (gzip.compress(b"", mtime=0), "empty"),
        (gzip.compress(pcap(), mtime=0)[:12], "gzip stream ends early"),
    ],
)
def test_no_capture(data: bytes, message: str) -> None:
    with pytest.raises(CaptureError, match=message) as caught:
        read(data)
    assert "\n" not in str(caught.value)


def test_empty_captures() -> None:
    for data in (pcap([]), shb(), shb() + idb(), shb(">", length=20) + idb(">")):
        assert read(data)[0].complete


def test_sections_and_interfaces() -> None:
    le, be = "<", ">"
    data = (
        shb(le)
        + idb(le, 1, 96, option(le, 2, b"eth0") + option(le, 3, b"up\xff") + option(le, 0, b""))
        + idb(le, 113, 0, option(le, 9, b"\x09") + option(le, 14, struct.pack("<q", -5)))
        + epb(b"one", ticks=1_500_000)
        + epb(b"two", ticks=2_000_000_007, interface=1)
        + epb(b"one", ticks=2_500_000)
        + shb(be, length=1234, options=option(be, 4, b"tool"))
        + idb(be, 276, 1000, option(be, 9, b"\x8a") + option(be, 13, b"\x20"))
        + epb(b"three", order=be, ticks=1025)
        + idb(be, 12, 0, option(be, 9, b"\xa0"))
        + epb(b"four", order=be, ticks=(7 << 32) + (1 << 31), interface=1)
        + block(be, 6, struct.pack(">5I", 2, 0, 0, 0, 0))
        + epb(b"never", order=be)
    )
    for size in (64, 1 << 16):
        reader, octets, columns = read(data, block_octets=size)
        assert octets == [b"one", b"two", b"one", b"three", b"four"]
        assert columns["linktype"] == [1, 113, 1, 276, 12]
        assert columns["interface"] == [0, 1, 0, 2, 3]
        assert columns["timestamp"] == [
            1_500_000_000,
            2_000_000_007 - 5 * SECOND,
            2_500_000_000,
            SECOND + SECOND // 1024,
            7 * SECOND + SECOND // 2,
        ]
        assert "interface 2 was never described" in reader.damage
        first, second, third, _ = reader.interfaces
        assert (first.name, first.description, first.snaplen) == ("eth0", "up\ufffd", 96)
        assert (second.offset_seconds, second.ticks_per_second, second.section) == (-5, SECOND, 1)
        assert (third.fcs_octets, third.ticks_per_second, third.section) == (4, 1024, 2)
        assert reader.snaplen == 1000


@pytest.mark.parametrize(
    "tsresol", [0, 6, 9, 10, 18, 19, 29, 127, 128, 138, 160, 162, 163, 192, 255]
)
@pytest.mark.parametrize("offset", [0, 1, -1, 2**62, -(2**62), 9_000_000_000])
def test_any_resolution_is_exact(tsresol: int, offset: int) -> None:
    options = option("<", 9, bytes([tsresol])) + option("<", 14, struct.pack("<q", offset))
    ticks = [0, 1, 999, 10**9 + 1, 1_700_000_000_123_456_789, 2**63, 2**64 - 1]
    per_second = 2 ** (tsresol & 127) if tsresol & 128 else 10**tsresol
    exact = [tick * SECOND // per_second + offset * SECOND for tick in ticks]
    least = -(2**63) + 1  # NaT is one less
    expected = [min(max(value, least), 2**63 - 1) for value in exact]
    head = shb() + idb(options=options)
    _, _, columns = read(head + b"".join(epb(b"", ticks=tick) for tick in ticks))
    assert columns["timestamp"] == expected
    for tick, wanted in zip(ticks, expected, strict=True):
        assert read(head + epb(b"", ticks=tick))[2]["timestamp"] == [wanted]


def test_simple_and_obsolete_packet_blocks() -> None:
    for order in "<>":
        spb = block(order, 3, struct.pack(f"{order}I", 200) + b"s" * 50)
        short = block(order, 3, struct.pack(f"{order}I", 3) + b"abc")
        head = struct.pack(f"{order}HHIIII", 1, 7, 0, 5, 3, 99)
        pb = block(order, 2, head + b"pb!\0" + option(order, 2, struct.pack(f"{order}I", 2)))
        data = (
            shb(order)
            + idb(order, 1, 50)
            + idb(order, 113, 0)
            + spb
            + epb(b"e", order=order, interface=1)
            + pb
            + short
        )
        for size in (64, 1 << 16):
            reader, octets, columns = read(data, block_octets=size)
            assert octets == [b"s" * 50, b"e", b"pb!", b"abc"]
            assert columns["origlen"] == [200, 1, 99, 3]
            assert columns["timestamp"] == [0, 0, 5000, 0]
            assert columns["interface"] == [0, 1, 1, 0]
            assert columns["flags"] == [0, 0, 2, 0]
            assert reader.complete


def test_unlimited_simple_packet_block() -> None:
    data = shb() + idb() + block("<", 3, struct.pack("<I", 300) + b"u" * 300)
    assert read(data)[1] == [b"u" * 300]


@pytest.mark.parametrize("order", ["<", ">"])
def test_epb_flags_and_direction(order: str) -> None:
    def flags(value: int) -> bytes:
        return option(order, 2, struct.pack(f"{order}I", value))

    comment = option(order, 1, b"hello")
    cases = [
        (b"", 0, 0),
        (flags(1), 1, 1),
        (comment + flags(0x42), 0x42, 2),
        (flags(3) + option(order, 0, b""), 3, 0),
        (option(order, 0, b"") + flags(1), 0, 0),
        (option(order, 2, b"abc"), 0, 0),
        (struct.pack(f"{order}HH", 1, 60000) + b"abcd", 0, 0),
    ]
    data = shb(order) + idb(order)
    data += b"".join(epb(b"x" * 5, order=order, options=options) for options, _, _ in cases)
    (stream,) = open_streams(data)
    (piece,) = open_capture(stream).blocks()
    assert piece.flags.tolist() == [value for _, value, _ in cases]
    assert piece.direction.tolist() == [direction for _, _, direction in cases]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (struct.pack("<II", 6, 33) + bytes(60), "multiple of 4"),
        (struct.pack("<II", 6, 28) + bytes(60), "less than 32"),
        (struct.pack("<II", 0x99, 8) + bytes(60), "less than 12"),
        (struct.pack("<II", 6, 1 << 30) + bytes(60), "more than"),
        (struct.pack("<III", 0x99, 12, 16) + bytes(60), "lengths"),
        (epb(b"abc")[:-4] + bytes(4), "lengths"),
        (block("<", 6, struct.pack("<5I", 0, 0, 0, 5, 5) + b"abcd"), "does not fit"),
        (block("<", 6, struct.pack("<5I", 0, 0, 0, 0xFFFFFFFF, 5) + b"abcd"), "does not fit"),
        (block("<", 2, struct.pack("<HHIIII", 0, 0, 0, 0, 5, 5) + b"abcd"), "does not fit"),
        (block("<", 2, struct.pack("<HHIIII", 9, 0, 0, 0, 0, 0)), "interface 9"),
        (shb() + block("<", 3, struct.pack("<I", 0)), "interface 0"),
        (shb() + epb(b""), "interface 0"),
        (struct.pack("<III", 0x0A0D0D0A, 28, 7) + bytes(60), "byte-order magic"),
        (block("<", 0x99, bytes(5000))[:-4] + bytes(4), "lengths"),
    ],
)
@pytest.mark.parametrize("block_octets", [64, 1 << 16])
def test_damaged_blocks(bad: bytes, message: str, block_octets: int) -> None:
    data = shb() + idb() + epb(b"good") + bad + epb(b"never")
    reader, octets, _ = read(data, block_octets=block_octets)
    assert octets == [b"good"]
    assert message in reader.damage
    assert "frame 1" in reader.damage


def test_huge_blocks_without_frames_are_not_held() -> None:
    huge = block("<", 0x99, bytes(50 << 20))
    data = shb() + idb() + epb(b"one") + huge + epb(b"two")
    (stream,) = open_streams(data)
    reader = open_capture(stream, block_octets=4096)
    assert [len(piece.octets) for piece in reader.blocks()] < [10_000, 10_000]
    assert reader.complete
    assert reader.frames == 2
    reader, octets, _ = read(data[: -(10 << 20)], block_octets=4096)
    assert octets == [b"one"]
    assert f"{len(huge)} octets wanted" in reader.damage


def test_live_pipe_gives_frames_as_they_come() -> None:
    data = pcap(FRAMES[2:5])
    first = 24 + 16 + len(FRAMES[2][0])
    reading, writing = os.pipe()
    os.write(writing, data[: first + 10])
    with os.fdopen(reading, "rb", buffering=0) as file:
        (stream,) = open_streams(file)
        blocks = open_capture(stream, live=True).blocks()
        assert len(next(blocks)) == 1
        os.write(writing, data[first + 10 :])
        assert len(next(blocks)) == 2
        os.close(writing)
        assert next(blocks, None) is None


def test_another_index_is_used() -> None:
    class Counting:
        calls = 0

        def index_pcap(self, *arguments: Any) -> tuple[int, int, int]:
            from vxcsum.capture import indexing

            self.calls += 1
            return indexing.index_pcap(*arguments)

        index_pcapng = None

    index = Counting()
    check(pcap(), index=index)
    assert index.calls


HEADERS = [pcap([]), pcap([], order=">"), pcap([], magic=0xA1B2CD34), shb() + idb(), shb(">")]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(HEADERS), st.binary(max_size=400), st.sampled_from([64, 4096]))
def test_random_octets_after_a_header(header: int, octets: bytes, block_octets: int) -> None:
    read(header + octets, block_octets=block_octets)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([pcap(FRAMES[:8]), pcapng(FRAMES[:8], extras=True)]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8),
    st.sampled_from([64, 4096]),
)
def test_changed_octets(data: bytes, changes: list[tuple[int, int]], block_octets: int) -> None:
    changed = bytearray(data)
    for at, value in changes:
        changed[at % len(changed)] = value
    try:
        small = read(bytes(changed), block_octets=block_octets)
    except CaptureError:
        return
    large = read(bytes(changed))
    assert small[1] == large[1]
    assert small[0].damage == large[0].damage
    assert all(small[2][name] == large[2][name] for name in COLUMNS[1:])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_random_octets(octets: bytes) -> None:
    with contextlib.suppress(CaptureError):
        read(octets)
