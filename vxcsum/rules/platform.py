"""Which platform a tunnel belongs to, told by its UDP port and VNI, and its tunnel device.

Source: fact sheet, section 6.
"""

from __future__ import annotations

from dataclasses import dataclass


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
_BY_PORT = {
    8472: Platform("Linux, flannel or Cilium", "flannel.1"),
    4789: Platform("a VXLAN on the IANA port", "vxlan.calico"),
    6784: Platform("Weave", "vxlan-6784"),
    4876: Platform("Kosmos", "vx-bridge"),
    4877: Platform("Kosmos", "vx-local"),
    4866: Platform("Kosmos", "vx-bridge-6"),
    4867: Platform("Kosmos", "vx-local-6"),
}
_UNKNOWN = Platform("a VXLAN tunnel", "vxlan0")


def platform_of(port: int, vni: int) -> Platform:
    """Return the platform that usually uses a UDP port and a VNI."""
    return _BY_PORT_AND_VNI.get((port, vni)) or _BY_PORT.get(port, _UNKNOWN)
