"""Courses by a model of infusions, therapies beside them, and contrasts of several arms."""

import numpy as np
import pytest

from trialsim.errors import InputError

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


HALF_LIFE = r"course\.infusion_model\.half_life_days: the effect "
MUCH_LEFT = r"too little of it is there by then\. Give a longer one \(the catalogue has 21\)"


@pytest.mark.parametrize("scale", ["", "scale: continuous"])
@pytest.mark.parametrize(("half_life", "visits", "told"), [
    (0.0001, [1, 3, 14], r"on day 1 of the usual course would be over a thousand times that on day 14"),
    (0.001, [1, 3, 14], r"at day 1 in ketamine would be over a thousand times that on day 14"),
    (0.01, [1, 3, 14], r"at day 1 in ketamine would be over a thousand times that on day 14"),
    (0.5, [1, 3, 14], r"at day 1 in ketamine would be 63\.45 times that on day 14"),
    (0.5, [14], r"on day 11 of the usual course would be 64 times that on day 14"),
])  # fmt: skip
def test_an_effect_told_for_a_day_when_it_is_gone_is_refused(resolved, scale, half_life, visits, told):
    model = f"course: {{infusion_model: {{half_life_days: {half_life}, onset_days: 0}}}}\nsimulation:"
    changes = [
        ("simulation:", model),
        ("visits: [3, 7, 10, 14]", f"visits: {visits}"),
        ("  qids_sr16: {", f"  qids_sr16: {{{scale}{', ' * bool(scale)}"),
    ]
    with pytest.raises(InputError, match=f"{HALF_LIFE}{told}, for which effects are told: {MUCH_LEFT}"):
        resolved(*changes)


def test_an_effect_wider_than_the_instrument_of_a_continuous_score_is_refused(resolved):
    changes = [
        ("simulation:", "course: {infusion_model: {half_life_days: 1.5, onset_days: 0}}\nsimulation:"),
        ("visits: [3, 7, 10, 14]", "visits: [1, 3, 14]"),
        ("  qids_sr16: {", "  qids_sr16: {scale: continuous, "),
    ]
    assert resolved(*changes)
    told = r"on qids_sr16 at day 1 in ketamine would be 34\.75 points on an instrument 27 wide, 3\.475 times"
    with pytest.raises(InputError, match=f"{HALF_LIFE}{told}"):
        resolved(*changes, ("qids_sr16: -2.0", "qids_sr16: -10.0"))


def test_the_part_of_the_model_that_leaves_too_little_is_named(resolved):
    changes = ("simulation:", "course: {infusion_model: {half_life_days: 1000, onset_days: 500}}\nsimulation:")
    with pytest.raises(InputError, match=r"infusion_model\.onset_days: the effect at day 84 .* Give a shorter one"):
        resolved(changes, LONG, MISSING)


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
