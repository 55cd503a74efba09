"""Which frames are meant, and which of a block or a table that are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import LAYERS, STATUSES, Status
from vxcsum.editing.parsing import Flow, Moment, joined, parse_flow, parse_frames, parse_time
from vxcsum.errors import VxcsumError
from vxcsum.packet.columns import Kind
from vxcsum.packet.protocols import IPPROTO_TCP, IPPROTO_UDP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import I64, AnyArray, Bool

_LAST = (1 << 63) - 1


@dataclass(slots=True)
class Selection:
    """What frames have to be; what is None or empty asks for nothing.

    Attributes
    ----------
    rules : tuple of str
        Codes, their beginnings, or names: frames that such a finding names.
    statuses, layers : tuple of str
        Frames with a checksum of one of the layers and one of the statuses.
    frames : list of (int, int), optional
        First and last frame of each range, in order.
    flows : tuple of Flow
    start, stop : Moment, optional
    """

    rules: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    frames: list[tuple[int, int]] | None = None
    flows: tuple[Flow, ...] = ()
    start: Moment | None = None
    stop: Moment | None = None
    #: The frames that the findings of `rules` name, in order; known after the analysis.
    named: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    _first: int | None = None

    @property
    def looks_inside(self) -> bool:
        """Whether frames have to be dissected for it."""
        return bool(self.statuses or self.layers or self.flows)

    def of_records(self, numbers: I64, timestamps: I64) -> Bool:
        """Return which frames fit by number, time and rule.

        Parameters
        ----------
        numbers, timestamps : int64[n]
            Of consecutive frames; the times in nanoseconds since 1970 UTC. The first frame ever
            asked about is the one that seconds are counted from.

        Returns
        -------
        bool[n]
        """
        chosen = np.ones(len(numbers), np.bool_)
        if self.frames is not None:
            firsts = np.array([low for low, _ in self.frames], np.int64)
            lasts = np.array([0, *(high for _, high in self.frames)], np.int64)
            chosen &= numbers <= lasts[np.searchsorted(firsts, numbers, side="right")]
        if self.rules:
            chosen &= np.isin(numbers, self.named)
        if self._first is None:
            self._first = int(timestamps[0])
        for moment, after in ((self.start, True), (self.stop, False)):
            if moment is not None:
                at_ns = moment.nanoseconds + (self._first if moment.relative else 0)
                at_ns = min(max(at_ns, -(1 << 63)), _LAST)
                chosen &= timestamps >= at_ns if after else timestamps <= at_ns
        return chosen

    def of_table(self, table: PacketTable) -> Bool:
        """Return which frames fit by status, layer and flow, ``bool[n]``."""
        chosen = np.ones(len(table), np.bool_)
        if self.statuses or self.layers:
            chosen &= self._by_status(table)
        if self.flows:
            any_flow = np.zeros(len(table), np.bool_)
            for flow in self.flows:
                any_flow |= flow_mask(table, flow)
            chosen &= any_flow
        return chosen

    def _by_status(self, table: PacketTable) -> Bool:
        wanted = [int(Status[name.upper()]) for name in self.statuses]
        fits = np.zeros(len(table), np.bool_)
        for layer in self.layers or LAYERS:
            mask = table.layer_mask(layer)
            if wanted:
                mask &= np.isin(table[f"{LAYERS[layer].slot}_status"], wanted)
            fits |= mask
        return fits


def flow_mask(table: PacketTable, flow: Flow) -> Bool:
    """Return which frames go from one end of a flow to the other, outside or inside, ``bool[n]``.

    Ports are those of TCP and UDP; a later fragment has none, and fits ``*`` alone.
    """
    protocol = table["inner_protocol"]
    ported = ((protocol == IPPROTO_TCP) | (protocol == IPPROTO_UDP)) & (
        table["inner_l4_status"] != Status.ABSENT
    )
    out = np.zeros(len(table), np.bool_)
    for level, here, with_ports in (
        ("outer", table["kind"] == Kind.VXLAN, np.ones(len(table), np.bool_)),
        ("inner", table["inner_ip_version"] > 0, ported),
    ):
        for source, destination in ((flow.one, flow.other), (flow.other, flow.one)):
            fits = here.copy()
            for end, way in ((source, "src"), (destination, "dst")):
                if end.address is not None:
                    address = np.array(end.address, np.uint64)
                    fits &= (table[f"{level}_{way}"] == address).all(axis=1)
                if end.port is not None:
                    fits &= with_ports & (table[f"{level}_{way[0]}port"] == end.port)
            out |= fits
    return out


def selection_of(
    *,
    rule: Iterable[str] | str = (),
    status: Iterable[str] | str = (),
    layer: Iterable[str] | str = (),
    frames: str | Iterable[int] | None = None,
    flow: Iterable[str] | str = (),
    time: str | None = None,
) -> Selection:
    """Return a selection from what users write; see `vxcsum.extract`.

    Raises
    ------
    VxcsumError
        A part of it that makes no sense.
    """
    statuses = _known("status", status, [each.name.lower() for each in STATUSES])
    start, stop = parse_time(time) if time is not None else (None, None)
    return Selection(
        rules=_listed(rule),
        statuses=statuses,
        layers=_known("layer", layer, list(LAYERS)),
        frames=_ranges(frames),
        flows=tuple(parse_flow(text) for text in _listed(flow)),
        start=start,
        stop=stop,
    )


def _ranges(frames: str | Iterable[int] | None) -> list[tuple[int, int]] | None:
    if frames is None or isinstance(frames, str):
        return None if frames is None else parse_frames(frames)
    numbers = [int(number) for number in frames]
    if any(number < 1 for number in numbers):
        problem = f"{min(numbers)} is no frame: they count from 1 upwards"
        raise VxcsumError(problem)
    return joined((number, number) for number in numbers)


def _listed(values: Iterable[str] | str) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)


def _known(what: str, values: Iterable[str] | str, known: Sequence[str]) -> tuple[str, ...]:
    chosen = _listed(values)
    for value in chosen:
        if value not in known:
            problem = f"unknown {what} {value!r}: wanted one of {', '.join(known)}"
            raise VxcsumError(problem)
    return chosen


def ranges_of(numbers: AnyArray) -> Iterator[tuple[int, int]]:
    """Yield ascending numbers as ranges, first and last of each."""
    if not len(numbers):
        return
    cuts = np.flatnonzero(np.diff(numbers) != 1) + 1
    firsts = np.concatenate([[0], cuts])
    lasts = np.concatenate([cuts, [len(numbers)]]) - 1
    yield from zip(numbers[firsts].tolist(), numbers[lasts].tolist(), strict=True)
