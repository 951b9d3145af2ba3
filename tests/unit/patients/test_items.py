"""Items given a total: exact totals, sensible items, draws that stay where they are."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trialsim import evidence
from trialsim.patients.items import (
    BSL23_PROFILE,
    BSL23_UNIFORMS,
    QIDS_DOMAINS,
    QIDS_PROFILE,
    QIDS_UNIFORMS,
    bsl23_items,
    bsl23_score,
    qids_domains,
    qids_items,
    qids_total,
)

UNIT = st.floats(0.0, 1.0, exclude_max=True)


def domains(items):
    """Nine domains of items (..., 16), by name rather than by slices."""
    item = {number: items[..., number - 1] for number in range(1, 17)}
    worst = {"sleep": (1, 2, 3, 4), "appetite_weight": (6, 7, 8, 9), "psychomotor": (15, 16)}
    single = {"sad": 5, "concentration": 10, "self_view": 11, "suicidal_ideation": 12, "interest": 13, "energy": 14}
    found = {name: np.max([item[i] for i in members], axis=0) for name, members in worst.items()}
    return found | {name: item[i] for name, i in single.items()}


def alpha(items):
    """Cronbach's alpha of items (patients, items)."""
    k = items.shape[1]
    return k / (k - 1) * (1 - items.var(axis=0, ddof=1).sum() / items.sum(axis=1).var(ddof=1))


@settings(deadline=None)
@given(total=st.integers(0, 27), uniforms=arrays(np.float64, QIDS_UNIFORMS, elements=UNIT))
def test_qids_items_give_the_total_back(total, uniforms):
    items = qids_items(total, uniforms)
    assert items.shape == (16,)
    assert items.min() >= 0
    assert items.max() <= 3
    assert sum(int(x) for x in domains(items).values()) == total == qids_total(items)
    assert not (items[[5, 7]].any() and items[[6, 8]].any())


@settings(deadline=None)
@given(points=st.integers(0, 92), uniforms=arrays(np.float64, BSL23_UNIFORMS, elements=UNIT))
def test_bsl23_items_give_the_score_back(points, uniforms):
    score = np.linspace(0, 4, 93)[points]
    items = bsl23_items(score, uniforms)
    assert items.shape == (23,)
    assert items.min() >= 0
    assert items.max() <= 4
    assert items.sum() == points
    assert bsl23_score(items) == pytest.approx(score, abs=1e-14)


def test_every_total_at_once():
    rng = np.random.default_rng(1)
    totals = np.arange(28.0)[:, None] + np.zeros(500)
    np.testing.assert_array_equal(qids_total(qids_items(totals, rng.random((28, 500, QIDS_UNIFORMS)))), totals)
    sums = np.arange(93)[:, None] + np.zeros(200, dtype=int)
    items = bsl23_items(sums / 23, rng.random((93, 200, BSL23_UNIFORMS)))
    np.testing.assert_array_equal(items.sum(axis=-1), sums)


def test_another_participant_or_visit_moves_nobody():
    rng = np.random.default_rng(2)
    totals = rng.integers(0, 28, (60, 7))
    uniforms = rng.random((60, 7, QIDS_UNIFORMS))
    whole = qids_items(totals, uniforms)
    np.testing.assert_array_equal(qids_items(totals[:20], uniforms[:20]), whole[:20])
    np.testing.assert_array_equal(qids_items(totals[3, 4], uniforms[3, 4]), whole[3, 4])
    scores = rng.integers(0, 93, 40) / 23
    uniforms = rng.random((40, BSL23_UNIFORMS))
    np.testing.assert_array_equal(bsl23_items(scores[:9], uniforms[:9]), bsl23_items(scores, uniforms)[:9])


def test_with_the_same_draws_a_higher_total_lowers_no_domain():
    rng = np.random.default_rng(3)
    rising = domains(qids_items(np.arange(28) + np.zeros((100, 28)), rng.random((100, 1, QIDS_UNIFORMS))))
    assert all((np.diff(scores, axis=-1) >= 0).all() for scores in rising.values())
    items = bsl23_items((np.arange(93) + np.zeros((50, 93))) / 23, rng.random((50, 1, BSL23_UNIFORMS)))
    assert (np.diff(items, axis=-2) >= 0).all()


def test_a_profile_that_is_kept_is_seen_at_two_visits():
    """Domain scores less their means, over 20,000 patients at total 13; standard error of a correlation is 0.007.

    Kept profiles correlate by 0.15 or more, new ones not at all: 4.9 standard errors are 0.035.
    """
    rng = np.random.default_rng(4)
    first, second = rng.random((2, 20_000, QIDS_UNIFORMS))
    kept = np.concatenate([first[:, :QIDS_PROFILE], second[:, QIDS_PROFILE:]], axis=-1)
    at = [np.stack(list(domains(qids_items(13 + np.zeros(20_000), u)).values())) for u in (first, kept, second)]
    for d in range(len(QIDS_DOMAINS)):
        assert np.corrcoef(at[0][d], at[1][d])[0, 1] > 0.15 - 0.035
        assert abs(np.corrcoef(at[0][d], at[2][d])[0, 1]) < 0.035


def test_chances_are_proportional_to_weights_at_a_total_of_one(monkeypatch):
    """40,000 patients without profiles: shares within 4.9 standard errors (at most 0.010)."""
    known = {name: evidence.get(f"defaults.items.qids_sr16.{name}.weight").value for name in QIDS_DOMAINS}
    monkeypatch.setattr(
        "trialsim.patients.items._assumed",
        lambda name: 0.0 if name.endswith("profile_sd") else evidence.get(f"defaults.items.{name}").value,
    )
    n = 40_000
    items = qids_items(np.ones(n), np.random.default_rng(5).random((n, QIDS_UNIFORMS)))
    for name, scores in domains(items).items():
        share = known[name] / sum(known.values())
        assert abs(scores.mean() - share) < 4.9 * np.sqrt(share * (1 - share) / n), name


def test_items_of_severe_depression_are_plausible():
    """20,000 patients like those of the default population.

    The suicidal item agrees with its own default baseline (1.1 to 1.5), sleep is the worst domain, and all domains rise
    together with the total.
    """
    rng = np.random.default_rng(6)
    n = 20_000
    baseline = np.clip(np.rint(rng.normal(18.5, 3.6, n)), 0, 27)
    means = {name: x.mean() for name, x in domains(qids_items(baseline, rng.random((n, QIDS_UNIFORMS)))).items()}
    assert 1.1 <= means["suicidal_ideation"] <= 1.5
    assert max(means, key=means.__getitem__) == "sleep"
    assert min(means, key=means.__getitem__) == "suicidal_ideation"
    mixed = rng.integers(2, 25, n)
    scores = np.stack(list(domains(qids_items(mixed, rng.random((n, QIDS_UNIFORMS)))).values()), axis=1)
    between = np.corrcoef(scores.T)[np.triu_indices(9, 1)]
    assert between.min() > 0.15
    assert between.max() < 0.6


def test_bsl23_items_hang_together_as_published():
    """Patients with and without BPD together: alpha lies in the range over validation studies."""
    rng = np.random.default_rng(7)
    groups = [evidence.get(f"defaults.trd_{g}.bsl23.baseline") for g in ("bpd", "no_bpd")]
    score = np.concatenate([rng.normal(g.value, g.spread, 10_000) for g in groups]).clip(0, 4)
    score = np.rint(score * 23) / 23
    items = bsl23_items(score, rng.random((20_000, BSL23_UNIFORMS)))
    published = evidence.get("instruments.bsl23.alpha")
    assert published.low < alpha(items) < published.high


def nearest(total, suicidal_ideation):
    """The score of item 12 nearest to a given one with which eight domains of 0 to 3 can make up the total."""
    allowed = [score for score in range(4) if 0 <= total - score <= 24]
    return min(allowed, key=lambda score: abs(score - suicidal_ideation))


def raced(total, uniforms, suicidal_ideation=None):
    """Nine domains by a race run place by place; with item 12 known, among the other eight for what is left."""
    arrivals, profile_sd = [], evidence.get("defaults.items.qids_sr16.profile_sd").value
    for k, name in enumerate(QIDS_DOMAINS):
        profile = math.exp(profile_sd * NormalDist().inv_cdf(uniforms[k]))
        weight = evidence.get(f"defaults.items.qids_sr16.{name}.weight").value * profile
        arrivals += [(-math.log(1 - uniforms[QIDS_PROFILE + 3 * k + j]) / weight, name) for j in range(3)]
    scores = dict.fromkeys(QIDS_DOMAINS, 0)
    if suicidal_ideation is not None:
        arrivals = [(time, name) for time, name in arrivals if name != "suicidal_ideation"]
        scores["suicidal_ideation"] = nearest(total, suicidal_ideation)
    for _, name in sorted(arrivals)[: total - scores["suicidal_ideation"]]:
        scores[name] += 1
    return list(scores.values())


def test_every_total_with_every_item_12():
    """Of 28 totals and 4 scores 12 pairs cannot both be: 6 with a score above the total, 6 with a total 24 above it."""
    total, known = np.meshgrid(np.arange(28), np.arange(4), indexing="ij")
    uniforms = np.random.default_rng(8).random((200, 28, 4, QIDS_UNIFORMS))
    items = qids_items(np.broadcast_to(total, (200, 28, 4)), uniforms, known)
    assert items.min() == 0
    assert items.max() == 3
    np.testing.assert_array_equal(sum(domains(items).values()), np.broadcast_to(total, (200, 28, 4)))
    possible = (known <= total) & (total - known <= 24)
    assert (~possible).sum() == 12
    expected = [[nearest(t, s) for s in range(4)] for t in range(28)]
    np.testing.assert_array_equal(items[..., 11], np.broadcast_to(expected, (200, 28, 4)))
    np.testing.assert_array_equal((np.array(expected) == known), possible)


@pytest.mark.parametrize("suicidal_ideation", [None, 0, 1, 2, 3])
def test_the_race_is_the_one_run_place_by_place(suicidal_ideation):
    uniforms = np.random.default_rng(9).random((28, 40, QIDS_UNIFORMS))
    totals = np.arange(28)[:, None] + np.zeros((28, 40))
    found = qids_domains(qids_items(totals, uniforms, suicidal_ideation))
    expected = [[raced(total, one, suicidal_ideation) for one in uniforms[total]] for total in range(28)]
    np.testing.assert_array_equal(found, expected)


def test_item_12_as_it_would_be_drawn_changes_nothing_and_neither_does_an_unknown_one():
    rng = np.random.default_rng(10)
    totals, uniforms = rng.integers(0, 28, 5000), rng.random((5000, QIDS_UNIFORMS))
    drawn = qids_items(totals, uniforms)
    np.testing.assert_array_equal(qids_items(totals, uniforms, drawn[:, 11]), drawn)
    np.testing.assert_array_equal(qids_items(totals, uniforms, np.nan), drawn)
    some = np.where(np.arange(5000) < 2000, np.nan, 3.0)
    mixed = qids_items(totals, uniforms, some)
    np.testing.assert_array_equal(mixed[:2000], drawn[:2000])
    np.testing.assert_array_equal(mixed[2000:], qids_items(totals, uniforms, 3)[2000:])


def test_with_item_12_known_a_higher_total_lowers_no_domain():
    rng = np.random.default_rng(11)
    known = np.arange(4)[:, None, None]
    totals = np.broadcast_to(np.arange(28), (4, 100, 28))
    rising = qids_domains(qids_items(totals, rng.random((4, 100, 1, QIDS_UNIFORMS)), known))
    assert (np.diff(rising, axis=-2) >= 0).all()


@pytest.mark.parametrize("score", [-1, 4, 0.5, np.inf])
def test_an_item_12_that_the_form_does_not_have(score):
    with pytest.raises(ValueError, match=r"score of suicidal ideation .* from 0 to 3; got .* at index \(1,\)"):
        qids_items([9, 9], np.zeros((2, QIDS_UNIFORMS)), [0, score])


def test_scores_of_item_12_of_another_shape():
    with pytest.raises(ValueError, match=r"must have the shape of the totals, \(2,\); got \(3,\)"):
        qids_items([9, 9], np.zeros((2, QIDS_UNIFORMS)), [0, 1, 2])


@pytest.mark.parametrize("total", [-1, 28, 3.5, np.nan, np.inf])
def test_totals_the_scale_does_not_have(total):
    with pytest.raises(
        ValueError, match=r"QIDS-SR16 total must be a whole number from 0 to 27; got .* at index \(1,\)"
    ):
        qids_items([0, total], np.zeros((2, QIDS_UNIFORMS)))


def test_scores_off_the_steps_and_wrong_shapes():
    with pytest.raises(ValueError, match=r"BSL-23 sum .* from 0 to 92"):
        bsl23_items(1.01, np.zeros(BSL23_UNIFORMS))
    with pytest.raises(ValueError, match=r"need uniform numbers of shape \(3, 115\); got \(3, 23\)"):
        bsl23_items([1, 2, 3], np.zeros((3, BSL23_PROFILE)))
