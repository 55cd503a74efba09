"""The captures that ship with the project, against their manifest."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from conftest import CAPTURES, manifest
from expectations import check_findings, check_recovered, kernel_layers
from support import counts, diagnose, read

if TYPE_CHECKING:
    from pathlib import Path

#: Real captures, those that were made for a rule (``captures/synthetic``, where it is there), and
#: those of published cases.
ENTRIES = manifest(CAPTURES)
SYNTHETIC = manifest(CAPTURES / "synthetic")
CASES = manifest(CAPTURES / "cases")


@pytest.mark.parametrize("entry", ENTRIES)
def test_layers_of_a_project_capture_equal_its_truth(
    entry: dict[str, Any], project_captures: Path, engine: str
) -> None:
    table = read(project_captures / entry["file"], engine=engine)
    expected = kernel_layers(entry["truth"], table)
    assert counts(table) == expected
    total = entry["packet_count"] if "packet_count" in entry else entry["frames"]["total"]
    assert len(table) == total


@pytest.mark.parametrize("entry", ENTRIES)
def test_findings_of_a_project_capture_equal_its_truth(
    entry: dict[str, Any], project_captures: Path, engine: str
) -> None:
    report = diagnose(project_captures / entry["file"], engine=engine)
    check_findings(report, entry)
    check_recovered(report, entry)


@pytest.mark.parametrize("entry", CASES)
def test_a_published_case_is_told_as_its_manifest_says(
    entry: dict[str, Any], project_captures: Path, engine: str
) -> None:
    path = project_captures / "cases" / entry["file"]
    report = diagnose(path, engine=engine)
    frames = {name: entry["frames"][name] for name in report.frames if name in entry["frames"]}
    assert {name: report.frames[name] for name in frames} == frames
    assert frames["total"] == entry["frames"]["total"]
    if entry.get("truth"):
        table = read(path, engine=engine)
        assert counts(table) == kernel_layers(entry["truth"], table)
    check_findings(report, entry)
    check_recovered(report, entry)
    assert report.to_text()


@pytest.mark.parametrize("entry", CASES)
def test_a_published_case_is_the_file_that_was_listed(
    entry: dict[str, Any], project_captures: Path
) -> None:
    octets = (project_captures / "cases" / entry["file"]).read_bytes()
    assert len(octets) == entry["bytes"]
    assert hashlib.sha256(octets).hexdigest() == entry["sha256"]


@pytest.mark.parametrize("entry", SYNTHETIC)
def test_findings_of_a_made_capture_equal_its_truth(
    entry: dict[str, Any], project_captures: Path, engine: str
) -> None:
    path = project_captures / "synthetic" / entry["file"]
    report = diagnose(path, engine=engine, **entry.get("options", {}))
    assert report.frames["total"] == entry["frames"]
    found: dict[str, list[int]] = {}
    for finding in report.findings:
        if finding.severity.name != "INFO" and not finding.code.startswith("VX7"):
            found[finding.code] = sorted(found.get(finding.code, []) + finding.frame_numbers)
    wanted = {c: n for c, n in entry["findings"].items() if not c.startswith("VX7")}
    assert set(found) == set(wanted)
    for code, frames in wanted.items():
        assert frames is None or found[code] == sorted(frames), code


@pytest.mark.parametrize("entry", SYNTHETIC)
def test_the_report_of_a_made_capture_can_be_told(
    entry: dict[str, Any], project_captures: Path
) -> None:
    report = diagnose(project_captures / "synthetic" / entry["file"])
    assert report.to_text()
    assert report.to_json()


def test_the_project_captures_are_small_and_listed(project_captures: Path) -> None:
    listed = set()
    for folder in (project_captures, *(project_captures / n for n in ("synthetic", "cases"))):
        path = folder / "manifest.json"
        if path.is_file():
            entries = json.loads(path.read_text("utf-8"))["captures"]
            listed |= {(folder / entry["file"]).relative_to(project_captures) for entry in entries}
    there = {
        path.relative_to(project_captures)
        for path in project_captures.rglob("*")
        if path.suffix in (".pcap", ".pcapng", ".gz", ".zst", ".xz", ".lz4")
    }
    assert there == listed
    assert sum((project_captures / name).stat().st_size for name in there) < 8_400_000


def test_the_63_second_capture_shows_six_bad_syns_and_when_the_seventh_got_through(
    project_captures: Path,
) -> None:
    name = "u61bug-k8s-clusterip-norehash.snd.pcap"
    found = sorted(project_captures.rglob(name))
    assert found, f"{name} is the capture of the README's demo"
    (finding,) = [f for f in diagnose(found[0]).findings if f.code == "VX101"]
    assert finding.frames == 6
    (connection,) = finding.evidence["connections"]
    assert connection["got_through_after_seconds"] > 60
