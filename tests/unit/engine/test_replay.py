"""Replays: what is worked out from patients, that the model gives what it was set to, and both worlds of a patient."""

from __future__ import annotations

import numpy as np
import pytest

from trialsim import evidence
from trialsim.engine.replay import replay, replay_names, replay_scenario
from trialsim.engine.replay_quantities import Target, look
from trialsim.errors import InputError
from trialsim.patients.cohort import Cohort
from trialsim.patients.model import build_patient_model
from trialsim.scenario import resolve

STUDIES = 2000


@pytest.fixture(scope="module")
def danayan():
    return replay("danayan2023", replicates=STUDIES)


@pytest.fixture(scope="module")
def variant():
    return resolve(replay_scenario("danayan2023")).variants[0]


def of(replayed, name):
    return next(found for found in replayed.found if found.target.name == name)


def gap_in_se(values, wanted):
    return (values.mean() - wanted) / (values.std(ddof=1) / np.sqrt(len(values)))


def world(before, after, stratum, *, cadss=((0.0,),)):
    """One study of patients with these QIDS-SR16 scores; the other outcome stays at 1."""
    before, after = np.array([before], dtype=float), np.array([after], dtype=float)
    with_other = [np.stack([scores, np.ones_like(scores)], axis=-1) for scores in (before, after)]
    return Cohort(
        np.array([stratum]),
        np.zeros_like(np.array([stratum])),
        with_other[0],
        with_other[1][:, :, None],
        np.ones((*before.shape, 1), dtype=bool),
        records={"cadss": np.array([cadss])},
    )


def test_every_name_can_be_replayed_and_cites_what_is_known(danayan):
    assert replay_names() == ("danayan2023",)
    for found in danayan.found:
        target = found.target
        if target.published:
            assert evidence.has(target.published)
        if target.grade:
            assert target.grade in [band.label for band in evidence.instrument(target.outcome).bands]
        assert target.mark in ("calibration", "check", "assumed")
        assert found.values.shape == (2, STUDIES)
        assert np.isfinite(found.values).all()


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(InputError, match="did you mean 'danayan2023'"):
        replay("danayan")
    with pytest.raises(InputError, match="2 or more"):
        replay("danayan2023", replicates=1)


def test_more_studies_begin_with_the_same_ones(danayan):
    few = replay("danayan2023", replicates=260)
    for some, more in zip(few.found, danayan.found, strict=True):
        np.testing.assert_array_equal(some.values, more.values[:, :260])
        if more.agrees is not None:
            np.testing.assert_array_equal(some.agrees, more.agrees[:260])
    other = replay("danayan2023", replicates=260, seed=7)
    assert not np.array_equal(other.found[0].values, few.found[0].values)


def test_half_of_the_patients_are_in_each_group(variant):
    assert variant.strata_by == "quota"
    assert variant.sample_sizes == (100,)
    assert tuple(variant.strata_share) == (0.5, 0.5)
    assert variant.dropout is None
    assert variant.infusion_days == ((0.0, 3.0, 7.0, 10.0),) * 2
    assert tuple(variant.visits_days) == (14.0,)


def test_the_model_is_set_to_the_published_changes(variant):
    """Exactly: margins are solved for the mean after rounding, so that bounds bring a bias below 1e-6 points."""
    model = build_patient_model(variant)
    ketamine, bpd = variant.arms.index("ketamine"), variant.strata.index("bpd")
    for outcome in ("qids_sr16", "bsl23"):
        k = variant.outcomes.index(outcome)
        published = evidence.get(f"danayan2023.bpd.{outcome}.change").value
        assert variant.mean[ketamine, bpd, 0, k] - variant.baseline_mean[bpd, k] == pytest.approx(published)
        later, before = model.margins[k], model.baseline_margins[k]
        assert later is not None
        assert before is not None
        change = later.probabilities[ketamine, bpd, 0] @ later.values - before.probabilities[bpd] @ before.values
        assert change == pytest.approx(published, abs=1e-6)


@pytest.mark.parametrize(("name", "smallest"), [("qids_change_bpd", 0.09), ("bsl_change_bpd", 0.012)])
def test_simulated_studies_hold_the_published_change(danayan, name, smallest):
    """Within 4.9 standard errors of 2,000 studies, which sees a bias of 0.09 points (QIDS) or 0.012 (BSL-23)."""
    found = of(danayan, name)
    published = evidence.get(found.target.published).value
    assert abs(gap_in_se(found.values[0], published)) < 4.9
    assert 4.9 * found.values[0].std(ddof=1) / np.sqrt(STUDIES) < smallest


def test_no_difference_is_found_as_often_as_the_level_says(danayan):
    """4.9 standard errors of 2,000 studies: a level off by 0.024 is seen; scores are not normal, n is 50 and 50."""
    found = of(danayan, "qids_difference")
    assert abs(gap_in_se(found.values[0], 0.0)) < 4.9
    assert abs(found.agrees.mean() - 0.05) < 4.9 * np.sqrt(0.05 * 0.95 / STUDIES)


def test_the_drug_adds_its_specific_share(danayan):
    """The same draws in both arms: studies differ by far less in what the drug adds than in the change itself."""
    found = of(danayan, "qids_change_bpd")
    added = found.values[0] - found.values[1]
    share = evidence.get("defaults.specific_share.midazolam").value
    published = evidence.get(found.target.published).value
    assert abs(gap_in_se(added, share * published)) < 4.9
    assert added.std() < 0.2 * found.values[0].std()
    before = of(danayan, "qids_before_bpd").values
    np.testing.assert_array_equal(before[0], before[1])


def test_dissociation_is_that_of_the_catalogue_and_falls(danayan):
    """Means of 200,000 patients within 4.9 standard errors: 0.12 points under ketamine, 0.04 under midazolam."""
    for infusion in range(1, 5):
        found = of(danayan, f"cadss_infusion_{infusion}")
        for world_, arm in enumerate(("ketamine", "midazolam")):
            wanted = evidence.get(f"defaults.cadss.{arm}.infusion_{infusion}").value
            assert abs(gap_in_se(found.values[world_], wanted)) < 4.9
        assert (found.agrees is None) is (infusion == 1)
        if infusion > 1:
            assert found.agrees.mean() > 0.95


@pytest.mark.parametrize(
    ("target", "value", "agrees"),
    [
        (Target("x", "change", "check", "qids_sr16", "bpd", "danayan2023.bpd.qids_sr16.change"), -8.0, True),
        (Target("x", "change", "check", "qids_sr16", "no_bpd", "danayan2023.bpd.qids_sr16.change"), -2.0, False),
        (Target("x", "difference", "check", "qids_sr16", "bpd", "danayan2023.difference"), -6.0, False),
        (Target("x", "standardised_change", "check", "qids_sr16", "bpd"), -8.0 / np.sqrt(8.0), None),
        # 20 to 10 is half, 20 to 14 is not, 11 to 5 is more than half, 10 to 12 is worse.
        (Target("x", "response", "check", "qids_sr16", "", "mcintyre2020.qids_sr16.response"), 0.5, True),
        (Target("x", "remission", "check", "qids_sr16", "", "mcintyre2020.qids_sr16.remission"), 0.25, True),
        (Target("x", "score_before", "check", "qids_sr16", "bpd", grade="severe"), 20.0, True),
        (Target("x", "score_before", "check", "qids_sr16", "no_bpd", grade="severe"), 10.5, False),
        (Target("x", "score_after", "check", "qids_sr16", "bpd", grade="moderate"), 12.0, True),
    ],
)
def test_what_is_worked_out_by_hand(variant, target, value, agrees):
    one = world([20, 20, 11, 10], [10, 14, 5, 12], [0, 0, 1, 1])
    found = look(target, variant, [one, one])
    np.testing.assert_allclose(found.values, [[value], [value]])
    assert (None if found.agrees is None else bool(found.agrees[0])) is agrees


def test_a_clear_difference_is_significant(variant):
    target = Target("x", "difference", "check", "qids_sr16", "bpd", "danayan2023.difference")
    one = world([20, 20, 20, 20, 20, 20], [10, 11, 9, 19, 20, 21], [0, 0, 0, 1, 1, 1])
    assert look(target, variant, [one, one]).agrees.tolist() == [True]


def test_less_dissociation_than_at_first(variant):
    rising = world([20, 20], [10, 10], [0, 1], cadss=((4.0, 6.0, 3.0), (4.0, 4.0, 1.0)))
    told = [look(Target("x", "dissociation", "assumed", infusion=i), variant, [rising, rising]) for i in (1, 2, 3)]
    assert [found.values[0, 0] for found in told] == [4.0, 5.0, 2.0]
    assert [None if found.agrees is None else found.agrees.tolist() for found in told] == [None, [False], [True]]
