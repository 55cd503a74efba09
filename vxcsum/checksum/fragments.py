"""Verifying fragmented datagrams without reassembling them.

Every fragment but the last is a multiple of eight octets (RFC 791, RFC 8200 section 4.5), so the
ones-complement sums of the fragments add up to the sum of the datagram. The verdict belongs to the
frame with the transport header.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.grouping import group_labels
from vxcsum.checksum.judge import judge
from vxcsum.packet.columns import Columns, Coverage, Kind
from vxcsum.packet.protocols import IPPROTO_ICMP, IPPROTO_UDP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vxcsum.packet.columns import I64, AnyArray, Bool

#: All fragments of a datagram must be found within this many frames. It bounds what is remembered
#: (at most this many open sets), and makes the result independent of the size of blocks.
WINDOW = 4096

_MODULUS = 0xFFFF
#: Fewer fragments in a block are not worth sorting.
_FEW = 16
_LARGEST_DATAGRAM = 0xFFFF  # what IP's length fields can say; more cannot be reassembled


@dataclass(slots=True)
class _Set:
    """The fragments seen of one datagram."""

    frame: int
    pieces: dict[int, tuple[int, int]] = field(default_factory=dict)  # offset: (length, sum)
    octets: int = 0
    total: int | None = None
    heads: list[_Head] = field(default_factory=list)

    def complete(self) -> bool:
        """Tell whether the pieces cover the datagram without gap or overlap."""
        if self.total is None or self.octets != self.total:
            return False
        reached = 0
        for offset in sorted(self.pieces):
            if offset != reached:
                return False
            reached += self.pieces[offset][0]
        return True


@dataclass(slots=True)
class _Head:
    """The frame of a first fragment, and the inner fragment that begins in it, if one does."""

    columns: Columns
    row: int
    inner: Any = None


class FragmentSums:
    """Collects fragments block by block and completes the checksums they belong to."""

    def __init__(self) -> None:
        self._sets: dict[tuple[Any, ...], _Set] = {}

    def collect(self, columns: Columns, fragments: AnyArray) -> None:
        """Take in the fragments of one block; patch the columns of datagrams now complete."""
        continued = {int(r["row"]): r for r in fragments[fragments["captured"] == 2]}
        # A fragment without octets adds nothing, and would only disturb the order.
        left = fragments[(fragments["captured"] == 1) & (fragments["length"] > 0)]
        if len(left) > _FEW:
            left = left[~self._whole_sets(columns, left, list(continued))]
        for record in left:
            head = _Head(columns, int(record["row"]))
            if not record["inner"]:
                head.inner = continued.get(head.row)
            self._add(head, record)

    def _whole_sets(self, columns: Columns, records: AnyArray, continued: list[int]) -> Bool:
        """Complete the datagrams that are whole within one block, all at once.

        Returns
        -------
        bool[n]
            The records this took care of; whatever is not plain is left for `_add`.
        """
        row = records["row"]
        inner = records["inner"] == 1
        labels = group_labels(
            *(columns[name][row] for name in ("interface", "ifindex", "direction")),
            *(records[name] for name in ("inner", "src", "dst", "ident", "protocol")),
            columns["vni"][row] * inner,
        )
        order = np.lexsort((records["offset"], labels))
        r, label = records[order], labels[order]
        starts = np.flatnonzero(np.diff(label, prepend=-1))
        ends = np.append(starts[1:], len(r)) - 1
        stop = r["offset"].astype(np.int64) + r["length"]
        joined = np.append(r["offset"][1:] == stop[:-1], True) & (r["more"] == 1)
        joined[ends] = r["more"][ends] == 0
        open_idents = {key[7] for key in self._sets}
        plain = ~np.isin(r["row"], continued) & ~np.isin(r["ident"], list(open_idents))
        whole = np.logical_and.reduceat(joined & plain, starts) & (r["offset"][starts] == 0)
        span = np.maximum.reduceat(r["row"], starts) - np.minimum.reduceat(r["row"], starts)
        whole &= (span < WINDOW) & (stop[ends] <= _LARGEST_DATAGRAM)
        sums = np.add.reduceat(r["sum"].astype(np.int64), starts) - r["sum"][starts]
        _complete_many(
            columns,
            r["row"][starts][whole],
            inner[order][starts][whole],
            stop[ends][whole],
            sums[whole],
        )
        done = np.zeros(len(records), np.bool_)
        done[order] = np.repeat(whole, ends - starts + 1)
        return done

    def oldest_head(self, newest_frame: int) -> int | None:
        """Return the first frame that may still be completed, after forgetting expired sets."""
        for key in [k for k, s in self._sets.items() if newest_frame - s.frame >= WINDOW]:
            del self._sets[key]
        heads = [
            int(head.columns["frame_number"][head.row])
            for fragment_set in self._sets.values()
            for head in fragment_set.heads
        ]
        return min(heads, default=None)

    def _add(self, head: _Head, record: Any) -> None:
        columns, row, inner = head.columns, head.row, bool(record["inner"])
        frame = int(columns["frame_number"][row])
        key = (
            inner,
            int(columns["vni"][row]) if inner else -1,
            int(columns["interface"][row]),
            int(columns["ifindex"][row]),
            int(columns["direction"][row]),
            record["src"].tobytes(),
            record["dst"].tobytes(),
            int(record["ident"]),
            int(record["protocol"]),
        )
        offset, piece = int(record["offset"]), (int(record["length"]), int(record["sum"]))
        known = self._sets.get(key)
        if (
            known is None
            or frame - known.frame >= WINDOW
            or known.pieces.get(offset, piece) != piece  # the identification was used again
        ):
            known = self._sets[key] = _Set(frame)
        if offset not in known.pieces:
            known.octets += piece[0]
        known.pieces[offset] = piece
        if not record["more"]:
            known.total = offset + piece[0]
        if offset == 0:
            known.heads.append(head)
        if known.total is None or not known.complete():
            return
        del self._sets[key]
        if known.total > _LARGEST_DATAGRAM:
            return
        others = sum(sum_ for at, (_, sum_) in known.pieces.items() if at != 0)
        for first in known.heads:
            if not inner and first.columns["kind"][first.row] == Kind.VXLAN:
                self._complete_outer(first, known.total, others)
            else:
                _complete_l4(first.columns, first.row, known.total, others)

    def _complete_outer(self, head: _Head, total: int, others: int) -> None:
        """Finish the outer checksum of a fragmented VXLAN packet, and the inner one it spans."""
        columns, row = head.columns, head.row
        outer = int(columns["outer_udp_offset"][row])
        if columns["outer_udp_coverage"][row] == Coverage.FRAGMENT:
            length = int(columns["outer_udp_length"][row])
            if length > total:
                columns["outer_udp_coverage"][row] = Coverage.MALFORMED
            elif length == total:
                _add_one(columns, "outer_udp", row, others)
        # Octets behind the inner packet would spoil its sum, so its end has to be the outer end.
        record = head.inner
        if record is not None:
            if int(record["start"]) - outer + int(record["length"]) == total:
                record["sum"] = (int(record["sum"]) + others) % _MODULUS
                record["captured"] = 1
                if columns["inner_l4_coverage"][row] == Coverage.FRAGMENT:
                    residual = columns["inner_l4_residual"]
                    residual[row] = (int(residual[row]) + others) % _MODULUS
                self._add(_Head(columns, row), record)
        elif columns["inner_l4_coverage"][row] == Coverage.FRAGMENT:
            inner = int(columns["inner_l4_offset"][row])
            if inner - outer + int(columns["inner_l4_length"][row]) == total:
                _add_one(columns, "inner_l4", row, others)


def _complete_many(columns: Columns, rows: I64, inner: Bool, total: I64, others: I64) -> None:
    """Finish the checksums of many first fragments; see `FragmentSums._complete_outer`."""
    tunnelled = ~inner & (columns["kind"][rows] == np.uint8(Kind.VXLAN))
    for row, at, rest in zip(
        rows[~tunnelled].tolist(),
        total[~tunnelled].tolist(),
        others[~tunnelled].tolist(),
        strict=True,
    ):
        _complete_l4(columns, row, at, rest)
    rows, total, others = rows[tunnelled], total[tunnelled], others[tunnelled]
    waiting = columns["outer_udp_coverage"][rows] == np.uint8(Coverage.FRAGMENT)
    length = columns["outer_udp_length"][rows].astype(np.int64)
    columns["outer_udp_coverage"][rows[waiting & (length > total)]] = Coverage.MALFORMED
    _add_to(columns, "outer_udp", rows, others, waiting & (length == total))
    into = columns["inner_l4_offset"][rows].astype(np.int64) - columns["outer_udp_offset"][rows]
    reaches = into + columns["inner_l4_length"][rows] == total
    waiting = columns["inner_l4_coverage"][rows] == np.uint8(Coverage.FRAGMENT)
    _add_to(columns, "inner_l4", rows, others, waiting & reaches)


def _add_to(columns: Columns, slot: str, rows: I64, amount: I64, where: Bool) -> None:
    rows, amount = rows[where], amount[where]
    residual = columns[f"{slot}_residual"]
    residual[rows] = (residual[rows] + amount) % _MODULUS
    columns[f"{slot}_coverage"][rows] = Coverage.COMPLETE


def _add_one(columns: Columns, slot: str, row: int, amount: int) -> None:
    residual = columns[f"{slot}_residual"]
    residual[row] = (int(residual[row]) + amount) % _MODULUS
    columns[f"{slot}_coverage"][row] = Coverage.COMPLETE


def _complete_l4(columns: Columns, row: int, total: int, others: int) -> None:
    """Finish the transport checksum whose header is in ``row``."""
    if columns["inner_l4_coverage"][row] != Coverage.FRAGMENT:
        return
    protocol = columns["inner_protocol"][row]
    if protocol == IPPROTO_UDP:
        length = int(columns["inner_l4_length"][row])
        if length > total:
            columns["inner_l4_coverage"][row] = Coverage.MALFORMED
        if length != total:
            return
    else:
        columns["inner_l4_length"][row] = total
        if protocol != IPPROTO_ICMP:
            pseudo = columns["inner_l4_pseudo"]
            pseudo[row] = (int(pseudo[row]) + total) % _MODULUS
            others += total
    _add_one(columns, "inner_l4", row, others)


def finish(blocks: Iterable[tuple[Columns, AnyArray]]) -> Iterator[Columns]:
    """Judge blocks in order, holding back those whose fragments are not all there yet.

    Parameters
    ----------
    blocks : iterable of (columns, fragments)
        Facts as a kernel gives them, with ``frame_number`` and ``interface``.

    Yields
    ------
    dict
        The same columns, with statuses. At most `WINDOW` frames are held back, and none where no
        datagram is open.
    """
    sums = FragmentSums()
    held: deque[Columns] = deque()
    for columns, fragments in blocks:
        if fragments.size:
            sums.collect(columns, fragments)
        held.append(columns)
        numbers = columns["frame_number"]
        open_from = sums.oldest_head(int(numbers[-1])) if numbers.size else None
        while held and (open_from is None or held[0]["frame_number"][-1] < open_from):
            judge(held[0])
            yield held.popleft()
    for columns in held:
        judge(columns)
        yield columns
