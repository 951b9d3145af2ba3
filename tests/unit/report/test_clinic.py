"""The words of the clinic: a table, a file, and sentences."""

import re

import pandas as pd
import pytest

import trialsim as ts
from trials import CONTINUOUS, resolve, write
from trialsim.planning.clinical import Counted, clinical_effect
from trialsim.report.clinic import (
    CAPTION,
    clinic_of,
    clinic_table,
    clinic_words,
    effect_row,
    effect_words,
    write_clinic,
)

EFFECT = {"course.means.score": {"control": [18.0, 16.0, 15.0], "active": [18.0, 16.0, 12.0]}}


def effect_of(changes):
    resolved = resolve(CONTINUOUS, changes)
    return clinical_effect(resolved.variants[0], resolved.hash, resolved.variants[0].estimands[0])


def words_of(changes):
    return effect_words(effect_row(effect_of(changes).to_dict())).replace("\u00a0", " ")


def test_words():
    found, text = effect_of(EFFECT), words_of(EFFECT)
    active, control = (share.value for share in found.responders)
    low, high = found.more.interval
    assert text.startswith(
        f"3.00 points fewer with active than with control (d = {abs(found.d.value):.2f}); responders, at half"
    )
    assert f"{100 * active:.1f} per 100 on active, {100 * control:.1f} on control" in text
    assert f"{100 * (active - control):.1f} more per 100 with active ({100 * low:.1f} to {100 * high:.1f})" in text
    assert f"number needed to treat {1 / (active - control):.1f} ({1 / high:.1f} to {1 / low:.1f});" in text
    better = found.better
    low, high = better.interval
    assert text.endswith(f"with a probability of {100 * better.value:.1f} % ({100 * low:.1f} to {100 * high:.1f}).")


def test_no_difference_in_words():
    assert words_of({}) == "No difference between active and control."


def test_harm_is_told_as_harm():
    text = words_of({"course.means.score": {"control": [18.0, 16.0, 12.0], "active": [18.0, 16.0, 15.0]}})
    assert "3.00 points more with active" in text
    assert "fewer per 100 with active" in text
    assert "number needed to harm" in text
    assert "−" not in text


def test_a_difference_that_cannot_be_seen_has_no_number_needed():
    row = effect_row(effect_of(EFFECT).to_dict())
    for end in ("", "_low", "_high"):
        row[f"number_needed{end}"] = None
    assert "no difference that the simulation could see" in effect_words(row)


def test_simulated_points_have_an_interval():
    row = effect_row({**effect_of(EFFECT).to_dict(), "points": {"value": -3.0, "low": -3.1, "high": -2.9}})
    assert effect_words(row).startswith("3.00 points (2.90 to 3.10) fewer with active")


def test_table_and_file(tmp_path):
    resolved = resolve(CONTINUOUS, {**EFFECT, "vary": {"outcomes.score.post_sd": [5.0, 10.0]}})
    table = clinic_table(resolved.variants, resolved.hash)
    assert list(table["outcomes.score.post_sd"]) == [5.0, 10.0]
    assert table["points"].tolist() == [-3.0, -3.0]
    assert table["d"].iloc[0] == pytest.approx(2 * table["d"].iloc[1], rel=0.02)
    (tmp_path / "figures").mkdir()
    write_clinic(tmp_path, resolved.variants, resolved.hash)
    again = clinic_of(tmp_path)
    pd.testing.assert_frame_equal(again, table, check_dtype=False)
    summary = pd.DataFrame({"variant": [0, 1], "outcomes.score.post_sd": [5.0, 10.0], "n": [80, 80]})
    told = clinic_words(again, summary)
    assert [one.estimand for one in told] == ["primary", "primary"]
    assert told[1].setting.endswith(": 10")


def test_a_scenario_without_scores_has_no_file(tmp_path):
    time_to = {"estimands.primary.endpoint": {"time_to": {"reduction": 0.5}}, "analysis.primary": [{"method": "rmst"}]}
    resolved = resolve(CONTINUOUS, {**EFFECT, **time_to})
    write_clinic(tmp_path, resolved.variants, resolved.hash)
    assert clinic_of(tmp_path) is None


def test_python_gives_the_same_as_a_run(tmp_path):
    path = write(tmp_path, CONTINUOUS, {**EFFECT, "simulation.replicates": 50, "sample_size": [40]})
    run = ts.run(path, out=tmp_path / "run", workers=1)
    pd.testing.assert_frame_equal(run.clinic, ts.clinical_effects(path), check_dtype=False)
    assert Counted(-3.0, 0.0).value == run.clinic["points"].iloc[0]
    assert '<h2 id="clinic-heading">In the words of the clinic</h2>' in run.report.read_text(encoding="utf-8")


def test_points_are_called_exact_only_where_no_interval_stands():
    assert "exact where no interval stands" in CAPTION
    assert words_of(EFFECT).startswith("3.00 points fewer")
    leaving = {"dropout": {"model": "mcar", "missing_by": {14: 0.2}}, "analysis.primary": {"method": "ancova"}}
    composite = {"intercurrent_events.dropout": "composite", "failure_score": "baseline"}
    found = words_of({**EFFECT, **leaving, **{f"estimands.primary.{key}": value for key, value in composite.items()}})
    assert re.match(r"\d\.\d\d points \(\d\.\d\d to \d\.\d\d\) fewer with active", found)
