"""Two nodes with a VXLAN tunnel between them, in network namespaces.

Needs root, iproute2, iptables and ethtool.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

PORT = 8472
UNDERLAY = ("172.31.7.11", "172.31.7.12")
PODS = ("10.244.1.1", "10.244.1.2")
DEVICE = "tiny.1"

_SERVER = """
import socket, sys
with socket.create_server(("0.0.0.0", 8080)) as server:
    print("ready", flush=True)
    connection, _ = server.accept()
    with connection:
        connection.sendall(connection.recv(1000)[::-1])
"""
_CLIENT = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], 8080), timeout=2) as connection:
        connection.sendall(b"hello")
        sys.exit(connection.recv(1000) != b"olleh")
except OSError:
    sys.exit(1)
"""
_PING = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as ping:
    ping.settimeout(2)
    ping.sendto(bytes.fromhex("0800 f7f7 0007 0001"), (sys.argv[1], 0))
    try:
        while ping.recv(1000)[20:21] != b"\\0":
            pass
    except OSError:
        sys.exit(1)
"""


class Overlay:
    """A tunnel between two nodes, each a network namespace with one pod address."""

    def __init__(self, *, outer_checksum: bool = True) -> None:
        self.nodes = tuple(f"tiny{os.getpid()}{side}" for side in "ab")
        self._outer_checksum = outer_checksum

    def __enter__(self) -> Self:
        try:
            self._create()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for node in self.nodes:
            subprocess.run(["ip", "netns", "del", node], stderr=subprocess.DEVNULL, check=False)

    def _create(self) -> None:
        a, b = self.nodes
        for node in self.nodes:
            run(f"ip netns add {node}")
        run(f"ip link add eth0 netns {a} type veth peer name eth0 netns {b}")
        checksum = "udpcsum" if self._outer_checksum else "noudpcsum"
        for side, node in enumerate(self.nodes):
            here, there = UNDERLAY[side], UNDERLAY[1 - side]
            run(f"ip -n {node} addr add {here}/24 dev eth0")
            run(f"ip -n {node} link set eth0 up")
            # The veth pair is the wire: what passes it is finished, as behind a network card.
            self.on(node, "ethtool -K eth0 tx off")
            run(
                f"ip -n {node} link add {DEVICE} type vxlan id 1 dstport {PORT}"
                f" local {here} remote {there} dev eth0 {checksum}"
            )
            run(f"ip -n {node} addr add {PODS[side]}/24 dev {DEVICE}")
            run(f"ip -n {node} link set {DEVICE} up")

    def on(self, node: str, command: str) -> None:
        """Run a command on a node."""
        run(f"ip netns exec {node} {command}")

    def masquerade(self) -> None:
        """Translate what leaves the first node, the tunnel's packets among it."""
        rule = "POSTROUTING -o eth0 -p udp -j MASQUERADE --random-fully"
        self.on(self.nodes[0], f"iptables -w -t nat -A {rule}")

    def checksum_offload(self, state: str) -> None:
        """Switch the offload of the tunnel's device ``on`` or ``off``."""
        for node in self.nodes:
            self.on(node, f"ethtool -K {DEVICE} tx-checksum-ip-generic {state}")

    def ping(self) -> bool:
        """Tell whether the first pod reaches the second by ICMP."""
        return self._python(_PING, PODS[1])

    def connect(self) -> bool:
        """Tell whether the first pod gets an answer over TCP from the second."""
        command = ["ip", "netns", "exec", self.nodes[1], sys.executable, "-c", _SERVER]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            connected = self._python(_CLIENT, PODS[1])
            server.kill()
        return connected

    def _python(self, script: str, *arguments: str) -> bool:
        """Run a script on the first node, and tell whether it ends well."""
        command = ["ip", "netns", "exec", self.nodes[0], sys.executable, "-c", script, *arguments]
        return subprocess.run(command, check=False).returncode == 0


def run(command: str) -> None:
    """Run a command; its words say why, where it fails."""
    result = subprocess.run(command.split(), capture_output=True, text=True, check=False)
    if result.returncode:
        problem = f"{command}: {result.stderr.strip() or result.stdout.strip()}"
        raise OSError(problem)
