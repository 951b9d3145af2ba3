"""Who is randomised: draws with an address, records, inflation, and what stays as it was."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.engine.block import draw_block
from trialsim.patients.entry import binomial, geometric
from trialsim.patients.model import build_patient_model
from trialsim.patients.scores import draw_latent, scores_in_arms
from trialsim.scenario.selection import sd_of_change
from trialsim.streams import Streams

CUT = {"population.eligibility": {"outcome": "qids_sr16", "at_least": 18}}
RUN_IN = {"population.run_in": {"response": 0.3}}
BROUGHT = {"population.characteristics": {}}
MISSED = {"missing": {"intermittent": {"share": 0.1}}}
GROUPED = {"clusters": {"group": {"arms": ["ketamine"], "size": 8, "icc": 0.1}}}


def drawn(changes, *, document=BOUNDED, n=60, block=0):
    """A block of a scenario with changes."""
    resolved = resolve(document, changes)
    return draw_block(resolved.variants[0], resolved.hash, Streams(3, block), n)


def same(one, other, *, but=()):
    """Assert that two cohorts are the same bit for bit, but for some records."""
    for part in ("stratum", "arm", "baseline", "scores", "present"):
        np.testing.assert_array_equal(getattr(one, part), getattr(other, part), err_msg=part)
    for name in set(one.records) | set(other.records) - set(but):
        if name not in but:
            np.testing.assert_array_equal(one.records[name], other.records[name], err_msg=name)


def test_characteristics_change_nobodys_scores():
    same(drawn({**MISSED, **BROUGHT}), drawn(MISSED), but=("age", "female", "bipolar", "failed_treatments"))


def test_one_characteristic_moves_no_other():
    other = {"population.characteristics": {"female": {"share": 0.3, "baseline_correlation": 0.2}}}
    same(drawn(BROUGHT), drawn(other), but=("female",))


def test_of_a_larger_trial_the_first_participants_are_those_of_the_smaller():
    changes = {**CUT, **RUN_IN, **BROUGHT, **GROUPED}
    small, large = drawn(changes, n=40), drawn(changes, n=60)
    for name in ("age", "female", "bipolar", "failed_treatments", "screening", "screened", "excluded_in_run_in"):
        np.testing.assert_array_equal(small.records[name], large.records[name][:, :40])
    np.testing.assert_array_equal(small.baseline, large.baseline[:, :40])
    one = large.trial(7, 5)
    np.testing.assert_array_equal(one.records["screening"], large.records["screening"][7:8, :5])


def test_characteristics_keep_to_their_range_and_step():
    records = drawn(BROUGHT, n=400).records
    for name, low, high in (("age", 18, 75), ("female", 0, 1), ("bipolar", 0, 1), ("failed_treatments", 2, np.inf)):
        assert records[name].shape == (250, 400)
        assert records[name].min() == low
        assert records[name].max() <= high
        np.testing.assert_array_equal(records[name], np.round(records[name]))


@pytest.mark.parametrize("document", ["bounded", "real line"])
@pytest.mark.parametrize(("key", "side"), [("at_least", 1.0), ("at_most", -1.0)])
def test_all_who_enter_are_eligible(document, key, side):
    given, outcome = (BOUNDED, "qids_sr16") if document == "bounded" else (CONTINUOUS, "score")
    cohort = drawn({"population.eligibility": {"outcome": outcome, key: 18}}, document=given, n=200)
    screening = cohort.records["screening"]
    assert (side * screening >= side * 18).all()
    assert screening.min() != screening.max()
    if document == "bounded":
        assert (screening == 18).any()
        np.testing.assert_array_equal(screening, np.round(screening))


def test_a_cut_off_that_all_pass_turns_nobody_away():
    cohort = drawn({"population.eligibility": {"outcome": "qids_sr16", "at_least": 0}}, n=200)
    np.testing.assert_array_equal(cohort.records["screened"], 1)
    resolved = resolve(BOUNDED, {"population.eligibility": {"outcome": "qids_sr16", "at_least": 0}})
    plain = resolve(BOUNDED).variants[0].estimands[0].true_value
    assert resolved.variants[0].estimands[0].true_value == pytest.approx(plain, abs=1e-9)


def test_inflation_is_written_down_and_changes_nothing_later():
    """Selecting from 15 with 3 points added below 18 lets in whom a cut-off of 15 lets in."""
    lower = drawn({"population.eligibility": {"outcome": "qids_sr16", "at_least": 15}}, n=200)
    cut = {"outcome": "qids_sr16", "at_least": 18, "inflation": 3.0}
    inflated = drawn({"population.eligibility": cut}, n=200)
    np.testing.assert_array_equal(inflated.scores, lower.scores)
    true = lower.records["screening"]
    near = true < 18
    assert 0.1 < near.mean() < 0.9
    np.testing.assert_array_equal(inflated.records["screening"], true + 3 * near)
    np.testing.assert_array_equal(inflated.baseline[..., 1:], lower.baseline[..., 1:])
    np.testing.assert_array_equal(inflated.baseline[..., 0], np.minimum(lower.baseline[..., 0] + 3 * near, 27))
    assert (inflated.baseline[near][:, 0] == 27).any()
    # A smaller window lets in fewer.
    narrow = drawn({"population.eligibility": {**cut, "inflation_window": 1.0}}, n=200)
    assert narrow.records["screening"].min() == 18
    assert (narrow.records["screening"] == 20).sum() > (drawn(CUT, n=200).records["screening"] == 20).sum()


def test_inflated_baselines_stay_on_the_grid_of_their_scale():
    cut = {"outcome": "bsl23", "at_least": 1.5, "inflation": 3 / 23}
    variant = resolve(BOUNDED, {"population.eligibility": cut})
    cohort = draw_block(variant.variants[0], variant.hash, Streams(3, 0), 200)
    plain = draw_block(variant.variants[0], variant.hash, Streams(4, 0), 200)
    for found in (cohort.baseline[..., 2], cohort.records["screening"], plain.baseline[..., 2]):
        np.testing.assert_allclose(found * 23, np.round(found * 23), atol=1e-9)
    assert cohort.records["screening"].min() == pytest.approx(1.5, abs=1 / 23)


def test_a_run_in_goes_with_later_change_as_asked_and_not_with_the_baseline():
    variant = resolve(CONTINUOUS, {"population.run_in": {"response": 0.3, "correlation": 0.4}}).variants[0]
    model = build_patient_model(variant)
    loading = model.selection.loading[0, 0, :, 0]
    assert loading[0] == 0.0
    for v in range(3):
        sd = np.sqrt(25 + 25 - 2 * variant.correlation[0, 0, v + 1] * 25)
        np.testing.assert_allclose(-loading[v + 1] * 5.0 / sd, 0.4, rtol=1e-12)


def test_what_the_screening_score_tells_of_later_scores_it_tells_through_the_baseline():
    cut = {"outcome": "score", "at_least": 20, "screening_correlation": 0.7}
    variant = resolve(CONTINUOUS, {"population.eligibility": cut}).variants[0]
    loading = build_patient_model(variant).selection.loading[0, 0, :, 0]
    np.testing.assert_allclose(loading, 0.7 * variant.correlation[0, 0], rtol=1e-12)


@pytest.mark.parametrize("changes", [CUT, RUN_IN, {**CUT, **RUN_IN, **GROUPED}], ids=["cut", "run-in", "all, groups"])
def test_in_the_unselected_population_correlations_are_those_of_a_model_without_selection(changes):
    grouped = {key: value for key, value in changes.items() if key == "clusters"}
    plain, model = (build_patient_model(resolve(BOUNDED, part).variants[0]) for part in (grouped, changes))
    for with_selection, without in ((model.factor, plain.factor), *_group_factors(model, plain)):
        known = model.selection.loading @ np.swapaxes(model.selection.loading, -1, -2)
        whole = with_selection @ np.swapaxes(with_selection, -1, -2) + known
        np.testing.assert_allclose(whole, without @ np.swapaxes(without, -1, -2), atol=1e-12)


def _group_factors(model, plain):
    return [] if plain.groups is None else [(model.groups.factor, plain.groups.factor)]


def test_scores_without_what_was_selected_by_are_refused():
    model = build_patient_model(resolve(CONTINUOUS, {"population.run_in": {"response": 0.3}}).variants[0])
    latent = draw_latent(model, 5, 2, Streams(1, 0), "score")
    nobody = np.zeros((2, 5), dtype=np.intp)
    with pytest.raises(ValueError, match="selected by"):
        scores_in_arms(model, latent, nobody, nobody)


def test_a_model_that_selects_by_too_much_is_refused():
    """A variant changed by hand, past the checks of a scenario."""
    from trialsim.errors import InputError

    variant = resolve(CONTINUOUS, {"population.run_in": {"response": 0.3}}).variants[0]
    entry = replace(variant.entry, run_in=replace(variant.entry.run_in, correlation=0.99))
    with pytest.raises(InputError, match="can be at most"):
        build_patient_model(replace(variant, entry=entry))


def test_numbers_turned_away_are_quantiles():
    uniform = np.random.default_rng(2).random(2000)
    share = np.random.default_rng(3).random(2000)
    np.testing.assert_array_equal(geometric(uniform, share), stats.geom.ppf(uniform, share) - 1)
    n = np.random.default_rng(4).integers(0, 40, 2000)
    n[:20] = 4000
    np.testing.assert_array_equal(binomial(uniform, n.astype(float), share), stats.binom.ppf(uniform, n, share))
    np.testing.assert_array_equal(geometric(np.array([0.0, 0.999]), np.array([1.0, 1.0])), 0)
    np.testing.assert_array_equal(binomial(uniform[:2], np.array([3.0, 3.0]), np.array([0.0, 1.0])), [0, 3])


def test_the_sd_of_change_is_that_of_the_scores():
    variant = resolve(BOUNDED).variants[0]
    from trialsim.scenario.selection import Numbers

    numbers = Numbers(
        variant.baseline_mean, variant.baseline_sd, variant.sd, variant.correlation, (), variant.lower_is_better
    )
    r = variant.correlation[:, 1, 3 * 3 + 1]
    b, y = variant.baseline_sd[:, 1], variant.sd[:, 2, 1]
    np.testing.assert_allclose(sd_of_change(numbers, 2, 1) ** 2, b**2 + y**2 - 2 * r * b * y, rtol=1e-12)
