"""Bits of saying which: against factorials, sums over all outcomes, and integrals."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxcsum.rules.bits import choice, damaged, log_gamma, which
from vxcsum.rules.prices import BETA, LEAST_DAMAGE, MOST_DAMAGE

POSITIVE = st.floats(1e-3, 1e9, allow_nan=False)
COUNTS = st.tuples(st.integers(0, 400), st.integers(0, 400)).map(lambda c: (c[0], sum(c)))


def slow_which(hit: int, of: int) -> float:
    """Each in its turn, at the rate of those before it (Polya's urn, exact)."""
    beta = Fraction(BETA).limit_denominator(1000)
    likely = Fraction(1)
    for number in range(of):
        before, is_hit = min(number, hit), number < hit
        share = (before if is_hit else number - before) + beta
        likely *= share / (number + 2 * beta)
    return math.log2(likely.denominator) - math.log2(likely.numerator)


def slow_damaged(hit: int, of: int) -> float:
    """The mean over rates from the least to the most, on a logarithmic scale, in fine steps."""
    low, high = math.log(LEAST_DAMAGE), math.log(MOST_DAMAGE)
    steps = 4000
    rates = [math.exp(low + (high - low) * (n + 0.5) / steps) for n in range(steps)]
    logs = [hit * math.log(rate) + (of - hit) * math.log1p(-rate) for rate in rates]
    most = max(logs)
    mean = math.fsum(math.exp(each - most) for each in logs) / steps
    return -(most + math.log(mean)) / math.log(2)


@given(POSITIVE)
def test_log_gamma_is_that_of_the_standard_library(x: float) -> None:
    assert math.isclose(float(log_gamma(x)), math.lgamma(x), rel_tol=1e-11, abs_tol=1e-9)


@pytest.mark.parametrize("x", [BETA, 2 * BETA, 0.5, 1.0, 2.0, 8.0, 1e6, 1e12, 1e15])
def test_log_gamma_where_it_is_used(x: float) -> None:
    assert math.isclose(float(log_gamma(x)), math.lgamma(x), rel_tol=1e-11, abs_tol=1e-9)


def test_log_gamma_takes_arrays() -> None:
    values = np.array([[1.0, 2.5], [7.0, 1e5]])
    expected = [[math.lgamma(x) for x in row] for row in values.tolist()]
    assert np.allclose(log_gamma(values), expected, rtol=1e-11, atol=1e-9)


@given(COUNTS)
def test_which_is_what_an_urn_says_one_by_one(counts: tuple[int, int]) -> None:
    hit, of = counts
    assert math.isclose(float(which(hit, of)), slow_which(hit, of), rel_tol=1e-8, abs_tol=1e-7)


@given(st.integers(1, 12))
def test_which_is_a_code_whose_words_fit(of: int) -> None:
    # Kraft: the lengths of all outcomes together fill the space of code words exactly.
    total = math.fsum(math.comb(of, hit) * 2.0 ** -float(which(hit, of)) for hit in range(of + 1))
    assert math.isclose(total, 1.0, rel_tol=1e-9)


def test_all_or_none_costs_about_a_bit_and_nothing_costs_nothing() -> None:
    assert float(which(0, 0)) == 0.0
    for of in (1, 10, 1000):
        assert 0.99 <= float(which(0, of)) < 2.5
        assert math.isclose(float(which(0, of)), float(which(of, of)), rel_tol=1e-9)
    assert float(which(500, 1000)) > 990


def test_which_is_not_misled_by_shares_that_exceed_the_whole() -> None:
    # Samples of a path are counts with fractions: a little more than all is all.
    assert float(which(5.0, 4.9)) == float(which(5.0, 5.0))
    assert float(which(-0.2, 4.0)) == float(which(0.0, 4.0))


@given(COUNTS)
def test_choice_is_how_many_and_which_of_them(counts: tuple[int, int]) -> None:
    picked, of = counts
    exact = math.log2(math.comb(of, picked)) + math.log2(of + 1)
    assert math.isclose(float(choice(picked, of)), exact, rel_tol=1e-8, abs_tol=1e-7)


@given(st.integers(0, 30))
def test_choice_is_a_code_whose_words_fit(of: int) -> None:
    lengths = (float(choice(picked, of)) for picked in range(of + 1))
    total = math.fsum(math.comb(of, picked) * 2.0**-bits for picked, bits in enumerate(lengths))
    assert math.isclose(total, 1.0, rel_tol=1e-7)


@pytest.mark.parametrize(
    ("hit", "of"), [(0, 0), (0, 1), (1, 1), (0, 50), (1, 50), (3, 4000), (40, 50), (50, 50)]
)
def test_damaged_is_the_mean_over_all_low_rates(hit: int, of: int) -> None:
    assert math.isclose(float(damaged(hit, of)), slow_damaged(hit, of), rel_tol=0.02, abs_tol=0.05)


@given(COUNTS)
def test_damaged_is_close_to_a_slow_sum_for_any_counts(counts: tuple[int, int]) -> None:
    hit, of = counts
    assert math.isclose(float(damaged(hit, of)), slow_damaged(hit, of), rel_tol=0.02, abs_tol=0.2)


def test_damage_is_cheap_where_it_is_rare_and_dear_where_all_are_wrong() -> None:
    assert float(damaged(3, 10_000)) < float(which(3, 10_000))
    assert float(damaged(100, 100)) > 200 > float(which(100, 100))


def test_all_of_them_take_arrays_of_any_shape() -> None:
    hit, of = np.array([[0.0, 3.0], [7.0, 2.0]]), np.array([[4.0, 3.0], [9.0, 200.0]])
    for bits in (which, choice, damaged):
        together = bits(hit, of)
        assert together.shape == hit.shape
        alone = [float(bits(k, n)) for k, n in zip(hit.ravel(), of.ravel(), strict=True)]
        assert np.allclose(together.ravel(), alone)


def test_large_counts_stay_numbers() -> None:
    for bits in (which, choice, damaged):
        assert 0 <= float(bits(10.0**6, 10.0**9)) < math.inf
        assert 0 <= float(bits(0.0, 10.0**9)) < math.inf
