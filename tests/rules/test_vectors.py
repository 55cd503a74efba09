"""Frames of real kernels (fact sheet, section 9), each with its outer and inner truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import NAMES, diagnose, pcap, problems, read, reason, statuses

from vxcsum import Reason, Status
from vxcsum.packet.columns import Kind

VECTORS = json.loads(Path(__file__).with_name("vectors.json").read_text("utf-8"))
OUTER = {
    "lco-nat-port": Status.INVALID,
    "lco-nat-addr": Status.INVALID,
    "zero-partial-same": Status.INVALID,
    "zero-partial-addr": Status.INVALID,
    "zero-rfc1624-addr-icmp": Status.INVALID,
    "tx-artefact-lco": Status.PARTIAL,
    "tx-artefact-outer-partial-icmp": Status.PARTIAL,
    "tx-artefact-plus-nat": Status.INVALID,
    "clean-noudpcsum": Status.ZERO,
}
BY_NAME = pytest.mark.parametrize("vector", [pytest.param(v, id=v["name"]) for v in VECTORS])


@BY_NAME
def test_a_vector_has_the_outer_status_and_values_of_the_fact_sheet(
    vector: dict[str, Any], engine: str
) -> None:
    table = read(pcap([bytes.fromhex(vector["frame_hex"])]), engine=engine)
    assert table["kind"].tolist() == [Kind.VXLAN]
    assert statuses(table)["outer_udp"] == OUTER[vector["name"]]
    assert statuses(table)["outer_ipv4"] == Status.VALID
    told = vector["outer"]
    assert int(table["outer_udp_found"][0]) == int(told["found"], 16)
    assert int(table["outer_udp_pseudo"][0]) == int(told["pseudo"], 16)
    assert int(table["outer_udp_expected"][0]) == int(told["expected"], 16)
    assert int(table["outer_udp_residual"][0]) == int(told["residual"], 16)


@BY_NAME
def test_a_vector_has_the_inner_status_and_values_of_the_fact_sheet(
    vector: dict[str, Any], engine: str
) -> None:
    table = read(pcap([bytes.fromhex(vector["frame_hex"])]), engine=engine)
    layer = f"inner_{NAMES[vector['inner_proto']]}"
    told = vector.get("inner")
    if told is None:
        assert statuses(table)[layer] == Status.VALID
        return
    right = int(told["residual"], 16) == 0
    assert statuses(table)[layer] == (Status.VALID if right else Status.PARTIAL)
    for what in ("found", "expected", "pseudo", "residual"):
        assert int(table[f"{layer}_{what}"][0]) == int(told[what], 16), what


def test_the_artefact_vectors_say_which_kind_of_partial_they_are(engine: str) -> None:
    kinds = {}
    for vector in VECTORS:
        table = read(pcap([bytes.fromhex(vector["frame_hex"])]), engine=engine)
        kinds[vector["name"]] = reason(table, "outer_udp")
    assert kinds["tx-artefact-lco"] == Reason.LCO
    assert kinds["tx-artefact-outer-partial-icmp"] == Reason.NONE


@BY_NAME
def test_one_frame_is_no_proof_of_nat(vector: dict[str, Any]) -> None:
    report = diagnose(pcap([bytes.fromhex(vector["frame_hex"])]))
    wrong = OUTER[vector["name"]] == Status.INVALID
    assert bool(problems(report)) == wrong
    for finding in problems(report):
        if finding.code in ("VX101", "VX102"):
            assert finding.confidence.value == "possible"


@pytest.mark.parametrize(
    ("name", "code", "key", "value"),
    [
        ("lco-nat-port", "VX102", "pre_nat_source_port", 37000),
        ("tx-artefact-plus-nat", "VX102", "pre_nat_source_port", 54638),
        ("lco-nat-addr", "VX102", "pre_nat_source", "192.168.77.1"),
    ],
)
def test_a_residual_gives_what_nat_rewrote(name: str, code: str, key: str, value: object) -> None:
    """A vector with the ICMP contrast of its capture: one frame alone proves nothing."""
    from support import ICMP, Frame, address, framed, ipv4, segment, tunnelled

    frame = bytes.fromhex(next(v["frame_hex"] for v in VECTORS if v["name"] == name))
    src, dst = frame[26:30], frame[30:34]
    pod = address("10.244.1.1")
    ping = ipv4(segment(ICMP, pod, pod, b"abc"), ICMP, pod, pod)
    healthy = Frame(framed(tunnelled(ping, src, dst, dport=4789, vni=4096, value="right")))
    capture = [healthy, healthy, Frame(frame)]
    report = diagnose(capture, pre_nat=["192.168.77.1"])
    findings = [f for f in problems(report) if f.code == code]
    assert [m[key] for f in findings for m in f.evidence["mappings"]] == [value]
