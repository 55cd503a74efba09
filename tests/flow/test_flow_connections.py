"""What is told of connections: ends, handshakes, octets, repetitions, states."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from support import PARTIAL, TCP, UDP, address, ethernet, ipv4, segment, tunnelled

from vxcsum import analyze, iter_packets
from vxcsum.cli.main import main
from vxcsum.flow.connections import Connections
from vxcsum.flow.table import FlowState, FlowTable
from vxcsum.pipeline import Reading
from vxcsum.tabular.words import address_text

if TYPE_CHECKING:
    from pathlib import Path

CLIENT, SERVER = address("10.244.1.5"), address("10.244.2.9")
NODES = address("172.31.7.11"), address("172.31.7.12")
SYN, SYN_ACK, ACK, PUSH, FIN, RST = 0x02, 0x12, 0x10, 0x18, 0x11, 0x14
START = 1_763_860_000 * 10**9

Timed = tuple[float, bytes]


def tcp(
    at: float,
    flags: int,
    *,
    seq: int = 100,
    payload: int = 0,
    back: bool = False,
    sport: int = 40000,
    value: str | int = "right",
    outer: str | int = "zero",
    outer_port: int = 50000,
    plain: bool = False,
) -> Timed:
    src, dst = (SERVER, CLIENT) if back else (CLIENT, SERVER)
    ports = {"sport": 80, "dport": sport} if back else {"sport": sport, "dport": 80}
    data = segment(TCP, src, dst, bytes(payload), seq=seq, flags=flags, value=value, **ports)
    inner = ipv4(data, TCP, src, dst)
    if plain:
        return at, ethernet(inner)
    nodes = NODES[::-1] if back else NODES
    return at, ethernet(tunnelled(inner, *nodes, sport=outer_port, value=outer))


def capture(frames: list[Timed]) -> bytes:
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1)]
    for at, octets in frames:
        second, rest = divmod(START + round(at * 1e9), 10**9)
        out += [struct.pack("<IIII", second, rest, len(octets), len(octets)), octets]
    return b"".join(out)


def flows_of(frames: list[Timed], engine: str) -> FlowTable:
    return analyze(capture(frames), engine=engine).flows


def handshake(at: float = 0.0, **more: Any) -> list[Timed]:
    return [
        tcp(at, SYN, **more),
        tcp(at + 0.001, SYN_ACK, seq=900, back=True, **more),
        tcp(at + 0.002, ACK, seq=101, **more),
    ]


def seconds(duration: Any) -> float:
    return float(duration / np.timedelta64(1, "s"))


def test_a_connection_has_its_ends_nodes_and_times(engine: str) -> None:
    frames = [*handshake(), tcp(0.5, PUSH, seq=101, payload=7)]
    frames += [tcp(1.0, FIN, seq=108), tcp(1.5, FIN, seq=901, back=True)]
    flows = flows_of(frames, engine)
    assert len(flows) == 1
    one = {name: flows[name][0] for name in flows}
    assert (address_text(one["client"]), one["client_port"]) == ("10.244.1.5", 40000)
    assert (address_text(one["server"]), one["server_port"]) == ("10.244.2.9", 80)
    assert address_text(one["client_node"]) == "172.31.7.11"
    assert address_text(one["server_node"]) == "172.31.7.12"
    assert one["state"] == FlowState.CLOSED
    assert one["delay_seconds"] == pytest.approx(0.002)
    assert one["round_trip_seconds"] == pytest.approx(0.002)
    assert seconds(one["last_timestamp"] - one["first_timestamp"]) == pytest.approx(1.5)
    assert (one["client_frames"], one["server_frames"]) == (4, 2)
    assert (one["client_octets"], one["server_octets"]) == (7, 0)
    assert one["vni"] == 1
    assert np.isnan(one["client_goodput"])  # one data frame lasts no time


@pytest.mark.parametrize(
    ("frames", "state"),
    [
        ([tcp(0, SYN), tcp(1, SYN)], FlowState.UNANSWERED),
        ([tcp(0, SYN), tcp(0.1, SYN_ACK, back=True)], FlowState.ANSWERED),
        ([tcp(0, SYN), tcp(0.1, RST, back=True)], FlowState.REFUSED),
        ([tcp(0, SYN), tcp(0.1, SYN_ACK, back=True), tcp(0.2, 0x04)], FlowState.REFUSED),
        (handshake(), FlowState.ESTABLISHED),
        ([*handshake(), tcp(1, RST)], FlowState.RESET),
        ([*handshake(), tcp(1, FIN), tcp(1, FIN, back=True), tcp(2, RST)], FlowState.CLOSED),
        ([tcp(0, ACK)], FlowState.SEEN),
    ],
)
def test_how_far_a_connection_came(frames: list[Timed], state: FlowState, engine: str) -> None:
    assert FlowState(flows_of(frames, engine)["state"][0]) == state


def test_who_answers_is_the_server_also_where_the_syn_is_missing(engine: str) -> None:
    answered = flows_of([tcp(0, SYN_ACK, back=True), tcp(0.1, ACK)], engine)
    assert address_text(answered["client"][0]) == "10.244.1.5"
    middle = flows_of([tcp(0, PUSH, back=True, payload=9), tcp(0.1, ACK)], engine)
    assert middle["server_port"].tolist() == [80]
    assert middle["server_octets"].tolist() == [9]


def test_the_same_ends_again_are_another_connection(engine: str) -> None:
    frames = [*handshake(), tcp(0.1, PUSH, seq=101, payload=5)]
    frames += [tcp(9, SYN, seq=7777), tcp(9.001, SYN_ACK, back=True), tcp(9.002, ACK, seq=7778)]
    flows = flows_of(frames, engine)
    assert len(flows) == 2
    assert flows["client_octets"].tolist() == [5, 0]
    assert flows["delay_seconds"].tolist() == pytest.approx([0.002, 0.002])


def test_tunnels_and_interfaces_are_kept_apart(engine: str) -> None:
    frames = [tcp(0, SYN), tcp(0.0001, SYN, plain=True)]
    flows = flows_of(frames, engine)
    assert flows["kind"].tolist() == [2, 1]
    assert flows["syns"].tolist() == [1, 1]


def test_a_copy_of_a_syn_is_no_repetition(engine: str) -> None:
    frames = [tcp(0, SYN), tcp(0.00002, SYN), tcp(1.0, SYN), tcp(1.00001, SYN)]
    assert flows_of(frames, engine)["syns"].tolist() == [2]


def test_udp_is_counted_without_a_handshake(engine: str) -> None:
    data = segment(UDP, CLIENT, SERVER, bytes(30), sport=5353, dport=53)
    octets = ethernet(tunnelled(ipv4(data, UDP, CLIENT, SERVER), *NODES))
    flows = flows_of([(0, octets), (1, octets)], engine)
    assert flows["protocol"].tolist() == [17]
    assert flows["client_octets"].tolist() == [60]
    assert np.isnan(flows["delay_seconds"]).all()


def test_checksums_are_counted_by_end(engine: str) -> None:
    frames = [tcp(0, PUSH, seq=1, payload=9, value=PARTIAL), tcp(1, PUSH, seq=10, payload=9)]
    frames += [tcp(2, PUSH, seq=19, payload=9, value=1), tcp(3, ACK, back=True, outer=5)]
    flows = flows_of(frames, engine)
    names = ("partial", "valid", "invalid", "outer_invalid")
    assert [int(flows[f"client_{name}"][0]) for name in names] == [1, 1, 1, 0]
    assert [int(flows[f"server_{name}"][0]) for name in names] == [0, 1, 0, 1]


def test_repetitions_are_counted_once_in_goodput(engine: str) -> None:
    sent = [(0, 1000), (1000, 1000), (1000, 1000), (2000, 1000), (2500, 1000)]
    frames = [
        tcp(0.1 * place, PUSH, seq=101 + seq, payload=size)
        for place, (seq, size) in enumerate(sent)
    ]
    flows = flows_of([*handshake(-1), *frames], engine)
    assert flows["client_octets"].tolist() == [5000]
    assert flows["client_repeated_octets"].tolist() == [1500]
    assert flows["client_retransmissions"].tolist() == [2]
    assert flows["client_goodput"][0] == pytest.approx(3500 * 8 / 0.4)


def test_what_fills_a_gap_is_late_and_not_repeated(engine: str) -> None:
    sent = [(0, 100), (200, 100), (100, 100), (300, 100)]
    frames = [tcp(place, PUSH, seq=2**32 - 150 + seq & 0xFFFFFFFF, payload=size)
              for place, (seq, size) in enumerate(sent)]  # fmt: skip
    flows = flows_of(frames, engine)
    assert flows["client_repeated_octets"].tolist() == [0]
    assert flows["client_late_frames"].tolist() == [1]
    assert flows["client_missing_octets"].tolist() == [0]


def test_what_the_capture_lost_for_good_is_not_filled_by_repetitions(engine: str) -> None:
    sent = [(0, 100), (10_000, 100), (10_100, 100), (10_300, 100), (10_000, 100), (10_200, 100)]
    frames = [tcp(n, PUSH, seq=101 + seq, payload=size) for n, (seq, size) in enumerate(sent)]
    flows = flows_of([*handshake(-1), *frames], engine)
    assert flows["client_repeated_octets"].tolist() == [100]
    assert flows["client_retransmissions"].tolist() == [1]
    assert flows["client_late_frames"].tolist() == [1]
    assert flows["client_missing_octets"].tolist() == [9900]


def test_of_many_holes_the_closest_become_one(engine: str) -> None:
    sent = [(0, 10), (1000, 10), (1020, 10), (1040, 10), (9000, 10)]  # four holes
    late = [(500, 10), (1010, 10), (1030, 10), (5000, 10)]
    frames = [tcp(n, PUSH, seq=101 + s, payload=size) for n, (s, size) in enumerate(sent + late)]
    flows = flows_of([*handshake(-1), *frames], engine)
    assert flows["client_repeated_octets"].tolist() == [0]
    assert flows["client_late_frames"].tolist() == [4]


def test_the_first_segment_may_come_late(engine: str) -> None:
    frames = [tcp(1, PUSH, seq=201, payload=100), tcp(2, PUSH, seq=101, payload=100)]
    flows = flows_of([*handshake(), *frames], engine)
    assert flows["client_repeated_octets"].tolist() == [0]
    assert flows["client_late_frames"].tolist() == [1]


def test_asking_whether_the_other_end_is_there_is_no_repetition(engine: str) -> None:
    frames = [
        tcp(1, PUSH, seq=101, payload=100),
        *(tcp(n, ACK, seq=200, payload=1) for n in (2, 3)),
    ]
    flows = flows_of([*handshake(), *frames], engine)
    assert flows["client_retransmissions"].tolist() == [0]
    assert flows["client_repeated_octets"].tolist() == [2]


def test_what_no_receiver_accepts_neither_establishes_nor_resets(engine: str) -> None:
    lost = [tcp(0, SYN), tcp(0.1, SYN_ACK, back=True), tcp(0.2, ACK, seq=101, outer=0x1234)]
    assert FlowState(flows_of(lost, engine)["state"][0]) == FlowState.ANSWERED
    lost = [tcp(0, SYN), tcp(0.1, RST, back=True, outer=0x1234), tcp(1, SYN)]
    assert FlowState(flows_of(lost, engine)["state"][0]) == FlowState.ANSWERED


def test_octets_of_a_damaged_segment_are_not_tracked(engine: str) -> None:
    frames = [tcp(0, PUSH, seq=1, payload=10), tcp(1, PUSH, seq=900000, payload=10, value=1)]
    frames += [tcp(2, PUSH, seq=11, payload=10)]
    flows = flows_of(frames, engine)
    assert flows["client_missing_octets"].tolist() == [0]
    assert flows["client_repeated_octets"].tolist() == [0]
    assert flows["client_goodput"].tolist() == [20 * 8 / 2]  # what arrived


@st.composite
def deliveries(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Segments of a stream that arrives whole: some more than once, some out of order."""
    sizes = draw(st.lists(st.integers(1, 50), min_size=1, max_size=12))
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    once = list(zip(starts, sizes, strict=True))
    more = draw(st.lists(st.sampled_from(once), max_size=8))
    order = draw(st.permutations([*once[1:], *more]))
    return [once[0], *order]


@given(deliveries(), st.integers(0, 2**32 - 1))
def test_new_octets_of_a_whole_stream_are_its_length(
    segments: list[tuple[int, int]], first: int
) -> None:
    frames = [
        tcp(place, PUSH, seq=(first + start) % 2**32, payload=size)
        for place, (start, size) in enumerate(segments)
    ]
    flows = flows_of(frames, "auto")
    whole = len({octet for start, size in segments for octet in range(start, start + size)})
    assert flows["client_octets"][0] - flows["client_repeated_octets"][0] == whole
    assert flows["client_missing_octets"][0] == 0


def test_connections_beyond_the_bound_are_said(engine: str) -> None:
    frames = [frame for port in range(1000, 1010) for frame in handshake(sport=port)]
    connections = Connections(engine, bound=4)
    for table in iter_packets(capture(frames), engine=engine):
        connections.update(table)
    assert len(connections.table) == 4
    (said,) = connections.limits
    assert "only the first 4 connections were followed; 18 frames" in said


def test_merging_captures_is_taking_them_one_after_another(engine: str) -> None:
    first = capture([tcp(0, SYN), tcp(1, SYN), *handshake(3, sport=41000)])
    second = capture([tcp(0, SYN), tcp(1, SYN), tcp(3, SYN)])
    together = Connections(engine)
    parts = []
    for number, source in enumerate((first, second)):
        part = Connections(engine)
        for table in iter_packets(source, engine=engine):
            table["capture"][:] = number
            part.update(table)
            together.update(table)
        parts.append(part)
    empty = Connections(engine)
    for part in parts:
        empty.merge(part)
    empty.merge(Connections(engine))
    assert together.records.tobytes() == empty.records.tobytes()
    assert (together.syns == empty.syns).all()
    assert (together.segments == empty.segments).all()


@pytest.mark.parametrize(
    "name",
    ["h618-throughput-on.snd-s200", "u61bug-k8s-clusterip-norehash.any", "h618-tcp-offload-on.rcv"],
)
def test_neither_blocks_nor_threads_change_connections(
    name: str, project_captures: Path, engine: str
) -> None:
    path = project_captures / "kernel" / f"{name}.pcap"
    told = set()
    for more in ({}, {"jobs": 1}, {"jobs": 3, "block_octets": 1 << 14}, {"block_octets": 4096}):
        connections = Connections(engine)
        for table in Reading(path, engine=engine, **more).tables():
            for start in range(0, len(table), 100 if more else len(table)):
                connections.update(table[start : start + 100 if more else None])
        told.add((connections.records.tobytes(), connections.syns.tobytes()))
    assert len(told) == 1


def test_rows_of_a_table_are_tables(engine: str) -> None:
    flows = flows_of([*handshake(), *handshake(1, sport=41000)], engine)
    assert flows[1]["client_port"].tolist() == [41000]
    assert flows[flows["client_port"] == 40000]["client_port"].tolist() == [40000]
    assert "2 connections" in repr(flows)
    with pytest.raises(IndexError, match="row 2 is out of range"):
        flows[2]
    with pytest.raises(KeyError):
        flows["nothing"]


def test_connections_are_told_as_tables(engine: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    flows = flows_of([*handshake(), *handshake(1, sport=41000), tcp(2, SYN, plain=True)], engine)
    told = pyarrow.table(flows).to_pydict()
    assert told["client"] == ["10.244.1.5"] * 3
    assert told["client_node"] == ["172.31.7.11", "172.31.7.11", None]
    assert told["vni"] == [1, 1, None]
    assert told["state"] == ["established", "established", "unanswered"]
    assert told["delay_seconds"] == pytest.approx([0.002, 0.002, None])
    assert "<table" in flows._repr_html_()
    assert "10.244.1.5" in repr(flows)


@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow"])
def test_the_command_writes_the_table_of_connections(ending: str, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    source, out = tmp_path / "some.pcap", tmp_path / f"flows.{ending}"
    source.write_bytes(capture([*handshake(), *handshake(1, sport=41000)]))
    done = CliRunner().invoke(main, ["analyze", "--quiet", "--flows", str(out), str(source)])
    assert (done.exit_code, done.output) == (0, "")
    if ending == "csv":
        import pyarrow.csv

        table = pyarrow.csv.read_csv(out)
    elif ending == "parquet":
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(out)
    else:
        table = pyarrow.ipc.open_file(out).read_all()
    assert table["client_port"].to_pylist() == [40000, 41000]
    same = ["analyze", "--flows", str(out), "--packets", str(out), str(source)]
    assert CliRunner().invoke(main, same).exit_code == 2
