"""The items of a simulated cohort beside its scores."""

import numpy as np
import pandas as pd
import pytest

import trialsim as ts
from trials import BOUNDED, CONTINUOUS, write
from trialsim.api.items import with_items
from trialsim.errors import InputError
from trialsim.patients.items import bsl23_score, qids_total
from trialsim.patients.questionnaires import draw_items
from trialsim.scenario import resolve

CHANGES = {"dropout.missing_by": {14: 0.4}}


def cohort(folder, changes=None, *, document=BOUNDED, **asked):
    return ts.cohort(ts.load(write(folder, document, {**CHANGES, **(changes or {})})), **asked)


def items_of(frame, outcome, number):
    return frame[[f"{outcome}_item_{i}" for i in range(1, number + 1)]]


@pytest.mark.parametrize("asked", [{}, {"potential_outcomes": True}])
def test_items_add_up_where_there_is_a_score(tmp_path, asked):
    plain, frame = cohort(tmp_path, **asked), cohort(tmp_path, items=True, **asked)
    pd.testing.assert_frame_equal(frame[plain.columns], plain)
    assert len(frame.columns) == len(plain.columns) + 16 + 9 + 23
    seen = frame["qids_sr16"].notna()
    assert 0.6 < seen.mean() < 1.0
    for number, outcome, total in ((16, "qids_sr16", qids_total), (23, "bsl23", bsl23_score)):
        items = items_of(frame, outcome, number)
        assert items[~seen].isna().all().all()
        np.testing.assert_allclose(total(items[seen].to_numpy(dtype=np.int64)), frame.loc[seen, outcome], atol=1e-12)


def test_a_patient_keeps_the_draws_in_every_arm_and_in_a_larger_trial(tmp_path):
    frame = cohort(tmp_path, items=True)
    larger = cohort(tmp_path, items=True, n=90)
    pd.testing.assert_frame_equal(larger[larger["patient"] <= 60].reset_index(drop=True), frame)
    worlds = cohort(tmp_path, items=True, potential_outcomes=True)
    own = worlds[worlds["arm"] == worlds["assigned"]].drop(columns="assigned").reset_index(drop=True)
    pd.testing.assert_frame_equal(own, frame)


def test_an_instrument_under_another_name(tmp_path):
    changes = {
        "outcomes": {"mood": {"instrument": "qids_sr16"}, "madrs": None},
        "estimands.primary.outcome": "mood",
        "covariance": {"outcomes": [{"pair": ["mood", "madrs"], "baseline": 0.45, "later": 0.7}]},
    }
    frame = cohort(tmp_path, changes, items=True)
    assert {"mood_item_16", "mood_domain_sleep"} <= set(frame.columns)
    assert not any(name.startswith("madrs_") for name in frame.columns)


def disagreeing(frame, score="qids_si", total="qids_sr16"):
    """Rows with a total whose item 12 is not the nearest to the score that eight other domains of 0 to 3 allow."""
    seen = frame[frame[total].notna()]
    nearest = np.minimum(np.maximum(seen[score], seen[total] - 24), seen[total])
    return int((seen[f"{total}_item_12"] != nearest).sum())


@pytest.mark.parametrize("asked", [{}, {"potential_outcomes": True}])
def test_item_12_is_the_score_of_suicidal_ideation(tmp_path, asked):
    """Under every arm and at every visit; drawn by themselves they would differ in more than half of the rows."""
    frame = cohort(tmp_path, {"outcomes.qids_si": {}}, items=True, **asked)
    seen = frame["qids_sr16"].notna()
    assert 0.6 < seen.mean() < 1.0
    assert disagreeing(frame) == 0
    assert (frame.loc[seen, "qids_sr16_item_12"] == frame.loc[seen, "qids_si"]).mean() > 0.97
    assert set(frame.loc[seen, "qids_si"]) == {0.0, 1.0, 2.0, 3.0}
    items = items_of(frame, "qids_sr16", 16)
    assert items[~seen].isna().all().all()
    np.testing.assert_array_equal(qids_total(items[seen].to_numpy(dtype=np.int64)), frame.loc[seen, "qids_sr16"])


def test_item_12_of_outcomes_under_other_names(tmp_path):
    changes = {
        "outcomes": {"mood": {"instrument": "qids_sr16"}, "danger": {"instrument": "qids_si"}},
        "estimands.primary.outcome": "mood",
        "covariance": {"outcomes": [{"pair": ["mood", "danger"], "baseline": 0.5, "later": 0.5}]},
    }
    frame = cohort(tmp_path, changes, items=True)
    assert disagreeing(frame, "danger", "mood") == 0


def test_suicidal_ideation_on_another_scale_is_not_item_12(tmp_path):
    """The items are then those that are drawn without it."""
    frame = cohort(tmp_path, {"outcomes.qids_si": {"scale": {"min": 0, "max": 4, "step": 1}}}, items=True)
    rows = frame[(frame["day"] == 14) & frame["qids_sr16"].notna()]
    drawn = draw_items(
        "qids_sr16",
        rows["qids_sr16"].to_numpy(),
        BOUNDED["simulation"]["seed"],
        outcome="qids_sr16",
        replicate=0,
        day=14.0,
        patients=rows["patient"].to_numpy() - 1,
    )
    np.testing.assert_array_equal(items_of(rows, "qids_sr16", 16).to_numpy(dtype=np.int64), drawn[:, :16])
    assert disagreeing(frame) > 0.3 * len(frame)


def test_a_score_that_is_not_seen_leaves_item_12_to_the_draw(tmp_path):
    changes = {**CHANGES, "outcomes.qids_si": {}}
    found = resolve(ts.load(write(tmp_path, BOUNDED, changes)))
    whole = cohort(tmp_path, {"outcomes.qids_si": {}})
    holed = whole.assign(qids_si=whole["qids_si"].where(whole["day"] != 7))
    told, untold = (items_of(with_items(frame, found, 0), "qids_sr16", 16) for frame in (whole, holed))
    week = whole["day"] == 7
    pd.testing.assert_frame_equal(told[~week], untold[~week])
    assert (told[week] != untold[week]).any(axis=None)
    pd.testing.assert_series_equal(untold.isna().any(axis=1), whole["qids_sr16"].isna(), check_names=False)


def test_without_a_questionnaire_on_its_own_scale_there_are_none(tmp_path):
    with pytest.raises(InputError, match="no outcome has items: qids_sr16 and bsl23 have, on their own scales"):
        cohort(tmp_path, {"dropout": None}, document=CONTINUOUS, items=True)
    changes = {"outcomes": {"qids_sr16": {"scale": "continuous"}}}
    with pytest.raises(InputError, match="no outcome has items"):
        cohort(tmp_path, changes, items=True)


def test_a_column_is_not_overwritten(tmp_path):
    found = resolve(ts.load(write(tmp_path, BOUNDED, CHANGES)))
    frame = cohort(tmp_path).assign(bsl23_item_4=1)
    with pytest.raises(InputError, match="there is a column 'bsl23_item_4' already"):
        with_items(frame, found, 0)


def test_adverse_events_have_a_column(tmp_path):
    changes = {"safety": {"adverse_events": {"nausea": {"per_infusion": 1.0}}}, "dropout.never_starts": 0.1}
    frame = cohort(tmp_path, changes)
    at_entry = frame[frame["day"] == 0]["nausea"]
    assert set(at_entry.dropna()) == {1}
    assert 0 < at_entry.isna().sum() < 20  # who never starts
    later = frame[frame["day"] > 0]
    # Infusions on days 3, 7 and 10; what comes on the day of a visit is told with it.
    assert later.groupby("day")["nausea"].agg(lambda told: set(told.dropna())).to_dict() == {
        3.0: {1},
        7.0: {1},
        14.0: {1},
    }
    np.testing.assert_array_equal(later["nausea"].notna(), later["present"])
