"""Analyses of responses: tables worked by hand, tests against margins, trials where nobody or everybody responds."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from asking import MET, answer, first, one, same
from trials import observed
from trialsim.analysis.contract import (
    ALL_ALIKE,
    CONVERGED,
    EMPTY_ARM,
    FAILED,
    FELL_BACK,
    NO_STRATUM,
    NOT_ESTIMABLE,
    SEPARATED,
)
from trialsim.scenario.resolved import Criterion, Endpoint, Hypothesis

TABLES = ("risk_difference", "newcombe", "wald", "fisher", "cmh")
MODELS = ("logistic", "firth", "g_computation")
WORSE = Endpoint("binary", criterion=Criterion("at_most", 0.5, favourable=False), name="relapse")


def of(trials, name, **options):
    """Return an answer by name, the intervals and penalties named for short."""
    settings = {
        "newcombe": {"method": "risk_difference", "interval": "newcombe"},
        "wald": {"method": "risk_difference", "interval": "wald"},
        "firth": {"method": "logistic", "penalty": "always"},
    }.get(name, {"method": name})
    return answer(trials, settings.pop("method"), **settings, **options)


def block(n_replicates=8, n=80, *, missing=0.1, seed=5, n_strata=2, n_arms=2):
    """Responses that hang on arm, baseline and stratum."""
    rng = np.random.default_rng(seed)
    arm = rng.permuted(np.broadcast_to(np.arange(n) % n_arms, (n_replicates, n)), axis=1)
    stratum = rng.permuted(np.broadcast_to(np.arange(n) // 2 % n_strata, (n_replicates, n)), axis=1)
    baseline = rng.normal(20.0, 4.0, (n_replicates, n))
    odds = -0.3 + 0.8 * arm + 0.5 * stratum - 0.1 * (baseline - 20.0)
    scores = (rng.logistic(size=odds.shape) > odds).astype(float)[..., None]
    scores[rng.random(scores.shape) < missing] = np.nan
    return observed(scores, arm=arm, stratum=stratum, baseline=baseline, n_strata=n_strata, n_arms=n_arms)


def table(*counts, stratum=None):
    """Return a trial with a responses of n in the active and c of m in the control arm; several such are strata."""
    parts = [counts] if stratum is None else counts
    arm, response, group = [], [], []
    for s, (a, n, c, m) in enumerate(parts):
        arm += [1] * n + [0] * m
        response += [1] * a + [0] * (n - a) + [1] * c + [0] * (m - c)
        group += [s] * (n + m)
    scores = 1.0 - np.array(response, dtype=float)[None, :, None]
    return observed(scores, arm=np.array([arm]), stratum=np.array([group]), n_strata=len(parts))


def test_a_table_by_hand():
    trials = table(15, 50, 5, 50)
    found = of(trials, "risk_difference")[0]
    assert found.estimate[0] == pytest.approx(0.2)
    # z = .2 / sqrt(.2 · .8 · (2/50) · 100/99): the pooled variance, corrected.
    z = 0.2 / np.sqrt(0.2 * 0.8 * 2 / 50 * 100 / 99)
    assert found.p[0] == pytest.approx(2 * stats.norm.sf(z), rel=1e-12)
    wald = of(trials, "wald")[0]
    assert wald.se[0] == pytest.approx(np.sqrt(0.3 * 0.7 / 50 + 0.1 * 0.9 / 50))
    exact = of(trials, "fisher")[0]
    assert exact.p[0] == pytest.approx(stats.fisher_exact([[15, 35], [5, 45]]).pvalue, rel=1e-10)
    assert np.isnan([exact.se[0], exact.low[0], exact.high[0]]).all()
    common = of(trials, "cmh")[0]
    assert common.estimate[0] == pytest.approx(np.log(15 * 45 / (35 * 5)))
    assert all(result.n_analysed[0] == 100 for result in (found, wald, exact, common))
    odds = of(trials, "logistic", covariates=())[0]
    assert odds.estimate[0] == pytest.approx(np.log(15 * 45 / (35 * 5)), rel=1e-10)
    assert odds.se[0] == pytest.approx(np.sqrt(1 / 15 + 1 / 35 + 1 / 5 + 1 / 45), rel=1e-8)
    standard = of(trials, "g_computation", covariates=())[0]
    assert standard.estimate[0] == pytest.approx(0.2, rel=1e-10)
    assert standard.se[0] == pytest.approx(wald.se[0], rel=1e-8)


@pytest.mark.parametrize("name", ["risk_difference", "newcombe", "wald"])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_test_and_interval_say_the_same(name, alpha):
    trials = block(n_replicates=200, n=40)
    found = of(trials, name, alpha=alpha)[0]
    outside = (found.low > 0) | (found.high < 0)
    np.testing.assert_array_equal(found.p <= alpha, outside)
    assert 20 < outside.sum() < 190


@pytest.mark.parametrize("name", ["risk_difference", "newcombe", "wald", "logistic", "g_computation"])
@pytest.mark.parametrize(("endpoint", "sign"), [(MET, 1), (WORSE, -1)])
def test_margins_go_with_the_interval(name, endpoint, sign):
    margin = 0.9 if name == "logistic" else 0.15
    trials = block(n_replicates=200, n=60)
    options = {"endpoint": endpoint, "active": int(sign > 0), "control": int(sign < 0)}
    plain = of(trials, name, **options)[0]
    side = plain.low if sign > 0 else -plain.high
    not_worse = of(trials, name, **options, hypothesis=Hypothesis("non_inferiority", margin))[0]
    np.testing.assert_array_equal(not_worse.p <= 0.05, side > -margin)
    assert 20 < (not_worse.p <= 0.05).sum() < 200
    alike = of(trials, name, **options, hypothesis=Hypothesis("equivalence", 3 * margin))[0]
    np.testing.assert_array_equal(alike.p <= 0.05, (plain.low > -3 * margin) & (plain.high < 3 * margin))
    assert 5 < (alike.p <= 0.05).sum() < 200
    for other in (not_worse, alike):
        assert (other.p <= 1.0).all()
        np.testing.assert_array_equal(other.estimate, plain.estimate)
        np.testing.assert_array_equal(other.low, plain.low)


def test_the_p_at_a_margin_is_twice_the_one_sided_score_test():
    trials = table(40, 60, 42, 60)
    found = of(trials, "risk_difference", hypothesis=Hypothesis("non_inferiority", 0.2))[0]
    one_sided = found.p[0] / 2
    # At the interval of level 1 - 2p the lower limit is the margin itself.
    limit = of(trials, "risk_difference", alpha=2 * one_sided)[0].low[0]
    assert limit == pytest.approx(-0.2, abs=1e-9)
    limit = of(trials, "newcombe", alpha=of(trials, "newcombe", hypothesis=Hypothesis("non_inferiority", 0.2))[0].p[0])
    assert limit[0].low[0] == pytest.approx(-0.2, abs=1e-9)


@pytest.mark.parametrize("name", TABLES + MODELS)
def test_sizes_are_first_participants_and_blocks_do_not_matter(name):
    trials = block()
    small, large = of(trials, name, sizes=(40, 80))
    same(small, of(first(trials, 40), name)[0], rtol=1e-8, atol=1e-10)
    for r in range(len(trials.arm)):
        alone = of(one(trials, r), name)[0]
        for field in ("estimate", "se", "df", "p", "low", "high"):
            np.testing.assert_allclose(getattr(large, field)[r], getattr(alone, field)[0], rtol=1e-8, err_msg=field)


@pytest.mark.parametrize("name", TABLES + MODELS)
def test_turning_the_contrast_turns_the_sign(name):
    trials = block(n_arms=3)
    there, back = of(trials, name, active=2, control=1)[0], of(trials, name, active=1, control=2)[0]
    np.testing.assert_allclose(back.estimate, -there.estimate, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(back.low, -there.high, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(back.p, there.p, rtol=1e-8)


@pytest.mark.parametrize("name", TABLES + MODELS)
def test_an_arm_with_nobody_fails_alone(name):
    trials = block()
    before = of(trials, name)[0]
    trials.arm[3] = 1
    after = of(trials, name)[0]
    assert after.status[3] == FAILED
    reason = {"cmh": NO_STRATUM}.get(name, NOT_ESTIMABLE if name in MODELS else EMPTY_ARM)
    assert after.rungs[after.rung[3]] == reason
    assert np.isnan([getattr(after, field)[3] for field in ("estimate", "se", "p", "low", "high")]).all()
    same(before, after, np.arange(8) != 3)


@pytest.mark.parametrize("responses", [0.0, 1.0])
@pytest.mark.parametrize("name", TABLES + MODELS)
def test_where_all_responses_are_alike_there_is_no_difference_to_find(name, responses):
    trials = block()
    before = of(trials, name)[0]
    trials.scores[3] = responses
    after = of(trials, name)[0]
    same(before, after, np.arange(8) != 3)
    if name in ("wald", "cmh"):
        assert after.status[3] == FAILED
        assert after.rungs[after.rung[3]] == (ALL_ALIKE if name == "wald" else NO_STRATUM)
        return
    assert after.status[3] == (FELL_BACK if name in ("logistic", "g_computation") else CONVERGED)
    assert abs(after.estimate[3]) < 0.35
    assert after.p[3] > 0.5


@pytest.mark.parametrize("name", TABLES + MODELS)
def test_one_arm_without_a_response(name):
    trials = table(12, 30, 0, 30)
    found = of(trials, name, **({} if name in (*TABLES,) else {"covariates": ()}))[0]
    falls_back = name in ("cmh", "logistic", "g_computation")
    assert found.status[0] == (FELL_BACK if falls_back else CONVERGED)
    assert np.isfinite(found.estimate[0])
    assert found.p[0] < 0.05
    if name != "fisher":
        assert found.low[0] > 0
    refused = of(trials, "logistic", covariates=(), penalty="never")[0]
    assert refused.rungs[refused.rung[0]] == SEPARATED


def test_an_empty_stratum():
    trials = block()
    before = {name: of(trials, name)[0] for name in ("cmh", "logistic", "g_computation")}
    trials.stratum[3] = 0
    for name, expected in before.items():
        after = of(trials, name)[0]
        same(expected, after, np.arange(8) != 3)
        if name == "cmh":
            assert after.status[3] == CONVERGED
        else:
            assert after.rungs[after.rung[3]] == NOT_ESTIMABLE
        alone = of(trials, name, covariates=("baseline",) if name != "cmh" else ())[0]
        assert alone.status[3] == CONVERGED


def test_a_stratum_without_both_arms_says_nothing_to_cmh():
    with_it = of(table((10, 20, 5, 20), (7, 9, 0, 0), stratum=True), "cmh")[0]
    without = of(table(10, 20, 5, 20), "cmh")[0]
    for field in ("estimate", "se", "p"):
        np.testing.assert_allclose(getattr(with_it, field), getattr(without, field), rtol=1e-12)


@pytest.mark.parametrize("name", ["risk_difference", "newcombe", "wald", "g_computation"])
def test_an_interaction_is_the_difference_of_two_strata(name):
    trials = block(n=120)
    found = of(trials, name, interaction=(1, 0))[0]
    parts = []
    for s in (1, 0):
        inside = dataclasses.replace(trials, included=trials.stratum == s)
        settings = {"covariates": ("baseline",)} if name == "g_computation" else {}
        parts.append(of(inside, name, **settings)[0])
    np.testing.assert_allclose(found.estimate, parts[0].estimate - parts[1].estimate, rtol=1e-9)
    np.testing.assert_allclose(found.se, np.hypot(parts[0].se, parts[1].se), rtol=1e-9)
    assert (found.status == CONVERGED).all()
    trials.stratum[3] = 0
    empty = of(trials, name, interaction=(1, 0))[0]
    assert empty.status[3] == FAILED
    assert np.isnan(empty.p[3])


def test_a_logistic_interaction_is_a_ratio_of_odds_ratios():
    trials = table((14, 20, 6, 20), (8, 20, 9, 20), stratum=True)
    found = of(trials, "logistic", covariates=(), interaction=(0, 1))[0]
    expected = np.log((14 / 6) / (6 / 14)) - np.log((8 / 12) / (9 / 11))
    assert found.estimate[0] == pytest.approx(expected, rel=1e-8)
    se = np.sqrt(sum(1 / cell for cell in (14, 6, 6, 14, 8, 12, 9, 11)))
    assert found.se[0] == pytest.approx(se, rel=1e-6)


def test_adjusted_risks_differ_from_crude_ones_and_have_smaller_standard_errors():
    trials = block(n_replicates=50, n=200)
    crude, adjusted = of(trials, "wald")[0], of(trials, "g_computation")[0]
    assert np.mean(adjusted.se**2) < np.mean(crude.se**2)
    assert np.corrcoef(crude.estimate, adjusted.estimate)[0, 1] > 0.9
