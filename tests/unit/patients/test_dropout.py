"""Dropout: the asked shares by visit, and hazards that solve for them."""

import numpy as np
import pytest

from trials import CONTINUOUS, resolve
from trialsim.engine.block import draw_block
from trialsim.patients.calibration import baseline_hazards
from trialsim.patients.dropout import missing_by_visit, solve_hazard
from trialsim.patients.model import build_patient_model
from trialsim.patients.seen import LastSeen
from trialsim.streams import Streams


def variant(**dropout):
    return resolve(CONTINUOUS, {"dropout": {"model": "mcar", "missing_by": {14: 0.2}, **dropout}}).variants[0]


def hazards(asked):
    return baseline_hazards(build_patient_model(asked)).leaving


def test_constant_hazard_between_the_given_days():
    asked = variant(missing_by={7: 0.1, 14: 0.2}, never_starts=0.03)
    missing = missing_by_visit(asked.dropout, np.array([0.0, 3.5, 7.0, 10.5, 14.0]))
    np.testing.assert_allclose(missing[[0, 2, 4]], [0.03, 0.1, 0.2], rtol=1e-12)
    staying = 1 - missing
    assert staying[1] == pytest.approx(np.sqrt(staying[0] * staying[2]), rel=1e-12)
    assert staying[3] == pytest.approx(np.sqrt(staying[2] * staying[4]), rel=1e-12)


def test_hazards_at_random_are_the_logarithms_of_staying():
    asked = variant(missing_by={7: 0.1, 14: 0.2})
    np.testing.assert_allclose(
        np.exp(-np.cumsum(hazards(asked))), 1 - missing_by_visit(asked.dropout, asked.visits_days), rtol=1e-9
    )


def test_hazard_ratios_leave_the_overall_share_alone():
    asked = variant(missing_by={14: 0.2}, arm_hazard_ratio={"active": 2.0})
    hazard = hazards(asked).sum()
    share = (np.exp(-hazard) + np.exp(-2 * hazard)) / 2
    assert share == pytest.approx(0.8, abs=2e-4)


def test_no_dropout_between_two_visits_is_a_hazard_of_zero():
    asked = variant(missing_by={3: 0.1, 7: 0.1, 14: 0.2})
    assert hazards(asked)[1] == pytest.approx(0.0, abs=1e-12)


def test_complete_data_have_no_hazards():
    assert baseline_hazards(build_patient_model(resolve(CONTINUOUS).variants[0])) == (None, None)


@pytest.mark.parametrize(("model", "expected"), [("mar", 2.0), ("mnar", 0.5)])
def test_which_score_counts(model, expected):
    asked = variant(model=model, score_hazard_ratio_per_sd=2.0)
    seen = LastSeen(build_patient_model(asked), np.array([[[25.0]]]))  # one standard deviation worse than the average
    seen.come(np.array([[[10.0]]]), 2)  # one better
    assert seen.ratio(asked.dropout).of(slice(None))[0, 0] == pytest.approx(expected)


def test_a_hazard_spares_the_share_asked_for():
    weights, ratio = np.array([1.0, 0.5]), np.array([1.0, 3.0])
    hazard = solve_hazard(weights, ratio, 0.6)
    assert (np.exp(-hazard) + 0.5 * np.exp(-3 * hazard)) / 2 == pytest.approx(0.6, rel=1e-10)
    assert solve_hazard(weights, ratio, 0.75) == 0.0


def test_everyone_missing_by_a_day_is_an_infinite_hazard_before_it():
    asked = variant(missing_by={7: 0.1, 14: 1})
    np.testing.assert_allclose(missing_by_visit(asked.dropout, np.array([3.5, 7.0, 10.5, 14.0]))[1:], [0.1, 1.0, 1.0])
    found = hazards(asked)
    assert np.isinf(found[2])
    assert np.isfinite(found[:2]).all()
    from_start = variant(missing_by={14: 1}, never_starts=1)
    np.testing.assert_array_equal(missing_by_visit(from_start.dropout, from_start.visits_days), 1.0)
    np.testing.assert_array_equal(hazards(from_start), 0.0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dropout", [{"missing_by": {7: 0.2, 14: 1}}, {"missing_by": {14: 1}, "never_starts": 1}])
def test_loss_of_everyone_leaves_nobody_to_be_seen(dropout):
    content = resolve(CONTINUOUS, {"dropout": {"model": "mar", "score_hazard_ratio_per_sd": 1.3, **dropout}})
    cohort = draw_block(content.variants[0], content.hash, Streams(1, 0), 80)
    assert not cohort.present[:, :, -1].any()
    assert cohort.present[:, :, 0].any() == ("never_starts" not in dropout)


def test_a_share_near_one_is_reached_however_unequal_the_hazards():
    ratio = 0.2 ** np.linspace(-4.0, 4.0, 2_001)
    hazard = solve_hazard(np.ones_like(ratio), ratio, 1e-4)
    assert hazard > 60.0
    assert np.mean(np.exp(-hazard * ratio)) == pytest.approx(1e-4, rel=1e-9)
    assert solve_hazard(np.ones_like(ratio), ratio, 0.0) == np.inf
    assert solve_hazard(np.zeros_like(ratio), ratio, 0.0) == 0.0
