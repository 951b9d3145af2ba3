"""Slow, plain versions of the tests of two arms, one trial at a time, from SciPy, statsmodels and first principles."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize, stats

from trialsim.kernels.binary import (
    Counts,
    chi_square_test,
    count_responses,
    fisher_test,
    mantel_haenszel_test,
    score_interval,
    score_test,
    standardised_risks,
)
from trialsim.kernels.logistic import fit_logistic
from trialsim.kernels.ranks import hodges_lehmann, null_distribution, rank_sum_test, van_elteren_test
from trialsim.kernels.robust import contrast, effects_by_stratum, joint_test, regress
from trialsim.kernels.two_sample import pooled_t_test, welch_t_test

R, N = 25, 40


def trials(seed=0, *, rounded=False):
    """Return scores with gaps, active and control arm of three, strata, and a covariate."""
    rng = np.random.default_rng(seed)
    arm = rng.permuted(np.broadcast_to(np.arange(N) % 3, (R, N)), axis=1)
    stratum = rng.integers(0, 3, (R, N))
    y = rng.normal(15.0, 4.0, (R, N)) - 2.0 * (arm == 1)
    y = np.round(y / 3.0) if rounded else y
    y[rng.random((R, N)) < 0.15] = np.nan
    return y, arm == 1, arm == 0, stratum, rng.normal(size=(R, N))


def arms(y, active, control, r):
    return [y[r, group[r] & ~np.isnan(y[r])] for group in (active, control)]


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_t_tests(alternative):
    y, active, control, *_ = trials()
    for test, equal in ((pooled_t_test, True), (welch_t_test, False)):
        got = test(y, active, control, alternative=alternative)
        for r in range(R):
            expected = stats.ttest_ind(*arms(y, active, control, r), equal_var=equal, alternative=alternative)
            np.testing.assert_allclose(
                [got.t[r], got.df[r], got.p[r]], [expected.statistic, expected.df, expected.pvalue], rtol=1e-11
            )


@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_rank_sum(alternative, rounded):
    y, active, control, *_ = trials(rounded=rounded)
    for settings in ({"continuity": True}, {"continuity": False}, {"exact": True}):
        got = rank_sum_test(y, active, control, alternative=alternative, **settings)
        for r in range(R):
            method = "exact" if "exact" in settings else "asymptotic"
            if method == "exact" and rounded:
                assert np.isnan(got.p[r])
                continue
            expected = stats.mannwhitneyu(
                *arms(y, active, control, r),
                use_continuity=settings.get("continuity", True),
                alternative=alternative,
                method=method,
            )
            assert got.w[r] == expected.statistic
            assert got.p[r] == pytest.approx(expected.pvalue, rel=1e-11)


def test_null_distribution_by_enumeration():
    from itertools import combinations

    m, n = 3, 4
    counts = np.zeros(m * n + 1)
    for ranks in combinations(range(1, m + n + 1), m):
        counts[sum(ranks) - m * (m + 1) // 2] += 1
    np.testing.assert_allclose(null_distribution(m, n), counts / counts.sum(), rtol=1e-14)


@pytest.mark.parametrize("rounded", [False, True])
def test_van_elteren(rounded):
    y, active, control, stratum, _ = trials(rounded=rounded)
    got = van_elteren_test(y, active, control, stratum, n_strata=3)
    for r in range(R):
        excess = variance = 0.0
        for s in range(3):
            one, zero = arms(y, active & (stratum == s), control & (stratum == s), r)
            m, n = len(one), len(zero)
            if m == 0 or n == 0:
                continue
            ranks = stats.rankdata(np.concatenate([one, zero]))
            excess += (ranks[:m].sum() - m * ranks.mean()) / (m + n + 1)
            # The variance of a sum of m scores drawn without replacement.
            variance += m * n / (m + n) * ranks.var(ddof=1) / (m + n + 1) ** 2
        assert got.z[r] == pytest.approx(excess / np.sqrt(variance), rel=1e-11)


@pytest.mark.parametrize("rounded", [False, True])
def test_hodges_lehmann(rounded):
    y, active, control, *_ = trials(rounded=rounded)
    got = hodges_lehmann(y, active, control)
    for r in range(R):
        one, zero = arms(y, active, control, r)
        differences = np.sort(np.subtract.outer(one, zero).ravel())
        assert got.estimate[r] == pytest.approx(np.median(differences), rel=1e-12)
        below = np.cumsum(null_distribution(len(one), len(zero)))
        k = int(np.argmax(below >= 0.025))
        assert got.low[r] == differences[k - 1]
        assert got.high[r] == differences[len(differences) - k]


@pytest.mark.parametrize("variance", ["HC0", "HC1", "HC2", "HC3"])
def test_robust_regressions(variance):
    y, active, control, stratum, z = trials()
    x = np.stack([np.ones((R, N)), z, active, stratum == 1, stratum == 2], axis=2).astype(float)
    included = (active | control) & ~np.isnan(y)
    fit = regress(x, y, included, variance=variance.lower())
    test = joint_test(fit, np.eye(5)[3:])
    for r in range(R):
        expected = sm.OLS(y[r, included[r]], x[r, included[r]]).fit(cov_type=variance, use_t=True)
        np.testing.assert_allclose(fit.covariance[r], expected.cov_params(), rtol=1e-9)
        joint = expected.f_test(np.eye(5)[3:])
        np.testing.assert_allclose([test.f[r], test.p[r]], [float(joint.fvalue), float(joint.pvalue)], rtol=1e-9)
        one = contrast(fit, np.eye(5)[2])
        np.testing.assert_allclose([one.t[r], one.p[r]], [expected.tvalues[2], expected.pvalues[2]], rtol=1e-9)


def test_interaction_is_the_drop_in_squares():
    y, active, control, stratum, z = trials()
    included = (active | control) & ~np.isnan(y)
    got = effects_by_stratum(y, included, active, stratum, z[:, :, None], n_strata=3)
    for r in np.flatnonzero(got.reason == 0):
        inside = included[r]
        dummies = (stratum[r, inside][:, None] == np.arange(3)).astype(float)
        a = active[r, inside][:, None].astype(float)
        small = sm.OLS(y[r, inside], np.hstack([dummies, a, z[r, inside][:, None]])).fit()
        large = sm.OLS(y[r, inside], np.hstack([dummies, dummies * a, z[r, inside][:, None]])).fit()
        f, p, _ = large.compare_f_test(small)
        np.testing.assert_allclose([got.interaction.f[r], got.interaction.p[r]], [f, p], rtol=1e-8)
        np.testing.assert_allclose(got.estimate[r], large.params[3:6], rtol=1e-9)
        np.testing.assert_allclose(got.se[r], large.bse[3:6], rtol=1e-9)
    cells = [included & (stratum == s) & (active == a) for s in range(3) for a in (False, True)]
    np.testing.assert_array_equal(got.reason == 0, np.all([cell.any(axis=1) for cell in cells], axis=0))
    assert (got.reason == 0).sum() > R // 2


def random_tables(seed, size, n_max):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, n_max, (2, size))
    x, y = (rng.binomial(k, rng.random(size)) for k in (n, m))
    return Counts(*(a.astype(float) for a in (x, n, y, m)))


@pytest.mark.parametrize("n_max", [6, 30, 400])
def test_tables(n_max):
    counts = random_tables(n_max, 60, n_max)
    square, corrected = chi_square_test(counts), chi_square_test(counts, continuity=True)
    for alternative in ("two-sided", "less", "greater"):
        got = fisher_test(counts, alternative=alternative)
        for r, (a, n, b, m) in enumerate(zip(*counts, strict=True)):
            cells = np.array([[a, n - a], [b, m - b]]).astype(int)
            assert got.p[r] == pytest.approx(stats.fisher_exact(cells, alternative=alternative)[1], rel=1e-9)
            if cells.sum(axis=0).min() > 0:
                assert square.p[r] == pytest.approx(stats.chi2_contingency(cells, correction=False)[1], rel=1e-9)
                assert corrected.p[r] == pytest.approx(stats.chi2_contingency(cells, correction=True)[1], rel=1e-9)


def test_mantel_haenszel():
    rng = np.random.default_rng(5)
    n, m = rng.integers(2, 30, (2, 40, 3))
    counts = Counts(*(a.astype(float) for a in (rng.binomial(n, 0.4), n, rng.binomial(m, 0.3), m)))
    got = mantel_haenszel_test(counts, continuity=False)
    for r in range(40):
        cells = [np.array([[a, n - a], [b, m - b]]) for a, n, b, m in zip(*(field[r] for field in counts), strict=True)]
        table = sm.stats.StratifiedTable(cells)
        assert got.chi_square[r] == pytest.approx(table.test_null_odds().statistic, rel=1e-10)
        assert got.odds_ratio[r] == pytest.approx(table.oddsratio_pooled, rel=1e-10)
        np.testing.assert_allclose([got.low[r], got.high[r]], table.oddsratio_pooled_confint(), rtol=1e-9)


def constrained_risk(x, n, y, m, null, measure):
    """The control risk of highest likelihood, by search."""

    def active_risk(p):
        if measure == "difference":
            return p + null
        return p * null if measure == "ratio" else null * p / (1 - p + null * p)

    def deviance(p):
        q = active_risk(p)
        pieces = ((x, q), (n - x, 1 - q), (y, p), (m - y, 1 - p))
        return -sum(k * np.log(share) if k else 0.0 for k, share in pieces)

    low = max(0.0, -null) if measure == "difference" else 0.0
    high = 1.0
    if measure != "odds_ratio":
        high = min(1.0, 1.0 - null if measure == "difference" else 1.0 / null)
    found = optimize.minimize_scalar(
        deviance, bounds=(low + 1e-9, high - 1e-9), method="bounded", options={"xatol": 1e-11}
    )
    return found.x, active_risk(found.x)


@pytest.mark.parametrize(
    ("measure", "nulls"),
    [("difference", (-0.3, 0.0, 0.2)), ("ratio", (0.5, 1.0, 1.7)), ("odds_ratio", (0.3, 1.0, 4.0))],
)
def test_score_statistics_by_search(measure, nulls):
    rng = np.random.default_rng(1)
    n, m = rng.integers(10, 40, (2, 15))
    x, y = 1 + rng.binomial(n - 2, 0.5), 1 + rng.binomial(m - 2, 0.4)
    counts = Counts(*(a.astype(float) for a in (x, n, y, m)))
    for null in nulls:
        got = score_test(counts, null=null, measure=measure)
        for r, (a, na, b, nb) in enumerate(zip(*counts, strict=True)):
            p, q = constrained_risk(a, na, b, nb, null, measure)
            if measure == "odds_ratio":
                information = 1.0 / (na * q * (1 - q)) + 1.0 / (nb * p * (1 - p))
                excess = (a / na - q) / (q * (1 - q)) - (b / nb - p) / (p * (1 - p))
                z = excess / np.sqrt(information * (na + nb) / (na + nb - 1))
            else:
                slope = 1.0 if measure == "difference" else null
                shift = null if measure == "difference" else 0.0
                variance = (q * (1 - q) / na + slope**2 * p * (1 - p) / nb) * (na + nb) / (na + nb - 1)
                z = (a / na - shift - slope * b / nb) / np.sqrt(variance)
            assert got.z[r] == pytest.approx(z, abs=2e-5)


@pytest.mark.parametrize("measure", ["difference", "ratio", "odds_ratio"])
def test_score_limits_are_where_the_test_turns(measure):
    counts = random_tables(3, 200, 30)
    interval = score_interval(counts, measure=measure)
    for limit, sign in ((interval.low, 1.0), (interval.high, -1.0)):
        edge = np.isinf(limit) | (np.abs(limit) >= 1.0 - 1e-12 if measure == "difference" else limit == 0.0)
        for r in np.flatnonzero(~edge):
            one = Counts(*(field[r : r + 1] for field in counts))
            z = score_test(one, null=float(limit[r]), measure=measure).z[0]
            assert z == pytest.approx(sign * 1.959963984540054, abs=1e-6)


def test_standardised_risks_by_finite_differences():
    rng = np.random.default_rng(2)
    arm = np.broadcast_to(np.arange(N) % 2, (R, N)).astype(float)
    x = np.stack([np.ones((R, N)), rng.normal(size=(R, N)), arm], axis=2)
    y = (rng.random((R, N)) < 1.0 / (1.0 + np.exp(-x @ np.array([-0.3, 0.6, 0.8])))).astype(float)
    included = rng.random((R, N)) < 0.9
    on, off = x.copy(), x.copy()
    on[:, :, 2], off[:, :, 2] = 1.0, 0.0
    got = standardised_risks(fit_logistic(x, y, included), on, off, included)
    for r in range(R):
        inside = included[r]
        fit = sm.Logit(y[r, inside], x[r, inside]).fit(disp=False, tol=1e-13)

        def difference(beta, r=r, inside=inside):
            risks = [1.0 / (1.0 + np.exp(-z[r, inside] @ beta)) for z in (on, off)]
            return risks[0].mean() - risks[1].mean()

        slope = optimize.approx_fprime(fit.params, difference, 1e-6)
        assert got.estimate[r] == pytest.approx(difference(fit.params), rel=1e-8)
        assert got.se[r] == pytest.approx(np.sqrt(slope @ fit.cov_params() @ slope), rel=1e-5)


def test_counts_by_stratum():
    y, active, control, stratum, z = trials()
    response = np.where(np.isnan(y), np.nan, (z > 0).astype(float))
    counts = count_responses(response, active, control, stratum, n_strata=3)
    for r in range(R):
        for s in range(3):
            here = control[r] & (stratum[r] == s) & ~np.isnan(y[r])
            assert counts.n_control[r, s] == here.sum()
            assert counts.control[r, s] == (response[r, here] == 1).sum()
