"""Planned analyses on real data: a cohort written out and read in again gives the run's own estimates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import trialsim as ts
from trials import simulated
from trialsim.errors import InputError

SCENARIO = Path(__file__).parents[3] / "scenarios" / "followup_rct.yaml"
METHODS = [
    {"method": "mmrm"},
    {"method": "clda", "df": "kenward-roger"},
    {"method": "ancova"},
    {"method": "ancova", "variance": "hc3", "name": "robust"},
    {"method": "t_test"},
    {"method": "welch"},
    {"method": "reference_based", "strategy": "missing_at_random", "name": "mar"},
    {"method": "reference_based"},
]


@pytest.fixture(scope="module")
def scenario():
    settings = {"vary": {}, "sample_size": [90], "simulation.replicates": 2, "analysis.primary": METHODS}
    return ts.load(SCENARIO, settings=settings | {"dropout.missing_by": {14: 0.2}})


@pytest.fixture(scope="module")
def trial(scenario):
    return ts.cohort(scenario, n=90)


def test_a_trial_read_in_gives_the_estimates_of_the_run(scenario, trial, tmp_path):
    path = tmp_path / "trial.csv"
    trial.to_csv(path, index=False)
    real = ts.analyse(path, scenario)
    run = simulated(scenario, tmp_path / "run")
    first = run.estimates().query("replicate == 0").set_index(["estimand", "method"])
    assert len(real) == len(METHODS) + 2
    assert not real["failed"].any()
    for row in real.itertuples():
        theirs = first.loc[(row.estimand, row.method)]
        for name in ("estimate", "se", "df", "p", "n_analysed"):
            assert getattr(row, name) == pytest.approx(theirs[name], rel=1e-9), (row.method, name)


def test_order_of_rows_and_empty_scores_do_not_matter(scenario, trial):
    shuffled = trial.sample(frac=1.0, random_state=1)
    without = trial[trial["present"]]
    for other in (shuffled, without):
        pd.testing.assert_frame_equal(ts.analyse(other, scenario), ts.analyse(trial, scenario), rtol=1e-9)


def test_missing_at_random_imputation_is_the_mixed_model(scenario, trial):
    found = ts.analyse(trial, scenario).query("estimand == 'primary'").set_index("method")
    assert found.loc["mar", "estimate"] == pytest.approx(found.loc["mmrm", "estimate"], abs=1e-9)
    assert abs(found.loc["reference_based", "estimate"]) < abs(found.loc["mar", "estimate"])
    assert found.loc["t_test", "estimate"] == pytest.approx(found.loc["welch", "estimate"], abs=1e-12)
    assert found.loc["ancova", "estimate"] == pytest.approx(found.loc["robust", "estimate"], abs=1e-9)
    assert np.isinf(found.loc["mar", "df"])


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("arm", "placebo", "'placebo' is none of midazolam, ketamine"),
        ("stratum", "other", "'other' is none of bpd, no_bpd"),
        ("day", 5.5, "'5.5' is no visit of the scenario (0, 3, 7, 10, 14)"),
        ("qids_sr16", 99, "99 is outside the scale, 0 to 27"),
        (
            "qids_sr16",
            12.5,
            "12.5 is no score of the scale, 0 to 27 in steps of 1; for scores between",
        ),
        ("madrs", "high", "'high' is not a score"),
        ("madrs", "inf", "'inf' is not a score"),
        ("madrs", "12,5", "'12,5' is not a score; decimals take a point: 12.5"),
        ("arm", "", "an empty cell is none of midazolam, ketamine"),
        ("day", "", "an empty cell is no visit of the scenario (0, 3, 7, 10, 14)"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(scenario, trial, tmp_path, column, value, words):
    bad = trial.astype({column: object})
    bad.loc[6, column] = value
    path = tmp_path / "bad.csv"
    bad.to_csv(path, index=False)
    with pytest.raises(InputError) as caught:
        ts.analyse(path, scenario)
    assert f"bad.csv:8: {column}: {words}" in str(caught.value)


def test_a_day_that_is_no_visit_is_told_once_for_all_its_rows(scenario, trial):
    days = trial["day"].replace(14, 15)
    with pytest.raises(InputError, match=r"^row \d+: day: '15(\.0)?', in \d+ rows, is no visit of the scenario"):
        ts.analyse(trial.assign(day=days), scenario)


def test_files_that_are_no_table_say_so(scenario, tmp_path):
    path = tmp_path / "bad.csv"
    for content, words in (("", "bad.csv: is empty"), ("a\nb\nc,d\n", "bad.csv:3: is not a table with commas")):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(InputError, match=words):
            ts.analyse(path, scenario)


def test_scores_between_the_steps_are_taken_where_the_score_is_continuous_or_a_mean_of_items(scenario, trial):
    free = ts.load(SCENARIO, settings=scenario.settings | {"outcomes.qids_sr16.scale": "continuous"})
    assert not ts.analyse(trial.assign(qids_sr16=trial["qids_sr16"] + 0.25), free)["failed"].any()
    rounded = ts.analyse(trial.assign(bsl23=trial["bsl23"].round(2)), scenario)
    assert not rounded["failed"].any()


@pytest.mark.parametrize(("sign", "words"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_told_once(scenario, trial, tmp_path, sign, words):
    path = tmp_path / "trial.csv"
    trial.to_csv(path, index=False, sep=sign)
    with pytest.raises(InputError) as caught:
        ts.analyse(path, scenario)
    assert str(caught.value) == (
        f"{path}:1: the columns seem to be separated by {words}: write commas between columns, and points in decimals"
    )


def test_a_wrong_arm_is_told_once_with_its_rows_and_the_nearest_name(scenario, trial, tmp_path):
    path = tmp_path / "trial.csv"
    renamed = trial.assign(arm=trial["arm"].replace("ketamine", "Ketamin"))
    renamed.to_csv(path, index=False)
    with pytest.raises(InputError) as caught:
        ts.analyse(path, scenario)
    of_it = renamed["arm"] == "Ketamin"
    assert str(caught.value) == (
        f"{path}:{of_it.to_numpy().argmax() + 2}: arm: 'Ketamin', in {of_it.sum()} rows, is none of midazolam, "
        "ketamine; did you mean 'ketamine'?"
    )


def test_a_visit_without_rows_is_told(scenario, trial):
    with pytest.raises(InputError) as caught:
        ts.analyse(trial[trial["day"] < 14], scenario)
    assert "day: there is no row for day 14, the visit of the estimand primary" in str(caught.value)


def test_how_many_more_faults_there_are_is_told_last(scenario, trial, tmp_path):
    path = tmp_path / "trial.csv"
    trial.assign(arm=[f"placebo {row}" for row in range(len(trial))]).to_csv(path, index=False)
    with pytest.raises(InputError) as caught:
        ts.analyse(path, scenario)
    *told, last = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in told] == [f"{path}:{row}" for row in range(2, 22)]
    assert last == f"and {len(trial) - 20} more like these"


def test_missing_columns_baselines_and_double_rows_are_told(scenario, trial):
    for wrong, words in (
        (trial.drop(columns="arm"), "arm: no such column"),
        (trial[(trial["patient"] != 3) | (trial["day"] > 0)], "no score on day 0 for patient 3"),
        (pd.concat([trial, trial.iloc[[1]]]), "has two rows for this day"),
        (trial.assign(arm=np.where(trial.index == 1, "midazolam", "ketamine")), "has another arm before"),
    ):
        with pytest.raises(InputError, match=words):
            ts.analyse(wrong, scenario)


def test_no_file_and_no_text_are_told(scenario, tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        ts.analyse(tmp_path / "none.csv", scenario)
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00patient")
    with pytest.raises(InputError, match="is not a readable CSV file"):
        ts.analyse(tmp_path / "bytes.csv", scenario)
