"""The extension is built, left out or demanded, and wheels are named after what is in them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("setup.py", "pyproject.toml", "README.md", "LICENSE")

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("setuptools.command.bdist_wheel") is None,
        reason="setuptools is older than pyproject.toml asks for",
    ),
    pytest.mark.skipif(sys.implementation.name != "cpython", reason="only built for CPython"),
]

needs_compiler = pytest.mark.skipif(
    shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0]) is None,
    reason="no C compiler",
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what is needed to build, without anything that was built."""
    folder = tmp_path / "project"
    built = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__", "_*cache")
    shutil.copytree(ROOT / "vxcsum", folder / "vxcsum", ignore=built)
    for name in SOURCES:
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder)
        else:
            (folder / name).write_text("", encoding="utf-8")
    return folder


def run_setup(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    kept = {key: value for key, value in os.environ.items() if key not in ("CC", "LDSHARED")}
    return subprocess.run(
        [sys.executable, "setup.py", *arguments],
        cwd=project,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def wheel_of(project: Path, **environment: str) -> tuple[str, list[str]]:
    """Build a wheel; return its name and the compiled files and C sources in it."""
    done = run_setup(project, "bdist_wheel", "--dist-dir", "out", **environment)
    assert done.returncode == 0, done.stderr
    (wheel,) = (project / "out").glob("*.whl")
    names = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", wheel], capture_output=True, text=True, check=True
    ).stdout.split()
    return wheel.name, [name for name in names if name.endswith((".so", ".pyd", ".c", ".h"))]


@needs_compiler
def test_wheel_with_kernel(project: Path) -> None:
    name, files = wheel_of(project, VXCSUM_BUILD_KERNEL="require")
    assert len(files) == 1
    assert files[0].startswith("vxcsum/packet/_native.")
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        assert "-cp311-abi3-" in name


def test_wheel_without_compiler(project: Path) -> None:
    name, files = wheel_of(project, CC="/bin/false")
    assert name.endswith("-py3-none-any.whl")
    assert files == []


def test_skipped(project: Path) -> None:
    name, files = wheel_of(project, VXCSUM_BUILD_KERNEL="skip")
    assert name.endswith("-py3-none-any.whl")
    assert files == []


def test_without_compiler_a_warning_says_so(project: Path) -> None:
    done = run_setup(project, "build_ext", "--inplace", CC="/bin/false")
    assert done.returncode == 0
    assert "kernel not built" in done.stderr + done.stdout
    assert not list(project.rglob("_native*.so"))


def test_demanded_without_compiler(project: Path) -> None:
    arguments = {"CC": "/bin/false", "VXCSUM_BUILD_KERNEL": "require"}
    assert run_setup(project, "build_ext", "--inplace", **arguments).returncode != 0


def test_unknown_mode(project: Path) -> None:
    done = run_setup(project, "--version", VXCSUM_BUILD_KERNEL="yes")
    assert done.returncode != 0
    assert "VXCSUM_BUILD_KERNEL" in done.stderr


@needs_compiler
def test_sources_compile_without_warnings(project: Path, tmp_path: Path) -> None:
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if "gcc" not in compiler and "clang" not in compiler:
        pytest.skip(f"the flags are not those of {compiler}")
    warnings = ("-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Werror")
    include = sysconfig.get_path("include")
    stable = not sysconfig.get_config_var("Py_GIL_DISABLED")
    for abi in ([], ["-DPy_LIMITED_API=0x030B0000"])[: 1 + stable]:
        subprocess.run(
            [
                *(compiler, "-std=c11", "-O3", *warnings, *abi, "-isystem", include, "-c"),
                *(project / "vxcsum/packet/native.c", "-o", tmp_path / "native.o"),
            ],
            check=True,
        )
