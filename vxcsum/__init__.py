"""vxcsum: finds wrong checksums in VXLAN captures, names their cause, and prints the cure.

::

    report = vxcsum.analyze("node1.pcap")          verdict, findings, counts
    print(vxcsum.compare("off.pcap", "on.pcap"))   what a change brought, and whether it is safe
    packets = vxcsum.read_packets("node1.pcap")    one row per frame, NumPy columns
    for packets in vxcsum.iter_packets(...):       the same in blocks
    vxcsum.explain("node1.pcap", frame=17)         one frame, its sums in steps
    vxcsum.extract("node1.pcap", "wrong.pcap", rule="VX101")
    vxcsum.repair("node1.pcap", "right.pcap")

The floors of the house, each importing only from those above it: `vxcsum.source` (octets),
`vxcsum.capture` (frames), `vxcsum.packet` (facts), `vxcsum.checksum` (judgement), `vxcsum.rules`
(meaning), `vxcsum.report` (telling), `vxcsum.cli`.
"""

from __future__ import annotations

import importlib
import typing

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
from vxcsum.explain import explain
from vxcsum.packet.engine import kernel
from vxcsum.report.report import Report
from vxcsum.rules.model import Confidence, Finding, Severity

if typing.TYPE_CHECKING:
    from vxcsum.editing import display_filter, extract, repair
    from vxcsum.explain.explanation import Explanation

__all__ = [
    "CaptureError",
    "Confidence",
    "Explanation",
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
    "display_filter",
    "explain",
    "extract",
    "internet_checksum",
    "iter_packets",
    "kernel",
    "ones_complement_sum",
    "read_packets",
    "repair",
]

#: What is loaded when it is first asked for, by name; `import vxcsum` does not wait for it.
_ON_USE = {
    "Explanation": "vxcsum.explain.explanation",
    "display_filter": "vxcsum.editing",
    "extract": "vxcsum.editing",
    "repair": "vxcsum.editing",
}


def __getattr__(name: str) -> typing.Any:
    """Load what is loaded on use."""
    if name not in _ON_USE:
        problem = f"module 'vxcsum' has no attribute {name!r}"
        raise AttributeError(problem)
    return getattr(importlib.import_module(_ON_USE[name]), name)


def __dir__() -> list[str]:
    """Return all names, for completion."""
    return sorted({*globals(), *_ON_USE})
