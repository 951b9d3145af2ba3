r"""What leaving out a participant does to a fit, to the first step, without fitting again.

At the whole trial's Σ everything of the trial without participant i is a small change of the trial's own. With
:math:`E` the participant's design (visits × coefficients), :math:`r` the residuals, :math:`U = A^{-1}E_o'`,
:math:`Q = \Sigma_{oo} - E_oA^{-1}E_o'` and :math:`\delta = UQ^{-1}r_o`:

.. math:: \beta_{(i)} = \beta - \delta, \qquad A_{(i)}^{-1} = A^{-1} + UQ^{-1}U',

.. math:: g_{(i)j} = s_j'\delta + \tfrac12 \delta'D_j\delta + \tfrac12\,\mathrm{tr}(D_jUQ^{-1}U') - g_{ij}

exactly, where :math:`s_j = \sum E'WJ_jWr` and :math:`D_j = \sum E'WJ_jWE` are sums over the whole trial and
:math:`g_{ij}` is the participant's own share. One step with the trial's information gives :math:`\Sigma_{(i)}`; the
coefficients follow it along their derivative. The error against the full refit is of order 1/N of the change itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.factor import cholesky
from trialsim.kernels.imputation.groups import Grouped
from trialsim.kernels.imputation.likelihood import Problem
from trialsim.kernels.mmrm import PatternStatistics

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


def step_without_each(
    problem: Problem, grouped: Grouped, whole: PatternStatistics, sigma: Array, information: Array
) -> tuple[Array, Array, Flags]:
    """Return Σ and coefficients of every trial without each participant in turn, to the first step.

    Parameters
    ----------
    problem : Problem
    grouped : Grouped
    whole : PatternStatistics
        Of the R trials.
    sigma, information : ndarray, shapes (R, S, V, V) and (R, S·m, S·m)
        Optimum and observed information of the trials.

    Returns
    -------
    sigma : ndarray, shape (R, N + 1, S, V, V)
    coefficients : ndarray, shape (R, N + 1, b)
    sound : ndarray of bool, shape (R, N + 1)
        Whether the participant can be left out, and Σ is positive definite.
    """
    theta = problem.likelihood.start(sigma)
    state = problem.likelihood.evaluate(theta, whole)
    s, d = problem.likelihood.mean_derivatives(theta, state, whole)
    n_replicates, n_rows, v = grouped.y.shape
    b, size = state.beta.shape[1], d.shape[1]
    pattern = problem.patterns(grouped)
    observed = np.concatenate([problem.observed, np.zeros((1, v), dtype=bool)])[pattern]
    kind = np.append(problem.kind, 0)[pattern]
    trial = np.arange(n_replicates)[:, None]
    w = np.where((pattern >= 0)[..., None, None], state.weights[trial, pattern], 0.0)
    k = problem.design.matrix.transpose(1, 0, 2).reshape(-1, v * b)
    design = (grouped.x @ k).reshape(n_replicates, n_rows, v, b) * observed[..., None]
    r = (grouped.y - (design @ state.beta[:, None, :, None])[..., 0]) * observed
    u = (design.reshape(n_replicates, -1, b) @ state.inverse).reshape(design.shape)
    both = observed[..., :, None] & observed[..., None, :]
    leverage = u @ design.swapaxes(-1, -2)
    q = np.where(both, sigma[trial, kind] - leverage, np.eye(v))
    _, apart = cholesky(q.reshape(-1, v, v))
    apart = apart.reshape(n_replicates, n_rows)
    inverse = np.linalg.inv(np.where(apart[..., None, None], q, np.eye(v))) * both
    qu = inverse @ u
    delta = (qu.swapaxes(-1, -2) @ r[..., None])[..., 0]
    change = u.swapaxes(-1, -2) @ qu
    # tr D_j(δδ' + UQ⁻¹U')/2 + s_j'δ over the whole trial, at the coefficients without i
    flat = (change + delta[..., None] * delta[..., None, :]).reshape(n_replicates, n_rows, -1)
    gradient = 0.5 * flat @ d.reshape(n_replicates, size, -1).swapaxes(1, 2) + delta @ s.swapaxes(1, 2)
    # less the participant's own share, from the residuals and the mean's uncertainty without i
    pushed = leverage @ inverse
    wr = (w @ (r[..., None] + pushed @ r[..., None]))[..., 0]
    spread = leverage + pushed @ leverage
    own = 0.5 * (wr[..., None] * wr[..., None, :] + w @ spread @ w - w)
    gradient -= problem.gradient_of(own, kind)
    step = gradient @ np.linalg.inv(information)
    moved = problem.likelihood.covariance(step.reshape(-1, size)).reshape(n_replicates, n_rows, *sigma.shape[1:])
    # dβ = −A⁻¹ Σ_j s_j dθ_j, with A and s of the trial without i
    own_move = np.take_along_axis(moved, kind[..., None, None, None], axis=2)[:, :, 0]
    pull = step @ s
    turned = (step @ d.reshape(n_replicates, size, -1)).reshape(n_replicates, n_rows, b, b)
    pull += (turned @ delta[..., None])[..., 0]
    pull -= (design.swapaxes(-1, -2) @ (w @ (own_move @ wr[..., None])))[..., 0]
    follow = pull @ state.inverse + (change @ pull[..., None])[..., 0]
    new = sigma[:, None] + moved
    _, definite = cholesky(new.reshape(-1, v, v))
    sound = apart & definite.reshape(n_replicates, n_rows, -1).all(axis=2)
    return new, state.beta[:, None] - delta - follow, sound
