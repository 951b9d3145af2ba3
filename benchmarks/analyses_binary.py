"""Fits per second on one core of the tests of two arms at one visit: scores, ranks, responses and regressions."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.binary import (
    count_responses,
    fisher_test,
    mantel_haenszel_test,
    score_interval,
    standardised_risks,
)
from trialsim.kernels.logistic import fit_logistic, likelihood_ratio_test, wald_test
from trialsim.kernels.ranks import hodges_lehmann, rank_sum_test, van_elteren_test
from trialsim.kernels.robust import contrast, effects_by_stratum, regress
from trialsim.kernels.two_sample import pooled_t_test, welch_t_test

Array = NDArray[np.float64]
R = 250
REPEATS = 15


def median_rate(function: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return fits per second by the median time of a call, after one call to warm up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return R / statistics.median(times)


def analyses(n: int) -> dict[str, Callable[[], object]]:
    """Return the analyses of a block of trials with n participants, 20 % of them without a score."""
    rng = np.random.default_rng(20230419)
    active = np.broadcast_to(np.arange(n) % 2 == 1, (R, n)).copy()
    stratum = rng.integers(0, 2, (R, n))
    baseline = rng.normal(18.0, 3.6, (R, n))
    y = 10.0 + 0.4 * baseline - 2.0 * active + rng.normal(0.0, 5.0, (R, n))
    y[rng.random((R, n)) < 0.2] = np.nan
    included = ~np.isnan(y)
    response = np.where(included, (y < 14.0).astype(float), np.nan)
    x = np.stack([np.ones((R, n)), baseline, stratum, active], axis=2).astype(float)
    on, off = x.copy(), x.copy()
    on[:, :, 3], off[:, :, 3] = 1.0, 0.0
    last = np.array([0.0, 0.0, 0.0, 1.0])

    def standardise() -> object:
        return standardised_risks(fit_logistic(x, response, included), on, off, included)

    def stratified() -> object:
        return mantel_haenszel_test(count_responses(response, active, ~active, stratum, n_strata=2))

    return {
        "t, one variance": lambda: pooled_t_test(y, active, ~active),
        "t, Welch": lambda: welch_t_test(y, active, ~active),
        "Wilcoxon": lambda: rank_sum_test(y, active, ~active),
        "van Elteren, two strata": lambda: van_elteren_test(y, active, ~active, stratum, n_strata=2),
        "Hodges-Lehmann with interval": lambda: hodges_lehmann(y, active, ~active),
        "ANCOVA with HC3": lambda: contrast(regress(x, y, included, variance="hc3"), last),
        "ANCOVA by stratum": lambda: effects_by_stratum(y, included, active, stratum, baseline[:, :, None], n_strata=2),
        "Fisher": lambda: fisher_test(count_responses(response, active, ~active)),
        "Cochran-Mantel-Haenszel, two strata": stratified,
        "Miettinen-Nurminen interval": lambda: score_interval(count_responses(response, active, ~active)),
        "logistic, Wald": lambda: wald_test(fit_logistic(x, response, included), last),
        "logistic, likelihood ratio": lambda: likelihood_ratio_test(x, response, included, (3,)),
        "logistic with Firth's penalty, Wald": lambda: wald_test(
            fit_logistic(x, response, included, penalty="always"), last
        ),
        "standardised risk difference": standardise,
    }


def main() -> None:
    """Print the table."""
    sizes = (100, 200, 400)
    rates = [{name: median_rate(run) for name, run in analyses(n).items()} for n in sizes]
    print(f"Fits per second, 20 % missing, blocks of {R}, one core, medians of {REPEATS}\n")
    print(f"{'':40}" + "".join(f"{f'N = {n}':>14}" for n in sizes))
    for name in rates[0]:
        print(f"{name:40}" + "".join(f"{rate[name]:14,.0f}" for rate in rates))


if __name__ == "__main__":
    main()
