"""The captures are what they are meant to be, says tshark."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from benchmarks.data import FORMATS, KINDS, row_of
from benchmarks.peers import tshark_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.data import Capture

_OCTETS = 700_000
_GOOD, _BAD, _NOT_THERE = "1", "0", "3"


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_tshark_agrees(kind: str, form: str, make: Callable[..., Capture]) -> None:
    made = make(kind, _OCTETS, form)
    command = tshark_command(made.path)
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = told.splitlines()
    row = row_of(kind)
    frames = sum(len(slot.lengths) for slot in row)
    rows = len(lines) // frames
    assert len(lines) == made.frames == rows * frames
    words = Counter(
        word for line in lines for column in line.split("\t") for word in column.split(",")
    )
    assert words.keys() <= {_GOOD, _BAD, _NOT_THERE, ""}
    assert words[_BAD] == rows * sum(slot.fault != "" for slot in row)
    none = sum(not slot.checksum and slot.fault != "VX101" for slot in row)
    assert words[_NOT_THERE] == rows * none
