"""True values where something happens to patients, and what the analyst sees of it."""

from __future__ import annotations

import numpy as np
import pytest

from trials import CONTINUOUS, resolve
from trialsim.engine.block import blinded, draw_block
from trialsim.engine.truth import Truth, true_values, world_of
from trialsim.streams import Streams

RESCUED = {
    "course.means.score": {"control": [18.0, 16.0, 15.0], "active": [17.0, 14.0, 12.0]},
    "events": {
        "rescue": {
            "per_day": {"control": 0.08, "active": 0.03},
            "score_hazard_ratio_per_sd": 2.5,
            "effect": {"score": -4.0},
        }
    },
    "analysis": {"primary": {"method": "ancova"}},
}


def truth(changes):
    resolved = resolve(CONTINUOUS, changes)
    return list(true_values(resolved.variants[0]).values())


def strategy(name, **events):
    return {"estimands.primary.intercurrent_events": {"rescue": name, **events}}


def test_rescue_makes_the_policy_differ_from_what_would_have_been():
    (policy,) = truth({**RESCUED, **strategy("treatment_policy")})
    (without,) = truth({**RESCUED, **strategy("hypothetical")})
    assert without == Truth(-3.0, 0.0)
    # More controls are rescued, by four points each: 0.39 and 0.64 of them where scores play no part.
    assert policy.value > without.value + 0.5
    assert 0.0 < policy.se < 0.02


def test_the_policy_without_a_score_behind_it_is_known():
    # Where scores play no part in who is rescued the share rescued is 1 − exp(−14 λ): 0.015 can be seen.
    free = {**RESCUED, "events.rescue.score_hazard_ratio_per_sd": 1.0, **strategy("treatment_policy")}
    (found,) = truth(free)
    expected = -3.0 - 4.0 * ((1 - np.exp(-14 * 0.03)) - (1 - np.exp(-14 * 0.08)))
    assert 4.9 * found.se < 0.03
    assert abs(found.value - expected) < 4.9 * found.se


def test_a_principal_stratum_has_the_effect_of_those_spared_in_both_arms():
    (found,) = truth({**RESCUED, **strategy("principal_stratum")})
    # On the real line the drug moves every patient by as much.
    assert found.value == pytest.approx(-3.0, abs=1e-9)


def test_arms_beside_the_contrast_change_no_true_value():
    # A third arm moves the average that scores are held against, so none drives the event here.
    free = {**RESCUED, "events.rescue.score_hazard_ratio_per_sd": 1.0}
    third = {
        "arms": {"other": {}, "control": {}, "active": {}},
        "course.means.score": {**RESCUED["course.means.score"], "other": [18.0, 17.0, 17.0]},
        "events.rescue.per_day": {"control": 0.08, "active": 0.03, "other": 0.5},
        "allocation": {"block_sizes": [6], "stratify_by": []},
    }
    for method in ("ancova", "mmrm"):
        changes = {**free, **strategy("treatment_policy"), "analysis": {"primary": {"method": method}}}
        (two,), (three,) = truth(changes), truth({**changes, **third})
        assert three.value == pytest.approx(two.value, abs=1e-9)


def test_a_contrast_of_several_arms():
    arms = {name: {} for name in ("a", "b", "c", "d")}
    means = {name: [18.0, 16.0, 15.0] for name in arms} | {"a": [18.0, 16.0, 13.0]}
    changes = {
        "arms": arms,
        "allocation": {"block_sizes": [8], "stratify_by": []},
        "course.means.score": means,
        "events": {"change": {"per_day": {"a": 0.2, "b": 0.0, "c": 0.0, "d": 0.0}, "effect": {"score": -4.0}}},
        "estimands.primary.contrast": {"a": 1, "b": -1, "c": -1, "d": 1},
        "analysis": {"primary": {"method": "ancova"}},
    }
    (found,) = truth(changes)
    expected = -2.0 - 4.0 * (1 - np.exp(-14 * 0.2))
    assert abs(found.value - expected) < 4.9 * found.se
    assert world_of(*_first(changes)).arms == (0, 1, 2, 3)


def _first(changes):
    variant = resolve(CONTINUOUS, changes).variants[0]
    return variant, variant.estimands[0]


def test_no_difference_is_no_difference_whatever_happens():
    same = {"course.means.score.active": [18.0, 16.0, 15.0], "events.rescue.per_day": 0.05}
    for name in ("treatment_policy", "composite", "while_on_treatment", "principal_stratum"):
        assert truth({**RESCUED, **same, **strategy(name)}) == [Truth(0.0, 0.0)]


def test_the_dead_have_no_scores_in_the_truth():
    dying = {
        **RESCUED,
        "events.death": {"per_day": {"control": 0.02, "active": 0.0}},
        **strategy("hypothetical", death="composite"),
    }
    (found,) = truth(dying)
    # Of the controls 24 % fail, with their baseline of 20 in place of 15.
    assert found.value == pytest.approx(-3.0 - 5.0 * (1 - np.exp(-14 * 0.02)), abs=0.1)


# What is seen ------------------------------------------------------------------------------------------------


def test_what_happens_after_leaving_is_not_seen():
    changes = {**RESCUED, "dropout": {"model": "mcar", "missing_by": {14: 0.5}}}
    resolved = resolve(CONTINUOUS, changes)
    variant = resolved.variants[0]
    cohort = draw_block(variant, resolved.hash, Streams(1, 0), 60)
    observed = blinded(variant, cohort)
    left = cohort.present.sum(axis=2)
    true, seen = cohort.event_visit["rescue"], observed.event_visit["rescue"]
    np.testing.assert_array_equal(seen, np.where(true <= left, true, 3))
    assert (seen != true).any()


def test_analysis_sets():
    changes = {
        "schedule": {"infusions": [0, 3, 7], "visits": [3, 7, 14]},
        "arms": {"control": {"infusion": "midazolam"}, "active": {"infusion": "ketamine"}},
        "course": {"infusion_model": {}, "control_change": {"score": -3.0}},
        "effects": {"active": {"points": {"score": -4.0}}},
        "events": {"stop_infusions": {"share_by": {14: 0.4}}},
        "dropout": {"model": "mcar", "missing_by": {14: 0.3}, "never_starts": 0.2},
        "estimands.primary.analysis_set": "per_protocol",
    }
    resolved = resolve(CONTINUOUS, changes)
    variant = resolved.variants[0]
    cohort = draw_block(variant, resolved.hash, Streams(1, 0), 200)
    observed = blinded(variant, cohort)
    seen = cohort.present.sum(axis=2)
    np.testing.assert_array_equal(observed.treated, cohort.started)
    assert abs(1 - cohort.started.mean() - 0.2) < 4.9 * np.sqrt(0.16 / 50_000)
    last_day = np.array([0.0, 3.0, 7.0, np.inf])[seen]
    day = cohort.event_day["stop_infusions"]
    for infusions, planned in ((1, 0.0), (2, 3.0), (3, 7.0)):
        given = cohort.started & (last_day >= planned) & (day > planned)
        np.testing.assert_array_equal(cohort.infusions >= infusions, given)
    full = (cohort.infusions == 3) & (observed.event_visit["stop_infusions"] == 3)
    np.testing.assert_array_equal(observed.adherent, full)
    (known,) = truth({**changes, "analysis": {"primary": {"method": "ancova"}},
                      "estimands.primary.intercurrent_events": {"stop_infusions": "hypothetical"}})  # fmt: skip
    assert known.se == 0.0  # the analysis set is no part of the question
