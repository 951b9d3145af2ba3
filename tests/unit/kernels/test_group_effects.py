"""What groups share: latent correlations on both kinds of scale, the covariance by loops, and the largest share."""

import numpy as np
import pytest

from trialsim.kernels.copula import rounded_correlation
from trialsim.kernels.group_effects import GroupError, between_outcomes, latent_icc, shared_covariance, split
from trialsim.kernels.margins import BoundedMargins, fit_bounded_margins

K, V = 2, 3
J = K * (V + 1)
ICC = np.array([0.0, 0.0, *[0.1, 0.2] * V])


def correlation(n_strata=2, visits=0.6, outcomes=0.5, baseline=0.4):
    """Return one outcome pair over visits with equal correlations, (S, J, J)."""
    times = np.full((V + 1, V + 1), visits)
    times[0], times[:, 0] = baseline, baseline
    np.fill_diagonal(times, 1.0)
    pair = np.array([[1.0, outcomes], [outcomes, 1.0]])
    return np.broadcast_to(np.kron(times, pair), (n_strata, J, J))


def bounded(mean):
    return fit_bounded_margins(np.asarray(mean), np.full(np.shape(mean), 4.0), minimum=0.0, maximum=27.0, step=1.0)


def test_on_the_real_line_nothing_is_to_be_solved():
    np.testing.assert_array_equal(latent_icc(ICC, [None] * J, (2, 3)), np.broadcast_to(ICC, (2, 3, J)))


def test_on_a_scale_the_scores_have_the_correlation_asked_for():
    mean = np.array([[3.0, 9.0, 14.0]])
    margins = [None, None, *[bounded(mean)] * (J - 2)]
    latent = latent_icc(ICC, margins, (1, 3))
    assert np.all(latent[..., 2:] > ICC[2:])
    for j in range(2, J):
        for s in range(3):
            one = BoundedMargins(margins[j].values, *(part[0, s] for part in margins[j][1:]))
            rho = latent[0, s, j]
            pair = rounded_correlation(np.array([[1.0, rho], [rho, 1.0]]), [one, one])
            assert pair[0, 1] == pytest.approx(ICC[j], abs=1e-9)


def test_effects_on_two_outcomes_go_together_as_the_outcomes_do_later():
    np.testing.assert_allclose(between_outcomes(correlation(outcomes=0.7), K), [[1.0, 0.7], [0.7, 1.0]])


def test_shared_covariance_by_loops():
    between = np.array([[1.0, 0.7], [0.7, 1.0]])
    shared = shared_covariance(ICC, between)
    for i in range(J):
        for j in range(J):
            assert shared[i, j] == pytest.approx(np.sqrt(ICC[i] * ICC[j]) * between[i % K, j % K])


def test_own_and_shared_parts_make_up_the_whole_and_other_arms_keep_theirs():
    latent = np.broadcast_to(correlation(), (3, 2, J, J))
    between = between_outcomes(correlation(), K)
    share, own = split(latent, np.stack([ICC, 0.5 * ICC]), [(1, 2), (2,)], [None] * J, between)
    np.testing.assert_array_equal(own[0], latent[0])
    np.testing.assert_allclose(own + shared_covariance(share, between).sum(axis=0), latent, atol=1e-15)
    np.testing.assert_allclose(share[:, :, 0, -1], [[0.0, 0.2, 0.2], [0.0, 0.0, 0.1]])


def test_the_largest_share_is_what_visits_have_in_common_beyond_the_baseline():
    # With equal correlations, less the baseline's square, what visits have in common can be shared to the last.
    latent = np.broadcast_to(correlation(1), (1, 1, J, J))
    between = between_outcomes(correlation(1), K)
    icc = np.array([[0.0, 0.0, *[0.9, 0.9] * V]])
    with pytest.raises(GroupError) as caught:
        split(latent, icc, [(0,)], [None] * J, between)
    left = (1.0 - 0.6) / V + 0.6 - 0.4**2
    assert caught.value.share * 0.9 == pytest.approx(left, abs=1e-6)
    assert caught.value.group == 0


def test_where_others_are_too_much_already_nothing_is_left():
    latent = np.broadcast_to(correlation(1), (1, 1, J, J))
    icc = np.stack([np.array([0.0, 0.0, *[value] * (2 * V)]) for value in (0.6, 0.7)])
    with pytest.raises(GroupError) as caught:
        split(latent, icc, [(0,), (0,)], [None] * J, between_outcomes(correlation(1), K))
    assert caught.value.group == 1
    assert caught.value.share < 1e-9
