"""Assertions about checksums for the tests of other projects; they need no pytest.

::

    assert_checksums_good("node1.pcap")                 no wrong checksum
    assert_no_corruption("node1.pcap")                  nothing at all of severity error
    assert_findings("node1.pcap", {"VX101": 6})         exactly these rules, in so many frames

`vxcsum.testing.strategies` has Hypothesis strategies; the pytest plugin has fixtures:
``vxcsum_analyze``, ``vxcsum_capture``, ``vxcsum_synth``, ``vxcsum_sniff``.
"""

from __future__ import annotations

from vxcsum.testing.assertions import assert_checksums_good, assert_findings, assert_no_corruption
from vxcsum.testing.recording import Recording, RecordingUnavailableError

__all__ = [
    "Recording",
    "RecordingUnavailableError",
    "assert_checksums_good",
    "assert_findings",
    "assert_no_corruption",
]
