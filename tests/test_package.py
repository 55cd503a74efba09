"""The package as its users import it."""

from __future__ import annotations

import doctest
import importlib
import importlib.metadata
import inspect
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from conftest import PROJECT
from support import address, ipv4, pcap, plain, segment

import vxcsum

HEAVY = {"click", "rich", "pyarrow", "pandas", "polars", "matplotlib", "scapy", "fsspec", "lz4"}
#: Each takes milliseconds, and what needs them is rare: they are imported where it happens.
SLOW_TO_LOAD = {
    *("concurrent.futures", "difflib", "glob", "ipaddress", "json", "lzma", "numpy.ma"),
    *("numpy.typing", "pathlib", "tempfile", "zlib"),
}
PROMISED = {
    "CaptureError",
    "PacketTable",
    "Report",
    "TruncatedCaptureWarning",
    "analyze",
    "internet_checksum",
    "iter_packets",
    "kernel",
    "ones_complement_sum",
    "read_packets",
}
A, B = address("10.0.0.1"), address("10.0.0.2")
CAPTURE = pcap([plain(ipv4(segment(6, A, B, bytes(n)), 6, A, B)) for n in range(5)])


def modules() -> list[str]:
    names = [m.name for m in pkgutil.walk_packages(vxcsum.__path__, "vxcsum.")]
    compiled = ("_native", ".native", "__main__")
    return sorted(name for name in names if not name.endswith(compiled))


def python(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return result.stdout


def test_all_is_sorted_as_ruff_sorts_and_complete() -> None:
    public = {
        name
        for name, value in vars(vxcsum).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name != "annotations"
    }
    assert set(vxcsum.__all__) == public | {"__version__"} | set(vxcsum._ON_USE)
    assert all(getattr(vxcsum, name) is not None for name in vxcsum._ON_USE)
    assert list(vxcsum.__all__) == sorted(vxcsum.__all__)
    assert len(set(vxcsum.__all__)) == len(vxcsum.__all__)
    assert set(vxcsum.__all__) >= PROMISED


def test_importing_the_package_imports_nothing_heavy() -> None:
    loaded = python("import sys, vxcsum; print('\\n'.join(sys.modules))")
    assert not HEAVY & {name.split(".")[0] for name in loaded.splitlines()}


def test_reading_and_analyzing_imports_nothing_heavy(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(CAPTURE)
    code = f"""
import sys, vxcsum
report = vxcsum.analyze({str(path)!r})
report.to_json(), str(report), vxcsum.read_packets({str(path)!r})
print('\\n'.join(sys.modules))
"""
    assert not HEAVY & {name.split(".")[0] for name in python(code).splitlines()}


def test_analyzing_a_healthy_capture_loads_only_what_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(CAPTURE)
    code = f"""
import sys, numpy
before = set(sys.modules)
import vxcsum
str(vxcsum.analyze({str(path)!r}))
print(vxcsum.kernel, *sorted(set(sys.modules) - before))
"""
    kernel, *loaded = python(code).split()
    assert "vxcsum.evidence.evidence" in loaded
    assert not SLOW_TO_LOAD & set(loaded)
    assert ("vxcsum.packet.vectorized" in loaded) is (kernel == "numpy")


def test_every_command_works_without_optional_libraries(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        f"for name in {sorted(HEAVY - {'click', 'rich'})}: sys.modules[name] = None\n"
        "from click.testing import CliRunner\n"
        "from vxcsum.cli.main import main\n"
        "for command in main.list_commands(None):\n"
        "    result = CliRunner().invoke(main, [command, '--help'])\n"
        "    assert result.exit_code == 0, (command, result.output)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=60)


def test_the_version_is_the_one_of_the_distribution() -> None:
    assert vxcsum.__version__.count(".") == 2
    try:
        distribution = importlib.metadata.version("vxcsum")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("vxcsum is not installed, it is imported from the checkout")
    assert distribution == vxcsum.__version__


def test_the_package_is_typed() -> None:
    assert (Path(vxcsum.__file__).parent / "py.typed").is_file()
    for name in vxcsum.__all__:
        value = getattr(vxcsum, name)
        if inspect.isfunction(value):
            hints = inspect.signature(value)
            assert hints.return_annotation is not inspect.Signature.empty, name


@pytest.mark.parametrize("name", vxcsum.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    value = getattr(vxcsum, name)
    if not isinstance(value, str):
        assert inspect.getdoc(value)


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings_are_right(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


def test_there_are_examples_to_be_right() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [t for n in modules() for t in finder.find(importlib.import_module(n)) if t.examples]
    assert len(found) >= 2


def test_floors_import_only_from_the_floors_above_them() -> None:
    pytest.importorskip("importlinter", reason="import-linter is not installed")
    assert "[tool.importlinter]" in (PROJECT / "pyproject.toml").read_text("utf-8")
    result = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout


# The functions


def test_analyze_gives_the_same_for_every_kind_of_source(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(CAPTURE)
    with path.open("rb") as file:
        sources = [path, str(path), [path], CAPTURE, bytearray(CAPTURE), memoryview(CAPTURE), file]
        layers = [vxcsum.analyze(source).layers for source in sources]
    assert all(each == layers[0] for each in layers)
    assert layers[0]["plain_tcp"]["valid"] == 5
    assert vxcsum.analyze([path, path]).layers["plain_tcp"]["valid"] == 10


def test_a_report_is_data() -> None:
    report = vxcsum.analyze(CAPTURE)
    assert report.ok
    assert report.findings == []
    assert report.to_dict()["frames"] == report.frames
    assert "5" in repr(report)
    assert str(report).startswith("OK")


def test_what_is_no_capture_raises_a_capture_error(tmp_path: Path) -> None:
    for source in (b"", b"no capture", tmp_path / "absent", str(tmp_path / "*"), 42):
        with pytest.raises(vxcsum.CaptureError):
            vxcsum.analyze(source)
    assert issubclass(vxcsum.CaptureError, ValueError)


def test_a_cut_capture_warns_and_is_read_up_to_there() -> None:
    with pytest.warns(vxcsum.TruncatedCaptureWarning, match="offset"):
        packets = vxcsum.read_packets(CAPTURE[:-1])
    assert len(packets) == 4


@pytest.mark.parametrize(
    "wrong", [{"ports": [0]}, {"ports": [65536]}, {"engine": "steam"}, {"pre_nat": ["x"]}]
)
def test_misuse_is_an_error_of_the_package(wrong: dict[str, object]) -> None:
    with pytest.raises(vxcsum.VxcsumError):
        vxcsum.analyze(CAPTURE, **wrong)  # type: ignore[arg-type]


def test_read_packets_has_a_row_per_frame_and_iter_packets_the_same_in_blocks() -> None:
    whole = vxcsum.read_packets(CAPTURE)
    assert len(whole) == 5
    assert whole["frame_number"].tolist() == [1, 2, 3, 4, 5]
    assert sum(len(block) for block in vxcsum.iter_packets(CAPTURE)) == 5
    empty = vxcsum.read_packets(CAPTURE[:24])
    assert len(empty) == 0
    assert set(empty) == set(whole)
    for name in whole:
        assert empty[name].dtype == whole[name].dtype, name


def test_a_table_is_a_mapping_of_columns_and_can_be_cut_by_rows() -> None:
    table = vxcsum.read_packets(CAPTURE)
    assert len(table[1:3]) == 2
    assert len(table[-1]) == 1
    assert table[-1]["frame_number"].tolist() == [5]
    assert table[table["caplen"] > 56]["frame_number"].tolist() == [4, 5]
    assert "plain_tcp_status" in table
    assert set(table.keys()) == set(table)
    with pytest.raises(KeyError):
        table["nonsense"]
    for layer in ("outer_udp", "inner_tcp", "plain_tcp", "plain_icmpv6"):
        for what in ("found", "expected", "residual", "pseudo", "status", "reason"):
            assert len(table[f"{layer}_{what}"]) == 5


def test_columns_that_are_promised_are_there() -> None:
    table = vxcsum.read_packets(CAPTURE)
    promised = (
        "frame_number timestamp interface linktype caplen origlen direction outer_src outer_dst "
        "outer_sport outer_dport outer_ip_version outer_ttl outer_length vni vlan inner_src "
        "inner_dst inner_sport inner_dport inner_protocol inner_ip_version tcp_flags tcp_seq "
        "inner_length"
    )
    assert set(promised.split()) <= set(table)
