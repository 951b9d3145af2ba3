"""Cells and units of a run, and blocks of replicates."""

import dataclasses

import numpy as np
import pytest

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.engine.block import compute_block, hypotheses
from trialsim.engine.example import one_trial, trajectories
from trialsim.engine.hypotheses import contrast_name
from trialsim.engine.plan import cells, n_blocks, units

VARIED = {"vary": {"effects.ketamine.specific_share": [0, 0.34]}}


@pytest.mark.parametrize(("replicates", "blocks"), [(1, 1), (249, 1), (250, 1), (251, 2), (1000, 4)])
def test_blocks_hold_250_replicates(replicates, blocks):
    assert n_blocks(replicates) == blocks


def test_cells_are_variants_by_sample_size():
    listed = cells(resolve(BOUNDED, {**VARIED, "sample_size": [60, 40]}).variants)
    assert [(c.index, c.variant, c.n) for c in listed] == [(0, 0, 40), (1, 0, 60), (2, 1, 40), (3, 1, 60)]
    assert [c.settings["effects.ketamine.specific_share"] for c in listed] == [0, 0, 0.34, 0.34]


def test_units_go_block_by_block_through_the_variants():
    listed = units(resolve(BOUNDED, VARIED), 300)
    assert [(u.variant, u.block) for u in listed] == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert listed[3].name == "variant0001_block000001"


def test_hypotheses_are_every_analysis_of_every_estimand():
    changes = {
        "estimands.second": {"outcome": "score", "visit": 7, "contrast": ["active", "control"]},
        "analysis.second": {"method": "ancova"},
    }
    assert hypotheses(resolve(CONTINUOUS, changes).variants[0]) == [(0, 0), (0, 1), (1, 0)]


@pytest.mark.parametrize(
    ("contrast", "name"),
    [
        (["active", "control"], "active - control"),
        ([["active", "more"], ["control"]], "0.5 active + 0.5 more - control"),
        ({"control": 1, "active": -2, "more": 1}, "control + more - 2 active"),
    ],
)
def test_a_contrast_is_named_by_its_arms(contrast, name):
    means = {arm: [18.0, 16.0, 15.0] for arm in ("control", "active", "more")}
    changes = {
        "arms": {"control": {}, "active": {}, "more": {}},
        "allocation.block_sizes": [6],
        "course.means.score": means,
        "estimands.primary.contrast": contrast,
    }
    variant = resolve(CONTINUOUS, {**changes, "analysis": {}}).variants[0]
    assert contrast_name(variant, variant.estimands[0]) == name


def block_of(changes=None, block=0, document=BOUNDED):
    resolved = resolve(document, changes)
    return compute_block(resolved.variants[0], resolved.hash, resolved.seed, block)


def test_the_same_block_twice_is_the_same_bytes():
    for a, b in zip(block_of(), block_of(), strict=True):
        for x, y in zip(a.estimates, b.estimates, strict=True):
            np.testing.assert_array_equal(x, y)


def test_an_added_sample_size_leaves_the_others_within_rounding():
    alone = {b.n: b for b in block_of({"sample_size": [40]})}
    together = {b.n: b for b in block_of({"sample_size": [40, 60, 100]})}
    for name in ("estimate", "se", "df", "p"):
        np.testing.assert_allclose(
            getattr(together[40].estimates, name), getattr(alone[40].estimates, name), rtol=1e-10, atol=1e-12
        )
    np.testing.assert_array_equal(together[40].share_missing, alone[40].share_missing)


def test_the_share_missing_is_of_the_randomised_at_the_estimands_visit():
    resolved = resolve(BOUNDED, {"dropout.missing_by": {14: 0.4}})
    variant = resolved.variants[0]
    trial = one_trial(variant, resolved.hash, resolved.seed, replicate=7, n=60)
    block = compute_block(variant, resolved.hash, resolved.seed, 0)[-1]
    assert block.n == 60
    assert block.share_missing[7] == pytest.approx(np.isnan(trial.observed[0, :, -1, 0]).mean(), abs=1e-15)


def test_one_trial_is_the_trial_of_the_run():
    resolved = resolve(BOUNDED)
    variant = resolved.variants[0]
    whole = one_trial(variant, resolved.hash, resolved.seed, replicate=260, n=60)
    part = one_trial(variant, resolved.hash, resolved.seed, replicate=260, n=40)
    np.testing.assert_array_equal(part.scores[0], whole.scores[0, :40])
    other = one_trial(variant, resolved.hash, resolved.seed, replicate=10, n=60)
    assert not np.array_equal(whole.scores, other.scores)


def test_trajectories_are_the_observed_means():
    resolved = resolve(BOUNDED, {"dropout.missing_by": {14: 0.4}})
    variant = resolved.variants[0]
    trial = one_trial(variant, resolved.hash, resolved.seed, replicate=0, n=60)
    rows = trajectories(variant, trial)
    assert len(rows) == 3 * 2 * 2 * 4
    row = next(
        r for r in rows if (r["outcome"], r["stratum"], r["arm"], r["day"]) == ("madrs", "no_bpd", "ketamine", 7.0)
    )
    group = (trial.arm[0] == 1) & (trial.stratum[0] == 1)
    seen = [s for s in trial.observed[0, group, 1, 1] if not np.isnan(s)]
    assert row["n_observed"] == len(seen)
    assert row["mean"] == pytest.approx(sum(seen) / len(seen))
    assert row["ci_low"] < row["mean"] < row["ci_high"]


def test_a_group_without_patients_has_no_mean_and_raises_nothing():
    resolved = resolve(BOUNDED)
    variant = resolved.variants[0]
    rows = trajectories(variant, one_trial(variant, resolved.hash, resolved.seed, replicate=0, n=1))
    assert sum(row["n_observed"] for row in rows if row["day"] == 0.0) == 3
    assert np.isnan([row["mean"] for row in rows if row["n_observed"] == 0]).all()


def test_a_scenario_with_one_visit_runs():
    changes = {
        "schedule.visits": [14],
        "course.means.score": {"control": [15.0], "active": [15.0]},
    }
    by_model, by_regression = block_of(changes, document=CONTINUOUS)
    np.testing.assert_allclose(by_model.estimates.estimate, by_regression.estimates.estimate, rtol=1e-9)
    np.testing.assert_allclose(by_model.estimates.df, by_regression.estimates.df, rtol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_trials_too_small_to_analyse_fail_and_are_counted(n):
    resolved = resolve(CONTINUOUS)
    variant = dataclasses.replace(resolved.variants[0], sample_sizes=(n,))
    for block in compute_block(variant, resolved.hash, resolved.seed, 0):
        failed = block.estimates.status == 2
        assert np.array_equal(failed, np.isnan(block.estimates.estimate))
        if n < 3:
            assert failed.all()
