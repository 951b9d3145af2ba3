"""Amounts: quantiles against moments by integration and known points."""

import numpy as np
import pytest

from trialsim.kernels.amounts import amount_mean, amount_quantile

KINDS = [
    ("constant", (7.0,)),
    ("uniform", (2.0, 5.0)),
    ("triangular", (1.0, 2.0, 6.0)),
    ("triangular", (3.0, 3.0, 3.0)),
    ("triangular", (1.0, 1.0, 4.0)),
    ("triangular", (1.0, 4.0, 4.0)),
    ("lognormal", (600.0, 0.3)),
    ("gamma", (10.0, 4.0)),
    ("gamma", (10.0, 0.0)),
]


@pytest.mark.parametrize(("kind", "parameters"), KINDS)
def test_quantiles_rise_and_average_to_the_mean(kind, parameters):
    middle = (np.arange(200_000) + 0.5) / 200_000
    values = amount_quantile(kind, parameters, middle)
    assert np.all(np.diff(values) >= 0.0)
    assert values.min() >= 0.0
    assert values.mean() == pytest.approx(amount_mean(kind, parameters), rel=1e-4)


def test_known_points():
    q = np.array([0.5])
    assert amount_quantile("lognormal", (600.0, 0.3), q) == pytest.approx(600.0)
    assert amount_quantile("uniform", (2.0, 5.0), q) == pytest.approx(3.5)
    # Of a triangle from 0 to 3 with its peak at 1 a third lies below the peak.
    assert amount_quantile("triangular", (0.0, 1.0, 3.0), np.array([1.0 / 3.0])) == pytest.approx(1.0)


def test_the_spread_of_a_gamma_is_the_one_asked_for():
    middle = (np.arange(200_000) + 0.5) / 200_000
    assert amount_quantile("gamma", (10.0, 4.0), middle).std() == pytest.approx(4.0, rel=1e-3)
