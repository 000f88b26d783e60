import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.baselines import nb
from alerts.baselines.special import normal_quantile, normal_sf


def exact_log_tails(count: int, mean: float, size: float) -> tuple[float, float]:
    """Log P(Y ≥ count) and log P(Y < count), summed with 60 digits."""
    with localcontext() as context:
        context.prec = 60
        m = Decimal(mean)
        if math.isinf(size):
            term = (-m).exp()
        else:
            r = Decimal(size)
            q = m / (r + m)
            term = ((r / (r + m)).ln() * r).exp()
        below = Decimal(0)
        for j in range(count):
            below += term
            term *= m / (j + 1) if math.isinf(size) else (r + j) / (j + 1) * q
        return float((1 - below).ln()), float(below.ln())


@pytest.mark.parametrize("mean", [1e-6, 0.05, 1.0, 7.3, 60.0, 900.0])
@pytest.mark.parametrize("size", [1e-3, 0.1, 1.0, 5.5, 300.0, 1e7, math.inf])
def test_tails_are_exact_near_the_mean_and_far_from_it(mean: float, size: float) -> None:
    sd = math.sqrt(mean + mean * mean / size)
    for shift in (-2.0, -0.5, 0.0, 1.0, 3.0, 8.0):
        count = int(mean + shift * sd)
        if not 1 <= count <= 2000:
            continue
        above, below = exact_log_tails(count, mean, size)
        assert float(nb.log_sf(count, mean, size)) == pytest.approx(above, abs=2e-11)
        assert float(nb.log_cdf(count - 1, mean, size)) == pytest.approx(below, abs=2e-11)


def test_far_tails_rank_where_doubles_would_all_be_zero() -> None:
    tails = nb.log_sf([500, 5_000, 1_000_000], 3.0)
    assert np.all(np.diff(tails) < 0)
    assert tails[-1] == pytest.approx(-11_716_909.1, rel=1e-8)


@given(
    st.floats(1e-3, 500),
    st.one_of(st.just(math.inf), st.floats(1e-2, 1e4)),
    st.floats(1e-8, 0.9),
)
def test_the_quantile_is_the_smallest_count_that_keeps_the_promise(
    mean: float, size: float, tail: float
) -> None:
    bound = float(nb.quantile(tail, mean, size))
    assert float(nb.sf(bound + 1, mean, size)) <= tail
    if bound > 0:
        assert float(nb.sf(bound, mean, size)) > tail


@given(st.integers(0, 300), st.floats(1e-3, 200), st.floats(1e-2, 1e6))
def test_both_tails_and_the_mass_fit_together(count: int, mean: float, size: float) -> None:
    at_least, at_most = nb.sf(count, mean, size), nb.cdf(count, mean, size)
    mass = np.exp(nb.log_pmf(count, mean, size))
    assert float(at_least + at_most - mass) == pytest.approx(1.0, abs=1e-10)


def test_odd_arguments_have_defined_answers() -> None:
    assert np.isnan(nb.log_sf([np.nan, -1.0, np.inf], 1.0)).all()
    assert np.isnan(nb.quantile(0.01, [np.nan, -1.0])).all()
    assert nb.sf([0, 1], 0.0).tolist() == [1.0, 0.0]
    assert nb.cdf(0, 0.0) == 1.0
    assert nb.quantile(0.01, 0.0) == 0.0
    assert nb.size_of([1.0, 2.0], [1.0, 4.0]).tolist() == [math.inf, 2.0]
    assert np.isnan(nb.size_of(np.nan, 1.0))
    assert nb.log_sf(np.zeros((2, 0)), 1.0).shape == (2, 0)


@pytest.mark.parametrize(
    ("t", "df", "p"),
    [(2.0, 10, 0.073388034770740), (0.5, 3, 0.651447964848150), (1.96, 231, 0.051195), (0.0, 5, 1.0)],
)
def test_student_p(t: float, df: int, p: float) -> None:
    assert float(nb.student_p(t * t, df)) == pytest.approx(p, rel=1e-4)


def test_incomplete_beta_is_the_binomial_tail() -> None:
    tail = sum(math.comb(20, k) * 0.3**k * 0.7 ** (20 - k) for k in range(9, 21))
    assert math.exp(float(nb.log_incomplete_beta(9, 12, 0.3))) == pytest.approx(tail, rel=1e-12)
    assert nb.log_incomplete_beta(2, 3, 1.0) == 0.0


def test_normal() -> None:
    assert float(normal_sf(normal_quantile(1 - 1e-6))) == pytest.approx(1e-6, rel=1e-8)


def test_single_numbers_have_the_tails_of_arrays() -> None:
    rng = np.random.default_rng(40)
    count = np.concatenate([rng.integers(0, 80, 400).astype(float), rng.integers(80, 3_000, 60), [np.nan]])
    mean = np.append(10 ** rng.uniform(-3, 3, 460), 1.0)
    size = np.where(rng.random(461) < 0.2, np.inf, 10 ** rng.uniform(-2, 5, 461))
    for function in (nb.log_sf, nb.log_cdf, nb.log_pmf):
        apart = [float(function(*each)) for each in zip(count, mean, size, strict=True)]
        np.testing.assert_array_equal(apart, function(count, mean, size))
