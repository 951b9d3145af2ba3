"""Two-by-two tables of whole blocks: levels by enumeration, edges of intervals, and tables without an answer."""

import numpy as np
import pytest
from scipy.special import gammaln

from trialsim.kernels.binary import (
    Counts,
    chi_square_test,
    count_responses,
    fisher_test,
    mantel_haenszel_test,
    newcombe_difference,
    odds_ratio,
    risk_ratio,
    score_interval,
    score_test,
    standardised_risks,
    wald_difference,
)
from trialsim.kernels.binary.counts import ALL_ALIKE, EMPTY_ARM, EMPTY_CELL, NO_FIT, NO_STRATUM
from trialsim.kernels.logistic import fit_logistic


def tables(*rows):
    return Counts(*np.array(rows, dtype=float).T)


def every_table(n):
    x, y = np.meshgrid(np.arange(n + 1.0), np.arange(n + 1.0), indexing="ij")
    return Counts(x.ravel(), np.full(x.size, float(n)), y.ravel(), np.full(x.size, float(n)))


def level(rejected, n, risk):
    """Return the probability of rejecting when both arms have the same risk, from all tables."""
    counts = every_table(n)
    log_choose = gammaln(n + 1) - gammaln(counts.active + 1) - gammaln(n - counts.active + 1)
    log_choose += gammaln(n + 1) - gammaln(counts.control + 1) - gammaln(n - counts.control + 1)
    hits = counts.active + counts.control
    return np.sum(np.exp(log_choose + hits * np.log(risk) + (2 * n - hits) * np.log1p(-risk))[rejected])


def test_fisher_keeps_its_level_at_twelve_an_arm_whatever_the_risk():
    rejected = fisher_test(every_table(12)).p <= 0.05
    levels = [level(rejected, 12, risk) for risk in np.linspace(0.005, 0.995, 199)]
    assert max(levels) <= 0.05
    assert max(levels) > 0.02  # conservative, but a test


def test_chi_square_does_not():
    rejected = chi_square_test(every_table(12)).p <= 0.05
    assert max(level(rejected, 12, risk) for risk in np.linspace(0.005, 0.995, 199)) > 0.05


def test_the_lady_and_the_tea():
    counts = tables([3, 4, 1, 4], [4, 4, 0, 4])
    np.testing.assert_allclose(fisher_test(counts).p, [34 / 70, 2 / 70], rtol=1e-12)
    np.testing.assert_allclose(fisher_test(counts, alternative="greater").p, [17 / 70, 1 / 70], rtol=1e-12)


def test_tables_without_an_answer():
    counts = tables([3, 10, 5, 10], [0, 0, 5, 10], [0, 10, 0, 10], [10, 10, 10, 10], [0, 10, 10, 10])
    assert fisher_test(counts).reason.tolist() == [0, EMPTY_ARM, 0, 0, 0]
    np.testing.assert_allclose(fisher_test(counts).p[2:4], 1.0)
    assert chi_square_test(counts).reason.tolist() == [0, EMPTY_ARM, ALL_ALIKE, ALL_ALIKE, 0]
    assert wald_difference(counts).reason.tolist() == [0, EMPTY_ARM, ALL_ALIKE, ALL_ALIKE, ALL_ALIKE]
    assert risk_ratio(counts).reason.tolist() == [0, EMPTY_ARM, EMPTY_CELL, ALL_ALIKE, EMPTY_CELL]
    assert odds_ratio(counts).reason.tolist() == [0, EMPTY_ARM, EMPTY_CELL, EMPTY_CELL, EMPTY_CELL]
    for interval in (newcombe_difference(counts), score_interval(counts)):
        assert interval.reason.tolist() == [0, EMPTY_ARM, 0, 0, 0]
        assert np.isnan(interval.low[1])
        assert np.all(interval.low[[0, 2, 3, 4]] <= interval.estimate[[0, 2, 3, 4]])
        assert np.all(interval.high[[0, 2, 3, 4]] >= interval.estimate[[0, 2, 3, 4]])
    for test in (fisher_test, chi_square_test, score_test):
        assert test(counts).p[0] == test(tables([3, 10, 5, 10])).p[0]


def test_score_intervals_at_the_edges():
    counts = tables([0, 20, 5, 20], [5, 20, 0, 20], [20, 20, 5, 20], [5, 20, 20, 20], [0, 20, 0, 20])
    ratio, odds = score_interval(counts, measure="ratio"), score_interval(counts, measure="odds_ratio")
    assert ratio.low[[0, 4]].tolist() == [0.0, 0.0]
    assert np.isinf(ratio.high[[1, 4]]).all()
    assert odds.low[[0, 3, 4]].tolist() == [0.0, 0.0, 0.0]
    assert np.isinf(odds.high[[1, 2, 4]]).all()
    assert np.isfinite(odds.low[[1, 2]]).all()
    difference = score_interval(counts)
    assert np.all(np.abs([difference.low, difference.high]) < 1.0)
    np.testing.assert_allclose(difference.low[4], -difference.high[4], rtol=1e-12)


def test_two_extremes_have_the_whole_difference_in_the_interval():
    interval = score_interval(tables([0, 10, 10, 10], [10, 10, 0, 10]))
    assert interval.low[0] == pytest.approx(-1.0, abs=1e-12)
    assert interval.high[1] == pytest.approx(1.0, abs=1e-12)
    assert interval.high[0] < -0.5


def test_score_test_of_no_difference_is_pearsons():
    counts = tables([3, 10, 5, 12], [8, 30, 20, 31], [1, 7, 2, 9])
    plain = score_test(counts, bias_correction=False)
    np.testing.assert_allclose(plain.z**2, chi_square_test(counts).chi_square, rtol=1e-12)
    for measure in ("ratio", "odds_ratio"):
        other = score_test(counts, measure=measure, bias_correction=False)
        np.testing.assert_allclose(other.z, plain.z, rtol=1e-12)


def test_non_inferiority_is_the_interval_beyond_the_margin():
    counts = tables([70, 100, 70, 100], [60, 100, 72, 100], [80, 100, 70, 100])
    test = score_test(counts, null=-0.12, alternative="greater", bias_correction=False)
    low = score_interval(counts, bias_correction=False).low
    np.testing.assert_array_equal(test.p < 0.025, low > -0.12)
    assert test.p[1] == pytest.approx(0.5)  # the observed difference is the margin itself


def test_mantel_haenszel_of_strata_that_say_nothing():
    full = Counts(*np.array([[[3.0, 0.0]], [[10.0, 4.0]], [[6.0, 0.0]], [[11.0, 0.0]]]))
    alone = Counts(*(field[:, :1] for field in full))
    for both, one in zip(mantel_haenszel_test(full), mantel_haenszel_test(alone), strict=True):
        np.testing.assert_allclose(both, one, rtol=1e-13)
    empty = Counts(*np.zeros((4, 1, 2)))
    assert mantel_haenszel_test(empty).reason[0] == NO_STRATUM
    assert np.isnan(mantel_haenszel_test(empty).p[0])


def test_counts_leave_out_the_missing_and_other_arms():
    y = np.array([[1.0, 0.0, np.nan, 1.0, 1.0, 0.0]])
    arm = np.array([[0, 0, 0, 1, 2, 1]])
    assert [float(field[0]) for field in count_responses(y, arm == 1, arm == 0)] == [1, 2, 1, 2]


def test_standardised_risks_without_covariates_are_the_risks():
    arm = np.repeat([[0.0, 1.0]], 20, axis=0).T.reshape(1, -1)
    y = (np.tile(np.arange(20), 2) < np.where(arm == 1, 12, 5)).astype(float)
    x = np.stack([np.ones_like(arm), arm], axis=2)
    on, off = x.copy(), x.copy()
    on[:, :, 1], off[:, :, 1] = 1.0, 0.0
    included = np.ones(y.shape, dtype=bool)
    got = standardised_risks(fit_logistic(x, y, included), on, off, included)
    wald = wald_difference(tables([12, 20, 5, 20]))
    np.testing.assert_allclose([got.estimate, got.se, got.p], [wald.estimate, wald.se, wald.p], rtol=1e-10)
    none = standardised_risks(fit_logistic(on, y, included), on, off, included)
    assert none.reason[0] == NO_FIT
    assert np.isnan(none.estimate[0])
