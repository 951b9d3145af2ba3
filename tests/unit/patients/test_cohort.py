"""Cohorts: prefixes, draws that stay where they are, potential outcomes, and dropout that is for good."""

import random

import numpy as np
import pytest

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.engine.block import draw_block
from trialsim.streams import Streams


def cohort(document=BOUNDED, changes=None, *, n=60, seed=3, block=0):
    resolved = resolve(document, changes)
    return draw_block(resolved.variants[0], resolved.hash, Streams(seed, block), n)


PARTS = ("stratum", "arm", "baseline", "scores", "present")


def same(a, b, parts=PARTS):
    for part in parts:
        np.testing.assert_array_equal(getattr(a, part), getattr(b, part), err_msg=part)


@pytest.mark.parametrize("document", [BOUNDED, CONTINUOUS], ids=["bounded", "continuous"])
def test_the_first_patients_of_a_larger_trial_are_those_of_the_smaller_one(document):
    small, large = cohort(document, n=80), cohort(document, n=160)
    for part in PARTS:
        np.testing.assert_array_equal(getattr(large, part)[:, :80], getattr(small, part), err_msg=part)


def test_seed_and_block_give_other_patients():
    base = cohort()
    assert not np.array_equal(base.scores, cohort(seed=4).scores)
    assert not np.array_equal(base.scores, cohort(block=1).scores)


def test_dropout_moves_nobody():
    same(cohort(), cohort(changes={"dropout": None}), PARTS[:-1])
    assert cohort(changes={"dropout": None}).present.all()


def test_another_visit_moves_nobody():
    # Scores that correlate 0 have no earlier score in them, so that they show their own draws.
    apart = {
        "covariance.visits": {"structure": "compound_symmetry", "rho": 0.0},
        "outcomes.score.baseline_correlation": 0.0,
    }
    more = {
        "schedule.visits": [3, 5, 7, 14],
        "course.means.score": {"control": [18.0, 17.0, 16.0, 15.0], "active": [18.0, 17.0, 16.0, 15.0]},
    }
    base, with_visit = cohort(CONTINUOUS, apart), cohort(CONTINUOUS, {**apart, **more})
    np.testing.assert_allclose(with_visit.scores[:, :, [0, 2, 3]], base.scores, rtol=1e-12)
    same(base, with_visit, ("stratum", "arm", "baseline"))


def test_another_visit_leaves_the_earlier_scores_as_they_are():
    more = {"schedule.visits": [3, 7, 14, 28]}
    base, with_visit = (
        cohort(CONTINUOUS),
        cohort(
            CONTINUOUS,
            {**more, "course.means.score": {"control": [18.0, 16.0, 15.0, 15.0], "active": [18.0, 16.0, 15.0, 15.0]}},
        ),
    )
    np.testing.assert_allclose(with_visit.scores[:, :, :3], base.scores, rtol=1e-12)


def test_another_outcome_moves_nobody():
    alone = cohort(changes={"outcomes": {"qids_sr16": {}}})
    together = cohort()
    same(alone, together, ("stratum", "arm"))
    np.testing.assert_array_equal(together.baseline[..., 0], alone.baseline[..., 0])


def test_a_larger_specific_share_leaves_the_active_arm_as_it_is():
    base, stronger = cohort(), cohort(changes={"effects.ketamine.specific_share": 0.66})
    same(base, stronger, ("stratum", "arm", "baseline"))
    active = base.arm == 1
    # The open-label course is the active arm's; the control arm gets less of it.
    np.testing.assert_array_equal(base.scores[active], stronger.scores[active])
    assert np.all((stronger.scores[~active] - base.scores[~active]).mean(axis=0) > [0.5, 1.0, 0.05])


def test_scores_lie_on_their_scales():
    trial = cohort(n=200)
    everything = np.concatenate([trial.baseline[:, :, None], trial.scores], axis=2)
    for k, (top, step) in enumerate([(27, 1.0), (60, 1.0), (4, 1 / 23)]):
        scores = everything[..., k]
        assert scores.min() >= 0.0
        assert scores.max() <= top + 1e-12
        np.testing.assert_allclose(scores / step, np.round(scores / step), atol=1e-9)


def test_who_leaves_does_not_come_back():
    trial = cohort(changes={"dropout.missing_by": {3: 0.2, 14: 0.5}})
    assert np.all(trial.present[:, :, :-1] >= trial.present[:, :, 1:])
    assert 0.4 < 1 - trial.present[:, :, -1].mean() < 0.6
    np.testing.assert_array_equal(
        np.isnan(trial.observed), np.broadcast_to(~trial.present[..., None], trial.scores.shape)
    )
    assert np.isfinite(trial.baseline).all()


def test_more_dropout_takes_more_of_the_same_patients():
    some, more = (cohort(changes={"dropout.missing_by": {14: share}}) for share in (0.1, 0.3))
    assert np.all(some.present >= more.present)


def test_the_allocation_ratio_leaves_the_strata_alone():
    same(cohort(), cohort(changes={"allocation": {"ratio": [2, 1]}}), ("stratum", "baseline"))


def test_global_generators_are_left_alone():
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    before = (np.random.get_state()[1].copy(), random.getstate())  # noqa: NPY002
    cohort()
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert random.getstate() == before[1]
