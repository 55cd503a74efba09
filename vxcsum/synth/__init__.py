"""Captures with a known truth, from a seed.

::

    truth = synth.write_capture("VX101", "nat.pcap")          and nat.pcap.truth.json beside it
    capture, truth = synth.make_capture("healthy", frames=20)  octets
    synth.from_scapy(packets, "mine.pcap")                     frames that you build

A scenario is a rule code, the name of a recipe, or ``healthy``. `Traffic` and `Packet` build single
packets with one place in each where a mistake can be made.

Nothing here is shared with the part of vxcsum that verifies.
"""

from __future__ import annotations

from vxcsum.synth.packet import Packet
from vxcsum.synth.scapy_frames import from_scapy
from vxcsum.synth.scenarios import SCENARIOS
from vxcsum.synth.shapes import SHAPES
from vxcsum.synth.traffic import Traffic
from vxcsum.synth.truth import Truth
from vxcsum.synth.writing import make_capture, truth_file, write_capture

__all__ = [
    "SCENARIOS",
    "SHAPES",
    "Packet",
    "Traffic",
    "Truth",
    "from_scapy",
    "make_capture",
    "truth_file",
    "write_capture",
]
