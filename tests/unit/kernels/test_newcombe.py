"""The test that belongs to Newcombe's interval."""

import numpy as np
import pytest

from trialsim.kernels.binary import Counts, newcombe_difference
from trialsim.kernels.binary.newcombe import newcombe_test

COUNTS = Counts(
    *(
        np.array(row, dtype=float)
        for row in ([15, 0, 30, 20, 7], [50, 20, 30, 40, 9], [5, 3, 0, 20, 3], [50, 30, 25, 40, 9])
    )
)


@pytest.mark.parametrize("null", [0.0, -0.2, 0.1])
def test_at_the_level_of_p_the_interval_ends_at_the_null(null):
    found = newcombe_test(COUNTS, null=null)
    for r in np.flatnonzero((found.p > 1e-6) & (found.p < 1 - 1e-9)):  # a level nearer 1 has no digits left
        one = Counts(*(field[[r]] for field in COUNTS))
        interval = newcombe_difference(one, level=1.0 - found.p[r])
        end = interval.low if found.z[r] > 0 else interval.high
        assert end[0] == pytest.approx(null, abs=1e-9)


def test_equal_risks_have_p_1_and_an_empty_arm_has_none():
    found = newcombe_test(COUNTS)
    assert found.p[3] == 1.0
    empty = newcombe_test(COUNTS._replace(n_active=np.zeros(5), active=np.zeros(5)))
    assert np.isnan(empty.p).all()
    assert (empty.reason == 1).all()


def test_sides():
    less, greater = (newcombe_test(COUNTS, null=0.05, alternative=side) for side in ("less", "greater"))
    np.testing.assert_allclose(less.p + greater.p, 1.0, rtol=1e-12)
    both = newcombe_test(COUNTS, null=0.05)
    np.testing.assert_allclose(both.p, 2 * np.minimum(less.p, greater.p), rtol=1e-9)
