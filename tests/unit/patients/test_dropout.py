"""Dropout: the asked shares by visit, and hazards that solve for them."""

import numpy as np
import pytest

from trials import CONTINUOUS, resolve
from trialsim.patients.dropout import baseline_hazards, missing_by_visit
from trialsim.patients.model import build_patient_model


def variant(**dropout):
    return resolve(CONTINUOUS, {"dropout": {"model": "mcar", "missing_by": {14: 0.2}, **dropout}}).variants[0]


def test_constant_hazard_between_the_given_days():
    asked = variant(missing_by={7: 0.1, 14: 0.2}, never_starts=0.03)
    missing = missing_by_visit(asked.dropout, np.array([0.0, 3.5, 7.0, 10.5, 14.0]))
    np.testing.assert_allclose(missing[[0, 2, 4]], [0.03, 0.1, 0.2], rtol=1e-12)
    staying = 1 - missing
    assert staying[1] == pytest.approx(np.sqrt(staying[0] * staying[2]), rel=1e-12)
    assert staying[3] == pytest.approx(np.sqrt(staying[2] * staying[4]), rel=1e-12)


def test_hazards_at_random_are_the_logarithms_of_staying():
    asked = variant(missing_by={7: 0.1, 14: 0.2})
    hazards = baseline_hazards(build_patient_model(asked))
    np.testing.assert_allclose(
        np.exp(-np.cumsum(hazards)), 1 - missing_by_visit(asked.dropout, asked.visits_days), rtol=1e-9
    )


def test_hazard_ratios_leave_the_overall_share_alone():
    asked = variant(missing_by={14: 0.2}, arm_hazard_ratio={"active": 2.0})
    hazard = baseline_hazards(build_patient_model(asked)).sum()
    share = (np.exp(-hazard) + np.exp(-2 * hazard)) / 2
    assert share == pytest.approx(0.8, abs=2e-4)


def test_no_dropout_between_two_visits_is_a_hazard_of_zero():
    asked = variant(missing_by={3: 0.1, 7: 0.1, 14: 0.2})
    assert baseline_hazards(build_patient_model(asked))[1] == pytest.approx(0.0, abs=1e-12)


def test_a_variant_without_dropout_has_no_hazards():
    with pytest.raises(ValueError, match="no dropout"):
        baseline_hazards(build_patient_model(resolve(CONTINUOUS).variants[0]))
