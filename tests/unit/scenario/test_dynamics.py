"""Courses by a model of infusions, therapies beside them, and contrasts of several arms."""

import numpy as np
import pytest

MODEL = ("simulation:", "course: {infusion_model: {}}\nsimulation:")
LONG = ("visits: [3, 7, 10, 14]", "visits: [3, 7, 14, 28, 84]")
MISSING = ("missing_by: {14: 0.07}", "missing_by: {14: 0.07, 84: 0.2}")


def test_on_the_reference_day_the_model_gives_what_the_shares_give(resolved):
    by_shares = resolved().variants[0]
    by_model = resolved(MODEL).variants[0]
    np.testing.assert_allclose(by_model.mean[:, :, -1], by_shares.mean[:, :, -1], rtol=1e-12)
    assert by_model.estimands[0].true_value == pytest.approx(-2.0)


def test_the_effect_fades_and_the_natural_course_lasts(resolved):
    variant = resolved(MODEL, LONG, MISSING).variants[0]
    effect = variant.mean[1, 0, :, 0] - variant.mean[0, 0, :, 0]
    control = variant.mean[0, 0, :, 0] - variant.baseline_mean[0, 0]
    assert effect[2] == pytest.approx(-2.0)
    # From day 14 to day 84 nothing is given: ten thirds of a half-life.
    np.testing.assert_allclose(effect[3:] / effect[2], np.exp2(-np.array([14, 70]) / 21), rtol=1e-3)
    assert np.all(np.diff(control) < 0)


@pytest.mark.filterwarnings("ignore:.*comes before the last infusion")
def test_maintenance_keeps_the_effect(resolved):
    arms = (
        "  ketamine: {infusion: ketamine}",
        "  ketamine: {infusion: ketamine, infusions: [0, 3, 7, 10, 17, 24, 31, 38, 45, 52, 59, 66, 73, 80]}",
    )
    variant = resolved(MODEL, LONG, MISSING, arms).variants[0]
    assert variant.infusion_days[0] == (0, 3, 7, 10)
    effect = variant.mean[1, 0, :, 0] - variant.mean[0, 0, :, 0]
    assert effect[-1] / effect[2] > 0.8


FACTORIAL = (
    (
        "  midazolam: {infusion: midazolam}\n  ketamine: {infusion: ketamine}",
        "  midazolam: {infusion: midazolam}\n  ketamine: {infusion: ketamine}\n"
        "  midazolam_dbt: {infusion: midazolam, therapy: dbt}\n  ketamine_dbt: {infusion: ketamine, therapy: dbt}",
    ),
    ("ratio: [1, 1], block_sizes: [4, 6]", "ratio: [1, 1, 1, 1]"),
    (
        "  ketamine: {points: {qids_sr16: -2.0, madrs: -5.0}}",
        "  ketamine: {points: {qids_sr16: -2.0, madrs: -5.0}}\n"
        "  ketamine_dbt: {points: {qids_sr16: -2.0, madrs: -5.0}}",
    ),
    ("simulation:", "therapies: {dbt: {weeks: 2, onset_weeks: 0, synergy: 0.5}}\nsimulation:"),
)
CONTRAST = "contrast: [ketamine, midazolam]"


@pytest.mark.parametrize(
    ("contrast", "expected"),
    [
        ("[[ketamine, ketamine_dbt], [midazolam, midazolam_dbt]]", lambda drug, dbt: drug + 0.25 * dbt),
        ("[[midazolam_dbt, ketamine_dbt], [midazolam, ketamine]]", lambda drug, dbt: 1.25 * dbt),
        ("{ketamine_dbt: 1, ketamine: -1, midazolam_dbt: -1, midazolam: 1}", lambda drug, dbt: 0.5 * dbt),
        ("[ketamine_dbt, midazolam]", lambda drug, dbt: drug + 1.5 * dbt),
    ],
    ids=["main effect of the drug", "main effect of the therapy", "interaction", "simple"],
)
def test_main_effects_interaction_and_simple_effects_of_a_factorial(resolved, contrast, expected):
    variant = resolved(*FACTORIAL, (CONTRAST, f"contrast: {contrast}")).variants[0]
    therapy = -0.25 * 5.8  # a quarter of a standard deviation of QIDS-SR16, from the evidence catalogue
    assert variant.therapies[0].arms == (2, 3)
    assert variant.estimands[0].true_value == pytest.approx(expected(-2.0, therapy))


def test_a_therapy_that_is_too_much_is_what_is_told_of(faults):
    told = faults(
        ("  ketamine: {infusion: ketamine}", "  ketamine: {infusion: ketamine, therapy: dbt}"),
        ("points: {qids_sr16: -2.0, madrs: -5.0}", "standardised: {qids_sr16: -0.3, madrs: -0.2}"),
        (
            "simulation:",
            "therapies: {dbt: {weeks: 2, onset_weeks: 0, effects: {qids_sr16: {points: -25}}}}\nsimulation:",
        ),
    )
    assert any("therapies.dbt.effects.qids_sr16: the mean of qids_sr16" in one for one in told), told


@pytest.mark.parametrize("weeks", [1, 2])
def test_a_therapy_is_longer_than_the_onset_of_the_catalogue(faults, weeks):
    told = faults(
        ("  ketamine: {infusion: ketamine}", "  ketamine: {infusion: ketamine, therapy: dbt}"),
        ("simulation:", f"therapies: {{dbt: {{weeks: {weeks}}}}}\nsimulation:"),
    )
    assert len(told) == 1
    assert "therapies.dbt.weeks: must be above onset_weeks, 2 (the evidence catalogue's)" in told[0]


def test_a_therapy_after_the_last_visit_and_groups_without_it_are_told(faults):
    group = "{therapy: dbt, arms: [midazolam], size: 8, icc: 0.05}"
    told = faults(
        ("  ketamine: {infusion: ketamine}", "  ketamine: {infusion: ketamine, therapy: dbt}"),
        ("simulation:", f"therapies: {{dbt: {{start_day: 20}}}}\nclusters: {{group: {group}}}\nsimulation:"),
    )
    for message in (
        "therapies.dbt.start_day: it begins on day 20, and the last visit is on day 14: nothing of it would be seen",
        "clusters.group.arms.0: arm midazolam has no dbt",
    ):
        assert any(message in one for one in told), told


def test_faults_of_therapies_and_contrasts_are_told(faults):
    told = faults(
        ("  ketamine: {infusion: ketamine}", "  ketamine: {infusion: ketamine, therapy: dtb}"),
        ("simulation:", "therapies: {dbt: {synergy_window_days: 7, effects: {qids_sr16: {}}}}\nsimulation:"),
        (CONTRAST, "contrast: {ketamine: 1, midazolam: -0.5}"),
    )
    expected = (
        "arms.ketamine.therapy: there is no therapy 'dtb'; did you mean 'dbt'?",
        "therapies.dbt: no arm has it",
        "therapies.dbt.synergy_window_days: give synergy too",
        "therapies.dbt.effects.qids_sr16: give either points or standardised",
        "estimands.primary.contrast: weights must add to 0, not 0.5",
    )
    for words in expected:
        assert any(words in line for line in told), (words, told)


def test_an_effect_of_infusions_that_are_not_given_is_told(faults):
    told = faults(MODEL, ("  ketamine: {infusion: ketamine}", "  ketamine: {infusion: none}"))
    assert any("effects.ketamine: with course.infusion_model an effect comes with infusions" in t for t in told), told


def test_two_arm_methods_do_not_take_contrasts_of_several(faults):
    told = faults(
        *FACTORIAL,
        (CONTRAST, "contrast: [[ketamine, ketamine_dbt], [midazolam]]"),
        ("primary: {method: mmrm}", "primary: {method: t_test}"),
    )
    assert any("t_test compares two arms; a contrast of several arms takes mmrm" in line for line in told), told
