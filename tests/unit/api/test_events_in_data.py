"""Days of events in a written cohort, and read again: the estimates are those of the run."""

from __future__ import annotations

import numpy as np
import pytest

import trialsim as ts
from trials import CONTINUOUS, changed, simulate, write
from trialsim.errors import InputError

CHANGES = {
    "schedule": {"infusions": [0, 3, 7], "visits": [3, 7, 14]},
    "arms": {"control": {"infusion": "midazolam"}, "active": {"infusion": "ketamine"}},
    "course": {"infusion_model": {}, "control_change": {"score": -3.0}},
    "effects": {"active": {"points": {"score": -4.0}}},
    "events": {
        "rescue": {"per_day": 0.03, "effect": {"score": -2.0}},
        "ect": {"per_day": 0.02},
        "stop_infusions": {"share_by": {14: 0.2}},
    },
    "dropout": {"model": "mcar", "missing_by": {14: 0.2}},
    "estimands": {
        name: {
            "outcome": "score",
            "visit": 14,
            "contrast": ["active", "control"],
            "intercurrent_events": {"rescue": strategy, "ect": other, "dropout": leaving},
            "analysis_set": chosen,
        }
        for name, strategy, other, leaving, chosen in (
            ("primary", "hypothetical", "composite", "hypothetical", "itt"),
            ("policy", "treatment_policy", "treatment_policy", "composite", "mitt"),
            ("on_treatment", "while_on_treatment", "hypothetical", "while_on_treatment", "per_protocol"),
            ("spared", "principal_stratum", "treatment_policy", "hypothetical", "itt"),
        )
    },
    "analysis": {name: {"method": "ancova"} for name in ("primary", "policy", "on_treatment", "spared")},
}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    return ts.load(write(tmp_path_factory.mktemp("events"), CONTINUOUS, CHANGES))


@pytest.fixture(scope="module")
def trial(scenario):
    return ts.cohort(scenario)


def test_the_day_of_each_event_is_written(trial):
    names = ["rescue_day", "ect_day", "stop_infusions_day"]
    assert trial.groupby("patient")[[*names, "infusions_given"]].nunique(dropna=False).max().max() == 1
    for name in names:
        assert trial[name].min() > 0.0
        assert trial[name].max() <= 14.0
        assert trial[name].isna().any()
    # Nothing is known of who has left, but for what happened on the way to the first visit missed.
    left = trial.groupby("patient")["present"].sum()
    until = np.array([0.0, 3.0, 7.0, 14.0, 14.0])[left]
    assert (trial.groupby("patient")["rescue_day"].first().fillna(0.0) <= until).all()


@pytest.mark.parametrize("changes", [{}, {"missing": {"intermittent": {"share": 0.3}}}], ids=["no gaps", "gaps"])
def test_a_trial_read_in_gives_the_estimates_of_the_run(changes, tmp_path):
    scenario = ts.load(write(tmp_path, CONTINUOUS, {**CHANGES, **changes}))
    trial, path = ts.cohort(scenario), tmp_path / "trial.csv"
    trial.to_csv(path, index=False)
    assert ("followed_until_day" in trial.columns) is bool(changes)
    real = ts.analyse(path, scenario).set_index("estimand")
    run = simulate(CONTINUOUS, {**CHANGES, **changes}, replicates=1)
    assert len({results["n_analysed"][0] for results in run}) == 4
    for name in ("estimate", "se", "p", "n_analysed"):
        first = [results[name][0] for results in run]
        np.testing.assert_allclose(real.loc[[*CHANGES["estimands"]], name], first, rtol=1e-9)


def test_what_is_wrong_in_the_data_is_told(scenario, trial):
    with pytest.raises(InputError, match="rescue_day: no such column"):
        ts.analyse(trial.drop(columns="rescue_day"), scenario)
    wrong = trial.copy()
    wrong["ect_day"] = wrong["ect_day"].astype(object)
    wrong.loc[3, "ect_day"] = "soon"
    with pytest.raises(InputError, match=r"row 3: ect_day: 'soon' is not a day \(0 or later\)"):
        ts.analyse(wrong, scenario)
    wrong = trial.copy()
    wrong.loc[[0, 2, 3], "rescue_day"], wrong.loc[1, "rescue_day"] = 9.0, 2.5
    with pytest.raises(InputError, match="row 1: rescue_day: patient 1 has another rescue_day before"):
        ts.analyse(wrong, scenario)
    with pytest.raises(InputError, match="infusions_given: '-1' is not a number of infusions"):
        ts.analyse(trial.assign(infusions_given=-1), scenario)
    with pytest.raises(InputError, match="followed_until_day: 'x' is not a day"):
        ts.analyse(trial.assign(followed_until_day="x"), scenario)


def test_an_event_after_the_last_score_says_that_the_patient_was_still_there(scenario, trial):
    """A death between two visits, of somebody who missed the one before, is a death and no leaving."""
    dead = trial.assign(rescue_day=np.nan, ect_day=np.nan, score=trial["score"].where(trial["day"] < 7))
    dead.loc[dead["patient"] == 1, "ect_day"] = 10.0
    counted = ts.analyse(dead, scenario).set_index("estimand").loc["primary", "n_analysed"]
    nobody = ts.analyse(dead.assign(ect_day=np.nan), scenario).set_index("estimand").loc["primary", "n_analysed"]
    assert counted == nobody + 1


def test_infusions_are_written_only_where_they_are_needed(tmp_path):
    plain = changed(CONTINUOUS, {**CHANGES, "estimands": {"primary": CHANGES["estimands"]["primary"]},
                                 "analysis": {"primary": {"method": "ancova"}}})  # fmt: skip
    assert "infusions_given" not in ts.cohort(ts.load(write(tmp_path, plain))).columns
