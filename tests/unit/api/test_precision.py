"""Runs to a precision: enough replicates, the same ones however they come about, and a question before long work."""

import json

import pytest

import trialsim as ts
from trials import CONTINUOUS, write
from trialsim.errors import InputError, RefusedError

EFFECT = {"course.means.score": {"control": [18.0, 16.0, 15.0], "active": [18.0, 16.0, 12.0]}}
ANALYSIS = {"analysis.primary": [{"method": "t_test"}]}
TO_3 = {**EFFECT, **ANALYSIS, "sample_size": [60, 20], "simulation": {"seed": 1, "precision": 0.03}}


@pytest.fixture
def scenario(tmp_path):
    return write(tmp_path, CONTINUOUS, TO_3)


def widths(run):
    return (run.summary["power_high"] - run.summary["power_low"]) / 2.0


def numbers(folder):
    return {name: (folder / name).read_bytes() for name in ("summary.parquet", "estimates.parquet", "manifest.json")}


def test_every_power_is_that_precise(scenario, tmp_path):
    run = ts.run(scenario, out=tmp_path / "run", workers=1)
    replicates = run.manifest["replicates"]
    assert replicates % 250 == 0
    assert replicates > 500
    assert (run.summary["replicates"] == replicates).all()
    assert widths(run).max() <= 0.03
    assert run.manifest["scenario"]["precision"] == 0.03
    # A block less would not have done: the next precision with one is wider.
    assert widths(run).max() > 0.03 * (1 - 250 / replicates)


def test_the_number_hangs_on_results_alone(scenario, tmp_path):
    """Two workers; a run that was stopped after the pilot; one that was asked for less before: the same bytes."""
    ts.run(scenario, out=tmp_path / "one", workers=1)
    ts.run(scenario, out=tmp_path / "two", workers=2)
    with pytest.raises(RefusedError, match="first 500 replicates"):
        ts.run(scenario, out=tmp_path / "stopped", workers=1, confirm=lambda estimate: False)
    stopped = json.loads((tmp_path / "stopped" / "manifest.json").read_text(encoding="utf-8"))
    assert stopped["replicates"] == 500
    ts.run(scenario, out=tmp_path / "stopped", workers=1)
    assert numbers(tmp_path / "one") == numbers(tmp_path / "two") == numbers(tmp_path / "stopped")


def test_a_finished_run_computes_nothing_and_asks_nobody(scenario, tmp_path):
    ts.run(scenario, out=tmp_path / "run", workers=1)

    def asked(estimate):
        raise AssertionError

    again = ts.run(scenario, out=tmp_path / "run", workers=1, confirm=asked)
    assert not again.computed
    wider = ts.run(scenario, out=tmp_path / "run", settings={"simulation.precision": 0.1}, workers=1, confirm=asked)
    assert wider.manifest["replicates"] == again.manifest["replicates"]


def test_what_it_will_take_is_said_before(scenario, tmp_path):
    told = []
    run = ts.run(scenario, out=tmp_path / "run", workers=1, confirm=lambda estimate: not told.append(estimate))
    (estimate,) = told
    assert estimate.precision == 0.03
    assert 0.0 < estimate.seconds < 600.0
    assert abs(estimate.replicates - run.manifest["replicates"]) <= 500
    # Known as well where the first blocks lie there already.
    told.clear()
    with pytest.raises(RefusedError):
        ts.run(scenario, out=tmp_path / "other", workers=1, confirm=lambda estimate: False)
    ts.run(scenario, out=tmp_path / "other", workers=1, confirm=lambda estimate: not told.append(estimate))
    assert told[0].seconds > 0.0


def test_replicates_are_the_least_number(scenario, tmp_path):
    settings = {"simulation.precision": 0.1, "simulation.replicates": 750}
    assert ts.run(scenario, out=tmp_path / "run", settings=settings, workers=1).manifest["replicates"] == 750
    settings = {"simulation.precision": 0.1, "simulation.replicates": 100}
    assert ts.run(scenario, out=tmp_path / "few", settings=settings, workers=1).manifest["replicates"] == 500


def test_powers_of_hypotheses_tested_together_count(tmp_path):
    """Each power is near 0 or 1, that of both together too; finding either is what takes most."""
    two = {
        "estimands": {
            "primary": {"outcome": "score", "visit": 14, "contrast": ["active", "control"]},
            "early": {"outcome": "score", "visit": 7, "contrast": ["active", "control"]},
        },
        "analysis": {"primary": [{"method": "t_test"}], "early": [{"method": "t_test"}]},
        "multiplicity": {"method": "bonferroni", "hypotheses": ["primary", "early"]},
    }
    path = write(tmp_path, CONTINUOUS, {**TO_3, **two, "sample_size": [60]})
    run = ts.run(path, out=tmp_path / "run", workers=1)
    families = run.families
    assert (families["disjunctive_power_high"] - families["disjunctive_power_low"]).max() / 2.0 <= 0.03


@pytest.mark.parametrize("precision", [0, 0.0005, 0.3, "narrow"])
def test_a_precision_that_cannot_be(scenario, precision):
    with pytest.raises(InputError, match=r"simulation\.precision"):
        ts.load(scenario, settings={"simulation.precision": precision})
