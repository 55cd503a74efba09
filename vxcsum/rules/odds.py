"""How likely chance brings about what was seen, without overflow however much was seen."""

from __future__ import annotations

import math

#: Values that a checksum field may have by chance.
FIELD_VALUES = 0xFFFF
_SMALLEST = -700.0  # exp() of less is 0


def power(base: float, exponent: float) -> float:
    """Return ``base ** exponent``, at most 1, and 0 where it is too small for a float."""
    if base <= 0.0:
        return 0.0 if exponent > 0 else 1.0
    return math.exp(max(_SMALLEST, min(0.0, exponent * math.log(base))))


def repeats(packets: int, observations: int) -> float:
    """Return a bound on the odds that random fields have one given value so often.

    Parameters
    ----------
    packets : int
        All that might have it.
    observations : int
        Those that do.
    """
    if observations <= 0:
        return 1.0
    return power(math.e * packets / (observations * FIELD_VALUES), observations)


def at_least(successes: int, trials: int, chance: float) -> float:
    """Return the binomial tail: so many successes or more."""
    if successes <= 0:
        return 1.0
    total = 0.0
    for k in range(successes, trials + 1):
        log = (
            math.lgamma(trials + 1)
            - math.lgamma(k + 1)
            - math.lgamma(trials - k + 1)
            + k * math.log(chance)
            + (trials - k) * math.log1p(-chance)
        )
        total += math.exp(max(_SMALLEST, log))
        if k - successes > 200:  # the terms only get smaller from here
            break
    return min(1.0, total)
