"""Evenly spread points: the same for fewer of them, and right about known integrals."""

import numpy as np
import pytest
from scipy.special import ndtr

from trialsim.kernels.lattice import even_normals, even_points


def test_points_are_inside_and_the_first_of_more_are_the_same():
    few, many = even_points(3, 50), even_points(5, 200)
    assert few.shape == (3, 50)
    np.testing.assert_array_equal(few, many[:3, :50])
    assert ((many > 0) & (many < 1)).all()


def test_steps_are_the_square_roots_of_primes():
    np.testing.assert_allclose(even_points(8, 1)[:, 0], (np.sqrt([2, 3, 5, 7, 11, 13, 17, 19]) % 1) / 2)
    assert len(np.unique(even_points(200, 1))) == 200


@pytest.mark.parametrize("dimensions", [1, 4, 8])
def test_means_over_points_are_integrals(dimensions):
    """Of a product, and of the largest of independent normals being small; random points: SE 0.002."""
    points = even_points(dimensions, 65_536)
    assert np.prod(2 * points, axis=0).mean() == pytest.approx(1.0, abs=5e-3)
    largest = even_normals(dimensions, 65_536).max(axis=0)
    for at in (0.0, 0.7, 1.5):
        assert (largest < at).mean() == pytest.approx(ndtr(at) ** dimensions, abs=1e-3)
