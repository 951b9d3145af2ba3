"""Tabulated quantile functions against those that are iterated for."""

import numpy as np
import pytest
from scipy.special import betainc, betaincinv, gammainc, gammaincinv

from trialsim.kernels.quantile_table import beta_quantiles, gamma_quantiles

_ANY = np.random.default_rng(2).random(20_000)
_LOW = np.concatenate([[0.0, 1e-12, 1e-9, 6e-9], _ANY * 1e-5])
_HIGH = 1.0 - np.concatenate([[2.0**-53, 1e-12, 1e-9, 6e-9], _ANY * 1e-5])
UNIFORM = np.concatenate([_ANY, _LOW, _HIGH]).reshape(2, -1)


@pytest.mark.parametrize("shape", [1e-3, 0.01, 0.1, 0.5, 1.0, 3.7, 50.0, 1e4])
def test_gamma(shape):
    # The upper tail is no better than a uniform number next to 1 can tell: its last bit is 1e-8 of the tail there.
    np.testing.assert_allclose(gamma_quantiles(shape)(UNIFORM), gammaincinv(shape, UNIFORM), rtol=2e-9, atol=1e-250)
    found = gamma_quantiles(shape)(_ANY)
    above = found > 1e-250  # what is smaller is 0 to any use
    np.testing.assert_allclose(gammainc(shape, found[above]), _ANY[above], rtol=1e-11)


@pytest.mark.parametrize("first", [0.01, 0.3, 1.0, 2.94, 40.0, 1e4])
@pytest.mark.parametrize("second", [0.05, 0.7, 1.0, 1.26, 90.0])
def test_beta(first, second):
    found = beta_quantiles(first, second)(UNIFORM)
    np.testing.assert_allclose(found, betaincinv(first, second, UNIFORM), rtol=0, atol=1e-9)
    inside = (found[0] > 1e-200) & (found[0] < 1.0 - 1e-6)
    np.testing.assert_allclose(betainc(first, second, found[0][inside]), UNIFORM[0][inside], rtol=1e-9)


def test_a_larger_uniform_number_never_gives_less():
    uniform = np.sort(UNIFORM.reshape(-1))
    for quantiles in (gamma_quantiles(0.5), beta_quantiles(2.94, 1.26)):
        assert (np.diff(quantiles(uniform)) >= -1e-15 * quantiles(uniform)[1:]).all()


def test_shape_and_order_in_memory_do_not_matter():
    strided = UNIFORM[:, ::3].T
    np.testing.assert_array_equal(gamma_quantiles(2.0)(strided), gamma_quantiles(2.0)(strided.copy()))
    assert gamma_quantiles(2.0)(np.empty((0, 3))).shape == (0, 3)
