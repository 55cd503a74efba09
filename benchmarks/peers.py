"""What vxcsum is measured beside: reading the file, and other tools that verify checksums."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

#: Installed packages have their bytecode, whatever the shell of a developer says.
_ENVIRONMENT = {n: v for n, v in os.environ.items() if n != "PYTHONDONTWRITEBYTECODE"}
_BUFFER = 8 << 20
_VXLAN_PORT = 4789


def run_once(path: Path) -> int:
    """Read a file through a buffer of 8 MiB: the floor. Return its octets."""
    buffer = bytearray(_BUFFER)
    total = 0
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            total += count
    return total


def sum_once(path: Path) -> int:
    """Sum the octets of a file with one `numpy.sum` over its map."""
    return int(np.sum(np.memmap(path, np.uint8, "r"), dtype=np.uint64))


def execute(command: list[str]) -> None:
    """Run a command without output; 0 and 1 (findings) are both success."""
    null = subprocess.DEVNULL
    done = subprocess.run(command, stdout=null, stderr=null, env=_ENVIRONMENT, check=False)
    if done.returncode not in (0, 1):
        raise subprocess.CalledProcessError(done.returncode, command)


#: Runs a command and prints its peak in ru_maxrss. A small process of its own does that, because a
#: child inherits the peak of the process that forked it.
_PEAK = """
import os, sys
null = os.open(os.devnull, os.O_WRONLY)
files = [(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=files)
print(os.wait4(child, 0)[2].ru_maxrss)
"""


def peak(command: list[str]) -> int:
    """Run a command and return the most octets of memory it had, mapped files included."""
    launcher = [sys.executable, "-I", "-S", "-c", _PEAK, *command]
    done = subprocess.run(launcher, capture_output=True, text=True, env=_ENVIRONMENT, check=True)
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024)


def version_of(tool: str) -> str | None:
    """Return the first line that a tool says about its version, None where it is not installed."""
    if shutil.which(tool) is None:
        return None
    said = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False)
    lines = (said.stdout + said.stderr).splitlines()
    return next((line.strip() for line in lines if "ersion" in line or tool in line.lower()), tool)


def tshark_command(path: Path) -> list[str]:
    """Return the command that makes tshark verify and print all checksums."""
    checks = [f"{name}.check_checksum:TRUE" for name in ("ip", "udp", "tcp")]
    fields = [f"{name}.checksum.status" for name in ("ip", "udp", "tcp", "icmp", "icmpv6")]
    command = ["tshark", "-n", "-r", str(path), "-T", "fields"]
    for field in fields:
        command += ["-e", field]
    for check in checks:
        command += ["-o", check]
    return command


def tcpdump_command(path: Path) -> list[str]:
    """Return the command that makes tcpdump verify and print all checksums."""
    return ["tcpdump", "-nn", "-vv", "-r", str(path)]


def dpkt_loop(path: Path) -> int:
    """Verify the outer and inner checksums of IPv4 in a loop over dpkt; return the wrong ones."""
    import dpkt

    def wrong(ip: Any) -> int:
        bad = int(dpkt.in_cksum(bytes(ip)[: ip.hl * 4]) != 0)
        segment = bytes(ip.data)
        if isinstance(ip.data, dpkt.udp.UDP) and ip.data.sum == 0:
            return bad
        pseudo = ip.src + ip.dst + bytes((0, ip.p)) + len(segment).to_bytes(2, "big")
        return bad + int(dpkt.in_cksum(pseudo + segment) != 0)

    total = 0
    with path.open("rb") as file:
        for _, octets in dpkt.pcap.Reader(file):
            outer = dpkt.ethernet.Ethernet(octets).data
            total += wrong(outer)
            if outer.data.dport == _VXLAN_PORT:
                total += wrong(dpkt.ethernet.Ethernet(outer.data.data[8:]).data)
    return total


def scapy_loop(path: Path) -> int:
    """Verify the outer and inner checksums of IPv4 in a loop over scapy; return the wrong ones."""
    from scapy.layers.inet import IP, TCP, UDP, in4_chksum
    from scapy.layers.vxlan import VXLAN
    from scapy.utils import PcapReader, checksum

    def wrong(ip: Any) -> int:
        bad = int(checksum(bytes(ip)[: ip.ihl * 4]) != 0)
        segment = ip.payload
        if isinstance(segment, UDP) and segment.chksum == 0:
            return bad
        return bad + int(in4_chksum(ip.proto, ip, bytes(segment)) != 0)

    total = 0
    with PcapReader(str(path)) as frames:
        for frame in frames:
            total += wrong(frame[IP])
            if VXLAN in frame and TCP in frame[VXLAN]:
                total += wrong(frame[VXLAN][IP])
    return total
