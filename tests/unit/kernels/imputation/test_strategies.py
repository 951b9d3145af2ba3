from __future__ import annotations

import numpy as np
import pytest

from trialsim.kernels.imputation import STRATEGIES, Parameters

OWN = Parameters(np.array([[10.0], [8.0], [6.0], [4.0]]), np.eye(4) + 0.5)
REFERENCE = Parameters(np.array([[11.0], [10.0], [9.0], [7.0]]), 2.0 * np.eye(4) + 1.0)


@pytest.mark.parametrize(
    ("name", "event", "means"),
    [
        ("missing_at_random", 2, [10, 8, 6, 4]),
        ("jump_to_reference", 2, [10, 8, 9, 7]),
        ("copy_reference", 2, [11, 10, 9, 7]),
        ("copy_increments", 2, [10, 8, 7, 5]),
        ("last_mean_carried_forward", 2, [10, 8, 8, 8]),
        ("jump_to_reference", 0, [11, 10, 9, 7]),
        ("copy_increments", 0, [11, 10, 9, 7]),
        ("last_mean_carried_forward", 0, [10, 8, 6, 4]),
        ("copy_reference", 4, [10, 8, 6, 4]),
        ("copy_increments", 4, [10, 8, 6, 4]),
    ],
)
def test_means(name, event, means):
    result = STRATEGIES[name](OWN, REFERENCE, np.arange(4) < event)
    np.testing.assert_array_equal(result.mean[:, 0], means)


@pytest.mark.parametrize("name", ["jump_to_reference", "copy_increments"])
def test_joined_covariance_keeps_own_past_and_the_reference_regression(name):
    sigma = STRATEGIES[name](OWN, REFERENCE, np.arange(4) < 2).covariance
    np.testing.assert_allclose(sigma[:2, :2], OWN.covariance[:2, :2])
    slope = np.linalg.solve(sigma[:2, :2], sigma[:2, 2:])
    r = REFERENCE.covariance
    np.testing.assert_allclose(slope, np.linalg.solve(r[:2, :2], r[:2, 2:]))
    rest = sigma[2:, 2:] - sigma[2:, :2] @ slope
    np.testing.assert_allclose(rest, r[2:, 2:] - r[2:, :2] @ np.linalg.solve(r[:2, :2], r[:2, 2:]))
    np.testing.assert_allclose(sigma, sigma.T)


def test_one_covariance_for_all_is_left_alone():
    reference = REFERENCE._replace(covariance=OWN.covariance)
    result = STRATEGIES["jump_to_reference"](OWN, reference, np.arange(4) < 2)
    assert result.covariance is OWN.covariance
