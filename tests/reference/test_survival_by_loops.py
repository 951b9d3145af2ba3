"""Slow, plain versions of the survival kernels: one trial, one event time at a time."""

import numpy as np
import pytest

from trialsim.kernels.survival import fit_cox, kaplan_meier, log_rank, restricted_mean


def trials(seed, *, tied, n_replicates=12, n=40, n_arms=2):
    rng = np.random.default_rng(seed)
    arm = rng.permuted(np.broadcast_to(np.arange(n) % n_arms, (n_replicates, n)), axis=1)
    to_event = rng.exponential(10.0, (n_replicates, n)) * np.exp(0.4 * arm)
    censored = rng.uniform(2.0, 25.0, (n_replicates, n))
    time, event = np.minimum(to_event, censored), to_event <= censored
    time = np.ceil(time / 3.0) if tied else time
    stratum = rng.integers(0, 3, (n_replicates, n))
    x = np.stack([arm == 1, rng.normal(30.0, 5.0, (n_replicates, n))], axis=2).astype(float)
    included = rng.random((n_replicates, n)) < 0.9
    return time, event, arm, stratum, x, included


def survival_before(time, event, t):
    s = 1.0
    for u in np.unique(time[event]):
        if u < t:
            s *= 1.0 - np.sum(event & (time == u)) / np.sum(time >= u)
    return s


def one_log_rank(time, event, arm, n_arms, rho):
    observed, expected, variance = np.zeros(n_arms), np.zeros(n_arms), np.zeros((n_arms, n_arms))
    for t in np.unique(time[event]):
        weight = survival_before(time, event, t) ** rho
        at_risk = np.array([np.sum((time >= t) & (arm == g)) for g in range(n_arms)])
        events = np.array([np.sum((time == t) & event & (arm == g)) for g in range(n_arms)])
        n, d = at_risk.sum(), events.sum()
        observed += weight * events
        expected += weight * d * at_risk / n
        if n > 1:
            share = at_risk / n
            variance += weight**2 * d * (n - d) / (n - 1) * (np.diag(share) - np.outer(share, share))
    return observed, expected, variance


def one_cox_loglik(beta, time, event, x, efron):
    """Log partial likelihood of one stratum, from its definition."""
    value, risk = 0.0, np.exp(x @ beta)
    for t in np.unique(time[event]):
        dying = (time == t) & event
        total, tied, d = risk[time >= t].sum(), risk[dying].sum(), dying.sum()
        value += (x[dying] @ beta).sum()
        value -= sum(np.log(total - (k / d if efron else 0.0) * tied) for k in range(d))
    return value


@pytest.mark.parametrize("rho", [0.0, 1.0])
@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("n_arms", [2, 3])
@pytest.mark.parametrize("tied", [False, True])
def test_log_rank_equals_the_loop(tied, n_arms, stratified, rho):
    time, event, arm, stratum, _, included = trials(7, tied=tied, n_arms=n_arms)
    stratum = stratum if stratified else np.zeros_like(stratum)
    result = log_rank(
        time, event, arm, n_arms=n_arms, included=included, stratum=stratum, n_strata=3 if stratified else 1, rho=rho
    )
    for r in range(len(time)):
        parts = []
        for s in np.unique(stratum[r]):
            here = included[r] & (stratum[r] == s)
            parts.append(one_log_rank(time[r, here], event[r, here], arm[r, here], n_arms, rho))
        observed, expected, variance = (sum(part) for part in zip(*parts, strict=True))
        np.testing.assert_allclose(result.observed[r], observed, atol=1e-10)
        np.testing.assert_allclose(result.expected[r], expected, atol=1e-10)
        np.testing.assert_allclose(result.variance[r], variance, atol=1e-10)
        excess = (observed - expected)[1:]
        statistic = excess @ np.linalg.solve(variance[1:, 1:], excess)
        np.testing.assert_allclose(result.statistic[r], statistic, rtol=1e-10)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("tied", [False, True])
def test_cox_is_the_optimum_of_the_likelihood_by_its_definition(tied, stratified, ties):
    time, event, _, stratum, x, included = trials(11, tied=tied)
    stratum = stratum if stratified else np.zeros_like(stratum)
    n_strata = 3 if stratified else 1
    options = {"included": included, "stratum": stratum, "n_strata": n_strata, "ties": ties}
    fit = fit_cox(time, event, x, np.array([1.0, 0.0]), **options)
    for r in range(len(time)):

        def loglik(beta, r=r):
            return sum(
                one_cox_loglik(beta, time[r, here], event[r, here], x[r, here], ties == "efron")
                for here in (included[r] & (stratum[r] == s) for s in range(n_strata))
            )

        beta = fit.coefficients[r]
        assert fit.loglik[r] == pytest.approx(loglik(beta), rel=1e-10)
        assert fit.loglik_null[r] == pytest.approx(loglik(np.zeros(2)), rel=1e-10)
        step = 1e-4 * np.sqrt(np.diag(fit.covariance[r])) * 30.0
        units = np.diag(step)
        gradient = [(loglik(beta + u) - loglik(beta - u)) / (2.0 * u.max()) for u in units]
        np.testing.assert_allclose(gradient * np.sqrt(np.diag(fit.covariance[r])), 0.0, atol=1e-4)
        hessian = [
            [
                (loglik(beta + u + v) - loglik(beta + u - v) - loglik(beta - u + v) + loglik(beta - u - v))
                / (4.0 * u.max() * v.max())
                for u in units
            ]
            for v in units
        ]
        np.testing.assert_allclose(np.linalg.inv(-np.array(hessian)), fit.covariance[r], rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("tied", [False, True])
def test_curves_and_their_areas_equal_the_loop(tied):
    time, event, arm, _, _, included = trials(13, tied=tied)
    horizon = 2.0
    curve = kaplan_meier(time, event, included=included & (arm == 0))
    area = restricted_mean(time, event, arm, horizon, included=included)
    for r in range(len(time)):
        here = included[r] & (arm[r] == 0)
        t, e = time[r, here], event[r, here]
        for time_, survival in zip(curve.time[r], curve.survival[r], strict=True):
            if np.isfinite(time_):
                assert survival == pytest.approx(survival_before(t, e, np.nextafter(time_, np.inf)), rel=1e-10)
        edges = np.unique(np.concatenate([[0.0, horizon], t[t < horizon]]))
        heights = [survival_before(t, e, np.nextafter(a, np.inf)) for a in edges[:-1]]
        pieces = np.diff(edges) * heights
        variance = 0.0
        for u in np.unique(t[e & (t <= horizon)]):
            n, d = np.sum(t >= u), np.sum(e & (t == u))
            if n > d:
                variance += pieces[edges[:-1] >= u].sum() ** 2 * d / (n * (n - d))
        assert area.mean[r, 0] == pytest.approx(pieces.sum(), rel=1e-10)
        assert area.mean_se[r, 0] == pytest.approx(np.sqrt(variance), rel=1e-10, abs=1e-12)
