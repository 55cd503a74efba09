"""Telling connections apart by their ends, whole columns at once: for the NumPy twin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.grouping import group_labels
from vxcsum.packet.columns import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vxcsum.flow.records import Columns, Records, State
    from vxcsum.packet.columns import I64, U8, U64, AnyArray, Bool

    #: What a connection is found by, the same for both directions: a column for each part of it.
    Ends = list[AnyArray]

_ODD = np.uint64(0x9E3779B97F4A7C15)
_SHIFTS = np.uint64(32), np.uint64(29)
_PLACE = ("ifindex", "capture", "interface", "vni", "kind")


def ends_of(table: Columns, rows: I64) -> tuple[Ends, Bool]:
    """Return the ends of frames, the lesser first, and whether that is the one that sent."""
    src, dst = table["inner_src"][rows], table["inner_dst"][rows]
    sport, dport = table["inner_sport"][rows], table["inner_dport"][rows]
    order = in_order(src, dst, sport, dport)
    both = _sorted_ends(order, src, dst, sport, dport)
    place = [table[name][rows] for name in _PLACE]
    side = side_of(table["direction"][rows], place[0], order)
    return [*both, side, table["inner_protocol"][rows], *place], order


def side_of(direction: U8, ifindex: AnyArray, order: Bool) -> U8:
    """Tell interfaces without numbers apart: what one sees going out another sees coming in."""
    side: U8 = np.uint8(1) + ((direction == Direction.OUT) != order)
    side[(direction == Direction.UNKNOWN) | (ifindex != 0)] = 0
    return side


def in_order(src: AnyArray, dst: AnyArray, sport: AnyArray, dport: AnyArray) -> Bool:
    """Return whether one end comes before the other; ends that are the same count as in order."""
    order: Bool = np.where(src[:, 1] == dst[:, 1], sport <= dport, src[:, 1] < dst[:, 1])
    if (src[:, 0] == dst[:, 0]).all():
        return order
    return np.where(src[:, 0] == dst[:, 0], order, src[:, 0] < dst[:, 0])


def _sorted_ends(
    order: Bool, src: AnyArray, dst: AnyArray, sport: AnyArray, dport: AnyArray
) -> Ends:
    pairs = [(src[:, 0], dst[:, 0]), (src[:, 1], dst[:, 1]), (sport, dport)]
    return [np.where(order, *pair) for one, other in pairs for pair in ((one, other), (other, one))]


def sorting(key: AnyArray) -> I64:
    """Return what sorts numbers, equal ones in their order, if they leave room for a place.

    Notes
    -----
    Sorting numbers with their places in the lowest bits is several times faster than a stable
    `numpy.argsort`.
    """
    bits = np.uint64(_bits(key))
    packed = key.astype(np.uint64) << bits
    packed |= np.arange(key.size, dtype=np.uint64)
    packed.sort()
    packed &= (np.uint64(1) << bits) - np.uint64(1)
    return packed.astype(np.int64)


def _bits(key: AnyArray) -> int:
    return (key.size - 1).bit_length()


def grouping(ends: Ends) -> tuple[I64, I64]:
    """Return what sorts frames by their ends, those of the same ends in order, and the heads."""
    varying = [part for part in ends if (part != part[0]).any()]
    key = _hashes(varying, len(ends[0])) >> np.uint64(_bits(ends[0]))
    order = sorting(key)
    key = key[order]
    same = key[1:] == key[:-1]
    for part in varying:
        ordered = part[order]
        if (same & (ordered[1:] != ordered[:-1])).any():
            # Different ends with the same hash: made to be so.
            key = group_labels(*ends).astype(np.uint64)
            order = sorting(key)
            key = key[order]
            same = key[1:] == key[:-1]
            break
    return order, np.flatnonzero(np.concatenate(([True], ~same)))


def _hashes(parts: Sequence[AnyArray], size: int, seed: int = 0) -> U64:
    key = np.full(size, seed, np.uint64)
    for part in parts:
        key ^= part.astype(np.uint64)
        key ^= key >> _SHIFTS[0]
        key *= _ODD
        key ^= key >> _SHIFTS[1]
    return key


def find(state: State, ends: Ends) -> tuple[I64, I64]:
    """Find the connections of some ends, all different, in the index.

    Returns
    -------
    slot : int64[n]
        Where they are in the index, or where they would be.
    number : int64[n]
        Of each connection; -1 where there is none.
    """
    mask = state.slots.size - 1
    slot = (_hashes(ends, len(ends[0]), state.seed) & np.uint64(mask)).astype(np.int64)
    number = np.full(slot.size, -1)
    left = np.arange(slot.size)
    while left.size:  # there are more slots than connections, so a free one is always met
        met = state.slots[slot[left]].astype(np.int64) - 1
        there = np.flatnonzero(met >= 0)
        left, met = left[there], met[there]
        mine = _has(state.memory, met, [part[left] for part in ends])
        number[left[mine]] = met[mine]
        left = left[~mine]
        slot[left] = (slot[left] + 1) & mask
    return slot, number


def _has(memory: Records, number: I64, ends: Ends) -> Bool:
    """Return whether connections have these ends."""
    address, port = memory["address"][number], memory["port"][number]
    mine: Bool = np.ones(number.size, np.bool_)
    both = (address[:, 0], address[:, 1], port[:, 0], port[:, 1])
    parts = _sorted_ends(in_order(*both), *both)
    parts += [memory[name][number] for name in ("side", "protocol", *_PLACE)]
    for part, other in zip(parts, ends, strict=True):
        mine &= part == other
    return mine


def enter(state: State, slot: I64, number: I64) -> None:
    """Put connections that were not there into the index, from these slots on."""
    mask, slot = state.slots.size - 1, slot.copy()
    left = np.arange(slot.size)
    while left.size:
        free = left[state.slots[slot[left]] == 0]
        state.slots[slot[free]] = number[free] + 1  # of those with the same slot, one remains
        left = left[state.slots[slot[left]] != number[left] + 1]
        slot[left] = (slot[left] + 1) & mask
