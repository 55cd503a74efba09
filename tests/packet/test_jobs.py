"""Threads: whatever their number, the tables are the same, and none is left behind."""

from __future__ import annotations

import threading
import warnings
from typing import TYPE_CHECKING

import pytest
from support import (
    RIGHT,
    TCP,
    UDP,
    Frame,
    address,
    fragments_of,
    framed,
    ipv4,
    pcap,
    plain,
    same_table,
    segment,
    tunnelled,
)

from vxcsum.checksum.table import concatenate
from vxcsum.errors import TruncatedCaptureWarning
from vxcsum.packet import batch
from vxcsum.pipeline import Reading

if TYPE_CHECKING:
    from pathlib import Path

    from vxcsum.checksum.table import PacketTable
    from vxcsum.pipeline import CaptureInfo

A, B = address("10.0.0.1"), address("10.0.0.2")
NODE_A, NODE_B = address("172.31.7.11"), address("172.31.7.12")


def frames() -> list[Frame]:
    """Tunnelled segments, and datagrams whose fragments lie in several tables."""
    built = []
    for number in range(300):
        inner = ipv4(segment(TCP, A, B, bytes(number), seq=number), TCP, A, B)
        value = RIGHT if number % 3 else 0x1234
        built.append(plain(tunnelled(inner, NODE_A, NODE_B, sport=40000 + number, value=value)))
    whole = ipv4(segment(UDP, A, B, bytes(range(200))), UDP, A, B)
    for number, piece in enumerate(fragments_of(whole, [5, 9])):
        built.insert(70 + 40 * number, Frame(framed(piece)))
    return built


CAPTURE = pcap(frames())
CAPTURES = {
    "whole": CAPTURE,
    "one table": CAPTURE[: 24 + 3000],
    "cut short": CAPTURE[:-7],
    "damaged": CAPTURE[:-5000] + b"\xff" * 5000,
    "no frames": CAPTURE[:24],
}


def tables_of(path: Path, engine: str, jobs: int) -> tuple[list[PacketTable], list[CaptureInfo]]:
    reading = Reading(path, engine=engine, jobs=jobs, block_octets=4096)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TruncatedCaptureWarning)
        return list(reading.tables()), reading.captures


@pytest.mark.parametrize("name", CAPTURES)
def test_the_number_of_threads_makes_no_difference(
    name: str, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "TABLE_ROWS", 50)
    path = tmp_path / "a.pcap"
    path.write_bytes(CAPTURES[name])
    expected, captures = tables_of(path, engine, 1)
    assert (len(expected) > 3) is (name in ("whole", "cut short", "damaged"))
    for jobs in (2, 3, 5):
        tables, again = tables_of(path, engine, jobs)
        assert again == captures
        assert [len(table) for table in tables] == [len(table) for table in expected]
        same_table(concatenate(tables), concatenate(expected))


def test_tables_that_nobody_asks_for_leave_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "TABLE_ROWS", 50)
    path = tmp_path / "a.pcap"
    path.write_bytes(CAPTURE)
    before = set(threading.enumerate())
    tables = Reading(path, engine="numpy", jobs=2, block_octets=4096).tables()
    assert len(next(tables)) > 0
    assert set(threading.enumerate()) > before
    tables.close()  # type: ignore[attr-defined]
    assert set(threading.enumerate()) == before
