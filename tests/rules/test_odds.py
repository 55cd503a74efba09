"""The odds stay numbers, however much was seen."""

from __future__ import annotations

import math

import pytest

from vxcsum.rules.odds import at_least, power, repeats


@pytest.mark.parametrize("base", [1e-300, 1e-5, 0.43, 1.0, 3.0])
@pytest.mark.parametrize("exponent", [0, 1, 66, 10**6])
def test_a_power_is_a_probability(base: float, exponent: int) -> None:
    assert 0.0 <= power(base, exponent) <= 1.0


def test_a_power_is_exact_where_floats_are() -> None:
    assert math.isclose(power(0.43, 7), 0.43**7)


def test_repeats_of_one_value_among_many_packets_are_improbable() -> None:
    assert repeats(100_000, 100_000) < 1e-100
    assert repeats(100_000, 2) == 1.0
    assert repeats(10, 1) < 1e-3


def test_the_binomial_tail_agrees_with_a_sum_over_all_outcomes() -> None:
    exact = sum(math.comb(12, k) * 0.43**k * 0.57 ** (12 - k) for k in range(9, 13))
    assert math.isclose(at_least(9, 12, 0.43), exact, rel_tol=1e-9)
    assert at_least(0, 12, 0.43) == 1.0
    assert 0.0 <= at_least(50_000, 60_000, 0.43) < 1e-100
