"""Tables in files: as `to_arrow` gives them, a part at a time, whole or not at all."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from support import TCP, Frame, address, framed, ipv4, pcap, pcapng, segment, tunnelled

import vxcsum
from vxcsum import PacketTable, VxcsumError
from vxcsum.cli.main import main
from vxcsum.tabular.export import TableFile, format_of

if TYPE_CHECKING:
    from pathlib import Path

pyarrow = pytest.importorskip("pyarrow")
A, B = address("10.244.1.5"), address("10.244.2.5")
NODE_A, NODE_B = address("172.31.7.11"), address("172.31.7.12")


def frame(n: int) -> Frame:
    inner = ipv4(segment(TCP, A, B, bytes(n % 7), sport=3000 + n % 1000), TCP, A, B)
    return Frame(framed(tunnelled(inner, NODE_A, NODE_B, value=0xFFFF * (n % 2))))


CAPTURE = pcap([frame(n) for n in range(50)])


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def read_file(path: Path) -> Any:
    if path.suffix == ".parquet":
        return pytest.importorskip("pyarrow.parquet").read_table(path)
    return pyarrow.ipc.open_file(path.read_bytes()).read_all()


@pytest.mark.parametrize("ending", [".parquet", ".arrow", ".feather"])
def test_a_file_is_the_table(tmp_path: Path, ending: str) -> None:
    capture, out = tmp_path / "a.pcap", tmp_path / f"packets{ending}"
    capture.write_bytes(CAPTURE)
    assert run("analyze", "--packets", out, capture).exit_code == 1
    expected = vxcsum.read_packets(capture).to_arrow()
    assert read_file(out).schema.equals(expected.schema)
    assert read_file(out).equals(expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pcap", out.name]


@pytest.mark.parametrize("ending", [".parquet", ".arrow"])
def test_polars_pandas_and_duckdb_read_the_files(tmp_path: Path, ending: str) -> None:
    polars, pandas, duckdb = map(pytest.importorskip, ("polars", "pandas", "duckdb"))
    capture, out = tmp_path / "a.pcap", tmp_path / f"packets{ending}"
    capture.write_bytes(CAPTURE)
    run("analyze", "-q", "--packets", out, capture)
    expected = vxcsum.read_packets(capture).to_arrow().to_pydict()
    reader = polars.read_parquet if ending == ".parquet" else polars.read_ipc
    assert reader(out).to_dict(as_series=False) == expected
    if ending == ".parquet":
        frame = pandas.read_parquet(out)
        assert frame["inner_src"].tolist() == expected["inner_src"]
        query = f"select inner_sport from '{out}' where outer_udp_status = 'invalid'"
        assert [row[0] for row in duckdb.sql(query).fetchall()] == [
            port
            for port, status in zip(
                expected["inner_sport"], expected["outer_udp_status"], strict=True
            )
            if status == "invalid"
        ]


def test_csv_has_the_same_columns_as_text(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    capture, out = tmp_path / "a.pcap", tmp_path / "packets.CSV"
    capture.write_bytes(CAPTURE)
    run("analyze", "-q", "--packets", out, capture)
    expected = vxcsum.read_packets(capture).to_arrow()
    found = polars.read_csv(out, infer_schema_length=None)
    assert found.columns == expected.schema.names
    assert found["timestamp"][1] == "2023-11-14 22:13:20.001000000Z"
    for name in ("outer_src", "outer_udp_status", "inner_sport", "plain_tcp_status", "vlan"):
        assert found[name].to_list() == expected[name].to_pylist()


def test_report_and_table_come_from_one_reading(tmp_path: Path) -> None:
    pipe, out = tmp_path / "pipe", tmp_path / "packets.parquet"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(CAPTURE,))
    writer.start()  # what a pipe gives can be read once
    result = run("analyze", "--format", "json", "--packets", out, pipe)
    writer.join()
    assert json.loads(result.stdout)["frames"]["total"] == read_file(out).num_rows == 50


def test_several_captures_are_one_table(tmp_path: Path) -> None:
    for name in ("a.pcap", "b.pcap"):
        (tmp_path / name).write_bytes(CAPTURE)
    (tmp_path / "c.pcapng").write_bytes(pcapng([frame(3)]))
    out = tmp_path / "out.arrow"
    run("analyze", "-q", "--packets", out, *sorted(tmp_path.glob("*.pcap*")))
    table = read_file(out)
    assert table["capture"].to_pylist() == [0] * 50 + [1] * 50 + [2]
    assert table["frame_number"].to_pylist() == [*range(1, 51), *range(1, 51), 1]


@pytest.mark.parametrize("format_", ["parquet", "arrow", "csv"])
def test_many_small_tables_are_written_as_few_large_parts(format_: str) -> None:
    file = io.BytesIO()
    tables = [vxcsum.read_packets(CAPTURE)] * 30
    with TableFile(file, format_, PacketTable.conversion(tables[0])) as out:
        for table in tables:
            out.write(table)
    if format_ == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet").ParquetFile(io.BytesIO(file.getvalue()))
        assert (parquet.num_row_groups, parquet.metadata.num_rows) == (1, 1500)
    elif format_ == "arrow":
        reader = pyarrow.ipc.open_file(file.getvalue())
        assert (reader.num_record_batches, reader.read_all().num_rows) == (1, 1500)
    else:
        assert file.getvalue().count(b"\n") == 1501


def test_a_capture_of_many_blocks_is_written_block_by_block(tmp_path: Path) -> None:
    capture, out = tmp_path / "a.pcap", tmp_path / "out.parquet"
    head, records = CAPTURE[:24], CAPTURE[24:]
    capture.write_bytes(head + records * 2800)  # 140,000 frames
    run("analyze", "-q", "--packets", out, capture)
    parquet = pytest.importorskip("pyarrow.parquet").ParquetFile(out)
    assert parquet.num_row_groups >= 2
    numbers = parquet.read(["frame_number"])["frame_number"].to_numpy()
    assert (numbers == range(1, 140_001)).all()


def test_an_empty_capture_is_a_table_without_rows(tmp_path: Path) -> None:
    capture, out = tmp_path / "a.pcap", tmp_path / "out.parquet"
    capture.write_bytes(CAPTURE[:24])
    assert run("analyze", "--packets", out, capture).exit_code == 0
    assert read_file(out).num_rows == 0
    assert read_file(out).schema.names == list(PacketTable.FIELDS)


# Whole or not at all


@pytest.mark.parametrize("capture", ["no capture", None])
def test_no_table_appears_where_nothing_can_be_read(tmp_path: Path, capture: str | None) -> None:
    path, out = tmp_path / "a.pcap", tmp_path / "out.csv"
    if capture is not None:
        path.write_text(capture)
    result = run("analyze", "--packets", out, path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert not out.exists()
    assert not list(tmp_path.glob(".vxcsum*"))


def test_an_old_table_stays_until_the_new_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture, out = tmp_path / "a.pcap", tmp_path / "out.csv"
    capture.write_bytes(CAPTURE)
    out.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(TableFile, "_flush", fail)
    result = run("analyze", "--packets", out, capture)
    assert result.exit_code == 2
    assert "No space left" in result.stderr
    assert out.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pcap", "out.csv"]


@pytest.mark.parametrize("name", ["packets", "packets.txt", "packets.parquet.gz", "-"])
def test_an_ending_that_is_no_format_is_told_before_the_work(tmp_path: Path, name: str) -> None:
    result = run("analyze", "--packets", tmp_path / name, tmp_path / "absent.pcap")
    assert result.exit_code == 2
    assert "wanted a name that ends in .parquet, .arrow" in result.stderr
    with pytest.raises(VxcsumError):
        format_of(name)


def test_a_table_replaces_neither_a_capture_nor_the_report(tmp_path: Path) -> None:
    capture = tmp_path / "a.csv"
    capture.write_bytes(CAPTURE)
    assert "one of the captures" in run("analyze", "--packets", capture, capture).stderr
    assert capture.read_bytes() == CAPTURE
    out = tmp_path / "out.csv"
    result = run("analyze", "--packets", out, "--output", tmp_path / "." / "out.csv", capture)
    assert result.exit_code == 2
    assert "the same file" in result.stderr


def test_without_pyarrow_the_install_line_is_told(tmp_path: Path) -> None:
    capture = tmp_path / "a.pcap"
    capture.write_bytes(CAPTURE)
    code = (
        "import sys; sys.modules['pyarrow'] = None; from vxcsum.cli.main import main; "
        f"main(['analyze', '--packets', {str(tmp_path / 'o.csv')!r}, {str(capture)!r}])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 2
    assert 'pip install "vxcsum[tables]"' in result.stderr
    assert "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.pcap"]
