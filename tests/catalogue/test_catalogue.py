"""Every rule finds what it is about, says what it recovered, and leaves look-alikes alone."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from vxcsum import TruncatedCaptureWarning, analyze
from vxcsum.rules.engine import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vxcsum import Finding, Report

FOLDER = Path(__file__).resolve().parents[2] / "captures" / "synthetic"
ENTRIES: list[dict[str, Any]] = json.loads((FOLDER / "manifest.json").read_text("utf-8"))[
    "captures"
]
EACH = pytest.mark.parametrize("entry", [pytest.param(e, id=e["file"]) for e in ENTRIES])
#: The story of a connection is no cause of a wrong checksum; it has tests of its own.
STORIES = "VX7"
MAX_OCTETS = 900_000


def diagnosis(entry: dict[str, Any], engine: str) -> Report:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TruncatedCaptureWarning)
        return analyze(FOLDER / entry["file"], engine=engine, **entry.get("options", {}))


def serious(findings: Iterable[Finding]) -> list[Finding]:
    return [f for f in findings if f.severity.name != "INFO" and not f.code.startswith(STORIES)]


def frames_by_rule(findings: Iterable[Finding]) -> dict[str, list[int]]:
    found: dict[str, set[int]] = {}
    for finding in findings:
        if not finding.code.startswith(STORIES):
            found.setdefault(finding.code, set()).update(finding.frame_numbers)
    return {code: sorted(numbers) for code, numbers in found.items()}


def agrees(found: dict[str, list[int]], wanted: dict[str, list[int] | None]) -> None:
    assert set(found) == set(wanted)
    for code, frames in wanted.items():
        assert frames is None or found[code] == frames, code


def recovered(findings: Iterable[Finding], name: str) -> set[Any]:
    """All values of one name in the evidence and its mappings."""
    values: set[Any] = set()
    for finding in findings:
        evidence = finding.evidence
        lists = (evidence.get("mappings", ()), evidence.get("identifiers", ()))
        for said in (evidence, *(entry for entries in lists for entry in entries)):
            value = said.get(name)
            values.update(value if isinstance(value, list) else [value])
    return values - {None}


@EACH
def test_a_capture_gives_exactly_its_findings(entry: dict[str, Any], engine: str) -> None:
    report = diagnosis(entry, engine)
    assert report.frames["total"] == entry["frames"]
    wanted = {c: frames for c, frames in entry["findings"].items() if not c.startswith(STORIES)}
    agrees(frames_by_rule(serious(report.findings)), wanted)
    stories = {f.code for f in report.findings if f.code.startswith(STORIES)}
    stories -= {f.code for f in report.findings if f.severity.name == "INFO"}
    assert stories == entry["findings"].keys() - wanted.keys()
    agrees(frames_by_rule(f for f in report.findings if f.severity.name == "INFO"), entry["info"])


@EACH
def test_a_capture_gives_what_was_rewritten(entry: dict[str, Any], engine: str) -> None:
    findings = serious(diagnosis(entry, engine).findings)
    for name, values in entry.get("recovered", {}).items():
        got = recovered(findings, name)
        assert got >= set(values), name
        assert name in ("candidates", "padding_octets") or got == set(values), name


@EACH
def test_confidence_follows_independent_observations(entry: dict[str, Any]) -> None:
    findings = diagnosis(entry, "auto").findings
    for code, confidence in entry.get("confidence", {}).items():
        assert {f.confidence.value for f in findings if f.code == code} == {confidence}


@EACH
def test_one_cause_gives_one_finding_and_one_frame_one_cause(entry: dict[str, Any]) -> None:
    report = diagnosis(entry, "auto")
    claimed: Counter[int] = Counter()
    places: Counter[tuple[Any, ...]] = Counter()
    for finding in report.findings:
        if finding.severity.name == "ERROR" and not finding.code.startswith(STORIES):
            claimed.update(finding.frame_numbers)
            ends = (finding.evidence.get("post_nat_source"), finding.evidence.get("destination"))
            if None not in ends:
                places[(finding.code, *ends)] += 1
    assert not [frame for frame, times in claimed.items() if times > 1]
    assert not [place for place, times in places.items() if times > 1]


def test_ping_fails_while_curl_works_and_the_opposite(engine: str) -> None:
    entries = {entry["file"]: entry for entry in ENTRIES}
    found = {
        name: {f.code: f for f in diagnosis(entries[f"{name}.pcap"], engine).findings}
        for name in ("vx303", "vx303-opposite", "vx303-receiver")
    }
    assert found["vx303"]["VX303"].severity.name == "ERROR"
    assert "VX102" in found["vx303-opposite"]
    clean = found["vx303-receiver"]["VX303"]
    assert clean.severity.name == "INFO"
    assert "receiver" in clean.explanation
    commands = " ".join(remedy.command for remedy in clean.remedies)
    for command in ("nstat", "ethtool -K eth0 rx off", "ping -s", "tcpdump"):
        assert command in commands


def test_every_rule_has_a_capture_that_triggers_it() -> None:
    proven = {code for entry in ENTRIES for code in (*entry["findings"], *entry["info"])}
    assert {code for code in CATALOGUE if not code.startswith(STORIES)} <= proven


def test_every_rule_has_two_look_alikes() -> None:
    times = Counter(code for entry in ENTRIES for code in entry.get("resembles", ()))
    few = {c: times[c] for c in CATALOGUE if times[c] < 2 and not c.startswith(STORIES)}
    assert not few


@pytest.mark.parametrize("code", [c for c in CATALOGUE if not c.startswith(STORIES)])
def test_look_alikes_are_left_alone(code: str) -> None:
    for entry in ENTRIES:
        if code in entry.get("resembles", ()):
            found = {f.code for f in diagnosis(entry, "auto").findings}
            assert code not in found, entry["file"]


def test_the_captures_of_the_pages_exist() -> None:
    there = {entry["file"] for entry in ENTRIES}
    for module in CATALOGUE.values():
        for word in (module.__doc__ or "").split():
            if word.startswith("captures/synthetic/"):
                assert word.rpartition("/")[2] in there, word


def test_the_maker_reproduces_the_captures(tmp_path: Path) -> None:
    subprocess.run([sys.executable, FOLDER / "make.py", tmp_path], check=True, capture_output=True)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {p.name: p.read_bytes() for p in FOLDER.iterdir() if p.suffix in (".pcap", ".json")}
    assert set(made) == set(kept)
    assert [name for name in made if made[name] != kept[name]] == []


def test_the_captures_are_small() -> None:
    sizes = [path.stat().st_size for path in FOLDER.glob("*.pcap")]
    assert sum(sizes) < MAX_OCTETS
