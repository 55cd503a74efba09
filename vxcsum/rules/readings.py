"""Reading a constant residual as a rewritten address or port.

All defects of this family follow one law, ``value = c * dA + dP`` modulo 0xffff, where ``value`` is
constant for an outer flow, ``dA = S(new address) - S(old address)``, ``dP = new port - old port``
and ``c`` depends on the defect. One equation with two unknowns: the port alone, the address alone,
or a known address with any port are tried in turn. Source: fact sheet, sections 1.2 and 1.4.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.algebra import HALF
from vxcsum.checksum.grouping import group_labels, grouped
from vxcsum.checksum.status import Status
from vxcsum.packet.columns import distinct
from vxcsum.packet.protocols import IPPROTO_UDP
from vxcsum.rules.nat import Address, Candidate, candidates, proven, sum_of
from vxcsum.rules.odds import at_least, power, repeats
from vxcsum.rules.old_addresses import (
    MAX_TRIED,
    known_addresses,
    others_that_fit,
    sends_itself,
    take_back,
)

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64, AnyArray
    from vxcsum.rules.context import Context, Place

MODULUS = 0xFFFF
#: How probable a reading may be by chance and still be believed without the ICMP contrast.
MAX_CHANCE = 0.01
#: Of the flows of a path, at least this share have to be steady: one value each.
_STEADY_SHARE = 0.9
#: Right small packets from a port, for each wrong one, that other uses of the port explain.
_REUSED = 4
#: A rewriting shows in most wrong packets and most flows of the path.
_MOST = 0.5
#: NAT that picks a port at random is not this close to the old one, nor are addresses that are not
#: known otherwise.
_NEAR = 64
#: Where a device spares no packet, a rewriting shows in nearly all of them.
_NO_EXCEPTION = 0.8
#: So many observations, or odds as small as that, damage does not bring about.
MANY, RARE = 3, 1e-8
#: Odds that are too high for a reading that no contrast supports.
_WEAK = 1e-3
_SYN, _SYN_ACK = 0x02, 0x12
_INVERSE = {1: 1, 2: HALF}  # modulo 0xffff
SINGLE_BITS = {1 << bit for bit in range(16)} | {MODULUS - (1 << bit) for bit in range(16)}


@dataclass(slots=True)
class Flow:
    """Suspects with one outer source port and one value."""

    sport: int
    value: int
    rows: I64
    observations: int  # different right checksums; retransmissions are one
    old_port: int | None = None
    proof: bool = False


@dataclass(slots=True)
class Reading:
    """What was rewritten, and the odds that chance made it fit."""

    flows: list[Flow]
    odds: float
    candidates: list[Candidate] = field(default_factory=list)
    kept: bool = False
    """Whether the addresses are the same as before, and only the port was rewritten."""
    others: list[Address] = field(default_factory=list)
    """Addresses that would explain the same with other ports."""

    @property
    def rows(self) -> I64:
        """All suspects that the reading explains."""
        return np.sort(np.concatenate([flow.rows for flow in self.flows]))

    @property
    def proof(self) -> bool:
        """Whether a right packet came from exactly a recovered port."""
        return any(flow.proof for flow in self.flows)


def flows_of(context: Context, place: Place, rows: I64, values: AnyArray) -> list[Flow]:
    """Group suspects into flows, without those whose small packets are right elsewhere.

    NAT with one of these defects hits every small packet of a flow. Right ones from the same port
    come from another time; where they are many, the wrong ones are damage.
    """
    sports = context.column("outer_sport", rows)
    expected = context.expected("outer_udp", rows)
    good = place.path.good_ports
    flows = []
    for members in grouped(group_labels(sports, values)):
        sport, value = int(sports[members[0]]), int(values[members[0]])
        # A port that carried many right packets, and few wrong ones, was not rewritten.
        reused = _REUSED * members.size if members.size > 1 else 0
        if good is None or good[sport] <= reused:
            seen = len(distinct(expected[members]))
            flows.append(Flow(sport, value, rows[members], seen))
    return sorted(flows, key=lambda flow: (flow.sport, flow.value))


def read_flows(
    context: Context,
    place: Place,
    flows: list[Flow],
    *,
    wrong: int,
    coefficient: int,
    contrast: bool,
) -> Reading | None:
    """Return the best reading of some flows, or None.

    Parameters
    ----------
    context, place, flows
    wrong : int
        Packets that are to be explained; a reading of few of them is none.
    coefficient : {1, 2}
        ``c`` of the law.
    contrast : bool
        Whether packets of other kinds on the path behave as the defect wants it; then few packets
        suffice.
    """
    if not flows:
        return None
    reading = _address_only(context, place, flows, coefficient, contrast=contrast) or _port(
        context, place, flows, coefficient, contrast=contrast
    )
    if reading is None or reading.rows.size < _MOST * wrong:
        return None
    return None if _may_be_damage(context, place, reading) else reading


def _may_be_damage(context: Context, place: Place, reading: Reading) -> bool:
    """Tell whether damage is as good a reason.

    NAT leaves few wrong packets beside those it explains. Where few packets speak for it, they
    have to be all that is wrong on the path, and to be credible alone or to fit an address that the
    user gave: a damaged port or checksum looks the same.
    """
    rows = reading.rows
    if rows.size < _MOST * place.rows.size:
        return True
    if sum(flow.observations for flow in reading.flows) >= MANY or reading.odds < RARE:
        return False
    told = any(candidate.origin == "given" for candidate in reading.candidates)
    credible = told or credible_alone(context, place, rows)
    return not credible or rows.size < place.rows.size


def credible_alone(context: Context, place: Place, rows: I64) -> bool:
    """Tell whether suspects are what damage does not choose.

    They open connections, or are datagrams from ports that no tunnel uses.
    """
    opening = context.column("tcp_flags", rows) & _SYN_ACK == _SYN
    foreign = ~np.isin(context.column("outer_sport", rows), context.tunnel_ports(place))
    foreign &= context.column("inner_protocol", rows) == IPPROTO_UDP
    return bool((opening | foreign).all())


def few(place: Place, reading: Reading) -> bool:
    """Tell whether too little of a path fits for a device that spares no packet."""
    seen = sum(flow.observations for flow in reading.flows)
    if reading.odds > _WEAK:
        return True
    return seen < MANY or reading.rows.size < _NO_EXCEPTION * place.rows.size


def _address_only(
    context: Context, place: Place, flows: list[Flow], coefficient: int, *, contrast: bool
) -> Reading | None:
    """Ports kept: the value is the same in flows with different ports."""
    sports: dict[int, set[int]] = {}
    for flow in flows:
        sports.setdefault(flow.value, set()).add(flow.sport)
    value = max(sports, key=lambda v: len(sports[v]))
    if len(sports[value]) < _MOST * len({flow.sport for flow in flows}):
        return None
    chosen = [flow for flow in flows if flow.value == value]
    change = value * _INVERSE[coefficient] % MODULUS
    found = candidates(context, place.source, place.destination, change)
    known = proven(found) is not None
    if len(sports[value]) < 2:
        # One flow: believed only where a known address explains it exactly.
        in_range = all(flow.sport in context.tunnel_ports(place) for flow in chosen)
        if not (known and contrast and in_range):
            return None
        observations = sum(flow.observations for flow in chosen)
        odds = len(context.evidence.addresses) * power(1 / MODULUS, observations)
    else:
        # Small values are left behind by many mistakes of arithmetic, too: VX507, VX509. An even
        # one is twice the step to a neighbour, and none of theirs spares what is not TCP or UDP.
        near = place.spared or (coefficient == 2 and found)
        if _is_small(value) and not known and not (near and len(sports[value]) >= MANY):
            return None
        odds = repeats(len(flows), len(sports[value]) - 1)
    if odds >= MAX_CHANCE:
        return None
    for flow in chosen:
        flow.old_port = flow.sport
    return Reading(chosen, odds, candidates=found)


def _is_small(value: int) -> bool:
    return min(value, MODULUS - value) <= _NEAR


def _steady(flows: list[Flow]) -> list[Flow]:
    """Return for each port the value that most of its packets have; others are damage."""
    best: dict[int, Flow] = {}
    for flow in flows:
        known = best.get(flow.sport)
        if known is None or flow.rows.size > known.rows.size:
            best[flow.sport] = flow
    return list(best.values())


def _port(
    context: Context, place: Place, flows: list[Flow], coefficient: int, *, contrast: bool
) -> Reading | None:
    """Ports rewritten; the address kept, or one that is known."""
    steady = _steady(flows)
    packets = sum(flow.rows.size for flow in flows)
    if sum(flow.rows.size for flow in steady) < _STEADY_SHARE * packets:
        return None
    if 2 * sum(_is_small(flow.value) for flow in steady) > len(steady):
        return None
    given = context.given_addresses()
    known = known_addresses(context, place)
    # Where the peer sends its own packets to another address, that is the one from before NAT.
    answered = {a for a in context.answered_at(place) if not sends_itself(context, place, a)}
    hinted = [a for a in known if a in answered or a in given or context.was_given(a)]
    if len(known) > MAX_TRIED:
        known = hinted
    told = [a for a in hinted if a in given or context.was_given(a)]
    order = [None, *known] if place.source in answered or not hinted else [*hinted, None]
    order = list(dict.fromkeys([*told, *order]))
    for old_source in order:
        change = 0 if old_source is None else sum_of(place.source) - sum_of(old_source)
        if old_source is not None and change % MODULUS == 0:
            continue
        fitting = _fitting(context, place, steady, coefficient * change)
        if not fitting:
            continue
        tries = 1 if old_source is None else len(known)
        odds = min(1.0, tries * _odds(context, place, fitting, len(steady), old_source))
        few = contrast and (old_source is None or old_source in hinted)
        few &= len(fitting) == len(steady)
        few &= not any(flow.value in SINGLE_BITS for flow in fitting)
        if odds < MAX_CHANCE or few:
            origin = "given" if old_source in given else "seen"
            found = [] if old_source is None else [Candidate(old_source, "source", origin)]
            reading = Reading(fitting, odds, found, kept=old_source is None)
            reading.others = others_that_fit(context, place, steady, coefficient, known, old_source)
            take_back(context, place, reading, hinted)
            return reading
    return None


def port_alone(context: Context, place: Place, flows: list[Flow]) -> Reading | None:
    """Return a reading with the address kept if all flows fit, however likely by chance."""
    steady = _steady(flows)
    if not steady or any(_is_small(flow.value) for flow in steady):
        return None
    fitting = _fitting(context, place, steady, 0)
    if len(fitting) < len(steady):
        return None
    odds = _odds(context, place, fitting, len(steady), None)
    reading = Reading(fitting, odds, kept=True)
    reading.others = others_that_fit(
        context, place, steady, 2, known_addresses(context, place), None
    )
    take_back(context, place, reading)
    return reading


def _fitting(context: Context, place: Place, flows: list[Flow], shift: int) -> list[Flow]:
    """Return the flows whose old port is one that a tunnel takes, if nearly all are."""
    ports = context.tunnel_ports(place)
    fitting = []
    for flow in flows:
        flow.old_port = (flow.sport - flow.value + shift) % MODULUS
        if flow.old_port in ports:
            fitting.append(flow)
    # A flow with several equal packets is no damage; where there are none, all have to fit.
    repeated = [flow for flow in flows if flow.rows.size > 1]
    good = sum(flow.old_port in ports for flow in repeated)
    enough = good >= _STEADY_SHARE * len(repeated) if repeated else len(fitting) == len(flows)
    return fitting if enough else []


def _odds(
    context: Context, place: Place, flows: list[Flow], trials: int, old_source: Address | None
) -> float:
    """Return how likely chance would give old ports like these."""
    share = len(context.tunnel_ports(place)) / MODULUS
    odds = at_least(len(flows), trials, share)
    for flow in flows:
        flow.proof = _proof(context, place, flow, old_source or place.source)
        odds *= power(1 / MODULUS, flow.observations - 1 + flow.proof)
    return odds


def _proof(context: Context, place: Place, flow: Flow, source: Address) -> bool:
    """Look for a right packet of the same inner connection from the recovered address and port."""
    shakes = context.handshakes
    rows = context.handshakes_of(int(flow.rows[0]))
    rows = rows[shakes["outer_sport"][rows] == flow.old_port]
    status = shakes["outer_udp_status"][rows]
    rows = rows[(status == Status.VALID) | (status == Status.PARTIAL)]
    for name, address in (("outer_src", source), ("outer_dst", place.destination)):
        rows = rows[(shakes[name][rows] == np.array(address, np.uint64)).all(axis=1)]
    return bool(rows.size)
