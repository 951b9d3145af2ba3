"""All differences between people at once, from a scenario's text to estimates; and none of them by another name."""

import numpy as np
import pytest

from trials import BOUNDED, resolve
from trialsim.engine.block import compute_block, draw_block
from trialsim.streams import Streams

PARTS = ("stratum", "arm", "baseline", "scores", "present")
FACTORIAL = {
    "outcomes": {"qids_sr16": {}, "madrs": {}},
    "arms": {"midazolam": {"infusion": "midazolam"}, "ketamine": {"infusion": "ketamine", "therapy": "dbt"}},
    "schedule.visits": [7, 14, 42],
    "course": {"infusion_model": {}},
    "dropout": {"model": "mnar", "missing_by": {14: 0.1, 42: 0.2}},
    "therapies": {"dbt": {"weeks": 6}},
}
EVERYTHING = {
    **FACTORIAL,
    "therapies": {"dbt": {"weeks": 6, "attendance": {"mean": 0.8, "sd": 0.2}}},
    "missing": {"intermittent": {"share": {14: 0.1}, "model": "mar"}},
    "heterogeneity": {"effect_sd": {"qids_sr16": 2.0, "madrs": 4.0}, "correlation": 0.8},
    "clusters": {"site": {"number": 4, "icc": 0.02, "effect_sd": 0.1}},
    "lability": {"bpd": 1.5},
    "raters": {"number": 3},
}


def cohort(changes, n=40):
    resolved = resolve(BOUNDED, changes)
    return draw_block(resolved.variants[0], resolved.hash, Streams(3, 0), n)


def test_differences_of_size_zero_change_nothing():
    none = {
        "missing": {"intermittent": {"share": 0.0, "model": "mnar"}},
        "heterogeneity": {"effect_sd": {"qids_sr16": 0.0}},
        "lability": {"bpd": 1.0, "no_bpd": 1.0},
        "raters": {"number": 3, "icc": {"madrs": 1.0}},
    }
    plain, found = cohort(FACTORIAL), cohort({**FACTORIAL, **none})
    for part in PARTS:
        np.testing.assert_array_equal(getattr(found, part), getattr(plain, part), err_msg=part)


def test_the_first_patients_of_a_larger_trial_are_the_same():
    small, large = cohort(EVERYTHING), cohort(EVERYTHING, n=60)
    for part in PARTS:
        np.testing.assert_allclose(getattr(large, part)[:, :40], getattr(small, part), err_msg=part)
    np.testing.assert_array_equal(large.records["sessions"][:, :40], small.records["sessions"])


@pytest.mark.parametrize("changes", [FACTORIAL, EVERYTHING], ids=["plain", "everything"])
def test_trials_are_analysed(changes):
    resolved = resolve(BOUNDED, {**changes, "estimands.primary.visit": 14, "sample_size": 80})
    cell = compute_block(resolved.variants[0], resolved.hash, 5, 0)[0]
    assert (cell.estimates.status < 2).mean() > 0.99
    asked = 0.1 if changes is FACTORIAL else 1 - 0.9 * 0.9
    assert cell.share_missing.mean() == pytest.approx(asked, abs=4.9 * np.sqrt(asked / (250 * 80)))


def test_scores_keep_to_their_scales():
    scores = cohort(EVERYTHING).scores
    np.testing.assert_array_equal(scores, np.round(scores))
    assert scores.min() >= 0
    assert np.all(scores.max(axis=(0, 1, 2)) <= [27, 60])
