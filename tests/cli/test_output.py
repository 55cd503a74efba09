"""Where ``--output`` may write, and where not."""

from __future__ import annotations

import json
import os
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


def test_rules_left_out_do_not_make_a_capture_healthy() -> None:
    result = CliRunner().invoke(main, ["analyze", "--ignore", "VX101", str(CAPTURE)])
    assert result.exit_code == 0
    assert result.stdout.startswith("NO ERROR")
    assert "6 invalid" in result.stdout
