"""The contest: laws are scored on the same evidence, and the shortest description wins.

    gain = values + pattern - unknowns - claim + 12 if nothing wrong is left over - 3 for each
           connection whose wrong packets were answered

in bits, against saying of each wrong checksum what it is. See `docs/diagnosis.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.rules import prices
from vxcsum.rules.law import NEVER, Competitor, Law, Reading, Score, gains
from vxcsum.rules.model import Confidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vxcsum.packet.columns import I64, AnyArray, Bool
    from vxcsum.rules.case import Case
    from vxcsum.rules.context import Context

_SLOTS = ("outer_udp", "inner_l4")
#: Rounds after which nothing is accepted any more; each accepts a law at every place.
_ROUNDS = 24


@dataclass(slots=True)
class Verdict:
    """A law that won at a place.

    Attributes
    ----------
    code : str
        Of the rule.
    case : Case
        What it explains.
    details : dict
        See `Reading`.
    gain, margin : float
        In bits.
    rivals : list of (code, bits)
        What explains the same, and how much better it was than nothing.
    """

    code: str
    law: Law
    case: Case
    details: dict[str, AnyArray]
    gain: float
    margin: float
    rivals: list[tuple[str, float]]

    @property
    def rows(self) -> I64:
        """The suspects."""
        return self.case.rows

    @property
    def name(self) -> int:
        """What names the place."""
        return int(self.case.names[self.case.place[0]])

    @property
    def capture(self) -> int:
        """The number of its capture."""
        return int(self.case.column("capture")[0])

    @property
    def confidence(self) -> Confidence:
        """How sure it is."""
        return confidence_of(self.margin)


def confidence_of(margin: float) -> Confidence:
    """Return the word for a margin."""
    if margin >= prices.CONFIRMED:
        return Confidence.CONFIRMED
    return Confidence.LIKELY if margin >= prices.LIKELY else Confidence.POSSIBLE


class Contest:
    """Has laws compete for the wrong checksums of some evidence.

    Parameters
    ----------
    context : Context
        Its ``open`` column says what is not explained yet; what wins claims it.
    competitors : sequence of Competitor
    rivals : sequence of Competitor
        Laws that explain nothing: what they win is set aside.
    """

    def __init__(
        self,
        context: Context,
        competitors: Sequence[Competitor],
        rivals: Sequence[Competitor] = (),
    ) -> None:
        self._context = context
        self._rivals = rivals
        #: Laws about paths, with those that explain nothing, and edits; by slot.
        self._laws = {
            slot: [c for c in (*competitors, *rivals) if c.law.slot == slot and not c.law.whole]
            for slot in _SLOTS
        }
        self._edits = {
            slot: [c for c in competitors if c.law.slot == slot and c.law.whole] for slot in _SLOTS
        }
        self.verdicts: list[Verdict] = []
        #: Where a rule has won already: at a place, or at a node, which does it to all its peers.
        self._won: set[tuple[str, Any]] = set()
        #: Where a law was beaten on what it explains, and whether its rule had won there before.
        self._beaten: set[tuple[int, int, bool]] = set()
        self._slack = np.full(len(context.suspects["path"]), np.inf)

    def run(self) -> list[Verdict]:
        """Accept laws until none is worth its price, and return them in that order."""
        for _ in range(_ROUNDS):
            if not self._round():
                break
        return self.verdicts

    def _round(self) -> bool:
        if self._edit():
            return True
        context, parts = self._context, []
        for slot in _SLOTS:
            case = context.case(slot)
            some = case.thinned()
            scores = self._scores(slot, some) if case.rows.size else []
            if scores:
                best = np.max([score.gain for score in scores], axis=0)
                context.no_damage(case, best >= prices.CONFIRMED)
                parts.append((case, some, scores))
        accepted = False
        for part in parts:
            accepted |= self._accept(*part)
        return accepted

    def _scores(self, slot: str, case: Case) -> list[Score]:
        out = []
        for competitor in self._laws[slot]:
            score = gains(competitor, case, self._repeated(competitor, case))
            if score is not None:
                self._without_beaten(score, case)
                out.append(score)
        return out

    def _without_beaten(self, score: Score, case: Case) -> None:
        law = id(score.competitor)
        if any(law == beaten for beaten, *_ in self._beaten):
            names = self._context.place_names(case)
            lost = [
                (law, name, self._before(score.competitor, name)) in self._beaten for name in names
            ]
            score.plain[lost] = NEVER

    def _before(self, competitor: Competitor, name: int) -> bool:
        """Tell whether a rule has won at a place before, or at the node that sends there."""
        node = self._context.node(name)
        return (competitor.code, name) in self._won or (competitor.code, node) in self._won

    def _repeated(self, competitor: Competitor, case: Case) -> Bool | None:
        if not self._won:
            return None
        hit = np.array([self._before(competitor, n) for n in self._context.place_names(case)])
        return hit if hit.any() else None

    def _lost(self, competitor: Competitor, name: int) -> None:
        self._beaten.add((id(competitor), name, self._before(competitor, name)))

    def _edit(self) -> bool:
        """Accept an edit of a capture where it is worth more than all that its paths would say."""
        context = self._context
        best: tuple[float, Score, Case] | None = None
        for slot in _SLOTS:
            case = context.case(slot, whole=True).thinned()
            for competitor in self._edits[slot]:
                score = gains(competitor, case, self._repeated(competitor, case))
                if score is None:
                    continue
                self._without_beaten(score, case)
                place = int(np.argmax(score.gain))
                value = float(score.gain[place])
                if value > (0.0 if best is None else best[0]):
                    best = (value, score, case.only(score.reading.mask & (case.place == place)))
        if best is None:
            return False
        value, score, case = best
        rivals = self._rivals_of_edit(case)
        named = sum(rivals.values())
        damage = {
            code: float(bits[case.place[0]])
            for code, bits in self._context.damage_bits(case).items()
        }
        others = [*self._other_edits(score.competitor, case), *damage.items()]
        rival = max([named, 0.0, *(bits for _, bits in others)])
        if named >= value:
            # By so much the laws of single paths are ahead of the edit.
            self._slack[case.rows] = np.minimum(self._slack[case.rows], named - value)
            return False
        if max(damage.values()) >= value:
            self._lost(score.competitor, int(case.names[case.place[0]]))
            return True
        every = context.case(score.competitor.law.slot, whole=True)
        self._win(
            score.competitor,
            every,
            case.names[case.place[:1]],
            value,
            value - rival,
            [*rivals.items(), *others],
        )
        return True

    def _rivals_of_edit(self, case: Case) -> dict[str, float]:
        """Return what the laws of single paths make of what an edit explains, by rule."""
        out: dict[str, float] = {}
        for slot in _SLOTS:
            some = replace(self._context.case(slot, among=case.rows), share=case.share)
            scores = self._scores(slot, some) if some.rows.size else []
            if not scores:
                continue
            matrix = np.array([score.gain for score in scores])
            best = matrix.argmax(axis=0)
            for place in range(some.places):
                value = float(matrix[best[place], place])
                if value > 0:
                    code = scores[int(best[place])].competitor.code
                    out[code] = out.get(code, 0.0) + value
        return out

    def _other_edits(self, winner: Competitor, case: Case) -> list[tuple[str, float]]:
        out = []
        for slot in _SLOTS:
            others = [c for c in self._edits[slot] if c.code != winner.code]
            if not others:
                continue
            some = self._context.case(slot, whole=True, among=case.rows)
            some = replace(some, share=case.share)
            for competitor in others:
                score = gains(competitor, some)
                if score is not None and score.gain.max() > 0:
                    out.append((competitor.code, float(score.gain.max())))
        return out

    def _accept(self, case: Case, some: Case, scores: list[Score]) -> bool:
        """Accept at each place the law that gains most; ``some`` of the case was scored."""
        if not scores:
            return False
        matrix = np.array([score.gain for score in scores])
        best = matrix.argmax(axis=0)
        places = np.flatnonzero(matrix[best, np.arange(some.places)] > 0)
        for number in np.unique(best[places]).tolist():
            score = scores[number]
            mine = np.zeros(some.places, np.bool_)
            mine[places[best[places] == number]] = True
            won = some.only(score.reading.mask & mine[some.place])
            if score.competitor in self._rivals:
                reading = score.reading if some is case else score.competitor.law.read(case)
                assert reading is not None
                self._context.reserved[case.rows[reading.mask & mine[case.place]]] = True
                continue
            own, rivals = self._judged(score.competitor, won)
            accepted: list[int] = []
            for place in np.flatnonzero(mine).tolist():
                strongest = max(0.0, *(float(bits[place]) for bits in rivals.values()))
                if own[place] < strongest:  # on what it explains another one is better
                    self._lost(score.competitor, int(some.names[place]))
                else:
                    accepted.append(place)
            if accepted:
                self._take(score, case, some, np.array(accepted), own, rivals)
        return bool(places.size)

    def _take(
        self,
        score: Score,
        case: Case,
        some: Case,
        places: I64,
        own: AnyArray,
        rivals: dict[str, AnyArray],
    ) -> None:
        """Give a law what it explains at some places, all of it and not only what was scored."""
        reading = score.reading if some is case else score.competitor.law.read(case)
        assert reading is not None
        order = np.argsort(case.place, kind="stable")
        starts = np.searchsorted(case.place[order], np.arange(case.places + 1))
        for place in places.tolist():
            rows = order[starts[place] : starts[place + 1]]
            rows = rows[reading.mask[rows]]
            among = [(code, float(bits[place])) for code, bits in rivals.items()]
            gain = float(score.gain[place])
            strongest = max(0.0, *(bits for _, bits in among))
            slack = float(np.median(self._slack[some.rows[some.place == place]]))
            margin = min(float(own[place]) - strongest, gain, slack)
            self._win_rows(score.competitor, case, rows, reading, gain, margin, among)

    def _judged(self, winner: Competitor, won: Case) -> tuple[AnyArray, dict[str, AnyArray]]:
        """Return the winner's gain on its own items, and those of its rivals by rule."""
        own = gains(winner, won)
        mine = np.full(won.places, NEVER) if own is None else own.gain
        rivals: dict[str, AnyArray] = {}
        for laws in (self._laws[won.slot], self._edits[won.slot]):
            others = [c for c in laws if c.code != winner.code]
            some = self._context.matching(won, whole=laws is self._edits[won.slot])
            for competitor in others:
                score = gains(competitor, some)
                if score is not None:
                    before = rivals.get(competitor.code, score.gain)
                    rivals[competitor.code] = np.maximum(before, score.gain)
        return mine, rivals | self._context.damage_bits(won)

    def _win(
        self,
        competitor: Competitor,
        case: Case,
        names: I64,
        gain: float,
        margin: float,
        rivals: list[tuple[str, float]],
    ) -> None:
        """Give an edit all that it explains of a capture."""
        reading = competitor.law.read(case)
        assert reading is not None
        rows = np.flatnonzero(reading.mask & (case.names[case.place] == names[0]))
        self._win_rows(competitor, case, rows, reading, gain, margin, rivals)

    def _win_rows(
        self,
        competitor: Competitor,
        case: Case,
        rows: I64,
        reading: Reading,
        gain: float,
        margin: float,
        rivals: list[tuple[str, float]],
    ) -> None:
        won = case.only(rows)
        self._context.claim(won, whole=competitor.law.whole)
        if np.unique(won.observation).size == 1 and reading.unknown[won.place[0]] >= prices.WORD:
            # One number for one checksum: nothing that could have been otherwise.
            margin = min(margin, prices.BELOW_LIKELY)
        near = [(r, bits) for r, bits in rivals if bits > 0 or gain - bits < prices.LIKELY]
        details = {name: values[rows] for name, values in reading.details.items()}
        self.verdicts.append(
            Verdict(competitor.code, competitor.law, won, details, gain, margin, near)
        )
        for name in self._context.place_names(won, used=True):
            self._won.update({(competitor.code, name), (competitor.code, self._context.node(name))})
