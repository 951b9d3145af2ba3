"""Simulated dissociation has the means, spreads, zeros and correlations asked for, and guesses follow from it.

Each test draws 100,000 patients an arm with a fixed seed. Bounds are 4.9 standard errors, worked out from the draws
themselves: a right program fails once in a million per number. What is seen: 0.016 SD in a mean, about 3 % in an SD of
these skewed scores, 0.02 to 0.05 in their correlation.
"""

import numpy as np
import pytest

from trialsim import evidence
from trialsim.kernels.blinding import (
    GuessError,
    bang_index,
    fit_guess_model,
    guess_counts,
    guess_probability,
    james_index,
)
from trialsim.kernels.dissociation import draw_dissociation, fit_dissociation

PATIENTS = 100_000
BETWEEN = evidence.get("defaults.dissociation.correlation_between_infusions").value


def default(infusion):
    """Mean, SD (4,) and share of zeros of an infusion."""
    each = [evidence.get(f"defaults.cadss.{infusion}.infusion_{i}") for i in range(1, 5)]
    zeros = evidence.get(f"defaults.dissociation.{infusion}.share_of_zeros").value
    return np.array([q.value for q in each]), np.array([q.spread for q in each]), zeros


def drawn(infusion, seed, **options):
    """Scores (patients, 4) and latent depression (patients,)."""
    mean, sd, zeros = default(infusion)
    fitted = fit_dissociation(mean, sd, zeros=zeros, correlation=BETWEEN, maximum=92.0, **options)
    rng = np.random.default_rng(seed)
    normals, depression = rng.standard_normal((4, PATIENTS, 1)), rng.standard_normal((PATIENTS, 1))
    return draw_dissociation(fitted, normals, depression=depression)[0], depression[:, 0], fitted


def close(influence, expected_mean=0.0):
    """Whether the mean of influence values is within 4.9 of its standard errors of what it should be."""
    return abs(influence.mean() - expected_mean) < 4.9 * influence.std() / np.sqrt(len(influence))


@pytest.mark.parametrize(("infusion", "seed"), [("ketamine", 1), ("midazolam", 2), ("saline", 3)])
def test_means_spreads_zeros_and_correlations(infusion, seed):
    scores, _, _ = drawn(infusion, seed)
    mean, sd, zeros = default(infusion)
    standard = (scores - mean) / sd
    for i in range(4):
        assert close(scores[:, i], mean[i])
        assert close(standard[:, i] ** 2, 1.0)
        assert close((scores[:, i] == 0).astype(float), zeros)
        for j in range(i):
            product = standard[:, i] * standard[:, j] - BETWEEN * (standard[:, i] ** 2 + standard[:, j] ** 2) / 2
            assert close(product)


def test_depression_goes_along_where_asked_and_margins_stay():
    """The score's covariance with the latent depression score is the latent correlation times its first coefficient."""
    scores, depression, fitted = drawn("ketamine", 4, depression_correlation=0.15)
    mean, sd, _ = default("ketamine")
    for i in range(4):
        assert close(scores[:, i], mean[i])
        density = np.exp(-(fitted.margins.thresholds[i] ** 2) / 2) / np.sqrt(2 * np.pi)
        assert close((scores[:, i] - mean[i]) * depression, 0.15 * density.sum())
    none, depression, _ = drawn("ketamine", 4)
    assert close((none[:, 0] - mean[0]) / sd[0] * depression)


def test_guesses_from_dissociation_give_the_shares_and_the_indices():
    """Guesses of new patients, model fitted on others: both shares within 4.9 standard errors of either sample."""
    right = {arm: evidence.get(f"defaults.guessing.midazolam.{arm}").value for arm in ("ketamine_arm", "control_arm")}
    fitting = [drawn(infusion, seed)[0].max(axis=1) for infusion, seed in (("ketamine", 5), ("midazolam", 6))]
    model = fit_guess_model(*fitting, active_share=right["ketamine_arm"], control_share=1 - right["control_arm"])
    rng = np.random.default_rng(9)
    tables = np.zeros((1, 2, 3))
    for arm, (infusion, seed) in enumerate((("ketamine", 7), ("midazolam", 8))):
        chance = guess_probability(model, drawn(infusion, seed)[0].max(axis=1), active=arm == 0)
        guess = np.where(rng.random(PATIENTS) < chance, 0, 1)[None]
        tables += guess_counts(guess, np.full((1, PATIENTS), arm == 1))
    found = bang_index(tables[0])
    # Twice the share right, less 1; its error is that of the guesses and, at most as large, that of the fit.
    expected = np.array([2 * right["ketamine_arm"] - 1, 2 * right["control_arm"] - 1])
    assert np.all(np.abs(found.estimate - expected) < 4.9 * np.sqrt(2 * found.variance))
    both = james_index(tables[0])
    wrong, said = (0.35 + 0.25) / 2, (0.65 + 0.25) / 2
    # All have an opinion and arms are equal: half of observed over expected disagreement.
    assert abs(both.estimate - wrong / (0.5 * (1 - said) + 0.5 * said) / 2) < 4.9 * np.sqrt(2 * both.variance)


def test_saline_is_told_apart_more_than_dissociation_can():
    """The default shares against saline need other cues; with them the guesses are as asked."""
    right = {arm: evidence.get(f"defaults.guessing.saline.{arm}").value for arm in ("ketamine_arm", "control_arm")}
    worst = [drawn(infusion, seed)[0].max(axis=1) for infusion, seed in (("ketamine", 10), ("saline", 11))]
    shares = {"active_share": right["ketamine_arm"], "control_share": 1 - right["control_arm"]}
    with pytest.raises(GuessError, match="give the slope") as caught:
        fit_guess_model(*worst, **shares)
    assert caught.value.attainable[0] == pytest.approx(0.30, abs=0.015)  # 4.9 standard errors; told in the docs
    model = fit_guess_model(*worst, **shares, slope=1.0)
    assert model.other_cues > 0.5
    for arm, share in ((0, shares["active_share"]), (1, shares["control_share"])):
        assert guess_probability(model, worst[arm], active=arm == 0).mean() == pytest.approx(share, abs=1e-9)
