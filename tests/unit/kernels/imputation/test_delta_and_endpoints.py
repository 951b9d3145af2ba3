from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from trialsim.kernels.imputation import (
    accumulated_delta,
    composite,
    pool_rubin,
    quadratic_tipping_point,
    search_tipping_point,
    while_on_treatment,
)

NAN = np.nan
Y = np.array([[[9.0, 8.0, 7.0], [9.0, NAN, 6.0], [NAN, 5.0, 4.0], [8.0, 7.0, NAN]]])
EVENT = np.array([[3, 2, 1, 0]])


def test_accumulated_delta_grows_from_the_event_on():
    missing = np.array([[[False, False, True, True], [True, True, True, True]]])
    delta = accumulated_delta(missing, np.array([[2, 4]]), np.array([5.0, 6, 7, 8]), np.array([1.0, 2, 3, 4]))
    np.testing.assert_array_equal(delta, [[[0, 0, 7, 23], [0, 0, 0, 0]]])


def test_composite_counts_the_event_as_the_value():
    expected = [[[9, 8, 7], [9, NAN, 30], [NAN, 30, 30], [30, 30, 30]]]
    np.testing.assert_array_equal(composite(Y, EVENT, 30.0), expected)
    baseline = np.array([[1.0, 2, 3, 4]])[..., None]
    np.testing.assert_array_equal(composite(Y, EVENT, baseline)[0, 3], [4, 4, 4])


@pytest.mark.parametrize(("summary", "expected"), [("last", [7, 9, 20, 20]), ("mean", [8, 9, 20, 20])])
def test_while_on_treatment(summary, expected):
    first = np.full((1, 4), 20.0)
    np.testing.assert_array_equal(while_on_treatment(Y, EVENT, summary=summary, first=first), [expected])
    assert np.isnan(while_on_treatment(Y, EVENT, summary=summary)[0, 2])


def test_while_on_treatment_names_its_summaries():
    with pytest.raises(ValueError, match="'median'"):
        while_on_treatment(Y, EVENT, summary="median")


def p_of(delta, estimate, slope, v, c, w):
    return 2 * ndtr(-np.abs(estimate + slope * delta) / np.sqrt(v + 2 * c * delta + w * delta**2))


def test_tipping_point_by_formula_and_by_search_agree():
    rng = np.random.default_rng(4)
    estimate, slope = rng.normal(-3.0, 1.0, 200), rng.normal(0.2, 0.1, 200)
    v, w = rng.uniform(0.5, 1.5, 200), rng.uniform(0.001, 0.01, 200)
    c = rng.uniform(-0.5, 0.5, 200) * np.sqrt(v * w)
    exact = quadratic_tipping_point(estimate, slope, v, c, w)
    found = search_tipping_point(lambda d: p_of(d, estimate, slope, v, c, w), (200,), limit=100.0, n_grid=401)
    within = exact < 100
    np.testing.assert_allclose(found[within], exact[within], atol=1e-5)
    assert np.all(np.isinf(found[~within]))
    inner = within & (exact > 0)
    np.testing.assert_allclose(p_of(exact, estimate, slope, v, c, w)[inner], 0.05, rtol=1e-9)
    np.testing.assert_array_equal(exact == 0, p_of(0.0, estimate, slope, v, c, w) >= 0.05)


def test_tipping_point_without_a_result_to_overturn_or_without_an_answer():
    zero, one = np.zeros(1), np.ones(1)
    assert quadratic_tipping_point(0.1 * one, one, one, zero, zero)[0] == 0.0
    assert quadratic_tipping_point(-9 * one, -one, one, zero, zero)[0] == np.inf
    assert np.isnan(quadratic_tipping_point(NAN * one, one, one, zero, zero)[0])
    assert np.isnan(search_tipping_point(lambda d: d * NAN, (1,), limit=1.0)[0])
    assert search_tipping_point(lambda d: d * 0.0, (1,), limit=-1.0)[0] == -np.inf


def test_rubin_without_spread_between_imputations_has_the_complete_data_df():
    pooled = pool_rubin(np.ones((2, 5)), np.ones((2, 5)), np.array([50.0, np.inf]))
    np.testing.assert_allclose(pooled.df, [51 / 53 * 50, np.inf])
    np.testing.assert_allclose(pooled.se, 1.0)
