"""Times, counts and groups from scenario file to results, and back from a written cohort to the run's estimates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import trialsim as ts
from trials import CONTINUOUS, changed
from trialsim.errors import InputError

CONTRAST = {"contrast": ["active", "control"]}
MEANS = {"control": [18.0, 16.0, 15.0], "active": [16.0, 14.0, 12.0]}
LOW = {"endpoint": {"time_to": {"at_most": 12}}}
KEPT = {"endpoint": {"time_to": {"lost_reduction": 0.1}, "from": 3}}
TIMES = ({"method": "log_rank"}, {"method": "cox"}, {"method": "kaplan_meier"}, {"method": "rmst"})
STRATA = {
    "one": {"share": 0.5, "baseline": {"score": {"mean": 20.0, "sd": 5.0}}},
    "two": {"share": 0.5, "baseline": {"score": {"mean": 21.0, "sd": 5.0}}},
}
EVERYTHING = {
    "population": {"strata": STRATA},
    "allocation": None,
    "course.means.score": MEANS,
    "dropout": {"model": "mar", "missing_by": {14: 0.2}, "outcome": "score"},
    "clusters": {
        "therapy": {"arms": ["active"], "size": 6, "icc": 0.1, "label": "Therapy group"},
        "site": {"number": 4, "icc": 0.05},
    },
    "counts": {
        "visits": {"rate_per_year": 90, "rate_ratio": {"active": 0.7}},
        "harm": {"rate_per_year": {"one": 30, "two": 60}, "dispersion": 1.0, "rate_ratio": {"active": 0.5}},
    },
    "estimands": {
        "primary": {"outcome": "score", "visit": 14, **CONTRAST},
        "time": {"outcome": "score", "visit": 14, **CONTRAST, **LOW},
        "time_or_left": {"outcome": "score", "visit": 14, **CONTRAST, **LOW,
                         "intercurrent_events": {"dropout": "composite"}},
        "kept": {"outcome": "score", "visit": 14, **CONTRAST, **KEPT},
        "acts": {"outcome": "visits", "visit": 14, **CONTRAST},
        "by_stratum": {"outcome": "score", "visit": 14, **CONTRAST, **LOW, "interaction": ["one", "two"]},
    },
    "analysis": {
        "primary": [
            {"method": "nested", "group": "therapy"},
            {"method": "nested", "name": "satterthwaite", "group": "therapy", "df": "satterthwaite",
             "residual_variance": "common", "covariates": []},
            {"method": "nested", "name": "sites", "group": "site"},
        ],
        "time": list(TIMES),
        "time_or_left": [*TIMES, {"method": "cox", "name": "adjusted", "stratified": False,
                                  "covariates": ["baseline", "stratum"]}],
        "kept": list(TIMES),
        "acts": [{"method": "negative_binomial"}, {"method": "negative_binomial", "name": "plain", "covariates": []}],
        "by_stratum": [{"method": "cox"}, {"method": "kaplan_meier"}, {"method": "rmst"}],
    },
    "sample_size": [120],
    "simulation": {"replicates": 20, "seed": 3},
}  # fmt: skip


def write(folder: Path, changes: dict[str, object]) -> Path:
    path = folder / "scenario.yaml"
    path.write_text(yaml.safe_dump(changed(CONTINUOUS, changes), sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> ts.Scenario:
    return ts.load(write(tmp_path_factory.mktemp("scenario"), EVERYTHING))


@pytest.fixture(scope="module")
def trial(scenario: ts.Scenario) -> pd.DataFrame:
    return ts.cohort(scenario)


@pytest.fixture(scope="module")
def run(scenario: ts.Scenario, tmp_path_factory: pytest.TempPathFactory) -> ts.Run:
    return ts.run(scenario, out=tmp_path_factory.mktemp("run"), workers=1)


def test_every_analysis_is_carried_out_and_beside_its_true_value(run: ts.Run) -> None:
    summary = run.summary
    assert len(summary) == sum(len(listed) for listed in EVERYTHING["analysis"].values())
    assert (summary["converged"] == 20).all()
    assert np.isfinite(summary[["true_value", "mean_estimate", "model_se", "power"]]).all(axis=None)
    off = (summary["mean_estimate"] - summary["true_value"]) / summary["empirical_se"]
    # Twenty trials: the mean of each analysis is within 4.9 of its own standard errors.
    assert off.abs().max() < 4.9 / np.sqrt(20)
    units = summary.drop_duplicates("method").set_index("method")["unit"]
    expected = {"cox": "log", "kaplan_meier": "risk", "rmst": "days", "negative_binomial": "log"}
    assert {name: units[name] for name in expected} == expected


def test_a_cohort_that_is_written_gives_the_estimates_of_the_run(
    scenario: ts.Scenario, trial: pd.DataFrame, run: ts.Run, tmp_path: Path
) -> None:
    path = tmp_path / "trial.csv"
    trial.to_csv(path, index=False)
    first = run.estimates().query("replicate == 0").set_index(["estimand", "method"])
    for source in (path, trial, trial.sample(frac=1.0, random_state=1)):
        real = ts.analyse(source, scenario)
        assert len(real) == len(first)
        for row in real.itertuples():
            simulated = first.loc[(row.estimand, row.method)]
            for name in ("estimate", "se", "p", "n_analysed"):
                assert getattr(row, name) == pytest.approx(simulated[name], rel=1e-7), (row.estimand, row.method, name)
    assert set(real["outcome"]) == {"score", "visits"}


def test_the_columns_of_a_cohort(trial: pd.DataFrame) -> None:
    names = ["patient", "stratum", "arm", "therapy", "site", "day", "score", "visits", "harm", "present"]
    assert list(trial.columns) == names
    by_patient = trial.groupby("patient")
    assert (by_patient[["therapy", "site"]].nunique() <= 1).all(axis=None)
    active = trial["arm"] == "active"
    assert trial["therapy"].notna().equals(active)
    assert set(trial["site"]) == {1, 2, 3, 4}
    sizes = trial[active & (trial["day"] == 0)]["therapy"].value_counts()
    assert sorted(sizes.index) == list(range(1, len(sizes) + 1))
    assert (sizes.sort_index().iloc[:-1] == 6).all()
    counted = trial[["visits", "harm"]]
    assert counted[trial["day"] == 0].isna().all(axis=None)
    seen = (trial["day"] > 0) & trial["present"]
    assert counted[seen].notna().all(axis=None)
    assert counted[~seen].isna().all(axis=None)
    assert 0 < counted["harm"].max() < 50


def test_labels_of_groups_may_be_words(scenario: ts.Scenario, trial: pd.DataFrame) -> None:
    named = trial.assign(therapy=trial["therapy"].map(lambda g: None if pd.isna(g) else f"Tuesday {g}"))
    pd.testing.assert_frame_equal(ts.analyse(named, scenario), ts.analyse(trial, scenario), rtol=1e-9)


@pytest.mark.parametrize(
    ("column", "row", "value", "words"),
    [
        ("harm", 1, 1.5, "'1.5' is not a number of events (a whole number, 0 or more)"),
        ("harm", 1, -1, "is not a number of events"),
        ("visits", 1, "many", "'many' is not a number of events"),
        ("site", 1, 99, "has another site before"),
    ],
)
def test_what_is_wrong_is_told(
    scenario: ts.Scenario, trial: pd.DataFrame, tmp_path: Path, column: str, row: int, value: object, words: str
) -> None:
    bad = trial.astype({column: object})
    bad.loc[row, column] = value
    bad.to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(InputError) as caught:
        ts.analyse(tmp_path / "bad.csv", scenario)
    assert f"bad.csv:{row + 2}: {column}: " in str(caught.value)
    assert words in str(caught.value)


def test_a_group_in_an_arm_without_groups_is_told(scenario: ts.Scenario, trial: pd.DataFrame) -> None:
    patient = trial.loc[trial["arm"] == "control", "patient"].iloc[0]
    bad = trial.astype({"therapy": object})
    bad.loc[bad["patient"] == patient, "therapy"] = 1
    with pytest.raises(InputError, match=f"patient {patient} is in arm control, which has no such groups"):
        ts.analyse(bad, scenario)


def test_missing_columns_are_told_all_at_once(scenario: ts.Scenario, trial: pd.DataFrame) -> None:
    with pytest.raises(InputError) as caught:
        ts.analyse(trial.drop(columns=["therapy", "harm"]), scenario)
    assert [fault.path for fault in caught.value.faults] == ["harm", "therapy"]
    assert "no such column; the columns are patient, stratum, arm, site" in str(caught.value)


def test_what_stands_beside_the_baseline_is_no_count(scenario: ts.Scenario, trial: pd.DataFrame) -> None:
    noted = trial.assign(harm=trial["harm"].mask(trial["day"] == 0, 7))
    pd.testing.assert_frame_equal(ts.analyse(noted, scenario), ts.analyse(trial, scenario))


def test_groups_that_share_too_much_are_told(tmp_path: Path) -> None:
    path = write(tmp_path, {"clusters": {"therapy": {"size": 6, "icc": 0.9}}})
    with pytest.raises(InputError, match=r"clusters\.therapy\.icc: .* must be at most 0\.\d+, not 0\.9"):
        ts.cohort(ts.load(path))


def test_without_a_difference_every_true_value_is_0(tmp_path: Path) -> None:
    same = {"control": [18.0, 16.0, 15.0], "active": [18.0, 16.0, 15.0]}
    counts = {"visits": {"rate_per_year": 90, "dispersion": 0.5}}
    asked = ("primary", "time_or_left", "acts")
    parts = {key: {name: EVERYTHING[key][name] for name in asked} for key in ("estimands", "analysis")}
    changes = {**EVERYTHING, **parts, "course.means.score": same, "counts": counts, "sample_size": [40]}
    summary = ts.run(write(tmp_path, changes), out=tmp_path / "run", workers=1).summary
    assert (summary["true_value"] == 0).all()
    assert (summary["true_value_se"] == 0).all()
    assert summary["null"].all()


SHIPPED = {"therapy_groups": "0.06", "self_harm": None, "relapse": None}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_scenarios_can_be_run(name: str, tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "scenarios" / f"{name}.yaml"
    settings = {"vary": {}, "simulation.replicates": 20, "sample_size": [120]}
    summary = ts.run(ts.load(path, settings=settings), out=tmp_path / name, workers=1).summary
    usable = summary["converged"] / 20
    assert (usable[summary["estimand"] == "primary"] == 1).all()
    assert (usable > 0.8).all()  # in a small trial there may be no suicide attempt in an arm
    assert not summary["null"].any()
