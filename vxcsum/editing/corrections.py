"""What the checksums of a table should be: columns in, a list of changes out.

An inner checksum is covered by the outer one, so the inner ones come first and the outer one
follows them, by ones-complement arithmetic alone: no octet is looked at. With an inner checksum
that stays unfinished the outer one is that of the finished packet (local checksum offload; fact
sheet, section 1.3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.algebra import MODULUS, may_be_all_zero
from vxcsum.checksum.status import LAYERS, Reason, Status
from vxcsum.packet.columns import Coverage, Kind
from vxcsum.packet.protocols import IPPROTO_TCP, IPPROTO_UDP, UDP_TUNNEL_PORTS, VXLAN_RCO

if TYPE_CHECKING:
    from collections.abc import Collection

    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import I64, AnyArray, Bool

#: One row per checksum that changes; ``layer`` counts in `LAYERS`, ``offset`` from the frame's
#: start. The offset of an IP header is not among the columns: it is -1 until the octets are there.
CHANGE_DTYPE = np.dtype(
    [("frame", "i8"), ("layer", "u1"), ("offset", "i8"), ("old", "u2"), ("new", "u2")]
)
_NAMES = list(LAYERS)
#: Why a checksum that is not right, or cannot be known to be, was left as it is.
WHY = {
    Reason.TRUNCATED: "cut short by the snaplen",
    Reason.FRAGMENT: "fragments are missing",
    Reason.MALFORMED: "malformed",
}
NO_CHECKSUM = "no checksum, which is legal"
REMOTE = "unfinished on purpose (remote checksum offload)"
STALE = "covers what was repaired, and was not to be touched"
ELSEWHERE = "the field, or one that it covers, is in another fragment"


@dataclass(slots=True)
class Left:
    """How many checksums were left alone, by layer and reason."""

    counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, table: PacketTable, slot: str, mask: Bool, why: str) -> None:
        """Count the rows of a mask by their layer."""
        if not mask.any():
            return
        numbers = np.bincount(_layer_numbers(table, slot)[mask], minlength=len(_NAMES))
        for number in np.flatnonzero(numbers):
            self.one(_NAMES[number], why, int(numbers[number]))

    def one(self, layer: str, why: str, count: int = 1) -> None:
        """Count some of one layer."""
        self.counts[layer, why] = self.counts.get((layer, why), 0) + count


def _layer_numbers(table: PacketTable, slot: str) -> I64:
    """Return the layer of each row's checksum in a slot, as its place in `LAYERS`; -1: none."""
    numbers = np.full(len(table), -1, np.int64)
    for number, layer in enumerate(LAYERS.values()):
        if layer.slot == slot:
            numbers[table.layer_mask(layer.name)] = number
    return numbers


@dataclass(slots=True)
class _Slot:
    """The checksums of one slot: which are asked for, and what they come to."""

    name: str
    layer: I64
    asked: Bool
    status: AnyArray
    coverage: AnyArray
    found: I64
    residual: I64

    @classmethod
    def of(cls, table: PacketTable, name: str, layers: Collection[str]) -> _Slot:
        layer = _layer_numbers(table, name)
        wanted = np.array([layer_name in layers for layer_name in _NAMES] + [False])
        return cls(
            name,
            layer,
            wanted[layer],
            table[f"{name}_status"],
            table[f"{name}_coverage"],
            table[f"{name}_found"].astype(np.int64),
            table[f"{name}_residual"].astype(np.int64),
        )

    def have(self, status: Status) -> Bool:
        """Return where a checksum that is asked for has a status."""
        return np.asarray(self.asked & (self.status == status))

    @property
    def minus_zero(self) -> Bool:
        """Where a checksum holds 0xffff for 0: right, but not for those who compare (VX402)."""
        return np.asarray(self.have(Status.VALID) & (self.found == MODULUS))

    def changes(self, table: PacketTable, fix: Bool, residual: I64, ones: Bool) -> AnyArray:
        """Return the changes that take a residual out of the rows of a mask; `ones`: 0 is -0."""
        rows = np.flatnonzero(fix)
        out = np.zeros(rows.size, CHANGE_DTYPE)
        out["frame"] = table["frame_number"][rows]
        out["layer"] = self.layer[rows]
        out["old"] = self.found[rows]
        new = (self.found[rows] - residual[rows]) % MODULUS
        out["new"] = np.where((new == 0) & ones[rows], MODULUS, new)
        if self.name == "outer_udp":
            out["offset"] = table["outer_udp_offset"][rows].astype(np.int64) + 6
        elif self.name == "inner_l4":
            protocol = table["inner_protocol"][rows]
            place = np.where(protocol == IPPROTO_TCP, 16, np.where(protocol == IPPROTO_UDP, 6, 2))
            out["offset"] = table["inner_l4_offset"][rows].astype(np.int64) + place
        else:
            out["offset"] = -1
        return out


def corrections(
    table: PacketTable,
    layers: Collection[str],
    left: Left,
    *,
    fill_zero: bool,
    ports: Collection[int],
) -> AnyArray:
    """Return what makes the checksums of a table right.

    Parameters
    ----------
    table : PacketTable
    layers : collection of str
        The layers to repair.
    left : Left
        Is told what is left alone.
    fill_zero : bool
        Whether legal UDP checksums of 0 are computed, too.
    ports : collection of int
        UDP ports of VXLAN.

    Returns
    -------
    CHANGE_DTYPE[n]
        By frame.
    """
    slots = {name: _Slot.of(table, name, layers) for name in ("outer_ip", "inner_ip", "inner_l4")}
    never = np.zeros(len(table), np.bool_)
    out = []
    for name in ("outer_ip", "inner_ip"):
        slot = slots[name]
        wrong = slot.have(Status.INVALID) | slot.minus_zero
        out.append(slot.changes(table, wrong, slot.residual, never))
        _unverifiable(table, slot, left)
    inner = slots["inner_l4"]
    fixed = _inner(table, inner, left, fill_zero=fill_zero, ports=ports)
    ones = np.asarray((table["inner_protocol"] == IPPROTO_UDP) | may_be_all_zero(table))
    fixed |= inner.minus_zero & ~ones
    out.append(inner.changes(table, fixed, inner.residual, ones))
    header = slots["inner_ip"]
    moved = np.where(header.have(Status.INVALID), header.residual, 0)
    out.append(_outer(table, layers, left, inner, fixed, moved, fill_zero=fill_zero))
    changes = np.concatenate(out)
    changes = changes[changes["old"] != changes["new"]]
    in_order: AnyArray = changes[np.argsort(changes["frame"], kind="stable")]
    return in_order


def _unverifiable(table: PacketTable, slot: _Slot, left: Left) -> None:
    reason = table[f"{slot.name}_reason"]
    for number, why in WHY.items():
        left.add(table, slot.name, slot.have(Status.UNVERIFIABLE) & (reason == number), why)


def _incomplete(table: PacketTable, slot: _Slot, left: Left, mask: Bool) -> None:
    """Note unfinished or missing checksums that cannot be computed, as octets are not there."""
    for coverage, reason in (
        (Coverage.TRUNCATED, Reason.TRUNCATED),
        (Coverage.FRAGMENT, Reason.FRAGMENT),
        (Coverage.MALFORMED, Reason.MALFORMED),
    ):
        left.add(table, slot.name, mask & (slot.coverage == coverage), WHY[reason])


def _inner(
    table: PacketTable, slot: _Slot, left: Left, *, fill_zero: bool, ports: Collection[int]
) -> Bool:
    """Return whose inner (or plain) transport checksum is to be computed."""
    complete = slot.coverage == Coverage.COMPLETE
    remote = slot.have(Status.PARTIAL) & ((table["vxlan_flags"] & VXLAN_RCO) != 0)
    unfinished = slot.have(Status.PARTIAL) & ~remote
    tunnels = [*UDP_TUNNEL_PORTS, *ports]
    illegal = (table["inner_ip_version"] == 6) & ~np.isin(table["inner_dport"], tunnels)
    zero = slot.have(Status.ZERO)
    empty = zero if fill_zero else zero & illegal
    _unverifiable(table, slot, left)
    left.add(table, slot.name, remote, REMOTE)
    left.add(table, slot.name, zero & ~empty, NO_CHECKSUM)
    _incomplete(table, slot, left, unfinished | empty)
    return np.asarray((slot.have(Status.INVALID) | unfinished | empty) & complete)


def _outer(
    table: PacketTable,
    layers: Collection[str],
    left: Left,
    inner: _Slot,
    fixed: Bool,
    header: I64,
    *,
    fill_zero: bool,
) -> AnyArray:
    """Return the changes of outer UDP checksums, over the inner packets as they will be.

    Parameters
    ----------
    fixed : bool[n]
        Whose inner transport checksum is repaired.
    header : int64[n]
        Residuals of the inner IPv4 headers that are repaired, else 0.
    """
    slot = _Slot.of(table, "outer_udp", layers)
    complete = slot.coverage == Coverage.COMPLETE
    # Taking a residual out of a field takes it out of what covers the field.
    moved = (np.where(fixed, inner.residual, 0) + header) % MODULUS
    remote = (table["vxlan_flags"] & VXLAN_RCO) != 0
    pending = (inner.status == Status.PARTIAL) & ~fixed & ~remote
    ahead = table["outer_udp_lco"].astype(np.int64) - table["inner_l4_pseudo"] - header
    residual = np.where(pending, ahead, slot.residual - moved) % MODULUS

    lco = table["outer_udp_reason"] == Reason.LCO
    right = slot.have(Status.VALID) & ~pending  # VX204: where the inner one stays, so does it
    right |= slot.have(Status.PARTIAL) & lco
    unfinished = slot.have(Status.PARTIAL) & ~lco
    zero = slot.have(Status.ZERO)
    known = complete | pending
    fix = slot.have(Status.INVALID) & known
    fix |= right & (residual != 0) & known
    fix |= unfinished & complete
    if fill_zero:
        fix |= zero & complete
    else:
        left.add(table, slot.name, zero, NO_CHECKSUM)
    _unverifiable(table, slot, left)
    _incomplete(table, slot, left, unfinished | zero if fill_zero else unfinished)
    summed = (slot.status == Status.VALID) | ((slot.status == Status.PARTIAL) & lco)
    covers = summed & ~slot.asked & (table["kind"] == Kind.VXLAN)
    left.add(table, slot.name, covers & (residual != 0) & ~pending & (moved != 0), STALE)
    return slot.changes(table, fix, residual, np.ones(len(table), np.bool_))
