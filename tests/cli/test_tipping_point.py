"""`trialsim analyze --tipping-point` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trials import BOUNDED, write

EFFECT = {"points": {"qids_sr16": -4.0, "madrs": 0.0, "bsl23": 0.0}}


@pytest.fixture
def trial(command, tmp_path) -> tuple[Path, Path]:
    changes = {"effects.ketamine": EFFECT, "dropout.missing_by": {14: 0.25}, "sample_size": [120]}
    scenario = write(tmp_path, BOUNDED, changes)
    data = tmp_path / "trial.csv"
    command("cohort", str(scenario), "--n", "120", "--replicate", "3", "--out", str(data))
    return data, scenario


def test_the_way_and_the_answer_are_told(command, trial):
    data, scenario = trial
    told = command("analyze", str(data), "--scenario", str(scenario), "--tipping-point").stdout
    found = json.loads(command("analyze", str(data), "--scenario", str(scenario), "--tipping-point", "--json").stdout)
    assert found["reached"]
    assert found["delta"] > 0
    assert len(found["path"]) > 10
    assert f"no longer significant when the {found['imputed']} patients" in told
    assert f"{found['delta']:+.4g} points" in told
    assert told.count("not significant") >= 1


def test_no_benefit_to_lose_is_told(command, trial):
    data, scenario = trial
    other = ("--set", "estimands.primary.outcome=bsl23")
    told = command("analyze", str(data), "--scenario", str(scenario), "--tipping-point", *other).stdout
    assert "there is no significant benefit to lose" in told


def test_complete_data_have_nothing_to_tip(command, tmp_path):
    scenario = write(tmp_path, BOUNDED, {"effects.ketamine": EFFECT, "dropout": None, "sample_size": [120]})
    data = str(tmp_path / "complete.csv")
    command("cohort", str(scenario), "--n", "120", "--out", data)
    asked = ("analyze", data, "--scenario", str(scenario), "--tipping-point")
    assert "significant still when the 0 patients" in command(*asked).stdout
    found = json.loads(command(*asked, "--json").stdout)
    assert not found["reached"]
    assert found["delta"] is None


def test_a_question_that_cannot_be_asked_is_an_error_of_input(command, trial):
    data, scenario = trial
    told = command(
        "analyze", str(data), "--scenario", str(scenario), "--tipping-point", "--estimand", "other", code=2
    ).stderr
    assert "there is no estimand 'other'" in told
