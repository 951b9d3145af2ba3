"""Two arms at one visit without adjustment: Student's and Welch's t tests."""

from __future__ import annotations

import numpy as np

from trialsim.analysis.contract import CONVERGED, FAILED, NOT_ESTIMABLE, Estimates, Observed
from trialsim.kernels.two_sample import pooled_t_test, welch_t_test
from trialsim.scenario.resolved import Analysis, Estimand

_TESTS = {"t_test": pooled_t_test, "welch": welch_t_test}


def analyse_t_test(
    observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]
) -> list[Estimates]:
    """Return the difference of means of two arms at one visit, for trials of the first n participants, for each n.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
    analysis : Analysis
        Of method 't_test' (one variance) or 'welch' (one for each arm).
    sizes : tuple of int
    """
    y = observed.scores[:, :, estimand.visit, estimand.outcome]
    active, control = observed.arm == estimand.active, observed.arm == estimand.control
    results = []
    for n in sizes:
        test = _TESTS[analysis.method](y[:, :n], active[:, :n], control[:, :n])
        seen = ~np.isnan(y[:, :n]) & (active[:, :n] | control[:, :n])
        results.append(
            Estimates(
                test.estimate,
                test.se,
                test.df,
                test.p,
                np.where(test.estimable, CONVERGED, FAILED).astype(np.int8),
                np.where(test.estimable, 0, 1).astype(np.int8),
                ("difference of means", NOT_ESTIMABLE),
                seen.sum(axis=1),
            )
        )
    return results
