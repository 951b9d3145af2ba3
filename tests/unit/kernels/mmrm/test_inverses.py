"""Inverses by bordering beside those of numpy, pattern by pattern."""

import numpy as np
import pytest

from trialsim.kernels.mmrm.inverses import PatternInverses

V = 4


def covariances(n_replicates, n_groups, *, seed=1):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n_replicates, n_groups, V, 2 * V))
    return root @ root.swapaxes(-1, -2)


ALL = (np.arange(1 << V)[:, None] >> np.arange(V) & 1).astype(bool)


@pytest.mark.parametrize("order", [np.arange(1 << V), np.random.default_rng(2).permutation(1 << V)])
def test_every_pattern_in_any_order_with_a_covariance_for_each_group(order):
    observed = ALL[order]
    group = np.arange(len(observed)) % 3
    sigma = covariances(5, 3)
    weights, log_det = PatternInverses(observed, group)(sigma)
    for p, there in enumerate(observed):
        seen = np.flatnonzero(there)
        part = sigma[:, group[p]][:, seen[:, None], seen]
        expected = np.zeros((5, V, V))
        expected[:, seen[:, None], seen] = np.linalg.inv(part)
        np.testing.assert_allclose(weights[:, p], expected, atol=1e-13)
        np.testing.assert_allclose(log_det[:, p], np.linalg.slogdet(part)[1], atol=1e-12)


def test_groups_without_a_pattern_are_passed_over():
    sigma = covariances(2, 3)
    weights, _ = PatternInverses(np.ones((1, V), dtype=bool), np.array([2]))(sigma)
    np.testing.assert_allclose(weights[:, 0], np.linalg.inv(sigma[:, 2]), atol=1e-13)


def test_nearly_singular_covariances():
    """Correlations of 1 − 1e-7: W Σ is the identity as nearly as the condition number of 4e7 allows."""
    sigma = (np.ones((V, V)) - 1e-7 * (1.0 - np.eye(V)))[None, None]
    weights, log_det = PatternInverses(np.ones((1, V), dtype=bool), np.zeros(1, dtype=int))(sigma)
    np.testing.assert_allclose(weights[0, 0] @ sigma[0, 0], np.eye(V), atol=1e-7)
    exact = np.log1p(3.0 * (1.0 - 1e-7)) + 3.0 * np.log(1e-7)
    np.testing.assert_allclose(log_det[0, 0], exact, rtol=1e-8)
