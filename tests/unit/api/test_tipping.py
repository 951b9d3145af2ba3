"""The tipping point of a trial's result: against the closed form, and by carrying out the analysis at it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import trialsim as ts
from trials import BOUNDED, CONTINUOUS, write
from trialsim.analysis.reference_based import plan_imputation
from trialsim.api.trial_data import read_trial
from trialsim.errors import InputError, RunError
from trialsim.kernels.imputation import conditional_mean
from trialsim.scenario import resolve

IMPUTED = [
    {"method": "mmrm"},
    {"method": "reference_based"},
    {"method": "multiple_imputation", "imputations": 20, "strategy": "missing_at_random"},
]
CHANGES = {
    "analysis.primary": IMPUTED,
    "sample_size": [120],
    "dropout.missing_by": {14: 0.25},
    "effects.ketamine": {"points": {"qids_sr16": -4.0, "madrs": 0.0, "bsl23": 0.0}},
    "estimands.mood": {"outcome": "madrs", "visit": 14, "contrast": ["ketamine", "midazolam"]},
    "estimands.response": {
        "outcome": "qids_sr16",
        "visit": 14,
        "contrast": ["ketamine", "midazolam"],
        "endpoint": "response",
    },
    "estimands.weighted": {
        "outcome": "madrs",
        "visit": 14,
        "contrast": {"ketamine": 1, "midazolam": -1},
    },
    "estimands.differs": {
        "outcome": "qids_sr16",
        "visit": 14,
        "contrast": ["ketamine", "midazolam"],
        "interaction": ["bpd", "no_bpd"],
    },
}


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("scenario"), BOUNDED, CHANGES)


@pytest.fixture(scope="module")
def scenario(path):
    return ts.load(path)


@pytest.fixture(scope="module")
def trial(scenario):
    return ts.cohort(scenario, n=120, replicate=3)


def test_the_search_finds_the_root_of_the_quadratic(scenario, trial):
    found = ts.tipping_point(trial, scenario)
    variant = resolve(scenario).variants[0]
    observed = read_trial(trial, variant)
    estimand = variant.estimands[0]
    plan = plan_imputation(observed, estimand, estimand.analyses[1])
    one = np.broadcast_to((observed.arm == estimand.active)[:, :, None] * 1.0, plan.y.shape)
    closed = conditional_mean(plan.y, plan.x, observed.arm, plan.left, [plan.target], plan.model, delta=one)
    expected = closed.tipping_point(alpha=0.05)[0, 0]
    assert 0.5 < expected < 27.0
    assert found.delta == pytest.approx(expected, abs=27.0 * 1e-4)
    assert (found.method, found.strategy, found.estimand) == ("reference_based", "jump_to_reference", "primary")
    last = trial[trial["day"] == 14]
    assert found.imputed == int((~last["present"] & (last["arm"] == "ketamine")).sum())


@pytest.mark.parametrize("name", ["reference_based", "multiple_imputation"])
def test_at_the_point_the_analysis_itself_is_no_longer_significant(path, trial, name):
    position = 1 if name == "reference_based" else 2
    found = ts.tipping_point(trial, ts.load(path), analysis=name)
    assert np.isfinite(found.delta)
    for delta, significant in ((found.delta, False), (found.delta - 0.01, True), (0.0, True)):
        analyses = [dict(one) for one in IMPUTED]
        analyses[position]["delta"] = float(delta)
        real = ts.analyse(trial, ts.load(path, settings={"analysis.primary": analyses})).set_index(
            ["estimand", "method"]
        )
        assert (real.loc[("primary", name), "p"] < 0.05) == significant


def test_the_path_has_every_delta_in_order(scenario, trial):
    found = ts.tipping_point(trial, scenario, analysis="multiple_imputation")
    path = found.path
    assert path["delta"].is_monotonic_increasing
    assert path["delta"].iloc[0] == 0.0
    np.testing.assert_allclose(np.diff(path["estimate"]) / np.diff(path["delta"]), _slope(path), rtol=1e-6)
    assert path["significant"].iloc[0]
    assert (path["significant"] == (path["delta"] < found.delta)).all()
    assert (path["significant"] == (path["p"] < found.alpha)).all()
    assert found.delta in set(path["delta"])


def _slope(path):
    return (path["estimate"].iloc[-1] - path["estimate"].iloc[0]) / (path["delta"].iloc[-1] - path["delta"].iloc[0])


def test_what_is_assumed_first_matters(scenario, trial):
    """Those who jump to the control arm are nearer to no benefit before anything is added."""
    jump = ts.tipping_point(trial, scenario)
    random = ts.tipping_point(trial, scenario, strategy="missing_at_random")
    assert random.strategy == "missing_at_random"
    assert random.delta > jump.delta


def test_nothing_to_lose_and_nothing_that_loses_it(scenario, trial):
    turned = trial.assign(arm=trial["arm"].map({"ketamine": "midazolam", "midazolam": "ketamine"}))
    none = ts.tipping_point(turned, scenario)
    assert none.delta == 0.0
    assert not none.path["significant"].any()
    assert none.path["p"].iloc[0] < 0.05  # of harm
    small = ts.tipping_point(trial, scenario, limit=0.01)
    assert np.isinf(small.delta)
    assert small.path["delta"].max() == pytest.approx(0.01)


def test_an_estimand_without_an_imputing_analysis_takes_imputation_at_random(scenario, trial):
    found = ts.tipping_point(trial, scenario, estimand="mood")
    assert found.strategy == "missing_at_random"
    real = ts.analyse(trial, scenario).set_index(["estimand", "method"])
    assert found.path["estimate"].iloc[0] == pytest.approx(real.loc[("mood", "mmrm"), "estimate"], rel=1e-7)


def test_where_higher_is_better_scores_are_lowered(tmp_path):
    means = {"control": [18.0, 19.0, 20.0], "active": [20.0, 23.0, 26.0]}
    changes = {
        "outcomes.score.lower_is_better": False,
        "course.means.score": means,
        "dropout": {"model": "mcar", "missing_by": {14: 0.3}},
    }
    scenario = ts.load(write(tmp_path, CONTINUOUS, changes))
    found = ts.tipping_point(ts.cohort(scenario, n=80), scenario)
    assert found.limit < 0
    assert -np.inf < found.delta < 0
    assert found.path["delta"].is_monotonic_decreasing


def test_a_margin_can_be_lost_too(path, trial):
    scenario = ts.load(path, settings={"estimands.primary.non_inferiority_margin": 1.0})
    plain = ts.tipping_point(trial, ts.load(path))
    wider = ts.tipping_point(trial, scenario)
    assert wider.delta > plain.delta


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"estimand": "mod"}, "there is no estimand 'mod'; did you mean 'mood'"),
        ({"estimand": "response"}, "response imputes nothing"),
        ({"estimand": "differs"}, "differs is an interaction"),
        ({"estimand": "weighted"}, "weighted compares more than two arms"),
        ({"analysis": "mmrm"}, "those of primary are reference_based and multiple_imputation"),
        ({"analysis": "x", "estimand": "mood"}, "mood has none"),
        ({"strategy": "optimism"}, "'optimism' is none of missing_at_random"),
        ({"limit": 0}, "must be a number of points above 0; got 0"),
        ({"limit": float("nan")}, "must be a number of points above 0"),
    ],
)
def test_what_cannot_be_asked_is_told(scenario, trial, options, words):
    with pytest.raises(InputError, match=words):
        ts.tipping_point(trial, scenario, **options)


def test_a_failing_analysis_is_told(scenario, trial):
    with pytest.raises(RunError, match=r"no tipping point of primary.*fails before anything is added"):
        ts.tipping_point(trial[trial["patient"].isin(trial["patient"].unique()[:3])], scenario)
