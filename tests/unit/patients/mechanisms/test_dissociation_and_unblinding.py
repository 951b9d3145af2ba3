"""CADSS at infusions received, guesses from the worst so far, and what beliefs add: against loops over participants."""

import numpy as np
import pytest
from scipy.special import expit

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.engine.block import draw_block, patient_source
from trialsim.kernels.dissociation import draw_dissociation
from trialsim.patients.mechanisms import mechanisms_of
from trialsim.scenario.dissociation_margins import fitted
from trialsim.streams import Streams

DAYS = (0, 3, 7, 10)
REAL = {
    "schedule": {"infusions": list(DAYS), "visits": [3, 7, 14]},
    "arms": {"control": {"infusion": "midazolam"}, "active": {"infusion": "ketamine"}},
}
WORTH = {"expectancy": {"score": 3.0}, "means_are": "without"}


def cohort(document, changes, *, n=40, without=()):
    resolved = resolve(document, changes)
    variant = resolved.variants[0]
    streams = Streams(5, 0)
    if not without:
        return variant, draw_block(variant, resolved.hash, streams, n)
    drawn = draw_block(variant, resolved.hash, streams, n)
    return variant, patient_source(variant, resolved.hash).follow(streams, drawn.stratum, drawn.arm, without=without)


def uniforms(n, outcome=""):
    return Streams(5, 0).generator("guess", outcome).random((n, 250)).T


def test_without_a_word_nothing_is_drawn_and_nothing_is_kept():
    variant, drawn = cohort(BOUNDED, {})
    assert variant.dissociation is None
    assert variant.unblinding is None
    assert mechanisms_of(variant) == ()
    assert drawn.records == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"dissociation": {}},
        {"unblinding": {"expectancy": {"qids_sr16": 0.0}}},
        {"unblinding": {"expectancy": {"qids_sr16": 0.0}, "guess": "perfect"}},
    ],
)
def test_what_is_worth_nothing_changes_no_bit_of_anything_else(changes):
    _, plain = cohort(BOUNDED, {})
    _, drawn = cohort(BOUNDED, changes)
    for name in ("stratum", "arm", "baseline", "scores", "present"):
        np.testing.assert_array_equal(getattr(drawn, name), getattr(plain, name))
    assert "cadss" in drawn.records


def test_cadss_is_a_draw_of_its_margins_with_normals_that_arms_share():
    variant, drawn = cohort(BOUNDED, {"dissociation": {}})
    n = drawn.arm.shape[1]
    normals = np.stack(
        [Streams(5, 0).generator("dissociation", "", f"infusion {i}").standard_normal((n, 250)) for i in range(1, 5)]
    )
    assert variant.dissociation.kinds == ("midazolam", "ketamine")
    group = drawn.arm * 2 + drawn.stratum
    expected = draw_dissociation(fitted(variant.dissociation), normals, group=group)
    np.testing.assert_array_equal(drawn.records["cadss"], expected)


def test_more_participants_move_nobody_elses_records():
    unblinding = {"raters": {"expectancy": {"madrs": 2.0}, "follows_patient": 0.5}}
    _, few = cohort(BOUNDED, {"unblinding": unblinding}, n=40)
    _, many = cohort(BOUNDED, {"unblinding": unblinding}, n=60)
    same = few.arm == many.arm[:, :40]
    for name in ("cadss", "guess"):
        np.testing.assert_array_equal(few.records[name][same], many.records[name][:, :40][same])
    np.testing.assert_array_equal(few.scores[same], many.scores[:, :40][same])
    assert same.mean() > 0.5


def test_an_arm_without_infusions_has_no_dissociation_and_no_guess():
    arms = {**BOUNDED["arms"], "nothing": {"infusion": "none"}, "late": {"infusion": "saline", "infusions": []}}
    _, drawn = cohort(
        BOUNDED,
        {
            "arms": arms,
            "effects.ketamine.specific_share": {"midazolam": 0.3, "nothing": 0.3, "late": 0.3},
            "unblinding": {"guess": "midazolam"},
        },
    )
    for name in ("cadss", "guess"):
        known = ~np.isnan(drawn.records[name])
        assert not known[drawn.arm >= 2].any()
        assert known[drawn.arm < 2].all()


def test_a_guess_is_that_of_a_loop_over_participants():
    variant, drawn = cohort(BOUNDED, {"unblinding": {"guess": "saline"}})
    model, uniform = variant.unblinding, uniforms(40)
    worst = drawn.records["cadss"].max(axis=2)
    for r, i in np.ndindex(250, 40):
        chance = expit(model.intercept[drawn.arm[r, i]] + model.slope * np.log1p(worst[r, i]))
        assert drawn.records["guess"][r, i] == float(uniform[r, i] < chance)


def believed(variant, drawn, day):
    """Beliefs of everybody from the infusions before a day, by a loop over arms; NaN where there was none."""
    model, uniform = variant.unblinding, uniforms(drawn.arm.shape[1])
    before = [i for i, own in enumerate(DAYS) if own < day]
    worst = drawn.records["cadss"][..., before].max(axis=2)
    return (uniform < expit(np.array(model.intercept)[drawn.arm] + model.slope * np.log1p(worst))).astype(float)


@pytest.mark.parametrize("lower", [True, False])
def test_beliefs_move_scores_by_what_they_are_worth_from_the_visit_after_they_are_formed(lower):
    """On the real line, at every visit, against the same patients without expectancy; beliefs grow with the visits."""
    changes = {**REAL, "outcomes.score.lower_is_better": lower, "unblinding": WORTH}
    variant, drawn = cohort(CONTINUOUS, changes)
    _, bare = cohort(CONTINUOUS, changes, without=("expectancy",))
    np.testing.assert_array_equal(bare.records["guess"], drawn.records["guess"])
    sign = -1.0 if lower else 1.0
    shares = []
    for v, day in enumerate(variant.visits_days):
        belief = believed(variant, drawn, day)
        np.testing.assert_allclose(
            (drawn.scores - bare.scores)[:, :, v, 0], sign * 3.0 * (belief - 0.5), rtol=0, atol=1e-12
        )
        shares.append(belief.mean())
    assert shares[0] < shares[1] < shares[2]
    np.testing.assert_array_equal(drawn.records["guess"], belief)


def test_a_belief_once_gained_stays():
    variant, drawn = cohort(CONTINUOUS, {**REAL, "unblinding": WORTH})
    first, last = (believed(variant, drawn, day) for day in (3, 14))
    assert variant.unblinding.slope > 0
    assert (last >= first).all()


@pytest.mark.parametrize(
    ("after", "felt"),
    [
        ("each_infusion", ((1, 1), (2, 2), (4, 4), (4, 4))),
        (1, ((1, 1), (1, 1), (1, 1), (1, 1))),
        (3, ((0, 0), (0, 0), (3, 3), (3, 3))),
        ({"visit": 7}, ((0, 0), (0, 0), (2, 2), (2, 2))),
        ({"visit": 14}, ((0, 0), (0, 0), (0, 0), (4, 4))),
    ],
)
def test_patients_guess_when_asked(after, felt):
    """Visits on days 3, 7 and 14, infusions on days 0, 3, 7 and 10: a visit comes before the infusion of its day."""
    variant, drawn = cohort(CONTINUOUS, {**REAL, "unblinding": {**WORTH, "after": after}})
    _, bare = cohort(CONTINUOUS, {**REAL, "unblinding": {**WORTH, "after": after}}, without=("expectancy",))
    assert variant.unblinding.felt == felt
    moved = np.abs(drawn.scores - bare.scores)[..., 0]
    for v in range(3):
        np.testing.assert_allclose(moved[:, :, v], 1.5 if felt[v][0] else 0.0, atol=1e-12)


def test_means_with_expectancy_take_off_what_is_expected_of_the_arm():
    with_it = {**REAL, "unblinding": {**WORTH, "means_are": "with_expectancy"}}
    variant, own = cohort(CONTINUOUS, with_it)
    _, plain = cohort(CONTINUOUS, {**REAL, "unblinding": WORTH})
    _, bare = cohort(CONTINUOUS, with_it, without=("expectancy",))
    held = 3.0 * (variant.unblinding.expected_share[own.arm, own.stratum] - 0.5)
    np.testing.assert_allclose(own.scores[..., 0] - plain.scores[..., 0], held, atol=1e-12)
    _, nothing = cohort(CONTINUOUS, REAL)
    np.testing.assert_allclose(bare.scores[..., 0] - nothing.scores[..., 0], held, atol=1e-12)


def test_raters_follow_patients_or_toss_a_coin():
    two = {**REAL, "unblinding": {**WORTH, "raters": {"expectancy": {"score": 2.0}, "follows_patient": 0.5}}}
    _, both = cohort(CONTINUOUS, two)
    _, patients = cohort(CONTINUOUS, {**REAL, "unblinding": WORTH})
    uniform = uniforms(40, "rater")
    rater = np.where(uniform < 0.5, both.records["guess"], uniform < 0.75)
    np.testing.assert_allclose((both.scores - patients.scores)[:, :, -1, 0], -2.0 * (rater - 0.5), atol=1e-12)


@pytest.mark.parametrize("place", ["unblinding", "raters"])
def test_central_raters_add_nothing(place):
    raters = {"expectancy": {"madrs": 2.0}}
    central = {"unblinding": {"raters": {**raters, "central": True}}}
    if place == "raters":
        central = {"unblinding": {"raters": raters}, "raters": {"number": 4, "central": True}}
    variant, _ = cohort(BOUNDED, central)
    assert not variant.unblinding.rater_expectancy.any()
    other, _ = cohort(BOUNDED, {"unblinding": {"raters": raters}})
    assert other.unblinding.rater_expectancy.any()
    assert other.unblinding.follows_patient == 1.0


def test_infusions_that_are_not_given_are_not_felt():
    """A stop after the first infusion in most patients: later scores are missing and guesses go by what was felt."""
    stopping = {
        "course": {"infusion_model": {}},
        "events": {"stop_infusions": {"per_day": 0.4}},
        "dropout": None,
        "unblinding": {},
    }
    variant, drawn = cohort(BOUNDED, stopping)
    assert [type(one).__name__ for one in mechanisms_of(variant)][-2:] == ["Dissociating", "Believing"]
    given = np.array(DAYS) <= drawn.event_day["stop_infusions"][..., None]
    np.testing.assert_array_equal(np.isnan(drawn.records["cadss"]), ~given)
    assert 0.1 < given[..., 1:].mean() < 0.6
    worst = np.nanmax(drawn.records["cadss"], axis=2)
    chance = expit(np.array(variant.unblinding.intercept)[drawn.arm] + variant.unblinding.slope * np.log1p(worst))
    np.testing.assert_array_equal(drawn.records["guess"], uniforms(40) < chance)
