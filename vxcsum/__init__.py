"""vxcsum: finds wrong checksums in VXLAN captures, names their cause, and prints the cure.

::

    report = vxcsum.analyze("node1.pcap")          verdict, findings, counts
    print(vxcsum.compare("off.pcap", "on.pcap"))   what a change brought, and whether it is safe
    packets = vxcsum.read_packets("node1.pcap")    one row per frame, NumPy columns
    for packets in vxcsum.iter_packets(...):       the same in blocks

The floors of the house, each importing only from those above it: `vxcsum.source` (octets),
`vxcsum.capture` (frames), `vxcsum.packet` (facts), `vxcsum.checksum` (judgement), `vxcsum.rules`
(meaning), `vxcsum.report` (telling), `vxcsum.cli`.
"""

from __future__ import annotations

from vxcsum._version import __version__
from vxcsum.analysis import analyze, compare, iter_packets, read_packets
from vxcsum.checksum.algebra import internet_checksum, ones_complement_sum
from vxcsum.checksum.status import Reason, Status
from vxcsum.checksum.table import PacketTable
from vxcsum.errors import (
    CaptureError,
    MissingDependencyError,
    TruncatedCaptureWarning,
    UnknownRuleError,
    VxcsumError,
)
from vxcsum.packet.engine import kernel
from vxcsum.report.report import Report
from vxcsum.rules.base import Confidence, Finding, Severity

__all__ = [
    "CaptureError",
    "Confidence",
    "Finding",
    "MissingDependencyError",
    "PacketTable",
    "Reason",
    "Report",
    "Severity",
    "Status",
    "TruncatedCaptureWarning",
    "UnknownRuleError",
    "VxcsumError",
    "__version__",
    "analyze",
    "compare",
    "internet_checksum",
    "iter_packets",
    "kernel",
    "ones_complement_sum",
    "read_packets",
]
