"""The covariance of all coefficients against the variance of single contrasts, which other software confirms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import trialsim as ts

MODEL = "y ~ baseline + arm*visit"
VISITS = 4


def trial(n: int = 40) -> pd.DataFrame:
    """Scores that vary more and more, of whom some leave, some miss a visit, in two groups."""
    rng = np.random.default_rng(7)
    person, visit = np.repeat(np.arange(n), VISITS), np.tile(np.arange(VISITS), n)
    own, baseline = np.repeat(rng.normal(size=n), VISITS), np.repeat(rng.normal(20.0, 3.0, n), VISITS)
    y = 0.5 * baseline + 2.0 * own + (1.0 + 0.3 * visit) * rng.normal(size=n * VISITS)
    y[(visit >= rng.integers(1, VISITS + 3, n)[person]) | (rng.random(n * VISITS) < 0.08)] = np.nan
    arm = np.where(person % 2 == 1, "active", "control")
    group = np.where(person % 3 == 0, "a", "b")
    return pd.DataFrame({"id": person, "arm": arm, "group": group, "baseline": baseline, "visit": visit, "y": y})


@pytest.mark.parametrize("by", [None, "group"])
@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger", "kenward-roger-mmrm"])
@pytest.mark.parametrize("covariance", ["unstructured", "heterogeneous_toeplitz", "ar1", "compound_symmetry"])
def test_it_gives_the_variance_of_every_contrast(covariance, df, by):
    fit = ts.mmrm(MODEL, trial(), subject="id", visit="visit", covariance=covariance, df=df, by=by)
    found = fit.coefficient_covariance.to_numpy()
    np.testing.assert_allclose(found, found.T, rtol=0, atol=1e-12 * found.max())
    np.testing.assert_allclose(np.sqrt(np.diag(found)), fit.coefficients["se"], rtol=1e-10)
    # A difference at each visit is a sum of two coefficients, so that those off the diagonal enter.
    for visit in range(VISITS):
        told = fit.contrast(arm=("control", "active"), visit=visit)
        weights = np.zeros(len(found))
        weights[fit.coefficients.index.get_loc("arm[T.control]")] = 1.0
        if visit:
            weights[[visit_of == f"arm[T.control]:visit[T.{visit}]" for visit_of in fit.coefficients.index]] = 1.0
        assert weights @ fit.coefficients["estimate"] == pytest.approx(told["estimate"], rel=1e-10)
        assert np.sqrt(weights @ found @ weights) == pytest.approx(told["se"], rel=1e-10)
    # All differences between arms at once, tested from the same covariance.
    assert 0.0 < fit.f_test("arm", "arm:visit")["p"] < 1.0
