"""Assurance by simulation against O'Hagan, Stevens & Campbell's closed form, and the value of a pilot against its own.

The scenarios have two arms, one visit and continuous scores. Their t test differs from the z test of the closed form,
so the truth is the power of the t test (noncentral t) averaged over the prior; on 510 degrees of freedom it is the
published value to within 2e-3. Bounds are 4.9 Monte Carlo standard errors, at fixed seeds.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import trialsim as ts
from trialsim.kernels.jackknife import delete_a_group, least_error_of_share, t_interval
from trialsim.kernels.latin_hypercube import latin_hypercube
from trialsim.planning.pilot import pilot_values

SCENARIO = """
schema: 1
title: Two normal means
population: {{strata: {{all: {{share: 1, baseline: {{score: {{mean: 20, sd: {sd}}}}}}}}}}}
outcomes: {{score: {{scale: continuous, lower_is_better: false, post_sd: {sd}, baseline_correlation: 0}}}}
schedule: {{visits: [7]}}
arms: {{control: {{}}, active: {{}}}}
course: {{control_change: {{score: 0}}}}
effects: {{active: {{points: {{score: 0.5}}}}}}
estimands: {{primary: {{outcome: score, visit: 7, contrast: [active, control]}}}}
analysis: {{primary: {{method: t_test}}}}
sample_size: {n}
simulation: {{replicates: 250, seed: {seed}}}
priors: {{effects.active.points.score: {{normal: {{mean: 0.5, sd: {prior_sd}}}}}}}
"""


def scenario(folder, *, prior_sd, sd=1.0, n=128, seed=11):
    path = folder / "two_means.yaml"
    path.write_text(SCENARIO.format(prior_sd=prior_sd, sd=sd, n=n, seed=seed), encoding="utf-8")
    return path


def t_power(effects, n=128, sd=1.0):
    """Return the chance of a two-sided 5 % t test to reject on the side above 0."""
    return stats.nct.sf(stats.t.ppf(0.975, n - 2), n - 2, np.asarray(effects) * np.sqrt(n) / (2.0 * sd))


def over_prior(prior_sd, number=4_000):
    return stats.norm(0.5, prior_sd).ppf((np.arange(number) + 0.5) / number)


# I1 of the published cases.
PUBLISHED = {0.1: 0.77515, 0.2: 0.71741, 0.25: 0.69196, 0.5: 0.61390}


@pytest.mark.parametrize("prior_sd", [0.1, 0.25, 0.5])
def test_assurance_is_power_averaged_over_the_prior(tmp_path, prior_sd):
    answer = ts.assurance(scenario(tmp_path, prior_sd=prior_sd), draws=100, workers=1)
    told = answer.cells[0].sizes[0].measures
    truth = t_power(over_prior(prior_sd)).mean()
    assert truth == pytest.approx(PUBLISHED[prior_sd], abs=0.008)
    # Bias that this could see: 0.06 at the widest prior, 0.03 at the narrowest.
    assert told["assurance"].mcse < 0.013
    assert abs(told["assurance"].value - truth) < 4.9 * told["assurance"].mcse
    # The closed form at the draws is a Latin hypercube estimate of the same integral, and differs by replicates only.
    assert abs(told["closed_form"].value - truth) < 4.9 * told["closed_form"].mcse
    assert abs(told["closed_form_difference"].value) < 4.9 * told["closed_form_difference"].mcse


@pytest.mark.parametrize("prior_sd", [0.2])
def test_assurance_with_many_degrees_of_freedom_is_the_published_one(tmp_path, prior_sd):
    # 64 an arm at SD 1 are 256 an arm at SD 2.
    answer = ts.assurance(scenario(tmp_path, prior_sd=prior_sd, sd=2.0, n=512), draws=40, workers=1)
    told = answer.cells[0].sizes[0].measures["assurance"]
    assert abs(told.value - PUBLISHED[prior_sd]) < 4.9 * told.mcse + 2e-3
    formula = ts.formula.assurance(prior_mean=0.5, prior_sd=prior_sd, n_total=128)
    assert formula.power == pytest.approx(PUBLISHED[prior_sd], abs=1e-4)


def test_distribution_and_conditions_are_those_of_the_normal(tmp_path):
    prior_sd, relevant = 0.5, 0.3
    answer = ts.assurance(scenario(tmp_path, prior_sd=prior_sd), draws=160, relevant=relevant, threshold=0.7, workers=1)
    told = answer.cells[0].sizes[0].measures
    effects = over_prior(prior_sd)
    power = t_power(effects)
    estimate = stats.norm(0.5, np.hypot(prior_sd, np.sqrt(4.0 / 128)))
    expected = {
        "power_above": np.mean(power >= 0.7),
        "power_sd": power.std(),
        "success_and_benefit": (power * (effects > 0)).mean(),
        "success_and_relevant": (power * (effects >= relevant)).mean(),
        "power_if_benefit": power[effects > 0].mean(),
        "power_if_relevant": power[effects >= relevant].mean(),
        "benefit_if_success": power[effects > 0].sum() / power.sum(),
        "false_claim_if_success": power[effects <= 0].sum() / power.sum(),
        "relevant_if_success": power[effects >= relevant].sum() / power.sum(),
        "effect_if_success": (effects * power).sum() / power.sum(),
        "power_q50": np.median(power),
        "estimate_q25": estimate.ppf(0.25),
        "estimate_q97.5": estimate.ppf(0.975),
    }
    for name, value in expected.items():
        assert 0.0 < told[name].mcse < 0.12, name
        assert abs(told[name].value - value) < 4.9 * told[name].mcse, name
    alone, prior = answer.cells[0].measures, stats.norm(0.5, prior_sd)
    assert abs(alone["benefit"].value - prior.sf(0.0)) < 4.9 * alone["benefit"].mcse
    assert abs(alone["effect_sd"].value - prior_sd) < 4.9 * alone["effect_sd"].mcse


def test_a_limit_is_the_published_one():
    # I3: the assurance of a trial without end.
    published = {0.2: 0.99379, 0.25: 0.97725, 0.5: 0.84134}
    for prior_sd, limit in published.items():
        assert ts.formula.assurance_limit(prior_mean=0.5, prior_sd=prior_sd) == pytest.approx(limit, abs=1e-4)


def pilots_of_normal_means(prior_sd, n_pilot, *, n=128, seed):
    """Return what 400 draws of a normal prior give: pilots (estimate, log SE), power of a z test, successes, groups."""
    rng = np.random.default_rng(seed)
    points = np.concatenate([latin_hypercube([rng], 20) for _ in range(20)])[:, 0]
    effects = stats.norm(0.5, prior_sd).ppf(points)[:, None]
    df = n_pilot - 2
    spread = 2.0 / np.sqrt(n_pilot)
    estimate = rng.normal(effects, spread, (400, 250))
    log_se = np.log(spread * np.sqrt(rng.chisquare(df, (400, 250)) / df))
    success = rng.random((400, 250)) < stats.norm.sf(1.959964 - effects * np.sqrt(n) / 2.0)
    pilots = np.stack([estimate, log_se], axis=1)[:, None]
    return pilots, success.mean(axis=1), success.astype(float), np.repeat(np.arange(20), 20)


@pytest.mark.parametrize(("prior_sd", "n_pilot", "go"), [(0.5, 20, 0.6), (0.25, 40, 0.6), (0.25, 20, 0.75)])
def test_value_of_a_pilot_is_that_of_the_closed_form(prior_sd, n_pilot, go):
    pilots, power, success, groups = pilots_of_normal_means(prior_sd, n_pilot, seed=3)
    (told,) = pilot_values((n_pilot,), pilots, power, success, groups, go)
    exact = ts.formula.assurance_after_pilot(prior_mean=0.5, prior_sd=prior_sd, n_total=128, n_pilot=n_pilot, go=go)
    pairs = {
        "expected": (told.expected, told.expected_mcse, exact.power),
        "sd": (told.sd, told.sd_mcse, exact.details["sd"]),
        "chance_run": (told.chance_run, told.chance_run_mcse, exact.details["chance_run"]),
        "chance_changed": (told.chance_changed, told.chance_changed_mcse, exact.details["chance_changed"]),
        "value": (told.value, told.value_mcse, exact.details["value"]),
    }
    for name, (value, error, truth) in pairs.items():
        assert 0.0 < error < 0.03, name
        assert abs(value - truth) < 4.9 * error, (name, value, error, truth)
    assert told.value_of_certainty == pytest.approx(exact.details["value_of_certainty"], abs=0.01)
    assert told.quantiles["q50"] == pytest.approx(exact.details["median"], abs=0.05)
    assert told.run_before == (exact.power >= go)
    assert 0.0 < told.value < told.value_of_certainty
    assert told.effective_draws > 30


def test_a_scenario_has_the_value_of_its_pilot(tmp_path):
    answer = ts.assurance(scenario(tmp_path, prior_sd=0.5), draws=100, pilots=(40,), go=0.6, workers=1)
    told = answer.cells[0].pilots[0]
    exact = ts.formula.assurance_after_pilot(prior_mean=0.5, prior_sd=0.5, n_total=128, n_pilot=40, go=0.6)
    # The trial's t test has up to 0.008 less power than the z test.
    for name, truth in (("expected", exact.power), *((name, exact.details[name]) for name in ("sd", "value"))):
        assert abs(getattr(told, name) - truth) < 4.9 * getattr(told, f"{name}_mcse") + 0.008, name


def test_closed_form_of_a_pilot_is_its_own_integral():
    # By quadrature over the pilot's estimate, written out.
    m, tau, sd, n, n_pilot, go = 0.5, 0.25, 1.0, 128, 40, 0.6
    found = ts.formula.assurance_after_pilot(prior_mean=m, prior_sd=tau, sd=sd, n_total=n, n_pilot=n_pilot, go=go)
    s2, se = 4.0 * sd**2 / n_pilot, sd * np.sqrt(4.0 / n)
    seen = stats.norm(m, np.sqrt(tau**2 + s2)).ppf((np.arange(400_000) + 0.5) / 400_000)
    believed, left = (seen * tau**2 + m * s2) / (tau**2 + s2), tau**2 * s2 / (tau**2 + s2)
    after = stats.norm.cdf((believed - 1.959964 * se) / np.sqrt(se**2 + left))
    assert found.power == pytest.approx(after.mean(), abs=1e-5)
    assert found.power == pytest.approx(ts.formula.assurance(prior_mean=m, prior_sd=tau, sd=sd, n_total=n).power)
    assert found.details["sd"] == pytest.approx(after.std(), abs=1e-5)
    assert found.details["median"] == pytest.approx(np.median(after), abs=1e-5)
    assert found.details["chance_run"] == pytest.approx(np.mean(after >= go), abs=1e-5)
    gain = np.maximum(after - go, 0.0).mean() - max(after.mean() - go, 0.0)
    assert found.details["value"] == pytest.approx(gain, abs=1e-5)
    # A pilot of ever more patients is worth what certainty is.
    endless = ts.formula.assurance_after_pilot(prior_mean=m, prior_sd=tau, sd=sd, n_total=n, n_pilot=1e9, go=go)
    assert endless.details["value"] == pytest.approx(found.details["value_of_certainty"], abs=1e-4)


def test_errors_of_latin_hypercubes_are_honest():
    # The mean and a ratio of a smooth function over 20 hypercubes: intervals of 95 % over 400 repeats with other seeds.
    def power(points):
        return stats.norm.cdf(1.5 * stats.norm.ppf(points[:, 0]) + 0.3 * stats.norm.ppf(points[:, 1]) + 0.4)

    dense = np.random.default_rng(5).random((4_000_000, 2))
    values = power(dense)
    truth = np.array([values.mean(), values[dense[:, 0] > 0.4].mean()])
    held = np.zeros(2)
    errors = []
    for seed in range(400):
        rng = np.random.default_rng([7, seed])
        points = np.concatenate([latin_hypercube([rng, rng], 10) for _ in range(20)])
        groups = np.repeat(np.arange(20), 10)
        seen = rng.binomial(50, power(points)) / 50.0

        def both(keep, seen=seen, high=points[:, 0] > 0.4):
            return np.array([seen[keep].mean(), seen[keep & high].mean()])

        found, error = delete_a_group(both, groups)
        errors.append(error)
        ends = [t_interval(f, e, 20) for f, e in zip(found, error, strict=True)]
        held += [end.low <= t <= end.high for end, t in zip(ends, truth, strict=True)]
    # 380 are expected; 4.9 standard errors of a binomial are 21.
    assert np.all(np.abs(held - 380) < 21), held
    # Independent points would have an error of SD / sqrt(200).
    assert np.mean(errors, axis=0)[0] < 0.3 * values.std() / np.sqrt(200)


@pytest.mark.parametrize("chance", [0.9088, 0.75, 0.999])
def test_errors_of_shares_of_even_draws_are_honest(chance):
    # Where the border lies within the reach of one draw, all hypercubes may well count the same.
    held, groups = 0, np.repeat(range(20), 10)
    for seed in range(400):
        rng = np.random.default_rng([11, seed])
        below = np.concatenate([latin_hypercube([rng], 10)[:, 0] for _ in range(20)]) < chance
        found, error = delete_a_group(lambda keep, counts=below: counts[keep].mean(), groups)
        end = t_interval(float(found), max(float(error), least_error_of_share(200, 20)), 20)
        held += end.low <= chance <= end.high
    # At least 380 are expected; 4.9 standard errors of a binomial are 21.
    assert held > 380 - 21, held


def test_a_chance_that_all_draws_agree_on_is_not_certain(tmp_path):
    path = scenario(tmp_path, prior_sd=0.25)  # a benefit has a chance of 97.7 %
    found = ts.assurance(path, draws=40, relevant=0.125, workers=1)
    for name, chance in (("benefit", 0.97725), ("relevant", 0.93319)):
        one = found.cells[0].measures[name]
        assert one.mcse > 1e-3
        assert one.low <= chance <= one.high
