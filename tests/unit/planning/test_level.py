"""The power of t, F and chi-square statistics against quadrature and sums that share no code with SciPy's functions."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import betaincc, chdtri, fdtri, gammaincc, gammaln, ndtr, stdtrit

from trialsim.errors import InputError
from trialsim.planning.formulas.level import Level, chi_square_power, f_power, level, normal_power, t_power
from trialsim.planning.formulas.quadrature import beta_nodes, chi_nodes


def t_beyond_by_quadrature(critical: float, df: float, noncentrality: float) -> float:
    """P(Z + λ > c s) over the density of s = √(χ²/ν)."""

    def integrand(s: float) -> float:
        log_density = math.log(2.0) + df / 2 * math.log(df / 2) - gammaln(df / 2) + (df - 1) * math.log(s)
        return float(ndtr(noncentrality - critical * s)) * math.exp(log_density - df * s * s / 2)

    width = 14.0 / math.sqrt(2.0 * df)
    start, end = max(1e-12, 1.0 - width), 1.0 + width
    # The integrand turns where c s = λ, which is near 0 for a large c.
    turns = sorted({s for s in ((noncentrality + step) / critical for step in (-5, 0, 5, 20)) if start < s < end})
    ends = [start, *turns, end]
    pieces = pairwise(ends)
    return float(sum(quad(integrand, *piece, epsabs=1e-14, epsrel=1e-13, limit=500)[0] for piece in pieces))


@pytest.mark.parametrize("df", [1, 2, 5.5, 24, 126, 1e3, 1e5])
@pytest.mark.parametrize("noncentrality", [0.0, 0.4, 1.7, 3.2, 6.0, 12.0])
@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.001])
def test_noncentral_t(df, noncentrality, alpha):
    critical = stdtrit(df, 1.0 - alpha / 2)
    above = t_beyond_by_quadrature(critical, df, noncentrality)
    below = 1.0 - t_beyond_by_quadrature(-critical, df, noncentrality)
    assert t_power(noncentrality, df, Level(alpha, 2)) == pytest.approx(above, abs=1e-9)
    assert t_power(noncentrality, df, Level(alpha, 2, True)) == pytest.approx(above + below, abs=1e-9)
    assert t_power(noncentrality, df, Level(alpha / 2, 1, True)) == pytest.approx(above, abs=1e-9)


def poisson_weights(noncentrality: float) -> np.ndarray:
    count = np.arange(int(noncentrality / 2 + 40.0 * math.sqrt(noncentrality / 2 + 1.0) + 100))
    return np.exp(-noncentrality / 2 + count * np.log(noncentrality / 2) - gammaln(count + 1))


@pytest.mark.parametrize("df1", [1, 2, 5])
@pytest.mark.parametrize("df2", [8, 60, 5e3])
@pytest.mark.parametrize("noncentrality", [0.1, 3.0, 12.0, 60.0])
def test_noncentral_f(df1, df2, noncentrality):
    critical = fdtri(df1, df2, 0.95)
    weights = poisson_weights(noncentrality)
    count = np.arange(len(weights))
    expected = weights @ betaincc(df1 / 2 + count, df2 / 2, df1 * critical / (df1 * critical + df2))
    assert f_power(noncentrality, df1, df2, 0.05) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("df", [1, 3, 10])
@pytest.mark.parametrize("noncentrality", [0.1, 3.0, 12.0, 60.0])
def test_noncentral_chi_square(df, noncentrality):
    weights = poisson_weights(noncentrality)
    expected = weights @ gammaincc(df / 2 + np.arange(len(weights)), chdtri(df, 0.05) / 2)
    assert chi_square_power(noncentrality, df, 0.05) == pytest.approx(expected, abs=1e-10)


def test_no_effect_has_the_level_and_t_nears_the_normal():
    assert normal_power(0.0, level(0.05, 2)) == pytest.approx(0.025, abs=1e-15)
    assert normal_power(0.0, level(0.05, 2, True)) == pytest.approx(0.05, abs=1e-15)
    assert t_power(0.0, 7.0, level(0.05, 2, True)) == pytest.approx(0.05, abs=1e-12)
    assert f_power(0.0, 2, 30, 0.05) == pytest.approx(0.05, abs=1e-12)
    assert t_power(2.8, math.inf, level(0.05, 2)) == normal_power(2.8, level(0.05, 2))
    assert t_power(2.8, 1e8, level(0.05, 2)) == pytest.approx(normal_power(2.8, level(0.05, 2)), abs=1e-7)


def test_the_other_tail_of_a_large_effect_is_nothing():
    """SciPy's noncentral t gives NaN in such places."""
    assert t_power(6.0, 126.0, level(0.001, 2, True)) == t_power(6.0, 126.0, level(0.001, 2))
    assert t_power(15.0, 1e6, level(0.05, 2, True)) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("alpha", "sides"), [(0.0, 2), (1.0, 2), (math.nan, 2), (0.05, 3)])
def test_impossible_levels(alpha, sides):
    with pytest.raises(InputError):
        level(alpha, sides)


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (7.0, 0.5), (0.5, 40.0), (60.0, 45.0), (1e5, 1.5)])
def test_moments_of_beta_nodes(a, b):
    values, mass = beta_nodes(a, b)
    assert mass @ values == pytest.approx(a / (a + b), rel=1e-12)
    assert mass @ np.sqrt(values) == pytest.approx(
        math.exp(gammaln(a + 0.5) - gammaln(a) + gammaln(a + b) - gammaln(a + b + 0.5)), rel=1e-9
    )


@pytest.mark.parametrize("df", [1.0, 3.5, 200.0, 1e6])
def test_moments_of_chi_nodes(df):
    values, mass = chi_nodes(df)
    assert mass @ values**2 == pytest.approx(1.0, rel=1e-12)
    assert mass @ values**4 == pytest.approx(1.0 + 2.0 / df, rel=1e-12)
