"""Single formulas against integrals, enumeration, likelihoods and simulation that do not share their algebra."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from trialsim.errors import InputError
from trialsim.planning.formulas import (
    ancova,
    assurance,
    clustered,
    equivalence,
    follow_up,
    longitudinal,
    means,
    parallel_comparison,
    partial_nesting,
    proportions,
    randomisation,
    ranks,
    recruitment,
    slopes,
    survival,
)

BOUND = 4.9
"""Standard errors that a simulation may be off: a false alarm in a million."""


def test_welch_by_a_double_sum_over_the_two_variances():
    """Each sample variance is summed over by itself here, in equal steps of its logarithm."""
    sd, n, effect = (2.0, 5.0), (6, 14), 4.0
    log_s2 = np.linspace(-14.0, 5.0, 500)
    s2 = [np.exp(log_s2) * spread**2 for spread in sd]
    mass = [stats.chi2.pdf((size - 1) * np.exp(log_s2), size - 1) * np.exp(log_s2) for size in n]
    v0, v1 = s2[0][:, None] / n[0], s2[1][None, :] / n[1]
    df = (v0 + v1) ** 2 / (v0**2 / (n[0] - 1) + v1**2 / (n[1] - 1))
    se = math.sqrt(sd[0] ** 2 / n[0] + sd[1] ** 2 / n[1])
    rejected = stats.norm.sf((stats.t.ppf(0.975, df) * np.sqrt(v0 + v1) - effect) / se)
    expected = mass[0] @ rejected @ mass[1] / (mass[0].sum() * mass[1].sum())
    ours = means.welch_t(difference=effect, sd=sd, n_total=sum(n), ratio=n).power
    assert ours == pytest.approx(expected, abs=1e-9)


def test_welch_with_equal_spread_in_large_arms_is_the_pooled_test():
    pooled = means.two_sample_t(difference=0.2, n_total=2000).power
    assert means.welch_t(difference=0.2, n_total=2000).power == pytest.approx(pooled, abs=1e-5)


@pytest.mark.parametrize("n", [(8, 8), (6, 12)])
def test_ancova_over_the_imbalance_of_one_covariate(n):
    """Given the t statistic T of the baselines, the variance is multiplied by 1 + T²/(N − 2)."""
    total, rho, effect = sum(n), 0.6, 1.2
    se = math.sqrt((1 - rho**2) * (1 / n[0] + 1 / n[1]))
    critical = stats.t.ppf(0.975, total - 3)

    def integrand(t):
        shift = effect / (se * math.sqrt(1 + t**2 / (total - 2)))
        return stats.nct.sf(critical, total - 3, shift) * stats.t.pdf(t, total - 2)

    expected = 2 * quad(integrand, 0, 60, epsabs=1e-11)[0]
    ours = ancova.ancova(difference=effect, correlation=rho, n_total=total, ratio=n).power
    assert ours == pytest.approx(expected, abs=1e-9)


def test_ancova_by_simulation():
    """40,000 trials of 8 + 8 with two covariates: bound 0.0123; ignoring the imbalance would be off by 0.031."""
    rng, size, effect = np.random.default_rng(20240611), 8, 1.4
    replicates, weights = 40_000, np.array([0.5, 0.4])
    x = rng.standard_normal((replicates, 2 * size, 2))
    residual = math.sqrt(1 - weights @ weights)
    arm = np.repeat([0.0, 1.0], size)
    y = x @ weights + residual * rng.standard_normal((replicates, 2 * size)) + effect * arm
    design = np.concatenate([np.broadcast_to(np.stack([np.ones(2 * size), arm], 1), (replicates, 16, 2)), x], axis=2)
    inverse = np.linalg.inv(design.transpose(0, 2, 1) @ design)
    beta = np.einsum("rij,rnj,rn->ri", inverse, design, y)
    rest = y - np.einsum("rni,ri->rn", design, beta)
    df = 2 * size - 4
    t = beta[:, 1] / np.sqrt(inverse[:, 1, 1] * (rest**2).sum(axis=1) / df)
    share = float(np.mean(t > stats.t.ppf(0.975, df)))
    rho = math.sqrt(weights @ weights)
    given = {"difference": effect, "correlation": rho, "n_total": 2 * size, "covariates": 2}
    exact = ancova.ancova(**given).power
    bound = BOUND * math.sqrt(exact * (1 - exact) / replicates)
    assert share == pytest.approx(exact, abs=bound)
    assert ancova.ancova(**given, reference="t").power - exact > 2 * bound


def test_large_ancova_nears_its_large_sample_factor():
    exact = ancova.ancova(difference=0.1, correlation=0.5, power=0.9).n_total
    factor = ancova.ancova(difference=0.1, correlation=0.5, power=0.9, reference="z").n_total
    assert factor < exact < factor + 5
    assert ancova.baseline_variance_factor(0.5) == 0.75


def test_equivalence_of_a_margin_pair_and_the_normal_form():
    one = equivalence.equivalence_means(margin=(-3, 5), difference=1, sd=8, n_total=200).power
    assert one == pytest.approx(
        equivalence.equivalence_means(margin=4, difference=0, sd=8, n_total=200).power, abs=1e-12
    )
    z = equivalence.equivalence_means(margin=4, sd=8, n_total=200, reference="z").power
    se = 8 * math.sqrt(2 / 100)
    assert z == pytest.approx(2 * stats.norm.cdf(4 / se - stats.norm.ppf(0.95)) - 1, abs=1e-12)
    assert equivalence.equivalence_means(margin=1, sd=8, n_total=8).power < 0.001


@pytest.mark.parametrize("null", [-0.15, 0.1])
def test_farrington_manning_maximises_the_likelihood_under_the_null(null):
    p0, p1, n = 0.6, 0.55, (80.0, 120.0)

    def minus_log_likelihood(p):
        q = p + null
        return -(n[0] * (p0 * math.log(p) + (1 - p0) * math.log(1 - p))
                 + n[1] * (p1 * math.log(q) + (1 - p1) * math.log(1 - q)))  # fmt: skip

    ends = (max(1e-9, 1e-9 - null), min(1 - 1e-9, 1 - 1e-9 - null))
    p = minimize_scalar(minus_log_likelihood, bounds=ends, method="bounded", options={"xatol": 1e-12}).x
    q = p + null
    sd0 = math.sqrt(p * (1 - p) / n[0] + q * (1 - q) / n[1])
    sd1 = math.sqrt(p0 * (1 - p0) / n[0] + p1 * (1 - p1) / n[1])
    expected = stats.norm.cdf((abs(p1 - p0 - null) - stats.norm.ppf(0.975) * sd0) / sd1)
    ours = proportions.farrington_manning(p_control=p0, p_active=p1, null=null, n_total=sum(n), ratio=n).power
    assert ours == pytest.approx(expected, abs=1e-6)


def test_farrington_manning_at_its_null_has_its_level():
    at_null = proportions.farrington_manning(p_control=0.6, p_active=0.5, null=-0.1, n_total=100)
    assert at_null.power == pytest.approx(0.025, abs=1e-12)
    near = proportions.farrington_manning(p_control=0.6, p_active=0.5 + 1e-7, null=-0.1, n_total=100)
    assert near.power == pytest.approx(0.025, abs=1e-6)


HAZARD = follow_up.Hazard((0.0, 4.0, 10.0), (0.03, 0.08, 0.0))
ACCRUAL = follow_up.Accrual((0.0, 3.0), (5.0, 10.0), 8.0)


@pytest.mark.parametrize("loss", [0.0, 1e-7, 0.04])
@pytest.mark.parametrize("time", [2.0, 7.0, 9.0, 25.0])
def test_event_probability_by_quadrature(loss, time):
    def hazard_at(s):
        return HAZARD.rates[int(np.searchsorted(HAZARD.starts, s, side="right")) - 1]

    def cumulative(s):
        return sum(
            rate * max(0.0, min(s, end) - start)
            for start, end, rate in zip(HAZARD.starts, (*HAZARD.starts[1:], math.inf), HAZARD.rates, strict=True)
        )

    def seen_by(s):
        breaks = [b for b in HAZARD.starts if 0 < b < s] or None
        return quad(lambda u: hazard_at(u) * math.exp(-cumulative(u) - loss * u), 0, s, points=breaks)[0]

    breaks = sorted({b for b in (3.0, *(time - s for s in HAZARD.starts)) if 0 < b < min(time, 8.0)}) or None
    events = quad(lambda e: (5.0 if e < 3 else 10.0) * seen_by(time - e), 0, min(time, 8.0), points=breaks)[0]
    ours = follow_up.event_probability(time, HAZARD, accrual=ACCRUAL, dropout_hazard=loss)
    assert ours == pytest.approx(events / ACCRUAL.entered(time), rel=1e-7)


def test_time_of_events_is_where_they_are_expected():
    trial = {"control_hazard": HAZARD, "hazard_ratio": 0.7, "accrual": ACCRUAL, "dropout_hazard": (0.01, 0.03)}
    time = follow_up.time_of_events(12.0, **trial)
    assert follow_up.expected_events(time, **trial) == pytest.approx(12.0, rel=1e-10)
    with pytest.raises(InputError, match="are never reached"):
        follow_up.time_of_events(60.0, **trial)


@pytest.mark.parametrize(
    "make",
    [
        lambda: follow_up.Hazard((1.0,), (0.1,)),
        lambda: follow_up.Hazard((0.0, 0.0), (0.1, 0.2)),
        lambda: follow_up.Hazard((0.0,), (-0.1,)),
        lambda: follow_up.Accrual((0.0, 5.0), (1.0, 2.0), 4.0),
        lambda: follow_up.uniform_accrual(0.0),
    ],
)
def test_impossible_pieces(make):
    with pytest.raises(InputError):
        make()


def test_lachin_foulkes_and_schoenfeld_agree_near_no_effect():
    trial = {"control_hazard": 0.05, "hazard_ratio": 0.97, "accrual": 10, "follow_up": 10, "power": 0.8}
    events = [
        survival.logrank(**trial, method=method).n_total for method in ("schoenfeld", "lachin-foulkes", "freedman")
    ]
    assert events[1:] == pytest.approx([events[0]] * 2, rel=2e-3)


def test_no_dropout_inflates_nothing_and_a_useless_visit_inflates_by_the_loss():
    matrix = longitudinal.ar1_correlation(0.7, [3, 7, 10, 14])
    assert longitudinal.variance_inflation(matrix, [1, 1, 1, 1]) == pytest.approx(1.0, abs=1e-12)
    assert longitudinal.variance_inflation(np.eye(2), [1, 0.8]) == pytest.approx(1.25, abs=1e-12)
    spread = np.array([1.0, 2.0, 3.0, 4.0])
    covariance = matrix * np.outer(spread, spread)
    staying = [1, 0.9, 0.8, 0.7]
    assert longitudinal.variance_inflation(covariance, staying) == pytest.approx(
        longitudinal.variance_inflation(matrix, staying), rel=1e-12
    )


@pytest.mark.parametrize("common", [True, False])
def test_slopes_by_the_whole_trials_least_squares(common):
    """The variance of the difference from one design matrix of both arms, 1:2, with its dropout patterns."""
    times, staying, total = np.array([0.0, 1.0, 2.0, 4.0]), np.array([1.0, 0.9, 0.8, 0.5]), 90.0
    v = slopes.random_slope_covariance(
        times, residual_variance=4, intercept_variance=9, slope_variance=0.5, intercept_slope_covariance=0.6
    )
    information = np.zeros((3, 3)) if common else np.zeros((4, 4))
    for arm, share in enumerate((1 / 3, 2 / 3)):
        for k, leaving in enumerate(staying - np.append(staying[1:], 0.0), start=1):
            intercepts = np.ones((k, 1)) if common else np.eye(2)[[arm] * k]
            x = np.hstack([intercepts, np.outer(times[:k], np.eye(2)[arm])])
            information += total * share * leaving * x.T @ np.linalg.inv(v[:k, :k]) @ x
    contrast = np.array([0.0] * (len(information) - 2) + [-1.0, 1.0])
    se = math.sqrt(contrast @ np.linalg.inv(information) @ contrast)
    answer = slopes.slope_difference(
        difference=2.8 * se,
        times=times,
        visit_covariance=v,
        staying=staying,
        common_intercept=common,
        n_total=total,
        ratio=(1, 2),
    )
    assert answer.power == pytest.approx(stats.norm.cdf(2.8 - stats.norm.ppf(0.975)), abs=1e-10)


def test_estimating_equations_with_two_effects_and_with_slopes():
    times = np.array([0.0, 1.0, 2.0])
    v = slopes.random_slope_covariance(times, residual_variance=1, intercept_variance=2, slope_variance=0.1)
    ones = np.ones((3, 1))
    one = slopes.estimating_equation(
        effect=0.3,
        effect_designs=(np.zeros(3), times),
        other_designs=(np.hstack([ones, 0 * ones, times[:, None]]), np.hstack([ones, ones, times[:, None]])),
        visit_covariance=v,
        n_total=80,
    )
    assert one.power == pytest.approx(
        slopes.slope_difference(difference=0.3, times=times, visit_covariance=v, n_total=80).power, abs=1e-12
    )
    # Two visit-wise differences with independent visits: the noncentralities add.
    both = slopes.estimating_equation(
        effect=[0.3, 0.4],
        effect_designs=(np.zeros((2, 2)), np.eye(2)),
        other_designs=(np.eye(2), np.eye(2)),
        visit_covariance=np.eye(2),
        n_total=100,
    )
    assert both.power == pytest.approx(stats.ncx2.sf(stats.chi2.ppf(0.95, 2), 2, 25 * 0.25), abs=1e-9)


def test_unequal_clusters_cost_and_equal_ones_do_not():
    assert clustered.design_effect(0.05, 10) == 1.45
    assert clustered.design_effect(0.05, 10, 0.5) > 1.45
    assert clustered.design_effect(0.0, 10, 0.5) == 1.0
    with pytest.raises(InputError, match="too large for the approximation"):
        clustered.design_effect(0.1, 10, 5.0)


def test_the_size_of_clusters_meets_the_power():
    answer = clustered.cluster_size_for_means(difference=0.4, icc=0.03, clusters=16, power=0.8)
    again = clustered.cluster_randomised_means(
        difference=0.4, icc=0.03, clusters=16, cluster_size=answer.details["cluster_size"]
    )
    assert again.power == pytest.approx(0.8, abs=1e-10)


def test_clusters_are_too_few_where_endless_ones_miss_the_power():
    # Means of endless clusters are known to √icc: a t test of eight against eight such means.
    noncentral, critical = 0.4 / math.sqrt(0.1 * 2 / 8), stats.t.ppf(0.975, 14)
    limit = stats.nct.sf(critical, 14, noncentral)
    ask = {"difference": 0.4, "icc": 0.1, "clusters": 16}
    answer = clustered.cluster_size_for_means(**ask, power=limit - 0.001)
    assert answer.details["cluster_size"] > 1000
    with pytest.raises(InputError, match=rf"clusters: are too few .*with 16 it stays below {limit:.4f}.*more clusters"):
        clustered.cluster_size_for_means(**ask, power=limit + 0.001)


def test_partial_nesting_without_correlation_is_the_plain_z_test():
    plain = means.two_sample_z(difference=0.5, n_total=120, ratio=(1, 2)).power
    nested = partial_nesting.partially_nested(difference=0.5, icc=0.0, group_size=8, n_total=120, ratio=(1, 2))
    assert nested.power == pytest.approx(plain, abs=1e-12)
    assert nested.details["groups"] == 10
    assert partial_nesting.level_if_groups_ignored(icc=0.0, group_size=8) == pytest.approx(0.05, abs=1e-12)


@pytest.mark.parametrize("reference", ["z", "t"])
def test_one_arm_for_another(reference):
    given = {"difference": 0.5, "icc": 0.05, "group_size": 8, "sd": (1.0, 1.1), "reference": reference}
    controls = partial_nesting.partially_nested_arm(**given, n_active=96, power=0.8).value
    active = partial_nesting.partially_nested_arm(**given, n_control=controls, power=0.8).value
    assert active == pytest.approx(96, rel=1e-9)
    power = partial_nesting.partially_nested(**given, n_total=controls + 96, ratio=(controls, 96)).power
    assert power == pytest.approx(0.8, abs=1e-10)


def test_noether():
    z = (stats.norm.ppf(0.975) + stats.norm.ppf(0.9)) ** 2
    p = ranks.probability_of_superiority(0.5)
    assert p == pytest.approx(stats.norm.cdf(0.5 / math.sqrt(2)), abs=1e-15)
    size = ranks.mann_whitney(superiority=p, power=0.9, ratio=(1, 2)).n_total
    assert size == pytest.approx(z / (12 * (1 / 3) * (2 / 3) * (p - 0.5) ** 2), rel=1e-10)
    assert ranks.signed_rank(superiority=0.6, power=0.9).n_total == pytest.approx(z / (3 * 0.01), rel=1e-10)
    assert ranks.sign_test(superiority=0.6, power=0.9).n_total == pytest.approx(z / (4 * 0.01), rel=1e-10)


def test_mann_whitney_by_simulation():
    """20,000 trials of 64 + 64, shift 0.5: bound 0.014 and 0.01 for Noether's null variance."""
    rng = np.random.default_rng(20240612)
    scores = rng.standard_normal((20_000, 128))
    scores[:, 64:] += 0.5
    w = scores.argsort(axis=1).argsort(axis=1)[:, 64:].sum(axis=1) - 64 * 63 / 2
    z = (w - 64 * 64 / 2) / math.sqrt(64 * 64 * 129 / 12)
    ours = ranks.mann_whitney(superiority=ranks.probability_of_superiority(0.5), n_total=128).power
    bound = BOUND * math.sqrt(ours * (1 - ours) / 20_000)
    assert float(np.mean(z > stats.norm.ppf(0.975))) == pytest.approx(ours, abs=bound + 0.01)


def test_assurance_is_power_averaged_over_the_prior():
    def integrand(d):
        return means.two_sample_z(difference=d, n_total=100).power if d > 0 else 0.0

    grid = np.linspace(0.5 - 8 * 0.05, 0.5 + 8 * 0.05, 401)
    values = [integrand(d) * stats.norm.pdf(d, 0.5, 0.05) for d in grid]
    ours = assurance.assurance(prior_mean=0.5, prior_sd=0.05, n_total=100)
    assert ours.power == pytest.approx(np.trapezoid(values, grid), abs=1e-9)
    assert assurance.assurance(prior_mean=0.5, prior_sd=0.0, n_total=100).power == pytest.approx(
        integrand(0.5), abs=1e-12
    )


def test_assurance_size():
    size = assurance.assurance(prior_mean=0.5, prior_sd=0.2, power=0.8)
    assert assurance.assurance(prior_mean=0.5, prior_sd=0.2, n_total=size.n_total).power == pytest.approx(
        0.8, abs=1e-10
    )
    assert assurance.assurance_limit(prior_mean=0.0, prior_sd=0.0) == 0.5


def test_sequential_parallel_phase_one_is_an_ordinary_trial():
    given = {"phase1": (0.3, 0.5), "phase2": (0.3, 0.4), "n_total": 200, "placebo_share": 0.6}
    one = parallel_comparison.sequential_parallel(**given, test="phase 1")
    plain = proportions.two_proportions(p_control=0.3, p_active=0.5, n_total=200, ratio=(3, 2), variance="unpooled")
    assert one.power == pytest.approx(plain.power, abs=1e-12)
    assert one.power == pytest.approx(parallel_comparison.sequential_parallel(**given, weight=1.0).power, abs=1e-12)


@pytest.mark.parametrize("block", [2, 4, 6, 8])
def test_guessing_permuted_blocks_by_enumeration(block):
    total, count = 0.0, 0
    for ones in itertools.combinations(range(block), block // 2):
        lead, right = 0, 0.0
        for place in range(block):
            is_one = place in ones
            right += 0.5 if lead == 0 else float(is_one == (lead < 0))
            lead += 1 if is_one else -1
        total, count = total + right / block, count + 1
    assert randomisation.share_guessed(block) == pytest.approx(total / count, abs=1e-14)
    with pytest.raises(InputError):
        randomisation.share_guessed(block + 1)


def test_recruitment_is_negative_binomial():
    model = recruitment.Recruitment(sites=12, mean_rate=0.4, shape=1.5, time=9)
    size = 12 * 1.5
    twin = stats.nbinom(size, size / (size + model.mean))
    assert (model.mean, model.variance) == pytest.approx((twin.mean(), twin.var()), rel=1e-12)
    for count in (1, 30, 43, 70):
        assert model.at_least(count) == pytest.approx(twin.sf(count - 1), abs=1e-12)
    for probability in (0.001, 0.1, 0.5, 0.9, 0.999):
        assert model.quantile(probability) == twin.ppf(probability)
    assert model.at_least(0) == 1.0


def test_recruitment_at_rates_all_alike_is_poisson():
    model = recruitment.Recruitment(sites=12, mean_rate=0.4, shape=math.inf, time=9)
    assert model.at_least(40) == pytest.approx(stats.poisson(model.mean).sf(39), abs=1e-12)
    assert model.variance == model.mean
    wait = recruitment.WaitingTime(count=40, rate=4.8)
    assert wait.quantile(0.3) == pytest.approx(stats.gamma(40, scale=1 / 4.8).ppf(0.3), rel=1e-10)
