"""Other tools doing the same verification, on a slice where they are slow."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from benchmarks import peers

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.data import Capture

TOOLS = {"tshark": peers.tshark_command, "tcpdump": peers.tcpdump_command}
LOOPS = {"dpkt": (peers.dpkt_loop, 3_000_000), "scapy": (peers.scapy_loop, 500_000)}


@pytest.mark.parametrize("kind", ["mtu", "small"])
@pytest.mark.parametrize("tool", TOOLS)
def test_tool(
    tool: str,
    kind: str,
    octets: int,
    make: Callable[..., Capture],
    measure: Callable[..., None],
) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    slice_octets = {("tshark", "mtu"): 60_000_000, ("tshark", "small"): 6_000_000}
    made = make(kind, min(octets, slice_octets.get((tool, kind), 60_000_000)))
    command = TOOLS[tool](made.path)
    measure(lambda: peers.execute(command), made, times=3, case="peer", tool=tool)


@pytest.mark.parametrize("kind", ["mtu", "small"])
@pytest.mark.parametrize("tool", LOOPS)
def test_loop(
    tool: str, kind: str, make: Callable[..., Capture], measure: Callable[..., None]
) -> None:
    pytest.importorskip(tool)
    loop, slice_octets = LOOPS[tool]
    made = make(kind, slice_octets if kind == "mtu" else slice_octets // 10)
    assert loop(made.path) == 0
    measure(lambda: loop(made.path), made, times=3, case="peer", tool=tool)
