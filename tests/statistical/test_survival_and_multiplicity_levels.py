"""Error rates under no effect, simulated with fixed seeds.

Bounds are 4.9 Monte Carlo standard errors, plus an allowance where the test is an approximation, which is stated: with
20,000 replicates the bound around .05 is ±.0076.
"""

import numpy as np
import pytest
from scipy.special import ndtr

from trialsim.kernels.counts import fit_counts
from trialsim.kernels.montecarlo import mcse_proportion
from trialsim.kernels.multiplicity import (
    bonferroni,
    closed_test,
    dunnett,
    dunnett_critical_value,
    dunnett_loadings,
    graph_test,
    hochberg,
    holm,
    hommel,
    parallel_gatekeeping_graph,
    successive_graph,
)
from trialsim.kernels.survival import fit_cox, log_rank, restricted_mean

N_REPLICATES = 20_000
BOUND = 4.9 * mcse_proportion(0.05, N_REPLICATES)


def survival_p_values(per_arm, n_replicates):
    rng = np.random.default_rng(20230419)
    shape = (n_replicates, 2 * per_arm)
    arm = np.broadcast_to(np.arange(2 * per_arm) % 2, shape)
    to_event, censored = rng.exponential(10.0, shape), rng.uniform(8.0, 25.0, shape)
    time, event = np.minimum(to_event, censored), to_event <= censored
    cox = fit_cox(time, event, arm[..., None].astype(float), np.ones(1))
    return {
        "log-rank": log_rank(time, event, arm).p,
        "Cox, Wald": cox.p,
        "restricted mean": restricted_mean(time, event, arm, 7.9).p[:, 0],
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("per_arm", "allowed"),
    [(100, {"log-rank": 0.002, "Cox, Wald": 0.002, "restricted mean": 0.003}), (12, {"log-rank": 0.01})],
)
def test_survival_tests_hold_their_level(per_arm, allowed):
    p = survival_p_values(per_arm, N_REPLICATES if per_arm == 12 else N_REPLICATES // 2)
    for name, allowance in allowed.items():
        usable = p[name][~np.isnan(p[name])]
        assert len(usable) > 0.99 * len(p[name])
        rate = np.mean(usable <= 0.05)
        assert abs(rate - 0.05) < 4.9 * mcse_proportion(0.05, len(usable)) + allowance, name


@pytest.mark.slow
def test_negative_binomial_holds_its_level_where_poisson_does_not():
    rng = np.random.default_rng(20230419)
    shape = (5_000, 200)
    arm = np.broadcast_to(np.arange(200) % 2, shape)
    y = rng.poisson(2.0 * rng.gamma(1.25, 0.8, shape)).astype(float)
    x = np.stack([np.ones(shape), arm], axis=2)
    contrast = np.array([0.0, 1.0])
    bound = 4.9 * mcse_proportion(0.05, len(y))
    assert abs(np.mean(fit_counts(y, x, contrast).p <= 0.05) - 0.05) < bound + 0.005
    assert np.mean(fit_counts(y, x, contrast, poisson=True).p <= 0.05) > 0.15


def test_family_wise_error_of_true_hypotheses():
    rng = np.random.default_rng(20230419)
    z = np.sqrt(0.5) * rng.normal(size=(N_REPLICATES, 1)) + np.sqrt(0.5) * rng.normal(size=(N_REPLICATES, 4))
    z[:, 2:] += 3.0  # the last two are false, and rejecting them must not cost the first two their protection
    p = ndtr(-z)
    decisions = [
        bonferroni(p),
        holm(p),
        hochberg(p),
        hommel(p),
        graph_test(p, successive_graph(2)),
        graph_test(p, parallel_gatekeeping_graph(2, 2)),
        closed_test(p, successive_graph(2), test="simes"),
    ]
    for decision in decisions:
        assert decision.rejected[:, :2].any(axis=1).mean() <= 0.05 + BOUND


@pytest.mark.parametrize(("two_sided", "df"), [(True, 12.0), (False, np.inf)])
def test_dunnett_spends_alpha_exactly(two_sided, df):
    rng = np.random.default_rng(20230419)
    n = np.array([30.0, 20.0, 15.0, 25.0])
    loadings = dunnett_loadings(n[0], n[1:])
    means = rng.normal(size=(N_REPLICATES, 4)) / np.sqrt(n)
    t = (means[:, 1:] - means[:, :1]) / np.sqrt(1.0 / n[1:] + 1.0 / n[0])
    if np.isfinite(df):
        t /= np.sqrt(rng.chisquare(df, (N_REPLICATES, 1)) / df)
    size = np.abs(t) if two_sided else t
    value = dunnett_critical_value(loadings, df=df, two_sided=two_sided)
    rejected = size > value
    assert abs(rejected.any(axis=1).mean() - 0.05) < BOUND
    few = slice(0, 200)
    for method in ("single-step", "step-down"):
        decision = dunnett(t[few], loadings, df=df, two_sided=two_sided, method=method)
        np.testing.assert_array_equal(decision.rejected.any(axis=1), rejected[few].any(axis=1))
