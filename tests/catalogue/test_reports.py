"""Values that users published (fact sheet, section 9), in frames built to have them.

Only the fields are public. The inner source address of the Ethernet header, which no inner
checksum covers, takes what makes the outer one come out as reported.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from support import problems

from vxcsum import Status, analyze, read_packets
from vxcsum.synth.build import capture_of
from vxcsum.synth.packet import SYN, UDP, Packet, datagram, inner_packet, ip, outer_of, vxlan
from vxcsum.synth.sums import constant, ones_sum, partial, pseudo_header, right
from vxcsum.synth.traffic import Traffic

VECTORS = json.loads(
    (Path(__file__).resolve().parents[1] / "rules" / "vectors.json").read_text("utf-8")
)


def with_expected(p: Packet, expected: int) -> Packet:
    """Choose the inner source MAC so that the right outer checksum is as wanted."""
    q = p.but(mac=p.mac[:4] + bytes(2), outer=right)
    word = (outer_of(q) - expected) % 0xFFFF
    q = q.but(mac=p.mac[:4] + struct.pack(">H", word))
    assert (outer_of(q) - expected) % 0xFFFF == 0
    return q


def traffic(src: str, dst: str, port: int, **more: Any) -> Traffic:
    return Traffic(1, nodes=(src, dst), dport=port, **more)


def syns(t: Traffic, sport: int, found: int, expected: int, count: int) -> list[Packet]:
    return [
        with_expected(p.but(sport=sport), expected).but(outer=constant(found))
        for p in t.syns(count)
    ]


@pytest.mark.parametrize(
    ("src", "dst", "port", "sport", "expected", "count"),
    [
        ("10.0.0.11", "10.0.0.12", 4789, 26898, 0x76DC, 2),  # projectcalico/calico #3145
        ("10.0.0.11", "10.0.0.13", 8472, 60142, 0x4B80, 6),  # the article on 63 seconds
    ],
)
def test_ffff_in_a_tunnel_without_checksums_is_vx101(
    src: str, dst: str, port: int, sport: int, expected: int, count: int, engine: str
) -> None:
    t = traffic(src, dst, port, outer=constant(0))
    t.ping(2)
    pings = list(t.packets)
    packets = [*pings, *syns(t, sport, 0xFFFF, expected, count)]
    report = analyze(capture_of(packets)[0], engine=engine)
    (finding,) = problems(report)
    assert (finding.code, finding.frames) == ("VX101", count)
    assert finding.evidence["found"] == "0xffff"
    assert finding.evidence["expected"] == f"0x{expected:04x}"


@pytest.mark.parametrize(
    ("src", "dst", "port", "sport", "found", "expected", "old"),
    [
        ("10.0.10.14", "10.0.10.10", 4789, 7103, 0xBD67, 0x4E7F, 44246),  # calico #4865
        ("192.3.59.220", "192.3.59.221", 8472, 25362, 0xD2AE, 0x245B, 46270),  # t.du9l.com
    ],
)
def test_a_stale_checksum_beside_right_pings_is_vx102(
    src: str, dst: str, port: int, sport: int, found: int, expected: int, old: int, engine: str
) -> None:
    t = traffic(src, dst, port)
    t.ping(3)
    pings = list(t.packets)
    report = analyze(capture_of([*pings, *syns(t, sport, found, expected, 3)])[0], engine=engine)
    (finding,) = problems(report)
    assert (finding.code, finding.frames) == ("VX102", 3)
    assert finding.evidence["residual"] == f"0x{(found - expected) % 0xFFFF:04x}"
    assert finding.evidence["pre_nat_source_port"] == old
    assert finding.confidence.value == "possible"  # one SYN, however often


def test_the_value_of_freifunk_is_the_sum_of_its_pseudo_header() -> None:
    ends = ip("192.168.200.3"), ip("217.197.83.193")
    sums = {ones_sum(pseudo_header(*ends, protocol, 116)) for protocol in (6, 17)}
    assert 0xB6B8 in sums


def test_the_cloudstack_frame_is_an_artefact(engine: str) -> None:
    """Inner partial, outer right once the inner is finished: the same residual in both."""
    t = Traffic(2)
    p = t.tcp(40000, 443, SYN).but(inner=partial)
    value = outer_of(p.but(inner=right))
    table = read_packets(capture_of([p.but(outer=constant(value))])[0], engine=engine)
    assert table["outer_udp_status"].tolist() == [Status.PARTIAL]
    assert (table["outer_udp_residual"] == table["inner_l4_residual"]).all()
    assert (0xD06D - 0xFE83) % 0xFFFF == 0xD1E9


def test_the_value_of_flannel_1863_is_an_unfinished_outer_checksum(engine: str) -> None:
    """0xa7b8 where 0x1f23 is right, with inner ICMP: addresses chosen so that it is S(PH)."""
    t = traffic("10.0.0.5", "10.0.0.6", 8472)
    t.ping(1, size=56, answered=False)
    (p,) = t.packets
    length = len(datagram(p, vxlan(p, inner_packet(p))))
    word = (0xA7B8 - ones_sum(pseudo_header(ip("10.0.0.5"), ip("10.0.0.0"), UDP, length))) % 0xFFFF
    p = p.but(node_dst=ip("10.0.0.0")[:2] + struct.pack(">H", word))
    p = with_expected(p, 0x1F23).but(outer=partial)
    assert outer_of(p) == 0xA7B8
    report = analyze(capture_of([p])[0], engine=engine)
    assert [(f.code, f.severity.name) for f in report.findings] == [("VX203", "INFO")]


@pytest.mark.parametrize("vector", [pytest.param(v, id=v["name"]) for v in VECTORS])
def test_frames_of_the_fact_sheet_as_captures(vector: dict[str, Any], engine: str) -> None:
    """One frame is one observation: nothing is confirmed by it."""
    octets = bytes.fromhex(vector["frame_hex"])
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
    record = struct.pack("<IIII", 1_700_000_000, 0, len(octets), len(octets))
    report = analyze(head + record + octets, engine=engine)
    allowed = {
        "lco-nat-port": {"VX102", "VX600"},
        "lco-nat-addr": {"VX102", "VX600"},
        "zero-partial-same": {"VX101"},
        "zero-partial-addr": {"VX101", "VX600"},
        "zero-rfc1624-addr-icmp": {"VX103", "VX600"},
        "tx-artefact-plus-nat": {"VX102", "VX600"},
    }
    errors = {f.code for f in report.findings if f.severity.name == "ERROR"}
    assert errors <= allowed.get(vector["name"], set())
    assert bool(errors) == (vector["name"] in allowed)
    for finding in report.findings:
        if finding.code in ("VX101", "VX102", "VX103"):
            assert finding.confidence.value == "possible"
