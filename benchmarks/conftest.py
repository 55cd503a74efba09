"""Options and fixtures of the benchmarks; ``pytest`` alone does not collect them."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

import vxcsum
from benchmarks.data import Capture, capture, size_of
from benchmarks.peers import run_once
from vxcsum.packet.engine import load_engine

if TYPE_CHECKING:
    from collections.abc import Callable

JOBS = (1, 2)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Sizes of the captures."""
    group = parser.getgroup("vxcsum benchmarks")
    group.addoption("--octets", type=size_of, default=200_000_000, help="of each capture (200M)")
    group.addoption("--process-octets", type=size_of, default=600_000_000, help="(600M)")
    group.addoption("--largest", type=size_of, default=2_000_000_000, help="for linearity (2G)")
    group.addoption("--times", type=int, default=5, help="rounds of each measurement (5)")


@pytest.fixture
def octets(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--octets"))


@pytest.fixture(params=["native", "numpy"])
def engine(request: pytest.FixtureRequest) -> str:
    try:
        load_engine(request.param)
    except vxcsum.VxcsumError as error:
        pytest.skip(str(error))
    return str(request.param)


@pytest.fixture(params=JOBS, ids=lambda jobs: f"jobs{jobs}")
def jobs(request: pytest.FixtureRequest, engine: str) -> dict[str, int]:
    """The argument ``jobs=``, where this version has it."""
    if "jobs" in inspect.signature(vxcsum.analyze).parameters:
        return {"jobs": request.param}
    if request.param > 1:
        pytest.skip("this version has no jobs=")
    return {}


@pytest.fixture
def measure(benchmark: Any, request: pytest.FixtureRequest) -> Callable[..., None]:
    """Time a function over a capture, and note what the report needs to know."""
    rounds = int(request.config.getoption("--times"))

    def run(call: Callable[[], Any], of: Capture, *, times: int = rounds, **labels: Any) -> None:
        run_once(of.path)  # into the page cache
        benchmark.extra_info.update(
            labels, kind=of.kind, file=of.path.name, octets=of.octets, frames=of.frames
        )
        benchmark.pedantic(call, rounds=times, iterations=1, warmup_rounds=min(1, times - 1))

    return run


@pytest.fixture
def make() -> Callable[..., Capture]:
    return capture
