"""Regressions of whole blocks: exact small cases, failures that are told, and growing trials."""

import numpy as np
import pytest

from trialsim.kernels.least_squares import coefficients, fit_least_squares, moments


def block(n_replicates=6, n=20, seed=0):
    rng = np.random.default_rng(seed)
    x = np.stack(
        [np.ones((n_replicates, n)), rng.integers(0, 2, (n_replicates, n)), rng.normal(size=(n_replicates, n))], 2
    )
    return x, rng.normal(size=(n_replicates, n))


def fit(x, y, included=None, contrast=(0.0, 1.0, 0.0)):
    included = np.ones(y.shape, dtype=bool) if included is None else included
    products, counts = moments(x, y, included)
    return fit_least_squares(products[0], counts[0], np.array(contrast))


def test_two_groups_are_the_pooled_t_test():
    y = np.array([[1.0, 2.0, 4.0, 3.0, 7.0, 8.0]])
    x = np.stack([np.ones(6), [0, 0, 0, 1, 1, 1]], 1)[None]
    result = fit(x, y, contrast=(0.0, 1.0))
    pooled = (14.0 / 3.0 + 14.0) / 4.0
    assert result.estimate[0] == pytest.approx(6.0 - 7.0 / 3.0, rel=1e-14)
    assert result.residual_variance[0] == pytest.approx(pooled, rel=1e-13)
    assert result.se[0] == pytest.approx(np.sqrt(pooled * 2 / 3), rel=1e-13)
    assert result.df[0] == 4


def test_sizes_are_the_trials_of_the_first_participants():
    x, y = block()
    included = np.random.default_rng(2).random(y.shape) < 0.8
    products, counts = moments(x, y, included, sizes=(5, 12, 20))
    for s, n in enumerate((5, 12, 20)):
        alone, count = moments(x[:, :n], y[:, :n], included[:, :n])
        np.testing.assert_allclose(products[s], alone[0], rtol=1e-13, atol=1e-13)
        np.testing.assert_array_equal(counts[s], count[0])


def test_those_not_included_do_not_count_whatever_their_score():
    x, y = block()
    included = np.random.default_rng(2).random(y.shape) < 0.8
    first = fit(x, y, included)
    y[~included] = np.nan
    again = fit(x, y, included)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("case", ["constant covariate", "one arm", "nobody", "one participant", "n equals q"])
def test_what_cannot_be_estimated_is_nan_and_mates_stay_the_same(case):
    x, y = block()
    included = np.ones(y.shape, dtype=bool)
    alone = fit(x, y)
    if case == "constant covariate":
        x[2, :, 2] = 5.0
    elif case == "one arm":
        x[2, :, 1] = 1.0
    else:
        included[2, {"nobody": 0, "one participant": 1, "n equals q": 3}[case] :] = False
    result = fit(x, y, included)
    others = np.arange(6) != 2
    np.testing.assert_array_equal(result.estimable, others)
    for new, old in zip(result[:4], alone[:4], strict=True):
        assert np.isnan(new[2])
        np.testing.assert_array_equal(new[others], old[others])


def test_a_perfect_fit_is_an_estimate_with_no_error():
    x, y = block()
    y[1] = 2.0 + 3.0 * x[1, :, 1] - x[1, :, 2]
    y[2] = 4.0
    result = fit(x, y)
    assert result.estimable.all()
    assert result.estimate[1] == pytest.approx(3.0, abs=1e-12)
    assert result.estimate[2] == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(result.se[1:3], 0.0, atol=1e-6)


def test_coefficients():
    x, y = block()
    beta = np.array([2.0, 3.0, -1.0])
    products, _ = moments(x, x @ beta, np.ones(y.shape, dtype=bool))
    np.testing.assert_allclose(coefficients(products[0]), np.broadcast_to(beta, (6, 3)), atol=1e-12)
