"""The closed form of a scenario's hypothesis: against the formulas, and against its own simulation.

In the simulations every bound is 4.9 Monte Carlo standard errors and what the twin says that it may be off by itself.
"""

import numpy as np
import pytest
from scipy import stats

from trials import BOUNDED, CONTINUOUS, resolve, simulate
from trialsim.engine.truth import true_values
from trialsim.planning.formulas import (
    ancova,
    clustered,
    equivalence,
    longitudinal,
    means,
    partial_nesting,
    proportions,
    survival,
)
from trialsim.planning.known_scores import effective_sizes, staying
from trialsim.planning.twins import ASYMPTOTIC, EXACT, counted_trials, twin

EFFECT = {"course.means.score": {"control": [18.0, 16.0, 15.0], "active": [18.0, 16.0, 12.0]}, "sample_size": [90]}
MISSING = {3: 0.1, 7: 0.2, 14: 0.4}


def of(changes=None, *, document=CONTINUOUS, position=0, **known):
    """Return the twin of the primary estimand's analysis at the scenario's size."""
    variant = resolve(document, {**EFFECT, **(changes or {})} if document is CONTINUOUS else changes).variants[0]
    estimand = variant.estimands[0]
    return twin(variant, estimand, estimand.analyses[position], max(variant.sample_sizes), **known)


def analysis(method, **settings):
    return {"analysis.primary": [{"method": method, **settings}]}


# Against the formulas -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [(1, 1), (1, 2)])
@pytest.mark.parametrize("method", ["t_test", "welch"])
def test_t_tests(method, ratio):
    found = of({**analysis(method), "allocation.ratio": list(ratio), "allocation.block_sizes": [6]})
    given = {"difference": -3.0, "n_total": 90, "ratio": ratio}
    exact = means.two_sample_t(sd=5.0, **given) if method == "t_test" else means.welch_t(sd=(5.0, 5.0), **given)
    # Welch's formula integrates over the degrees of freedom; the twin takes those at the true variances, which is right
    # to first order in 1/n: an error of order 1/30² of what the 30 of the smaller arm decide.
    assert found.power == pytest.approx(exact.power, abs=1e-12 if method == "t_test" else 1e-3)
    assert found.allowance == EXACT
    assert found.leaves_out == ()


def test_ancova():
    found = of(analysis("ancova"))
    assert found.power == pytest.approx(ancova.ancova(difference=3.0, sd=5.0, correlation=0.5, n_total=90).power, 1e-12)


def test_mmrm_without_covariates_is_lu_luo_and_chen():
    found = of({**analysis("mmrm", covariates=[]), "dropout": {"model": "mcar", "missing_by": MISSING}})
    visits = 0.7 ** np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
    by_hand = longitudinal.mmrm(difference=3.0, sd=5.0, correlation=visits, staying=[0.9, 0.8, 0.6], n_total=90)
    assert found.power == pytest.approx(by_hand.power, abs=1e-10)
    assert found.allowance == ASYMPTOTIC


def test_mmrm_with_complete_data_is_the_ancova():
    """Earlier visits of the same patients add nothing to the last one when nobody is missing."""
    assert of(analysis("mmrm")).power == pytest.approx(of(analysis("ancova")).power, abs=1e-12)
    assert of(analysis("clda")).power == of(analysis("mmrm")).power


def test_an_earlier_visit_does_not_know_of_later_losses():
    early = {"estimands.primary.visit": 3, **analysis("mmrm")}
    means_of_day_3 = {"course.means.score": {"control": [18.0, 16.0, 15.0], "active": [15.0, 16.0, 15.0]}}
    late = {"dropout": {"model": "mcar", "missing_by": {3: 1e-9, 7: 0.2, 14: 0.4}}}
    assert of({**early, **means_of_day_3, **late}).power == pytest.approx(
        of({**early, **means_of_day_3}).power, abs=1e-6
    )


def test_each_arm_loses_its_own():
    """Hazard ratios move losses between the arms; the whole trial loses what was asked for."""
    losing = {"dropout": {"model": "mcar", "missing_by": MISSING, "arm_hazard_ratio": {"active": 3.0}}}
    variant = resolve(CONTINUOUS, losing).variants[0]
    there = staying(variant)[:, 0]
    np.testing.assert_allclose(there.mean(axis=0), [0.9, 0.8, 0.6], atol=1e-12)
    np.testing.assert_allclose(np.log(there[1]), 3.0 * np.log(there[0]), rtol=1e-9)


def test_margins():
    same = {"course.means.score": {"control": [18.0, 16.0, 15.0], "active": [18.0, 16.0, 15.5]}}
    margin = {"estimands.primary.non_inferiority_margin": 3.0}
    found = of({**same, **margin, **analysis("t_test")})
    exact = equivalence.noninferiority_means(margin=3.0, difference=-0.5, sd=5.0, n_total=90)
    assert found.power == pytest.approx(exact.power, abs=1e-12)
    margin = {"estimands.primary.equivalence_margin": 4.0}
    found = of({**same, **margin, **analysis("t_test")})
    exact = equivalence.equivalence_means(margin=4.0, difference=0.5, sd=5.0, n_total=90, alpha=0.025)
    assert found.power == pytest.approx(exact.power, abs=1e-12)


def test_nothing_to_find_has_no_twin():
    null = {"course.means.score": {"control": [18.0, 16.0, 15.0], "active": [18.0, 16.0, 15.0]}}
    assert of({**null, **analysis("t_test")}) is None
    assert of({"estimands.primary.non_inferiority_margin": 3.0, **harm(), **analysis("ancova")}) is None


def harm():
    return {"course.means.score": {"control": [18.0, 16.0, 12.0], "active": [18.0, 16.0, 15.0]}}


def test_power_is_a_finding_of_benefit():
    """Where the drug harms, what counts as power is the tail away from the effect."""
    one_way = means.two_sample_t(difference=3.0, sd=5.0, n_total=90).power
    either = means.two_sample_t(difference=3.0, sd=5.0, n_total=90, either_direction=True).power
    assert of({**harm(), **analysis("t_test")}).power == pytest.approx(either - one_way, rel=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        analysis("mmrm", covariance="ar1"),
        analysis("reference_based"),
        {"estimands.primary.endpoint": {"reduction": 0.5}, **analysis("fisher")},
        {"estimands.primary.endpoint": {"time_to": {"reduction": 0.5}}, **analysis("rmst")},
    ],
)
def test_no_closed_form(changes):
    assert of(changes) is None


def test_the_drug_alone_has_no_closed_form_where_the_trial_finds_expectancy_too():
    changes = {**analysis("mmrm"), "unblinding": {"expectancy": {"qids_sr16": 2}}}
    without = {**changes, "estimands.primary.expectancy": "excluded"}
    assert of(changes, document=BOUNDED, truth=-2.0) is not None
    assert of(without, document=BOUNDED, truth=-2.0) is None


def test_what_is_left_out_is_said():
    changes = {
        **analysis("mmrm"),
        "dropout.score_hazard_ratio_per_sd": 1.5,
        "clusters": {"therapy_group": {"arms": ["ketamine"], "size": 8, "icc": 0.05}},
    }
    told = " ".join(of(changes, document=BOUNDED).leaves_out)
    for part in ("as known", "hangs on the last score", "bounded scale", "hang together"):
        assert part in told


def test_sizes_whose_inverse_is_the_mean_inverse():
    """45 patients in an arm of whom 60 % are seen: exact by the binomial, to second order in 1/27."""
    variant = resolve(CONTINUOUS, {"dropout": {"model": "mcar", "missing_by": MISSING}}).variants[0]
    n = np.arange(1, 46)
    chance = stats.binom.pmf(n, 45, 0.6)
    exact = chance.sum() / (chance / n).sum()
    assert effective_sizes(variant, 90, 2, by_stratum=False)[0, 0] == pytest.approx(exact, rel=1e-3)


# Groups -------------------------------------------------------------------------------------------------------

GROUPS = {"clusters": {"ward": {"arms": ["active"], "size": 9, "icc": 0.1}}, "sample_size": [180]}


def nested(**settings):
    return analysis("nested", group="ward", covariates=[], **settings)


def test_groups_in_one_arm():
    """Ten whole groups of nine against ninety alone: the partially nested design, complete data, no covariates."""
    found = of({**GROUPS, **nested()})
    given = {"difference": 3.0, "sd": 5.0, "icc": 0.1, "group_size": 9, "n_total": 180, "reference": "t"}
    assert found.power == pytest.approx(partial_nesting.partially_nested(**given).power, abs=1e-12)
    assert not any("hang together" in sentence for sentence in found.leaves_out)
    assert any("hang together" in sentence for sentence in of({**GROUPS, **analysis("ancova")}).leaves_out)


def test_groups_in_both_arms():
    """Ten groups an arm: t with 18 degrees of freedom, of a cluster-randomised trial."""
    both = {"clusters": {"ward": {"arms": ["control", "active"], "size": 9, "icc": 0.1}}, "sample_size": [180]}
    exact = clustered.cluster_randomised_means(difference=3.0, sd=5.0, icc=0.1, cluster_size=9, clusters=20)
    assert of({**both, **nested()}).power == pytest.approx(exact.power, abs=1e-12)


def test_groups_across_arms_are_taken_out():
    """Sites that patients of both arms join: what is left is the variance within sites."""
    sites = {"clusters": {"ward": {"arms": ["control", "active"], "number": 6, "icc": 0.2}}, "sample_size": [90]}
    within = means.two_sample_t(difference=3.0, sd=5.0 * np.sqrt(0.8), n_total=90)
    assert of({**sites, **nested()}).power == pytest.approx(within.power, abs=0.002)
    assert of({**sites, "clusters.ward.arms": ["active"], **nested()}) is None


def test_a_last_group_and_losses_tell_less():
    whole = of({**GROUPS, **nested()}).power
    assert of({**GROUPS, "sample_size": [184], **nested()}).power > whole
    losing = {"dropout": {"model": "mcar", "missing_by": {14: 0.3}}}
    lost = of({**GROUPS, **losing, **nested()}).power
    # Between that of 70 % of the patients in as many groups, and in groups of the same size but fewer.
    given = {"difference": 3.0, "sd": 5.0, "icc": 0.1, "n_total": 126, "reference": "t"}
    fewer, smaller = (partial_nesting.partially_nested(**given, group_size=size).power for size in (9.0, 6.3))
    assert fewer < lost < smaller


@pytest.mark.slow
def test_groups_agree_with_the_simulation():
    """Forty groups of three, where the variance between groups is seldom at its bound; 2,000 trials."""
    changes = {**EFFECT, "clusters": {"ward": {"arms": ["active"], "size": 3, "icc": 0.3}}, "sample_size": [240]}
    changes |= {**nested(), "course.means.score": {"control": [18.0, 16.0, 15.0], "active": [18.0, 16.0, 13.0]}}
    (simulated,) = simulate(CONTINUOUS, changes, replicates=2_000)
    power = np.mean(simulated["p"] <= 0.05)
    assert power == pytest.approx(of(changes).power, abs=4.9 * np.sqrt(0.25 / 2_000) + ASYMPTOTIC)


def test_a_simulated_true_value_gives_scores_a_twin():
    """What patients expect moves the means beyond what the model gives: none without the true value."""
    guessing = {
        "estimands.primary.intercurrent_events": {"rescue": "treatment_policy"},
        "events": {"rescue": {"per_day": 0.02, "effect": {"score": -2.0}}},
        **analysis("ancova"),
    }
    variant = resolve(CONTINUOUS, {**EFFECT, **guessing}).variants[0]
    assert variant.estimands[0].true_value is None
    assert of(guessing) is None
    assert of(guessing, truth=-3.0).power == pytest.approx(of(analysis("ancova")).power, abs=1e-12)


# Risks and times ----------------------------------------------------------------------------------------------


def test_risks_are_those_of_the_model():
    """Remission at 12 or less: normal shares known exactly; 20,000 patients an arm bring 4.9 errors of .0035."""
    changes = {"estimands.primary.endpoint": {"at_most": 12}, **analysis("risk_difference")}
    control, active = stats.norm.cdf([12.0, 12.0], [15.0, 12.0], 5.0)
    exact = proportions.farrington_manning(p_control=control, p_active=active, n_total=90, alpha=0.05, sides=2)
    assert of(changes, truth=active - control).power == pytest.approx(exact.power, abs=0.01)
    assert of(changes).power == pytest.approx(exact.power, abs=0.05)


def test_a_cox_model_has_the_events_that_are_seen():
    variant, estimand = timed("cox")
    seen = counted_trials(variant)
    had = (seen.scores[..., 0] <= 0.5 * seen.baseline).any(axis=2)
    first, second = (90 * np.mean(had & (seen.arm == arm)) for arm in (0, 1))
    found = twin(variant, estimand, estimand.analyses[0], 90, truth=np.log(1.6), seen=seen)
    noncentrality = np.log(1.6) / np.sqrt(1.0 / first + 1.0 / second)
    assert found.power == pytest.approx(stats.norm.cdf(noncentrality - stats.norm.ppf(0.975)), abs=1e-9)
    assert f"{first + second:.1f} events" in found.formula
    assert twin(variant, estimand, estimand.analyses[0], 90, seen=seen) is None


def test_a_log_rank_test_is_schoenfelds_without_ties():
    """Times spread over 40 visits and no effect: the variance is D/4, less what at most three ties a day take."""
    days = list(range(1, 41))
    flat = {"control": [20.0] * 40, "active": [20.0] * 40}
    changes = {
        "schedule.visits": days,
        "course.means.score": flat,
        "outcomes.score.baseline_correlation": 0.0,
        "estimands.primary.visit": 40,
        "estimands.primary.endpoint": {"time_to": {"at_most": 5}},
        **analysis("log_rank"),
        "sample_size": [90],
    }
    variant = resolve(CONTINUOUS, changes).variants[0]
    (estimand,) = variant.estimands
    seen = counted_trials(variant)
    events = 90 * np.mean((seen.scores[..., 0] <= 5.0).any(axis=2))
    found = twin(variant, estimand, estimand.analyses[0], 90, truth=np.log(3.0), seen=seen)
    assert found.power == pytest.approx(survival.logrank_events(hazard_ratio=3.0, events=events).power, abs=0.01)


def test_tied_events_tell_the_log_rank_test_less():
    """Most patients improve by a tenth at the first visit: the same hazard ratio is found less often than by events."""
    changes = {
        **EFFECT,
        "estimands.primary.endpoint": {"time_to": {"reduction": 0.1}},
        **analysis("log_rank"),
    }
    variant = resolve(CONTINUOUS, changes).variants[0]
    (estimand,) = variant.estimands
    seen = counted_trials(variant)
    events = 90 * np.mean((seen.scores[..., 0] <= 0.9 * seen.baseline).any(axis=2))
    found = twin(variant, estimand, estimand.analyses[0], 90, truth=np.log(1.6), seen=seen)
    assert found.power < survival.logrank_events(hazard_ratio=1.6, events=events).power - 0.1


def timed(method):
    changes = {**EFFECT, "estimands.primary.endpoint": {"time_to": {"reduction": 0.5}}, **analysis(method)}
    variant = resolve(CONTINUOUS, changes).variants[0]
    return variant, variant.estimands[0]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["log_rank", "cox"])
def test_simulated_power_of_times(method):
    """10,000 trials, 120 patients: the true value by large trials; sees a twin that is off by 0.045."""
    changes = {
        **EFFECT,
        "estimands.primary.endpoint": {"time_to": {"reduction": 0.5}},
        **analysis(method),
        "sample_size": [120],
    }
    resolved = resolve(CONTINUOUS, changes)
    variant = resolved.variants[0]
    (truth,) = true_values(variant).values()
    found = twin(variant, variant.estimands[0], variant.estimands[0].analyses[0], 120, truth=truth.value)
    (result,) = simulate(CONTINUOUS, changes, replicates=10_000)
    power = np.mean((result["p"] <= 0.05) & (result["estimate"] > 0))
    assert abs(power - found.power) < 4.9 * np.sqrt(found.power * (1 - found.power) / 10_000) + found.allowance


# Against simulation -------------------------------------------------------------------------------------------


def agrees(document, changes, *, replicates, truth=None):
    """Compare every analysis of the primary estimand with its twin."""
    resolved = resolve(document, changes)
    variant = resolved.variants[0]
    estimand = variant.estimands[0]
    results = simulate(document, changes, replicates=replicates)
    for plan, result in zip(estimand.analyses, results, strict=True):
        found = twin(variant, estimand, plan, max(variant.sample_sizes), truth=truth)
        side = 1.0 if plan.measure == "risk_difference" else np.sign(estimand.true_value)
        power = np.mean((result["p"] <= plan.alpha) & (np.sign(result["estimate"]) == side))
        error = np.sqrt(found.power * (1.0 - found.power) / replicates)
        assert abs(power - found.power) < 4.9 * error + found.allowance, (plan.method, power, found)


METHODS = {"analysis.primary": [{"method": m} for m in ("t_test", "welch", "ancova", "mmrm", "clda", "wilcoxon")]}


def test_simulated_power_quickly():
    """1,000 trials: sees a twin that is off by 0.075."""
    agrees(CONTINUOUS, {**EFFECT, **METHODS}, replicates=1_000)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="complete"),
        pytest.param({"dropout": {"model": "mcar", "missing_by": MISSING}, "sample_size": [160]}, id="dropout"),
        pytest.param({"allocation": {"ratio": [1, 2], "method": "complete"}}, id="complete randomisation"),
        pytest.param(
            {
                "dropout": {"model": "mcar", "missing_by": MISSING, "arm_hazard_ratio": {"active": 2.0}},
                "sample_size": [160],
            },
            id="arms lose unequally",
        ),
    ],
)
def test_simulated_power(changes):
    """10,000 trials of t tests, ANCOVA and MMRM: sees a twin of 0.7 that is off by 0.027, or 0.042 if asymptotic."""
    agrees(CONTINUOUS, {**EFFECT, **METHODS, **changes}, replicates=10_000)


TWO_STRATA = {
    "population": {
        "strata": {
            "one": {"share": 0.4, "baseline": {"score": {"mean": 22.0, "sd": 4.0}}},
            "other": {"share": 0.6, "baseline": {"score": {"mean": 18.0, "sd": 5.0}}},
        }
    },
    "course.means.score": {
        "control": [18.0, 16.0, 15.0],
        "active": {"one": [18.0, 16.0, 9.0], "other": [18.0, 16.0, 13.5]},
    },
    "allocation.stratify_by": ["stratum"],
    "sample_size": [160],
}


@pytest.mark.slow
@pytest.mark.parametrize("missing", [None, {"model": "mcar", "missing_by": MISSING}])
def test_simulated_power_of_an_interaction(missing):
    """10,000 trials: the effect in one stratum against that in another, by t tests, ANCOVA and MMRM; as above."""
    asked = {"estimands.primary.interaction": ["one", "other"], "dropout": missing}
    methods = {"analysis.primary": [{"method": name} for name in ("t_test", "ancova", "mmrm")]}
    agrees(CONTINUOUS, {**TWO_STRATA, **asked, **methods}, replicates=10_000)


@pytest.mark.slow
@pytest.mark.parametrize("missing", [None, {"model": "mcar", "missing_by": MISSING}])
def test_simulated_power_of_a_difference_of_risks(missing):
    """10,000 trials: remission at 12 or less, those who left unknown; sees a twin that is off by 0.044."""
    changes = {
        **EFFECT,
        "estimands.primary.endpoint": {"at_most": 12},
        "analysis.primary": [
            {"method": "risk_difference", "interval": name} for name in ("miettinen_nurminen", "newcombe", "wald")
        ],
        "dropout": missing,
        "sample_size": [120],
    }
    for position, plan in enumerate(changes["analysis.primary"]):
        plan["name"] = f"risk_{position}"
    control, active = stats.norm.cdf([12.0, 12.0], [15.0, 12.0], 5.0)
    agrees(CONTINUOUS, changes, replicates=10_000, truth=active - control)


@pytest.mark.slow
def test_simulated_power_of_a_factorial_contrast():
    """10,000 trials: the mean of two arms against that of two others; as above."""
    changes = {
        "arms": {"neither": {}, "first": {}, "second": {}, "both": {}},
        "course.means.score": {
            "neither": [18.0, 16.0, 15.0],
            "first": [18.0, 16.0, 13.0],
            "second": [18.0, 16.0, 14.0],
            "both": [18.0, 16.0, 12.0],
        },
        "allocation": {"block_sizes": [4]},
        "estimands.primary.contrast": {"first": 0.5, "both": 0.5, "neither": -0.5, "second": -0.5},
        "analysis.primary": [{"method": "ancova"}, {"method": "mmrm"}],
        "sample_size": [120],
    }
    agrees(CONTINUOUS, changes, replicates=10_000)
