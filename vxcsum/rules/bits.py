"""How many bits it takes to say which of some things are hit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.rules.prices import BETA, LEAST_DAMAGE, MOST_DAMAGE, MOST_SPARED

if TYPE_CHECKING:
    from vxcsum.packet.columns import AnyArray

_STEPS = 8
_POINTS = 96


def log_gamma(x: Any) -> AnyArray:
    """Return the logarithm of the gamma function for positive numbers (Stirling's series).

    Examples
    --------
    >>> bool(abs(log_gamma(5.0) - math.log(24)) < 1e-9)
    True
    """
    x = np.asarray(x, np.float64)
    shift = sum(np.log(x + step) for step in range(_STEPS))
    y = x + _STEPS
    series = 1 / (12 * y) - 1 / (360 * y**3) + 1 / (1260 * y**5)
    out: AnyArray = (y - 0.5) * np.log(y) - y + 0.5 * math.log(2 * math.pi) + series - shift
    return out


def which(hit: Any, of: Any) -> AnyArray:
    """Return the bits that tell which of some things are hit, at a rate that is not known.

    Beta(0.1, 0.1) over the rate: all or none of them costs about one bit.
    """
    k, n = np.maximum(hit, 0.0), np.maximum(of, np.maximum(hit, 0.0))
    total = log_gamma(n + 2 * BETA) - log_gamma(k + BETA) - log_gamma(n - k + BETA)
    total += 2 * log_gamma(BETA) - log_gamma(2 * BETA)
    out: AnyArray = np.where(n > 0, total / math.log(2), 0.0)
    return out


def choice(picked: Any, of: Any) -> AnyArray:
    """Return the bits that tell which flows were picked: how many of them, and which."""
    n = np.maximum(of, picked)
    ways = log_gamma(n + 1.0) - log_gamma(picked + 1.0) - log_gamma(n - picked + 1.0)
    out: AnyArray = ways / math.log(2) + np.log2(n + 1.0)
    return out


def damaged(hit: Any, of: Any) -> AnyArray:
    """Return the bits that tell which frames were damaged, at a low rate that is not known."""
    return _at_rates(hit, of, np.geomspace(LEAST_DAMAGE, MOST_DAMAGE, _POINTS))


def edited(hit: Any, of: Any) -> AnyArray:
    """Return the bits that tell which packets were edited: nearly all that an edit is about."""
    return _at_rates(hit, of, 1.0 - np.geomspace(LEAST_DAMAGE, MOST_SPARED, _POINTS))


def _at_rates(hit: Any, of: Any, rates: AnyArray) -> AnyArray:
    k, n = np.asarray(hit, np.float64), np.maximum(of, hit).astype(np.float64)
    logs = k[..., None] * np.log(rates) + (n - k)[..., None] * np.log1p(-rates)
    most = logs.max(axis=-1)
    total: AnyArray = most + np.log(np.exp(logs - most[..., None]).mean(axis=-1))
    return -total / math.log(2)
