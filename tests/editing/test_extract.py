"""Extracts: the same records, nothing else."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import struct
import subprocess
import threading
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from blocks import CUSTOM, ISB, block, epb, idb, mixture, option, shb
from conftest import CAPTURES
from hypothesis import given
from hypothesis import strategies as st
from support import TCP, address, framed, ip, pcap, plain, put, segment, take, tunnelled

from vxcsum import CaptureError, Status, analyze, display_filter, extract, read_packets
from vxcsum.errors import TruncatedCaptureWarning, VxcsumError
from vxcsum.evidence import suspects

if TYPE_CHECKING:
    from pathlib import Path

A, B = address("10.244.1.5"), address("10.244.2.5")
BUG = CAPTURES / "kernel" / "u61bug-k8s-clusterip-norehash.snd.pcap"
needs_captures = pytest.mark.skipif(not BUG.is_file(), reason=f"{BUG} is not there")


def tcp(n: int, *, wrong: bool = False) -> bytes:
    packet = ip(segment(TCP, A, B, bytes([n]) * n, sport=3000 + n), TCP, A, B)
    return framed(put(packet, 36, take(packet, 36) ^ 0x0F0F) if wrong else packet)


FRAMES = [tcp(n, wrong=n in (2, 5)) for n in range(1, 7)]


def taken(source: Any, **choice: Any) -> bytes:
    out = io.BytesIO()
    extract(source, out, **choice)
    return out.getvalue()


@given(st.sets(st.integers(1, 6)))
def test_a_pcap_keeps_its_header_and_the_chosen_records(numbers: set[int]) -> None:
    whole = pcap(FRAMES, snaplen=4711)
    records, at = [], 24
    for frame in FRAMES:
        records.append(whole[at : at + 16 + len(frame)])
        at += 16 + len(frame)
    chosen = b"".join(records[number - 1] for number in sorted(numbers))
    assert taken(whole, frames=numbers) == whole[:24] + chosen


@pytest.mark.parametrize(
    ("magic", "more"),
    [
        ("a1b2c3d4", 0),
        ("d4c3b2a1", 0),
        ("a1b23c4d", 0),
        ("4d3cb2a1", 0),
        ("a1b2cd34", 8),
        ("34cdb2a1", 8),
    ],
)
def test_every_variant_of_pcap_keeps_its_octets(magic: str, more: int) -> None:
    order = ">" if magic.startswith("a1") else "<"
    head = bytes.fromhex(magic) + struct.pack(f"{order}HHiIII", 2, 4, 7, 9, 65535, 1)
    records = [
        struct.pack(f"{order}IIII", 5 + n, n, len(f), len(f) + 9) + bytes(more) + f
        for n, f in enumerate(FRAMES)
    ]
    found = taken(head + b"".join(records), frames="2,4-5")
    assert found == head + records[1] + records[3] + records[4]


@given(st.sets(st.integers(1, 6)))
def test_a_pcapng_keeps_sections_interfaces_names_secrets_and_comments(numbers: set[int]) -> None:
    parts = mixture(FRAMES)
    whole = b"".join(octets for octets, _ in parts)
    wanted = b"".join(octets for octets, frame in parts if not frame or frame in numbers)
    assert taken(whole, frames=numbers) == wanted


def test_the_length_of_a_section_is_not_told_any_more() -> None:
    parts = [shb("<", length=4711), idb("<"), epb("<", FRAMES[0]), epb("<", FRAMES[1])]
    found = taken(b"".join(parts), frames="2")
    assert found == shb("<", length=-1) + parts[1] + parts[3]


def test_statuses_layers_flows_and_times_narrow_further() -> None:
    whole = pcap(FRAMES)

    def numbers(**choice: Any) -> list[int]:
        sports = read_packets(taken(whole, **choice))["inner_sport"]
        return (sports.astype(int) - 3000).tolist()

    assert numbers(status="invalid") == [2, 5]
    assert numbers(status=["invalid", "valid"], layer="plain_tcp") == [1, 2, 3, 4, 5, 6]
    assert numbers(status="invalid", layer="plain_ipv4") == []
    assert numbers(layer="plain_udp") == []
    assert numbers(status="invalid", frames="3-") == [5]
    assert numbers(flow="10.244.1.5:3004-10.244.2.5:*") == [4]
    assert numbers(flow=["*:3004-*:*", "*:3001-*:*"]) == [1, 4]
    assert numbers(time="0.001..0.003", status="valid", layer="plain_tcp") == [3, 4]


@needs_captures
def test_the_frames_of_a_rule_are_those_that_its_finding_names() -> None:
    report = analyze(BUG)
    (finding,) = [f for f in report.findings if f.code == "VX101"]
    found = read_packets(taken(BUG, rule="VX101"))
    assert len(found) == finding.frames == 6
    whole = read_packets(BUG)
    rows = np.array(finding.frame_numbers) - 1
    assert (found["timestamp"] == whole["timestamp"][rows]).all()
    assert len(read_packets(taken(BUG, rule="outer-zero-nat-partial", frames="-9"))) == 3


def test_a_finding_of_more_frames_than_a_report_lists_is_taken_whole() -> None:
    packet = ip(segment(TCP, A, B, b"x", value="partial"), TCP, A, B)
    whole = pcap([plain(packet)] * 1500)
    (finding,) = analyze(whole).findings
    assert (finding.code, finding.frames, len(finding.frame_numbers)) == ("VX201", 1500, 1000)
    assert taken(whole, rule="VX201") == whole


def test_frames_beyond_those_examined_may_belong_to_the_rule_and_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = pcap([tcp(n, wrong=True) for n in range(1, 7)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert taken(whole, rule="VX6") == whole
    monkeypatch.setattr(suspects, "MAX_SUSPECTS", 4)
    # Which suspects stand for all is chosen by hashes, which differ from process to process.
    monkeypatch.setattr(suspects, "_SEED", np.uint64(0))
    with pytest.warns(UserWarning, match=r"2 more frames .* --status invalid chooses all"):
        assert len(read_packets(taken(whole, rule="VX6"))) == 4


def test_a_comment_says_what_was_found_and_changes_nothing_else(tmp_path: Path) -> None:
    whole = pcap(FRAMES)
    target = tmp_path / "out.pcapng"
    result = extract(whole, target, comment=True)
    assert (result.container, result.written, result.commented) == ("pcapng", 6, 2)
    before, after = read_packets(whole), read_packets(target)
    assert (before["timestamp"] == after["timestamp"]).all()
    assert (before["inner_l4_residual"] == after["inner_l4_residual"]).all()
    right = int(before["plain_tcp_expected"][1])
    text = target.read_bytes()
    assert f"plain_tcp found 0x{right ^ 0x0F0F:04x}, right would be 0x{right:04x}".encode() in text
    (finding,) = [f for f in analyze(whole).findings if 2 in f.frame_numbers]
    assert f"{finding.code} {finding.rule.name}".encode() in text


def test_comments_go_before_the_options_of_a_block_in_both_byte_orders(tmp_path: Path) -> None:
    frames = [tcp(n, wrong=True) for n in range(1, 7)]
    parts = mixture(frames)
    whole = b"".join(octets for octets, _ in parts)
    target = tmp_path / "out.pcapng"
    result = extract(whole, target, comment=True)
    assert (result.written, result.commented, result.uncommented) == (6, 4, 2)
    found = target.read_bytes()
    for octets, frame in parts:
        # blocks without a frame, and simple ones, which cannot hold a comment, are as they were
        assert (octets in found) == (not frame or frame in (3, 6))
    assert found.count(b"right would be") == 4
    assert (read_packets(target)["direction"] == read_packets(whole)["direction"]).all()


@needs_captures
def test_tshark_reads_comments_and_times(tmp_path: Path) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    target = tmp_path / "out.pcapng"
    extract(BUG, target, rule="VX101", comment=True)
    command = [tshark, "-r", str(target), "-T", "fields"]
    command += ["-e", "frame.time_epoch", "-e", "frame.comment"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == 6
    times = read_packets(BUG)["timestamp"][6:12].astype(np.int64)
    for line, time in zip(lines, times.tolist(), strict=True):
        epoch, comment = line.split("\t")
        assert epoch == f"{time // 10**9}.{time % 10**9:09}"
        assert comment.startswith("VX101 outer-zero-nat-partial (error, likely): NAT rewrote")
        assert "outer_udp found 0xffff, right would be 0x0c9d" in comment


@pytest.mark.parametrize("frames", ["1", "3-4,6", "2-"])
def test_editcap_takes_the_same_records(tmp_path: Path, frames: str) -> None:
    editcap = shutil.which("editcap")
    if editcap is None:
        pytest.skip("editcap is not installed")
    source, theirs = tmp_path / "in.pcap", tmp_path / "theirs.pcap"
    source.write_bytes(pcap(FRAMES))
    given_ = frames.replace("2-", "2-6") if frames == "2-" else frames
    command = [editcap, "-r", "-F", "pcap", str(source), str(theirs), *given_.split(",")]
    subprocess.run(command, check=True, capture_output=True)
    assert taken(source, frames=frames)[24:] == theirs.read_bytes()[24:]


def test_the_suffix_chooses_the_container_both_ways(tmp_path: Path) -> None:
    whole = pcap(FRAMES)
    there, back = tmp_path / "out.pcapng", tmp_path / "back.pcap"
    assert extract(whole, there, frames="2-5").container == "pcapng"
    assert there.read_bytes()[:4] == b"\n\r\r\n"
    assert extract(there, back).container == "pcap"
    old, new = read_packets(taken(whole, frames="2-5")), read_packets(back)
    for name in ("timestamp", "caplen", "origlen", "linktype", "inner_l4_residual"):
        assert (old[name] == new[name]).all()


def test_comments_make_a_pcapng_of_what_has_no_telling_suffix(tmp_path: Path) -> None:
    for name in ("out", "out.cap", "out.pcapng.gz"):
        assert extract(pcap(FRAMES), tmp_path / name, comment=True).container == "pcapng"


def test_a_pcap_has_one_link_type_and_says_so(tmp_path: Path) -> None:
    order = "<"
    raw = ip(segment(TCP, A, B), TCP, A, B)
    whole = b"".join(
        (
            shb(order),
            idb(order),
            idb(order, 101),
            epb(order, FRAMES[0]),
            epb(order, raw, interface=1),
        )
    )
    target = tmp_path / "out.pcap"
    with pytest.raises(VxcsumError, match="link types 1 and 101, and a pcap holds one"):
        extract(whole, target)
    assert not target.exists()
    assert extract(whole, target, frames="2").written == 1
    assert read_packets(target)["linktype"].tolist() == [101]


def test_no_frame_chosen_leaves_a_capture_without_frames(tmp_path: Path) -> None:
    whole = pcap(FRAMES)
    assert taken(whole, frames=[]) == whole[:24]
    target = tmp_path / "out.pcapng"
    assert extract(whole, target, frames=[]).written == 0
    assert len(read_packets(target)) == 0


def test_gzip_is_read_and_written(tmp_path: Path) -> None:
    whole = pcap(FRAMES)
    source, target = tmp_path / "in.pcap.gz", tmp_path / "out.pcap.gz"
    source.write_bytes(gzip.compress(whole))
    assert taken(source) == whole
    extract(source, target, frames="1")
    assert gzip.decompress(target.read_bytes()) == whole[: 40 + len(FRAMES[0])]


def test_a_pipe_is_read_once_and_copied(tmp_path: Path) -> None:
    whole = pcap(FRAMES)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(whole,))
    writer.start()
    try:
        found = taken(pipe, status="invalid")
    finally:
        writer.join(timeout=10)
    assert found == taken(whole, status="invalid")


@pytest.mark.filterwarnings("ignore::vxcsum.errors.TruncatedCaptureWarning")
def test_what_is_cut_short_at_the_end_is_left_out() -> None:
    whole = pcap(FRAMES)
    assert taken(whole[:-5], frames="5-") == taken(whole, frames="5")
    parts = mixture(FRAMES)
    octets = b"".join(part for part, _ in parts)
    at = sum(len(part) for part, frame in parts[: [f for _, f in parts].index(6)])
    assert taken(octets[: at + 9], layer="plain_tcp") == octets[:at]


def test_a_capture_that_ends_early_is_told() -> None:
    with pytest.warns(TruncatedCaptureWarning, match="ends in the middle of record 6"):
        taken(pcap(FRAMES)[:-5], status="valid")


def test_several_inputs_and_none_are_refused(tmp_path: Path) -> None:
    for name in ("a.pcap", "b.pcap"):
        (tmp_path / name).write_bytes(pcap(FRAMES))
    with pytest.raises(VxcsumError, match="one capture at a time"):
        taken(str(tmp_path))
    with pytest.raises(VxcsumError, match="no capture is named"):
        taken([])
    with pytest.raises(CaptureError, match="cannot be opened"):
        taken(str(tmp_path / "none.pcap"))
    with pytest.raises(VxcsumError, match="it is one of the captures"):
        extract(tmp_path / "a.pcap", tmp_path / "a.pcap")


def test_hostile_octets_of_a_capture_never_reach_a_comment(tmp_path: Path) -> None:
    options = option("<", 2, b"<script>\x1b[31m") + bytes(4)
    whole = shb("<") + idb("<", options=options) + epb("<", tcp(3, wrong=True))
    whole += block("<", CUSTOM, b"\x1b]0;x\x07..") + block("<", ISB, bytes(12))
    found = taken(whole, comment=True)
    comment = found[found.index(b"VX6") : found.index(b"right would be")]
    assert comment.decode("ascii").isprintable()


@needs_captures
@pytest.mark.parametrize(
    ("choice", "by"),
    [
        ({"rule": "VX101"}, "frames"),
        ({"status": "partial", "layer": "inner_tcp"}, "frames"),
        ({"frames": []}, "frames"),
        ({"rule": "VX101"}, "flows"),
    ],
)
def test_display_filters_choose_in_tshark_what_extract_writes(
    choice: dict[str, Any], by: str
) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    shown = display_filter(BUG, by=by, **choice)
    command = [tshark, "-r", str(BUG), "-n", "-d", "udp.port==8472,vxlan", "-Y", shown]
    command += ["-T", "fields", "-e", "frame.number"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    if by == "frames":
        whole = read_packets(BUG)["timestamp"]
        chosen = read_packets(taken(BUG, **choice))["timestamp"]
        assert whole[np.array([int(n) for n in lines], np.int64) - 1].tolist() == chosen.tolist()
    else:
        table = read_packets(BUG)
        wanted = ((table["inner_sport"] == 56387) | (table["inner_dport"] == 56387)) & (
            table["inner_protocol"] == TCP
        )
        assert [int(n) for n in lines] == table["frame_number"][wanted].tolist()


def test_a_filter_that_would_be_too_long_is_refused() -> None:
    whole = pcap([FRAMES[n % 2] for n in range(2100)])
    with pytest.raises(VxcsumError, match="more than 1,000 ranges"):
        display_filter(whole, status="invalid")
    assert display_filter(whole, status="invalid", by="flows").count("tcp.port") == 2


def test_both_engines_choose_the_same(engine: str) -> None:
    inner = ip(segment(TCP, A, B, b"data", value="partial"), TCP, A, B)
    node_a, node_b = address("192.0.2.1"), address("192.0.2.2")
    frames = [
        plain(tunnelled(inner, node_a, node_b, value=value)) for value in ("lco", "zero", 1, 2)
    ]
    whole = pcap(frames)
    found = read_packets(taken(whole, status="partial", layer="outer_udp", engine=engine))
    assert found["outer_udp_status"].tolist() == [Status.PARTIAL]
