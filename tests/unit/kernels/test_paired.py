"""Differences over shared replicates: McNemar by hand, influences, the bivariate normal, coverage of the interval."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr, ndtri

from trialsim.kernels.paired import (
    bivariate_normal_cdf,
    bonferroni_level,
    influences,
    mean_difference,
    normal_paired_ratio,
    share_difference,
)

ALL = np.ones(10, dtype=bool)
FIRST = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0, 1], dtype=float)
SECOND = np.array([1, 1, 1, 0, 0, 0, 1, 0, 0, 1], dtype=float)


def test_mcnemar_by_hand():
    # Found by both 4, by the first alone 3, by the second alone 1, by neither 2.
    found = share_difference(influences(FIRST, ALL), influences(SECOND, ALL))
    assert found.value == pytest.approx(0.2)
    assert found.mcse == pytest.approx(math.sqrt(3 + 1 - (3 - 1) ** 2 / 10) / 10)
    assert found.independent_mcse == pytest.approx(math.sqrt(0.7 * 0.3 / 10 + 0.5 * 0.5 / 10))
    # Bonett and Price: one more found by each alone, of twelve.
    p12, p21 = (3 + 1) / 12, (1 + 1) / 12
    half = 1.959963984540054 * math.sqrt((p12 + p21 - (p12 - p21) ** 2) / 12)
    assert found.low == pytest.approx(p12 - p21 - half)
    assert found.high == pytest.approx(p12 - p21 + half)


def test_failed_fits_leave_the_mean_of_their_own_design_only():
    usable = ALL.copy()
    usable[[0, 6]] = False
    found = influences(FIRST, usable)
    assert found.value == pytest.approx(6 / 8)
    assert found.influence.sum() == pytest.approx(0.0, abs=1e-12)
    # Alone its error is that of a share of eight.
    assert math.sqrt(float(found.influence @ found.influence)) / 10 == pytest.approx(math.sqrt(0.75 * 0.25 / 8))
    difference = share_difference(found, influences(SECOND, ALL))
    assert difference.value == pytest.approx(6 / 8 - 5 / 10)
    # The delta method, written out: (x - p) u / mean(u) for each design.
    d = np.where(usable, (FIRST - 0.75) / 0.8, 0.0) - (SECOND - 0.5)
    assert difference.mcse == pytest.approx(math.sqrt(np.mean(d**2) / 10))


def test_no_usable_fit_gives_no_number():
    assert math.isnan(influences(FIRST, ~ALL).value)
    assert math.isnan(share_difference(influences(FIRST, ~ALL), influences(SECOND, ALL)).value)


def test_designs_that_agree_everywhere_differ_by_0_but_not_for_certain():
    found = share_difference(influences(FIRST, ALL), influences(FIRST.copy(), ALL))
    assert (found.value, found.mcse) == (0.0, 0.0)
    assert found.low < 0.0 < found.high
    assert found.high == -found.low


def test_means_by_hand():
    first, second = np.array([1.0, 2.0, 4.0, 5.0]), np.array([0.0, 2.0, 3.0, 7.0])
    usable = np.ones(4, dtype=bool)
    found = mean_difference(influences(first, usable), influences(second, usable), extra=0.5)
    assert found.value == pytest.approx(0.0)
    assert found.mcse == pytest.approx(math.hypot(np.std(first - second, ddof=1) / 2, 0.5))
    alone = math.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 4)
    assert found.independent_mcse == pytest.approx(math.hypot(alone, 0.5))


def test_bonferroni():
    assert bonferroni_level(1) == pytest.approx(0.95)
    assert bonferroni_level(5) == pytest.approx(0.99)


@pytest.mark.parametrize("rho", [-1.0, -0.99, -0.5, 0.0, 0.3, 0.913, 0.99, 0.99999, 1.0])
def test_bivariate_normal_at_the_origin_is_known(rho):
    assert bivariate_normal_cdf(0.0, 0.0, rho) == pytest.approx(0.25 + math.asin(rho) / (2 * math.pi), abs=1e-12)


@pytest.mark.parametrize(("h", "k", "rho"), [(0.8, 1.1, 0.913), (-1.0, 0.4, 0.6), (1.3, -0.2, -0.7), (2.0, 2.2, 0.95)])
def test_bivariate_normal_against_an_integral(h, k, rho):
    def inner(x):
        return math.exp(-x * x / 2) / math.sqrt(2 * math.pi) * ndtr((k - rho * x) / math.sqrt(1 - rho * rho))

    assert bivariate_normal_cdf(h, k, rho) == pytest.approx(quad(inner, -9, h, epsabs=1e-13)[0], abs=1e-10)


def test_the_bound_for_a_fifth_more_patients():
    # Power 0.80 with N, z test: 0.8729 with 1.2 N; the ratio is near 0.6.
    noncentral = ndtri(0.8) - ndtri(0.025)
    more = float(ndtr(noncentral * math.sqrt(1.2) + ndtri(0.025)))
    ratio = normal_paired_ratio(0.8, more, math.sqrt(1 / 1.2))
    assert 0.57 < ratio < 0.62
    # The same by drawing both statistics.
    z = np.random.default_rng(7).standard_normal((2, 400_000))
    small = z[0] > -ndtri(0.8)
    large = math.sqrt(1 / 1.2) * z[0] + math.sqrt(1 - 1 / 1.2) * z[1] > -ndtri(more)
    drawn = np.std(small.astype(float) - large) / math.sqrt(0.8 * 0.2 + more * (1 - more))
    assert abs(drawn - ratio) < 4.9 * 0.002  # its standard error is about 0.0015
    assert normal_paired_ratio(0.8, 0.8, 1.0) == pytest.approx(0.0, abs=1e-7)
    assert normal_paired_ratio(0.8, 0.7, 0.0) == pytest.approx(1.0)
    assert math.isnan(normal_paired_ratio(1.0, 1.0, 0.9))


def test_the_interval_holds_the_truth():
    rng = np.random.default_rng(11)
    both = rng.choice(4, size=(2000, 200), p=[0.62, 0.12, 0.06, 0.20])
    held = 0
    for trial in both:
        first, second = (trial <= 1).astype(float), ((trial == 0) | (trial == 2)).astype(float)
        usable = np.ones(200, dtype=bool)
        found = share_difference(influences(first, usable), influences(second, usable))
        held += found.low <= 0.06 <= found.high
    # 0.95 to within 4.9 standard errors of 0.0049.
    assert abs(held / 2000 - 0.95) < 4.9 * 0.0049
