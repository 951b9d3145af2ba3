"""The imputation model of every trial of a block: by regressions where they apply, by Newton's method elsewhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.imputation.groups import Grouped, Model
from trialsim.kernels.imputation.likelihood import Problem, maximise
from trialsim.kernels.imputation.one_step import step_without_each
from trialsim.kernels.imputation.refits import refit_without_each
from trialsim.kernels.imputation.sequential import BaseFits, fit_sequential, is_monotone

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]


def fit_base(grouped: Grouped, model: Model, n_arms: int, *, jackknife: bool, one_step: bool = False) -> BaseFits:
    """Return the REML fits of the imputation model, whole and, for a jackknife, without each participant in turn.

    Parameters
    ----------
    grouped : Grouped
    model : Model
    n_arms : int
    jackknife : bool
        Also fit without each participant in turn.
    one_step : bool
        Stop those refits after their first step from the whole trial's fit.

    Returns
    -------
    BaseFits
        With zero coefficients and the identity as covariance where there is no fit.
    """
    n_replicates, n_rows, n_visits = grouped.y.shape
    n_fits = n_rows if jackknife else 1
    shape = (n_replicates, n_fits)
    fits = BaseFits(
        np.zeros((*shape, n_visits, grouped.x.shape[2])),
        np.zeros((*shape, n_arms if model.by_arm else 1, n_visits, n_visits)),
        np.zeros(shape, dtype=bool),
        np.zeros(shape, dtype=bool),
    )
    by_regression = is_monotone(grouped) & (not model.by_arm)
    rows = np.flatnonzero(by_regression)
    if len(rows):
        part = fit_sequential(grouped.rows(rows), model.n_constant, jackknife=jackknife, one_step=one_step)
        _put(fits, rows, part)
    rows = np.flatnonzero(~by_regression)
    if len(rows):
        part = _fit_by_likelihood(grouped.rows(rows), model, n_arms, jackknife=jackknife, one_step=one_step)
        _put(fits, rows, part)
    sound = fits.estimable & fits.converged
    fits.coefficients[~sound] = 0.0
    fits.covariance[~sound] = np.eye(n_visits)
    return fits


def _put(fits: BaseFits, rows: Index, part: BaseFits) -> None:
    for whole, piece in zip(fits, part, strict=True):
        whole[rows] = piece


def _fit_by_likelihood(grouped: Grouped, model: Model, n_arms: int, *, jackknife: bool, one_step: bool) -> BaseFits:
    n_rows = grouped.y.shape[1]
    problem = Problem(grouped, model.n_constant, model.by_arm, n_arms)
    whole = problem.products(grouped)
    sigma, information, estimable, converged = maximise(problem, whole)
    if jackknife:
        near, beta, sound = step_without_each(problem, grouped, whole, sigma, information)
        done = np.repeat(converged[:, None], n_rows, axis=1)
        if one_step:
            estimable = estimable[:, None] & sound
        else:
            start = np.where(sound[..., None, None, None], near, sigma[:, None])
            estimable = np.repeat(estimable[:, None], n_rows, axis=1)
            # The refits of a trial are the stack to work on: they share its products and its patterns.
            for r in np.flatnonzero(converged).tolist():
                own = grouped.trial(r)
                part = Problem(own, model.n_constant, model.by_arm, n_arms)
                fits = refit_without_each(part, own, sigma[r, None], information[r, None], start[r])
                near[r], beta[r], estimable[r], done[r] = fits
    else:
        near, beta = sigma[:, None], problem.evaluate(sigma, whole).beta[:, None]
        estimable, done = estimable[:, None], converged[:, None]
    return BaseFits(problem.design.expand_vector(beta), near, estimable, done)
