"""Where ``--output`` may write, and where not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from vxcsum.cli.main import main

CAPTURE = Path(__file__).parents[2] / "captures/kernel/u61bug-k8s-clusterip-norehash.snd.pcap"
ARGUMENTS = ["analyze", "--format", "json"]


def run(*more: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [*ARGUMENTS, *more])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def test_a_dash_is_standard_output() -> None:
    status, out, _ = run("-o", "-", str(CAPTURE))
    assert status == 1
    assert json.loads(out)["schema"] == "vxcsum.report/1"


def test_a_link_stays_a_link_and_its_target_is_written(tmp_path: Path) -> None:
    target, link = tmp_path / "report.json", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    assert run("-o", str(link), str(CAPTURE))[0] == 1
    assert link.is_symlink()
    assert json.loads(target.read_text())["frames"]["total"] == 40
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "link"}


def test_a_capture_is_never_overwritten_by_its_report(tmp_path: Path) -> None:
    copy = tmp_path / "c.pcap"
    copy.write_bytes(CAPTURE.read_bytes())
    status, out, err = run("-o", str(copy), str(copy))
    assert (status, out) == (2, "")
    assert "one of the captures" in err
    assert copy.read_bytes() == CAPTURE.read_bytes()


def test_standard_input_is_not_overwritten_by_its_report(tmp_path: Path) -> None:
    copy = tmp_path / "c.pcap"
    copy.write_bytes(CAPTURE.read_bytes())
    command = [sys.executable, "-m", "vxcsum", "analyze", "-", "-o", str(copy)]
    with copy.open("rb") as source:
        done = subprocess.run(command, stdin=source, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "one of the captures" in done.stderr
    assert copy.read_bytes() == CAPTURE.read_bytes()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_that_ends_the_program_leaves_no_file(name: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    out = tmp_path / "out" / "frames.parquet"
    out.parent.mkdir()
    command = [sys.executable, "-m", "vxcsum", "analyze", "-q", "--packets", str(out), "-"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert process.stdin is not None
    while not list(out.parent.iterdir()):  # it has begun, and waits for input
        assert process.poll() is None
    process.send_signal(getattr(signal, name))
    assert process.wait(timeout=60) == 128 + getattr(signal, name)
    assert list(out.parent.iterdir()) == []
    process.stdin.close()


@pytest.mark.skipif(os.name != "posix", reason="pipes of another kind")
def test_a_pipe_that_nobody_reads_is_no_finding() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "vxcsum", "rules"]
    done = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, check=False)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("place", ["", ".", "/", "no/such/folder/report.json", "x" * 255])
def test_a_place_that_cannot_be_written_is_one_line(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = run("-o", place, str(CAPTURE))
    if place.startswith("x"):
        assert status == 1  # the longest name that a file may have
    else:
        assert status == 2
        assert err.count("\n") == 1


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert run("-o", str(pipe), str(CAPTURE))[0] == 1
    reader.join()
    assert pipe.is_fifo()
    assert json.loads(read[0])["frames"]["total"] == 40


def test_two_documents_do_not_go_to_standard_output(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["analyze", "--html", "-", str(CAPTURE)])
    assert (result.exit_code, result.stdout) == (2, "")
    for more in (["-q"], ["-o", str(tmp_path / "report.txt")]):
        result = CliRunner().invoke(main, ["analyze", "--html", "-", *more, str(CAPTURE)])
        assert result.stdout.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("option", ["--output", "--html", "--plot"])
def test_an_output_that_cannot_be_made_is_told_before_the_work(option: str, tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "out.svg", tmp_path):
        arguments = ["analyze", option, str(path), str(CAPTURE), "missing.pcap"]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2
        assert "missing.pcap" not in result.stderr


def test_rules_left_out_do_not_make_a_capture_healthy() -> None:
    result = CliRunner().invoke(main, ["analyze", "--ignore", "VX101", str(CAPTURE)])
    assert result.exit_code == 0
    assert result.stdout.startswith("NO ERROR")
    assert "6 invalid checksums, whose rules were left out." in result.stdout
    assert "NO ERROR" not in CliRunner().invoke(main, ["analyze", str(CAPTURE)]).stdout
