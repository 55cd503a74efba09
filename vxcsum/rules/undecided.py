"""What nothing explains yet: the cases that laws compete for, and who was given what."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.status import Status
from vxcsum.evidence.census import SHAPE
from vxcsum.packet.columns import Kind, distinct
from vxcsum.rules import prices
from vxcsum.rules.answers import answered
from vxcsum.rules.bits import damaged, which
from vxcsum.rules.case import INNER, MODULUS, OUTER, Case
from vxcsum.rules.leftovers import SINGLE_BITS
from vxcsum.rules.lookups import Lookups
from vxcsum.rules.prepared import SLOT_BIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import I64, AnyArray, Bool
    from vxcsum.rules.contest import Verdict
    from vxcsum.rules.scope import Scope


class Undecided(Lookups):
    """The wrong checksums that are still open, and what speaks for damage."""

    @cached_property
    def _after(self) -> Bool:
        """Wrong outside and inside by the same: changed after it was encapsulated."""
        s = self.suspects
        same = s["outer_udp_residual"] == s["inner_l4_residual"]
        both = (s["outer_udp_status"] == Status.INVALID) & (s["inner_l4_status"] == Status.INVALID)
        return np.asarray(both & same)

    @cached_property
    def header_after(self) -> Bool:
        """Wrong outside and in the inner IP header by the same."""
        s = self.suspects
        same = s["outer_udp_residual"] == s["inner_ip_residual"]
        both = (s["outer_udp_status"] == Status.INVALID) & (s["inner_ip_status"] == Status.INVALID)
        return np.asarray(both & same)

    @cached_property
    def _unfinished_renamed(self) -> Bool:
        """The outer checksum is right for an inner field that was an unfinished one."""
        s = self.suspects
        both = (s["outer_udp_status"] == Status.INVALID) & (s["inner_l4_status"] == Status.INVALID)
        rest = s["outer_of_unfinished"]
        return np.asarray(both & ((rest == 0) | (rest == s["inner_ip_residual"])))

    @cached_property
    def _trusted(self) -> Bool:
        """In a path whose addresses are to be believed."""
        kinds = np.array([key.kind != "untrusted" for key in self.evidence.paths.keys], np.bool_)
        out: Bool = kinds[self.suspects["path"]]
        return out

    def _rows(self, slot: str, *, whole: bool) -> I64:
        s = self.suspects
        mask = self.still_open(slot) & ~self.reserved
        if slot == OUTER:
            mask &= ~self._after & ~self._unfinished_renamed
        if not whole:
            mask &= self._trusted & ~self._after
            if slot == OUTER:
                mask &= ~self.header_after
            else:
                wrong = (s["inner_ip_status"] == Status.INVALID) & (s["inner_ip_found"] != 0)
                mask &= ~wrong & ~self._unfinished_renamed
            mask &= s["oversized"] == 0
        return np.flatnonzero(mask)

    def case(self, slot: str, *, whole: bool = False, among: I64 | None = None) -> Case:
        """Return the wrong, unexplained checksums of a slot: by path, or by capture."""
        rows = self._rows(slot, whole=whole)
        if among is not None:
            rows = rows[np.isin(rows, among)]
        keys = self.evidence.paths.keys
        if whole:
            of_path = np.array([key.capture for key in keys], np.int64)
            names = -1 - np.arange(of_path.max(initial=-1) + 1)
            return Case(self, slot, rows, of_path[self.suspects["path"][rows]], of_path, names)
        names, place = np.unique(self.suspects["path"][rows], return_inverse=True)
        of_path = np.full(len(keys), -1, np.int64)
        of_path[names] = np.arange(names.size)
        return Case(self, slot, rows, place, of_path, names)

    def matching(self, won: Case, *, whole: bool) -> Case:
        """Return the part of what a law explains that others, or edits, may look at."""
        allowed = np.zeros(len(self.suspects["path"]), np.bool_)
        allowed[self._rows(won.slot, whole=whole)] = True
        return won.only(allowed[won.rows])

    def claim(self, case: Case, *, whole: bool) -> None:
        """Mark the checksums of a case as explained."""
        s, rows = self.suspects, case.rows
        claimed = np.full(rows.size, SLOT_BIT[case.slot], np.uint8)
        residual = s[f"{case.slot}_residual"][rows]
        if whole:
            same = self._after[rows] | self._unfinished_renamed[rows]
            claimed |= same * SLOT_BIT[OUTER]
            for header in ("outer_ip", "inner_ip"):
                equal = s[f"{header}_residual"][rows] == residual
                claimed |= equal * SLOT_BIT[header]
        s["open"][rows] &= ~claimed

    def exempt(self, code: str, rows: I64, *slots: str) -> None:
        """Claim checksums for a rule without a contest: what the frames are decides."""
        for slot in slots:
            self.suspects["open"][rows] &= ~SLOT_BIT[slot]
        self._exempted[code] = distinct(np.concatenate([self._exempted.get(code, rows), rows]))

    def exempted(self, code: str) -> Iterator[tuple[int, I64]]:
        """Yield each capture with suspects that a rule was given, and these."""
        rows = self._exempted.get(code, np.zeros(0, np.int64))
        captures = self.suspects["capture"][rows]
        for capture in distinct(captures).tolist():
            yield capture, rows[captures == capture]

    def joined_frames(self, capture: int) -> I64:
        """Return the frames of a capture that look unfinished by chance."""
        s = self.suspects
        out: I64 = s["first_frame"][self.joined & (s["capture"] == capture)]
        return out

    def join_doubtful(self, verdict: Verdict) -> None:
        """Give a law that won what it explains among frames that look unfinished by chance."""
        case = verdict.case
        mine = self.doubtful & (self.suspects["path"] == verdict.name)
        mine &= self.suspects[f"{case.slot}_status"] == Status.PARTIAL
        rows = np.flatnonzero(mine)
        frames = int(self.suspects["frames"][case.rows].sum())
        if not rows.size or rows.size > 2 * (1 + frames / prices.CHANCE_OF_PARTIAL):
            return
        if frames < prices.CHANCE_OF_PARTIAL:
            return
        both = replace(
            case,
            rows=np.concatenate([case.rows, rows]),
            place=np.concatenate([case.place, np.full(rows.size, case.place[0])]),
        )
        reading = verdict.law.read(both)
        if reading is not None and reading.mask[case.rows.size :].any():
            kept = reading.mask.copy()
            kept[: case.rows.size] = True
            verdict.case = both.only(kept)
            verdict.details = {name: values[kept] for name, values in reading.details.items()}
            self.joined[rows[kept[case.rows.size :]]] = True

    def node(self, name: int) -> Any:
        """Return who sends on a path: its capture and outer source."""
        if name < 0:
            return name
        key = self.evidence.paths.keys[name]
        return (key.capture, key.source) if key.kind == "tunnel" else name

    def place_names(self, case: Case, *, used: bool = False) -> list[int]:
        """Return what names each place of a case, or each that has rows."""
        names: list[int] = (case.names[np.unique(case.place)] if used else case.names).tolist()
        return names

    @cached_property
    def _answered(self) -> Bool:
        return answered(self.evidence.connections.table, self.connection_keys)

    def one_way(self, case: Case, mask: Bool, scope: Scope) -> AnyArray:
        """Return what speaks against an edit by place: its packets all go one way.

        Much where right ones of the scope come back, less where nothing does.
        """
        rows, place = case.rows[mask], case.place[mask]
        tunnel = self.suspects["kind"][rows] == Kind.VXLAN
        source, destination = (
            np.where(tunnel, outer, inner)
            for outer, inner in zip(self.outer_ends(case), self.inner_ends(case), strict=True)
            for outer, inner in [(outer[mask], inner[mask])]
        )
        there = np.unique(np.column_stack((place, source, destination)), axis=0)
        turned = there[:, [0, 2, 1]]
        both = {tuple(pair) for pair in there.tolist()} & {tuple(pair) for pair in turned.tolist()}
        out = np.full(case.places, prices.ONE_WAY)
        right = self.beside(case.slot).by_path(replace(scope, finished=True))
        keys = self.evidence.paths.keys
        for number in np.unique(self.suspects["path"][rows]).tolist():
            back = self.evidence.paths.find(keys[number].back)
            if keys[number].kind == "tunnel" and (back is None or not right[back]):
                out[case.paths[number]] = prices.NO_WAY_BACK if back is None else 0.0
        out[[pair[0] for pair in both]] = 0.0
        return out

    def answered_bits(self, case: Case, mask: Bool) -> AnyArray:
        """Return what speaks against wrong packets that were acknowledged, by place."""
        connections = self.flows(INNER)[case.rows]
        hit = mask & self._answered[connections]
        pairs = np.unique(np.column_stack((case.place[hit], connections[hit])), axis=0)
        number = np.bincount(pairs[:, 0], minlength=case.places) if len(pairs) else 0
        out: AnyArray = np.minimum(number * prices.ANSWERED, prices.MOST_ANSWERED)
        return out

    def flipped(self, slot: str, rows: I64) -> Bool:
        """Return which suspects are wrong by one bit: of the sum, or of an empty field."""
        hit: Bool = np.isin(self.column(f"{slot}_residual", rows), SINGLE_BITS)
        if slot == OUTER:
            beside, path = self.outer_beside, self.column("path", rows)
            empty = (beside.zeros[path] > 0) & (beside.sums[path] == 0)
            hit |= empty & np.isin(self.column(f"{slot}_found", rows), SINGLE_BITS[:16])
        return hit

    def _stayed(self, case: Case) -> AnyArray:
        """Return the bits of fields that damage left as they were, by place.

        Where a tunnel sends checksums, packets of one flow and length have the same (fact sheet,
        section 1.3), and those of them that are damaged keep it.
        """
        if case.slot != OUTER:
            return np.zeros(case.places)
        path = case.number("path")
        summed = (self.outer_beside.sums[path] > 0) & (self.outer_beside.zeros[path] == 0)
        rows = np.flatnonzero(summed & case.firsts)
        keys = case.flow[rows] << 17 | case.found[rows]
        first = np.unique(keys, return_index=True)[1]
        again = np.bincount(case.place[rows], minlength=case.places).astype(np.float64)
        again -= np.bincount(case.place[rows[first]], minlength=case.places)
        out: AnyArray = again * (prices.OBSERVATION - prices.SEEN)
        return out

    def damage_bits(self, case: Case) -> dict[str, AnyArray]:
        """Return what damage would save on some wrong checksums, by place and rule."""
        every = case.observed(np.ones(case.rows.size, np.bool_))
        flipped = self.flipped(case.slot, case.rows)
        single = case.observed(flipped)
        # What is not one bit is other damage.
        of_capture, _ = self._open_frames(case)
        wrong = case.sum(case.number("frames"))
        further = of_capture > case.sum(case.number("frames") / case.shares[case.number("path")])
        other = np.where(further, prices.FURTHER, prices.CLAIMS["VX601"])
        claims = prices.CLAIMS["VX602"] + other * (single < every)
        again = np.minimum((wrong - every) * prices.AGAIN, prices.MOST_AGAIN)
        again -= prices.NOTHING_LEFT
        # Damage hits transmissions; what it saves counts as that of laws does, by observations.
        rate = self._rate(case)
        rate = np.where(rate > 0, rate * every / np.maximum(wrong, 1.0), rate)
        # Each bit by itself; or bits that come again, which only damage at its rate does not write.
        each = np.maximum(rate, 0.0) - prices.SINGLE_BIT * single
        bits = np.maximum(each, rate - case.listed(flipped, prices.SINGLE_BIT))
        values = self._values_of_damage(case)
        bits += prices.OBSERVATION * single + case.sum(values, case.firsts & ~flipped)
        rate = rate + self._stayed(case) + case.sum(values, case.firsts)
        return {"VX602": bits - claims - again, "VX601": rate - other - again}

    def _values_of_damage(self, case: Case) -> AnyArray:
        """Return the bits of each residual that damage gives, by what it may have hit.

        An address that is known but for it, or octets that changed places within a word.
        """
        outer = case.slot == OUTER
        price = (self.address_price if outer else self.inner_price)(case, case.residual)
        swapped = case.residual % (MODULUS // prices.EXCHANGES) == 0
        price[swapped] = np.minimum(price[swapped], np.log2(prices.EXCHANGES))
        out: AnyArray = prices.OBSERVATION - np.minimum(price, prices.OBSERVATION)
        return out

    def _rate(self, case: Case) -> AnyArray:
        """Return the bits that a rate of damage saves, one for all or one for each transport.

        What says nothing tells path by path which frames are wrong.
        """
        there = case.paths >= 0
        path, times = case.number("path"), case.number("frames").astype(np.float64)
        of_paths = np.bincount(path, times, case.paths.size)[there]
        scored = (self.frames_of_paths * case.shares)[there]
        told = np.bincount(case.paths[there], which(of_paths, scored), case.places)
        kinds = self._transports.shape[1]
        cells = case.place * kinds + self.transport[case.rows]
        wrong = np.bincount(cells, times, case.places * kinds).reshape(case.places, kinds)
        frames = np.zeros(wrong.shape)
        np.add.at(frames, case.paths[there], (self._transports * case.shares[:, None])[there])
        # What is damaged elsewhere in the capture tells the rate. Only a share may be scored.
        every, captured = self._open_frames(case)
        here = case.sum(times / case.shares[path])
        there_are = np.bincount(case.paths[there], self.frames_of_paths[there], case.places)
        one = damaged(every, captured) - damaged(every - here, captured - there_are)
        one *= case.sum(times) / np.maximum(here, 1.0)
        out: AnyArray = told - np.minimum(one, damaged(wrong, frames).sum(axis=1)) - prices.CHANGED
        return out

    @cached_property
    def _regular(self) -> Bool:
        """Suspects on paths where a law says so much that they tell nothing of damage."""
        out: Bool = np.zeros(len(self.suspects["path"]), np.bool_)
        return out

    def no_damage(self, case: Case, places: Bool) -> None:
        """Leave the wrong checksums of some places out of the rate of damage."""
        self._regular[case.rows[places[case.place]]] = True

    def _open_frames(self, case: Case) -> tuple[AnyArray, AnyArray]:
        """Return the wrong frames that nothing explains yet, and all of the capture, by place."""
        keys = self.evidence.paths.keys
        of_place = [keys[name].capture if name >= 0 else -1 - name for name in case.names.tolist()]
        s, open_ = self.suspects, (self.suspects["open"] != 0) & ~self._regular
        size = len(self.captures)
        wrong = np.bincount(s["capture"][open_], s["frames"][open_], size)[of_place]
        frames = np.array([facts.frames for facts in self.captures], np.float64)[of_place]
        here = case.sum(case.number("frames") / case.shares[case.number("path")])
        return np.maximum(wrong, here), np.maximum(frames, here)

    @cached_property
    def _transports(self) -> AnyArray:
        """Frames of each path, by transport."""
        path, signature, frames = self.evidence.paths.cells()
        kinds = SHAPE[2]
        cells = path * kinds + signature // (SHAPE[3] * SHAPE[4]) % kinds
        size = len(self.evidence.paths.keys) * kinds
        return np.bincount(cells, frames, size).reshape(-1, kinds)
