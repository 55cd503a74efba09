"""Suspects: frames with a wrong checksum, put together where laws cannot tell them apart.

A suspect is all frames of one path and connection that are wrong in the same way: retransmissions,
and segments of one length whose sums are off by the same. Where the traffic of a cluster is wrong,
there are fewer of them than frames; where it is damaged, each frame is one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from vxcsum.checksum.algebra import address_sum, difference, residue
from vxcsum.checksum.status import Reason, Status
from vxcsum.checksum.table import STORED_COLUMNS
from vxcsum.evidence.captures import JUMBO_FRAME, has_long_trailer
from vxcsum.packet.columns import SLOTS, Kind
from vxcsum.packet.protocols import IPPROTO_ICMP, IPPROTO_UDP, VXLAN_RCO

if TYPE_CHECKING:
    from vxcsum.checksum.table import PacketTable
    from vxcsum.packet.columns import I64, U16, U64, AnyArray, Bool

#: Suspects kept, about 170 octets each. Beyond, a share of them stands for all.
MAX_SUSPECTS = 1 << 18
#: A capture with more unfinished frames has none that look so by chance.
MAX_DOUBTFUL = 256
#: Frames of suspects that are kept by number, 20 octets each.
MAX_LISTED = 1 << 21

Table: TypeAlias = "dict[str, AnyArray]"

#: Columns of `PacketTable` that are kept of a suspect, those of its first frame.
KEPT = (
    "capture",
    "kind",
    "vni",
    "vxlan_flags",
    "outer_ip_version",
    "outer_src",
    "outer_dst",
    "outer_sport",
    "outer_dport",
    "outer_udp_length",
    "outer_udp_pseudo",
    "inner_ip_version",
    "inner_src",
    "inner_dst",
    "inner_protocol",
    "inner_sport",
    "inner_dport",
    "inner_l4_length",
    "inner_l4_pseudo",
    "tcp_flags",
    "tcp_seq",
    "tcp_header_length",
    *(f"{slot}_{what}" for slot in SLOTS for what in ("found", "residual", "status")),
)
#: Columns that are computed.
DERIVED = {
    "path": "i8",
    #: Octets behind the packet that fill the frame, and their sum.
    "padding": "u2",
    "padding_sum": "u2",
    #: Sum of the final destination of a route without that of the next stop.
    "off_route": "u2",
    #: Residual of the outer checksum if the inner field, which is wrong, was an unfinished one.
    "outer_of_unfinished": "u2",
    #: 1: several segments in one frame; 2: headers of the first segment only.
    "oversized": "u1",
}
#: What is counted of a suspect.
_COUNTED = {"frames": "i8", "first_frame": "i8", "last_frame": "i8", "first": "i8", "last": "i8"}
SCHEMA = {name: STORED_COLUMNS[name] for name in KEPT} | DERIVED | _COUNTED
_ENTRY = np.dtype([("suspect", "i4"), ("frame", "i8"), ("time", "i8")])

_VALID, _PARTIAL, _INVALID = (
    np.uint8(status) for status in (Status.VALID, Status.PARTIAL, Status.INVALID)
)
_VXLAN = np.uint8(Kind.VXLAN)
#: Flags that tell packets apart: FIN, SYN, RST, ACK.
_FLAGS = np.uint8(0x17)
#: Not known to who makes a capture, so that he cannot have different suspects taken for one.
_SEED = np.uint64(int.from_bytes(os.urandom(8), "little"))
_MIX = np.uint64(0xD6E8FEB86659FD93)
_WORDS: tuple[tuple[tuple[str, int], ...], ...] = (
    (("path", 32), ("outer_sport", 16), ("outer_udp_length", 16)),
    (("outer_udp_found", 16), ("outer_udp_residual", 16), ("outer_ip_residual", 16)),
    (("inner_l4_found", 16), ("inner_l4_residual", 16), ("inner_ip_residual", 16)),
    (("inner_l4_length", 32), ("tcp_flags", 8), ("inner_protocol", 8), ("oversized", 8)),
    (("outer_ip_found", 16), ("inner_ip_found", 16), ("tcp_header_length", 8), ("kind", 8)),
    (("inner_sport", 16), ("inner_dport", 16), ("vni", 24), ("vxlan_flags", 8)),
    (("padding", 16), ("padding_sum", 16), ("off_route", 16), ("inner_l4_pseudo", 16)),
    (("outer_ip_status", 8), ("outer_udp_status", 8), ("outer_of_unfinished", 16)),
    (("inner_ip_status", 8), ("inner_l4_status", 8)),
)


def wrong_frames(table: PacketTable) -> I64:
    """Return the rows with a wrong checksum, or an unfinished one that will be wrong (VX204)."""
    covered: Bool = table["inner_l4_status"] == _PARTIAL
    if covered.any():
        covered &= table["outer_udp_status"] == _VALID
        covered &= (table["vxlan_flags"] & VXLAN_RCO) == 0
    for slot in SLOTS:
        covered |= table[f"{slot}_status"] == _INVALID
    return np.flatnonzero(covered)


def unfinished_frames(table: PacketTable) -> I64:
    """Return the rows with an unfinished checksum, but for those of local checksum offload."""
    partial: Bool = table["inner_l4_status"] == _PARTIAL
    if partial.any():
        partial &= table["outer_udp_status"] != _VALID
        partial &= (table["vxlan_flags"] & VXLAN_RCO) == 0
    outer = table["outer_udp_status"] == _PARTIAL
    outer &= table["outer_udp_reason"] != np.uint8(Reason.LCO)
    return np.flatnonzero(partial | outer)


def effective_residual(columns: Table | PacketTable) -> U16:
    """Return the residual of the outer checksum once the inner one is finished.

    Notes
    -----
    With a partial inner checksum the octets captured are not those of the wire; local checksum
    offload is decided from the headers alone. Source: fact sheet, section 1.3 and row d2.
    """
    pending = columns["inner_l4_status"] == _PARTIAL
    headers = difference(columns["outer_udp_lco"], columns["inner_l4_pseudo"])
    return np.where(pending, headers, columns["outer_udp_residual"])


class Doubtful:
    """Frames whose checksum looks unfinished, where a capture has few of them.

    One in some ten thousand wrong checksums is the sum of its pseudo-header by chance. Where a
    capture has many that are, they are what they look like, and none is kept.
    """

    def __init__(self) -> None:
        self._parts: dict[int, list[Table]] = {}
        self._frames: dict[int, int] = {}

    def update(self, table: PacketTable, paths: I64) -> None:
        """Take in the unfinished frames of a table."""
        capture = int(table["capture"][0])
        if self._frames.get(capture, 0) > MAX_DOUBTFUL:
            return
        rows = unfinished_frames(table)
        if rows.size:
            some = table[rows]
            columns = {name: some[name] for name in KEPT}
            columns["path"] = paths[rows]
            columns |= _derived(some)
            _neutralise(some, columns, partial=True)
            number, time = some["frame_number"], some["timestamp"].view(np.int64)
            columns |= {"frames": np.ones(rows.size, np.int64), "first_frame": number}
            columns |= {"last_frame": number, "first": time, "last": time}
            self._keep(capture, columns)

    def _keep(self, capture: int, columns: Table) -> None:
        self._frames[capture] = self._frames.get(capture, 0) + len(columns["path"])
        full = self._frames[capture] > MAX_DOUBTFUL
        self._parts[capture] = [] if full else [*self._parts.get(capture, []), columns]

    def merge(self, other: Doubtful, renumbered: I64) -> None:
        """Add those of what came later."""
        for capture, frames in other._frames.items():
            if frames > MAX_DOUBTFUL:
                self._frames[capture], self._parts[capture] = frames, []
            for columns in other._parts.get(capture, []):
                self._keep(capture, columns | {"path": renumbered[columns["path"]]})

    def renumber(self, renumbered: I64) -> None:
        """Give paths other numbers."""
        for parts in self._parts.values():
            for columns in parts:
                columns["path"] = renumbered[columns["path"]]

    def result(self) -> list[Table]:
        """Return the frames as columns like those of suspects."""
        return [columns for _, parts in sorted(self._parts.items()) for columns in parts]


class Suspects:
    """Puts wrong frames together, table by table.

    Attributes
    ----------
    dropped : int
        Frames of suspects that were not kept.
    unlisted : int
        Frames that are counted, and not known by number.
    """

    def __init__(self) -> None:
        self._parts: list[tuple[U64, Table, AnyArray]] = []
        self._waiting = 0
        self._rows = 0
        self._listed = 0
        self._thinned = 0
        self.dropped = 0
        self.unlisted = 0

    @property
    def paths(self) -> set[int]:
        """The paths that have a wrong frame."""
        return {n for _, columns, _ in self._parts for n in np.unique(columns["path"]).tolist()}

    def update(self, table: PacketTable, rows: I64, paths: I64) -> None:
        """Take in some rows of a table, whose paths are given for all of its rows."""
        some = table[rows]
        columns = {name: some[name] for name in KEPT}
        columns["path"] = paths[rows]
        columns |= _derived(some)
        _neutralise(some, columns)
        hashes = _hashes(columns)
        times = some["timestamp"].view(np.int64)
        _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
        order = np.argsort(first)
        place = np.empty(order.size, np.int64)
        place[order] = np.arange(order.size)
        first, inverse = first[order], place[inverse]
        entries = np.empty(rows.size, _ENTRY)
        entries["suspect"], entries["frame"], entries["time"] = inverse, some["frame_number"], times
        part = {name: column[first] for name, column in columns.items()}
        part |= _counted(inverse, first.size, some["frame_number"], times)
        self._keep(hashes[first], part, entries)

    def _keep(self, hashes: U64, part: Table, entries: AnyArray) -> None:
        self._parts.append((hashes, part, entries))
        self._waiting += hashes.size
        if self._waiting > max(1 << 15, self._rows):
            self._compact()

    def _compact(self) -> None:
        """Put the parts together: equal suspects become one, in the order of their first frames."""
        hashes = np.concatenate([part[0] for part in self._parts])
        unique, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        place = np.empty(order.size, np.int64)
        place[order] = np.arange(order.size)
        first, unique, inverse = first[order], unique[order], place[inverse]
        starts = np.cumsum([0, *(part[0].size for part in self._parts)])
        columns: Table = {}
        for name in self._parts[0][1]:
            every = np.concatenate([part[1][name] for part in self._parts])
            columns[name] = every[first] if name not in _COUNTED else _merged(name, every, inverse)
        entries = np.concatenate([part[2] for part in self._parts])
        owners = np.repeat(starts[:-1], [part[2].size for part in self._parts])
        entries["suspect"] = inverse[owners + entries["suspect"]]
        while unique.size > MAX_SUSPECTS:
            self._thinned += 1
            chosen = (unique >> np.uint64(64 - self._thinned)) == 0
            self.dropped += int(columns["frames"][~chosen].sum())
            number = np.cumsum(chosen) - 1
            entries = entries[chosen[entries["suspect"]]]
            entries["suspect"] = number[entries["suspect"]]
            unique = unique[chosen]
            columns = {name: column[chosen] for name, column in columns.items()}
        if entries.size > MAX_LISTED:
            self.unlisted += entries.size - MAX_LISTED
            entries = entries[:MAX_LISTED]
        self._parts = [(unique, columns, entries)]
        self._waiting, self._rows, self._listed = 0, unique.size, entries.size

    def merge(self, other: Suspects, renumbered: I64) -> None:
        """Add the suspects of what came later, whose path ``n`` is ``renumbered[n]`` here."""
        self.dropped += other.dropped
        self.unlisted += other.unlisted
        for _, columns, entries in other._parts:
            moved = columns | {"path": renumbered[columns["path"]]}
            self._keep(_hashes(moved), moved, entries.copy())

    def renumber(self, renumbered: I64) -> None:
        """Give paths other numbers."""
        parts, self._parts, self._waiting, self._rows = self._parts, [], 0, 0
        for _, columns, entries in parts:
            columns["path"] = renumbered[columns["path"]]
            self._keep(_hashes(columns), columns, entries)

    def result(self) -> tuple[Table, AnyArray]:
        """Return the suspects as columns, and their frames: ``suspect``, ``frame`` and ``time``."""
        if not self._parts:
            empty = {
                name: np.zeros((0, 2), "u8") if code == "2u8" else np.zeros(0, code)
                for name, code in SCHEMA.items()
            }
            return empty, np.zeros(0, _ENTRY)
        if len(self._parts) > 1 or self._waiting:
            self._compact()
        _, columns, entries = self._parts[0]
        return dict(columns), entries


def _derived(table: PacketTable) -> Table:
    """Return what laws need of a frame and no column has."""
    vxlan = table["kind"] == _VXLAN
    stop = table["inner_l4_offset"].astype(np.int64) + table["inner_l4_length"]
    end = np.where(
        vxlan,
        table["outer_udp_offset"].astype(np.int64) + table["outer_udp_length"],
        table["origlen"],
    )
    judged = (table["inner_l4_status"] == _INVALID) | (table["inner_l4_status"] == _PARTIAL)
    padding = np.where(judged, np.clip(end - stop, 0, 0xFFFF), 0).astype(np.uint16)
    # Inside VXLAN the sum of the padding is what the other sums leave of the outer one.
    rest = table["outer_udp_residual"].astype(np.int64) - table["outer_udp_lco"]
    body = table["inner_l4_residual"].astype(np.int64) - table["inner_l4_pseudo"]
    summed = vxlan & (table["outer_udp_status"] > 0) & (padding > 0)
    padding_sum = residue(np.where(summed, rest - body, 0))
    outer = table["outer_udp_status"] == _INVALID
    off = np.zeros(len(table), np.int64)
    for mask, level, slot, protocol, length in (
        (outer, "outer", "outer_udp", np.uint8(IPPROTO_UDP), "outer_udp_length"),
        (judged & ~outer, "inner", "inner_l4", table["inner_protocol"], "inner_l4_length"),
    ):
        used = address_sum(table[f"{level}_src"]).astype(np.int64)
        used += address_sum(table[f"{level}_dst"])
        used += table[length]
        used += protocol
        off = np.where(mask, table[f"{slot}_pseudo"] - used, off)
    # ICMPv4 has no pseudo-header.
    off[judged & ~outer & (table["inner_protocol"] == IPPROTO_ICMP)] = 0
    oversized = has_long_trailer(table).astype(np.uint8) * np.uint8(2)
    oversized[(oversized == 0) & (table["origlen"] > JUMBO_FRAME)] = 1
    unfinished = difference(table["outer_udp_lco"], table["inner_l4_found"])
    return {
        "padding": padding,
        "padding_sum": padding_sum,
        "outer_of_unfinished": unfinished * (outer & (table["inner_l4_status"] == _INVALID)),
        "off_route": residue(off),
        "oversized": oversized,
    }


def _neutralise(table: PacketTable, columns: Table, *, partial: bool = False) -> None:
    """Leave out what differs between packets that are alike: sums that are right, or unfinished."""
    for slot in SLOTS:
        wrong = columns[f"{slot}_status"] == _INVALID
        if partial:
            wrong |= columns[f"{slot}_status"] == _PARTIAL
        if slot == "outer_udp":
            columns["outer_udp_residual"] = effective_residual(table)
        if slot == "inner_l4":
            wrong |= (columns["inner_l4_status"] == _PARTIAL) & (
                columns["outer_udp_status"] == _VALID
            )
        for what in ("found", "residual"):
            columns[f"{slot}_{what}"] = columns[f"{slot}_{what}"] * wrong
        if slot[-3:] == "_ip":  # its identification differs, only whether it is empty counts
            columns[f"{slot}_found"] = (columns[f"{slot}_found"] != 0).astype(np.uint16)
    columns["tcp_flags"] = columns["tcp_flags"] & _FLAGS


def _hashes(columns: Table) -> U64:
    """Return a number for each row that tells suspects apart."""
    out: U64 = np.full(len(columns["path"]), _SEED, np.uint64)
    for word in _WORDS:
        packed: U64 = columns[word[0][0]].astype(np.uint64)
        for name, bits in word[1:]:
            packed <<= np.uint64(bits)
            packed |= columns[name].astype(np.uint64) & np.uint64((1 << bits) - 1)
        out = _stir(out, packed)
    for name in ("inner_src", "inner_dst"):
        for half in (0, 1):
            out = _stir(out, columns[name][:, half])
    return out


def _stir(state: U64, word: U64) -> U64:
    state = (state ^ word) * _MIX
    state ^= state >> np.uint64(32)
    return state


def _counted(inverse: I64, size: int, frames: AnyArray, times: AnyArray) -> Table:
    out: Table = {"frames": np.bincount(inverse, minlength=size).astype(np.int64)}
    order = np.argsort(inverse, kind="stable")
    starts = np.concatenate(([0], np.cumsum(out["frames"])[:-1]))
    for name, values in (("frame", frames), ("", times)):
        sorted_ = values[order]
        for which, reduce in (("first", np.minimum), ("last", np.maximum)):
            column = f"{which}_{name}" if name else which
            out[column] = reduce.reduceat(sorted_, starts)
    return out


def _merged(name: str, values: AnyArray, inverse: I64) -> AnyArray:
    size = int(inverse.max(initial=-1)) + 1
    if name == "frames":
        return np.bincount(inverse, values, size).astype(np.int64)
    order = np.argsort(inverse, kind="stable")
    starts = np.searchsorted(inverse[order], np.arange(size))
    reduce = np.minimum if name.startswith("first") else np.maximum
    out: AnyArray = reduce.reduceat(values[order], starts)
    return out
