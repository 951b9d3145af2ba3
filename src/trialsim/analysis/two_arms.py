"""Two arms at one visit without adjustment: Student's and Welch's t tests."""

from __future__ import annotations

import numpy as np

from trialsim.analysis.contract import NOT_ESTIMABLE, Estimates, Observed, one_rung, wald_estimates
from trialsim.analysis.endpoints import score_at_visit
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
    y = score_at_visit(observed, estimand)
    active, control = observed.arm == estimand.active, observed.arm == estimand.control
    results = []
    for n in sizes:
        test = _TESTS[analysis.method](y[:, :n], active[:, :n], control[:, :n])
        seen = ~np.isnan(y[:, :n]) & (active[:, :n] | control[:, :n])
        results.append(
            wald_estimates(
                test.estimate,
                test.se,
                test.df,
                estimand,
                analysis,
                rung=one_rung(test.estimable),
                rungs=("difference of means", NOT_ESTIMABLE),
                n_rungs=1,
                n_analysed=seen.sum(axis=1),
            )
        )
    return results
