"""Analyses of ranks, responses and imputed scores, named in a scenario: checked, run, reported, used on real data."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import trialsim as ts
from trials import BOUNDED, resolve, write
from trialsim.engine.truth import true_values

SCORES = [
    {"method": "mmrm"},
    {"method": "mmrm", "name": "mmrm_by_arm", "covariance_by": "arm"},
    {"method": "mmrm", "name": "mmrm_by_stratum", "covariance_by": "stratum", "covariance": "heterogeneous_ar1"},
    {"method": "wilcoxon"},
    {"method": "van_elteren"},
    {"method": "reference_based", "name": "tipped", "delta": 2, "jackknife": "one_step"},
    {"method": "reference_based"},
    {"method": "multiple_imputation", "imputations": 5},
    {"method": "multiple_imputation", "name": "worse", "imputations": 5, "strategy": "copy_reference", "delta": 5.0},
]
RESPONSES = [
    {"method": "risk_difference"},
    {"method": "risk_difference", "name": "newcombe", "interval": "newcombe"},
    {"method": "risk_difference", "name": "wald", "interval": "wald"},
    {"method": "fisher"},
    {"method": "cmh"},
    {"method": "logistic"},
    {"method": "logistic", "name": "firth", "penalty": "always", "covariates": []},
    {"method": "g_computation"},
]
CONTRAST = ["ketamine", "midazolam"]
OF_RESPONSE = {"outcome": "qids_sr16", "visit": 14, "contrast": CONTRAST, "endpoint": "response"}
CHANGES = {
    "estimands.responded": OF_RESPONSE,
    "estimands.failed_who_left": {**OF_RESPONSE, "intercurrent_events": {"dropout": "composite"}},
    "estimands.not_worse": {**OF_RESPONSE, "non_inferiority_margin": 0.1},
    "estimands.differs": {**OF_RESPONSE, "interaction": ["bpd", "no_bpd"]},
    "estimands.last_seen": {
        "outcome": "madrs",
        "visit": 14,
        "contrast": CONTRAST,
        "intercurrent_events": {"dropout": "while_on_treatment"},
    },
    "estimands.left_is_worst": {
        "outcome": "madrs",
        "visit": 14,
        "contrast": CONTRAST,
        "intercurrent_events": {"dropout": "composite"},
        "failure_score": "worst",
    },
    "analysis": {
        "primary": SCORES,
        "responded": RESPONSES,
        "failed_who_left": [{"method": "risk_difference"}, {"method": "cmh"}],
        "not_worse": [{"method": "risk_difference"}, {"method": "g_computation"}, {"method": "logistic"}],
        "differs": [{"method": "risk_difference"}, {"method": "logistic"}, {"method": "g_computation"}],
        "last_seen": [{"method": "ancova"}, {"method": "wilcoxon"}],
        "left_is_worst": [{"method": "wilcoxon"}, {"method": "ancova"}],
    },
    "sample_size": [80],
    "simulation.replicates": 20,
    "dropout.missing_by": {14: 0.2},
}
NO_INTERVAL = {"fisher"}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    return write(tmp_path_factory.mktemp("scenario"), BOUNDED, CHANGES)


@pytest.fixture(scope="module")
def run(scenario, tmp_path_factory):
    return ts.run(scenario, out=tmp_path_factory.mktemp("run") / "all", workers=1)


@pytest.fixture(scope="module")
def summary(run):
    return run.summary.set_index(["estimand", "method"])


def test_every_method_has_its_row(summary):
    expected = sum(len(analyses) for analyses in CHANGES["analysis"].values())
    assert len(summary) == expected
    assert (summary["replicates"] == 20).all()
    assert (summary["failed"] == 0).all()
    for column in ("power", "mean_estimate", "true_value", "empirical_se", "bias", "bias_mcse", "mean_n_analysed"):
        assert summary[column].notna().all(), column
    without = summary.index.get_level_values("method").isin(NO_INTERVAL)
    for column in ("coverage", "model_se"):
        assert summary.loc[~without, column].notna().all(), column
        assert summary.loc[without, column].isna().all(), column
    assert (summary["share_missing"].between(0.05, 0.4)).all()


def test_measures_and_tests_are_told(summary):
    measure = summary["measure"]
    assert measure["responded", "logistic"] == "log_odds_ratio"
    assert measure["responded", "g_computation"] == "risk_difference"
    assert measure["primary", "van_elteren"] == "superiority"
    assert measure["primary", "worse"] == "difference"
    assert (summary.loc["not_worse", "test"] == "non_inferiority").all()
    assert (summary.loc["not_worse", "margin"] == 0.1).all()
    assert (summary.loc["responded", "endpoint"] == "response").all()


def test_estimates_are_near_their_true_values(summary):
    """20 trials of one seed; 4.9 standard errors. Those that answer another question are left out."""
    others = ("tipped", "reference_based", "multiple_imputation", "worse")
    rows = summary[~summary.index.get_level_values("method").isin(others)]
    apart = (rows["bias"] / rows["bias_mcse"]).abs()
    assert (apart < 4.9).all(), apart[apart >= 4.9]
    assert (summary["true_value"].xs("wilcoxon", level="method") < 0).all()
    assert (summary.loc["responded", "true_value"] > 0).all()


def test_a_delta_makes_the_estimate_worse(summary):
    of_primary = summary.loc["primary", "mean_estimate"]
    assert of_primary["tipped"] > of_primary["reference_based"]
    assert of_primary["worse"] > of_primary["multiple_imputation"]


def test_the_command_line_accepts_it(command, scenario):
    assert "good" in command("validate", str(scenario)).stdout


def test_a_null_is_a_null_for_every_method(tmp_path):
    """The true value is found by the analysis itself, of patients seen in both arms: it has to be 0 by symmetry."""
    names = ("primary", "responded", "not_worse", "failed_who_left")
    changes = {
        **{key: value for key, value in CHANGES.items() if not key.startswith("estimands.") or key[10:] in names},
        "analysis": {name: CHANGES["analysis"][name] for name in names},
        "effects": None,
    }
    resolved = resolve(BOUNDED, changes)
    variant = resolved.variants[0]
    for hypothesis, truth in true_values(variant).items():
        estimand = variant.estimands[hypothesis.estimand]
        analysis = estimand.analyses[hypothesis.analysis]
        assert abs(truth.value) < 1e-9, analysis.name


@pytest.fixture(scope="module")
def trial(scenario):
    return ts.cohort(ts.load(scenario), n=80)


def test_real_data_are_analysed_by_every_method(scenario, trial, tmp_path):
    path = tmp_path / "trial.csv"
    trial.to_csv(path, index=False)
    found = ts.analyse(path, ts.load(scenario))
    assert not found["failed"].any()
    assert found["estimate"].notna().all()
    assert found["p"].between(0, 1).all()
    limits = found[~found["method"].isin(NO_INTERVAL)]
    assert ((limits["ci_low"] < limits["estimate"]) & (limits["estimate"] < limits["ci_high"])).all()
    again = ts.analyse(trial.sample(frac=1.0, random_state=2), ts.load(scenario))
    pd.testing.assert_frame_equal(found, again, rtol=1e-9)


def test_the_table_says_what_a_method_does_not_have(command, scenario, trial, tmp_path):
    trial.to_csv(tmp_path / "trial.csv", index=False)
    told = command("analyze", str(tmp_path / "trial.csv"), "--scenario", str(scenario)).stdout
    (line,) = (line for line in told.splitlines() if " fisher " in line)
    assert "nan" not in told
    assert line.count("–") >= 3
    rows = json.loads(command("analyze", str(tmp_path / "trial.csv"), "--scenario", str(scenario), "--json").stdout)
    exact = next(row for row in rows if row["method"] == "fisher")
    assert exact["se"] is None
    assert 0 < exact["p"] <= 1


def test_simulated_and_real_trials_have_the_same_answers(scenario, trial, run):
    """Replicate 0 of the run is the cohort. The draws of a multiple imputation go by the order of patients."""
    first = run.estimates().query("replicate == 0").set_index(["estimand", "method"])
    real = ts.analyse(trial, ts.load(scenario)).set_index(["estimand", "method"])
    for key, row in real.iterrows():
        drawn = key[1] in ("multiple_imputation", "worse")
        for name in ("estimate", "p"):
            allowed = {"abs": 0.3} if drawn else {"rel": 1e-7, "abs": 1e-9}
            assert row[name] == pytest.approx(first.loc[key, name], **allowed), (key, name)
    assert np.isfinite(first["estimate"]).all()


PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "analyses.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("position", range(len(BLOCKS)))
def test_the_examples_of_the_page_are_sound(position):
    """Each is part of a scenario: put into one, it resolves, with every analysis it names."""
    given = yaml.safe_load(BLOCKS[position].replace("arms: [dbt]", "arms: [ketamine]"))  # the base has no arm with DBT
    resolved = resolve({**BOUNDED, **given})
    for name, analyses in given.get("analysis", {}).items():
        (estimand,) = (one for one in resolved.variants[0].estimands if one.name == name)
        wanted = analyses if isinstance(analyses, list) else [analyses]
        assert [one.method for one in estimand.analyses] == [one["method"] for one in wanted]


def test_the_page_has_an_example_of_most():
    assert len(BLOCKS) >= 5
