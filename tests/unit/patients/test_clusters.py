"""Groups of patients: who is in which, what they leave unchanged, and intraclass correlations that cannot be."""

import re
import warnings

import numpy as np
import pytest

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.engine.block import draw_block
from trialsim.errors import InputError, ScenarioWarning
from trialsim.kernels.copula import latent_correlation, rounded_correlation
from trialsim.patients.clusters import memberships
from trialsim.patients.model import _all_margins, build_patient_model
from trialsim.streams import Streams

THERAPY = {"arms": ["ketamine"], "size": 8, "icc": 0.1}
SITES = {"number": 5, "icc": {"qids_sr16": 0.02, "madrs": 0.05, "bsl23": 0.0}}


def cohort(clusters=None, *, document=BOUNDED, changes=None, n=60):
    resolved = resolve(document, {"clusters": clusters or {}, **(changes or {})})
    return draw_block(resolved.variants[0], resolved.hash, Streams(3, 0), n)


def model_of(clusters, *, document=BOUNDED, changes=None):
    return build_patient_model(resolve(document, {"clusters": clusters, **(changes or {})}).variants[0])


def test_groups_are_filled_in_order_of_enrolment_within_the_arm():
    variant = resolve(BOUNDED, {"clusters": {"group": {**THERAPY, "size": 2}}}).variants[0]
    arm = np.array([[1, 0, 1, 1, 0, 1, 1], [0, 1, 1, 1, 1, 1, 1]])
    expected = [[0, -1, 0, 1, -1, 1, 2], [-1, 0, 0, 1, 1, 2, 2]]
    np.testing.assert_array_equal(memberships(variant, arm, Streams(3, 0))["group"], expected)


def test_no_two_arms_share_a_group_of_a_given_size():
    variant = resolve(BOUNDED, {"clusters": {"group": {"size": 2, "icc": 0.1}}}).variants[0]
    arm = np.array([[1, 0, 1, 1, 0, 1, 0]])
    np.testing.assert_array_equal(memberships(variant, arm, Streams(3, 0))["group"], [[1, 0, 1, 3, 0, 3, 2]])


def test_a_number_of_groups_is_joined_in_turn_whatever_the_arm():
    variant = resolve(BOUNDED, {"clusters": {"site": {**SITES, "number": 3}}}).variants[0]
    arm = np.array([[1, 0, 1, 1, 0, 1, 0]])
    np.testing.assert_array_equal(memberships(variant, arm, Streams(3, 0))["site"], [[0, 1, 2, 0, 1, 2, 0]])


PARTS = ("stratum", "arm", "baseline", "scores", "present")


def test_the_first_patients_of_a_larger_trial_are_those_of_the_smaller_one():
    clusters = {"group": THERAPY, "site": SITES}
    small, large = cohort(clusters, n=75), cohort(clusters, n=150)
    for part in PARTS:
        np.testing.assert_array_equal(getattr(large, part)[:, :75], getattr(small, part), err_msg=part)
    for name in clusters:
        np.testing.assert_array_equal(large.groups[name][:, :75], small.groups[name])


def test_groups_of_one_arm_move_nobody_of_another_and_no_baseline():
    alone, grouped = cohort(), cohort({"group": THERAPY})
    for part in ("stratum", "arm", "baseline"):
        np.testing.assert_array_equal(getattr(grouped, part), getattr(alone, part), err_msg=part)
    control = alone.arm == 0
    np.testing.assert_array_equal(grouped.scores[control], alone.scores[control])
    np.testing.assert_array_equal(grouped.present[control], alone.present[control])
    moved = (grouped.scores[~control] != alone.scores[~control]).mean()
    # The patients' own draws are the same, so most of a score is.
    assert 0.3 < moved < 1.0
    assert np.corrcoef(grouped.scores[~control][:, -1, 0], alone.scores[~control][:, -1, 0])[0, 1] > 0.8


def test_without_a_correlation_groups_change_nothing():
    alone, grouped = cohort(), cohort({"group": {**THERAPY, "icc": 0.0}})
    for part in PARTS:
        np.testing.assert_array_equal(getattr(grouped, part), getattr(alone, part), err_msg=part)


def test_another_kind_of_group_another_outcome_and_another_arm_move_no_groups_effect():
    # On the real line effects add up, so that each can be taken out again.
    groups = {"group": {"size": 6, "icc": 0.1, "arms": ["active"]}}
    both = {**groups, "site": {"number": 4, "icc": 0.05}}
    everywhere = {"group": {"size": 6, "icc": 0.1}}
    model = model_of(groups, document=CONTINUOUS)
    effects = []
    for clusters in (groups, both, everywhere):
        trial = cohort(clusters, document=CONTINUOUS)
        alone = cohort(document=CONTINUOUS)
        own = model_of(clusters, document=CONTINUOUS).groups.factor[1, 0] @ np.linalg.inv(model.factor[1, 0])
        z = np.concatenate([alone.baseline, alone.scores[..., 0]], axis=2) - [20.0, 18.0, 16.0, 15.0]
        active = trial.arm == 1
        effects.append((trial.scores[..., 0] - [18.0, 16.0, 15.0])[active] / 5 - (z[active] / 5 @ own.T)[:, 1:])
    only, with_sites, in_both_arms = effects
    np.testing.assert_allclose(only, in_both_arms, atol=1e-10)
    np.testing.assert_allclose(only[:, 0], only[:, 2], atol=1e-10)  # the same at all visits
    # What is left is the sites' effect: as many values in a trial as there are sites.
    left = np.round(with_sites[:, 0] - only[:, 0], 9)
    assert len(np.unique(left)) == 250 * 4


@pytest.mark.parametrize("document", [BOUNDED, CONTINUOUS], ids=["bounded", "real line"])
def test_own_and_shared_parts_make_up_the_patients_correlations(document):
    """Margins and correlations within a patient follow from the latent ones, which are the same to rounding."""
    names = list(document["outcomes"])
    clusters = {"group": {"size": 8, "icc": 0.12}, "site": {"number": 5, "icc": dict.fromkeys(names, 0.03)}}
    model = model_of(clusters, document=document)
    groups = model.groups
    outcome = np.arange(model.factor.shape[-1]) % len(names)
    between = (groups.between @ groups.between.T)[np.ix_(outcome, outcome)]
    shared = sum(d[..., :, None] * d[..., None, :] for d in groups.loading) * between
    own = groups.factor @ groups.factor.swapaxes(-1, -2)
    np.testing.assert_allclose(own + shared, model.factor @ model.factor.swapaxes(-1, -2), atol=1e-12)
    assert not groups.loading[..., : len(names)].any()


def test_the_intraclass_correlation_is_that_of_the_scores_on_their_scale():
    model = model_of({"group": THERAPY})
    n_arms, n_visits = len(model.variant.arms), len(model.variant.visits_days)
    margins = _all_margins(list(model.baseline_margins), list(model.margins), n_arms, n_visits)
    latent = model.groups.loading[0] ** 2
    for j in range(3, len(margins)):
        pair = np.stack([np.stack([np.ones_like(latent[1, :, j]), latent[1, :, j]], -1)] * 2, -2)
        pair[:, 1] = pair[:, 1, ::-1]
        margin = type(margins[j])(margins[j].values, *(part[1] for part in margins[j][1:]))
        np.testing.assert_allclose(rounded_correlation(pair, [margin, margin])[:, 0, 1], 0.1, atol=1e-9)
        assert np.all(latent[1, :, j] > 0.1)  # rounding and bounds cost some of it
    assert not latent[0].any()


def largest_told(error):
    return float(re.search(r"must be at most ([0-9.]+)", str(error.value))[1])


@pytest.mark.parametrize("document", [BOUNDED, CONTINUOUS], ids=["bounded", "real line"])
def test_too_large_a_correlation_is_told_with_the_largest_possible(document):
    arms = list(document["arms"])[1:]
    with pytest.raises(InputError, match=r"clusters\.group\.icc: .*not 0\.95") as caught:
        model_of({"group": {"arms": arms, "size": 8, "icc": 0.95}}, document=document)
    largest = largest_told(caught)
    assert 0.2 < largest < 0.9
    model_of({"group": {"arms": arms, "size": 8, "icc": largest}}, document=document)
    with pytest.raises(InputError):
        model_of({"group": {"arms": arms, "size": 8, "icc": largest + 2e-4}}, document=document)


def test_of_several_kinds_of_groups_the_larger_is_told_and_the_others_count():
    with pytest.raises(InputError, match=r"clusters\.group\.icc") as caught:
        model_of({"site": {"number": 5, "icc": 0.2}, "group": {"size": 8, "icc": 0.9}}, document=CONTINUOUS)
    with pytest.raises(InputError) as alone:
        model_of({"group": {"size": 8, "icc": 0.9}}, document=CONTINUOUS)
    # On the real line both take from the same.
    assert largest_told(caught) == pytest.approx(largest_told(alone) - 0.2, abs=2e-4)
    assert "beside the other groups" in str(caught.value)


def test_latent_correlations_are_those_without_groups():
    model, plain = model_of({"group": THERAPY}), model_of({})
    np.testing.assert_array_equal(model.factor, plain.factor)
    assert plain.groups is None
    pair = np.array([[1.0, 0.1], [0.1, 1.0]])
    np.testing.assert_allclose(latent_correlation(pair, [None, None]), pair)


def test_groups_of_a_range_of_sizes_are_filled_in_turn_each_size_as_likely():
    variant = resolve(BOUNDED, {"clusters": {"group": {**THERAPY, "size": [6, 10]}}}).variants[0]
    arm = np.ones((250, 200), dtype=np.intp)
    groups = memberships(variant, arm, Streams(3, 0))["group"]
    assert (np.diff(groups, axis=1) >= 0).all()
    assert (groups[:, 0] == 0).all()
    sizes = np.concatenate([np.bincount(row)[:-1] for row in groups])  # the last may not be full
    assert set(sizes) == {6, 7, 8, 9, 10}
    # Of 250 replicates the first 15 groups are full whatever their sizes: 3,750 sizes, each with chance 1/5.
    counts = np.bincount(np.concatenate([np.bincount(row)[:15] for row in groups]), minlength=11)[6:]
    assert np.abs(counts - 750).max() < 4.9 * np.sqrt(3750 * 0.2 * 0.8)
    smaller = memberships(variant, arm[:, :90], Streams(3, 0))["group"]
    np.testing.assert_array_equal(groups[:, :90], smaller)


def test_therapists_lead_groups_in_order_of_their_beginning_within_an_arm():
    clusters = {
        "group": {"size": 2, "icc": 0.1},
        "therapist": {"of": "group", "groups_each": 2, "icc": 0.05},
    }
    variant = resolve(BOUNDED, {"clusters": clusters}).variants[0]
    arm = np.array([[0] * 10 + [1] * 6])
    found = memberships(variant, arm, Streams(3, 0))
    np.testing.assert_array_equal(found["group"][0], [0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 1, 1, 3, 3, 5, 5])
    np.testing.assert_array_equal(found["therapist"][0], [0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 1, 1, 1, 1, 3, 3])


def of_blocks(clusters, n, blocks):
    resolved = resolve(CONTINUOUS, {"clusters": clusters})
    variant = resolved.variants[0]
    cohorts = [draw_block(variant, resolved.hash, Streams(7, block), n) for block in range(blocks)]
    return cohorts


def member_pairs(cohorts, distance, cluster, same):
    """Return last scores of two members of the active arm whose places differ by a distance."""
    left, right = [], []
    for cohort in cohorts:
        for r in range(250):
            members = np.flatnonzero(cohort.arm[r] == 1)
            group = cohort.groups[cluster][r, members]
            score = cohort.scores[r, members, -1, 0]
            pair = group[distance:] == group[:-distance] if same else group[distance:] != group[:-distance]
            left.append(score[:-distance][pair])
            right.append(score[distance:][pair])
    return np.concatenate(left), np.concatenate(right)


@pytest.mark.slow
def test_rolling_groups_share_less_with_who_joins_later():
    """The correlation of two members d joinings apart is (1 - d/m) of the ICC; bound of 4.9 standard errors."""
    clusters = {"group": {"arms": ["active"], "entry": "rolling", "size": 4, "number": 2, "icc": 0.2}}
    cohorts = of_blocks(clusters, 60, 8)
    for apart, expected in ((1, 0.15), (2, 0.10), (3, 0.05), (4, 0.0)):
        left, right = member_pairs(cohorts, 2 * apart, "group", same=True)
        error = 1.0 / np.sqrt(250 * 8 * 2)  # at most: pairs of one replicate overlap, but there are many
        assert abs(np.corrcoef(left, right)[0, 1] - expected) < 4.9 * error
    left, right = member_pairs(cohorts, 1, "group", same=False)
    assert abs(np.corrcoef(left, right)[0, 1]) < 4.9 / np.sqrt(250 * 8 * 2)


@pytest.mark.slow
def test_a_therapists_groups_hang_together_less_than_the_members_of_one():
    clusters = {
        "group": {"arms": ["active"], "size": 4, "icc": 0.15},
        "therapist": {"of": "group", "groups_each": 4, "icc": 0.1},
    }
    cohorts = of_blocks(clusters, 60, 8)
    within, apart = member_pairs(cohorts, 1, "group", same=True), member_pairs(cohorts, 4, "therapist", same=True)
    error = 1.0 / np.sqrt(250 * 8 * 2)
    assert abs(np.corrcoef(*within)[0, 1] - 0.25) < 4.9 * error
    assert abs(np.corrcoef(*apart)[0, 1] - 0.1) < 4.9 * error


def test_what_groups_of_a_therapy_share_grows_with_it():
    changes = {
        "arms": {"midazolam": {"infusion": "midazolam"}, "ketamine": {"infusion": "ketamine", "therapy": "dbt"}},
        "schedule": {"infusions": [0, 3, 7, 10], "visits": [7, 35, 70]},
        "therapies": {"dbt": {"weeks": 10, "onset_weeks": 0, "effects": {"qids_sr16": {"points": -1.0}}}},
    }
    clusters = {
        "group": {"therapy": "dbt", "size": 8, "icc": 0.1},
        "leader": {"of": "group", "groups_each": 2, "icc": 0.02},
    }
    variant = resolve(
        BOUNDED, {**changes, "dropout": None, "estimands.primary.visit": 70, "clusters": clusters}
    ).variants[0]
    for cluster in variant.clusters:
        assert cluster.arms == (1,)
        np.testing.assert_allclose(cluster.growth, [0.1, 0.5, 1.0])
    loading = build_patient_model(variant).groups.loading
    n_outcomes = len(variant.outcomes)
    latent = loading[0, 1, 0].reshape(-1, n_outcomes) ** 2
    np.testing.assert_array_equal(latent[0], 0.0)
    assert (np.diff(latent, axis=0) > 0).all()


@pytest.mark.parametrize(
    ("cluster", "path", "said"),
    [
        ({"entry": "rolling", "size": 8, "icc": 0.1}, "clusters.group.entry", "rolling needs size .* and number"),
        ({"entry": "rolling", "size": [6, 8], "number": 2, "icc": 0.1}, "clusters.group.entry", "one number"),
        ({"size": [10, 6], "icc": 0.1}, "clusters.group.size", "the smallest size comes first"),
        ({"of": "other", "groups_each": 2, "icc": 0.1}, "clusters.group.of", "other"),
        ({"of": "site", "icc": 0.1}, "clusters.group", "go together"),
        ({"of": "site", "groups_each": 2, "size": 8, "icc": 0.1}, "clusters.group.size", "leave it out"),
        ({"size": 8, "icc": 0.1, "therapy": "dbt"}, "clusters.group.therapy", "dbt"),
        ({"size": 1, "icc": 0.1}, "clusters.group.size", "2"),
    ],
)
def test_groups_that_cannot_be(cluster, path, said):
    with pytest.raises(InputError) as caught:
        resolve(BOUNDED, {"clusters": {"group": cluster, "site": {"number": 3, "icc": 0.01}}})
    faults = [fault for fault in caught.value.faults if fault.path == path]
    assert faults, caught.value
    assert re.search(said, faults[0].message)


def test_a_number_of_patients_that_leaves_a_group_of_one():
    """34 patients are 17 in each of two arms, and 17 are two groups of eight and one patient."""
    changes = {"clusters": {"group": THERAPY}, "sample_size": [32, 34, 36]}
    with pytest.raises(
        InputError, match=r"sample_size\[?\.?1.*17 patients in arm ketamine leave a group of one in group"
    ):
        resolve(BOUNDED, changes)
    for size in ([6, 10], 7):
        assert resolve(
            BOUNDED, {"clusters": {"group": {**THERAPY, "size": size}}, "sample_size": [32, 34, 36]}
        ).variants


def test_so_many_therapy_groups_that_patients_are_alone_in_some():
    """80 patients are 40 in the one arm with groups: 20 groups have two each, 21 leave one alone in two of them."""
    group = {key: value for key, value in THERAPY.items() if key != "size"}
    for number, fits in ((20, True), (21, False)):
        changes = {"clusters": {"group": {**group, "number": number}}, "sample_size": [80, 160]}
        if fits:
            assert resolve(BOUNDED, changes).variants
            continue
        with pytest.raises(InputError, match=r"clusters\.group\.number: 21 groups of about 40 patients .* at most 20"):
            resolve(BOUNDED, changes)


def test_sites_of_one_are_told_and_run():
    """Sites lie across arms, and a real one may recruit a single patient."""
    changes = {"clusters": {"site": {"number": 41, "icc": 0.02}}, "sample_size": 80}
    with pytest.warns(ScenarioWarning, match=r"clusters\.site\.number: warning: of 41 groups some have a single"):
        assert resolve(BOUNDED, changes).variants
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resolve(BOUNDED, {"clusters": {"site": {"number": 40, "icc": 0.02}}, "sample_size": 80}).variants
