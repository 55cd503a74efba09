"""The notebooks run from top to bottom, and what their sentences claim is so."""

from __future__ import annotations

import ast
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = Path(__file__).parent.parent / "docs" / "notebooks"
NAMES = ("the-63-seconds", "is-offload-safe", "checksums-by-hand")


def cells(name: str) -> list[dict[str, Any]]:
    document = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    found: list[dict[str, Any]] = document["cells"]
    return found


def run(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the cells as a notebook does, in its folder; the last value of a cell is shown."""
    monkeypatch.chdir(NOTEBOOKS)
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(cells(name)):
        if cell["cell_type"] == "code":
            tree = ast.parse("".join(cell["source"]))
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            place = f"{name}, cell {number}"
            exec(compile(tree, place, "exec"), names)
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), place, "eval"), names)
                shown = getattr(value, "_repr_svg_", value.__repr__)()
                assert shown
    return names


def test_every_notebook_is_tested_and_linked() -> None:
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == set(NAMES)
    index = (NOTEBOOKS.parent / "index.md").read_text(encoding="utf-8")
    assert all(f"notebooks/{name}.ipynb" in index for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_no_output_is_kept(name: str) -> None:
    found = cells(name)
    assert len({cell["id"] for cell in found}) == len(found)
    for cell in found:
        assert cell["cell_type"] == "markdown" or cell["outputs"] == []
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    text = "".join(line for cell in cells(name) for line in cell["source"])
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (NOTEBOOKS / target).exists(), target


def test_the_63_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra plot)")
    names = run("the-63-seconds", monkeypatch)
    said = capsys.readouterr().out
    assert names["connection"]["got_through_after_seconds"] > 63
    assert "= 63\n" in said
    syns = [line for line in said.splitlines() if line.startswith("frame ")]
    assert [line.split()[-1] for line in syns] == ["invalid"] * 6 + ["zero"]
    ports = [line.split("outer port ")[1].split()[0] for line in syns]
    assert len(set(ports[:6])) == 1
    assert ports[6] not in ports[:6]
    times = [float(line.split()[2]) for line in syns]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert [gap > 30 for gap in gaps] == [False] * 5 + [True]
    assert names["evidence"]["spared_icmp_and_other"] > 0
    assert "is still wrong" not in said
    assert said.count("is right") == 2


def test_is_offload_safe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra plot)")
    names = run("is-offload-safe", monkeypatch)
    said = capsys.readouterr().out
    expected = {
        "u61bug-nat-none.snd": [],
        "u61bug-nat-timeline.snd": ["VX101"],
        "u61bug-nat-vx-tx-off.snd": [],
        "h618-k8s-clusterip.snd": [],
        "h618-udpcsum-on.snd": [],
        "h618-nat-udpcsum.snd": ["VX102"],
        "h618-nat-udpcsum-vx-tx-off.snd": [],
    }
    assert names["verdicts"] == expected
    assert (names["on"].ok, names["off"].ok) == (True, True)
    assert names["off"].layers["inner_tcp"]["partial"] == 0
    assert names["on"].layers["inner_tcp"]["partial"] > 0
    assert names["comparison"].ratio["segment_bytes_median"] > 10
    assert "NO CORRUPTION in what could be verified" in said  # frames cut at 200 octets


def test_checksums_by_hand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra plot)")
    names = run("checksums-by-hand", monkeypatch)
    said = capsys.readouterr().out
    assert "sum      2ddf0, carry added again: ddf2" in said  # the numbers of RFC 1071, section 3
    assert f"sum with port {names['old_port']}: 0xffff" in said
    assert all(32768 <= port <= 60999 for port in names["old_ports"])
    assert "VX102 True" in said
