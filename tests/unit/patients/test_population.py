"""Strata: drawn by their shares, or in exact proportions."""

import numpy as np
import pytest

from trials import BOUNDED, resolve
from trialsim.patients.population import draw_strata, quota_sequence
from trialsim.streams import Streams


def variant(strata_by="share", share=0.3):
    changes = {
        "population.strata.bpd.share": share,
        "population.strata.no_bpd.share": 1 - share,
        "population.strata_by": strata_by,
    }
    return resolve(BOUNDED, changes).variants[0]


def test_shares_hold_on_average():
    strata = draw_strata(variant(), 400, 250, Streams(3, 0))
    assert abs(np.mean(strata == 0) - 0.3) < 4.9 * np.sqrt(0.21 / strata.size)
    assert np.std((strata == 0).sum(axis=1)) > 5.0


def test_quotas_hold_in_every_trial_and_at_every_size():
    strata = draw_strata(variant("quota"), 400, 250, Streams(3, 0))
    gap = np.cumsum(strata == 0, axis=1) - 0.3 * np.arange(1, 401)
    assert np.abs(gap).max() < 1.0


@pytest.mark.parametrize("share", [(1.0,), (0.5, 0.5), (0.2, 0.3, 0.5), (0.01, 0.99)])
def test_quota_sequences_are_within_one_of_each_share(share):
    sequence = quota_sequence(np.array(share), 500)
    for s, part in enumerate(share):
        assert np.abs(np.cumsum(sequence == s) - part * np.arange(1, 501)).max() < 1.0


@pytest.mark.parametrize("strata_by", ["share", "quota"])
def test_a_larger_trial_begins_with_the_smaller_one(strata_by):
    large = draw_strata(variant(strata_by), 160, 250, Streams(3, 0))
    np.testing.assert_array_equal(large[:, :80], draw_strata(variant(strata_by), 80, 250, Streams(3, 0)))
