"""A person's own effect: shown by following the same people in both arms, where it is the whole difference."""

import numpy as np
import pytest

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.engine.block import draw_block
from trialsim.kernels.infusion_course import infusion_level
from trialsim.patients.model import build_patient_model
from trialsim.patients.trajectory import run_course
from trialsim.streams import Streams

MEANS = {"control": [18.0, 17.0, 16.0], "active": [17.0, 15.0, 12.0]}
DIFFERING = {"course.means.score": MEANS, "heterogeneity": {"effect_sd": {"score": 3.0}, "arms": ["active"]}}
DRUG = {
    "outcomes": {"qids_sr16": {"scale": "continuous"}, "madrs": {"scale": "continuous"}},
    "course": {"infusion_model": {}},
    "dropout": None,
}


def followed(document, changes, arm, *, n=40):
    """Scores (250, n, V, K) of the same people, all in one arm."""
    model = build_patient_model(resolve(document, changes).variants[0])
    stratum = np.zeros((250, n), dtype=np.intp)
    return run_course(model, Streams(4, 0), stratum, np.full_like(stratum, arm)).scores


def deviation(document, changes, *, arm=1, n=40):
    """By how much scores differ from those of the same people without heterogeneity."""
    return followed(document, changes, arm, n=n) - followed(document, {**changes, "heterogeneity": None}, arm, n=n)


def test_the_control_arm_is_left_alone_and_the_active_one_differs_in_proportion_to_the_effect():
    np.testing.assert_array_equal(deviation(CONTINUOUS, DIFFERING, arm=0), 0.0)
    found = deviation(CONTINUOUS, DIFFERING)[..., 0]
    np.testing.assert_allclose(found[..., 0] * 4, found[..., 2], atol=1e-9)
    np.testing.assert_allclose(found[..., 1] * 2, found[..., 2], atol=1e-9)
    assert found[..., 2].std() == pytest.approx(3.0, rel=0.04)


def test_without_a_mean_effect_it_comes_with_time():
    null = {**DIFFERING, "course.means.score": {arm: MEANS["control"] for arm in MEANS}}
    found = deviation(CONTINUOUS, null)[..., 0]
    np.testing.assert_allclose(found[..., 0] * 14 / 3, found[..., 2], atol=1e-9)


def test_effects_on_several_outcomes_go_by_benefit():
    two = {**DRUG, "outcomes": {**DRUG["outcomes"], "madrs": {"scale": "continuous", "lower_is_better": False}}}
    whole = {"heterogeneity": {"effect_sd": {"qids_sr16": 2.0, "madrs": 4.0}}}
    found = deviation(BOUNDED, {**two, **whole})
    np.testing.assert_allclose(found[..., 1], -2 * found[..., 0], atol=1e-9)
    apart = {"heterogeneity": {"effect_sd": {"qids_sr16": 2.0, "madrs": 4.0}, "correlation": 0.0}}
    found = deviation(BOUNDED, {**DRUG, **apart})[:, :, -1].reshape(-1, 2)
    assert abs(np.corrcoef(found.T)[0, 1]) < 4.9 / np.sqrt(len(found))


def test_it_follows_the_level_of_the_infusions():
    """Ten weeks later it has faded as the effect has."""
    later = {
        **DRUG,
        "schedule.visits": [3, 14, 84],
        "heterogeneity": {"effect_sd": {"qids_sr16": 2.0}},
    }
    variant = resolve(BOUNDED, later).variants[0]
    found = deviation(BOUNDED, later)
    effect = variant.mean[1, 0, :, 0] - variant.mean[0, 0, :, 0]
    np.testing.assert_allclose(found[..., 0] / found[..., [1], 0], np.broadcast_to(effect / effect[1], (250, 40, 3)))
    np.testing.assert_array_equal(found[..., 1], 0.0)


def test_who_gets_fewer_infusions_has_less_of_it():
    stops = {
        **DRUG,
        "schedule.visits": [3, 7, 14],
        "events": {"stop_infusions": {"per_day": 1000.0, "from_day": 4, "arms": ["ketamine"]}},
        "heterogeneity": {"effect_sd": {"qids_sr16": 2.0}},
    }
    model = resolve(BOUNDED, stops).variants[0].infusion_model
    found = deviation(BOUNDED, stops)[..., 0]
    settings = {"gain": model.gain, "half_life_days": model.half_life_days, "onset_days": model.onset_days}
    level = infusion_level([3, 7, 14], [0, 3], **settings)
    np.testing.assert_allclose(found / found[..., [0]], np.broadcast_to(level / level[0], found.shape), rtol=1e-9)


SITES = {"sites": {"number": 5, "icc": 0.0, "effect_sd": {"score": 2.0}}}


def test_the_effect_of_a_site_is_shared_by_its_patients():
    changes = {"course.means.score": MEANS, "heterogeneity": {"effect_sd": {"score": 0.0}, "arms": ["active"]}}
    with_sites = followed(CONTINUOUS, {**changes, "clusters": SITES}, 1)
    plain = {name: {**site, "effect_sd": None} for name, site in SITES.items()}
    found = (with_sites - followed(CONTINUOUS, {**changes, "clusters": plain}, 1))[..., -1, 0]
    site = np.arange(40) % 5
    for one in range(5):
        np.testing.assert_allclose(np.ptp(found[:, site == one], axis=1), 0.0, atol=1e-9)
    # 250 trials of 5 sites: a standard error of 0.04 SD.
    assert found[:, :5].std() == pytest.approx(2.0, rel=4.9 / np.sqrt(2 * 1250))
    in_sds = {"sites": {**SITES["sites"], "effect_sd": 0.4}}
    np.testing.assert_allclose(followed(CONTINUOUS, {**changes, "clusters": in_sds}, 1), with_sites, atol=1e-9)


def test_more_patients_and_more_outcomes_move_nobody():
    small, large = deviation(CONTINUOUS, DIFFERING, n=20), deviation(CONTINUOUS, DIFFERING, n=40)
    np.testing.assert_allclose(large[:, :20], small, atol=1e-12)
    whole = {"heterogeneity": {"effect_sd": {"qids_sr16": 2.0}}}
    alone = deviation(BOUNDED, {**DRUG, "outcomes": {"qids_sr16": {"scale": "continuous"}}, **whole})
    np.testing.assert_allclose(deviation(BOUNDED, {**DRUG, **whole})[..., 0], alone[..., 0], atol=1e-9)


def test_bounded_scores_stay_on_their_scale():
    resolved = resolve(BOUNDED, {"heterogeneity": {"effect_sd": {"qids_sr16": 12.0}}})
    scores = draw_block(resolved.variants[0], resolved.hash, Streams(3, 0), 40).scores[..., 0]
    assert scores.min() == 0.0
    assert scores.max() == 27.0
    np.testing.assert_allclose(scores, np.round(scores), atol=1e-9)
