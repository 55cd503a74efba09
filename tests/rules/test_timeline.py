"""Counts over time: exact, bounded, and the same however the frames came in."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import TCP, UDP, Frame, address, framed, ipv4, plain, put, read, segment, tunnelled

from vxcsum.checksum.status import LAYERS, Status
from vxcsum.checksum.table import PacketTable
from vxcsum.evidence.evidence import Evidence
from vxcsum.evidence.timeline import BINS, Timeline

POD_A, POD_B = address("10.244.1.5"), address("10.244.2.5")
NODE_A, NODE_B = address("172.31.7.11"), address("172.31.7.12")
LIMITS = (-(2**63), 2**63 - 1)


def frames() -> list[Frame]:
    """Eight frames of six signatures: right, zero, wrong and no checksums, tunnelled and plain."""
    tcp = ipv4(segment(TCP, POD_A, POD_B, b"x"), TCP, POD_A, POD_B)
    wrong = ipv4(segment(UDP, POD_A, POD_B, b"y", value=0x1234), UDP, POD_A, POD_B)
    out = [Frame(framed(tunnelled(inner, NODE_A, NODE_B))) for inner in (tcp, tcp, wrong)]
    out.append(Frame(framed(tunnelled(tcp, NODE_A, NODE_B, value=0x1234))))
    out += [plain(tcp), plain(put(tcp, 10, 0xBEEF)), plain(wrong), Frame(b"\0" * 60)]
    return out


TABLE = read(frames())


def at(times: list[int]) -> PacketTable:
    """Frames of the mixture at some times, in ns."""
    table = TABLE[np.arange(len(times)) % len(TABLE)]
    columns = {name: table[name] for name in table._columns}
    columns["timestamp"] = np.array(times, np.int64).view("datetime64[ns]")
    return PacketTable(columns)


def timeline(*tables: PacketTable) -> Timeline:
    evidence = Evidence()
    for table in tables:
        evidence.update(table)
    return evidence.timeline


def same(one: Timeline, other: Timeline) -> None:
    assert (one.shift, one.start, one.bins) == (other.shift, other.start, other.bins)
    assert (one.counts == other.counts).all()


def counted(table: PacketTable, shift: int) -> Counter[tuple[int, str, int]]:
    """Number of frames by bin, layer and status, one by one."""
    out: Counter[tuple[int, str, int]] = Counter()
    times = table["timestamp"].astype(np.int64).tolist()
    for layer in LAYERS:
        for time, status in zip(times, table[f"{layer}_status"].tolist(), strict=True):
            if status != Status.ABSENT:
                out[time >> shift, layer, status] += 1
    return out


moments = st.lists(
    st.one_of(
        st.integers(1_700_000_000 * 10**9, 1_700_000_900 * 10**9),
        st.integers(-(2**40), 2**40),
        st.sampled_from([*LIMITS, 0, 1, 1023, 1024]),
    ),
    min_size=1,
    max_size=40,
)


@given(moments)
def test_each_frame_is_counted_in_its_bin(times: list[int]) -> None:
    table = at(times)
    line = timeline(table)
    found = Counter(
        {
            (line.start + int(b), list(LAYERS)[layer], int(s)): int(line.counts[b, layer, s])
            for b, layer, s in np.argwhere(line.counts)
        }
    )
    assert found == counted(table, line.shift)


@given(moments)
def test_bins_are_as_narrow_as_fits(times: list[int]) -> None:
    line = timeline(at(times))
    low, high = min(times), max(times)
    assert (low >> line.shift, high >> line.shift) == (line.start, line.start + line.bins - 1)
    assert 1 <= line.bins <= BINS
    assert line.shift == 10 or (high >> line.shift - 1) - (low >> line.shift - 1) >= BINS


@given(moments, st.data())
def test_blocks_and_their_order_do_not_matter(times: list[int], data: Any) -> None:
    table = at(times)
    whole = timeline(table)
    cut = data.draw(st.integers(0, len(times)))
    same(timeline(table[:cut], table[cut:]), whole)
    same(timeline(table[cut:], table[:cut]), whole)
    same(timeline(*(table[n : n + 1] for n in range(len(times)))), whole)


@given(moments, moments, moments)
def test_merging_is_associative_with_an_empty_element(
    a: list[int], b: list[int], c: list[int]
) -> None:
    left, right = Timeline(), Timeline()
    for part in (a, b, c):
        left.merge(timeline(at(part)))
    for part in (b, c):
        right.merge(timeline(at(part)))
    first = timeline(at(a))
    first.merge(right)
    same(left, first)
    first.merge(Timeline())
    same(left, first)


def test_sums_over_time_are_the_counts_of_the_layers() -> None:
    evidence = Evidence()
    evidence.update(at(list(range(0, 10**12, 10**10 + 7))))
    assert (evidence.timeline.counts.sum(axis=0) == evidence.layers).all()


@pytest.mark.parametrize("span", [1, 10**6, 3600 * 10**9, 2**62])
def test_memory_does_not_grow_with_the_span(span: int) -> None:
    line = timeline(at([0, span]))
    assert line.counts.shape == (BINS, len(LAYERS), len(Status))
    assert line.seconds[0] <= 0
    assert line.seconds[line.bins] * 1e9 >= span
    assert line.first == 0


def test_nothing_seen_is_no_time() -> None:
    line = Timeline()
    assert (line.bins, line.first) == (0, None)
    assert line.seconds.tolist() == [0.0]
