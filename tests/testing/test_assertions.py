"""What the assertions fail on, and what they say then."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, Any

import pytest
from conftest import CAPTURES
from support import TCP, address, ipv4, pcap, plain, segment, tunnelled

from vxcsum import CaptureError, UnknownRuleError, VxcsumError, read_packets
from vxcsum.capture import open_capture
from vxcsum.source import OctetStream
from vxcsum.synth import make_capture
from vxcsum.testing import assert_checksums_good, assert_findings, assert_no_corruption
from vxcsum.testing.captures import SHIPPED, capture_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECONDS_63 = CAPTURES / "kernel" / "u61bug-k8s-clusterip-norehash.snd.pcap"
A, B = address("10.0.0.1"), address("10.0.0.2")


def said(check: Callable[..., None], *arguments: Any, **options: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        check(*arguments, **options)
    return str(caught.value)


def test_right_checksums_pass_and_so_do_those_left_to_a_device() -> None:
    for scenario in ("healthy", "VX201", "VX405"):
        capture = make_capture(scenario)[0]
        assert_checksums_good(capture)
        assert_no_corruption(capture)


@pytest.mark.parametrize(
    "code", ["VX101", "VX102", "VX104", "VX202", "VX204", "VX301", "VX404", "VX501", "VX601"]
)
def test_wrong_checksums_fail_and_name_the_rule(code: str) -> None:
    capture = make_capture(code)[0]
    for check in (assert_checksums_good, assert_no_corruption):
        assert code in said(check, capture)
        check(capture, ignore=[code])
        check(capture, ignore=code)


def test_the_message_shows_found_and_expected_of_at_most_five_frames() -> None:
    message = said(assert_checksums_good, SECONDS_63)
    lines = message.splitlines()
    assert lines[0] == f"wrong checksums in {SECONDS_63}: VX101 (6 frames)"
    frames = [line for line in lines if line.startswith("  frame ")]
    ends = "(172.31.7.11:46698 > 172.31.7.12:8472)"
    assert frames == [f"  frame {n}: outer_udp 0xffff -> 0x0c9d {ends}" for n in range(7, 12)]
    assert "  1 more" in lines
    assert "  what to do: ethtool -K flannel.1 tx-checksum-ip-generic off" in lines
    assert "VX101 outer-zero-nat-partial (error, likely)" in message


def test_five_frames_are_the_most_for_all_findings_together() -> None:
    message = said(assert_checksums_good, make_capture("VX102")[0])
    assert message.count("  frame ") == 5
    assert message.count("\nVX102 ") == 2


def test_frames_of_several_captures_are_those_of_the_right_one(tmp_path: Path) -> None:
    paths = [tmp_path / "a.pcap", tmp_path / "b.pcap"]
    paths[0].write_bytes(make_capture("healthy", frames=20)[0])
    paths[1].write_bytes(SECONDS_63.read_bytes())
    message = said(assert_checksums_good, paths)
    assert "frame 7: outer_udp 0xffff -> 0x0c9d" in message


def test_only_the_layers_asked_for_count() -> None:
    for code, layer in (("VX101", "outer_udp"), ("VX301", "inner_tcp"), ("VX202", "inner_tcp")):
        capture = make_capture(code)[0]
        assert code in said(assert_checksums_good, capture, layers=[layer])
        assert code in said(assert_checksums_good, capture, layers=layer)
        assert_checksums_good(capture, layers=["inner_icmp", "outer_ipv4"])


def test_a_layer_that_does_not_exist_is_told() -> None:
    with pytest.raises(VxcsumError, match="unknown layer 'udp'"):
        assert_checksums_good(SECONDS_63, layers=["udp"])


def test_a_rule_that_does_not_exist_is_told() -> None:
    with pytest.raises(UnknownRuleError):
        assert_checksums_good(SECONDS_63, ignore=["VX8"])
    with pytest.raises(UnknownRuleError):
        assert_findings(SECONDS_63, {"VX888": 1})
    with pytest.raises(VxcsumError, match="wanted one"):
        assert_findings(SECONDS_63, {"VX1": 1})


def test_nothing_checked_is_no_success() -> None:
    empty = make_capture("healthy")[0][:24]
    for check in (assert_checksums_good, assert_no_corruption):
        assert "nothing was checked" in said(check, empty)
    tcp = pcap([plain(ipv4(segment(TCP, A, B), TCP, A, B))])
    assert "no checksum of inner_udp" in said(assert_checksums_good, tcp, layers=["inner_udp"])
    assert_checksums_good(tcp)


def test_findings_are_compared_by_rule_and_frames() -> None:
    assert_findings(SECONDS_63, {"VX101": 6})
    assert_findings(SECONDS_63, {"vx101": None})
    assert_findings(SECONDS_63, {"VX101": 6, "VX201": 15})
    assert_findings(make_capture("healthy")[0], {})
    assert "VX101: 6 frames, expected 7" in said(assert_findings, SECONDS_63, {"VX101": 7})
    assert "VX101: 6 frames, not expected" in said(assert_findings, SECONDS_63, {})
    missing = said(assert_findings, SECONDS_63, {"VX101": 6, "VX301": 2})
    assert "VX301: not found, expected 2 frames" in missing
    assert "frame" not in missing.split("\n\n")[-1].replace("2 frames", "")
    assert "VX201: 15 frames, expected 1" in said(
        assert_findings, SECONDS_63, {"VX101": 6, "VX201": 1}
    )


def test_a_source_may_be_an_open_file() -> None:
    octets = SECONDS_63.read_bytes()
    with SECONDS_63.open("rb") as file:
        assert "0xffff -> 0x0c9d" in said(assert_checksums_good, file)
    assert "0xffff -> 0x0c9d" in said(assert_checksums_good, [io.BytesIO(octets)])
    assert_findings(octets, {"VX101": 6})
    assert_findings([SECONDS_63, octets], {"VX101": 12})


def packets(octets: bytes) -> list[tuple[float, bytes]]:
    table = read_packets(octets)
    seconds = (table["timestamp"].astype("i8") / 1e9).tolist()
    blocks = open_capture(OctetStream(io.BytesIO(octets), "")).blocks()
    frames = [
        block.octets[at : at + size].tobytes()
        for block in blocks
        for at, size in zip(block.offset.tolist(), block.caplen.tolist(), strict=True)
    ]
    return list(zip(seconds, frames, strict=True))


@pytest.mark.parametrize(
    "source",
    [
        lambda octets: [make_capture("healthy")[0], octets],
        lambda octets: [io.BytesIO(make_capture("healthy")[0]), io.BytesIO(octets)],
        lambda octets: iter(packets(octets)),
        lambda octets: packets(octets),
        lambda octets: [packets(make_capture("healthy")[0]), iter(packets(octets))],
        lambda octets: io.BytesIO(gzip.compress(octets)),
    ],
    ids=["names the same", "files", "iterator", "packets", "several", "compressed"],
)
def test_wrong_layers_are_found_again_in_any_source(source: Callable[[bytes], Any]) -> None:
    octets = SECONDS_63.read_bytes()
    for options in ({}, {"layers": ["outer_udp"]}):
        message = said(assert_checksums_good, source(octets), **options)
        assert "frame 7: outer_udp 0xffff -> 0x0c9d" in message
    assert_checksums_good(source(octets), layers=["inner_tcp"])


def test_findings_name_their_capture_where_there_are_several(tmp_path: Path) -> None:
    message = said(assert_checksums_good, [make_capture("VX104")[0], SECONDS_63])
    assert f"(error, likely, in {SECONDS_63}): " in message
    assert ", in " not in said(assert_checksums_good, SECONDS_63)


def test_no_capture_is_no_success() -> None:
    for check in (assert_checksums_good, assert_no_corruption):
        assert "no capture was given" in said(check, [])
    assert "no capture was given" in said(assert_findings, [], {})


def test_a_file_in_text_mode_is_refused() -> None:
    with pytest.raises(CaptureError, match="text mode"):
        assert_checksums_good(io.StringIO("text"))


@pytest.mark.parametrize("layers", [None, ["inner_tcp"], ["inner_tcp", "outer_udp"]])
def test_checksums_that_were_all_cut_off_were_not_checked(layers: list[str] | None) -> None:
    inner = [ipv4(segment(TCP, A, B, bytes(n)), TCP, A, B) for n in range(200, 220)]
    cut = pcap([plain(tunnelled(each, A, B)).cut(96) for each in inner])
    message = said(assert_checksums_good, cut, layers=layers)
    assert "nothing was checked" in message
    assert "20 that could not be" in message
    assert_checksums_good(cut, layers=["outer_udp"])
    if layers is None:
        assert "nothing was checked" in said(assert_no_corruption, cut)


def test_a_name_from_outside_cannot_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m\n.pcap"
    path.write_bytes(SECONDS_63.read_bytes())
    message = said(assert_checksums_good, path)
    assert "\x1b" not in message
    assert message.splitlines()[0].endswith("VX101 (6 frames)")


# Named captures


@pytest.mark.parametrize("name", SHIPPED)
def test_captures_that_ship_are_those_of_the_project(name: str, project_captures: Path) -> None:
    original = project_captures / SHIPPED[name]
    assert capture_file(name).read_bytes() == original.read_bytes()
    assert capture_file(f"{name}.pcap") == capture_file(name)


def test_captures_that_ship_show_what_their_names_say() -> None:
    assert_findings(capture_file("63-seconds"), {"VX101": 6})
    assert_findings(capture_file("vx101"), {"VX101": None})
    assert_findings(capture_file("vx102"), {"VX102": None})
    assert_findings(capture_file("offload"), {"VX201": None})
    assert_findings(capture_file("healthy"), {})


def test_a_capture_of_the_project_comes_first(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    mine = tmp_path / "below" / "vx101.pcapng"
    mine.write_bytes(b"")
    for name in ("vx101", "vx101.pcapng", "below/vx101.pcapng"):
        assert capture_file(name, [tmp_path]) == mine
    (tmp_path / "vx101.pcap").write_bytes(b"")
    with pytest.raises(VxcsumError, match="2 captures are called 'vx101'"):
        capture_file("vx101", [tmp_path])
    with pytest.raises(VxcsumError, match="did you mean vx10"):
        capture_file("vx110", [tmp_path])


def test_a_connection_that_a_policy_drops_is_no_corruption() -> None:
    for scenario in ("vx701-loss", "vx702-silent"):
        assert_no_corruption(make_capture(scenario)[0])
    assert_findings(make_capture("vx702-silent")[0], {"VX702": 7})
    message = said(assert_no_corruption, make_capture("vx702")[0])
    assert "VX102" in message
    assert "VX702" in message


def test_layers_are_told_apart_beyond_the_frames_that_a_finding_lists(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vxcsum.testing.assertions._LISTED", 3)
    # Values of no law: 7 + n alone would be the sum of another pseudo-header, as the length is.
    frames = [
        plain(ipv4(segment(TCP, A, B, bytes(n), value=7 + 4099 * n * n % 0xFFFF), TCP, A, B))
        for n in range(9)
    ]
    with pytest.raises(AssertionError, match="wrong checksums"):
        assert_checksums_good(pcap(frames), layers=["plain_tcp"])
    assert_checksums_good(pcap(frames), layers=["plain_ipv4"])


def test_no_frames_of_a_rule_may_be_expected() -> None:
    assert_findings(make_capture("healthy")[0], {"VX101": 0})
    with pytest.raises(AssertionError, match="VX101: 32 frames, expected 0"):
        assert_findings(make_capture("VX101")[0], {"VX101": 0})
    with pytest.raises(VxcsumError, match="no layer given"):
        assert_checksums_good(make_capture("healthy")[0], layers=[])
