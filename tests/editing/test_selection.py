"""What users write to choose frames."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import TCP, UDP, address, fragments_of, ip, plain, read, segment, tunnelled

from vxcsum.editing.parsing import joined, parse_flow, parse_frames, parse_time
from vxcsum.editing.selection import flow_mask, ranges_of, selection_of
from vxcsum.errors import VxcsumError

RANGES = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 9)).map(lambda pair: (pair[0], sum(pair))),
    min_size=1,
    max_size=6,
)
A, B = address("10.244.1.5"), address("10.244.2.5")
NODE_A, NODE_B = address("172.31.7.11"), address("172.31.7.12")


@given(RANGES)
def test_frame_ranges_choose_the_numbers_they_name(ranges: list[tuple[int, int]]) -> None:
    text = ",".join(f"{low}-{high}" if high > low else f"{low}" for low, high in ranges)
    wanted = {number for low, high in ranges for number in range(low, high + 1)}
    found = parse_frames(text)
    assert {number for low, high in found for number in range(low, high + 1)} == wanted
    assert all(after[0] > before[1] + 1 for before, after in pairwise(found))
    numbers = np.arange(1, 80)
    chosen = selection_of(frames=text).of_records(numbers, np.zeros(79, np.int64))
    assert set(numbers[chosen].tolist()) == wanted


@given(st.sets(st.integers(1, 100)))
def test_ranges_of_numbers_are_the_numbers(numbers: set[int]) -> None:
    ranges = list(ranges_of(np.array(sorted(numbers), np.int64)))
    assert {n for low, high in ranges for n in range(low, high + 1)} == numbers
    assert joined(ranges) == ranges
    chosen = selection_of(frames=numbers).of_records(np.arange(1, 101), np.zeros(100, np.int64))
    assert set((np.flatnonzero(chosen) + 1).tolist()) == numbers


def test_open_ranges_reach_to_the_ends() -> None:
    numbers = np.arange(1, 11)
    times = np.zeros(10, np.int64)
    assert numbers[selection_of(frames="8-").of_records(numbers, times)].tolist() == [8, 9, 10]
    assert numbers[selection_of(frames="-3").of_records(numbers, times)].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "text", ["", "-", "0", "0-3", "5-3", "a", "1-2-3", "1;2", "1,,2", "-0", "\uff11", "9" * 30]
)
def test_what_is_no_range_is_refused_and_named(text: str) -> None:
    with pytest.raises(VxcsumError, match="range of frames"):
        parse_frames(text)


@given(st.text(max_size=12))
def test_any_text_is_a_selection_or_a_clear_error(text: str) -> None:
    said = []
    for parse in (parse_frames, parse_flow, parse_time):
        try:
            parse(text)
        except VxcsumError as error:
            said.append(str(error))
    assert all("wanted" in message or "count from 1" in message for message in said)


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)),
    st.integers(0, 999),
    st.integers(-14, 14),
)
def test_times_are_read_to_the_nanosecond_in_any_zone(when: datetime, nano: int, zone: int) -> None:
    aware = when.replace(tzinfo=UTC)
    whole = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000 + nano
    shifted = when + timedelta(hours=zone)
    text = f"{shifted:%Y-%m-%dT%H:%M:%S}.{shifted.microsecond:06}{nano:03}{zone:+03}:00"
    start, stop = parse_time(f"..{text}")
    assert start is None
    assert stop is not None
    assert (stop.nanoseconds, stop.relative) == (whole, False)


def test_seconds_count_from_the_first_frame() -> None:
    times = np.array([100, 101, 105, 103], np.int64) * 10**9
    numbers = np.arange(1, 5)

    def chosen(text: str) -> list[int]:
        found = selection_of(time=text).of_records(numbers, times)
        return (np.flatnonzero(found) + 1).tolist()

    assert chosen("1..3") == [2, 4]
    assert chosen("0.5..") == [2, 3, 4]
    assert chosen("..1") == [1, 2]
    assert chosen("1970-01-01T00:01:43Z..1970-01-01T00:01:45") == [3, 4]


@pytest.mark.parametrize("text", ["", "..", "1", "a..b", "1..2..3", "2026-13-01..", "1e3.."])
def test_what_is_no_span_of_time_is_refused(text: str) -> None:
    with pytest.raises(VxcsumError, match=r"FROM\.\.TO"):
        parse_time(text)


@pytest.mark.parametrize("text", ["5..1", "0..-1", "2026-11-24T00:00..2026-11-23T23:59"])
def test_a_span_of_time_that_ends_before_it_begins_is_refused(text: str) -> None:
    with pytest.raises(VxcsumError, match="ends before it begins"):
        parse_time(text)


def test_a_span_of_time_may_be_a_moment_or_of_both_kinds() -> None:
    for text in ("1..1", "5..1970-01-01T00:00:01", "2026-11-23T23:59..5"):
        parse_time(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0.1:80",
        "10.0.0.1:80-10.0.0.2",
        "10.0.0.1:99999-10.0.0.2:1",
        "fd00::1:80-fd00::2:80",
        "[10.0.0.1]:80-[10.0.0.2]:80",
        "10.0.0.1:80-10.0.0.256:80",
        "host:80-other:80",
    ],
)
def test_what_is_no_flow_is_refused(text: str) -> None:
    with pytest.raises(VxcsumError, match="is no flow"):
        parse_flow(text)


def test_a_flow_is_both_directions_inside_and_outside() -> None:
    there = ip(segment(TCP, A, B, sport=40000, dport=80), TCP, A, B)
    back = ip(segment(TCP, B, A, sport=80, dport=40000), TCP, B, A)
    other = ip(segment(TCP, A, B, sport=40001, dport=80), TCP, A, B)
    frames = [
        plain(tunnelled(there, NODE_A, NODE_B, sport=50000)),
        plain(tunnelled(back, NODE_B, NODE_A, sport=50001)),
        plain(tunnelled(other, NODE_A, NODE_B, sport=50002)),
        plain(there),
        plain(back),
    ]
    table = read(frames)

    def chosen(text: str) -> list[int]:
        return (np.flatnonzero(flow_mask(table, parse_flow(text))) + 1).tolist()

    assert chosen("10.244.1.5:40000-10.244.2.5:80") == [1, 2, 4, 5]
    assert chosen("10.244.2.5:80-10.244.1.5:40000") == [1, 2, 4, 5]
    assert chosen("172.31.7.11:50000-172.31.7.12:8472") == [1]
    assert chosen("172.31.7.11:*-172.31.7.12:8472") == [1, 3]
    assert chosen("*:8472-*:*") == [1, 2, 3]
    assert chosen("10.244.1.5:*-*:80") == [1, 2, 3, 4, 5]
    assert chosen("10.244.1.5:80-*:*") == []


def test_ipv6_flows_stand_in_brackets_and_later_fragments_have_no_ports() -> None:
    a, b = address("fd00::5"), address("fd00::6")
    packet = ip(segment(UDP, a, b, bytes(64), sport=53, dport=5353), UDP, a, b)
    table = read([plain(packet), *(plain(piece) for piece in fragments_of(packet, [4]))])
    with_ports = flow_mask(table, parse_flow("[fd00::5]:53-[fd00::6]:5353"))
    without = flow_mask(table, parse_flow("[fd00::5]:*-[fd00::6]:*"))
    assert with_ports.tolist() == [True, True, False]
    assert without.tolist() == [True, True, True]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"status": "wrong"}, "unknown status 'wrong': wanted one of valid, zero"),
        ({"layer": ["inner_tcp", "tcp"]}, "unknown layer 'tcp': wanted one of outer_ipv4"),
        ({"frames": [0]}, "0 is no frame"),
    ],
)
def test_unknown_words_are_named_with_those_that_are_known(
    wrong: dict[str, object], message: str
) -> None:
    with pytest.raises(VxcsumError, match=message):
        selection_of(**wrong)  # type: ignore[arg-type]
