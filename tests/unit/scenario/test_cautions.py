"""What can be run and is seldom meant is told at its place, and run all the same."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from trials import BOUNDED, resolve
from trialsim.errors import ScenarioWarning

EARLY = {"estimands.primary.visit": 7}


def test_a_primary_visit_before_the_last_infusion_only_warns():
    with pytest.warns(ScenarioWarning, match=r"estimands\.primary\.visit: warning: .* day 7, .* last infusion, day 10"):
        assert resolve(BOUNDED, EARLY).variants


def test_a_visit_on_the_day_of_the_last_infusion_comes_before_it():
    with pytest.warns(ScenarioWarning, match="day 7, comes before the last infusion, day 7"):
        resolve(BOUNDED, {**EARLY, "schedule.infusions": [0, 3, 7]})


@pytest.mark.parametrize("changes", [{}, {**EARLY, "schedule.infusions": [0, 3]}])
def test_later_visits_do_not_warn(changes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resolve(BOUNDED, changes).variants


def test_the_days_of_each_arms_own_infusions_count():
    changes = {
        "arms": {"midazolam": {"infusion": "midazolam"}, "ketamine": {"infusion": "ketamine", "infusions": [0, 21]}},
        "course.infusion_model": {},
    }
    with pytest.warns(ScenarioWarning, match="day 14, comes before the last infusion, day 21"):
        resolve(BOUNDED, changes)


OWN = {"arms": {"midazolam": {"infusion": "midazolam"}, "ketamine": {"infusion": "ketamine", "infusions": [0, 3]}}}


def test_an_arms_own_infusions_that_change_no_score_are_told():
    with pytest.warns(ScenarioWarning, match=r"arms\.ketamine\.infusions: warning: without course\.infusion_model"):
        plain = resolve(BOUNDED, OWN)
    # What it warns of: the effect has the shares of the common infusions.
    np.testing.assert_array_equal(plain.variants[0].mean, resolve(BOUNDED).variants[0].mean)


@pytest.mark.parametrize("changes", [
    {**OWN, "course.infusion_model": {}},
    {"arms": {**OWN["arms"], "ketamine": {"infusion": "ketamine", "infusions": [0, 3, 7, 10]}}},
    {"arms": {"midazolam": {"infusion": "midazolam", "infusions": [0]}, "ketamine": {"infusion": "ketamine"}}},
])  # fmt: skip
def test_infusions_that_count_or_have_no_effect_are_not_told_of(changes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resolve(BOUNDED, changes).variants


FADING = {"course.infusion_model": {}}


@pytest.mark.parametrize(
    ("strategy", "words"),
    [("treatment_policy", "loses the natural course"), ("composite", r"fails \(composite\)")],
)
def test_a_relapse_beside_an_effect_that_fades_is_told(strategy, words):
    changes = {**FADING, "events": {"relapse": {}}, "estimands.primary.intercurrent_events": {"relapse": strategy}}
    with pytest.warns(ScenarioWarning, match=rf"events\.relapse: warning: the effect of infusions fades .* {words}"):
        assert resolve(BOUNDED, changes).variants


@pytest.mark.parametrize(
    "changes",
    [
        {"events": {"relapse": {}}},  # nothing fades
        {**FADING, "events": {"relapse": {"return_to_baseline": 0.0}}},
        {**FADING, "events": {"rescue": {}}},
        {**FADING, "events": {"relapse": {}}, "estimands.primary.intercurrent_events": {"relapse": "hypothetical"}},
        {
            **FADING,
            "events": {"relapse": {}},
            "estimands.primary.intercurrent_events": {"relapse": "while_on_treatment"},
        },
    ],
)
def test_a_loss_that_is_not_counted_twice_is_not_told_of(changes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resolve(BOUNDED, changes).variants


@pytest.mark.parametrize(("sizes", "told"), [(100, True), (200, True), ([100, 201], False)])
def test_a_look_after_the_largest_trial_is_over_is_told(sizes, told):
    rule = {"event": "nausea", "looks": [50, 200]}
    changes = {"safety": {"adverse_events": {"nausea": {}}, "stopping_rule": rule}, "sample_size": sizes}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        resolved = resolve(BOUNDED, changes)
    assert any("a look after 200 patients never happens" in str(one.message) for one in caught) is told
    assert not any("after 50 patients" in str(one.message) for one in caught)
    assert resolved.variants[0].safety.stopping_rule.looks == ((50,) if told else (50, 200))


TURNED = {"estimands.primary.contrast": ["midazolam", "ketamine"]}


@pytest.mark.parametrize(
    "changes", [{}, {"estimands.primary.endpoint": "response", "analysis.primary": {"method": "risk_difference"}},
                {"effects.ketamine": {"points": {"qids_sr16": {"bpd": -2, "no_bpd": 0}}}, "outcomes": {"qids_sr16": {}},
                 "course.control_change": {"qids_sr16": -4}}]
)  # fmt: skip
def test_a_contrast_turned_round_is_told(changes):
    message = r"estimands\.primary\.contrast: warning: midazolam, which has no .* write \[ketamine, midazolam\]"
    with pytest.warns(ScenarioWarning, match=message):
        resolve(BOUNDED, {**TURNED, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {**TURNED, "estimands.primary.non_inferiority_margin": 3},  # that going without is not much worse
        {**TURNED, "estimands.primary.equivalence_margin": 3},
        {**TURNED, "estimands.primary.interaction": ["bpd", "no_bpd"]},
        {**TURNED, "effects.ketamine.specific_share": 0},
    ],
)
def test_a_contrast_that_may_be_meant_is_not_told_of(changes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resolve(BOUNDED, changes).variants


def of_qids(size, kind="points"):
    """Return what puts the effect of ketamine on one outcome alone."""
    return {"effects.ketamine": {kind: {"qids_sr16": size, "madrs": 0.0, "bsl23": 0.0}}}


HIGHER = {"outcomes.qids_sr16.lower_is_better": False}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            of_qids(3.0),
            r"points\.qids_sr16: warning: an effect of \+3 is for the worse, for lower scores of qids_sr16 are better",
        ),
        (
            of_qids({"bpd": 1.0, "no_bpd": 2.5}),
            r"points\.qids_sr16: warning: an effect of \+1 and \+2\.5 is for the worse",
        ),
        (of_qids(0.4, "standardised"), r"standardised\.qids_sr16: warning: an effect of \+0\.4 is for the worse"),
        (
            {**of_qids(-3.0), **HIGHER},
            r"points\.qids_sr16: warning: an effect of -3 is for the worse, for higher scores of",
        ),
    ],
)
def test_an_effect_with_the_sign_of_a_harm_is_told(changes, words):
    with pytest.warns(ScenarioWarning, match=rf"effects\.ketamine\.{words}"):
        assert resolve(BOUNDED, changes).variants


@pytest.mark.parametrize(
    "changes",
    [
        of_qids(-3.0),
        of_qids(0.0),
        of_qids({"bpd": -1.0, "no_bpd": 2.0}),
        {**of_qids(3.0), **HIGHER},
        {**of_qids(-3.0), "effects.ketamine.points.madrs": 3.0},  # which nobody asks about
        {**of_qids(3.0), "estimands.primary.non_inferiority_margin": 4.0},
        {**of_qids(3.0), "vary": {"effects.ketamine.points.qids_sr16": [-1.0, -3.0]}},
        {**of_qids({"bpd": 3.0, "no_bpd": 3.0}), "vary": {"effects.ketamine.points.qids_sr16.bpd": [-1.0, -3.0]}},
    ],
)
def test_an_effect_that_may_be_meant_is_not_told_of(changes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resolve(BOUNDED, changes).variants
