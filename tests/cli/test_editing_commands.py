"""The commands that explain one frame, and those that write captures."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from support import LCO, PARTIAL, TCP, UDP, ZERO, address, ip, pcap, plain, read, segment, tunnelled

from vxcsum import Status
from vxcsum.checksum.status import LAYERS
from vxcsum.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

A, B = address("10.244.1.5"), address("10.244.2.5")
NODE_A, NODE_B = address("172.31.7.11"), address("172.31.7.12")

PACKED = (".zst", ".xz", ".lz4", ".bz2", ".XZ")


def frames() -> list[bytes]:
    tcp = ip(segment(TCP, A, B, b"data", value=PARTIAL), TCP, A, B)
    udp = ip(segment(UDP, A, B, b"data", value=ZERO), UDP, A, B)
    return [
        plain(tunnelled(tcp, NODE_A, NODE_B, value=LCO)).octets,
        plain(tunnelled(tcp, NODE_A, NODE_B, sport=50001, value=4)).octets,
        plain(tunnelled(udp, NODE_A, NODE_B, value=ZERO)).octets,
    ]


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "in.pcap"
    path.write_bytes(pcap(frames()))
    return path


def run(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], input=stdin)


def process(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "vxcsum", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", ["explain", "extract", "repair"])
def test_help_stands_behind_both_options(command: str) -> None:
    for option in ("-h", "--help"):
        result = run(command, option)
        assert result.exit_code == 0
        assert result.stdout.startswith(f"Usage: main {command} [OPTIONS] CAPTURE")


def test_explain_prints_text_json_and_html(capture: Path, tmp_path: Path) -> None:
    text = run("explain", capture, 2)
    assert text.exit_code == 0
    assert text.stdout.startswith(f"Frame 2 of {capture}: 2023-11-14T22:13:20.001000000Z")
    assert "outer_udp: invalid" in text.stdout
    document = json.loads(run("explain", capture, 2, "--format", "json").stdout)
    assert [entry["layer"] for entry in document["checksums"]] == [
        "outer_ipv4",
        "outer_udp",
        "inner_ipv4",
        "inner_tcp",
    ]
    target = tmp_path / "frame.html"
    assert run("explain", capture, 2, "--format", "html", "-o", target).stdout == ""
    assert target.read_text().startswith('<div class="vxcsum-explain mathjax_ignore">')


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["4"], "has 3 frames: there is no frame 4"),
        (["0"], "0 is not in the range x>=1"),
        (["x"], "'x' is not a valid integer"),
        ([], "Missing argument 'FRAME'"),
        (["1", "--port", "0"], "0 is no UDP port"),
        (["1", "--pre-nat", "a"], "'a' is neither an address nor a network"),
    ],
)
def test_explain_ends_with_2_where_it_cannot(
    capture: Path, arguments: list[str], said: str
) -> None:
    result = run("explain", capture, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_explain_reads_standard_input() -> None:
    result = process("explain", "-", "1", stdin=pcap(frames()))
    assert result.returncode == 0
    assert result.stdout.startswith(b"Frame 1 of <stdin>: ")


def test_extract_writes_what_was_chosen_and_says_so_on_standard_error(
    capture: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.pcap"
    result = run("extract", capture, "-o", target, "--status", "invalid", "--layer", "outer_udp")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"vxcsum: 1 of 3 frames: {target} (pcap)\n"
    whole, start = pcap(frames()), 24 + 16 + len(frames()[0])
    assert target.read_bytes() == whole[:24] + whole[start : start + 16 + len(frames()[1])]
    assert run("extract", capture, "-o", target, "--frames", "2", "-q").stderr == ""


def test_extract_without_a_frame_succeeds_with_a_note(capture: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.pcap"
    result = run("extract", capture, "-o", target, "--frames", "7-")
    assert result.exit_code == 0
    assert "no frame was chosen" in result.stderr
    assert len(read(target)) == 0


def test_extract_reads_and_writes_pipes() -> None:
    whole = pcap(frames())
    result = process("extract", "-", "-o", "-", "--layer", "outer_udp", stdin=whole)
    assert (result.returncode, result.stdout) == (0, whole)
    assert result.stderr == b"vxcsum: 3 of 3 frames: <stdout> (pcap)\n"


def test_extract_prints_display_filters(capture: Path, tmp_path: Path) -> None:
    choice = ["--status", "partial,invalid"]
    assert run("extract", capture, "--filter", "frames", *choice).stdout == (
        "frame.number in {1 .. 2}\n"
    )
    assert run("extract", capture, "--filter", "flows", *choice).stdout == (
        "(ip.addr == 10.244.1.5 && ip.addr == 10.244.2.5 && tcp.port == 40000 && tcp.port == 80)\n"
    )
    target = tmp_path / "out.pcap"
    both = run("extract", capture, "--filter", "frames", "--frames", "3", "-o", target, "-q")
    assert both.stdout == "frame.number in {3}\n"
    assert len(read(target)) == 1


def test_a_filter_comes_with_the_ports_that_wireshark_has_to_be_told(tmp_path: Path) -> None:
    path = tmp_path / "ports.pcap"
    inner = ip(segment(UDP, A, B), UDP, A, B)
    ports = (4789, 8472, 6784, 8472)
    tunnels = [plain(tunnelled(inner, NODE_A, NODE_B, dport=n)).octets for n in ports]
    gpe = bytearray(plain(tunnelled(inner, NODE_A, NODE_B, dport=4790)).octets)
    gpe[42], gpe[45] = 0x0C, 3  # the P flag, Ethernet
    path.write_bytes(pcap([*tunnels, bytes(gpe)]))
    for by in ("frames", "flows"):
        result = run("extract", path, "--filter", by)
        assert "vxlan" not in result.stdout
        assert "it needs -d udp.port==6784,vxlan -d udp.port==8472,vxlan (Decode" in result.stderr
        assert run("extract", path, "--filter", by, "--frames", "1,5").stderr == ""
        assert run("extract", path, "--filter", by, "-q").stderr == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Wanted: --output FILE, or --filter"),
        (["-o", "x", "--rule", "VX999"], "no rule matches 'VX999'"),
        (["-o", "x", "--status", "bad"], "unknown status 'bad': wanted one of valid, zero"),
        (["-o", "x", "--layer", "tcp"], "unknown layer 'tcp'"),
        (["-o", "x", "--frames", "0"], "count from 1"),
        (["-o", "x", "--flow", "a"], "is no flow"),
        (["-o", "x", "--time", "a"], "is no span of time"),
        (["-o", "x.pcap", "--comment"], "wanted a name that ends in .pcapng"),
        (["-o", "x.PCAP.gz", "--comment"], "wanted a name that ends in .pcapng"),
        *(
            (["-o", f"x.pcap{end}"], f"{end} names a compression that is not written")
            for end in PACKED
        ),
        (["-o", "/nowhere/x.pcap"], "cannot write '/nowhere/x.pcap'"),
    ],
)
def test_extract_ends_with_2_where_it_cannot(
    capture: Path, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(capture.parent)
    result = run("extract", capture, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert [path.name for path in capture.parent.iterdir()] == ["in.pcap"]


def test_repair_lists_what_it_changed_and_what_it_left(capture: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.pcap"
    result = run("repair", capture, "-o", target, "--list")
    assert (result.exit_code, result.stderr) == (0, "")
    before, after = read(capture), read(target)
    lines = result.stdout.splitlines()
    assert lines[:3] == [
        f"{frame:>8}  {layer:<13} 0x{before[f'{layer}_found'][frame - 1]:04x} -> "
        f"0x{after[f'{layer}_found'][frame - 1]:04x}"
        for frame, layer in ((1, "inner_tcp"), (2, "inner_tcp"), (2, "outer_udp"))
    ]
    assert lines[3:] == [
        f"{capture} -> {target}",
        "3 checksums changed in 2 of 3 frames",
        "  outer_udp     1",
        "  inner_tcp     2",
        "Left as they were",
        "  outer_udp     1: no checksum, which is legal",
        "  inner_udp     1: no checksum, which is legal",
    ]
    assert after["outer_udp_status"].tolist() == [Status.VALID, Status.VALID, Status.ZERO]


def test_repair_prints_one_json_document(capture: Path, tmp_path: Path) -> None:
    arguments = ["repair", capture, "-o", tmp_path / "out.pcap", "--format", "json"]
    short = json.loads(run(*arguments, "--only", "inner_tcp,outer_udp").stdout)
    assert short["schema"] == "vxcsum.repair/1"
    assert (short["frames"], short["frames_changed"]) == (3, 2)
    assert list(short["changed"]) == list(LAYERS)
    assert short["left"] == [
        {"layer": "outer_udp", "reason": "no checksum, which is legal", "checksums": 1}
    ]
    assert "changes" not in short
    full = json.loads(run(*arguments, "--list", "--fill-zero").stdout)
    assert [(c["frame"], c["layer"]) for c in full["changes"]] == [
        (1, "inner_tcp"),
        (2, "inner_tcp"),
        (2, "outer_udp"),
        (3, "inner_udp"),
        (3, "outer_udp"),
    ]
    assert full["changed"]["inner_udp"] == 1
    nothing = json.loads(run(*arguments, "--list", "--only", "plain_tcp").stdout)
    assert nothing["changes"] == []


def test_repair_reads_and_writes_pipes() -> None:
    whole = pcap(frames())
    result = process("repair", "-", "-o", "-", stdin=whole)
    assert result.returncode == 0
    assert len(result.stdout) == len(whole)
    assert read(result.stdout)["inner_tcp_status"].tolist()[:2] == [Status.VALID] * 2
    assert result.stderr.startswith(b"<stdin> -> <stdout>\n3 checksums changed")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing option '--output'"),
        (["-o", "in.pcap"], "it is one of the captures"),
        (["-o", "x", "--only", "tcp"], "unknown layer 'tcp'"),
        (["-o", "."], "cannot write '.'"),
        *((["-o", f"x.pcap{end}"], "wanted .gz, or no compression") for end in PACKED),
    ],
)
def test_repair_ends_with_2_where_it_cannot(
    capture: Path, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(capture.parent)
    before = capture.read_bytes()
    result = run("repair", capture, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert [path.name for path in capture.parent.iterdir()] == ["in.pcap"]
    assert capture.read_bytes() == before


@pytest.mark.parametrize(
    ("command", "option"),
    [
        *(("analyze", option) for option in ("--select", "--ignore", "--pre-nat")),
        *(("extract", f"--{what}") for what in ("rule", "status", "layer", "pre-nat", "frames")),
        *(("extract", option) for option in ("--flow", "--time")),
        ("repair", "--only"),
    ],
)
@pytest.mark.parametrize("value", ["", " ,"])
def test_an_unset_variable_as_a_value_does_not_choose_all(
    capture: Path, command: str, option: str, value: str
) -> None:
    target = [] if command == "analyze" else ["-o", capture.parent / "out"]
    result = run(command, capture, *target, option, value)
    assert (result.exit_code, result.stdout) == (2, "")
    assert [path.name for path in capture.parent.iterdir()] == ["in.pcap"]


@pytest.mark.parametrize(
    "command", [["explain", "1"], ["extract", "-o", "x"], ["repair", "-o", "x"]]
)
def test_what_is_no_capture_ends_with_2_and_leaves_no_file(
    tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "no\x1b[31mcapture"
    (tmp_path / name).write_bytes(b"hello\n")
    result = run(command[0], name, *command[1:])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "not a capture: it is plain text" in result.stderr
    assert "\x1b" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_capture_that_ends_early_is_told_once(capture: Path, tmp_path: Path) -> None:
    capture.write_bytes(capture.read_bytes()[:-3])
    for command in (
        ["explain", capture, "1"],
        ["extract", capture, "-o", tmp_path / "a.pcap", "--rule", "VX2"],
        ["repair", capture, "-o", tmp_path / "b.pcap"],
    ):
        result = run(*command)
        assert result.exit_code == 0
        assert result.stderr.count("ends in the middle of record 3") == 1
