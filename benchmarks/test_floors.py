"""The floors: what it costs to read the file, and to touch each octet once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.data import KINDS
from benchmarks.peers import run_once, sum_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.data import Capture


@pytest.mark.parametrize("kind", KINDS)
def test_reading_the_file(
    kind: str, octets: int, make: Callable[..., Capture], measure: Callable[..., None]
) -> None:
    made = make(kind, octets)
    measure(lambda: run_once(made.path), made, case="read floor")


def test_summing_its_octets(
    octets: int, make: Callable[..., Capture], measure: Callable[..., None]
) -> None:
    made = make("mtu", octets)
    measure(lambda: sum_once(made.path), made, case="numpy.sum floor")
