"""Missed visits and leaving by unseen scores: shares, hazard ratios, and what they do to a mixed model.

Bounds are 4.9 standard errors at fixed seeds: a right program fails once in a million per number.
"""

import numpy as np
import pytest

from trials import CONTINUOUS, resolve, simulate
from trialsim.engine.block import draw_block
from trialsim.engine.truth import true_values
from trialsim.streams import Streams

SHARES = {3: 0.05, 7: 0.15, 14: 0.1}
LEFT = {3: 0.1, 7: 0.2, 14: 0.35}
MEANS = {"control": [19.0, 18.0, 17.0], "active": [17.0, 15.0, 13.0]}


def drawn(changes, *, n=400):
    """Everything of a block of 250 trials, one row per patient: 100,000 of them."""
    resolved = resolve(CONTINUOUS, {"course.means.score": MEANS, **changes})
    variant = resolved.variants[0]
    block = draw_block(variant, resolved.hash, Streams(5, 0), n)
    return variant, block, block.present.reshape(250 * n, -1)


def gaps(model, **more):
    return {"missing": {"intermittent": {"share": SHARES, "model": model, **more}}}


def cloglog(y, x, steps=30):
    """Coefficients and errors of log(-log(1 - p)) = x'b by Fisher scoring: b are log hazard ratios."""
    beta = np.zeros(x.shape[1])
    beta[0] = np.log(-np.log1p(-y.mean()))
    for _ in range(steps):
        hazard = np.exp(x @ beta)
        p = -np.expm1(-hazard)
        slope = hazard * (1 - p)
        weight = slope**2 / (p * (1 - p))
        information = (x * weight[:, None]).T @ x
        beta = beta + np.linalg.solve(information, x.T @ ((y - p) * weight / slope))
    return beta, np.sqrt(np.diag(np.linalg.inv(information)))


def worse(variant, block):
    """Scores in SDs worse than the mean over arms at baseline and each visit, one row per patient."""
    mean = np.concatenate([variant.baseline_mean[:1, 0], variant.mean[:, 0, :, 0].mean(axis=0)])
    scores = np.concatenate([block.baseline[:, :, None], block.scores], axis=2)[..., 0]
    return (scores.reshape(-1, 4) - mean) / 5.0


@pytest.mark.parametrize("model", ["mcar", "mar", "mnar"])
def test_the_share_that_misses_each_visit_is_the_one_asked_for(model):
    """100,000 patients, and 20,000 over whom the hazards are solved: sees 0.007 at a share of 0.15."""
    more = {} if model == "mcar" else {"score_hazard_ratio_per_sd": 2.0}
    _, _, present = drawn(gaps(model, **more))
    for v, share in enumerate(SHARES.values()):
        own = share * (1 - share) / len(present)
        solving = 0.0 if model == "mcar" else 0.25 * share * (1 - share) / 20_000
        assert abs(1 - present[:, v].mean() - share) < 4.9 * np.sqrt(own + solving)


@pytest.mark.parametrize("leaving", ["mar", "mnar"])
@pytest.mark.parametrize("missing", ["mar", "mnar"])
def test_shares_hold_beside_leaving(leaving, missing):
    """Not seen at a visit are those who left and, of the others, those who miss it: sees 0.009 of 0.4."""
    hazard = {"score_hazard_ratio_per_sd": 1.7}
    dropout = {"model": leaving, "missing_by": LEFT, "never_starts": 0.04, **hazard}
    _, _, present = drawn({"dropout": dropout, **gaps(missing, **hazard)})
    for v, (share, left) in enumerate(zip(SHARES.values(), LEFT.values(), strict=True)):
        asked = 1 - (1 - left) * (1 - share)
        error = asked * (1 - asked) * (1 / len(present) + 0.25 / 20_000)
        assert abs(1 - present[:, v].mean() - asked) < 4.9 * np.sqrt(error)


@pytest.mark.parametrize(("model", "coefficients"), [("mar", [1.0, 0.0]), ("mnar", [0.0, 1.0])])
def test_gaps_depend_on_the_last_score_seen_or_on_the_one_missed(model, coefficients):
    """Both scores in one regression at visit 3, among those seen at visit 2: sees 8 % in the hazard ratio of 2."""
    variant, block, present = drawn(gaps(model, score_hazard_ratio_per_sd=2.0))
    z = worse(variant, block)
    rows = present[:, 1]
    x = np.stack([np.ones(rows.sum()), z[rows, 2], z[rows, 3]], axis=1)
    beta, error = cloglog((~present[rows, 2]).astype(float), x)
    assert np.all(np.abs(beta[1:] - np.log(2.0) * np.array(coefficients)) < 4.9 * error[1:])
    assert np.all(4.9 * error[1:] < 0.09)


def test_after_a_gap_the_score_before_it_counts():
    """Among those who missed visit 2, missing visit 3 goes by visit 1 (or baseline): sees 25 % of log 2."""
    variant, block, present = drawn(gaps("mar", score_hazard_ratio_per_sd=2.0))
    z = worse(variant, block)
    rows = ~present[:, 1]
    last = np.where(present[rows, 0], z[rows, 1], z[rows, 0])
    x = np.stack([np.ones(rows.sum()), last, z[rows, 2]], axis=1)
    beta, error = cloglog((~present[rows, 2]).astype(float), x)
    assert np.all(np.abs(beta[1:] - [np.log(2.0), 0.0]) < 4.9 * error[1:])
    assert 4.9 * error[1] < 0.25


def test_after_a_gap_an_event_goes_by_the_score_before_it():
    """Given the last score seen, the one at the missed visit says nothing: sees 11 % of log 2 in either.

    50,000 patients miss visit 2; of those without the event so far some 20 % have it on the way to visit 3.
    """
    event = {"per_day": 0.03, "score_hazard_ratio_per_sd": 2.0}
    changes = {"missing": {"intermittent": {"share": 0.5}}, "events": {"change": event}}
    variant, block, present = drawn(changes)
    z, day = worse(variant, block), block.event_day["change"].reshape(-1)
    rows = ~present[:, 1] & (day > 7.0)
    last = np.where(present[rows, 0], z[rows, 1], z[rows, 0])
    x = np.stack([np.ones(rows.sum()), last, z[rows, 2]], axis=1)
    beta, error = cloglog((day[rows] <= 14.0).astype(float), x)
    assert np.all(np.abs(beta - [np.log(7 * 0.03), np.log(2.0), 0.0]) < 4.9 * error)
    assert np.all(4.9 * error < 0.08)


@pytest.mark.parametrize("model", ["mar", "mnar"])
def test_shares_hold_where_gaps_change_the_scores_that_follow(model):
    """Rescue by the last score seen, worth 8 points: sees 0.009 of 0.4."""
    hazard = {"score_hazard_ratio_per_sd": 2.0}
    rescue = {"per_day": 0.08, "effect": {"score": -8.0}, "score_hazard_ratio_per_sd": 3.0}
    dropout = {"model": model, "missing_by": LEFT, **hazard}
    _, block, present = drawn({"dropout": dropout, **gaps(model, **hazard), "events": {"rescue": rescue}})
    assert np.isfinite(block.event_day["rescue"]).mean() > 0.3
    for v, (share, left) in enumerate(zip(SHARES.values(), LEFT.values(), strict=True)):
        asked = 1 - (1 - left) * (1 - share)
        error = asked * (1 - asked) * (1 / len(present) + 0.25 / 20_000)
        assert abs(1 - present[:, v].mean() - asked) < 4.9 * np.sqrt(error)


def test_leaving_by_the_score_to_come():
    """Given the score that would be seen the last one says nothing: sees 6 % in the hazard ratio of 2."""
    dropout = {"model": "mnar", "missing_by": LEFT, "score_hazard_ratio_per_sd": 2.0}
    variant, block, present = drawn({"dropout": dropout})
    z = worse(variant, block)
    rows = present[:, 1]
    x = np.stack([np.ones(rows.sum()), z[rows, 2], z[rows, 3]], axis=1)
    beta, error = cloglog((~present[rows, 2]).astype(float), x)
    assert np.all(np.abs(beta[1:] - [0.0, np.log(2.0)]) < 4.9 * error[1:])
    assert np.all(4.9 * error[1:] < 0.06)


BIAS = {
    "course.means.score": MEANS,
    "sample_size": [200],
    "analysis": {"primary": {"method": "mmrm"}},
    "allocation.block_sizes": [4],
}


def bias(changes):
    """Bias of MMRM at the last visit and its Monte Carlo error, over 1,000 trials of 200."""
    found = simulate(CONTINUOUS, {**BIAS, **changes}, replicates=1000)[0]
    assert (found["status"] == 0).all()
    return found["estimate"].mean() + 4.0, found["estimate"].std(ddof=1) / np.sqrt(1000)


@pytest.mark.slow
@pytest.mark.parametrize(
    "part",
    [
        lambda model, ratio: {"dropout": {"model": model, "missing_by": LEFT, **ratio}},
        lambda model, ratio: {"missing": {"intermittent": {"share": 0.3, "model": model, **ratio}}},
    ],
    ids=["leaving", "gaps"],
)
def test_unseen_scores_bias_a_mixed_model_and_seen_ones_do_not(part):
    """The effect is -4 points of SD 5; the error of the mean of 1,000 trials is 0.023, so that 0.11 is seen."""
    ratio = {"score_hazard_ratio_per_sd": 3.0}
    value, error = bias(part("mar", ratio))
    assert abs(value) < 4.9 * error
    value, error = bias(part("mnar", ratio))
    # The control arm, which fares worse, loses more of its worst: the effect looks smaller.
    assert value > 4.9 * error


@pytest.mark.slow
def test_a_delta_biases_who_takes_all_for_alike_and_not_who_imputes_with_it():
    """35 % leave, by the last score; in the active arm, where fewer do, their scores are 3 points worse.

    With 500 trials the error of a mean estimate is 0.035, so that 0.17 points are seen; the mixed model misses 0.95.
    """
    analyses = [
        {"method": "mmrm"},
        {"method": "reference_based", "strategy": "missing_at_random", "delta": 3.0, "jackknife": "one_step"},
    ]
    leaving = {"model": "mar", "missing_by": LEFT, "score_hazard_ratio_per_sd": 2.0, "delta": {"score": {"active": 3}}}
    changes = {**BIAS, "dropout": leaving, "analysis.primary": analyses}
    _, block, present = drawn(changes)
    gone = 1.0 - present[(block.arm == 1).reshape(-1), -1].mean()
    resolved = resolve(CONTINUOUS, changes)
    truths = [truth.value for truth in true_values(resolved.variants[0]).values()]
    # 50,000 of the active arm beside the 200,000 of the true value.
    assert np.abs(np.array(truths) + 4.0 - 3.0 * gone).max() < 4.9 * 3.0 * np.sqrt(gone * (1 - gone) * 1.25 / 50_000)
    naive, adjusted = (
        (one["estimate"].mean() - truth, one["estimate"].std(ddof=1) / np.sqrt(500))
        for one, truth in zip(simulate(CONTINUOUS, changes, replicates=500), truths, strict=True)
    )
    assert abs(adjusted[0]) < 4.9 * adjusted[1]
    assert abs(naive[0] + 3.0 * gone) < 4.9 * naive[1]
    assert naive[0] < -4.9 * naive[1]
