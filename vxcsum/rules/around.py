"""Frames on the paths of a finding, counted for its sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.rules.scope import TRANSPORT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vxcsum.packet.columns import I64
    from vxcsum.rules.context import Context

_EVERYTHING = (0, 1, 2, 3, 4)
_VERSIONS = {0: 0, 4: 1, 6: 2}


@dataclass(frozen=True, slots=True)
class Around:
    """All frames of some paths, as a histogram (`vxcsum.evidence.census.SHAPE`)."""

    histogram: I64

    @classmethod
    def of(cls, context: Context, rows: I64) -> Around:
        """Return what is on the paths of some suspects."""
        paths = np.unique(context.suspects["path"][rows])
        return cls(context.evidence.paths.histogram(paths.tolist()))

    @classmethod
    def of_path(cls, context: Context, number: int) -> Around:
        """Return what is on one path."""
        return cls(context.evidence.paths.histogram([number]))

    def inner(
        self,
        status: Status,
        transports: Iterable[int] = _EVERYTHING,
        versions: Iterable[int] = (0, 4, 6),
    ) -> int:
        """Return how many frames have an inner (or plain) checksum of a status."""
        picked = self.histogram[:, [_VERSIONS[v] for v in versions]]
        return int(picked[:, :, sorted(transports)][..., status].sum())

    def right(
        self, transports: Iterable[int] = _EVERYTHING, versions: Iterable[int] = (0, 4, 6)
    ) -> int:
        """Return how many frames have a right inner checksum."""
        return self.inner(Status.VALID, transports, versions)

    def wrong(self, transports: Iterable[int] = _EVERYTHING) -> int:
        """Return how many frames have a wrong inner or outer checksum."""
        return self.inner(Status.INVALID, transports) + self.outer(Status.INVALID, transports)

    def outer(self, status: Status, transports: Iterable[int] = _EVERYTHING) -> int:
        """Return how many frames have an outer UDP checksum of a status."""
        return int(self.histogram[:, :, sorted(transports)][:, :, :, status].sum())


@dataclass(frozen=True, slots=True)
class PingSpared:
    """How packets with inner ICMP, ARP and the like are outside, beside those with TCP and UDP.

    Attributes
    ----------
    zero : int
        Frames without an outer checksum.
    frames : int
        Frames with inner ICMP or none of these whose outer checksum is right, or none.
    hit : int
        Those whose outer checksum is wrong.
    """

    zero: int
    frames: int
    hit: int

    @classmethod
    def of(cls, context: Context, rows: I64) -> PingSpared:
        """Return what is on the paths of some suspects."""
        around = Around.of(context, rows)
        others = sorted(set(_EVERYTHING) - TRANSPORT)
        right = (Status.VALID, Status.PARTIAL, Status.ZERO)
        return cls(
            around.outer(Status.ZERO),
            sum(around.outer(status, others) for status in right),
            around.outer(Status.INVALID, others),
        )
