"""The index functions against a walk which does nothing clever."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest

from vxcsum.capture import indexing


def columns(room: int, *kinds: str) -> list[np.ndarray]:
    return [np.full(room, 77, kind) for kind in kinds]


def lengths_with_runs(seed: int) -> list[int]:
    rng = random.Random(seed)
    lengths: list[int] = []
    while len(lengths) < 3000:
        lengths += [rng.choice((0, 4, 60, 66, 126))] * rng.choice((1, 1, 2, 9, 10, 11, 300, 1000))
    return lengths


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("header", [16, 24])
@pytest.mark.parametrize("room", [1, 7, 5000])
def test_pcap(order: str, header: int, room: int) -> None:
    lengths = lengths_with_runs(header)
    data = b"".join(
        struct.pack(f"{order}4I", n, n + 1, length, n + 2) + bytes(header - 16 + length)
        for n, length in enumerate(lengths)
    )
    octets = np.frombuffer(b"??" + data + b"!" * 20, np.uint8)
    at, done = 2, 0
    stop = len(octets) - 20
    status = indexing.FULL
    while status == indexing.FULL:
        out = columns(room, "i8", "u4", "u4", "u4", "u4")
        count, following, status = indexing.index_pcap(
            octets, at, stop, order == ">", header, 1000, *out
        )
        offset, caplen, origlen, seconds, fraction = (column[:count] for column in out)
        expected = np.array(lengths[done : done + count])
        assert (caplen == expected).all()
        starts = at + np.concatenate(([0], np.cumsum(expected + header)))
        assert (offset == starts[:-1] + header).all()
        assert following == starts[-1]
        numbers = np.arange(done, done + count)
        assert (seconds == numbers).all()
        assert (fraction == numbers + 1).all()
        assert (origlen == numbers + 2).all()
        assert all((column[count:] == 77).all() for column in out)
        at = following
        done += count
    assert status == indexing.MORE
    assert done == len(lengths)
    assert at == stop


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("room", [1, 7, 5000])
def test_pcapng(order: str, room: int) -> None:
    lengths = lengths_with_runs(1)
    flagged = [length == 126 for length in lengths]
    parts = []
    for n, length in enumerate(lengths):
        padded = length + -length % 4
        options = struct.pack(f"{order}HHI", 2, 4, n) if flagged[n] else b""
        total = 32 + padded + len(options)
        parts.append(struct.pack(f"{order}7I", 6, total, n % 5, n, n + 1, length, n + 2))
        parts.append(bytes(padded) + options + struct.pack(f"{order}I", total))
    octets = np.frombuffer(b"".join(parts), np.uint8)
    at, done, status = 0, 0, indexing.FULL
    while status == indexing.FULL:
        out = columns(room, "i8", "u4", "u4", "u8", "u4", "u4")
        count, at, status = indexing.index_pcapng(octets, at, len(octets), order == ">", 1000, *out)
        _, caplen, origlen, stamp, interface, flags = (column[:count] for column in out)
        numbers = np.arange(done, done + count)
        assert (caplen == lengths[done : done + count]).all()
        assert (origlen == numbers + 2).all()
        assert (stamp == (numbers << 32) + numbers + 1).all()
        assert (interface == numbers % 5).all()
        assert (flags == np.where(flagged[done : done + count], numbers, 0)).all()
        done += count
    assert status == indexing.MORE
    assert done == len(lengths)
    assert at == len(octets)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", (0, 0, 0)),
        (bytes(11), (0, 0, 0)),
        (struct.pack("<III", 0x0A0D0D0A, 0, 0), (0, 0, 3)),
        (struct.pack("<III", 1, 0, 0), (0, 0, 3)),
        (struct.pack("<III", 2, 0, 0), (0, 0, 3)),
        (struct.pack("<III", 3, 0, 0), (0, 0, 3)),
        (struct.pack("<III", 4, 12, 12), (0, 12, 0)),
        (struct.pack("<III", 4, 12, 16), (0, 0, 2)),
        (struct.pack("<III", 4, 16, 16), (0, 0, 4)),
        (struct.pack("<III", 4, 10, 10), (0, 0, 2)),
        (struct.pack("<III", 6, 32, 0), (0, 0, 0)),
        (struct.pack("<III", 6, 28, 0), (0, 0, 2)),
        (struct.pack("<III", 6, 0xFFFFFFFC, 0), (0, 0, 2)),
    ],
)
def test_pcapng_statuses(octets: bytes, expected: tuple[int, int, int]) -> None:
    array = np.frombuffer(octets, np.uint8)
    out = columns(4, "i8", "u4", "u4", "u8", "u4", "u4")
    assert indexing.index_pcapng(array, 0, len(array), False, 1000, *out) == expected


def test_pcap_statuses() -> None:
    out = columns(4, "i8", "u4", "u4", "u4", "u4")
    for length, expected in ((0, (1, 16, 0)), (1, (0, 0, 0)), (1001, (0, 0, 2))):
        array = np.frombuffer(struct.pack("<4I", 0, 0, length, 0), np.uint8)
        assert indexing.index_pcap(array, 0, 16, False, 16, 1000, *out) == expected
