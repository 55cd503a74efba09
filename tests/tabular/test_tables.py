"""Tables as other libraries read them: equal in each, readable, null where nothing is."""

from __future__ import annotations

import datetime
import ipaddress
import sys
from typing import Any, ClassVar

import numpy as np
import pytest
from support import (
    ICMP,
    ICMPV6,
    PARTIAL,
    SLL2,
    TCP,
    UDP,
    Frame,
    address,
    ethernet,
    framed,
    ipv4,
    ipv6,
    pcapng,
    plain,
    read,
    segment,
    tunnelled,
)

import vxcsum
from vxcsum import MissingDependencyError, PacketTable, Reason, Status
from vxcsum.checksum.table import concatenate
from vxcsum.packet.columns import Coverage
from vxcsum.tabular.fields import Field, How, nonzero
from vxcsum.tabular.table import ColumnTable
from vxcsum.tabular.words import address_text

A, B = address("10.244.1.5"), address("10.244.2.5")
A6, B6 = address("fd00::5"), address("2001:db8::ffff:0:1")
NODE_A, NODE_B = address("172.31.7.11"), address("172.31.7.12")
SIX = ipv6(segment(TCP, A6, B6, b"six", sport=7, flags=0x12), TCP, A6, B6)


def tunnel(inner: bytes, **more: Any) -> Frame:
    return Frame(framed(tunnelled(inner, NODE_A, NODE_B, sport=46698, vni=9, **more)))


def tcp(**more: Any) -> bytes:
    return ipv4(segment(TCP, A, B, b"abc", sport=3000, **more), TCP, A, B)


FRAMES = [
    tunnel(tcp(flags=0x02)),
    tunnel(tcp(value=PARTIAL), value=0x1234),
    tunnel(ipv4(segment(ICMP, A, B, b"ping"), ICMP, A, B)),
    tunnel(SIX),
    tunnel(tcp()).cut(14 + 20 + 8 + 8 + 14 + 20 + 2),  # the inner ports are cut off
    plain(ipv4(segment(UDP, A, B, b"dns", dport=53), UDP, A, B), tags=[100]),
    plain(ipv6(segment(ICMPV6, A6, B6, b"six"), ICMPV6, A6, B6), SLL2),
    Frame(ethernet(b"\0" * 28)[:12] + b"\x08\x06" + bytes(28)),  # ARP
]


@pytest.fixture(scope="module")
def table() -> PacketTable:
    return read(FRAMES)


def as_ip(halves: Any) -> str:
    """The oracle for addresses."""
    parsed = ipaddress.IPv6Address(int(halves[0]).to_bytes(8) + int(halves[1]).to_bytes(8))
    return str(parsed.ipv4_mapped or parsed)


WORDS = {
    "kind": ["other", "plain", "vxlan"],
    "direction": [None, "in", "out"],
    "fragment": [None, "outermost", "inside", "both"],
    "status": [None, "valid", "zero", "partial", "invalid", "unverifiable"],
    "reason": [None, "lco", "lso", "truncated", "fragment", "malformed"],
    "coverage": [None, *(part.name.lower() for part in Coverage if part)],
}


def told(name: str, column: Any) -> list[Any]:
    """What a column is in other libraries, where a value is there."""
    words = WORDS.get(name) or WORDS.get(name.rpartition("_")[2])
    if name.endswith(("_src", "_dst")):
        return [as_ip(halves) for halves in column]
    if words is not None:
        return [words[value] for value in column]
    if name == "vlan":
        return [int(value) - 1 for value in column]
    if name == "timestamp":
        return column.astype("M8[us]").tolist()
    return list(column.tolist())


def from_arrow(table: PacketTable) -> dict[str, list[Any]]:
    return dict(table.to_arrow().to_pydict())


def from_pyarrow(table: PacketTable) -> dict[str, list[Any]]:
    return dict(pytest.importorskip("pyarrow").table(table).to_pydict())


def from_polars(table: PacketTable) -> dict[str, list[Any]]:
    return dict(pytest.importorskip("polars").DataFrame(table).to_dict(as_series=False))


def to_polars(table: PacketTable) -> dict[str, list[Any]]:
    pytest.importorskip("polars")
    return dict(table.to_polars().to_dict(as_series=False))


def of_pandas(frame: Any) -> dict[str, list[Any]]:
    return {
        name: [None if missing else value for value, missing in zip(column, gone, strict=True)]
        for name, column, gone in ((n, frame[n].tolist(), frame[n].isna()) for n in frame.columns)
    }


def to_pandas(table: PacketTable) -> dict[str, list[Any]]:
    pytest.importorskip("pandas")
    return of_pandas(table.to_pandas())


def from_pandas(table: PacketTable) -> dict[str, list[Any]]:
    pandas = pytest.importorskip("pandas", minversion="3")
    return of_pandas(pandas.DataFrame.from_arrow(table))


def from_duckdb(packets: PacketTable) -> dict[str, list[Any]]:
    duckdb = pytest.importorskip("duckdb")
    found = duckdb.sql("select * from packets")  # the variable, found by its name
    rows = found.fetchall()
    return {name: [row[n] for row in rows] for n, name in enumerate(found.columns)}


READERS = [from_arrow, from_pyarrow, from_polars, to_polars, to_pandas, from_pandas, from_duckdb]


@pytest.mark.parametrize("reader", READERS)
def test_a_table_is_the_same_in_every_library(table: PacketTable, reader: Any) -> None:
    found = reader(table)
    assert list(found) == list(PacketTable.FIELDS)
    assert set(found) == {*table, "tcp_flags_text"}
    for name in table:
        values = (
            [each.replace(tzinfo=None) for each in found[name]]
            if name == "timestamp"
            else (found[name])
        )
        for row, (is_, expected) in enumerate(zip(values, told(name, table[name]), strict=True)):
            assert is_ is None or is_ == expected, (name, row)
            if is_ is None:  # nothing that is there is lost
                zero = not np.any(table[name][row])
                assert zero or name.endswith(("sport", "dport", "expected", "residual")), name


def test_times_keep_their_nanoseconds_in_every_library(table: PacketTable) -> None:
    pyarrow, polars, duckdb = map(pytest.importorskip, ("pyarrow", "polars", "duckdb"))
    table = table[np.arange(len(table))]
    table["timestamp"][:] += np.timedelta64(123, "ns")
    whole = table["timestamp"].astype(np.int64).tolist()
    assert table.to_arrow()["timestamp"].cast(pyarrow.int64()).to_pylist() == whole
    assert polars.DataFrame(table)["timestamp"].cast(polars.Int64).to_list() == whole
    assert table.to_pandas()["timestamp"].astype("int64").tolist() == whole
    packets = table
    rows = duckdb.sql("select epoch_ns(timestamp) from packets").fetchall()
    assert len(packets) == len(rows)
    assert [row[0] for row in rows] == whole


def test_what_is_absent_is_null_and_what_is_there_is_not(table: PacketTable) -> None:
    pytest.importorskip("pyarrow")
    rows = table.to_arrow().to_pylist()
    syn, wrong, ping, six, cut, dns, neighbour, arp = rows
    assert (syn["outer_src"], syn["outer_dst"], syn["vni"]) == ("172.31.7.11", "172.31.7.12", 9)
    assert (syn["inner_src"], syn["inner_sport"]) == ("10.244.1.5", 3000)
    assert (syn["tcp_flags"], syn["tcp_flags_text"], syn["vlan"]) == (2, "SYN", None)
    assert (syn["outer_udp_status"], syn["outer_udp_found"]) == ("zero", 0)
    assert (wrong["outer_udp_status"], wrong["outer_udp_found"]) == ("invalid", 0x1234)
    assert (wrong["inner_tcp_status"], wrong["inner_udp_status"]) == ("partial", None)
    expected = wrong["outer_udp_found"] - wrong["outer_udp_expected"]
    assert (expected - wrong["outer_udp_residual"]) % 0xFFFF == 0
    assert ping["inner_icmp_status"] == "valid"
    assert [ping[name] for name in ("inner_sport", "inner_dport", "tcp_flags", "tcp_seq")] == [
        None
    ] * 4
    assert ping["inner_icmp_pseudo"] is None
    assert six["inner_src"] == "fd00::5"
    assert six["tcp_flags_text"] == "SYN|ACK"
    assert six["inner_ip_status"] is None
    assert cut["inner_l4_status"] == "unverifiable"
    assert cut["inner_l4_coverage"] == "field_cut"
    for name in ("inner_sport", "tcp_flags", "tcp_flags_text", "inner_l4_found"):
        assert cut[name] is None
    assert cut["inner_protocol"] == TCP
    # Its length was cut off with the rest: what the field should be cannot be told.
    assert [cut[f"outer_udp_{what}"] for what in ("found", "expected", "residual")] == [
        0,
        None,
        None,
    ]
    assert (dns["kind"], dns["vlan"], dns["plain_udp_status"]) == ("plain", 100, "valid")
    assert (dns["outer_src"], dns["vni"], dns["outer_udp_status"]) == (None, None, None)
    assert (dns["ifindex"], neighbour["ifindex"]) == (None, 3)
    assert neighbour["plain_icmpv6_status"] == "valid"
    absent = {name for name, value in arp.items() if value is None}
    assert {name for name in arp if name not in absent} == {
        *("capture", "frame_number", "timestamp", "interface", "linktype", "caplen", "origlen"),
        "kind",
    }


def test_a_zero_that_was_cut_short_has_no_expected_value(table: PacketTable) -> None:
    assert table["outer_udp_status"][4] == Status.ZERO
    assert table["outer_udp_coverage"][4] == Coverage.TRUNCATED
    assert table["outer_udp_expected"][4] == 0


def test_addresses_of_all_kinds_are_written_as_ipaddress_writes_them() -> None:
    pytest.importorskip("pyarrow")
    rng = np.random.default_rng(8472)
    raw = rng.integers(0, 1 << 64, (300, 2), dtype=np.uint64)
    raw[:100, 0] = 0
    raw[:100, 1] = raw[:100, 1] >> np.uint64(32) | np.uint64(0xFFFF << 32)
    raw[100:120, 0] = 0  # of the old form ::a.b.c.d, and ::1
    raw[100:120, 1] >>= np.uint64(33)
    base = read([plain(tcp())] * 3)
    many = concatenate([base] * 100)
    many["inner_src"][:] = raw
    many["inner_dst"][:] = raw[::-1]
    told_ = many.to_arrow(["inner_dst", "inner_src"]).to_pydict()
    assert list(told_) == ["inner_dst", "inner_src"]
    assert told_["inner_src"] == [as_ip(halves) for halves in raw]
    assert told_["inner_dst"] == told_["inner_src"][::-1]
    assert [address_text(halves) for halves in raw] == told_["inner_src"]


def test_slices_masks_and_indices_are_told_as_their_rows(table: PacketTable) -> None:
    pytest.importorskip("pyarrow")
    rows = table.to_arrow().to_pylist()
    assert table[2:5].to_arrow().to_pylist() == rows[2:5]
    assert table[::-1].to_arrow().to_pylist() == rows[::-1]
    assert table[np.array([5, 0])].to_arrow().to_pylist() == [rows[5], rows[0]]
    vxlan = table["vni"] == 9
    assert table[vxlan].to_arrow().to_pylist() == rows[:5]
    assert table[table["vni"] == 77].to_arrow().to_pylist() == []
    assert table[:0].to_arrow().schema == table.to_arrow().schema


def test_a_large_table_comes_in_parts_and_loses_nothing() -> None:
    pytest.importorskip("pyarrow")
    few = read(FRAMES)
    many = concatenate([few] * 10_000)
    many["frame_number"][:] = np.arange(len(many))
    names = ["frame_number", "inner_src", "outer_udp_status", "vni"]
    whole = many.to_arrow(names)
    assert whole["frame_number"].num_chunks > 1
    assert whole["frame_number"].to_numpy().tolist() == list(range(len(many)))
    rows = few.to_arrow(names[1:]).to_pylist()
    assert whole.select(names[1:]).slice(8 * 9000, 8).to_pylist() == rows
    assert PacketTable.conversion(many).reader(many).read_next_batch().num_rows < len(many)


def test_words_are_dictionaries_and_pandas_keeps_integers(table: PacketTable) -> None:
    pyarrow, pandas = map(pytest.importorskip, ("pyarrow", "pandas"))
    schema = table.to_arrow().schema
    assert pyarrow.types.is_dictionary(schema.field("outer_udp_status").type)
    assert schema.field("inner_src").type == pyarrow.string()
    frame = table.to_pandas(["vni", "outer_udp_status", "tcp_flags_text"])
    assert frame["vni"].dtype == pandas.UInt32Dtype()
    assert (frame["outer_udp_status"] == "invalid").sum() == 1
    assert frame.loc[frame["tcp_flags_text"] == "SYN", "vni"].tolist() == [9]


def test_a_column_that_there_is_not_is_a_key_error(table: PacketTable) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(KeyError, match="nonsense"):
        table.to_arrow(["nonsense"])


@pytest.mark.parametrize(
    ("library", "method"),
    [("pyarrow", "to_arrow"), ("pandas", "to_pandas"), ("polars", "to_polars")],
)
def test_without_the_library_the_error_has_the_install_line(
    table: PacketTable, library: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.setitem(sys.modules, library, None)
    extra = "tables" if library == "pyarrow" else library
    with pytest.raises(MissingDependencyError, match=rf'pip install "vxcsum\[{extra}\]"'):
        getattr(table, method)()


def test_a_table_has_the_methods_of_a_mapping(table: PacketTable) -> None:
    assert list(table.keys()) == list(table)
    assert [name for name, _ in table.items()] == list(table)
    assert all(len(column) == len(table) for column in table.values())
    assert table.get("vni") is table["vni"]
    assert table.get("nonsense") is None
    assert table.get("nonsense", 3) == 3
    assert set(dict(table)) == set(table)
    assert table["inner_tcp_reason"].tolist() == [Reason.NONE] * 4 + [Reason.TRUNCATED] + [0] * 3


# People


def test_the_repr_shows_head_and_tail_with_what_matters() -> None:
    table = read(FRAMES + [tunnel(tcp())] * 40)
    lines = repr(table).splitlines()
    assert lines[0] == f"<PacketTable: 48 frames, {len(PacketTable.FIELDS)} columns>"
    assert len(lines) == 2 + 5 + 1 + 5
    assert [line.split()[0] for line in lines[2:]] == [*"12345", "...", *map(str, range(44, 49))]
    first = datetime.datetime.fromtimestamp(1_700_000_000, datetime.UTC)
    assert f"{first:%Y-%m-%d %H:%M:%S}" in lines[2]
    for part in ("172.31.7.11 > 172.31.7.12", "10.244.1.5:3000 > 10.244.2.5:80", "TCP SYN"):
        assert part in lines[2]
    assert lines[2].endswith("outer_udp zero, inner_tcp valid")
    assert lines[3].endswith("outer_udp invalid, inner_tcp partial")
    assert "[fd00::5]:7 > [2001:db8::ffff:0:1]:80" in lines[5]
    assert lines[6].endswith("inner_tcp unverifiable (truncated)")


def test_the_repr_of_small_tables_has_all_rows() -> None:
    table = read(FRAMES)
    assert "..." not in repr(table)
    assert len(repr(table[:1]).splitlines()) == 3
    assert repr(table[:0]) == f"<PacketTable: 0 frames, {len(PacketTable.FIELDS)} columns>"
    assert repr(table[-1:]).splitlines()[-1].split()[0] == str(len(FRAMES))


def test_the_html_is_bounded_and_stands_alone() -> None:
    small, large = read(FRAMES)._repr_html_(), read(FRAMES * 500)._repr_html_()
    assert len(large) < 2 * len(small) < 40_000
    assert large.count("<tr>") == 1 + 5 + 1 + 5
    for text in (small, large):
        for part in ("<script", "<link", "<img", "http", "javascript", "url("):
            assert part not in text
        assert "color:" not in text  # that of the page is right on light and dark
    assert "<b>outer_udp invalid, inner_tcp partial</b>" in small
    assert "172.31.7.11 &gt; 172.31.7.12" in small
    assert read(FRAMES)[:0]._repr_html_().startswith("<table")


def test_iter_packets_gives_tables_that_are_told_alike() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    blocks = list(vxcsum.iter_packets([pcapng(FRAMES), pcapng(FRAMES[:3])]))
    joined = pyarrow.concat_tables([block.to_arrow() for block in blocks])
    assert joined["frame_number"].to_pylist() == [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3]
    assert joined["capture"].to_pylist() == [0] * 8 + [1] * 3


# Any other table


class Meals(ColumnTable):
    """A table of its own, with a column of each kind."""

    FIELDS: ClassVar[Any] = {
        "guest": Field(How.ADDRESS, nonzero("seat")),
        "mood": Field(How.WORD, words=(None, "good", "bad")),
        "mood_text": Field(How.TEXT, words=("?", "good"), source="mood"),
        "seat": Field(present=nonzero("seat"), base=1),
        "price": Field(),
        "paid": Field(),
        "name": Field(),
        "served": Field(),
    }
    ROW = "meals"

    def __init__(self, columns: dict[str, Any]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns["seat"])

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self.columns[key]
        return Meals({name: column[key] for name, column in self.columns.items()})


MEALS = Meals(
    {
        "guest": np.array([[0, 0xFFFF_0A00_0001], [1 << 63, 5], [7, 7]], np.uint64),
        "mood": np.array([1, 2, 9], np.uint8),
        "seat": np.array([4, 1, 0], np.uint16),
        "price": np.array([1.5, float("nan"), 3.0]),
        "paid": np.array([True, False, True]),
        "name": np.array(["<b>soup</b>", "\x1b[31m", "x" * 500], object),
        "served": np.array(["2026-01-01", "NaT", "2026-01-02"], "M8[ns]"),
    }
)


def test_any_table_of_columns_is_told_the_same_way() -> None:
    pytest.importorskip("pyarrow")
    told_ = MEALS.to_arrow().to_pydict()
    assert told_["guest"] == ["10.0.0.1", "8000::5", None]
    assert told_["mood"] == ["good", "bad", None]
    assert told_["mood_text"] == ["good", None, None]
    assert told_["seat"] == [3, 0, None]
    assert told_["price"] == [1.5, None, 3.0]
    assert told_["paid"] == [True, False, True]
    assert told_["name"] == MEALS["name"].tolist()
    assert [each and each.isoformat()[:10] for each in told_["served"]] == [
        "2026-01-01",
        None,
        "2026-01-02",
    ]
    assert MEALS[:0].to_arrow().schema == MEALS.to_arrow().schema


def test_text_and_html_of_any_table_are_bounded_and_inert() -> None:
    text, html = repr(MEALS), MEALS._repr_html_()
    assert text.startswith("<Meals: 3 meals, 8 columns>\n")
    assert [line.split()[0] for line in text.splitlines()[1:3]] == ["guest", "10.0.0.1"]
    assert "\x1b" not in text + html
    assert "<b>" not in html
    assert "&lt;b&gt;soup&lt;/b&gt;" in html
    assert max(map(len, text.splitlines())) < 250
    assert "nan" not in text
    assert "NaT" not in text
