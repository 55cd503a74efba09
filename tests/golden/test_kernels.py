"""Captures of real kernels, with and without the defect, against their truth."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

import pytest
from conftest import SHARED, manifest
from expectations import (
    check_findings,
    check_one_claim,
    check_recovered,
    kernel_layers,
    known_addresses,
)
from support import counts, diagnose, read

if TYPE_CHECKING:
    from pathlib import Path

KERNEL = manifest(SHARED / "kernel")
NETNS = manifest(SHARED / "netns")
REWRITTEN = [p for p in KERNEL if p.values[0] and p.values[0].get("pre_nat_address")] or KERNEL[:1]


@pytest.mark.parametrize("entry", KERNEL)
def test_layers_of_a_kernel_capture_equal_its_truth(
    entry: dict[str, Any], shared_captures: Path, engine: str
) -> None:
    table = read(shared_captures / "kernel" / entry["file"], engine=engine)
    assert len(table) == entry["packet_count"]
    assert counts(table) == kernel_layers(entry["truth"], table)
    assert int((table["caplen"] < table["origlen"]).sum()) == entry["truncated_frames"]


@pytest.mark.parametrize("entry", NETNS)
def test_layers_of_a_namespace_capture_equal_its_truth(
    entry: dict[str, Any], shared_captures: Path, engine: str
) -> None:
    path = shared_captures / "netns" / entry["file"]
    report = diagnose(path, engine=engine)
    assert counts(read(path, engine=engine)) == entry["truth"]
    assert {name: report.frames[name] for name in entry["frames"]} == entry["frames"]


@pytest.mark.parametrize("entry", KERNEL + NETNS)
def test_findings_of_a_kernel_capture_equal_its_truth(
    entry: dict[str, Any], shared_captures: Path
) -> None:
    folder = "kernel" if "packet_count" in entry else "netns"
    report = diagnose(shared_captures / folder / entry["file"])
    check_findings(report, entry)
    check_recovered(report, entry)
    check_one_claim(report)


@pytest.mark.parametrize("entry", REWRITTEN)
def test_pre_nat_gives_the_addresses_that_are_out_of_reach(
    entry: dict[str, Any], shared_captures: Path
) -> None:
    if not {"VX101", "VX102"} & set(entry["findings"]):
        pytest.skip("no frame of this capture is wrong")
    old = entry["pre_nat_address"]
    networks = [str(ipaddress.ip_network(f"{a}/24", strict=False)) for a in old if ":" not in a]
    networks += [str(ipaddress.ip_network(f"{a}/112", strict=False)) for a in old if ":" in a]
    report = diagnose(shared_captures / "kernel" / entry["file"], pre_nat=networks)
    check_findings(report, entry)
    assert known_addresses(report) & set(old)


@pytest.mark.parametrize("entry", KERNEL)
def test_native_and_numpy_agree_on_a_kernel_capture(
    entry: dict[str, Any], shared_captures: Path, engine: str
) -> None:
    path = shared_captures / "kernel" / entry["file"]
    one, other = read(path, engine="numpy"), read(path, engine=engine, block_octets=4096)
    for name in one:
        assert (one[name] == other[name]).all(), name
