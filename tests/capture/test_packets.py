"""Packets of scapy and dpkt as sources: the same tables as of the capture they came from."""

from __future__ import annotations

import io
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import CAPTURES
from support import (
    ETHERNET,
    SLL,
    SLL2,
    TCP,
    Frame,
    address,
    framed,
    ipv4,
    ipv6,
    pcap,
    plain,
    same_table,
    segment,
    tunnelled,
)

import vxcsum
from vxcsum import CaptureError

if TYPE_CHECKING:
    from pathlib import Path

A, B = address("10.244.1.5"), address("10.244.2.5")
TUNNEL = tunnelled(ipv4(segment(TCP, A, B, b"abc"), TCP, A, B), A, B, value=0xFFFF)
OCTETS = framed(TUNNEL)
KERNEL = CAPTURES / "kernel/u61bug-k8s-clusterip-norehash.snd.pcap"


@pytest.fixture(scope="module")
def scapy() -> Any:
    return pytest.importorskip("scapy.all")


@pytest.fixture(scope="module")
def dpkt() -> Any:
    return pytest.importorskip("dpkt")


def test_packets_of_scapy_are_a_source_in_any_bundle(scapy: Any) -> None:
    expected = vxcsum.read_packets(KERNEL)
    packets = scapy.rdpcap(str(KERNEL))
    for source in (packets, list(packets), tuple(packets), (p for p in packets)):
        same_table(vxcsum.read_packets(source), expected)
    with scapy.PcapReader(str(KERNEL)) as reader:
        same_table(vxcsum.read_packets(reader), expected)
    same_table(vxcsum.read_packets([packets[:10], packets[10:]])[:10], expected[:10])
    assert vxcsum.analyze(packets).to_dict()["findings"][0]["rule"] == "VX101"


def test_buffers_of_dpkt_are_a_source(dpkt: Any) -> None:
    expected = vxcsum.read_packets(KERNEL)
    with KERNEL.open("rb") as file:
        pairs = list(dpkt.pcap.Reader(file))
    for source in (pairs, tuple(pairs), iter(pairs), [list(pair) for pair in pairs]):
        same_table(vxcsum.read_packets(source), expected)
    with KERNEL.open("rb") as file:
        same_table(vxcsum.read_packets(dpkt.pcap.Reader(file)), expected)


@pytest.mark.parametrize("linktype", [ETHERNET, SLL, SLL2])
def test_a_reader_of_dpkt_tells_the_link_type(dpkt: Any, linktype: int) -> None:
    capture = pcap([plain(TUNNEL, linktype)])
    found = vxcsum.read_packets(dpkt.pcap.Reader(io.BytesIO(capture)))
    same_table(found, vxcsum.read_packets(capture))
    assert found["linktype"].tolist() == [linktype]


def test_the_layer_a_packet_of_scapy_begins_with_is_its_link_type(scapy: Any) -> None:
    six = ipv6(
        segment(TCP, address("fd00::1"), address("fd00::2")),
        TCP,
        *map(address, ("fd00::1", "fd00::2")),
    )
    packets = [
        scapy.Ether(OCTETS),
        scapy.IP(TUNNEL),
        scapy.IPv6(six),
        scapy.CookedLinux(framed(TUNNEL, SLL)),
        scapy.CookedLinuxV2(framed(TUNNEL, SLL2)),
    ]
    table = vxcsum.read_packets(packets)
    assert table["kind"].tolist() == [2, 2, 1, 2, 2]
    assert table["interface"].tolist() == [0, 1, 2, 3, 4]
    assert table["plain_tcp_status"].tolist() == [0, 0, vxcsum.Status.VALID, 0, 0]
    assert (table["outer_udp_status"] == vxcsum.Status.INVALID).tolist() == [1, 1, 0, 1, 1]


def test_one_packet_made_with_scapy_is_a_source(scapy: Any) -> None:
    packet = scapy.Ether() / scapy.IP(src="10.0.0.1", dst="10.0.0.2") / scapy.UDP(dport=53) / b"x"
    assert vxcsum.analyze(packet).layers["plain_udp"]["valid"] == 1
    packet[scapy.UDP].chksum = 0x1234
    assert vxcsum.analyze(packet).layers["plain_udp"]["invalid"] == 1


def test_time_length_interface_and_direction_are_kept(scapy: Any) -> None:
    packets = [scapy.Ether(OCTETS) for _ in range(3)]
    packets[0].time = Decimal("1700000000.123456789")
    packets[1].time = 1700000000.25
    packets[1].wirelen = 1500
    packets[1].sniffed_on = "eth7"
    packets[2].time = 1700000001
    packets[2].direction = 2
    table = vxcsum.read_packets(packets)
    assert table["timestamp"].astype(np.int64).tolist() == [
        1700000000123456789,
        1700000000250000000,
        1700000001000000000,
    ]
    assert table["origlen"].tolist() == [len(OCTETS), 1500, len(OCTETS)]
    assert table["caplen"].tolist() == [len(OCTETS)] * 3
    assert table["interface"].tolist() == [0, 1, 0]
    assert table["direction"].tolist() == [0, 0, 2]


@pytest.mark.parametrize("microseconds", [1, 123456, 249999, 999999])
def test_a_float_means_the_number_it_was_written_as(microseconds: int) -> None:
    seconds = float(f"1700000000.{microseconds:06}")
    for time in (seconds, np.float64(seconds), Decimal(f"1700000000.{microseconds:06}")):
        found = vxcsum.read_packets([(time, OCTETS)])["timestamp"].astype(np.int64)
        assert found.tolist() == [1700000000_000000000 + microseconds * 1000]


def test_octets_may_be_in_any_buffer() -> None:
    buffers = [OCTETS, bytearray(OCTETS), memoryview(OCTETS)]
    table = vxcsum.read_packets([(0, each) for each in buffers])
    assert (table["outer_udp_status"] == vxcsum.Status.INVALID).all()


def test_no_packets_are_an_empty_capture(scapy: Any) -> None:
    for source in (scapy.PacketList([]), iter([])):
        report = vxcsum.analyze(source)
        assert report.frames["total"] == 0
        assert [info.name for info in report.captures] == ["<packets>"]


def test_a_stream_of_packets_is_not_gathered_first() -> None:
    given = 0

    def packets() -> Any:
        nonlocal given
        for n in range(200_000):
            given = n
            yield n, OCTETS

    first = next(vxcsum.iter_packets(packets(), jobs=1))
    assert len(first) < 200_000
    assert given < 199_999


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ([(1, b"x"), 3], "packet 2 is a int"),
        ([(1, b"x"), ("1", b"x")], "packet 2 is a tuple"),
        ({"a": 1}, "packet 1 is a str"),
        ([(-1, b"x")], "has the time -1"),
        ([(float("nan"), b"x")], "has the time nan"),
        ([(float("inf"), b"x")], "has the time inf"),
        ([(10**30, b"x")], "wanted seconds since 1970"),
        ([(None, b"x")], "has the time None"),
    ],
)
def test_what_is_no_packet_is_told_with_its_place(source: Any, said: str) -> None:
    with pytest.raises(CaptureError, match=said):
        vxcsum.read_packets(source)


def test_what_scapy_cannot_build_and_what_has_no_link_layer_is_told(scapy: Any) -> None:
    with pytest.raises(CaptureError, match="packet 1 begins with Raw"):
        vxcsum.read_packets([scapy.Raw(b"x")])
    with pytest.raises(CaptureError, match=r"packet 2 \(IP\) cannot be built"):
        vxcsum.read_packets([scapy.IP(), scapy.IP(ttl="x")])


def test_packets_that_fail_in_the_middle_are_read_up_to_there() -> None:
    def packets() -> Any:
        yield 1, OCTETS
        raise ValueError("the wire broke")

    with pytest.warns(vxcsum.TruncatedCaptureWarning, match="the wire broke"):
        table = vxcsum.read_packets(packets())
    assert len(table) == 1


def test_scapy_is_not_imported_for_buffers(tmp_path: Path) -> None:
    code = "import sys, vxcsum; vxcsum.analyze([(1.5, b'x' * 60)]); print('scapy' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout == "False\n"


def test_every_capture_here_is_the_same_through_scapy(scapy: Any) -> None:
    """All but those whose interfaces scapy tells apart by name alone, and one that is cut short."""
    compared = 0
    whole = [path for path in sorted(CAPTURES.rglob("*.pcap")) if path.stem != "vx909"]
    for path in whole[::9]:
        packets = scapy.rdpcap(str(path))
        expected = vxcsum.read_packets(path)
        same_table(vxcsum.read_packets(packets), expected)
        compared += len(expected)
    assert compared > 100


def test_the_frames_of_a_list_are_those_of_a_pcap() -> None:
    frames = [Frame(OCTETS), Frame(OCTETS[:60])]
    expected = vxcsum.read_packets(pcap(frames))
    found = vxcsum.read_packets(
        [(1_700_000_000 + n / 1000, f.octets) for n, f in enumerate(frames)]
    )
    same_table(found, expected)
