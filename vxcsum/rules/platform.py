"""Which platform a tunnel belongs to, told by its UDP port and VNI, and what cures its packets.

Source: fact sheet, section 6.
"""

from __future__ import annotations

from dataclasses import dataclass

from vxcsum.rules.model import Remedy


@dataclass(frozen=True, slots=True)
class Platform:
    """A guess at who made a tunnel, and what its device is called there."""

    name: str
    device: str


_BY_PORT_AND_VNI = {
    (8472, 1): Platform("flannel, k3s or RKE2", "flannel.1"),
    (4789, 4096): Platform("Calico", "vxlan.calico"),
    (4876, 54): Platform("Kosmos", "vx-bridge"),
    (4877, 55): Platform("Kosmos", "vx-local"),
    (4866, 64): Platform("Kosmos", "vx-bridge-6"),
    (4867, 65): Platform("Kosmos", "vx-local-6"),
}
_PORT_NAMES = {
    8472: "Linux, flannel or Cilium",
    4789: "a VXLAN on the IANA port",
    4790: "VXLAN-GPE",
    6784: "Weave",
    4876: "Kosmos",
    4877: "Kosmos",
    4866: "Kosmos",
    4867: "Kosmos",
    48879: "Cisco ACI",
}
#: To be filled in by the reader; ``ip -d link show type vxlan`` lists the devices.
DEVICE = "DEVICE"


def platform_of(port: int, vni: int) -> Platform:
    """Return the platform that usually uses a UDP port and a VNI."""
    known = _BY_PORT_AND_VNI.get((port, vni))
    return known or Platform(_PORT_NAMES.get(port, "a VXLAN tunnel"), DEVICE)


def offload_off(platform: Platform) -> tuple[Remedy, ...]:
    """Return how to have the sending node compute its checksums in software."""
    return (
        *find_device(platform),
        Remedy(
            f"on the sending node, at once ({platform.name})",
            f"ethtool -K {platform.device} tx-checksum-ip-generic off",
            "costs throughput: checksums in software, no segmentation offload over the tunnel",
        ),
        Remedy(
            "to keep it over reboots",
            'echo \'SUBSYSTEM=="net", ACTION=="add|change|move", '
            f'ENV{{INTERFACE}}=="{platform.device}", '
            f'RUN+="/usr/sbin/ethtool -K {platform.device} tx-checksum-ip-generic off"\' '
            "> /etc/udev/rules.d/90-vxlan-checksum.rules",
        ),
    )


def without_nat(port: int) -> Remedy:
    """Return how to keep the packets of a tunnel out of NAT."""
    return Remedy(
        "the tunnel needs no NAT",
        f"iptables -t nat -I POSTROUTING 1 -p udp --dport {port} -j ACCEPT",
        "first make sure that no NAT of the tunnel is wanted",
    )


def find_device(platform: Platform) -> tuple[Remedy, ...]:
    """Return how to find the tunnel device, where its name is not known."""
    if platform.device != DEVICE:
        return ()
    return (Remedy(f"find the tunnel's {DEVICE} on the node", "ip -d link show type vxlan"),)
