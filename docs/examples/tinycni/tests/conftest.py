from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from tinycni import Overlay, run

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Skip where network namespaces cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    for tool in ("ip", "iptables", "ethtool"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    probe = f"tiny{os.getpid()}"
    try:
        run(f"ip netns add {probe}")
        run(f"ip -n {probe} link add probe type vxlan id 1 dstport 8472 local 127.0.0.1")
        run(f"ip netns exec {probe} iptables -w -t nat -L")
    except OSError as error:
        pytest.skip(f"no network namespaces with VXLAN and NAT here: {error}")
    finally:
        subprocess.run(["ip", "netns", "del", probe], stderr=subprocess.DEVNULL, check=False)


@pytest.fixture
def overlay(namespaces: None) -> Iterator[Overlay]:
    with Overlay() as made:
        yield made
