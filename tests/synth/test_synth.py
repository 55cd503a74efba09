"""Captures with a known truth: what was made is what is found, and what tshark sees."""

from __future__ import annotations

import functools
import io
import json
import shutil
import struct
import subprocess
import tracemalloc
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from support import diagnose, read

from vxcsum import VxcsumError, analyze
from vxcsum.cli.main import main
from vxcsum.rules.engine import CATALOGUE
from vxcsum.synth import (
    SCENARIOS,
    SHAPES,
    from_scapy,
    make_capture,
    truth_file,
    write_capture,
)
from vxcsum.synth.recipes import RECIPES
from vxcsum.synth.shapes import SAID_OF

if TYPE_CHECKING:
    from pathlib import Path

    from vxcsum import Report
    from vxcsum.synth import Truth

#: Rules about connections: their frames are not said by the truth.
STORIES = "VX7"
EACH = pytest.mark.parametrize("code", list(SCENARIOS))
SHAPE = pytest.mark.parametrize("shape", list(SHAPES))
FORM = pytest.mark.parametrize("form", ["pcap", "pcapng"])


def found_frames(report: Report) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for finding in report.findings:
        if not finding.code.startswith(STORIES):
            found.setdefault(finding.code, set()).update(finding.frame_numbers)
    return found


def agrees(capture: bytes, truth: Truth, engine: str = "auto") -> None:
    report = diagnose(capture, engine=engine, **truth.options)
    found = found_frames(report)
    wanted = {
        code: frames
        for code, frames in {**truth.findings, **truth.info}.items()
        if not code.startswith(STORIES)
    }
    if "VX902" in wanted:  # a short first fragment may end before the inner checksum
        found.pop("VX901", None)
    assert set(found) == set(wanted)
    for code, frames in wanted.items():
        assert frames is None or found[code] == set(frames), code
    assert report.frames["total"] == truth.frames


@functools.cache
def tshark() -> str:
    path = shutil.which("tshark")
    if path is None:
        pytest.skip("tshark is not installed")
    return path


def by_tshark(capture: bytes, folder: Path) -> list[Counter[str]]:
    """What tshark thinks of the checksums of each frame: 0 bad, 1 good, 3 absent."""
    path = folder / "tshark.capture"
    path.write_bytes(capture)
    kinds = ("ip", "udp", "tcp")
    checks = [word for kind in kinds for word in ("-o", f"{kind}.check_checksum:TRUE")]
    fields = [*kinds, "icmp", "icmpv6"]
    shown = [word for kind in fields for word in ("-e", f"{kind}.checksum.status")]
    decode = ["-d", "udp.port==8472,vxlan", "-d", "udp.port==4789,vxlan"]
    command = [tshark(), "-r", str(path), "-n", "-o", "ip.defragment:FALSE", *checks, *decode]
    lines = subprocess.run(
        [*command, "-T", "fields", *shown], capture_output=True, text=True, timeout=120, check=True
    ).stdout.splitlines()
    words = {"Bad": "0", "Good": "1", "Unverified": "2", "Not present": "3"}
    return [
        Counter(words.get(w, w) for w in line.replace("\t", ",").split(",") if w) for line in lines
    ]


# Scenarios


def test_every_rule_of_the_catalogue_is_a_scenario_and_so_are_the_stories() -> None:
    assert set(SCENARIOS) >= {*CATALOGUE, "VX701", "VX702", "VX703"}


@EACH
def test_a_scenario_is_found_as_its_truth_says(code: str, engine: str) -> None:
    for seed in (0, 1, 2):
        capture, truth = make_capture(code, seed=seed)
        assert code in {**truth.findings, **truth.info}
        agrees(capture, truth, engine)


@EACH
def test_a_scenario_among_healthy_traffic_is_found_as_its_truth_says(code: str) -> None:
    capture, truth = make_capture(code, frames=900, seed=4, container="pcapng")
    assert truth.frames == 900 - (code == "VX909")
    agrees(capture, truth)


def test_a_recipe_has_a_name_of_its_own() -> None:
    assert make_capture("like-snat")[1].scenario == "like-snat"
    assert make_capture("VX101-vlan")[1].scenario == "vx101-vlan"
    assert make_capture("vx101")[1].scenario == RECIPES["vx101-pods"].name


def test_the_same_arguments_give_the_same_octets_and_other_seeds_others() -> None:
    for scenario in ("VX101", "healthy"):
        one = make_capture(scenario, frames=300, seed=1)
        assert one == make_capture(scenario, frames=300, seed=1)
        assert one[0] != make_capture(scenario, frames=300, seed=2)[0]


@pytest.mark.parametrize("code", ["VX101", "VX102", "VX301", "VX202", "VX201", "VX505"])
@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_a_rate_is_met_to_half_a_making(code: str, rate: float) -> None:
    capture, truth = make_capture(code, frames=3000, rate=rate, seed=3)
    assert truth.frames == 3000
    alone = make_capture(code)[1]
    assert abs(truth.rate - rate) * 3000 <= alone.rate * alone.frames
    agrees(capture, truth)


@pytest.mark.parametrize("code", ["VX601", "VX602"])
@pytest.mark.parametrize("rate", [0.003, 0.01, 0.03])
def test_damage_at_any_rate_is_damage(code: str, rate: float) -> None:
    capture, truth = make_capture(code, frames=6000, rate=rate)
    agrees(capture, truth)


@pytest.mark.parametrize("scenario", ["VX305", "vx305-udp", "VX908", "vx908-plain", "VX401"])
def test_healthy_traffic_beside_a_scenario_leaves_it_true(scenario: str) -> None:
    agrees(*make_capture(scenario, frames=1000))


def test_a_rate_alone_decides_the_frames() -> None:
    alone = make_capture("VX104")[1]
    truth = make_capture("VX104", rate=0.01)[1]
    assert truth.frames == pytest.approx(alone.rate * alone.frames / 0.01, abs=1)
    assert truth.rate == pytest.approx(0.01, rel=0.01)


@FORM
@pytest.mark.parametrize("scenario", ["healthy", "VX101", "VX306"])
def test_a_size_is_met_to_a_frame(tmp_path: Path, scenario: str, form: str) -> None:
    path = tmp_path / f"a.{form}"
    truth = write_capture(scenario, path, size=400_000)
    assert truth.octets == path.stat().st_size
    assert 400_000 - 1600 < truth.octets <= 400_000
    agrees(path.read_bytes(), truth)


def test_makings_differ_from_each_other() -> None:
    capture, truth = make_capture("VX102", rate=0.3, frames=1000)
    table = read(capture)
    wrong = np.isin(table["frame_number"], truth.findings["VX102"])
    alone = make_capture("VX102")[1]
    assert wrong.sum() > 3 * alone.rate * alone.frames
    ports = {(int(a), int(b)) for a, b in zip(table["inner_sport"], table["tcp_seq"], strict=True)}
    assert len(ports) > 400


def syns_of(scenario: str) -> tuple[Any, list[float], Truth]:
    capture, truth = make_capture(scenario)
    table = read(capture)
    syn = table[table["tcp_flags"] == 2]
    seconds = (syn["timestamp"] - syn["timestamp"][0]).astype("i8") // 10**6 / 1000
    return syn, seconds.tolist(), truth


def test_recent_kernels_wait_otherwise() -> None:
    syn, seconds, truth = syns_of("vx701-linear")
    assert seconds == [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 68]
    assert syn["outer_udp_status"].tolist() == [4] * 10 + [1]
    assert truth.findings["VX102"] == syn["frame_number"][:10].tolist()
    agrees(make_capture("vx701-linear")[0], truth)


def test_the_story_of_63_seconds_waits_63_seconds() -> None:
    syn, seconds, truth = syns_of("VX701")
    assert seconds == [0, 1, 3, 7, 15, 31, 63]
    assert syn["outer_udp_found"].tolist() == [0xFFFF] * 6 + [0]
    assert len(set(syn["outer_sport"][:6].tolist())) == 1
    assert syn["outer_sport"][6] != syn["outer_sport"][0]
    assert truth.findings["VX101"] == syn["frame_number"][:6].tolist()
    assert truth.findings["VX701"] is None


def test_a_blackhole_answers_nobody_and_a_cut_transfer_has_no_large_segment() -> None:
    silent = read(make_capture("vx702-silent")[0])
    assert not (silent["tcp_flags"] == 0x12).any()
    cut = read(make_capture("VX703")[0])
    data = cut[cut["inner_l4_length"] > 1000]
    assert len(data) == 80
    assert set(data["inner_tcp_status"].tolist()) == {1}
    assert np.diff(data["timestamp"].astype("i8")).min() <= 2000


# Healthy traffic


@SHAPE
@FORM
def test_healthy_traffic_is_right(shape: str, form: str, engine: str) -> None:
    capture, truth = make_capture("healthy", frames=700, shape=shape, container=form)
    report = diagnose(capture, engine=engine)
    for layer, counts in report.layers.items():
        assert counts["invalid"] == counts["unverifiable"] == 0, layer
    said = {f.code for f in report.findings} - {"VX703"}  # of its bulk transfers
    assert said == set(SAID_OF.get(shape, ()))
    assert set(truth.info) == set(SAID_OF.get(shape, ()))
    assert report.frames["total"] == truth.frames == 700
    kind = "plain" if shape == "plain" else "vxlan"
    assert report.frames[kind] == 700
    assert (np.diff(read(capture)["timestamp"].astype("i8")) > 0).all()


@pytest.mark.parametrize("shape", [s for s in SHAPES if s != "sender"])
def test_tshark_agrees_that_healthy_traffic_is_right(shape: str, tmp_path: Path) -> None:
    statuses = by_tshark(make_capture("healthy", frames=400, shape=shape)[0], tmp_path)
    assert len(statuses) == 400
    for status in statuses:
        assert set(status) <= {"1", "3"}
        assert status["1"] >= 1


@pytest.mark.parametrize(
    "code", ["VX101", "VX102", "VX104", "VX301", "VX304", "VX501", "VX505", "VX601", "VX603"]
)
def test_tshark_takes_the_same_frames_for_wrong(code: str, tmp_path: Path) -> None:
    capture, truth = make_capture(code, frames=400, seed=2)
    statuses = by_tshark(capture, tmp_path)
    wrong = [number for number, status in enumerate(statuses, 1) if status["0"]]
    assert wrong == truth.findings[code]


def test_the_segments_of_a_flow_follow_each_other() -> None:
    table = read(make_capture("healthy", frames=6000, shape="large")[0])
    flow = table[(table["inner_l4_length"] > 32) & (table["vni"] == 101)]
    rows = np.diff(flow["tcp_seq"].astype("i8"))
    assert set(rows.tolist()) == {1398}


def test_ports_of_a_flow_change_before_its_numbers_begin_again() -> None:
    table = read(make_capture("healthy", frames=24 * 4096 + 48, shape="small")[0])
    one = table[table["vni"] == 104]
    keys = list(
        zip(
            *(one[n].tolist() for n in ("inner_sport", "inner_dport", "tcp_seq", "tcp_ack")),
            strict=True,
        )
    )
    assert len(set(keys)) == len(keys)
    assert len(set(one["inner_sport"].tolist())) >= 3  # two ports of the client, one of the server


class _Null(io.RawIOBase):
    written = 0

    def write(self, data: Any) -> int:
        self.written += memoryview(data).nbytes
        return memoryview(data).nbytes


def test_memory_does_not_grow_with_the_capture() -> None:
    out = _Null()
    tracemalloc.start()
    try:
        truth = write_capture("healthy", out, size=600_000_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert out.written == truth.octets > 599_990_000
    assert peak < 150_000_000


# Writing


def test_the_truth_is_written_beside_the_capture(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    truth = write_capture("VX302", path, frames=300)
    document = json.loads(truth_file(path).read_text("utf-8"))
    assert document == truth.to_dict()
    assert document["schema"] == "vxcsum.synth/1"
    assert document["container"] == "pcapng"
    assert document["bytes"] == path.stat().st_size
    assert document["recovered"] == {"pre_nat_destination": ["10.96.0.10"]}
    assert path.read_bytes()[:4] == struct.pack("<I", 0x0A0D0D0A)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pcapng", "a.pcapng.truth.json"]


@pytest.mark.parametrize(
    ("scenario", "options", "said"),
    [
        ("VX999", {}, "no scenario 'VX999'"),
        ("", {}, "no scenario ''"),
        ("VX101", {"frames": 5}, "too few"),
        ("VX101", {"size": 500}, "too few"),
        ("VX101", {"frames": 500, "size": 500}, "wanted one of them"),
        ("VX101", {"frames": 0}, "wanted 1 or more"),
        ("VX101", {"size": -3}, "wanted 1 or more"),
        ("VX101", {"rate": 0}, "wanted more"),
        ("healthy", {"size": 100}, "too few"),
        ("VX101", {"rate": 1.5}, "from 0 to 1"),
        ("VX101", {"rate": 0.9}, "at most"),
        ("vx102-one-syn", {"rate": 0.01}, "more than once"),
        ("VX401", {"frames": 2000, "shape": "small"}, "not true beside"),
        ("VX909", {"rate": 0.1}, "no frames of its own"),
        ("VX101", {"seed": -1}, "0 or more"),
        ("healthy", {"rate": 0.1}, "nothing is wrong"),
        ("healthy", {"shape": "round"}, "unknown shape"),
        ("healthy", {"container": "cap"}, "unknown format"),
    ],
)
def test_what_cannot_be_made_is_told(
    scenario: str, options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(VxcsumError, match=said):
        write_capture(scenario, tmp_path / "a.pcap", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_compressed_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VxcsumError, match="compressed"):
        write_capture("healthy", tmp_path / "a.pcap.zst")


# The command


def test_the_command_writes_capture_and_truth(tmp_path: Path) -> None:
    path = tmp_path / "nat.pcap"
    arguments = ["synth", "VX101", "-o", str(path), "--frames", "500", "--seed", "9"]
    result = CliRunner().invoke(main, [*arguments, "--rate", "0.1"])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "500 frames, VX101 in 64" in result.stderr
    wanted, truth = make_capture("VX101", frames=500, seed=9, rate=0.1)
    assert path.read_bytes() == wanted
    assert json.loads(truth_file(path).read_text("utf-8"))["findings"] == truth.findings


def test_the_command_takes_sizes_with_letters(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    result = CliRunner().invoke(main, ["synth", "healthy", "-q", "-o", str(path), "--size", "0.2M"])
    assert (result.exit_code, result.output) == (0, "")
    assert 198_000 < path.stat().st_size <= 200_000


def test_the_command_writes_to_standard_output() -> None:
    result = CliRunner().invoke(main, ["synth", "VX301", "-o", "-"])
    assert result.exit_code == 0
    assert result.stdout_bytes == make_capture("VX301")[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ["VX101"],
        ["VX1", "-o", "a"],
        ["VX101", "-o", "a", "--frames", "3"],
        ["healthy", "-o", "a", "--size", "1x"],
        ["healthy", "-o", "a", "--rate", "2"],
        ["healthy", "-o", "no/such/folder/a"],
    ],
)
def test_bad_usage_ends_with_2_and_no_file(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["synth", *arguments])
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


# scapy


def test_scapy_frames_become_a_capture(tmp_path: Path) -> None:
    scapy = pytest.importorskip("scapy.all")
    from scapy.layers.vxlan import VXLAN

    inner = scapy.Ether() / scapy.IP(src="10.0.0.1", dst="10.0.0.2") / scapy.TCP() / b"abc"
    outer = scapy.Ether() / scapy.IP(src="192.0.2.1", dst="192.0.2.2")
    good = outer / scapy.UDP(sport=40000, dport=4789) / VXLAN(vni=3) / inner
    bad = outer / scapy.UDP(sport=40000, dport=4789, chksum=0x1234) / VXLAN(vni=3) / inner
    capture = from_scapy([good, bad], tmp_path / "a.pcapng")
    assert (tmp_path / "a.pcapng").read_bytes() == capture
    table = read(capture)
    assert table["outer_udp_status"].tolist() == [1, 4]
    assert table["inner_tcp_status"].tolist() == [1, 1]
    assert len(read(from_scapy(scapy.IP(dst="10.0.0.1") / scapy.UDP()))) == 1


def test_what_is_no_frame_of_scapy_is_told() -> None:
    scapy = pytest.importorskip("scapy.all")
    for wrong in ([b"abc"], [scapy.Ether(), scapy.IP()], [scapy.TCP()], []):
        with pytest.raises(VxcsumError):
            from_scapy(wrong)


@pytest.mark.parametrize(("code", "rate", "frames"), [("VX102", 0.5, 6000), ("VX104", 0.2, 1500)])
def test_translators_give_no_port_twice(code: str, rate: float, frames: int) -> None:
    capture, truth = make_capture(code, frames=frames, rate=rate)
    found: set[int] = set()
    for finding in analyze(capture, listed_frames=frames).findings:
        if finding.severity.name == "ERROR" and not finding.code.startswith("VX7"):
            assert finding.code == code
            found.update(finding.frame_numbers)
    assert sorted(found) == truth.findings[code]
