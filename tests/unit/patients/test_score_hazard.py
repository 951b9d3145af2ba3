"""What scores make of hazards, and who need be looked at where something is rare."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trials import CONTINUOUS, resolve
from trialsim.patients.model import build_patient_model
from trialsim.patients.score_hazard import ScoreRatio, few, not_spared, worse_by


def model_of(**changes):
    return build_patient_model(resolve(CONTINUOUS, changes).variants[0])


def test_worse_is_towards_more_symptoms():
    model = model_of()
    np.testing.assert_allclose(worse_by(model, np.array([[25.0, 20.0]]), 0, -1), [[1.0, 0.0]], atol=1e-12)
    np.testing.assert_allclose(worse_by(model, np.array([[10.0]]), 0, 2), [[-1.0]], atol=1e-12)
    higher = model_of(**{"outcomes.score.lower_is_better": False})
    np.testing.assert_allclose(worse_by(higher, np.array([[25.0]]), 0, -1), [[-1.0]], atol=1e-12)


@pytest.mark.parametrize("per_sd", [0.5, 1.3])
def test_the_largest_ratio_is_that_of_the_worst_or_the_best(per_sd):
    ratio = ScoreRatio(per_sd, np.array([[-2.0, 0.0, 1.0]]))
    assert ratio.largest == ratio.of(slice(None)).max()
    assert ScoreRatio(per_sd, None).largest == ScoreRatio(per_sd, None).of(slice(None)) == 1.0


@given(flags=arrays(bool, (4, 7)))
def test_few_are_those_of_nonzero(flags):
    for kept in (flags, np.asfortranarray(flags)):
        np.testing.assert_array_equal(few(kept), np.nonzero(flags))


@given(
    uniform=arrays(np.float64, (3, 50), elements=st.floats(0, 1, exclude_max=True)),
    hazard=arrays(np.float64, (3, 50), elements=st.floats(0, 50)),
)
def test_nobody_to_whom_it_happens_is_passed_over(uniform, hazard):
    happens = uniform < -np.expm1(-hazard)
    found = np.zeros(happens.shape, dtype=bool)
    found[not_spared(uniform, hazard.max())] = True
    assert not (happens & ~found).any()


def test_what_is_rare_is_looked_at_in_few():
    uniform = np.random.default_rng(1).random((250, 200))
    expected, sd = 0.00995 * uniform.size, 22.2  # binomial
    assert len(not_spared(uniform, 0.01)[0]) == pytest.approx(expected, abs=4.9 * sd)
    assert len(not_spared(uniform, np.inf)[0]) == uniform.size
