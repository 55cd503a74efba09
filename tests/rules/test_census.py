"""Telling pairs of addresses apart, and values: against dictionaries and sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vxcsum.evidence.census import group_pairs
from vxcsum.packet.columns import distinct

HALVES = st.sampled_from([0, 1, 2, 0xFFFF_0A00_0001, 2**64 - 1])
ROWS = st.tuples(HALVES, HALVES, HALVES, HALVES, st.sampled_from([0, 4789, 8472, 65535]))


def check_groups(rows: list[tuple[int, ...]]) -> None:
    table = np.array(rows, np.uint64).reshape(-1, 5)
    expected: dict[tuple[int, ...], list[int]] = {}
    for number, row in enumerate(rows):
        expected.setdefault(row, []).append(number)
    groups = group_pairs(table[:, 0:2], table[:, 2:4], table[:, 4].astype(np.uint16))
    assert [group.tolist() for group in groups] == list(expected.values())


@given(st.lists(ROWS, max_size=60))
def test_each_pair_has_its_rows_in_order_of_appearance(rows: list[tuple[int, ...]]) -> None:
    check_groups(rows)


def test_more_pairs_than_are_told_apart_one_by_one() -> None:
    check_groups([(0, 7 * n % 90, 0, n % 3, 4789) for n in range(400)])


def test_pairs_without_ports() -> None:
    source = np.array([[0, 1], [0, 1], [0, 2]], np.uint64)
    groups = group_pairs(source, np.zeros((3, 2), np.uint64))
    assert [group.tolist() for group in groups] == [[0, 1], [2]]


@given(st.lists(st.integers(0, 65535), max_size=50), st.integers(0, 3))
def test_distinct_values(values: list[int], times: int) -> None:
    column = np.array(values * times, np.uint16)
    assert distinct(column).tolist() == sorted(set(values * times))
    assert distinct(column).dtype == column.dtype
