"""The contract of the command line."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support import (
    ICMP,
    PARTIAL,
    TCP,
    Frame,
    address,
    framed,
    ipv4,
    pcap,
    pcapng,
    plain,
    put,
    segment,
    tunnelled,
)

from vxcsum import __version__
from vxcsum.cli.main import main
from vxcsum.rules.engine import CATALOGUE

A, B = address("10.244.1.5"), address("10.244.2.5")
NODE_A, NODE_B = address("172.31.7.11"), address("172.31.7.12")
LAYERS = [
    "outer_ipv4",
    "outer_udp",
    *(f"{p}_{n}" for p in ("inner", "plain") for n in ("ipv4", "tcp", "udp", "icmp", "icmpv6")),
]
STATUSES = {"valid", "zero", "partial", "invalid", "unverifiable"}
REPORT_KEYS = {"schema", "version", "engine", "captures", "vxlan_ports", "frames", "layers"}
CAPTURE_KEYS = {
    "name",
    "container",
    "compression",
    "linktypes",
    "frames",
    "bytes",
    "snaplen",
    "complete",
    "first_timestamp",
    "last_timestamp",
}
FINDING_KEYS = {
    "rule",
    "name",
    "severity",
    "confidence",
    "title",
    "frames",
    "first_frame",
    "last_frame",
    "frame_numbers",
    "first_timestamp",
    "last_timestamp",
    "evidence",
    "explanation",
    "remedies",
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")


def packet(n: int = 0, protocol: int = TCP, value: str | int = "right") -> bytes:
    return ipv4(segment(protocol, A, B, bytes(n), sport=3000 + n, value=value), protocol, A, B)


def tunnel(n: int = 0, protocol: int = TCP, *, field: int = 0, dport: int = 8472) -> Frame:
    outer = tunnelled(
        packet(n, protocol), NODE_A, NODE_B, sport=40000 + n, value=field, dport=dport
    )
    return Frame(framed(outer))


HEALTHY = [tunnel(n) for n in range(8)] + [plain(packet(n)) for n in range(3)]
PARTIALS = [plain(packet(n, value=PARTIAL)) for n in range(4)]
CORRUPT = [tunnel(n, ICMP) for n in range(5)] + [tunnel(n, field=0xFFFF) for n in range(6)]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """healthy.pcap, partial.pcap (info), cut.pcap (warning), corrupt.pcapng (error), garbage."""
    out = tmp_path_factory.mktemp("captures")
    (out / "healthy.pcap").write_bytes(pcap(HEALTHY))
    (out / "partial.pcap").write_bytes(pcap(PARTIALS))
    (out / "cut.pcap").write_bytes(pcap(HEALTHY)[:-9])
    (out / "corrupt.pcapng").write_bytes(pcapng(CORRUPT))
    (out / "garbage").write_bytes(b"neither fish nor flesh\n" * 9)
    (out / "empty").write_bytes(b"")
    return out


def run(*arguments: object, stdin: bytes | None = None, env: Any = None) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], input=stdin, env=env)


def run_json(*arguments: object, **more: Any) -> dict[str, Any]:
    result = run("analyze", "--format", "json", *arguments, **more)
    return dict(json.loads(result.stdout))


def process(*arguments: object, **more: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "vxcsum", *map(str, arguments)],
        capture_output=True,
        timeout=60,
        check=False,
        **more,
    )


def error_line(result: Result) -> str:
    """The one line that an unreadable input gives."""
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    (line,) = result.stderr.splitlines()
    return line


# Exit status


@pytest.mark.parametrize(
    ("name", "fail_on", "status"),
    [
        ("healthy.pcap", None, 0),
        ("healthy.pcap", "info", 0),
        ("partial.pcap", None, 0),
        ("partial.pcap", "warning", 0),
        ("partial.pcap", "info", 1),
        ("cut.pcap", None, 0),
        ("cut.pcap", "warning", 1),
        ("cut.pcap", "error", 0),
        ("corrupt.pcapng", None, 1),
        ("corrupt.pcapng", "info", 1),
        ("corrupt.pcapng", "never", 0),
    ],
)
def test_the_exit_status_follows_fail_on(
    folder: Path, name: str, fail_on: str | None, status: int
) -> None:
    options = [] if fail_on is None else ["--fail-on", fail_on]
    assert run("analyze", folder / name, *options).exit_code == status


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["analyze"],
        ["analyze", "--format", "yaml", "x"],
        ["analyze", "--fail-on", "sometimes", "x"],
        ["analyze", "--engine", "steam", "x"],
        ["analyze", "--nonsense", "x"],
        ["nonsense"],
        ["rules", "VX8"],
    ],
)
def test_bad_usage_exits_with_2(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == "" or not arguments
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x", "", "+", "+0", "80.5", "+99999"])
def test_a_wrong_port_is_bad_usage(folder: Path, port: str) -> None:
    result = run("analyze", f"--port={port}", folder / "healthy.pcap")
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("hint", ["300.1.2.3", "10.0.0.0/33", "node-a", ""])
def test_a_wrong_pre_nat_address_is_bad_usage(folder: Path, hint: str) -> None:
    assert hint in error_line(run("analyze", f"--pre-nat={hint}", folder / "healthy.pcap"))


@pytest.mark.parametrize("name", ["garbage", "empty", "absent.pcap", "no*match.pcap"])
def test_what_is_no_capture_gives_one_line_and_status_2(folder: Path, name: str) -> None:
    assert name in error_line(run("analyze", folder / name))


def test_garbage_on_standard_input_gives_one_line_and_status_2() -> None:
    error_line(run("analyze", "-", stdin=b"\x00\x01\x02" * 50))
    error_line(run("analyze", "-", stdin=b""))


# Ports


def test_a_port_replaces_the_set_and_a_plus_adds_to_it(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([tunnel(1), tunnel(2, dport=4789), tunnel(3, dport=5555)]))
    default = [4789, 4790, 4866, 4867, 4876, 4877, 6784, 8472, 48879]

    def vxlan(*options: str) -> tuple[int, list[int]]:
        report = run_json(*options, path)
        return report["frames"]["vxlan"], report["vxlan_ports"]

    assert vxlan() == (2, default)
    assert vxlan("--port", "5555") == (1, [5555])
    assert vxlan("--port", "+5555") == (3, sorted([*default, 5555]))
    assert vxlan("--port", "5555", "--port", "8472") == (2, [5555, 8472])
    assert vxlan("--port", "5555,+8472") == (2, [5555, 8472])


# Selecting rules


def test_rules_are_selected_and_ignored_by_prefix(folder: Path) -> None:
    def rules(*options: str) -> set[str]:
        report = run_json(folder / "corrupt.pcapng", folder / "partial.pcap", *options)
        return {finding["rule"] for finding in report["findings"]}

    assert rules() == {"VX101", "VX201"}
    assert rules("--select", "VX1") == {"VX101"}
    assert rules("--select", "VX1,VX2") == {"VX101", "VX201"}
    assert rules("--select", "VX1", "--select", "VX2") == {"VX101", "VX201"}
    assert rules("--ignore", "VX1") == {"VX201"}
    assert rules("--select", "VX1", "--ignore", "VX101") == set()
    assert run("analyze", folder / "corrupt.pcapng", "--ignore", "VX1").exit_code == 0


@pytest.mark.parametrize("option", ["--select", "--ignore"])
def test_a_rule_that_nobody_knows_is_bad_usage(folder: Path, option: str) -> None:
    line = error_line(run("analyze", folder / "healthy.pcap", option, "VX1x"))
    assert "VX1x" in line


# JSON


def check_schema(report: dict[str, Any]) -> None:
    assert set(report) >= REPORT_KEYS | {"findings"}
    assert report["schema"] == "vxcsum.report/1"
    assert report["version"] == __version__
    assert report["engine"] in ("native", "numpy")
    for capture in report["captures"]:
        assert set(capture) >= CAPTURE_KEYS
        for key in ("first_timestamp", "last_timestamp"):
            assert capture[key] is None or TIME.fullmatch(capture[key])
    frames = report["frames"]
    assert set(frames) == {"total", "vxlan", "plain", "other", "truncated", "fragments"}
    assert frames["total"] == frames["vxlan"] + frames["plain"] + frames["other"]
    assert frames["total"] == sum(capture["frames"] for capture in report["captures"])
    assert sorted(report["layers"]) == sorted(LAYERS)
    for counts in report["layers"].values():
        assert set(counts) == STATUSES
        assert all(isinstance(number, int) for number in counts.values())
    assert sum(report["layers"]["outer_udp"].values()) == frames["vxlan"]
    for finding in report["findings"]:
        assert set(finding) >= FINDING_KEYS
        assert finding["rule"] in CATALOGUE
        assert finding["name"] == CATALOGUE[finding["rule"]].RULE.name
        assert finding["severity"] in ("info", "warning", "error")
        assert finding["confidence"] in ("possible", "likely", "confirmed")
        assert len(finding["frame_numbers"]) == min(finding["frames"], 1000)
        assert finding["frame_numbers"] == sorted(finding["frame_numbers"])
        for key in ("first_timestamp", "last_timestamp"):
            assert finding[key] is None or TIME.fullmatch(finding[key])
        for remedy in finding["remedies"]:
            assert set(remedy) >= {"when", "command"}


@pytest.mark.parametrize("name", ["healthy.pcap", "partial.pcap", "cut.pcap", "corrupt.pcapng"])
def test_the_json_report_has_the_schema_of_the_contract(folder: Path, name: str) -> None:
    check_schema(run_json(folder / name))


def test_the_json_report_says_what_the_capture_is(folder: Path) -> None:
    report = run_json(folder / "corrupt.pcapng")
    (capture,) = report["captures"]
    size = (folder / "corrupt.pcapng").stat().st_size
    assert capture["name"] == str(folder / "corrupt.pcapng")
    assert (capture["container"], capture["compression"]) == ("pcapng", None)
    assert capture["linktypes"] == ["EN10MB"]
    assert (capture["frames"], capture["bytes"], capture["complete"]) == (11, size, True)
    assert capture["first_timestamp"] == "2023-11-14T22:13:20.000000000Z"
    assert capture["last_timestamp"] == "2023-11-14T22:13:20.010000000Z"
    assert report["layers"]["outer_udp"] == {
        "valid": 0,
        "zero": 5,
        "partial": 0,
        "invalid": 6,
        "unverifiable": 0,
    }
    (finding,) = report["findings"]
    assert finding["rule"] == "VX101"
    assert finding["severity"] == "error"
    assert finding["frame_numbers"] == [6, 7, 8, 9, 10, 11]
    assert (finding["first_frame"], finding["last_frame"]) == (6, 11)
    for mapping in finding["evidence"]["mappings"]:
        assert set(mapping) >= {
            "pre_nat_source",
            "pre_nat_destination",
            "pre_nat_source_port",
            "post_nat_source",
            "post_nat_source_port",
            "frames",
        }


def test_the_snaplen_of_the_capture_is_told(tmp_path: Path) -> None:
    path = tmp_path / "short.pcap"
    path.write_bytes(pcap([frame.cut(60) for frame in HEALTHY], snaplen=60))
    report = run_json(path)
    assert report["captures"][0]["snaplen"] == 60
    assert report["frames"]["truncated"] == sum(len(f.octets) > 60 for f in HEALTHY)


def test_an_empty_capture_is_a_capture(tmp_path: Path) -> None:
    path = tmp_path / "nothing.pcap"
    path.write_bytes(pcap([]))
    report = run_json(path)
    check_schema(report)
    assert report["frames"]["total"] == 0
    assert report["captures"][0]["first_timestamp"] is None
    result = run("analyze", path)
    assert result.exit_code == 0
    assert "no checksum" in result.stdout


def test_json_is_one_document_of_text_that_can_be_printed_anywhere(folder: Path) -> None:
    result = process("analyze", "--format", "json", folder / "corrupt.pcapng")
    assert json.loads(result.stdout)["schema"] == "vxcsum.report/1"
    assert b"\x1b" not in result.stdout
    assert result.stdout.endswith(b"}\n")


# Inputs


def test_standard_input_is_read(folder: Path) -> None:
    octets = (folder / "corrupt.pcapng").read_bytes()
    result = process("analyze", "--format", "json", "-", input=octets)
    assert result.returncode == 1
    assert json.loads(result.stdout)["frames"]["total"] == len(CORRUPT)


def test_a_directory_a_glob_and_a_list_give_all_their_captures(folder: Path) -> None:
    names = ["corrupt.pcapng", "cut.pcap", "healthy.pcap", "partial.pcap"]
    everything = [str(folder / name) for name in names]
    for arguments in ([folder], everything):
        report = run_json(*arguments)
        assert [capture["name"] for capture in report["captures"]] == everything
        check_schema(report)
    globbed = run_json(f"{folder}/*.pcap")
    assert [capture["name"] for capture in globbed["captures"]] == everything[1:]


def test_a_directory_without_captures_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    assert run("analyze", tmp_path).exit_code == 2


def test_one_unreadable_input_does_not_hide_the_others(folder: Path) -> None:
    names = [folder / "healthy.pcap", folder / "garbage", folder / "corrupt.pcapng"]
    result = run("analyze", "--format", "json", *names)
    assert result.exit_code == 2
    assert "garbage" in result.stderr
    report = json.loads(result.stdout)
    assert [Path(c["name"]).name for c in report["captures"]] == ["healthy.pcap", "corrupt.pcapng"]
    assert [f["rule"] for f in report["findings"]] == ["VX101"]


def test_findings_say_which_of_several_captures_they_are_in(folder: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin.pcapng"
    twin.write_bytes((folder / "corrupt.pcapng").read_bytes())
    report = run_json(folder / "corrupt.pcapng", twin)
    assert [f["capture"] for f in report["findings"]] == [str(folder / "corrupt.pcapng"), str(twin)]


def test_a_cut_capture_is_analyzed_up_to_there_with_a_warning(folder: Path) -> None:
    result = run("analyze", "--format", "json", folder / "cut.pcap")
    assert result.exit_code == 0
    assert re.search(r"warning.*offset", result.stderr)
    report = json.loads(result.stdout)
    assert report["captures"][0]["complete"] is False
    assert report["frames"]["total"] == len(HEALTHY) - 1
    cut = (folder / "corrupt.pcapng").read_bytes()[:-9]
    assert run("analyze", "-", stdin=cut).exit_code == 1


@pytest.mark.parametrize("share", range(0, 100, 7))
def test_a_capture_cut_anywhere_never_gives_a_traceback(folder: Path, share: int) -> None:
    octets = (folder / "corrupt.pcapng").read_bytes()
    result = run("analyze", "-", stdin=octets[: len(octets) * share // 100])
    assert result.exit_code in (0, 1, 2)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.stderr


# Output


def test_results_go_to_standard_output_and_messages_to_standard_error(folder: Path) -> None:
    result = run("analyze", folder / "corrupt.pcapng", folder / "cut.pcap")
    assert "VX101" in result.stdout
    assert "warning:" not in result.stdout
    assert "VX101" not in result.stderr


def test_quiet_prints_no_report(folder: Path) -> None:
    result = run("analyze", "--quiet", folder / "corrupt.pcapng")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "")


def test_an_output_file_has_what_standard_output_would_have(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.txt"
    result = run("analyze", folder / "corrupt.pcapng", "--output", target)
    assert (result.exit_code, result.stdout) == (1, "")
    assert target.read_text("utf-8") == run("analyze", folder / "corrupt.pcapng").stdout
    assert [path.name for path in tmp_path.iterdir()] == ["report.txt"]


def test_an_output_file_appears_whole_or_not_at_all(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("before")
    assert run("analyze", folder / "garbage", "--output", target).exit_code == 2
    assert target.read_text() == "before"
    assert run("analyze", folder / "healthy.pcap", "-o", target).exit_code == 0
    assert "OK" in target.read_text("utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    line = error_line(run("analyze", folder / "healthy.pcap", "-o", tmp_path / "no" / "report"))
    assert "no/report" in line
    assert run("analyze", folder / "healthy.pcap", "-o", tmp_path).exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_healthy_capture_says_so_in_three_lines(folder: Path) -> None:
    for name in ("healthy.pcap", "partial.pcap"):
        result = run("analyze", folder / name)
        assert len(result.stdout.splitlines()) == 3
        assert result.stdout.startswith("OK")
        assert result.stderr == ""


def test_a_corrupt_capture_says_verdict_evidence_and_command_in_this_order(folder: Path) -> None:
    text = run("analyze", folder / "corrupt.pcapng").stdout
    assert text.splitlines()[0].startswith("CORRUPT")
    places = [text.index(part) for part in ("VX101", "Evidence", "ethtool -K")]
    assert places == sorted(places)


def terminal(*arguments: object, env: dict[str, str] | None = None) -> str:
    """What the command writes to a terminal."""
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    with subprocess.Popen(
        [sys.executable, "-m", "vxcsum", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**environment, "TERM": "xterm", **(env or {})},
    ) as child:
        os.close(theirs)
        out = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                more = os.read(ours, 65536)
            except OSError:  # the other end is closed: Linux says so with EIO
                break
            if not more:
                break
            out += more
        os.close(ours)
        child.wait(60)
    return out.decode()


def test_colours_are_for_terminals_that_want_them(folder: Path) -> None:
    path = folder / "corrupt.pcapng"
    assert "\x1b[" in terminal("analyze", path)
    assert "\x1b" not in terminal("analyze", path, "--no-color")
    assert "\x1b" not in terminal("analyze", path, env={"NO_COLOR": "1"})
    assert "\x1b" not in terminal("analyze", path, "--format", "json")
    assert b"\x1b" not in process("analyze", path).stdout


@pytest.mark.parametrize("command", ["analyze {} --format json", "rules", "rules VX101"])
def test_a_closed_pipe_ends_quietly(folder: Path, command: str) -> None:
    words = command.format(folder / "corrupt.pcapng").split()
    ours, theirs = os.pipe()
    os.close(ours)  # the reader is gone before the first octet
    try:
        result = subprocess.run(
            [sys.executable, "-m", "vxcsum", *words],
            stdout=theirs,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(theirs)
    assert result.stderr == b""


def test_head_ends_the_command_quietly(folder: Path) -> None:
    script = f'"{sys.executable}" -m vxcsum analyze --format json "$1" | head -1'
    result = subprocess.run(
        ["/bin/sh", "-c", script, "sh", str(folder / "corrupt.pcapng")],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (result.stdout, result.stderr) == (b"{\n", b"")


# Hostile names


@pytest.mark.parametrize(
    "name",
    ["\x1b[31mred.pcap", "two\nlines.pcap", "back\rward.pcap", "\u202egnp.pcap", "bell\a.pcap"],
)
def test_control_characters_of_a_name_are_inert(folder: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for source in ("healthy.pcap", "corrupt.pcapng", "cut.pcap", "garbage"):
        path.write_bytes((folder / source).read_bytes())
        result = run("analyze", path, path)
        for text in (result.stdout, result.stderr):
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text), source
            assert "lines.pcap" not in [line[:10] for line in text.splitlines()]
        assert "\x1b" not in run("analyze", "--format", "json", path).stdout


def test_a_name_that_is_no_text_does_not_matter(folder: Path, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\xfe.pcap"
    Path(os.fsdecode(path)).write_bytes((folder / "corrupt.pcapng").read_bytes())
    for options in ([], ["--format", "json"]):
        result = subprocess.run(
            [
                sys.executable.encode(),
                b"-m",
                b"vxcsum",
                b"analyze",
                *map(str.encode, options),
                path,
            ],
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == 1
        assert b"Traceback" not in result.stderr
        assert b"VX101" in result.stdout


def test_a_name_with_glob_characters_is_a_name_first(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a[1]*.pcap"
    path.write_bytes((folder / "healthy.pcap").read_bytes())
    assert run("analyze", path).exit_code == 0


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_the_report_can_be_written_in_any_locale(folder: Path, locale: str) -> None:
    environment = {**os.environ, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    result = process("analyze", folder / "corrupt.pcapng", env=environment)
    assert result.returncode == 1
    assert result.stderr == b""


# The rest


def test_python_dash_m_is_the_command(folder: Path) -> None:
    result = process("analyze", folder / "corrupt.pcapng")
    assert result.returncode == 1
    assert result.stdout.decode() == run("analyze", folder / "corrupt.pcapng").stdout


def test_version_and_help_are_everywhere() -> None:
    assert __version__ in run("--version").stdout
    for words in (["-h"], ["--help"], ["analyze", "-h"], ["rules", "--help"]):
        result = run(*words)
        assert result.exit_code == 0
        assert "Usage" in result.stdout


@pytest.mark.parametrize("engine", ["auto", "numpy"])
def test_an_engine_can_be_chosen(folder: Path, engine: str) -> None:
    report = run_json("--engine", engine, folder / "healthy.pcap")
    assert report["engine"] == "numpy" or engine == "auto"


def test_pre_nat_takes_addresses_and_networks(folder: Path) -> None:
    result = run(
        "analyze", folder / "corrupt.pcapng", "--pre-nat", "10.0.0.1", "--pre-nat", "fd00::/64"
    )
    assert result.exit_code == 1


def test_rules_lists_the_catalogue() -> None:
    result = run("rules")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == sorted(CATALOGUE)
    listed = json.loads(run("rules", "--format", "json").stdout)
    assert [entry["rule"] for entry in listed] == sorted(CATALOGUE)
    assert run("rules", "--format", "markdown").stdout.count("\n") == len(CATALOGUE) + 2


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_rules_prints_the_page_of_a_rule(code: str) -> None:
    page = run("rules", code).stdout
    assert page.startswith(f"# {code} {CATALOGUE[code].RULE.name}\n")
    assert "## What to do" in page
    assert json.loads(run("rules", code, "--format", "json").stdout)["page"] == page


def test_the_field_of_a_finding_is_what_is_in_the_frame(tmp_path: Path) -> None:
    path = tmp_path / "one.pcap"
    octets = tunnel(1).octets
    path.write_bytes(pcap([Frame(put(octets, 14 + 26, 0x1234))] * 3))
    report = run_json(path)
    assert report["layers"]["outer_udp"]["invalid"] == 3
    assert report["findings"]
