"""The compiled kernel and the NumPy one give the same, octet by octet."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vxcsum.capture import indexing, open_capture
from vxcsum.errors import CaptureError
from vxcsum.packet import vectorized
from vxcsum.packet.columns import FACTS, FRAGMENT_DTYPE, SLACK
from vxcsum.pipeline import DEFAULT_PORTS
from vxcsum.source import open_streams

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

native = pytest.importorskip(
    "vxcsum.packet.native",
    reason="the extension is not built (python setup.py build_ext --inplace)",
    exc_type=ImportError,
)

CAPTURES = Path(__file__).parents[2].parent / "shared" / "captures"
PORTS = np.zeros(65536, np.bool_)
PORTS[list(DEFAULT_PORTS)] = True

LINKTYPES = (0, 1, 12, 14, 101, 108, 113, 228, 229, 276, 147)
EXTENSIONS = (0, 43, 44, 51, 60, 135, 139, 140)


class Block(NamedTuple):
    """What a kernel is given."""

    octets: np.ndarray
    offset: np.ndarray
    caplen: np.ndarray
    origlen: np.ndarray
    linktype: np.ndarray
    direction: np.ndarray
    ports: np.ndarray = PORTS


# Frames at random: mostly right, so that headers are found, and often wrong in one place.


def chance(rng: random.Random, share: float) -> bool:
    return rng.random() < share


def or_lie(rng: random.Random, right: int, bits: int = 16) -> int:
    if chance(rng, 0.95):
        return right & ((1 << bits) - 1)
    near = right + rng.choice((-9, -8, -1, 1, 7, 8, 100))
    return rng.choice((near, 0, rng.getrandbits(bits))) & ((1 << bits) - 1)


def address(rng: random.Random, size: int) -> bytes:
    return rng.choice((bytes(size), b"\xff" * size, rng.randbytes(size), rng.randbytes(size)))


def payload(rng: random.Random) -> bytes:
    size = rng.choice((0, 1, 7, 8, 9, 63, 64, 65, rng.randrange(200), rng.randrange(1500)))
    return rng.choice((rng.randbytes(size), bytes(size), b"\xff" * size))


def transport(rng: random.Random, depth: int) -> tuple[int, bytes]:
    kind = 17 if depth == 0 and chance(rng, 0.7) else rng.choice((6, 6, 17, 17, 1, 58, 2, 59, 0))
    field = rng.choice((0, 0xFFFF, rng.getrandbits(16)))
    if kind == 6:
        header = struct.pack(
            ">HHIIBBHHH", 1, 2, rng.getrandbits(32), 7, 5 << 4, rng.getrandbits(8), 9, field, 0
        )
        return kind, header + payload(rng)
    if kind == 17:
        port = 53
        body = payload(rng)
        if depth < 2 and chance(rng, 0.8):
            port = rng.choice((4789, 8472, 4790))
            body = vxlan(rng, port, depth + 1) + rng.choice((b"", b"", payload(rng)))
        return kind, struct.pack(">HHHH", 40000, port, or_lie(rng, 8 + len(body)), field) + body
    return kind, struct.pack(">BBHHH", 8, 0, field, 5, 6) + payload(rng)


def vxlan(rng: random.Random, port: int, depth: int) -> bytes:
    flags, following = or_lie(rng, 8, 8), rng.getrandbits(8)
    kind, body = network(rng, depth)
    if port == 4790 and chance(rng, 0.5):
        flags, following = 0x0C, rng.choice((0, 1, 2, 3, 4))
        if following != 3:
            return struct.pack(">BHBI", flags, 0, following, rng.getrandbits(32)) + body
    return struct.pack(">BHBI", flags, 0, following, rng.getrandbits(32)) + ethernet(
        rng, kind, body
    )


def ipv4_options(rng: random.Random) -> bytes:
    options = b""
    while len(options) < 32 and chance(rng, 0.7):
        kind = rng.choice((0, 1, 1, 7, 131, 137, 131))
        if kind < 2:
            options += bytes([kind])
            continue
        length = or_lie(rng, 3 + 4 * rng.randrange(4), 8)
        options += bytes([kind, length, rng.choice((4, 8, 20, 200))]) + rng.randbytes(12)
        options = options[: max(len(options) - 12 + length - 3, 0)]
    options = options[:40]
    return options + bytes(-len(options) % 4)


def first_piece(rng: random.Random, body: bytes) -> bytes:
    return body[: 8 * rng.randrange(len(body) // 8 + 1)] if chance(rng, 0.7) else body


def ipv4(rng: random.Random, depth: int) -> bytes:
    kind, body = transport(rng, depth)
    options = ipv4_options(rng) if chance(rng, 0.3) else b""
    piece = rng.choice((0x2000, 0x2000, 0x2001, 1, 0x1FFF)) if chance(rng, 0.15) else 0x4000
    if piece & 0x2000:
        body = first_piece(rng, body)
    total = or_lie(rng, 20 + len(options) + len(body))
    return (
        struct.pack(
            ">BBHHHBBH",
            0x40 | or_lie(rng, 5 + len(options) // 4, 4),
            0,
            0 if chance(rng, 0.05) else total,
            rng.getrandbits(16),
            piece,
            64,
            kind,
            rng.getrandbits(16),
        )
        + address(rng, 4)
        + address(rng, 4)
        + options
        + body
    )


def extension(rng: random.Random, kind: int, following: int) -> bytes:
    if kind == 44:
        piece = rng.choice((0, 0, 1, 1, 8, 9, 0xFFF8))
        return struct.pack(">BBHI", following, 0, piece, rng.getrandbits(32))
    units = rng.choice((0, 0, 1, 2, 3, 4))
    if kind == 51:
        units = rng.choice((0, 1, 4))
        body = rng.randbytes(4 * (units + 2) - 2)
    else:
        body = rng.randbytes(8 * (units + 1) - 2)
    if kind == 43:
        body = bytes([rng.choice((0, 2, 4, 3)), rng.choice((0, 1, 2))]) + body[2:]
    if kind == 0 and chance(rng, 0.7):
        body = b"\xc2\x04" + struct.pack(">I", rng.choice((70000, 80, 8, 0xFFFFFFFF))) + body[6:]
    return bytes([following, or_lie(rng, units, 8)]) + body


def ipv6(rng: random.Random, depth: int) -> bytes:
    kind, body = transport(rng, depth)
    if chance(rng, 0.1):
        body = struct.pack(">BBHI", kind, 0, 1, rng.getrandbits(32)) + first_piece(rng, body)
        kind = 44
    if chance(rng, 0.5):
        few = chance(rng, 0.99)
        for _ in range(rng.randrange(4) if few else rng.randrange(250, 260)):
            before = rng.choice(EXTENSIONS) if few else 60
            body = extension(rng, before, kind) + body
            kind = before
    length = 0 if chance(rng, 0.1) else or_lie(rng, len(body))
    return (
        struct.pack(">IHBB", 6 << 28, length, kind, 64) + address(rng, 16) + address(rng, 16) + body
    )


def network(rng: random.Random, depth: int) -> tuple[int, bytes]:
    kind = 0x0806 if chance(rng, 0.05) else rng.choice((0x0800, 0x86DD))
    if kind == 0x0806:
        return kind, payload(rng)
    return kind, ipv4(rng, depth) if kind == 0x0800 else ipv6(rng, depth)


def tagged(rng: random.Random, kind: int, body: bytes) -> tuple[int, bytes]:
    for _ in range(rng.choice((0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 5))):
        body = struct.pack(">HH", rng.choice((0, 0x0FFF, rng.getrandbits(16))), kind) + body
        kind = rng.choice((0x8100, 0x88A8, 0x9100))
    return kind, body


def ethernet(rng: random.Random, kind: int, body: bytes) -> bytes:
    kind, body = tagged(rng, kind, body)
    return rng.randbytes(12) + struct.pack(">H", kind) + body


def frame(rng: random.Random) -> tuple[int, bytes]:
    """Return a link type and a frame."""
    linktype = 1 if chance(rng, 0.5) else rng.choice(LINKTYPES)
    kind, body = network(rng, 0)
    if linktype in (228, 229) and chance(rng, 0.9):
        linktype = 228 if kind == 0x0800 else 229
    if linktype == 1:
        body = ethernet(rng, kind, body)
    elif linktype == 113:
        kind, body = tagged(rng, kind, body)
        body = struct.pack(">HHHQH", rng.randrange(6), 1, 6, 0, kind) + body
    elif linktype == 276:
        kind, body = tagged(rng, kind, body)
        body = struct.pack(">HHIHBBQ", kind, 0, 3, 1, rng.randrange(6), 6, 0) + body
    elif linktype in (0, 108):
        family = 2 if kind == 0x0800 else rng.choice((10, 24, 28, 30, 7))
        body = struct.pack(rng.choice("<>") + "I", family) + body
    return linktype, body


def damaged(rng: random.Random, octets: bytes) -> bytes:
    """Change some octets, most often among the headers."""
    if not octets or chance(rng, 0.7):
        return octets
    changed = bytearray(octets)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(min(len(octets), rng.choice((24, 100, len(octets)))) or 1)
        changed[at] = rng.choice((0, 255, rng.getrandbits(8), changed[at] ^ 1 << rng.randrange(8)))
    return bytes(changed)


def block_of(rng: random.Random, frames: list[tuple[int, bytes]]) -> Block:
    """Lay frames out with other octets before, between and behind them."""
    octets = rng.randbytes(rng.randrange(9))
    offset, caplen, origlen, linktype = [], [], [], []
    for kind, body in frames:
        captured = damaged(rng, body)
        if chance(rng, 0.3):
            captured = captured[: rng.randrange(min(len(captured), rng.choice((20, 90, 2000))) + 1)]
        offset.append(len(octets))
        caplen.append(len(captured))
        origlen.append(
            rng.choice((len(body), len(body), len(captured), or_lie(rng, len(body), 32)))
        )
        linktype.append(kind)
        octets += captured + rng.randbytes(rng.choice((0, 1, 2, 3, 16)))
    return Block(
        np.frombuffer(octets + rng.randbytes(SLACK), np.uint8),
        np.array(offset, np.int64),
        np.array(caplen, np.uint32),
        np.array(origlen, np.uint32),
        np.array(linktype, np.uint16),
        np.array([rng.choice((0, 0, 1, 2)) for _ in frames], np.uint8),
    )


def block_at_random(seed: int, frames: int = 40) -> Block:
    rng = random.Random(seed)
    return block_of(rng, [frame(rng) for _ in range(frames)])


def assert_twins(block: Block, jobs: int = 1) -> None:
    """Fail where the kernels differ, naming the column and the first row."""
    expected, expected_fragments = vectorized.scan(*block)
    facts, fragments = native.scan(*block, jobs=jobs)
    assert list(facts) == list(expected) == list(FACTS)
    for name, column in expected.items():
        assert (facts[name].dtype, facts[name].shape) == (column.dtype, column.shape), name
        if not np.array_equal(facts[name], column):
            row = int(np.flatnonzero((facts[name] != column).reshape(len(column), -1).any(1))[0])
            at, size = int(block.offset[row]), int(block.caplen[row])
            pytest.fail(
                f"{name}[{row}]: native {facts[name][row]}, NumPy {column[row]}; link type "
                f"{block.linktype[row]}, origlen {block.origlen[row]}, "
                f"frame {block.octets[at : at + size].tobytes().hex()}"
            )
    assert fragments.dtype == FRAGMENT_DTYPE
    assert fragments.tobytes() == expected_fragments.tobytes()


@given(st.integers(0, 2**64))
@settings(deadline=None, max_examples=150)
def test_structured_frames(seed: int) -> None:
    assert_twins(block_at_random(seed))


@given(
    st.lists(st.tuples(st.sampled_from(LINKTYPES), st.binary(max_size=300)), max_size=12),
    st.integers(0, 2**32),
)
@settings(deadline=None, max_examples=150)
def test_random_octets(frames: list[tuple[int, bytes]], seed: int) -> None:
    assert_twins(block_of(random.Random(seed), frames))


def test_every_truncation() -> None:
    rng = random.Random(1)
    for _ in range(60):
        kind, body = frame(rng)
        sizes = np.arange(min(len(body), 260) + 1)
        octets = np.frombuffer(body + rng.randbytes(SLACK), np.uint8)
        same = np.full(len(sizes), len(body), np.uint32)
        zeros = np.zeros(len(sizes), np.int64)
        assert_twins(
            Block(
                octets,
                zeros,
                sizes.astype(np.uint32),
                same,
                np.full(len(sizes), kind, np.uint16),
                zeros.astype(np.uint8),
            )
        )


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_jobs(jobs: int) -> None:
    assert_twins(block_at_random(7, 1500), jobs)


def test_many_fragments() -> None:
    rng = random.Random(3)
    bodies = [frame(rng)[1] for _ in range(8000)]
    block = block_of(rng, [(228, b"E" + bytes(5) + b"\x20" + body[7:]) for body in bodies])
    _, fragments = native.scan(*block)
    assert len(fragments) > 4096
    assert_twins(block)


@pytest.mark.parametrize("kernel", [vectorized, native], ids=lambda kernel: kernel.NAME)
def test_octets_outside_of_frames_do_not_matter(kernel: ModuleType) -> None:
    for seed in range(100):
        block = block_at_random(seed)
        others = np.full(block.octets.size, 0xA5, np.uint8)
        for at, size in zip(block.offset.tolist(), block.caplen.tolist(), strict=True):
            others[at : at + size] = block.octets[at : at + size]
        facts, fragments = kernel.scan(*block)
        again, fragments_again = kernel.scan(*block._replace(octets=others))
        for name in FACTS:
            assert np.array_equal(facts[name], again[name]), (name, seed)
        assert fragments.tobytes() == fragments_again.tobytes()


@pytest.mark.parametrize("together", [1, 7, 39, 40])
def test_rows_looked_at_in_parts(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectorized, "_ROWS_TOGETHER", together)
    for seed in range(20):
        assert_twins(block_at_random(seed))


def test_no_frames() -> None:
    assert_twins(block_at_random(0, 0))


def test_no_slack_is_needed() -> None:
    block = block_at_random(5)
    end = int((block.offset + block.caplen).max())
    facts, _ = native.scan(*block._replace(octets=block.octets[:end]))
    expected, _ = vectorized.scan(*block)
    assert all(np.array_equal(facts[name], expected[name]) for name in FACTS)


@pytest.mark.parametrize(
    ("column", "value"),
    [("offset", -1), ("offset", 2**62), ("offset", -(2**63)), ("caplen", 2**32 - 1)],
)
def test_frames_outside_of_the_block(column: str, value: int) -> None:
    block = block_at_random(5)
    wrong = getattr(block, column).copy()
    wrong[17] = value
    for jobs in (1, 3):
        with pytest.raises(IndexError, match="row 17"):
            native.scan(*block._replace(**{column: wrong}), jobs=jobs)


@pytest.mark.parametrize("column", ["caplen", "origlen", "linktype", "direction", "ports"])
def test_columns_of_another_length(column: str) -> None:
    block = block_at_random(5)
    with pytest.raises(ValueError, match=column):
        native.scan(*block._replace(**{column: getattr(block, column)[:-1]}))


# Captures


def blocks_of(path: Path, index: object = None) -> Iterator[Block]:
    """Yield what the pipeline gives a kernel; nothing for files that are no captures."""
    try:
        for stream in open_streams(path):
            with stream:
                reader = open_capture(stream, block_octets=1 << 16, index=index)
                for block in reader.blocks():
                    yield Block(
                        block.octets,
                        block.offset,
                        block.caplen,
                        block.origlen,
                        block.linktype,
                        block.direction,
                    )
    except CaptureError:
        return


def shared_captures() -> list[Path]:
    return sorted(path for path in CAPTURES.rglob("*") if path.is_file() and "pcap" in path.name)


def need_captures() -> list[Path]:
    if not CAPTURES.is_dir():
        pytest.skip(f"no shared captures at {CAPTURES}")
    return shared_captures()


def test_captures() -> None:
    frames = 0
    for number, path in enumerate(need_captures()):
        for block in blocks_of(path):
            assert_twins(block, jobs=1 + number % 3)
            frames += len(block.offset)
    assert frames > 0


def test_captures_indexed_by_either() -> None:
    for path in need_captures():
        for theirs, ours in zip(blocks_of(path), blocks_of(path, native), strict=True):
            for name in ("offset", "caplen", "origlen", "linktype", "direction"):
                assert np.array_equal(getattr(ours, name), getattr(theirs, name)), (path, name)


# Indexers

PCAP_COLUMNS = ("i8", "u4", "u4", "u4", "u4")
PCAPNG_COLUMNS = ("i8", "u4", "u4", "u8", "u4", "u4")


def assert_same_index(name: str, kinds: tuple[str, ...], room: int, *arguments: object) -> None:
    """Walk to the end, or to where both stop, with columns of `room` rows."""
    octets, at, stop, *others = arguments
    status = indexing.FULL
    while status == indexing.FULL:
        theirs, ours = ([np.zeros(room, kind) for kind in kinds] for _ in range(2))
        expected = getattr(indexing, name)(octets, at, stop, *others, *theirs)
        assert getattr(native, name)(octets, at, stop, *others, *ours) == expected
        count, at, status = expected
        for mine, other in zip(ours, theirs, strict=True):
            assert mine[:count].tolist() == other[:count].tolist()


def pcap_at_random(rng: random.Random, order: str, header: int) -> bytes:
    octets = b""
    for _ in range(rng.randrange(60)):
        size = rng.choice((0, 4, 60, 60, 60, rng.randrange(300)))
        told = size if chance(rng, 0.99) else rng.getrandbits(32)
        octets += struct.pack(f"{order}IIII", rng.getrandbits(32), 5, told, rng.getrandbits(32))
        octets += rng.randbytes(header - 16 + size)
    return octets


@given(st.integers(0, 2**64))
@settings(deadline=None, max_examples=200)
def test_index_pcap(seed: int) -> None:
    rng = random.Random(seed)
    order, header = rng.choice("<>"), rng.choice((16, 24))
    start = rng.randrange(5)
    octets = rng.randbytes(start) + pcap_at_random(rng, order, header)
    stop = rng.choice((len(octets), rng.randrange(start, len(octets) + 1)))
    data = np.frombuffer(octets, np.uint8)
    arguments = (data, start, stop, order == ">", header, rng.choice((1 << 24, 100)))
    assert_same_index("index_pcap", PCAP_COLUMNS, rng.choice((1, 7, 100)), *arguments)


def pcapng_options(rng: random.Random, order: str) -> bytes:
    octets = b""
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        code, size = rng.choice(((2, 4), (2, 4), (1, 5), (4, 8), (2, 8), (0, 0), (2988, 6)))
        octets += struct.pack(f"{order}HH", code, or_lie(rng, size)) + rng.randbytes(size)
        octets += bytes(-len(octets) % 4)
    return octets


def pcapng_at_random(rng: random.Random, order: str) -> bytes:
    octets = b""
    for _ in range(rng.randrange(40)):
        kind = rng.choice((6,) * 12 + (4, 5, 11, 2989)) if chance(rng, 0.98) else rng.randrange(12)
        body = rng.randbytes(4 * rng.randrange(30))
        if kind == 6:
            size = rng.choice((60, 60, 61, rng.randrange(200)))
            told = or_lie(rng, size, 32) if chance(rng, 0.1) else size
            body = struct.pack(f"{order}IIIII", 0, rng.getrandbits(32), 2, told, size)
            body += rng.randbytes(size) + bytes(-size % 4) + pcapng_options(rng, order)
        length = len(body) + 12
        lies = [or_lie(rng, length, 32) if chance(rng, 0.1) else length for _ in range(2)]
        octets += struct.pack(f"{order}II", kind, lies[0]) + body
        octets += struct.pack(f"{order}I", lies[1])
    return octets


@given(st.integers(0, 2**64))
@settings(deadline=None, max_examples=300)
def test_index_pcapng(seed: int) -> None:
    rng = random.Random(seed)
    order = rng.choice("<>")
    start = rng.randrange(5)
    octets = rng.randbytes(start) + pcapng_at_random(rng, order)
    stop = rng.choice((len(octets), rng.randrange(start, len(octets) + 1)))
    data = np.frombuffer(octets, np.uint8)
    arguments = (data, start, stop, order == ">", rng.choice((1 << 24, 100)))
    assert_same_index("index_pcapng", PCAPNG_COLUMNS, rng.choice((1, 7, 100)), *arguments)


@given(st.binary(max_size=200), st.booleans(), st.integers(0, 2**32 - 1))
def test_index_random_octets(octets: bytes, big_endian: bool, max_caplen: int) -> None:
    data = np.frombuffer(octets, np.uint8)
    end = (0, len(octets), big_endian)
    assert_same_index("index_pcap", PCAP_COLUMNS, 9, data, *end, 16, max_caplen)
    assert_same_index("index_pcapng", PCAPNG_COLUMNS, 9, data, *end, max_caplen)


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (6, 5), (0, 11)])
def test_index_outside_of_the_buffer(start: int, stop: int) -> None:
    data = np.zeros(10, np.uint8)
    columns = [np.zeros(4, kind) for kind in PCAP_COLUMNS]
    with pytest.raises(IndexError):
        native.index_pcap(data, start, stop, False, 16, 100, *columns)
    columns = [np.zeros(4, kind) for kind in PCAPNG_COLUMNS]
    with pytest.raises(IndexError):
        native.index_pcapng(data, start, stop, False, 100, *columns)


def test_index_columns_of_different_lengths() -> None:
    data = np.zeros(100, np.uint8)
    columns = [np.zeros(4, kind) for kind in PCAP_COLUMNS]
    columns[3] = np.zeros(3, "u4")
    with pytest.raises(ValueError, match="seconds"):
        native.index_pcap(data, 0, 100, False, 16, 100, *columns)
