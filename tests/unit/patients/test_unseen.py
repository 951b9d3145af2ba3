"""Unseen scores that differ by a delta: only they do, by as much as asked, on the scale; and true values know."""

from __future__ import annotations

import numpy as np
import pytest

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.engine.block import draw_block, patient_source
from trialsim.engine.truth import true_values
from trialsim.streams import Streams

LEFT = {3: 0.1, 7: 0.2, 14: 0.35}
GONE = {"dropout": {"model": "mcar", "missing_by": LEFT, "never_starts": 0.05}}
GAPS = {"missing": {"intermittent": {"share": 0.2}}}


def drawn(document, changes, n=60):
    resolved = resolve(document, changes)
    return draw_block(resolved.variants[0], resolved.hash, Streams(3, 0), n)


def left(cohort):
    """Whether nothing is seen from a visit on; with gaps, one at the end looks the same."""
    return np.logical_and.accumulate(~cohort.present[..., ::-1], axis=2)[..., ::-1]


def test_who_left_scores_differently_by_arm_and_all_that_is_seen_stays():
    plain = drawn(CONTINUOUS, GONE)
    moved = drawn(CONTINUOUS, {**GONE, "dropout.delta": {"score": {"active": 3.0}}})
    np.testing.assert_array_equal(moved.present, plain.present)
    expected = 3.0 * (~plain.present & (plain.arm == 1)[..., None])
    np.testing.assert_allclose((moved.scores - plain.scores)[..., 0], expected, atol=1e-9)
    np.testing.assert_array_equal(moved.observed, plain.observed)


def test_missed_visits_and_leaving_have_a_delta_each():
    both = {**GONE, **GAPS}
    plain = drawn(CONTINUOUS, both)
    gone = drawn(CONTINUOUS, {**both, "dropout.delta": {"score": 3.0}})
    missed = drawn(CONTINUOUS, {**both, "missing.intermittent.delta": {"score": -1.5}})
    together = drawn(
        CONTINUOUS, {**both, "dropout.delta": {"score": 3.0}, "missing.intermittent.delta": {"score": -1.5}}
    )
    by_leaving, by_missing = (gone.scores - plain.scores)[..., 0], (missed.scores - plain.scores)[..., 0]
    assert set(np.unique(by_leaving.round(9))) == {0.0, 3.0}
    assert set(np.unique(by_missing.round(9))) == {0.0, -1.5}
    np.testing.assert_array_equal(by_leaving.round(9) + by_missing.round(9) != 0.0, ~plain.present)
    np.testing.assert_array_equal(by_leaving.round(9) == 3.0, left(plain) & (by_missing.round(9) == 0.0))
    np.testing.assert_allclose((together.scores - plain.scores)[..., 0], by_leaving + by_missing, atol=1e-9)


def test_a_delta_of_an_mnar_model_moves_nobody_who_leaves():
    hazard = {"dropout": {"model": "mnar", "missing_by": LEFT, "score_hazard_ratio_per_sd": 2.0}}
    plain, moved = (drawn(CONTINUOUS, {**hazard, "dropout.delta": {"score": points}}) for points in (0.0, 5.0))
    np.testing.assert_array_equal(moved.present, plain.present)


def test_bounded_scores_keep_to_their_scale_and_other_outcomes_stay():
    plain, moved = (drawn(BOUNDED, {"dropout.delta": {"qids_sr16": points}}, 400) for points in (0.0, 4.0))
    scores = moved.scores[..., 0]
    assert scores.min() >= 0
    assert scores.max() <= 27
    np.testing.assert_array_equal(scores, scores.round())
    hidden = ~plain.present
    rise = (scores - plain.scores[..., 0])[hidden]
    # To first order: the ceiling of 27 points takes some.
    assert rise.min() >= 0
    assert 3.5 < rise.mean() < 4.1
    np.testing.assert_array_equal(moved.scores[..., 1:], plain.scores[..., 1:])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"dropout.delta": {"score": {"active": 3.0}}}, 0.35 * 3.0),
        ({"dropout.delta": {"score": 3.0}, "dropout.never_starts": 0.0}, 0.0),
        ({"dropout.delta": {"score": {"control": 3.0}}, **GAPS}, -0.35 * 3.0),
        ({**GAPS, "missing.intermittent.delta": {"score": {"active": -2.0}}}, 0.65 * 0.2 * -2.0),
        ({"dropout.delta": {"score": {"active": 0.0}}}, 0.0),
    ],
    ids=["active arm", "both arms alike", "control arm", "gaps", "nothing"],
)
def test_the_true_difference_counts_what_is_not_seen(changes, expected):
    """Of the 200,000 under each arm the share who left has an error of 0.0011: 3 points times that."""
    resolved = resolve(CONTINUOUS, {**GONE, **changes, "analysis": {"primary": {"method": "ancova"}}})
    (truth,) = true_values(resolved.variants[0]).values()
    assert abs(truth.value - expected) <= 4.9 * 3.0 * 0.0011 * (expected != 0.0) + 1e-9


def test_the_same_patient_under_the_other_arm_has_the_delta_of_that_arm():
    resolved = resolve(CONTINUOUS, {**GONE, "dropout.delta": {"score": {"active": 3.0}}})
    source = patient_source(resolved.variants[0], resolved.hash)
    streams = Streams(3, 0)
    stratum = source.enrol(streams, 40)
    control, active = (source.follow(streams, stratum, np.full_like(stratum, arm)) for arm in (0, 1))
    np.testing.assert_allclose((active.scores - control.scores)[..., 0], 3.0 * ~control.present, atol=1e-9)
