"""Covariance structures: their shape, and derivatives against finite differences."""

import numpy as np
import pytest

from trialsim.kernels.mmrm import LADDER, STRUCTURES
from trialsim.kernels.mmrm.structures import structure

PARAMETERS = {
    "unstructured": 10,
    "compound_symmetry": 2,
    "ar1": 2,
    "toeplitz": 4,
    "ante_dependence": 4,
    "heterogeneous_compound_symmetry": 5,
    "heterogeneous_ar1": 5,
    "heterogeneous_toeplitz": 7,
    "heterogeneous_ante_dependence": 7,
}


def some_covariances(n=3, n_visits=4):
    sd = np.random.default_rng(1).uniform(2.0, 5.0, (n, n_visits))
    lag = np.abs(np.subtract.outer(np.arange(n_visits), np.arange(n_visits)))
    return sd[:, :, None] * sd[:, None, :] * 0.6**lag


def theta_of(name):
    shape = structure(name, 4)
    return shape, shape.start(some_covariances()) + 0.05 * np.arange(shape.n_parameters)


def test_every_structure_is_tested():
    assert set(PARAMETERS) == set(STRUCTURES)
    assert set(LADDER) <= set(STRUCTURES)


@pytest.mark.parametrize("name", STRUCTURES)
def test_number_of_parameters_and_symmetry(name):
    shape, theta = theta_of(name)
    assert theta.shape == (3, PARAMETERS[name])
    sigma = shape.covariance(theta)
    np.testing.assert_array_equal(sigma, sigma.transpose(0, 2, 1))


@pytest.mark.parametrize("name", STRUCTURES)
def test_derivatives(name):
    shape, theta = theta_of(name)
    weight = np.random.default_rng(2).normal(size=(3, 4, 4))
    weight = weight + weight.transpose(0, 2, 1)
    jacobian = np.broadcast_to(shape.jacobian(theta), (3, shape.n_parameters, 4, 4))
    curvature = np.broadcast_to(shape.curvature(theta, weight), (3, shape.n_parameters, shape.n_parameters))
    h = 1e-5
    for i in range(shape.n_parameters):
        e = h * np.eye(shape.n_parameters)[i]
        numeric = (shape.covariance(theta + e) - shape.covariance(theta - e)) / (2 * h)
        np.testing.assert_allclose(jacobian[:, i], numeric, rtol=1e-6, atol=1e-6)
        bend = (shape.jacobian(theta + e) - shape.jacobian(theta - e)) / (2 * h)
        expected = np.broadcast_to(
            np.einsum("rvw,rmvw->rm", weight, np.broadcast_to(bend, jacobian.shape)), theta.shape
        )
        np.testing.assert_allclose(curvature[:, i], expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("name", STRUCTURES)
def test_starting_from_a_covariance_of_that_structure_gives_it_back(name):
    shape = structure(name, 4)
    homogeneous = not name.startswith(("heterogeneous", "unstructured"))
    sigma = some_covariances()
    if homogeneous:
        sigma = sigma * 0 + 9.0 * 0.6 ** np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    if name.endswith("compound_symmetry"):
        sd = np.sqrt(np.einsum("rvv->rv", sigma))
        sigma = sd[:, :, None] * sd[:, None, :] * np.where(np.eye(4), 1.0, 0.4)
    np.testing.assert_allclose(shape.covariance(shape.start(sigma)), sigma, rtol=1e-12)


def test_zero_correlation_has_finite_derivatives():
    for name in STRUCTURES:
        shape = structure(name, 4)
        theta = shape.start(np.broadcast_to(np.eye(4), (1, 4, 4)))
        assert np.isfinite(shape.jacobian(theta)).all()
        assert np.isfinite(shape.curvature(theta, np.ones((1, 4, 4)))).all()


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="no covariance structure 'spatial'"):
        structure("spatial", 3)
