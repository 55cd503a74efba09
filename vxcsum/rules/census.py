"""Counting frames by what they are and how their checksums fared, in one pass over the columns.

Every frame gets one small number, its *signature*; a histogram of signatures for each path answers
all questions of how many. A path is one pair of outer addresses, or all frames of a capture that
are not VXLAN.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import LAYERS, Status
from vxcsum.packet.columns import Kind
from vxcsum.packet.ip import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import I64, U64, Bool

_STATUSES = len(Status)
#: Transport of the inner (or plain) packet; NONE where there is no checksum of it.
NONE, TCP, UDP, ICMP, ICMPV6 = range(5)
TRANSPORT = (TCP, UDP)
PING = (ICMP, ICMPV6)
_CLASS = np.zeros(256, np.uint8)
_CLASS[[IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6]] = (TCP, UDP, ICMP, ICMPV6)
_CLASS_OF_PROTOCOL = {p: int(_CLASS[p]) for p in (6, 17, 1, 58)}
_VERSION = np.zeros(256, np.uint8)
_VERSION[[4, 6]] = (1, 2)

#: kind, IP version (none, 4, 6), transport, outer UDP status, inner transport status.
SHAPE = (len(Kind), 3, 5, _STATUSES, _STATUSES)
CELLS = int(np.prod(SHAPE))


def signatures(table: PacketTable) -> I64:
    """Return the signature of each frame, an index into a flat histogram of `SHAPE`."""
    inner = table["inner_l4_status"]
    transport = _CLASS[table["inner_protocol"]] * (inner != Status.ABSENT)
    code = table["kind"].astype(np.int64)
    for size, part in (
        (SHAPE[1], _VERSION[table["inner_ip_version"]]),
        (SHAPE[2], transport),
        (SHAPE[3], table["outer_udp_status"]),
        (SHAPE[4], inner),
    ):
        code *= size
        code += part
    return np.asarray(code)


def is_wrong(code: I64) -> Bool:
    """Return which signatures have an invalid transport checksum."""
    return _WRONG[code]


def _wrong_cells() -> Bool:
    cells = np.zeros(SHAPE, np.bool_)
    cells[..., Status.INVALID] = True
    cells[..., Status.INVALID, :] = True
    return cells.ravel()


_WRONG = _wrong_cells()


@dataclass(slots=True)
class Path:
    """The traffic from one outer address to another in one capture, or its plain frames."""

    histogram: I64 = field(default_factory=lambda: np.zeros(SHAPE, np.int64))
    #: Source ports that carried a small TCP or UDP packet with a right, non-zero outer checksum.
    good_ports: Bool | None = None
    echo_requests: int = 0
    echo_replies: int = 0
    #: Largest right TCP segment, in octets.
    largest_good: int = 0

    def merge(self, other: Path) -> None:
        """Add the traffic of another part of the capture."""
        self.histogram = self.histogram + other.histogram
        if other.good_ports is not None:
            mine = self.good_ports
            self.good_ports = other.good_ports if mine is None else mine | other.good_ports
        self.echo_requests += other.echo_requests
        self.echo_replies += other.echo_replies
        self.largest_good = max(self.largest_good, other.largest_good)

    @property
    def frames(self) -> int:
        """All frames of this path."""
        return int(self.histogram.sum())

    def outer(self, transports: Iterable[int], *statuses: Status) -> int:
        """Return how many frames with some inner transports have some outer UDP statuses."""
        picked = self.histogram[:, :, list(transports)][:, :, :, list(statuses)]
        return int(picked.sum())

    def inner(
        self, transports: Iterable[int], *statuses: Status, versions: Iterable[int] = (4, 6)
    ) -> int:
        """Return how many frames have some statuses of their inner (or plain) transport."""
        picked = self.histogram[:, [int(_VERSION[v]) for v in versions]]
        return int(picked[:, :, list(transports)][..., list(statuses)].sum())


def label_pairs(source: U64, destination: U64) -> tuple[I64, list[int]]:
    """Give the distinct address pairs of some rows numbers.

    Parameters
    ----------
    source, destination : uint64[n, 2]

    Returns
    -------
    labels : int64[n]
    firsts : list of int
        The first row of each pair.
    """
    key = source[:, 0] * np.uint64(0x9E3779B97F4A7C15) + source[:, 1]
    key ^= (destination[:, 0] * np.uint64(0xC2B2AE3D27D4EB4F) + destination[:, 1]) * np.uint64(
        0x165667B19E3779F9
    )
    labels = np.zeros(key.size, np.int64)
    firsts: list[int] = []
    left = np.arange(key.size)
    while left.size and len(firsts) < 16:  # a few pairs are the rule; sorting costs more
        firsts.append(int(left[0]))
        same = key[left] == key[left[0]]
        labels[left[same]] = len(firsts) - 1
        left = left[~same]
    if left.size:
        _, first, inverse = np.unique(key[left], return_index=True, return_inverse=True)
        labels[left] = inverse + len(firsts)
        firsts += left[first].tolist()
    return labels, firsts


def layer_counts(histograms: Iterable[I64], headers: I64) -> I64:
    """Return counts by layer and status.

    Parameters
    ----------
    histograms : iterable of int64[SHAPE]
    headers : int64[3, 6, 6]
        Frames by kind, outer and inner IPv4 header status.

    Returns
    -------
    int64[12, 6]
        In the order of `LAYERS`.
    """
    total = sum(histograms, np.zeros(SHAPE, np.int64))
    counts = np.zeros((len(LAYERS), _STATUSES), np.int64)
    for number, layer in enumerate(LAYERS.values()):
        if layer.slot == "outer_ip":
            counts[number] = headers[layer.kind].sum(axis=1)
        elif layer.slot == "inner_ip":
            counts[number] = headers[layer.kind].sum(axis=0)
        elif layer.slot == "outer_udp":
            counts[number] = total[layer.kind].sum(axis=(0, 1, 3))
        else:
            transport = _CLASS_OF_PROTOCOL[layer.protocol or 0]
            counts[number] = total[layer.kind, :, transport].sum(axis=(0, 1))
    counts[:, Status.ABSENT] = 0
    return counts
