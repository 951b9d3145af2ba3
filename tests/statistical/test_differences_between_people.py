"""Variances and shares of how people differ, as asked for: 100,000 patients at fixed seeds, bounds of 4.9 errors.

What is seen: 2.2 % in a variance, 0.016 in a correlation, 0.007 in a share.
"""

import numpy as np
import pytest

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.engine.block import draw_block
from trialsim.patients.mechanisms.attendance import SESSIONS
from trialsim.patients.mechanisms.events import THERAPY_UNTIL
from trialsim.patients.model import build_patient_model
from trialsim.patients.trajectory import run_course
from trialsim.streams import Streams

PATIENTS = 100_000
MEANS = {"control": [18.0, 17.0, 16.0], "active": [17.0, 15.0, 12.0]}
REAL = {"outcomes": {name: {"scale": "continuous"} for name in ("qids_sr16", "madrs")}, "dropout": None}


def everybody(document, changes, *, arm, stratum=0):
    """A course of 250 trials of 400, all of one arm and stratum, one row per patient."""
    variant = resolve(document, changes).variants[0]
    group = np.full((250, 400), stratum, dtype=np.intp)
    state = run_course(build_patient_model(variant), Streams(6, 0), group, np.full_like(group, arm))
    return variant, state, state.scores.reshape(PATIENTS, *state.scores.shape[2:])


def close_variance(values, asked):
    """A sample variance within 4.9 standard errors, by its own fourth moment."""
    squares = (values - values.mean(axis=0)) ** 2
    assert np.all(np.abs(squares.mean(axis=0) - asked) < 4.9 * squares.std(axis=0) / np.sqrt(len(values)))


def close_mean(values, asked):
    assert np.all(np.abs(values.mean(axis=0) - asked) < 4.9 * values.std(axis=0) / np.sqrt(len(values)))


def test_heterogeneity_adds_its_variance_in_the_active_arm_only():
    changes = {"course.means.score": MEANS, "heterogeneity": {"effect_sd": {"score": 3.0}, "arms": ["active"]}}
    for arm, sd in (("control", 0.0), ("active", 3.0)):
        _, _, scores = everybody(CONTINUOUS, changes, arm=int(arm == "active"))
        close_mean(scores[..., 0], MEANS[arm])
        close_variance(scores[..., 0], 25.0 + sd**2 * np.array([0.25, 0.5, 1.0]) ** 2)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 1.0])
def test_a_person_gains_in_several_outcomes(correlation):
    """The covariance of two outcomes grows by that of the effects; the mean effect stays."""
    given = {"effect_sd": {"qids_sr16": 3.0, "madrs": 6.0}, "correlation": correlation}
    variant, _, scores = everybody(BOUNDED, {**REAL, "heterogeneity": given}, arm=1)
    last = scores[:, -1]
    close_mean(last, variant.mean[1, 0, -1])
    sd = variant.sd[0, -1]
    close_variance(last, sd**2 + np.array([9.0, 36.0]))
    asked = variant.correlation[0, -1, -2] * sd.prod() + correlation * 18.0
    products = (last - last.mean(axis=0)).prod(axis=1)
    assert abs(products.mean() - asked) < 4.9 * products.std() / np.sqrt(PATIENTS)


def test_sites_differ_in_effect():
    """2,500 sites: the variance of the difference of arm means between sites, less what chance brings within them."""
    changes = {
        "course.means.score": MEANS,
        "heterogeneity": {"effect_sd": {"score": 0.0}, "arms": ["active"]},
        "clusters": {"sites": {"number": 10, "icc": 0.0, "effect_sd": {"score": 2.0}}},
        "allocation": {"method": "complete"},
    }
    resolved = resolve(CONTINUOUS, changes)
    block = draw_block(resolved.variants[0], resolved.hash, Streams(6, 0), 400)
    y, arm, site = block.scores[..., -1, 0], block.arm, np.arange(400) % 10
    found = []
    for one in range(10):
        inside = site == one
        sides = [np.where(arm[:, inside] == a, y[:, inside], np.nan) for a in (0, 1)]
        means = [np.nanmean(side, axis=1) for side in sides]
        chance = sum(25.0 / (~np.isnan(side)).sum(axis=1) for side in sides)
        found.append((means[1] - means[0] + 4.0) ** 2 - chance)
    found = np.concatenate(found)
    assert abs(found.mean() - 4.0) < 4.9 * found.std() / np.sqrt(len(found))
    assert 4.9 * found.std() / np.sqrt(len(found)) < 1.0


THERAPY = {
    **REAL,
    "schedule.visits": [14, 35, 70, 84],
    "arms": {"plain": {"infusion": "midazolam"}, "dbt": {"infusion": "midazolam", "therapy": "dbt"}},
    "effects": None,
    "estimands.primary": {"outcome": "qids_sr16", "visit": 84, "contrast": ["dbt", "plain"]},
}


def attending(**settings):
    points = {"qids_sr16": {"points": -4.0}, "madrs": {"points": -8.0}}
    return {**THERAPY, "therapies": {"dbt": {"weeks": 10, "onset_weeks": 1, "effects": points, "attendance": settings}}}


def test_attendance_is_beta_distributed_and_each_session_is_attended_by_chance():
    """Sessions of ten are beta-binomial: J m, and J² var p + J E p (1 − p)."""
    _, state, _ = everybody(BOUNDED, attending(mean=0.75, sd=0.2, stops_by_end=0.0), arm=1)
    sessions = state.records[SESSIONS].reshape(-1, 1).astype(float)
    close_mean(sessions, 7.5)
    close_variance(sessions, 100 * 0.04 + 10 * (0.75 - 0.04 - 0.75**2))
    # None at all: B(a, b + 10) / B(a, b).
    total = 0.75 * 0.25 / 0.04 - 1
    b = np.arange(10) + 0.25 * total
    close_mean((sessions == 0).astype(float), np.prod(b / (b + 0.75 * total)))


def test_the_asked_share_stops_and_the_effect_asked_is_the_mean_one():
    variant, state, scores = everybody(BOUNDED, attending(mean=0.75, concentration=5.0), arm=1)
    until = state.records[THERAPY_UNTIL].reshape(-1, 1)
    close_mean((until < 70).astype(float), 0.28)
    close_mean((until < 35).astype(float), 1 - np.sqrt(0.72))
    close_mean(scores, variant.mean[1, 0])
    assert np.all(scores.var(axis=0)[-1] > variant.sd[0, -1] ** 2 + np.array([0.5, 2.0]))


@pytest.mark.parametrize("central", [False, True])
def test_raters_agree_as_asked(central):
    """Of 2,000 raters' scores the share of the variance that is not theirs is 0.8."""
    raters = {"number": 8, "central": central, "icc": {"madrs": 0.8}}
    variant, state, scores = everybody(BOUNDED, {**REAL, "raters": raters}, arm=0)
    sd = variant.sd[0, -1, 1]
    last = state.scores[:, :, -1, 1] - variant.mean[0, 0, -1, 1]
    # By trial, since raters are those of a trial.
    by_trial = (last**2).mean(axis=1)
    assert abs(by_trial.mean() - sd**2 / 0.8) < 4.9 * by_trial.std() / np.sqrt(250)
    products = (state.scores[:, :, -2, 1] - variant.mean[0, 0, -2, 1]) * last
    own = variant.correlation[0, -1, -3] * sd**2
    stays = 1.0 / 8 if central else 1.0
    by_trial = products.mean(axis=1)
    assert abs(by_trial.mean() - own - stays * sd**2 * 0.25) < 4.9 * by_trial.std() / np.sqrt(250)
    close_variance(scores[:, -1, 0], variant.sd[0, -1, 0] ** 2)


@pytest.mark.parametrize("document", [REAL, {"dropout": None}], ids=["real line", "bounded"])
def test_labile_scores_have_the_spread_asked_for_and_less_in_common(document):
    """Correlation of visits in both strata after rounding: r² + (R − r²) M with the baseline's r left as it is."""
    changes = {**document, "lability": {"bpd": 2.5}}
    plain = resolve(BOUNDED, document).variants[0].correlation
    k = 3 if document == {"dropout": None} else 2
    for stratum, factor in enumerate((2.5, 1.0)):
        variant, state, scores = everybody(BOUNDED, changes, arm=0, stratum=stratum)
        close_mean(scores, variant.mean[0, stratum])
        close_variance(scores, variant.sd[stratum] ** 2)
        first, last = scores[:, 0, 0], scores[:, 2, 0]
        between, own = plain[stratum, k, 3 * k], plain[stratum, 0, k]
        asked = own**2 + (between - own**2) / (between + factor * (1 - between))
        for one, other, value in ((first, last, asked), (state.baseline.reshape(PATIENTS, -1)[:, 0], last, own)):
            z, w = ((x - x.mean()) / x.std() for x in (one, other))
            influence = z * w - value * (z**2 + w**2) / 2
            assert abs(np.mean(z * w) - value) < 4.9 * influence.std() / np.sqrt(PATIENTS)
