"""The examples of docs/testing.md that are no doctests, run as printed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from conftest import PROJECT

from vxcsum.testing.captures import capture_file

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = "pytester"

PAGE = PROJECT / "docs" / "testing.md"
EXAMPLE = PROJECT / "docs" / "examples" / "tinycni"


def blocks(language: str) -> list[str]:
    if not PAGE.is_file():
        return []
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    return [block for block in found if ">>>" not in block]


SUITES = [block for block in blocks("python") if "def test_" in block and "unittest" not in block]
OTHERS = [block for block in blocks("python") if block not in SUITES]


def test_the_page_has_examples_for_everybody() -> None:
    assert len(SUITES) == 3
    assert ["unittest" in block for block in OTHERS] == [True]
    assert [len(blocks(language)) for language in ("bash", "go", "yaml")] == [1, 1, 1]


@pytest.mark.parametrize("block", SUITES, ids=range(len(SUITES)))
def test_a_suite_passes_as_printed(pytester: pytest.Pytester, block: str) -> None:
    if "vxcsum_sniff" in block:
        if os.geteuid() != 0 or shutil.which("tcpdump") is None:
            pytest.skip("recording needs root and tcpdump")
        talk = (
            "import socket\n"
            "    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as pod:\n"
            "            pod.sendto(b'hello', ('127.0.0.1', 8472))"
        )
        block = block.replace('"eth0"', '"lo"').replace("...  # let pods talk", talk)
        block = block.replace("import socket\n    with", "import socket\n        with")
    pytester.makepyfile(block)
    result = pytester.runpytest("-p", "no:cacheprovider", "--strict-markers")
    outcomes = result.parseoutcomes()
    assert set(outcomes) == {"passed"}


@pytest.mark.parametrize("block", OTHERS, ids=range(len(OTHERS)))
def test_a_script_passes_as_printed(tmp_path: Path, block: str) -> None:
    path = tmp_path / "example.py"
    path.write_text(block, encoding="utf-8")
    subprocess.run([sys.executable, path], check=True, capture_output=True, timeout=120)


def _environment() -> dict[str, str]:
    scripts = os.path.dirname(sys.executable)  # noqa: PTH120
    path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
    if shutil.which("vxcsum", path=path) is None:
        pytest.skip("the command vxcsum is not installed")
    return {**os.environ, "PATH": path, "BROKEN": str(capture_file("vx101"))}


def test_the_bats_example_passes_as_printed(tmp_path: Path) -> None:
    for tool in ("bats", "jq"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    environment = _environment()
    path = tmp_path / "overlay.bats"
    path.write_text(blocks("bash")[0], encoding="utf-8")
    for name, status in (("healthy", 0), ("vx102", 1)):
        environment["CAPTURE"] = str(capture_file(name))
        result = subprocess.run(
            ["bats", path], env=environment, capture_output=True, timeout=120, check=False
        )
        assert result.returncode == status, result.stdout


def test_the_go_example_passes_as_printed(tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    environment = _environment()
    environment |= {"GOFLAGS": "-mod=mod", "GOCACHE": str(tmp_path / "cache"), "GOPROXY": "off"}
    project = tmp_path / "overlay"
    project.mkdir()
    (project / "overlay_test.go").write_text(blocks("go")[0], encoding="utf-8")
    (project / "go.mod").write_text("module overlay\n\ngo 1.19\n", encoding="utf-8")
    for name, status in (("healthy", 0), ("vx102", 1)):
        environment["CAPTURE"] = str(capture_file(name))
        result = subprocess.run(
            ["go", "test", "./..."],
            cwd=project,
            env=environment,
            capture_output=True,
            timeout=300,
            check=False,
        )
        assert result.returncode == status, result.stdout


def test_the_example_project_holds_the_defect_on_live_traffic(pytester: pytest.Pytester) -> None:
    if not EXAMPLE.is_dir():
        pytest.skip("the examples are not there")
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True)
    environment = pytest.MonkeyPatch()
    with environment.context() as patch:
        patch.setenv("PYTHONPATH", str(pytester.path))
        result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-rs")
    outcomes = result.parseoutcomes()
    if set(outcomes) == {"skipped"}:
        pytest.skip("no network namespaces with VXLAN here")
    assert outcomes == {"passed": 4}
