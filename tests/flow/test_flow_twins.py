"""Both twins write the same records of connections, however the frames come."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vxcsum.flow import lookup, tracking, vectorized
from vxcsum.flow.records import State

if TYPE_CHECKING:
    from types import ModuleType

native = pytest.importorskip(
    "vxcsum.flow.native", reason="the extension is not built", exc_type=ImportError
)

Table = dict[str, Any]


def random_table(random: np.random.Generator, rows: int, ends: int) -> Table:
    """Frames between few ends: handshakes, data, nonsense."""

    def some(values: Any, code: str) -> Any:
        return random.choice(values, rows).astype(code)

    near = random.integers(0, 300, rows) + 2**32 - 150
    far = random.integers(0, 2**32, rows)
    directions = [0, 1, 2] if random.random() < 0.5 else [0]
    table: Table = {
        "kind": some([0, 1, 2], "u1"),
        "direction": some(directions, "u1"),
        "inner_protocol": some([6, 6, 6, 17, 1], "u1"),
        "inner_l4_status": some([1, 1, 1, 3, 4, 5, 0], "u1"),
        "outer_udp_status": some([1, 2, 4], "u1"),
        "tcp_flags": some([0x02, 0x12, 0x10, 0x18, 0x11, 0x04, 0x14], "u1"),
        "tcp_header_length": some([20, 32, 32, 0], "u1"),
        "inner_l4_length": random.integers(0, 200, rows).astype("u4"),
        "tcp_seq": (far if random.random() < 0.3 else near).astype("u4"),
        "origlen": some([100, 1700, 20000], "u4"),
        "vni": np.zeros(rows, "u4"),
        "ifindex": some([0, 1] if random.random() < 0.3 else [0], "u4"),
        "capture": np.zeros(rows, "i4"),
        "interface": np.zeros(rows, "i4"),
        "timestamp": np.cumsum(random.integers(-5, 90_000_000, rows)).astype("M8[ns]"),
        "frame_number": np.arange(1, rows + 1),
    }
    opens = table["tcp_flags"] == 0x02
    table["tcp_seq"][opens] = random.integers(1, 3, int(opens.sum()))
    for name in ("inner_sport", "inner_dport", "outer_sport", "outer_dport"):
        table[name] = random.integers(1, ends, rows).astype("u2")
    for name in ("inner_src", "inner_dst", "outer_src", "outer_dst"):
        low = random.integers(0, 2, rows).astype("u8")
        table[name] = np.stack([np.zeros(rows, "u8"), low], 1)
    return table


def followed(twin: ModuleType, table: Table, cuts: list[int], room: int) -> tuple[Any, ...]:
    """All that a twin tells of a table that comes in parts."""
    state, repeated = State(room), []
    ends = [0, *sorted(cut % (len(table["kind"]) + 1) for cut in cuts), len(table["kind"])]
    for start, stop in pairwise(ends):
        rows, connections = twin.follow({n: c[start:stop] for n, c in table.items()}, state)
        repeated += list(zip((rows + start).tolist(), connections.tolist(), strict=True))
    told = state.connections.tobytes(), state.segments.tobytes()
    return state.count, state.untracked, repeated, *told


cuts = st.lists(st.integers(0, 1000), max_size=5)


@settings(max_examples=200)
@given(st.integers(0, 2**32), st.integers(0, 300), st.sampled_from([2, 3, 9]), cuts, cuts)
def test_twins_tell_the_same_of_any_frames(
    seed: int, rows: int, ends: int, one: list[int], other: list[int]
) -> None:
    table = random_table(np.random.default_rng(seed), rows, ends)
    for room in (1000, 5):
        wanted = followed(vectorized, table, one, room)
        assert followed(native, table, other, room) == wanted
        assert followed(native, table, [], room) == wanted


def test_random_frames_make_what_the_twins_differ_in_if_they_do() -> None:
    table = random_table(np.random.default_rng(63), 2000, 3)
    state = State(1000)
    rows, _ = native.follow(table, state)
    sent = state.connections["from"]
    assert rows.size > 10
    assert state.connections["superseded"].any()
    assert (state.connections["round_trip"] > 0).any()
    assert (state.connections["holes"]["missing"][:, :, 2] > 0).any()
    for name in ("repeated_octets", "late_frames", "missing", "superframes", "outer_invalid"):
        assert sent[name].any(), name


def test_ends_with_the_same_key_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    table = random_table(np.random.default_rng(1), 200, 9)
    wanted = followed(vectorized, table, [], 1000)
    monkeypatch.setattr(lookup, "_ODD", np.uint64(0))  # every key is the same
    assert followed(vectorized, table, [], 1000) == wanted


def test_sequence_numbers_far_apart_do_not_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    table = random_table(np.random.default_rng(2), 300, 3)
    wanted = followed(native, table, [], 1000)
    monkeypatch.setattr(tracking, "_SAFE", 0)  # each connection by itself
    assert followed(vectorized, table, [], 1000) == wanted


@pytest.mark.parametrize("wild", [2**63 - 1, -(2**63) + 1])
def test_times_of_damaged_captures_do_not_overflow(wild: int) -> None:
    table = random_table(np.random.default_rng(5), 200, 2)
    times = table["timestamp"].view("i8")
    times[::3] = wild
    table["tcp_flags"][::5] = 0x02
    assert followed(native, table, [], 1000) == followed(vectorized, table, [90], 1000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": -1}, "connections in room for"),
        ({"count": 11}, "connections in room for"),
        ({"slots": np.zeros(12, np.int32)}, "power of two"),
        ({"slots": np.zeros(8, np.int32)}, "power of two"),
        ({"connections": np.zeros(100, np.uint8)}, "items of other than"),
        ({"segments": np.zeros(3, np.int64)}, "segments has 24 octets"),
        ({"rows": 1 << 40}, "octets, not"),
        ({"rows": -1}, "negative"),
    ],
)
def test_the_compiled_twin_checks_what_it_is_given(change: dict[str, Any], message: str) -> None:
    table = random_table(np.random.default_rng(3), 4, 3)
    state = State(10)
    columns = {name: column.view("i8") if name == "timestamp" else column
               for name, column in table.items()}  # fmt: skip
    given = {
        "columns": columns,
        "rows": 4,
        "connections": state.memory,
        "slots": state.slots,
        "segments": state.segments,
        "syn_row": np.zeros(4, np.int64),
        "syn_connection": np.zeros(4, np.int64),
        "count": 0,
        "seed": 0,
    }
    with pytest.raises(ValueError, match=message):
        native._native.follow(*(given | change).values())


def test_slots_that_name_no_connection_count_as_free() -> None:
    table = random_table(np.random.default_rng(4), 50, 3)
    state = State(100)
    state.slots[:] = 2**31 - 1
    state.slots[::2] = -7
    native.follow(table, state)
    good = State(100)
    native.follow(table, good)
    assert state.connections.tobytes() == good.connections.tobytes()
