"""Items of a cohort: they add up to the scores, a patient keeps a profile, and draws stay where they are."""

import numpy as np
import pytest

from trialsim.patients.items import QIDS_DOMAINS, bsl23_score, qids_domains, qids_total
from trialsim.patients.questionnaires import QUESTIONNAIRES, draw_items

PATIENTS = np.arange(4000)
TOTAL = np.random.default_rng(1).integers(0, 28, 4000).astype(float)
SCORE = np.random.default_rng(2).integers(0, 93, 4000) / 23


def drawn(instrument="qids_sr16", scores=TOTAL, patients=PATIENTS, **changes):
    given = {"outcome": instrument, "replicate": 3, "day": 14.0, **changes}
    return draw_items(instrument, scores, 7, patients=patients, **given)


def test_items_add_up_to_the_scores():
    qids = drawn()
    assert qids.shape == (4000, 25)
    np.testing.assert_array_equal(qids_total(qids[:, :16]), TOTAL)
    np.testing.assert_array_equal(qids[:, 16:], qids_domains(qids[:, :16]))
    np.testing.assert_array_equal(qids[:, 16:].sum(axis=1), TOTAL)
    bsl = drawn("bsl23", SCORE)
    assert bsl.shape == (4000, 23)
    np.testing.assert_allclose(bsl23_score(bsl), SCORE, atol=1e-12)


def test_columns_are_named_by_item_and_domain():
    columns = QUESTIONNAIRES["qids_sr16"].columns
    assert columns[:2] == ("item_1", "item_2")
    assert columns[16:] == tuple(f"domain_{name}" for name in QIDS_DOMAINS)
    np.testing.assert_array_equal(drawn()[:, columns.index("domain_suicidal_ideation")], drawn()[:, 11])


@pytest.mark.parametrize("instrument", QUESTIONNAIRES)
def test_a_smaller_trial_has_the_same_items(instrument):
    scores = TOTAL if instrument == "qids_sr16" else SCORE
    whole = drawn(instrument, scores)
    np.testing.assert_array_equal(drawn(instrument, scores[:50], PATIENTS[:50]), whole[:50])
    few = np.array([7, 900, 7])
    np.testing.assert_array_equal(drawn(instrument, scores[few], few), whole[few])


def test_another_trial_outcome_or_visit_has_other_items():
    for change in ({"replicate": 4}, {"replicate": 253}, {"day": 7.0}, {"outcome": "other"}):
        assert (drawn(**change) != drawn()).any(axis=1).mean() > 0.5


def test_a_profile_lasts_over_visits():
    """Correlation of sleep minus energy between two visits of 4,000 patients: 0 without a profile, SE 0.016."""
    half = np.full(4000, 13.0)
    names = QUESTIONNAIRES["qids_sr16"].columns
    sleep, energy = names.index("domain_sleep"), names.index("domain_energy")
    first, second, stranger = (
        drawn(scores=half, **change) for change in ({}, {"day": 7.0}, {"day": 7.0, "replicate": 4})
    )
    contrast = [one[:, sleep] - one[:, energy] for one in (first, second, stranger)]
    assert np.corrcoef(contrast[0], contrast[1])[0, 1] > 0.1
    assert abs(np.corrcoef(contrast[0], contrast[2])[0, 1]) < 4.9 / np.sqrt(4000)


def test_a_known_part_is_kept():
    known = np.random.default_rng(3).integers(0, 4, 4000).astype(float)
    known[::10] = np.nan
    qids = drawn(parts={"qids_si": known})
    np.testing.assert_array_equal(qids_total(qids[:, :16]), TOTAL)
    possible = (known <= TOTAL) & (TOTAL - known <= 24)
    assert 3000 < possible.sum() < 3600
    np.testing.assert_array_equal(qids[possible, 11], known[possible])
    np.testing.assert_array_equal(qids[::10], drawn()[::10])
    assert QUESTIONNAIRES["qids_sr16"].parts == ("qids_si",)


def test_nobody_has_no_items():
    assert drawn(scores=np.zeros(0), patients=np.zeros(0, dtype=np.intp)).shape == (0, 25)
