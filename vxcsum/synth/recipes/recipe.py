"""What a recipe is: a function that makes packets, and what is true of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vxcsum.synth.packet import ETHERNET, ICMP, ICMPV6, TCP
from vxcsum.synth.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vxcsum.synth.packet import Packet

#: How far apart the seeds of two makings of a recipe are: no recipe counts as far.
SEED_STRIDE = 1000


@dataclass(frozen=True, slots=True)
class Recipe:
    """A small capture with one mistake in it, or none.

    Attributes
    ----------
    name : str
        ``vx101-pods``: the rule, and which reading of it; ``like-...`` for look-alikes.
    make : callable
        Base of the seeds -> packets; all its random numbers come from seeds counted from there.
    about : str
        One sentence.
    linktype : int
    resembles : tuple of str
        Rules for which it is a look-alike.
    options : dict
        How it has to be analysed: ``vantage``, ``pre_nat``.
    recovered : dict
        Values that the evidence has to name.
    confidence : dict
        Rule: how sure the finding has to be.
    findings, info : dict
        Rules that are found beyond those that packets are marked with, without frames of theirs.
    shorten : int
        Octets missing at the end of the file.
    whole : bool
        Whether the rule is about a capture as a whole: the recipe is then made as often as fits,
        and not once among healthy traffic.
    once : bool
        Whether several makings in one capture would show something else.
    unfit : tuple of str
        Shapes of healthy traffic beside which the rule is not true.
    """

    name: str
    make: Callable[[int], Iterable[Packet]]
    about: str
    linktype: int = ETHERNET
    resembles: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    recovered: dict[str, list[Any]] = field(default_factory=dict)
    confidence: dict[str, str] = field(default_factory=dict)
    info: dict[str, None] = field(default_factory=dict)
    findings: dict[str, None] = field(default_factory=dict)
    shorten: int = 0
    whole: bool = False
    once: bool = False
    unfit: tuple[str, ...] = ()

    def packets(self, seed: int = 0) -> list[Packet]:
        """Return the packets in the order of their times."""
        return sorted(self.make(SEED_STRIDE * seed), key=lambda p: p.time)


#: All recipes in the order of their definition.
RECIPES: dict[str, Recipe] = {}


def recipe(name: str, **more: Any) -> Callable[[Any], Any]:
    """Register a function as the maker of a recipe; its docstring says what it is."""

    def register(make: Callable[[int], Iterable[Packet]]) -> Callable[[int], Iterable[Packet]]:
        RECIPES[name] = Recipe(name, make, " ".join((make.__doc__ or "").split()), **more)
        return make

    return register


def marked_frames(
    owners: Sequence[Packet],
) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Return which frames the marks of their packets name, by rule.

    Parameters
    ----------
    owners : sequence of Packet
        The packet of each frame. Marks are ``VX101`` for errors and warnings, ``info:VX201``
        for findings of severity info, ``first:VX902`` for the first fragment alone.

    Returns
    -------
    findings, info : dict of str to list of int
        Frame numbers from 1.
    """
    serious: dict[str, list[int]] = {}
    infos: dict[str, list[int]] = {}
    seen: Counter[int] = Counter()
    for number, p in enumerate(owners, 1):
        seen[id(p)] += 1
        for code in p.marks:
            kind, _, rule = code.rpartition(":")
            if kind != "first" or seen[id(p)] == 1:
                (infos if kind else serious).setdefault(rule, []).append(number)
    return serious, infos


def traffic(seed: int, **more: Any) -> Traffic:
    """Return traffic of all kinds."""
    return Traffic(seed, **more).everything()


def mark(p: Packet, code: str) -> Packet:
    """Write down that a rule is true of a packet."""
    p.marks[code] = True
    return p


def change(
    packets: Iterable[Packet], where: Callable[[Packet], Any], code: str, **changes: Any
) -> list[Packet]:
    """Make a mistake in some packets, and mark them."""
    return [mark(p.but(**changes), code) if where(p) else p for p in packets]


def from_a(p: Packet) -> bool:
    """Tell whether a packet comes from pod A."""
    return p.src[-1] == 5 and p.src != p.dst


def tcp_a(p: Packet) -> bool:
    """Tell whether a packet is TCP from pod A."""
    return p.protocol == TCP and from_a(p)


def transport_a(p: Packet) -> bool:
    """Tell whether a packet is TCP or UDP from pod A."""
    return p.transport and from_a(p)


def icmp_a(p: Packet) -> bool:
    """Tell whether a packet is ICMP or ICMPv6 from pod A."""
    return p.protocol in (ICMP, ICMPV6) and from_a(p)


def not_transport(p: Packet) -> bool:
    """Tell whether a packet is neither TCP nor UDP."""
    return not p.transport
