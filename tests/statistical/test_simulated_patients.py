"""Simulated patients have the means, spreads, correlations and dropout that were asked for.

100,000 patients per arm and stratum with fixed seeds. Bounds are 4.9 standard errors, worked out from the draws
themselves by influence functions: a right program fails once in a million per number. What is seen: 0.016 SD in a
mean, 1.1 % in an SD (more for skewed margins), 0.016 in a correlation near 0.
"""

import numpy as np
import pytest

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.engine.block import draw_block
from trialsim.patients.model import build_patient_model
from trialsim.patients.scores import draw_latent, scores_in_arms
from trialsim.streams import Streams

PATIENTS = 100_000
FLOOR = {
    "outcomes": {"qids_sr16": {"post_sd": 1.6, "residual_sd": 1.5}},
    "course": {
        "means": {"qids_sr16": {"midazolam": [3.0, 1.5, 0.9], "ketamine": [2.0, 1.2, 0.7]}},
    },
    "effects": None,
}
CEILING = {
    "population.strata": {
        "bpd": {"share": 0.5, "baseline": {"qids_sr16": {"mean": 25.5, "sd": 1.5}}},
        "no_bpd": {"share": 0.5, "baseline": {"qids_sr16": {"mean": 24.0, "sd": 2.0}}},
    },
    "outcomes": {"qids_sr16": {"post_sd": 1.5, "residual_sd": 1.3}},
    "course": {
        "means": {"qids_sr16": {"midazolam": [26.0, 25.8, 25.5], "ketamine": [25.0, 25.0, 25.0]}},
    },
    "effects": None,
}
CASES = {
    "three scales": (BOUNDED, {}),
    "near the floor": (BOUNDED, FLOOR),
    "near the ceiling": (BOUNDED, CEILING),
    "real line": (CONTINUOUS, {}),
}


def drawn(model, arm, stratum, block):
    """Scores (patients, J), baselines first, of one arm and stratum."""
    latent = draw_latent(model, PATIENTS, 1, Streams(2023, block), "score")
    whole = np.full((1, PATIENTS), 0)
    baseline, scores = scores_in_arms(model, latent, whole + stratum, whole + arm)
    return np.concatenate([baseline[0], scores[0].reshape(PATIENTS, -1)], axis=1)


@pytest.mark.parametrize("case", CASES)
def test_means_spreads_and_correlations(case):
    variant = resolve(*CASES[case]).variants[0]
    model = build_patient_model(variant)
    for arm in range(len(variant.arms)):
        for stratum in range(len(variant.strata)):
            scores = drawn(model, arm, stratum, arm)
            mean = np.concatenate([variant.baseline_mean[stratum], variant.mean[arm, stratum].reshape(-1)])
            sd = np.concatenate([variant.baseline_sd[stratum], variant.sd[stratum].reshape(-1)])
            z = (scores - mean) / sd
            error = 4.9 / np.sqrt(PATIENTS)
            assert np.all(np.abs(z.mean(axis=0)) < error)
            assert np.all(np.abs(z.var(axis=0) - 1) < error * (z**2).std(axis=0))
            z = (scores - scores.mean(axis=0)) / scores.std(axis=0)
            asked = variant.correlation[stratum]
            for i in range(len(mean)):
                for j in range(i):
                    influence = z[:, i] * z[:, j] - asked[i, j] * (z[:, i] ** 2 + z[:, j] ** 2) / 2
                    gap = abs(np.mean(z[:, i] * z[:, j]) - asked[i, j])
                    assert gap < error * influence.std(), (variant.arms[arm], variant.strata[stratum], i, j)


def cohort(changes, *, n=400, blocks=1):
    """Stratum, arm, baseline, scores and presence of blocks of 250 trials of n patients, one row per patient."""
    resolved = resolve(CONTINUOUS, {**TWO_STRATA, **changes})
    variant = resolved.variants[0]
    whole = [draw_block(variant, resolved.hash, Streams(5, block), n) for block in range(blocks)]
    parts = ("stratum", "arm", "baseline", "scores", "present")
    return variant, *(
        np.concatenate([getattr(c, part).reshape(250 * n, *getattr(c, part).shape[2:]) for c in whole])
        for part in parts
    )


TWO_STRATA = {
    "population": {
        "strata": {
            "bpd": {"share": 0.4, "baseline": {"score": {"mean": 20.0, "sd": 5.0}}},
            "no_bpd": {"share": 0.6, "baseline": {"score": {"mean": 20.0, "sd": 5.0}}},
        }
    },
    "course.means.score": {"control": [19.0, 18.0, 17.0], "active": [17.0, 15.0, 13.0]},
}
MISSING = {3: 0.1, 7: 0.2, 14: 0.35}
MODELS = {
    "mcar": {"model": "mcar"},
    "mar": {"model": "mar", "score_hazard_ratio_per_sd": 2.0},
    "mar, groups differ": {
        "model": "mar",
        "score_hazard_ratio_per_sd": 1.5,
        "arm_hazard_ratio": {"active": 1.6},
        "stratum_hazard_ratio": {"bpd": 1.4},
    },
}


@pytest.mark.parametrize("never", [0.0, 0.05])
@pytest.mark.parametrize("model", MODELS)
def test_the_share_missing_at_each_visit_is_the_one_asked_for(model, never):
    """100,000 patients, and 20,000 over whom the hazards are solved: sees 0.008 at a share of 0.35."""
    dropout = {**MODELS[model], "missing_by": MISSING, "never_starts": never}
    _, _, _, _, _, present = cohort({"dropout": dropout})
    for v, share in enumerate(MISSING.values()):
        own = share * (1 - share) / len(present)
        # Of the solving sample only the differing chances count; they vary less than yes and no do.
        solving = 0.0 if model == "mcar" else 0.25 * share * (1 - share) / 20_000
        assert abs(1 - present[:, v].mean() - share) < 4.9 * np.sqrt(own + solving)


def cloglog(y, x, steps=30):
    """Coefficients and covariance of log(-log(1 - p)) = x'b by Fisher scoring: b are log hazard ratios."""
    beta = np.zeros(x.shape[1])
    beta[0] = np.log(-np.log1p(-y.mean()))
    for _ in range(steps):
        hazard = np.exp(x @ beta)
        p = -np.expm1(-hazard)
        slope = hazard * (1 - p)
        weight = slope**2 / (p * (1 - p))
        information = (x * weight[:, None]).T @ x
        beta = beta + np.linalg.solve(information, x.T @ ((y - p) * weight / slope))
    return beta, np.linalg.inv(information)


@pytest.mark.parametrize("visit", [0, 1, 2])
def test_hazard_ratios_are_recovered(visit):
    """100,000 patients: sees 5 % in the hazard ratio of the score and 10 % in those of arm and stratum."""
    dropout = {**MODELS["mar, groups differ"], "missing_by": MISSING}
    variant, stratum, arm, baseline, scores, present = cohort({"dropout": dropout})
    at_risk = present[:, visit - 1] if visit else np.ones(len(arm), dtype=bool)
    last = scores[:, visit - 1, 0] if visit else baseline[:, 0]
    centre = 20.0 if visit == 0 else (variant.mean[0, 0, visit - 1, 0] + variant.mean[1, 0, visit - 1, 0]) / 2
    x = np.stack([np.ones(len(arm)), arm == 1, stratum == 0, (last - centre) / 5.0], axis=1)[at_risk]
    beta, covariance = cloglog((~present[at_risk, visit]).astype(float), x)
    error = np.sqrt(np.diag(covariance))
    assert np.all(np.abs(beta[1:] - np.log([1.6, 1.4, 1.5])) < 4.9 * error[1:])
    assert np.all(4.9 * error[1:] < [0.11, 0.11, 0.06])


def test_dropout_at_random_forgets_the_scores_that_were_missed():
    """Given the last observed score the one that is missed says nothing more: coefficient 0 within 4.9 errors."""
    dropout = {"model": "mar", "missing_by": MISSING, "score_hazard_ratio_per_sd": 2.0}
    _, _, _, _, scores, present = cohort({"dropout": dropout})
    at_risk = present[:, 1]
    z = (scores[at_risk, :, 0] - 16.0) / 5.0
    x = np.stack([np.ones(at_risk.sum()), z[:, 1], z[:, 2]], axis=1)
    beta, covariance = cloglog((~present[at_risk, 2]).astype(float), x)
    assert abs(beta[2]) < 4.9 * np.sqrt(covariance[2, 2])
    assert abs(beta[1] - np.log(2.0)) < 4.9 * np.sqrt(covariance[1, 1])


def test_who_never_starts_has_no_score_after_baseline():
    dropout = {"model": "mcar", "missing_by": {3: 0.05, 14: 0.05}, "never_starts": 0.05}
    _, _, _, baseline, _, present = cohort({"dropout": dropout})
    assert abs(np.mean(~present[:, 0]) - 0.05) < 4.9 * np.sqrt(0.05 * 0.95 / len(present))
    np.testing.assert_array_equal(present[:, 0], present[:, 2])
    assert np.isfinite(baseline).all()
