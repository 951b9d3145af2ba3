"""All seven scales of scenarios/all_outcomes.yaml have the means, SDs and correlations that were asked for, at once.

100,000 patients in each arm and stratum with fixed seeds, everybody seen to the end. Bounds are 4.9 standard errors,
worked out from the draws themselves by influence functions: a right program fails once in a million per number, and
there are some 6,600 numbers. What is seen: 0.016 SD in a mean, 1.1 % in an SD (more for the skewed margins of the items
on suicide), 0.016 in a correlation near 0.
"""

from pathlib import Path

import numpy as np
import pytest

from trialsim.patients.model import build_patient_model
from trialsim.patients.scores import draw_latent, scores_in_arms
from trialsim.scenario import load, resolve
from trialsim.streams import Streams

pytestmark = pytest.mark.slow

PATIENTS = 100_000
BOUND = 4.9 / np.sqrt(PATIENTS)
SCENARIO = Path(__file__).resolve().parents[2] / "scenarios" / "all_outcomes.yaml"


@pytest.fixture(scope="module")
def model():
    return build_patient_model(resolve(load(SCENARIO)).variants[0])


@pytest.fixture(scope="module", params=[(arm, stratum) for arm in range(2) for stratum in range(2)])
def drawn(request, model):
    """Arm, stratum and scores (patients, J), baselines first."""
    arm, stratum = request.param
    latent = draw_latent(model, PATIENTS, 1, Streams(2024, 2 * arm + stratum), "score")
    whole = np.zeros((1, PATIENTS), dtype=np.intp)
    baseline, scores = scores_in_arms(model, latent, whole + stratum, whole + arm)
    return arm, stratum, np.concatenate([baseline[0], scores[0].reshape(PATIENTS, -1)], axis=1)


def test_means_and_spreads_at_every_visit(model, drawn):
    arm, stratum, scores = drawn
    variant = model.variant
    mean = np.concatenate([variant.baseline_mean[stratum], variant.mean[arm, stratum].reshape(-1)])
    sd = np.concatenate([variant.baseline_sd[stratum], variant.sd[stratum].reshape(-1)])
    assert mean.size == len(variant.outcomes) * (len(variant.visits_days) + 1) == 56
    z = (scores - mean) / sd
    assert np.all(np.abs(z.mean(axis=0)) < BOUND)
    assert np.all(np.abs((z**2).mean(axis=0) - 1) < BOUND * (z**2).std(axis=0))


def test_every_score_is_on_its_scale(model, drawn):
    _, _, scores = drawn
    for k, scale in enumerate(model.variant.scales):
        own = scores[:, k :: len(model.variant.outcomes)]
        steps = (own - scale.minimum) / scale.step
        assert own.min() >= scale.minimum
        assert own.max() <= scale.maximum + 1e-12
        assert np.abs(steps - np.rint(steps)).max() < 1e-9


def test_correlations_between_all_scales_and_visits(model, drawn):
    _, stratum, scores = drawn
    asked = model.variant.correlation[stratum]
    z = (scores - scores.mean(axis=0)) / scores.std(axis=0)
    found = z.T @ z / PATIENTS
    # The influence of a patient on a correlation is z_i z_j - r (z_i^2 + z_j^2) / 2; its variance from moments.
    square, cube = z**2, z**3
    both, lopsided = square.T @ square / PATIENTS, cube.T @ z / PATIENTS
    fourth = np.diag(both)
    variance = both + asked**2 / 4 * (fourth + fourth[:, None] + 2 * both) - asked * (lopsided + lopsided.T)
    variance -= (found - asked) ** 2
    above = np.triu_indices(len(asked), k=1)
    gap = np.abs(found - asked)[above]
    assert np.all(gap < BOUND * np.sqrt(variance[above]))
    assert BOUND * np.sqrt(variance[above]).max() < 0.03
