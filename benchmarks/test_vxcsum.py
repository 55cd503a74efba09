"""vxcsum: scan alone, `read_packets`, `analyze`, the whole process, memory, start-up, linearity."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import vxcsum
from benchmarks.data import FORMATS, KINDS
from benchmarks.peers import execute, peak
from vxcsum.capture import open_capture
from vxcsum.checksum.table import STORED_COLUMNS
from vxcsum.flow.connections import Connections
from vxcsum.packet.engine import load_engine
from vxcsum.pipeline import DEFAULT_PORTS
from vxcsum.source import open_streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.data import Capture

_SCAN_OCTETS = 100_000_000
FORMED = [(kind, "pcap") for kind in KINDS] + [("mtu", form) for form in FORMATS[1:]]


@pytest.mark.parametrize("kind", ["mtu", "small", "superframes", "imix"])
def test_scan_alone(
    kind: str,
    octets: int,
    engine: str,
    make: Callable[..., Capture],
    measure: Callable[..., None],
) -> None:
    made = make(kind, min(octets, _SCAN_OCTETS))
    scan = load_engine(engine).scan
    ports = np.zeros(65536, np.bool_)
    ports[list(DEFAULT_PORTS)] = True
    (stream,) = open_streams(made.path)
    with stream:
        blocks = [
            tuple(
                np.array(column) if column is block.octets else column
                for column in (
                    *(block.octets, block.offset, block.caplen, block.origlen),
                    *(block.linktype, block.direction),
                )
            )
            for block in open_capture(stream).blocks()
        ]

    def run() -> None:
        for block in blocks:
            scan(*block, ports)

    measure(run, made, case="scan", engine=engine, jobs=1)


@pytest.mark.parametrize("kind", KINDS)
def test_read_packets(
    kind: str,
    octets: int,
    engine: str,
    make: Callable[..., Capture],
    measure: Callable[..., None],
) -> None:
    made = make(kind, octets)
    keywords: dict[str, Any] = {"engine": engine}
    if "jobs" in inspect.signature(vxcsum.read_packets).parameters:
        keywords["jobs"] = 1
    run = lambda: vxcsum.read_packets(made.path, **keywords)  # noqa: E731
    measure(run, made, case="read_packets", engine=engine, jobs=1)


@pytest.mark.parametrize("kind", ["mtu", "small", "superframes", "imix"])
def test_flows_alone(
    kind: str,
    octets: int,
    engine: str,
    make: Callable[..., Capture],
    measure: Callable[..., None],
) -> None:
    made = make(kind, min(octets, _SCAN_OCTETS))
    tables = [
        {name: np.array(table[name]) for name in STORED_COLUMNS}
        for table in vxcsum.iter_packets(made.path, engine=engine)
    ]

    def run() -> None:
        connections = Connections(engine)
        for table in tables:
            connections.update(table)

    measure(run, made, case="flows", engine=engine, jobs=1)


@pytest.mark.parametrize(("kind", "form"), FORMED)
def test_analyze(
    kind: str,
    form: str,
    octets: int,
    engine: str,
    jobs: dict[str, int],
    make: Callable[..., Capture],
    measure: Callable[..., None],
) -> None:
    made = make(kind, octets, form)
    measure(
        lambda: vxcsum.analyze(made.path, engine=engine, **jobs),
        made,
        case="analyze" if form == "pcap" else f"analyze {form}",
        engine=engine,
        jobs=jobs.get("jobs", 1),
    )


def _command(path: object, engine: str, jobs: dict[str, int]) -> list[str]:
    command = [sys.executable, "-m", "vxcsum", "analyze", "--quiet", "--engine", engine]
    return [*command, *(["--jobs", str(jobs["jobs"])] if jobs else []), str(path)]


def test_whole_process(
    engine: str,
    jobs: dict[str, int],
    request: pytest.FixtureRequest,
    make: Callable[..., Capture],
    measure: Callable[..., None],
) -> None:
    made = make("mtu", request.config.getoption("--process-octets"))
    command = _command(made.path, engine, jobs)
    measure(lambda: execute(command), made, case="process", engine=engine, jobs=jobs.get("jobs", 1))


@pytest.mark.parametrize("octets", [10**6, 10**7, 10**8, 5 * 10**8, 2 * 10**9])
def test_time_and_memory_by_size(
    octets: int,
    engine: str,
    request: pytest.FixtureRequest,
    benchmark: Any,
    make: Callable[..., Capture],
    measure: Callable[..., None],
) -> None:
    if octets > request.config.getoption("--largest"):
        pytest.skip("larger than --largest")
    made = make("mtu", octets)
    jobs = {"jobs": 1} if "jobs" in inspect.signature(vxcsum.analyze).parameters else {}
    command = _command(made.path, engine, jobs)
    measure(lambda: execute(command), made, times=3, case="by size", engine=engine, jobs=1)
    benchmark.extra_info["peak"] = peak(command)


@pytest.mark.parametrize("what", ["import numpy", "import vxcsum", "analyze"])
def test_start_up(what: str, make: Callable[..., Capture], measure: Callable[..., None]) -> None:
    made = make("mtu", 15_000)
    command = [sys.executable, "-c", what]
    if what == "analyze":
        command = _command(made.path, "auto", {})
    measure(lambda: execute(command), made, times=9, case="start-up", what=what)
